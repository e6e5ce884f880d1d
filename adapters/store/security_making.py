"""Making and migrating the file of the security room: one does it, and whoever looks meanwhile waits."""

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from adapters.store.sqlite_journal import migrate

BUSY_MS = 10_000


def _connected(path: Path) -> sqlite3.Connection:
    if not path.exists():  # closing a descriptor of a store in use would let go of the process's locks on it
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # -wal and -shm take its mode
    return sqlite3.connect(path, isolation_level=None)


def made(path: Path, scripts: list[tuple[str, bytes]], new_id: Callable[[], str]) -> sqlite3.Connection:
    """Open the store, making or migrating it where that is wanted. Raises OSError, NewerStore, sqlite3.Error."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = not path.exists()
    with _alone(path) if new else nullcontext():  # whoever looks meanwhile waits until it is made
        connection = _connected(path)
        try:
            _migrated(path, connection, scripts, new_id, alone=new)
        except BaseException:
            connection.close()
            raise
    return connection


def _migrated(
    path: Path, connection: sqlite3.Connection, scripts: list[tuple[str, bytes]], new_id: Callable[[], str], alone: bool
) -> None:
    for pragma in (f"busy_timeout = {BUSY_MS}", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")
    if connection.execute("PRAGMA user_version").fetchone()[0] == len(scripts):
        return
    with nullcontext() if alone else _alone(path):
        connection.execute("PRAGMA journal_mode = WAL")
        migrate(connection, scripts)
        connection.execute("INSERT OR IGNORE INTO store VALUES (1, ?)", (new_id(),))
        os.chmod(path, 0o600)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Of those that make or migrate a store at once, one does it."""
    lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def made_by_now(path: Path) -> None:
    """Wait for whoever is making the store or migrating it."""
    try:
        lock = os.open(f"{path}.lock", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_SH)
    finally:
        os.close(lock)
