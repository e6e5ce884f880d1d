"""Which codes were used: the journal's evidence, read in short looks so that a node may write meanwhile (design §3)."""

import json
import sqlite3
from collections.abc import Iterator

import attrs

from gateway.core.translation import Evidence

STEP = 20_000  # journal rows of one look: well under the 250 ms a read of the journal may last
_PAGE = """
    SELECT j.id, j.fixmedins_code, j.msgid, j.infno, j.klass, j.link, j.state, j.mdtrt_id, j.medfee_fen, j.created_ms,
        j.cancelled, e.rows
    FROM journal j LEFT JOIN evidence_packed e ON e.journal_id = j.id
    WHERE j.id > ? AND j.id <= ? AND j.created_ms >= ? AND j.created_ms < ? AND (? = '' OR j.fixmedins_code = ?)
    ORDER BY j.id
"""
# What no mapping gave: refused by the national regime, or both codes sent by the institution. Said of the packed text,
# which is far cheaper than unpacking it.
_WITHOUT_MAPPING = """
    SELECT j.id, j.fixmedins_code, j.msgid, j.infno, j.klass, j.link, j.state, j.mdtrt_id, j.medfee_fen, j.created_ms,
        j.cancelled, e.rows
    FROM evidence_packed e JOIN journal j ON j.id = e.journal_id
    WHERE e.journal_id > ? AND e.journal_id <= ? AND j.created_ms >= ? AND (
        instr(e.rows, '"item"') OR instr(e.rows, '"unmapped"') OR instr(e.rows, '"expired"')
        OR instr(e.rows, '"code_conflict"'))
    ORDER BY j.id
"""
_CLOCK_BACK_MS = 86_400_000  # ids follow the clock, unless somebody set it back: by more than a day nobody does


@attrs.frozen
class Used:
    """One request with the codes it carried. medfee_fen: None when it has no total."""

    id: int
    fixmedins_code: str
    msgid: str
    infno: str
    klass: str
    link: str
    state: str
    mdtrt_id: str
    medfee_fen: int | None
    created_ms: int
    cancelled: int
    rows: tuple[Evidence, ...]


def used(connection: sqlite3.Connection, institution: str, since_ms: int, until_ms: int) -> Iterator[Used]:
    """Yield the requests of an institution ('' = of all) created in [since_ms, until_ms), oldest first."""
    last = newest_id(connection)
    for start in range(_first_id(connection, since_ms, last), last, STEP):
        values = (start, start + STEP, since_ms, until_ms, institution, institution)
        yield from _unpacked(connection, _PAGE, values)


def without_mapping(connection: sqlite3.Connection, after: int, last: int, since_ms: int) -> Iterator[Used]:
    """Yield the requests of all institutions, ids in (after, last], that carry codes no mapping gave, oldest first."""
    for start in range(max(after, _first_id(connection, since_ms, last)), last, STEP):
        yield from _unpacked(connection, _WITHOUT_MAPPING, (start, min(start + STEP, last), since_ms))


def newest_id(connection: sqlite3.Connection) -> int:
    """Return the id of the newest row, 0 when there is none."""
    return int(connection.execute("SELECT coalesce(max(id), 0) FROM journal").fetchone()[0])


def _unpacked(connection: sqlite3.Connection, query: str, values: tuple[object, ...]) -> Iterator[Used]:
    for row in connection.execute(query, values).fetchall():
        facts = (*row[:-1], tuple(tuple(one) for one in json.loads(row[-1] or "[]")))
        yield Used(*facts)


def _first_id(connection: sqlite3.Connection, since_ms: int, last: int) -> int:
    """Return an id below the first row since a moment, by halves: the journal has no index of its times."""
    low, high = 0, last
    while high - low > STEP:
        middle = (low + high) // 2
        found = connection.execute("SELECT created_ms FROM journal WHERE id >= ? ORDER BY id LIMIT 1", (middle,))
        if found.fetchone()[0] < since_ms - _CLOCK_BACK_MS:
            low = middle
        else:
            high = middle
    return low
