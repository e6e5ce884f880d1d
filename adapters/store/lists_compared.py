"""What was sent of lists, what reading them back (4103) showed, and the platform's counts (4105)."""

import sqlite3
from collections.abc import Iterable

import attrs

from adapters.store.lists import Filter, Upload

THERE = (
    "SELECT visit, mdtrt_id, state, upload.at_ms, msgid, upload.setl_id, digest, setl_list_id, text FROM upload "
    "JOIN visit ON visit.id = upload.visit JOIN examined USING (visit) "
    "WHERE +fixmedins_code = ? AND state IN ('uploaded', 'submitted', 'returned') AND visit > ? "
    "AND (? = '' OR substr(discharged, 1, 7) = ?) ORDER BY visit LIMIT ?"
)
_DIFFERENCES = (
    "SELECT fixmedins_code, mdtrt_id, dept, doctor, compared.state, coalesce(path, ''), coalesce(message, '') "
    "FROM compared JOIN visit ON visit.id = compared.visit JOIN examined USING (visit) "
    "LEFT JOIN difference USING (visit) {where} {also} compared.state <> 'same' ORDER BY mdtrt_id, n LIMIT ?"
)
_COMPARED = (
    "SELECT fixmedins_code, substr(discharged, 1, 7), compared.state, count(*) FROM compared "
    "JOIN visit ON visit.id = compared.visit JOIN examined USING (visit) {where} GROUP BY 1, 2, 3"
)


@attrs.frozen
class Counted:
    """4105 against our own books: lists due and lists there, of the settlements of one month (yyyy-MM)."""

    fixmedins_code: str
    month: str
    at_ms: int
    due_theirs: int
    due_ours: int
    there_theirs: int
    there_ours: int

    @property
    def agree(self) -> bool:
        return (self.due_theirs, self.there_theirs) == (self.due_ours, self.there_ours)


def keep_sent(connection: sqlite3.Connection, visit: int, digest: str, sealed: bytes) -> None:
    """Keep what is about to be sent, in the place of what was sent before."""
    connection.execute("INSERT OR REPLACE INTO sent VALUES (?,?,?)", (visit, digest, sealed))


def sent(connection: sqlite3.Connection, visit: int) -> tuple[str, bytes] | None:
    """Return (digest, sealed) of what was sent last."""
    row = connection.execute("SELECT digest, sealed FROM sent WHERE visit = ?", (visit,)).fetchone()
    return None if row is None else (str(row[0]), bytes(row[1]))


def uploaded(connection: sqlite3.Connection, institution: str, month: str, after: int, limit: int) -> list[Upload]:
    """Return the lists that are at the platform, by number of visit. month: of discharge, yyyy-MM, '' = all."""
    return [Upload(*row) for row in connection.execute(THERE, (institution, after, month, month, limit))]


def keep_compared(
    connection: sqlite3.Connection, visit: int, at_ms: int, digest: str, state: str, found: Iterable[tuple[str, str]]
) -> None:
    """Put what a comparison showed, (path, message) each, in the place of the one before."""
    connection.execute("DELETE FROM difference WHERE visit = ?", (visit,))
    rows = [(visit, n, *one) for n, one in enumerate(found)]
    connection.executemany("INSERT INTO difference VALUES (?,?,?,?)", rows)
    connection.execute("INSERT OR REPLACE INTO compared VALUES (?,?,?,?,?)", (visit, at_ms, digest, state, len(rows)))


def differences(connection: sqlite3.Connection, wanted: Filter, limit: int) -> list[tuple[str, ...]]:
    """Return (institution, mdtrt_id, dept, doctor, state, path, message) of what is not as it was sent."""
    where, values = wanted.where()
    query = _DIFFERENCES.format(where=where, also="AND" if where else "WHERE")
    return [tuple(map(str, row)) for row in connection.execute(query, (*values, limit))]


def compared(connection: sqlite3.Connection, wanted: Filter) -> list[tuple[str, str, str, int]]:
    """Return (institution, month of discharge, state, lists)."""
    where, values = wanted.where()
    return list(connection.execute(_COMPARED.format(where=where), values))


def keep_counted(connection: sqlite3.Connection, one: Counted) -> None:
    """Put a month's counts in the place of those before."""
    connection.execute("INSERT OR REPLACE INTO counted VALUES (?,?,?,?,?,?,?)", attrs.astuple(one))


def counted(connection: sqlite3.Connection, institution: str = "", month: str = "") -> list[Counted]:
    """Return the counts, newest month first; '' = all."""
    query = (
        "SELECT * FROM counted WHERE (? = '' OR fixmedins_code = ?) AND (? = '' OR month = ?) "
        "ORDER BY fixmedins_code, month DESC"
    )
    return [Counted(*row) for row in connection.execute(query, (institution, institution, month, month))]
