"""A look at a SQLite store that others write meanwhile, for every room."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path


@contextmanager
def look(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a store that is there; nothing can be written, and a transaction begun makes it one look. Raises
    sqlite3.Error."""
    base = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)
    with closing(base):
        base.execute("PRAGMA busy_timeout = 2000")
        base.execute("PRAGMA query_only = ON")
        yield base


def version_of(base: sqlite3.Connection) -> int:
    """Return how many migrations a store has had."""
    return int(base.execute("PRAGMA user_version").fetchone()[0])
