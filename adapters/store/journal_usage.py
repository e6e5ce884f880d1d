"""Which codes were used: the journal's evidence, read in short looks so that a node may write meanwhile (design §3)."""

import json
import sqlite3
from collections.abc import Iterator

import attrs

from gateway.core.translation import Evidence

STEP = 20_000  # journal rows of one look: well under the 250 ms a read of the journal may last
_PAGE = """
    SELECT j.id, j.fixmedins_code, j.msgid, j.infno, j.klass, j.link, j.state, j.mdtrt_id, j.medfee_fen, j.created_ms,
        e.rows
    FROM journal j LEFT JOIN evidence_packed e ON e.journal_id = j.id
    WHERE j.id > ? AND j.id <= ? AND j.created_ms >= ? AND j.created_ms < ? AND (? = '' OR j.fixmedins_code = ?)
    ORDER BY j.id
"""


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
    rows: tuple[Evidence, ...]


def used(connection: sqlite3.Connection, institution: str, since_ms: int, until_ms: int) -> Iterator[Used]:
    """Yield the requests of an institution ('' = of all) created in [since_ms, until_ms), oldest first."""
    last = connection.execute("SELECT coalesce(max(id), 0) FROM journal").fetchone()[0]
    for start in range(0, last, STEP):
        values = (start, start + STEP, since_ms, until_ms, institution, institution)
        for row in connection.execute(_PAGE, values).fetchall():
            facts = (*row[:-1], tuple(tuple(one) for one in json.loads(row[-1] or "[]")))
            yield Used(*facts)
