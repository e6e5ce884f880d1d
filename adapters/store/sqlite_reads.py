"""What the exchange asks its journal beside single messages, in statements that use an index or a range of ids.

They run where commits run, so each is bounded.
"""

import sqlite3

from adapters.store.sqlite_kinds import find_kinds
from gateway.core.model import (
    DOUBT,
    NUMBERED_MAX,
    Admitted,
    Entry,
    Kinds,
    Later,
    Numbered,
    OpResult,
    Page,
    Settled,
    ended_as_absent,
    followup_msgid,
)

COLUMNS = (
    "id, fixmedins_code, msgid, infno, klass, link, state, digest, business_key, soft_key, lane, psn_no, mdtrt_id, "
    "setl_id, omsgid, insuplc_admdvs, mdtrtarea_admvs, med_type, medfee_fen, created_ms, delivered, cancelled, settled"
)
SELECT = f"SELECT {COLUMNS} FROM journal_row"  # noqa: S608
# At any institution of the node: what a settlement was computed from is the person's (as lanes are, §7).
_LATER = (
    "SELECT 1 FROM journal WHERE id >= ? AND id <> ? AND psn_no = ? AND klass IN ('M', 'A') "
    "AND live = 1 AND cancelled = 0 LIMIT 1"
)
_SETTLED = (
    f"{SELECT} WHERE id >= ? AND id < ? AND +fixmedins_code = ? AND klass = 'M' AND state IN ('ACKED', 'CONFIRMED') "
    "AND +link = ? AND setl_id <> '' ORDER BY id DESC LIMIT ?"
)
# Two steps, each by its index; the plus keeps the planner from an institution's whole history.
_NUMBERED = (  # names are this module's own, values are parameters
    f"{SELECT} WHERE id IN (SELECT journal_id FROM outcome WHERE setl_id = ? AND setl_id <> '') "  # noqa: S608
    f"AND +fixmedins_code = ? AND klass = 'M' ORDER BY id DESC LIMIT {NUMBERED_MAX}"
)
# By the range of its business key, so that the index of live keys finds it.
_ADMISSION = (  # names are this module's own, values are parameters
    f"{SELECT} WHERE business_key > ? AND business_key < ? AND business_key <> '' AND live = 1 "
    "AND state IN ('ACKED', 'CONFIRMED') AND mdtrt_id = ? AND mdtrt_id <> '' LIMIT 1"
)
# The two terms name the partial index, and what is wanted of it.
_OVERHEARD = (  # names are this module's own
    f"{SELECT} WHERE klass IN ('M', 'A') AND id IN (SELECT journal_id FROM journal_event "  # noqa: S608
    "WHERE reason GLOB 'late_response*' AND reason GLOB 'late_response acked*') ORDER BY id"
)
_TOLD = "SELECT state, reason FROM journal_event WHERE journal_id = ?"
_HELD = "SELECT 1 FROM journal WHERE fixmedins_code = ? AND msgid = ?"
_CREATED = "SELECT created_ms FROM journal WHERE id >= ? ORDER BY id LIMIT 1"


def entry_of(row: tuple[object, ...]) -> Entry:
    """Return the Entry of a row selected by COLUMNS."""
    names = COLUMNS.split(", ")
    fields = dict(zip(names, row, strict=True))
    fields["delivered"], fields["cancelled"] = bool(fields["delivered"]), bool(fields["cancelled"])
    return Entry(**fields)  # type: ignore[arg-type]  # the columns are the fields, in the table's types


def look_up(connection: sqlite3.Connection, op: Later | Settled | Numbered | Admitted | Kinds) -> OpResult:
    """Answer one of the reads that go through many rows."""
    if type(op) is Later:
        first = op.entry.id if op.since_ms is None else first_since(connection, op.since_ms)
        values = (first, op.entry.id, op.entry.psn_no)
        return connection.execute(_LATER, values).fetchone() is not None
    if type(op) is Kinds:
        return find_kinds(connection, op)
    if type(op) is Numbered:
        return Page(tuple(entry_of(row) for row in connection.execute(_NUMBERED, (op.setl_id, op.fixmedins_code))), 0)
    if type(op) is Admitted:
        found = admission(connection, op.fixmedins_code, op.psn_no, op.mdtrt_id)
        return Page(() if found is None else (found,), 0)
    assert type(op) is Settled
    return _settled(connection, op)


def overheard(connection: sqlite3.Connection) -> list[Entry]:
    """Return the settlements a late success came for that are still in doubt, or that nobody has followed up yet."""
    rows = [entry_of(row) for row in connection.execute(_OVERHEARD)]
    return [row for row in rows if row.state in DOUBT or unfollowed(connection, row)]


def unfollowed(connection: sqlite3.Connection, entry: Entry) -> bool:
    """Say whether a row ended as never booked and nothing follows that up yet."""
    if not ended_as_absent(connection.execute(_TOLD, (entry.id,))):
        return False
    return connection.execute(_HELD, (entry.fixmedins_code, followup_msgid(entry))).fetchone() is None


def admission(connection: sqlite3.Connection, fixmedins_code: str, psn_no: str, mdtrt_id: str) -> Entry | None:
    """Return the admission of a visit that stands."""
    prefix = f"2401|{fixmedins_code}|{psn_no}|"
    row = connection.execute(_ADMISSION, (prefix, prefix + "\U0010ffff", mdtrt_id)).fetchone()
    return None if row is None else entry_of(row)


def _settled(connection: sqlite3.Connection, op: Settled) -> Page:
    last = connection.execute("SELECT max(id) FROM journal").fetchone()[0] or 0
    before = last + 1 if op.before is None else op.before
    first = first_since(connection, op.since_ms)
    lowest = max(first, before - op.ids_max)
    wanted = (lowest, before, op.fixmedins_code, op.link, op.rows_max)
    rows = tuple(entry_of(row) for row in connection.execute(_SETTLED, wanted))
    if len(rows) == op.rows_max:
        lowest = rows[-1].id
    return Page(rows, lowest if lowest > first else 0)


def first_since(connection: sqlite3.Connection, since_ms: int) -> int:
    """Return the first id that was created then or later; ids grow with time, and no index does."""
    low = 1
    high = (connection.execute("SELECT max(id) FROM journal").fetchone()[0] or 0) + 1
    while low < high:
        middle = (low + high) // 2
        if connection.execute(_CREATED, (middle,)).fetchone()[0] < since_ms:
            low = middle + 1
        else:
            high = middle
    return low
