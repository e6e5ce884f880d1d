"""A difference in the books' store: how it is written when a run has found it, and read again."""

import sqlite3
from collections.abc import Sequence

import attrs

from gateway.core.booked import DiffRow

DIFF = (
    'diff_id, role, scope, biz_date, leg, class, "row", mode, action, prevails, setl_id, msgid, fixmedins_code, '
    "component, left_fen, right_fen, note, agreed, first_revision, last_revision, state, changed_ms, said_sm3"
)
# What people or an outcome have settled stays so while what was found is still the same, and does not take more people.
# A digest that is not known is neither forgotten nor a change: then the note tells.
_FOUND = 'SELECT "row", component, left_fen, right_fen, said_sm3, note FROM diff WHERE diff_id = ?'
_UPSERT = (
    f"INSERT INTO diff ({DIFF}) VALUES ({','.join('?' * 23)}) ON CONFLICT (diff_id) DO UPDATE SET "
    "state = CASE WHEN diff.state IN ('CARRIED', 'RESOLVED') AND NOT ? "
    "AND (diff.mode, excluded.mode) <> ('ONE', 'TWO') THEN diff.state ELSE excluded.state END, "
    'changed_ms = excluded.changed_ms, "row" = excluded."row", mode = excluded.mode, action = excluded.action, '
    "prevails = excluded.prevails, setl_id = excluded.setl_id, msgid = excluded.msgid, "
    "component = excluded.component, left_fen = excluded.left_fen, right_fen = excluded.right_fen, "
    "note = excluded.note, agreed = excluded.agreed, last_revision = excluded.last_revision, "
    "said_sm3 = coalesce(excluded.said_sm3, diff.said_sm3)"
)


def write_diff(connection: sqlite3.Connection, diff: DiffRow) -> bool:
    """Write what a run found, in the transaction under way; say whether it was found before as something else."""
    found = connection.execute(_FOUND, (diff.diff_id,)).fetchone()
    changed = found is not None and _another(diff, found)
    connection.execute(_UPSERT, (*attrs.astuple(diff), changed))
    return changed


def _another(diff: DiffRow, found: Sequence[object]) -> bool:
    *shown, said, note = found
    if shown != [diff.row, diff.component, diff.left_fen, diff.right_fen]:
        return True
    return note != diff.note if said is None or diff.said_sm3 is None else said != diff.said_sm3


def diff_of(row: Sequence[object]) -> DiffRow:
    """Return the DiffRow of a row selected by DIFF."""
    values = dict(zip([one.name for one in attrs.fields(DiffRow)], row, strict=True))
    values["agreed"] = bool(values["agreed"])
    return DiffRow(**values)  # type: ignore[arg-type]  # the columns are the fields, in the table's types
