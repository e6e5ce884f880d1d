"""`liangding backup` at work: the rooms, the files beside them and, apart from them, the keys, while a node may run.

No moment is the same for all; the order makes it whole: what a copy speaks of is in the copies made after it.

    lists → books → journal → codes → day files, downloads → checkpoints outside → security

Books before the journal: a reversal the books gave is in the journal. Checkpoints before the trail: a trail that is
behind them would be a trail that was cut. Everything before the trail: no change is without its row.
"""

import os
import shutil
from pathlib import Path

import attrs

from adapters.store.backup import copied, durable
from gateway.app.config import Config

ELSEWHERE = "elsewhere"
_WORK = "work"  # of a day's run: made anew by the next one
_WORKPLACE, _HALF = ".", "part-"  # what a program works in, or has not put in place yet, begins so


class NotEmpty(Exception):
    """Something is there already: a backup never mixes with another. str: Chinese."""


@attrs.define
class BackedUp:
    """What was copied. rooms: their names; absent: rooms that do not exist yet; keys: how many."""

    rooms: list[str] = attrs.Factory(list)
    absent: list[str] = attrs.Factory(list)
    files: int = 0
    bytes: int = 0
    keys: int = 0


def back_up(config: Config, file: Path, folder: Path, keys: Path | None) -> BackedUp:
    """Copy everything to `folder`, the keys to `keys`, as they lie below the configuration's folder; what lies
    elsewhere goes below `elsewhere/`, by its whole path. file: the configuration.

    Raises NotEmpty, NotCopied, OSError.
    """
    for one in (folder, *([keys] if keys is not None else ())):
        if one.exists() and (not one.is_dir() or any(one.iterdir())):
            raise NotEmpty(f"应为新的或空的文件夹：{one}")
        one.mkdir(mode=0o700, parents=True, exist_ok=True)
    copy = _Copy(Path(config.folder).absolute(), folder, BackedUp())
    copy.file(file)
    for name in ("lists", "books"):
        copy.room(name, config.room(name))
    copy.room("journal", config.journal)
    copy.room("codes", config.room("codes"))
    for name in ("books", "codes"):
        copy.tree(config.path(config.node.data_dir) / name)
    copy.file(config.checkpoint_file)
    copy.room("security", config.room("security"))
    if keys is not None:
        apart = _Copy(copy.root, keys, BackedUp())
        signing = config.signing_key_file
        for one in (config.key_file, signing, signing.with_name(f"{signing.name}.next")):
            apart.file(one)
        copy.done.keys = apart.done.files
    return copy.done


@attrs.define
class _Copy:
    root: Path
    folder: Path
    done: BackedUp

    def _place(self, source: Path) -> Path:
        path = source.absolute()
        inside = path.is_relative_to(self.root)
        target = self.folder / (path.relative_to(self.root) if inside else Path(ELSEWHERE, *path.parts[1:]))
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return target

    def room(self, name: str, source: Path) -> None:
        if not source.exists():
            self.done.absent.append(name)
            return
        target = self._place(source)
        copied(source, target, journal=name == "journal")
        self.done.rooms.append(name)
        self.done.bytes += target.stat().st_size

    def file(self, source: Path) -> None:
        """Copy a file; one that is not there, or just went, is left out."""
        try:
            target = Path(shutil.copy2(source, self._place(source)))
        except FileNotFoundError:
            return
        durable(target)
        self.done.files += 1
        self.done.bytes += target.stat().st_size

    def tree(self, source: Path) -> None:
        for folder, names, files in os.walk(source):
            names[:] = [one for one in names if one != _WORK and not one.startswith(_WORKPLACE)]
            for one in files:
                if not one.startswith((_WORKPLACE, _HALF)):
                    self.file(Path(folder) / one)
