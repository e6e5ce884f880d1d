"""What an end takes back: a settlement that is cancelled or reversed, a cancellation that is, an admission withdrawn.

Rules: reversal specification §8 (a cancelled record holds its business key no more); reconciliation specification §5.6.
"""

import sqlite3

from gateway.core.facts import undone_setl_id
from gateway.core.model import Advance, Keep

# The plus keeps the planner from an institution's whole history.
_CANCEL = (
    "UPDATE journal SET cancelled = 1, live = 0 WHERE id IN (SELECT journal_id FROM outcome WHERE setl_id = ? AND "
    "setl_id <> '') AND +fixmedins_code = ? AND link = ? AND klass IN ('M', 'A') AND id <> ?"
)
# By the range of its business key, so that the index of live keys finds it.
_CANCEL_ADMISSION = (
    "UPDATE journal SET cancelled = 1, live = 0 WHERE id IN (SELECT id FROM journal_row WHERE business_key > ? AND "
    "business_key < ? AND business_key <> '' AND live = 1 AND mdtrt_id = ?)"
)
_CANCEL_ONE = "UPDATE journal SET cancelled = 1, live = 0 WHERE id = ? RETURNING business_key, fixmedins_code, link"
# A cancellation that is taken back itself: its settlement stands again (§5.6 R6), unless the bill was settled anew
# meanwhile: then the platform has two, and reconciliation shows them (D4).
_REVIVE = (
    "UPDATE OR IGNORE journal SET cancelled = 0, live = 1 WHERE id IN (SELECT journal_id FROM outcome WHERE "
    "setl_id = ? AND setl_id <> '') AND +fixmedins_code = ? AND link = ? AND klass IN ('M', 'A') AND cancelled = 1 "
    "AND id <> ?"
)


def take_back(connection: sqlite3.Connection, op: Advance) -> None:
    """Mark what a move that took place cancels (by setl_id) or undoes (by id)."""
    if op.cancels:
        connection.execute(_CANCEL, (op.cancels, op.entry.fixmedins_code, op.entry.link, op.entry.id))
    if op.undoes:
        key, institution, link = connection.execute(_CANCEL_ONE, (op.undoes,)).fetchone()
        if setl_id := undone_setl_id(key):
            connection.execute(_REVIVE, (setl_id, institution, link, op.undoes))


def withdraw_admission(connection: sqlite3.Connection, op: Keep) -> None:
    """Mark the admission a 2404 took back."""
    prefix = f"2401|{op.entry.fixmedins_code}|{op.psn_no}|"
    connection.execute(_CANCEL_ADMISSION, (prefix, prefix + "\U0010ffff", op.cancels))
