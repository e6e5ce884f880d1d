"""Requests of fee lines (2301, 2204) in the journal, forward from a row on, with the codes they carried."""

import json
import sqlite3

import attrs

STEP = 20_000  # journal rows of one look: well under the 250 ms a read of the journal may last
_NEWEST = "SELECT id, msgid FROM journal ORDER BY id DESC LIMIT 1"
_NAME = "SELECT msgid FROM journal WHERE id = ?"
_STEP = "SELECT id, msgid FROM journal WHERE id > ? ORDER BY id LIMIT 1 OFFSET ?"
_PAGE = """
    SELECT j.fixmedins_code, j.mdtrt_id, e.rows FROM journal j JOIN evidence_packed e ON e.journal_id = j.id
    WHERE j.id > ? AND j.id <= ? AND j.infno IN ('2301', '2204') AND j.mdtrt_id <> '' AND j.live = 1
    ORDER BY j.id
"""
Evidence = tuple[str, str, str, str, str, str]


@attrs.frozen
class Billed:
    """The fee lines of one request."""

    fixmedins_code: str
    mdtrt_id: str
    rows: tuple[Evidence, ...]


def step(connection: sqlite3.Connection, after: int) -> tuple[int, str] | None:
    """Return (id, msgid) of the last row of the next look; None at the journal's end."""
    row = connection.execute(_STEP, (after, STEP - 1)).fetchone() or connection.execute(_NEWEST).fetchone()
    return None if row is None or row[0] <= after else (int(row[0]), str(row[1]))


def is_row(connection: sqlite3.Connection, number: int, msgid: str) -> bool:
    """Say whether a row of the journal is this request."""
    found: tuple[str] | None = connection.execute(_NAME, (number,)).fetchone()
    return found == (msgid,)


def billed(connection: sqlite3.Connection, after: int, last: int) -> list[Billed]:
    """Return the requests with ids in (after, last]."""
    found = connection.execute(_PAGE, (after, last)).fetchall()
    return [Billed(code, visit, tuple(tuple(one) for one in json.loads(rows))) for code, visit, rows in found]
