"""Which local codes stand in fee lines that wait for their settlement, as far as the journal knows (mapping rules
§10.4).

Fee lines are 2204 and 2301; their evidence rows name the local codes the gateway translated. A visit counts as settled
when a settlement of it succeeded after them. What the journal cannot say is taken for unsettled: lines that were taken
back by 2205 or 2302, or refused. Lines whose national code the institution filled in itself leave no evidence.
"""

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path

_CHUNK = 2000  # journal rows a look: a read of the journal lasts at most 250 ms (design §3)
_NEWEST = "SELECT coalesce(max(id), 0) FROM journal"
_ROWS = """
    SELECT j.infno, j.mdtrt_id, j.state, j.cancelled, p.rows FROM journal j
    LEFT JOIN evidence_packed p ON p.journal_id = j.id
    WHERE j.id > ? AND j.id <= ? AND j.fixmedins_code = ? AND j.infno IN ('2204','2301','2207','2304','2207A','2304A')
    ORDER BY j.id DESC
"""
_WHEN = "SELECT max(created_ms) FROM journal WHERE id > ? AND id <= ?"
_CODES = "SELECT DISTINCT json_extract(value, '$[2]') FROM json_each(?) WHERE json_extract(value, '$[1]') = ?"


def unsettled(
    path: Path, institution: str, system: str, codes: Collection[str], since_ms: int, chunk: int = _CHUNK
) -> set[str]:
    """Return those of a system's local codes that stand in unsettled fee lines since then. Raises sqlite3.Error.

    chunk: journal rows of one look.
    """
    if not path.exists() or not codes:
        return set()
    found: set[str] = set()
    settled: set[str] = set()  # visits; read backwards, so a settlement is seen before the lines it settles
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        for infno, visit, state, cancelled, rows in _journal(connection, institution, since_ms, chunk):
            if infno.startswith(("2207", "2304")):
                if state in ("ACKED", "CONFIRMED") and not cancelled:
                    settled.add(visit)
            elif visit not in settled and rows:
                found.update({code for (code,) in connection.execute(_CODES, (rows, system))}.intersection(codes))
    return found


def _journal(
    connection: sqlite3.Connection, institution: str, since_ms: int, chunk: int
) -> Iterator[tuple[str, str, str, int, str | None]]:
    """Yield (infno, visit, state, cancelled, evidence) of fee lines and settlements, newest first."""
    high = connection.execute(_NEWEST).fetchone()[0]
    while high > 0:
        low = max(0, high - chunk)
        yield from connection.execute(_ROWS, (low, high, institution)).fetchall()
        newest = connection.execute(_WHEN, (low, high)).fetchone()[0]
        if newest is not None and newest < since_ms:
            return
        high = low
