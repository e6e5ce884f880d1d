"""A file that arrives piece by piece: into a temporary file of ours, then under a name made of its digest.

What the other side calls it is never a path (security T11). Not for several threads at once.
"""

import os
from pathlib import Path

import attrs
from cryptography.hazmat.primitives import hashes

from adapters.files.archive import Archive, ArchiveBroken
from adapters.files.workplace import hold, remove_left_over

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@attrs.define(eq=False)
class Spool:
    """One arriving file. too_big: more came than was allowed, and was thrown away."""

    folder: Path
    path: Path
    bytes_max: int
    handle: int
    size: int = 0
    too_big: bool = False
    _digest: hashes.Hash = attrs.Factory(lambda: hashes.Hash(hashes.SM3()))
    _spoilt: BaseException | None = None

    @classmethod
    def open(cls, folder: Path, bytes_max: int) -> "Spool":
        """Begin a file in the folder. Raises OSError."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        number = 0
        while True:
            path = folder / f"part-{os.getpid()}-{number}"
            try:
                handle = os.open(path, _FLAGS, 0o600)
            except FileExistsError:
                number += 1
                continue
            hold(handle)
            return cls(folder, path, bytes_max, handle)

    def write(self, piece: bytes) -> None:
        """Take the next piece. Raises OSError."""
        self.size += len(piece)
        if self.size > self.bytes_max:
            self.too_big = True
            return
        self._digest.update(piece)
        view = memoryview(piece)
        while view:
            view = view[os.write(self.handle, view) :]

    def spoil(self, cause: BaseException) -> None:
        """A piece could not be written: the file is worth nothing, and `end` says so."""
        self._spoilt = self._spoilt or cause

    def end(self) -> tuple[str, int]:
        """Make it durable; return (SM3 in hex, bytes). Raises what writing raised."""
        if self._spoilt is not None:
            raise self._spoilt
        os.fsync(self.handle)
        return self._digest.copy().finalize().hex(), self.size

    def head(self, size: int) -> bytes:
        """Return its first bytes."""
        return os.pread(self.handle, size, 0)

    def keep(self, kind: str, day: str) -> Path:
        """Give the file its lasting name, folder/kind/day/digest.bin; return it."""
        target = self.folder / kind / day / f"{self._digest.copy().finalize().hex()}.bin"
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.replace(target)
        return target

    def drop(self) -> None:
        """Close; what was not kept is removed. May be called again."""
        if self.handle >= 0:
            os.close(self.handle)
            self.handle = -1
        self.path.unlink(missing_ok=True)


def sweep(folder: Path, older_than_s: float) -> None:
    """Remove what a dead process left half written, and files last changed before a moment (epoch seconds)."""
    for path in folder.glob("part-*"):
        remove_left_over(path)
    for path in past(folder, older_than_s):
        path.unlink(missing_ok=True)


def past(folder: Path, older_than_s: float) -> list[Path]:
    """Return the files of a folder that were last changed before a moment (epoch seconds)."""
    found = (*folder.glob("*/*/*.bin"), *folder.glob("pages-*.jsonl"))
    return sorted(path for path in found if path.stat().st_mtime < older_than_s)


def has_text(path: Path, start: bytes) -> bool:
    """Say whether a file's first visible byte begins so: an answer in words instead of a file."""
    with path.open("rb") as stream:
        return stream.read(64).lstrip(b"\xef\xbb\xbf \r\n\t").startswith(start)


def empty_archive(path: Path) -> bool:
    """Say whether a zip holds nothing but empty files: no newer version. What is no sound zip is not empty."""
    if path.stat().st_size == 0:
        return True
    try:
        with Archive(path) as archive:
            return all(member.file_size == 0 for member in archive.files())
    except ArchiveBroken:
        return False
