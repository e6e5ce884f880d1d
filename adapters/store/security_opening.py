"""Opening the store of the security room: to act, which makes and migrates it; for one look; and whether it has begun.

Whatever SQLite or the system refuses is a TrailFailed.
"""

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from adapters.store.security import SecurityStore
from adapters.store.sqlite_journal import NewerStore, migrate
from adapters.store.sqlite_words import sqlite_words
from gateway.core.approval import TrailFailed
from gateway.core.oswords import words_of

BUSY_MS = 10_000


def begun(path: Path) -> bool:
    """Say whether a file that is there holds a trail with anything in it. A file that cannot be read is told of by
    whoever opens it: yes."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)) as base:
            base.execute("PRAGMA busy_timeout = 2000")
            base.execute("PRAGMA query_only = ON")
            if base.execute("SELECT 1 FROM sqlite_master WHERE name = 'audit'").fetchone() is None:
                return False
            return base.execute("SELECT 1 FROM audit LIMIT 1").fetchone() is not None
    except sqlite3.Error:
        return True


@contextmanager
def opened(path: Path, scripts: Iterable[tuple[str, bytes]], new_id: Callable[[], str]) -> Iterator[SecurityStore]:
    """Open the store and migrate it; makes it where there is none. Raises TrailFailed: without it nobody may do
    anything."""
    try:
        connection = _connected(path)
        try:
            _prepared(path, connection, scripts, new_id)
        except BaseException:
            connection.close()
            raise
    except OSError as cause:
        raise TrailFailed(f"安全库不能使用：{path}（{words_of(cause)}）") from cause
    except NewerStore as cause:
        raise TrailFailed(f"安全库{cause}") from cause
    except sqlite3.Error as cause:
        raise TrailFailed(f"安全库打不开：{path}（{sqlite_words(cause)}）") from cause
    try:
        yield SecurityStore(path, connection)
    except sqlite3.Error as cause:  # a look outside of a transaction
        raise TrailFailed(f"安全库读不出：{path}（{sqlite_words(cause)}）") from cause
    finally:
        connection.close()


def _connected(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():  # closing a descriptor of a store in use would let go of the process's locks on it
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # -wal and -shm take its mode
    return sqlite3.connect(path, isolation_level=None)


def _prepared(
    path: Path, connection: sqlite3.Connection, scripts: Iterable[tuple[str, bytes]], new_id: Callable[[], str]
) -> None:
    scripts = list(scripts)
    for pragma in (f"busy_timeout = {BUSY_MS}", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")
    if connection.execute("PRAGMA user_version").fetchone()[0] == len(scripts):
        return
    lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two that open a new store at once: one makes it
        connection.execute("PRAGMA journal_mode = WAL")
        migrate(connection, scripts)
        connection.execute("INSERT OR IGNORE INTO store VALUES (1, ?)", (new_id(),))
        os.chmod(path, 0o600)
    finally:
        os.close(lock)


@contextmanager
def reading(path: Path, version: int) -> Iterator[SecurityStore | None]:
    """Open the store for one look, None when there is none. Raises TrailFailed when it cannot be read."""
    if not path.exists():
        yield None
        return
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)
        try:
            connection.execute("PRAGMA busy_timeout = 2000")
            connection.execute("PRAGMA query_only = ON")
            connection.execute("BEGIN")
            found = connection.execute("PRAGMA user_version").fetchone()[0]
            if found != version:
                raise TrailFailed(f"安全库版本为{found}，本程序需要{version}：{path}")
            yield SecurityStore(path, connection)
        finally:
            connection.close()
    except sqlite3.Error as cause:
        raise TrailFailed(f"安全库读不出：{path}（{sqlite_words(cause)}）") from cause
