"""Opening the books room's file: one writer at a time by a lock the system lets go of on death, readers beside it."""

import fcntl
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from adapters.store.books import BooksStore, OtherBooks
from adapters.store.looking import look, version_of


@contextmanager
def writing(path: Path, scripts: Iterable[tuple[str, bytes]]) -> Iterator[sqlite3.Connection]:
    """Open or make the store; waits for another writer of frozen days. Raises OtherBooks, OSError, sqlite3.Error."""
    with ExitStack() as opened:
        store = BooksStore.open(path, list(scripts))
        opened.callback(store.close)
        # One freezes or clears at a time; runs go on beside it (their lock is another).
        lock = os.open(path.with_name(f"{path.name}.freeze"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        opened.callback(os.close, lock)
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Replacing a row fires its delete trigger only with recursive_triggers: nothing frozen is replaced either.
        store.connection.execute("PRAGMA recursive_triggers = ON")
        yield store.connection


@contextmanager
def reading(path: Path, version: int) -> Iterator[sqlite3.Connection | None]:
    """Open the store for one consistent look; None when there is none. Raises OtherBooks, sqlite3.Error."""
    if not path.exists():
        yield None
        return
    with look(path) as connection:
        connection.execute("BEGIN")
        if (found := version_of(connection)) != version:
            raise OtherBooks(f"对账库版本为{found}，本程序需要{version}")
        yield connection
