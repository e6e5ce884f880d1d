"""One settlement in the journal, by the number the platform gave it."""

import sqlite3

from adapters.store.sqlite_reads import SELECT, entry_of
from gateway.core.model import Entry

_SETTLING = ("2207", "2304", "2102")


def settlement(connection: sqlite3.Connection, institution: str, setl_id: str) -> Entry | None:
    """Return the newest settlement of an institution with this setl_id; None when the journal knows none."""
    marks = ",".join("?" * len(_SETTLING))
    # Only constants and question marks are put together; every value is a parameter.
    query = f"{SELECT} WHERE setl_id = ? AND fixmedins_code = ? AND infno IN ({marks}) ORDER BY id DESC LIMIT 1"
    row = connection.execute(query, (setl_id, institution, *_SETTLING)).fetchone()
    return None if row is None else entry_of(row)
