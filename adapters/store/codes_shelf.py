"""One record of a library too big to hold: found in the store while a request waits (contract: at most 30 µs).

A connection a thread, read-only, never inside a transaction: it keeps no write-ahead log from shrinking and waits for
nobody. A shelf is pinned to the versions that were standing when it was made, and records are never edited, so whoever
holds an older shelf goes on seeing what it saw.
"""

import sqlite3
import threading
from collections.abc import Iterable
from pathlib import Path

import attrs

_FIND = (
    "SELECT c.library, r.name, r.begndate, r.enddate, r.vali_flag, r.gray FROM library_code c "
    "JOIN library_record r ON r.id = c.record WHERE c.system = ? AND c.code = ? ORDER BY c.library DESC"
)
Found = tuple[str, str, str, str, str]  # name, begndate, enddate, vali_flag, gray


@attrs.define(eq=False)
class Shelves:
    """The connections, one a thread, opened when first used and closed with the thread."""

    path: Path
    _own: threading.local = attrs.Factory(threading.local)

    def shelf(self, number: int, versions: Iterable[int]) -> "Shelf":
        """Return the shelf of a system, pinned to some versions."""
        return Shelf(self, number, frozenset(versions))

    def connection(self) -> sqlite3.Connection:
        """Return this thread's connection. Raises sqlite3.Error."""
        found: sqlite3.Connection | None = getattr(self._own, "connection", None)
        if found is None:
            uri = f"{self.path.absolute().as_uri()}?mode=rw"  # not ro: see CodesReader.open
            found = sqlite3.connect(uri, uri=True, isolation_level=None)
            found.execute("PRAGMA query_only = ON")
            # Its cache stays at 2 MB: mapping the file instead saves 1 of 10 µs and would count as the node's memory.
            self._own.connection = found
        return found


@attrs.define(eq=False)
class Shelf:
    """One system's library at some versions."""

    shelves: Shelves
    number: int
    versions: frozenset[int]

    def find(self, code: str) -> Found | None:
        """Return a code's record in force at the pinned versions, None when there is none. Raises sqlite3.Error."""
        for row in self.shelves.connection().execute(_FIND, (self.number, code)).fetchall():
            if row[0] in self.versions:
                return row[1:]  # type: ignore[no-any-return]
        return None
