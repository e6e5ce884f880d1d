"""The last question before a person: the daily statement (Q5), about what nothing else could end.

*Yes* is a row that only the agency has, with our msgid, the same person and total; *no* is no such row in a whole
result that would have listed it, and in which every row of the agency's has a msgid. Source: reversal specification
§4.1, §4.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from gateway.core.model import Admitted, Entry, NotAccepted, OpResult, Page
from gateway.core.money import yuan
from gateway.core.statement import Differing
from gateway.exchange.asking import Heard
from gateway.exchange.resolution import Finding
from gateway.exchange.statement import Statement

if TYPE_CHECKING:
    from gateway.exchange.undo import Undo


def compare(undo: Undo, heard: Heard) -> None:
    """Ask; `heard` is called once."""
    original = undo.original

    def admitted(found: OpResult | NotAccepted) -> None:
        rows = found.rows if isinstance(found, Page) else ()
        known = attrs.evolve(original, med_type=rows[0].med_type) if rows else original
        undo.office.statements.ask(undo.link, known, lambda shown: heard(*weigh(shown, known)))

    if original.med_type:
        admitted(None)
    else:  # of a discharge its admission says what treatment it was
        whose = {"fixmedins_code": original.fixmedins_code, "psn_no": original.psn_no}
        undo.office.queue.submit(Admitted(**whose, mdtrt_id=original.mdtrt_id), admitted)


def weigh(found: Statement | None, original: Entry) -> tuple[Finding, Mapping[str, Any] | None]:
    """Return what a comparison says of a record in doubt; of a cancellation that was booked, what it took back."""
    if found is None:
        return "unknown", None
    rows = found.of(original.msgid)
    if not rows:  # one that has no name might be it
        return ("nothing" if found.knows(original) and not found.unnamed else "unknown"), None
    if len(rows) > 1 or not _fits(rows[0], original):
        return "unknown", None
    return "found", _taken_back(rows[0], original)


def _fits(row: Differing, original: Entry) -> bool:
    same_total = original.medfee_fen is None or row.medfee_fen in (None, original.medfee_fen)
    return row.psn_no == original.psn_no and same_total


def _taken_back(row: Differing, original: Entry) -> dict[str, Any]:
    """The settlement a refund's row speaks of: the row itself has no numbers, and negative amounts."""
    amounts = {"medfee_sumamt": row.medfee_fen, "fund_pay_sumamt": row.fund_fen, "acct_pay": row.acct_fen}
    given = {name: yuan(-fen) for name, fen in amounts.items() if fen is not None}
    return {"psn_no": original.psn_no, "mdtrt_id": original.mdtrt_id, **given}
