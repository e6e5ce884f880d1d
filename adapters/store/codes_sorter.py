"""The codes of a file in their order, however many: kept in a private database of SQLite's that goes with its close.

It is held in SQLite's page cache and spills to a file without a name, so three million codes need no memory of ours.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from types import TracebackType

import attrs

from adapters.store.codes import ROWS_MAX

_MADE = "CREATE TABLE passed (code TEXT NOT NULL, line INTEGER NOT NULL, enddate TEXT NOT NULL)"


def _private() -> sqlite3.Connection:
    connection = sqlite3.connect("", isolation_level=None)
    connection.executescript(f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; {_MADE}; BEGIN")
    return connection


@attrs.define(eq=False)
class CodesSorter:
    """Takes codes as they come and gives them back in their order. A context manager; closed, it holds nothing."""

    _connection: sqlite3.Connection = attrs.Factory(_private)
    _waiting: list[tuple[str, int, str]] = attrs.Factory(list)

    def __enter__(self) -> "CodesSorter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._connection.close()

    def take(self, code: str, line: int, enddate: str) -> None:
        """Take a code with the line it stands on and its last day, yyyy-MM-dd, '' = open."""
        self._waiting.append((code, line, enddate))
        if len(self._waiting) >= ROWS_MAX:
            self._flush()

    def in_order(self) -> Iterator[tuple[str, int, str]]:
        """Yield (code, line, last day) by code as the store sorts codes, and then by line."""
        self._flush()
        with closing(self._connection.execute("SELECT code, line, enddate FROM passed ORDER BY code, line")) as found:
            yield from found

    def _flush(self) -> None:
        self._connection.executemany("INSERT INTO passed VALUES (?,?,?)", self._waiting)
        self._waiting.clear()
