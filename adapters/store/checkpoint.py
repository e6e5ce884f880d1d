"""Keeps the write-ahead log short: moves it into the journal's file, and starts it anew when it has grown too long.

PASSIVE, from a connection of its own, never blocks the writer (design §3) and does nearly all the work. But SQLite
starts the log anew only when a checkpoint has moved everything and nobody has written since; where commits follow each
other without a pause that never comes about, and the log grows for ever. So past a limit one TRUNCATE runs on the
writer's thread, between two batches: there, no commit can come in between, and little is left to move.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

import attrs

WAL_BYTES_MIN = 4 * 1024 * 1024
WAL_BYTES_MAX = 64 * 1024 * 1024

T = TypeVar("T")


class Thread(Protocol):
    """Runs one call after the other on a thread of its own (`WriterThread`)."""

    def run(self, call: Callable[[], T], done: Callable[[T], None], failed: Callable[[Exception], None]) -> None: ...


def wal_bytes(path: Path) -> int:
    """Return how long the log of the journal at path is, 0 when there is none."""
    try:
        return path.with_name(path.name + "-wal").stat().st_size
    except FileNotFoundError:
        return 0


def checkpoint(path: Path, bytes_min: int = WAL_BYTES_MIN) -> int:
    """Checkpoint once if the log is worth it; return the pages moved. Blocking: call it in a thread."""
    if wal_bytes(path) < bytes_min:
        return 0
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        row = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    finally:
        connection.close()
    return int(row[2]) if row is not None else 0


@attrs.define(eq=False, kw_only=True)
class Checkpoints:
    """One look at the log at each `look`, on the reactor's thread; what blocks runs on the two others.

    truncate: SqliteJournal.truncate_log, run by `writer`. report: is told what failed, once for each series of
    failures; the next look tries again.
    """

    path: Path
    truncate: Callable[[], bool]
    helper: Thread
    writer: Thread
    report: Callable[[Exception], object]
    bytes_min: int = WAL_BYTES_MIN
    bytes_max: int = WAL_BYTES_MAX
    _busy: bool = False
    _failing: bool = False

    def look(self) -> None:
        """Begin a checkpoint, unless one is under way."""
        if not self._busy:
            self._busy = True
            self.helper.run(self._move, self._moved, self._failed)

    def _move(self) -> bool:
        """Move what can be moved without disturbing anybody; say whether the log is still too long."""
        checkpoint(self.path, self.bytes_min)
        return wal_bytes(self.path) > self.bytes_max

    def _moved(self, too_long: bool) -> None:
        if too_long:
            self.writer.run(self.truncate, self._truncated, self._failed)
        else:
            self._truncated(False)

    def _truncated(self, done: bool) -> None:
        # Not done: a reader held on to old pages; the next look tries again.
        self._busy = self._failing = False

    def _failed(self, cause: Exception) -> None:
        # Nothing is lost: what was not moved is in the log. A disk that is full fails at every look.
        first, self._failing, self._busy = not self._failing, True, False
        if first:
            self.report(cause)
