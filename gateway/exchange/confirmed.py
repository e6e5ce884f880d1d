"""The success answer of what a query proved: rebuilt from its node, in the institution's own codes (§3, annex X14)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gateway.core.answers import state_made
from gateway.core.backward import translate_back
from gateway.core.dates import day_of
from gateway.core.facts import undone_setl_id
from gateway.core.jsontext import decode
from gateway.exchange.verdict import refund_of

if TYPE_CHECKING:
    from gateway.exchange.undo import Undo

_PAID = ("payOrdId", "ordStas", "feeSumamt", "ownPayAmt", "psnAcctPay", "fundPay")  # what 6202 answers, of 6301


def node_of(undo: Undo, found: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what the lost answer said of a settlement, a cancellation, or an order; {} of an order's refund."""
    if undo.policy.order:
        return {} if undo.policy.cancels else {name: found[name] for name in _PAID if name in found}
    return refund_of(found, undone_setl_id(undo.record.business_key)) if undo.policy.cancels else found


def answer_of(undo: Undo, node: Mapping[str, Any]) -> bytes:
    """Return the bytes the institution gets, from now on always (X7)."""
    record, office = undo.record, undo.office
    output = {"data": node} if undo.policy.order else {"setlinfo": node}
    answer = state_made(record, "CONFIRMED", office.clock.seconds(), undo.link.infcode, output)
    if undo.policy.order:  # nothing of it is coded
        return answer
    # The node is the query's, and so are its coded fields.
    backward, snapshot = undo.link.backward.get("5203"), office.snapshot(record.fixmedins_code)
    if backward is None or snapshot is None or not backward.nodes or not backward.wanted(snapshot):
        return answer
    code, visit = record.fixmedins_code, record.mdtrt_id
    try:
        new = translate_back(
            backward,
            decode(answer),
            snapshot,
            day_of(record.created_ms / 1000),
            lambda slot, national: office.visit_code(code, visit, slot, national) if visit else "",
        )
    except Exception:  # boundary: what is proved stays proved; the platform's own codes say it as well
        office.watch.alarm("internal_error", code, record.msgid)
        return answer
    return answer if new is None else new
