"""A folder to work in that goes with the work, and what a program that was killed left of one.

Whoever uses one holds a lock on it that the system lets go when the process ends, however it ends: so what nobody holds
is certainly dead. Names are never used twice.
"""

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import attrs

_LOOK = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def hold(handle: int) -> None:
    """Say that an open file or folder is in use until its handle is closed. Raises OSError."""
    fcntl.flock(handle, fcntl.LOCK_SH)


@attrs.define(eq=False)
class Workplace:
    """One such folder, readable by its owner only; a context manager."""

    path: Path
    _handle: int

    @classmethod
    def make(cls, prefix: str, parent: Path) -> "Workplace":
        """Make one. Raises OSError."""
        path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        hold(handle)
        return cls(path, handle)

    def remove(self) -> None:
        """Remove it with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._handle)

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.remove()


@attrs.frozen
class LeftOver:
    """A file or folder of a dead program. size: bytes; changed_s: when anything in it was last changed."""

    path: Path
    size: int
    changed_s: float


def left_over(path: Path) -> LeftOver | None:
    """Return what a dead program left there; None where somebody uses it, or it is a link or gone. Raises OSError."""
    return None if (handle := _dead(path)) < 0 else _measured(path, handle)


def _measured(path: Path, handle: int) -> LeftOver:
    try:
        facts = [os.fstat(handle)]
    finally:
        os.close(handle)
    if path.is_dir():
        facts += [one.lstat() for one in path.rglob("*")]
    return LeftOver(path, sum(one.st_size for one in facts), max(one.st_mtime for one in facts))


def remove_left_over(path: Path) -> bool:
    """Remove what a dead program left; False where somebody uses it, or it is a link or gone. Raises OSError."""
    if (handle := _dead(path)) < 0:
        return False
    try:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    finally:
        os.close(handle)
    return True


def _dead(path: Path) -> int:
    """Return a handle that holds it alone, -1 where that is not possible."""
    with suppress(FileNotFoundError):
        if path.is_symlink():
            return -1
        handle = os.open(path, _LOOK)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return -1
        return handle
    return -1
