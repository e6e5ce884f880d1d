"""Opening the books room's file: one writer at a time by a lock the system lets go of on death, readers beside it."""

import fcntl
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from adapters.store.sqlite_journal import NewerStore, migrate


class OtherBooks(Exception):
    """The store was made by another version of the program."""


@contextmanager
def writing(path: Path, scripts: Iterable[tuple[str, bytes]]) -> Iterator[sqlite3.Connection]:
    """Open or make the store, migrate it. Waits for another writer. Raises OtherBooks, OSError, sqlite3.Error."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with ExitStack() as opened:
        lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        opened.callback(os.close, lock)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():  # closing a descriptor of a store in use would let go of the process's locks on it
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # -wal and -shm take its mode
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        opened.callback(connection.close)
        # Replacing a row fires its delete trigger only with recursive_triggers: nothing frozen is replaced either.
        pragmas = ("journal_mode = WAL", "synchronous = FULL", "busy_timeout = 10000", "foreign_keys = ON")
        for pragma in (*pragmas, "recursive_triggers = ON"):
            connection.execute(f"PRAGMA {pragma}")
        try:
            migrate(connection, scripts)
        except NewerStore as cause:
            raise OtherBooks(f"账务库{cause}") from cause
        yield connection


@contextmanager
def reading(path: Path, version: int) -> Iterator[sqlite3.Connection | None]:
    """Open the store for one consistent look; None when there is none. Raises OtherBooks, sqlite3.Error."""
    if not path.exists():
        yield None
        return
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)
    try:
        connection.execute("PRAGMA busy_timeout = 2000")
        connection.execute("PRAGMA query_only = ON")
        connection.execute("BEGIN")
        found = connection.execute("PRAGMA user_version").fetchone()[0]
        if found != version:
            raise OtherBooks(f"账务库版本为{found}，本程序需要{version}")
        yield connection
    finally:
        connection.close()
