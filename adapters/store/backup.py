"""Copies of databases that others write meanwhile: of one moment each, and nobody waits for them."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from adapters.store.sqlite_journal import RESTORED
from adapters.store.sqlite_words import sqlite_words


class NotCopied(Exception):
    """A database could not be read, or its copy not be written. str: Chinese."""


def copied(source: Path, target: Path, *, journal: bool = False) -> None:
    """Copy a database as it stands at one moment to a file that is not there yet; durable when this returns.

    journal: the copy says of itself that it was restored: a node that starts with it asks the platform about everything
    since, before it takes any money. Raises NotCopied, OSError.
    """
    try:
        _copied(source, target, journal)
    except sqlite3.Error as cause:
        raise NotCopied(f"{source}（{sqlite_words(cause)}）") from cause
    durable(target)


def _copied(source: Path, target: Path, journal: bool) -> None:
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    uri = f"{source.absolute().as_uri()}?mode=rw"  # not ro: the index of its log may have to be made
    with (
        closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as live,
        closing(sqlite3.connect(target, isolation_level=None)) as copy,
    ):
        live.execute("PRAGMA query_only = ON")
        live.execute("PRAGMA busy_timeout = 10000")
        live.execute("BEGIN")
        live.execute("SELECT count(*) FROM sqlite_master").fetchone()  # from here on it sees one moment
        live.backup(copy)  # all at once: page by page it would begin anew with everything that is written
        if journal:
            copy.execute(RESTORED)
        copy.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def durable(path: Path) -> None:
    """Wait until a file is on the disk. Raises OSError."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
