"""A difference in the books' store: how it is written when a run has found it, and read again."""

import sqlite3
from collections.abc import Sequence

import attrs

from gateway.core.booked import DiffRow

DIFF = (
    'diff_id, role, scope, biz_date, leg, class, "row", mode, action, prevails, setl_id, msgid, fixmedins_code, '
    "component, left_fen, right_fen, note, agreed, first_revision, last_revision, state, changed_ms"
)
# What people or an outcome have settled stays so while what was found is still the same, and does not take more people.
_FOUND = 'SELECT "row", component, left_fen, right_fen FROM diff WHERE diff_id = ?'
_UPSERT = (
    f"INSERT INTO diff ({DIFF}) VALUES ({','.join('?' * 22)}) ON CONFLICT (diff_id) DO UPDATE SET "
    "state = CASE WHEN diff.state IN ('CARRIED', 'RESOLVED') AND diff.\"row\" = excluded.\"row\" "
    "AND diff.component = excluded.component AND diff.left_fen IS excluded.left_fen "
    "AND diff.right_fen IS excluded.right_fen AND (diff.mode, excluded.mode) <> ('ONE', 'TWO') "
    "THEN diff.state ELSE excluded.state END, "
    'changed_ms = excluded.changed_ms, "row" = excluded."row", mode = excluded.mode, action = excluded.action, '
    "prevails = excluded.prevails, setl_id = excluded.setl_id, msgid = excluded.msgid, "
    "component = excluded.component, left_fen = excluded.left_fen, right_fen = excluded.right_fen, "
    "note = excluded.note, agreed = excluded.agreed, last_revision = excluded.last_revision"
)


def write_diff(connection: sqlite3.Connection, diff: DiffRow) -> bool:
    """Write what a run found, in the transaction under way; say whether it was found before as something else."""
    now = (diff.row, diff.component, diff.left_fen, diff.right_fen)
    changed = connection.execute(_FOUND, (diff.diff_id,)).fetchone() not in (None, now)
    connection.execute(_UPSERT, (*attrs.astuple(diff)[:17], int(diff.agreed), *attrs.astuple(diff)[18:]))
    return changed


def diff_of(row: Sequence[object]) -> DiffRow:
    """Return the DiffRow of a row selected by DIFF."""
    values = dict(zip([one.name for one in attrs.fields(DiffRow)], row, strict=True))
    values["agreed"] = bool(values["agreed"])
    return DiffRow(**values)  # type: ignore[arg-type]  # the columns are the fields, in the table's types
