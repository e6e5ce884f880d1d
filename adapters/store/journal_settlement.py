"""One settlement in the journal, by the number the platform gave it."""

import sqlite3

from adapters.store.sqlite_reads import SELECT, entry_of
from gateway.core.model import Entry

# Two steps, each by its index; the plus keeps the planner from an institution's whole history.
SETTLEMENT = (  # names are of constants, values are parameters
    f"{SELECT} WHERE id IN (SELECT journal_id FROM outcome WHERE setl_id = ? AND setl_id <> '') "  # noqa: S608
    "AND +fixmedins_code = ? AND infno IN ('2207', '2304', '2102') ORDER BY id DESC LIMIT 1"
)


def settlement(connection: sqlite3.Connection, institution: str, setl_id: str) -> Entry | None:
    """Return the newest settlement of an institution with this setl_id; None when the journal knows none."""
    row = connection.execute(SETTLEMENT, (setl_id, institution)).fetchone()
    return None if row is None else entry_of(row)
