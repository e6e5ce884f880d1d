"""Opening the store of the security room: to act, which makes and migrates it; for one look; and whether it has begun.

Whatever SQLite or the system refuses is a TrailFailed.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from adapters.store.looking import look, version_of
from adapters.store.security import SecurityStore
from adapters.store.security_making import made, made_by_now
from adapters.store.sqlite_journal import NewerStore
from adapters.store.sqlite_words import sqlite_words
from gateway.core.approval import TrailFailed
from gateway.core.oswords import words_of


def begun(path: Path) -> bool:
    """Say whether a file that is there holds a trail with anything in it. A file that cannot be read is told of by
    whoever opens it: yes."""
    try:
        with look(path) as base:
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
        connection = made(path, list(scripts), new_id)
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


@contextmanager
def reading(path: Path, version: int) -> Iterator[SecurityStore | None]:
    """Open the store for one look, None when there is none. Raises TrailFailed when it cannot be read."""
    if not path.exists():
        yield None
        return
    try:
        with look(path) as connection:
            connection.execute("BEGIN")
            if version_of(connection) < version:  # another program may be making it, or migrating it: not while we read
                connection.execute("ROLLBACK")
                made_by_now(path)
                connection.execute("BEGIN")
            if (found := version_of(connection)) != version:
                raise TrailFailed(f"安全库版本为{found}，本程序需要{version}：{path}")
            yield SecurityStore(path, connection)
    except sqlite3.Error as cause:
        raise TrailFailed(f"安全库读不出：{path}（{sqlite_words(cause)}）") from cause
