"""Replaced day files go after their time (security specification T30, §9): by a running node once a day, or by command.

Not while the trail tells of a hold on them (`security retention hold day-files|replaced`).

Under a lock that handing in takes, too: the same bytes may come again at any moment. First a file is removed, then that
is noted; whoever dies in between does both again.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import attrs
from twisted.internet.defer import Deferred

from adapters.files.workplace import left_over, remove_left_over
from adapters.store.books import BooksStore, locked
from adapters.store.books_pruning import BooksPruning
from gateway.app.config import Config
from gateway.app.holds import is_held, past_ms
from gateway.core.approval import TrailFailed
from gateway.core.ports import Clock

DAY_S = 86_400.0
AT_ONCE = 500


@attrs.frozen(kw_only=True)
class Pruned:
    """What went, or would go. left: more than was looked at, for the next time; held: nothing may go."""

    files: int = 0
    bytes: int = 0
    left: bool = False
    held: bool = False


def filing(config: Config) -> AbstractContextManager[None]:
    """Hold the lock of whoever keeps or removes day files."""
    room = config.room("books")
    room.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return locked(room.with_name(f"{room.name}.files"))


def prune(config: Config, store: BooksStore, now_ms: int, dry: bool = False) -> Pruned:
    """Remove what was replaced more than `replaced_keep_days` ago and no run used, and what an upload that died left
    behind. dry: only count. Raises OSError, sqlite3.Error, TrailFailed (whether there is a hold cannot be known)."""
    data = config.path(config.node.data_dir)
    pruning = BooksPruning(store.connection)
    with filing(config):
        if is_held(config, "day-files", "replaced"):
            return Pruned(held=True)
        found = pruning.replaced(past_ms(config, "replaced", now_ms / 1000), AT_ONCE)
        paths = {data / path for _, path in found}
        size = sum(path.stat().st_size for path in paths if path.exists())
        files = sum(path.exists() for path in paths)
        if not dry:
            for path in paths:
                path.unlink(missing_ok=True)
            if found:
                pruning.pruned([number for number, _ in found], now_ms, files, size)
            if not is_held(config, "temporary"):
                _sweep(data / "books", now_ms / 1000 - DAY_S)
    return Pruned(files=files, bytes=size, left=len(found) == AT_ONCE)


def _sweep(folder: Path, before_s: float) -> None:
    """Remove the workplaces of uploads that died a day ago."""
    for one in folder.glob("*/.in-*"):
        if (left := left_over(one)) is not None and left.changed_s < before_s:
            remove_left_over(one)


@attrs.define(eq=False)
class DailyPruning:
    """Prunes in a node, at its start and then once a day. db: runs a call with the store on the orders' thread."""

    config: Config
    clock: Clock
    db: Callable[[Callable[[BooksStore], object]], "Deferred[object]"]
    _last_s: float = -DAY_S

    async def tick(self) -> None:
        now = self.clock.seconds()
        if not 0 <= now - self._last_s < DAY_S:
            try:
                done = await self.db(lambda store: prune(self.config, store, int(now * 1000)))
            except TrailFailed:  # once a day is told that it could not be known whether they may go
                self._last_s = now
                raise
            assert isinstance(done, Pruned)
            if not done.left:  # else the next poll goes on
                self._last_s = now
