"""Asking the platform what became of a doubt: 5203, 5201 to learn of visits, 6301 of an order of mobile payment, or a
province's own status query; and signing in when that is missing.

Only a conclusive answer counts: yes is a settlement that carries our msgid, the same person, visit and total; anything
that cannot be read, or does not fit, is "don't know". Source: reversal specification §4.1, §4.3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from gateway.core.dates import shanghai
from gateway.core.facts import order_of, undone_setl_id
from gateway.core.model import Entry
from gateway.core.money import fen_of
from gateway.core.ports import Reply
from gateway.core.tables import OrderTable
from gateway.exchange.question import Told, put, rows_of
from gateway.exchange.resolution import Finding
from gateway.exchange.verdict import amounts_of, is_refund
from gateway.exchange.words import sign_in as sign_in_words

if TYPE_CHECKING:
    from gateway.exchange.undo import Undo

Heard = Callable[[Finding, Mapping[str, Any] | None], None]
VISITS_MAX = 10
WINDOW_S = 86400.0
# 5201 wants a kind of treatment. Where the request named none, the usual one; a list of one kind proves no absence.
_USUAL = {"2102": "41", "2207": "11", "2304": "21"}
_NOT_KEPT = {"payToken": "", "idNo": "", "userName": "", "idType": ""}  # 6301 has them


def ask_about(undo: Undo, heard: Heard) -> None:
    """Ask by the link's strategy; `heard` is called once."""
    original = undo.original
    if undo.policy.order:
        _by_order(undo, heard)
    elif undo.link.resolve == "Q3" and not undo.policy.cancels:
        _by_status(undo, heard)
    elif original.klass == "A":
        heard("unknown", None)  # 5203 knows settlements, not admissions
    elif undo.policy.cancels:
        _settlement(
            undo,
            original.mdtrt_id,
            undone_setl_id(original.business_key),
            lambda reply: heard(*_of_cancellation(reply, original)),
        )
    elif undo.link.resolve == "Q2" or not original.mdtrt_id:
        _by_visits(undo, heard)
    else:
        _settlement(undo, original.mdtrt_id, "", lambda reply: heard(*_of_settlement(reply, original)))


def _settlement(undo: Undo, mdtrt_id: str, setl_id: str, told: Told) -> None:
    data = {"psn_no": undo.original.psn_no, "setl_id": setl_id, "mdtrt_id": mdtrt_id}
    _send(undo, "5203", {"data": data}, told)


def _by_visits(undo: Undo, heard: Heard) -> None:
    """Q2: the person's visits since the day before, then the settlement of each."""
    original = undo.original
    begin, end = original.created_ms / 1000 - WINDOW_S, undo.office.clock.seconds() + 60.0
    data = {
        "psn_no": original.psn_no,
        "begntime": f"{shanghai(begin):%Y-%m-%d %H:%M:%S}",
        "endtime": f"{shanghai(end):%Y-%m-%d %H:%M:%S}",
        "med_type": original.med_type or _USUAL.get(original.infno[:4], ""),
        "mdtrt_id": original.mdtrt_id,
    }

    def visits(reply: Reply | None) -> None:
        rows = rows_of(reply, "mdtrtinfo")
        if rows is None:
            heard("unknown", None)
            return
        left = [row for row in rows if type(row.get("mdtrt_id")) is str][:VISITS_MAX]
        complete = len(left) == len(rows) and bool(original.med_type)
        if original.mdtrt_id and all(row["mdtrt_id"] != original.mdtrt_id for row in left):
            left.append({"mdtrt_id": original.mdtrt_id})  # a list without the visit does not prove that it is empty

        def following(finding: Finding, found: Mapping[str, Any] | None) -> None:
            nonlocal complete
            complete = complete and finding == "nothing"
            if finding == "found":
                heard(finding, found)
                return
            if not left:
                heard("nothing" if complete else "unknown", None)
                return
            row = left.pop(0)
            setl_id = row.get("setl_id")
            _settlement(
                undo,
                row["mdtrt_id"],
                setl_id if type(setl_id) is str else "",
                lambda reply: following(*_of_settlement(reply, original)),
            )

        following("nothing", None)

    _send(undo, "5201", {"data": data}, visits)


def _by_status(undo: Undo, heard: Heard) -> None:
    """Q3: the province's own question; a "booked" is believed with the settlement it names, which 5203 must show."""
    table, original = undo.link.status, undo.original
    assert table is not None  # a link without one does not start
    facts = {
        "msgid": original.msgid,
        "infno": original.infno,
        "psn_no": original.psn_no,
        "mdtrt_id": original.mdtrt_id,
        "fixmedins_code": original.fixmedins_code,
        "date": f"{shanghai(original.created_ms / 1000):%Y-%m-%d}",
    }

    def told(reply: Reply | None) -> None:
        rows = rows_of(reply, table.answer) or []
        ours = [row for row in rows if not table.msgid or row.get(table.msgid) == original.msgid]
        state = str(ours[0].get(table.state)) if len(ours) == 1 else ""
        if state in table.booked and original.klass == "M":
            setl_id, visit = ours[0].get(table.setl_id), original.mdtrt_id or ours[0].get(table.mdtrt_id)
            if type(setl_id) is str and setl_id and type(visit) is str and visit:
                _settlement(undo, visit, setl_id, lambda reply: shown(*_of_settlement(reply, original)))
                return
        heard("nothing" if state in table.absent else "unknown", None)

    def shown(finding: Finding, found: Mapping[str, Any] | None) -> None:
        heard("found" if finding == "found" else "unknown", found)  # a contradiction proves nothing

    _send(undo, table.infno, {table.node: {name: facts[fact] for name, fact in table.ask.items()}}, told)


def _by_order(undo: Undo, heard: Heard) -> None:
    """6301 about an order. Its voucher and whose it is rest nowhere (X34): a platform that insists on these says no."""
    original = undo.original
    number, _ = order_of(original.business_key)
    data = {"payOrdId": number, "orgCodg": original.fixmedins_code, **_NOT_KEPT}
    _send(undo, "6301", {"data": data}, lambda reply: heard(*of_order(reply, original, undo.link.region.orders)))


def of_order(reply: Reply | None, original: Entry, table: OrderTable) -> tuple[Finding, Mapping[str, Any] | None]:
    """Read 6301 about an order whose payment or refund is in doubt. Of a part's refund its state proves nothing."""
    rows, (number, whole) = rows_of(reply, "data") or [], order_of(original.business_key)
    if len(rows) != 1 or rows[0].get("payOrdId") != number:
        return "unknown", None
    if rows[0].get("orgCodg") not in (None, "", original.fixmedins_code):
        return "unknown", None
    state = str(rows[0].get("ordStas"))
    if original.infno == "6203":
        if state in table.refunded and whole:
            return "found", rows[0]
        return ("normal" if state in table.paid else "unknown"), None
    if state in table.paid:
        return "found", rows[0]
    return ("nothing" if state in table.unpaid else "unknown"), None


def _of_settlement(reply: Reply | None, original: Entry) -> tuple[Finding, Mapping[str, Any] | None]:
    """Read 5203 about a settlement in doubt."""
    rows = rows_of(reply, "setlinfo")
    if rows is None:
        return "unknown", None
    ours = [row for row in rows if row.get("medins_setl_id") == original.msgid]
    if not ours:
        return "nothing", None
    if len(ours) > 1 or not _fits(ours[0], original) or str(ours[0].get("refd_setl_flag")) == "1":
        return "unknown", None  # booked twice, of another, or undone meanwhile: no proof
    return "found", ours[0]


def _fits(row: Mapping[str, Any], original: Entry) -> bool:
    same_visit = not original.mdtrt_id or row.get("mdtrt_id") == original.mdtrt_id
    same_total = original.medfee_fen is None or fen_of(row.get("medfee_sumamt")) == original.medfee_fen
    return row.get("psn_no") == original.psn_no and same_visit and same_total


def _of_this(refund: Mapping[str, Any], original: Entry, setl_id: str) -> bool:
    """A refund has a number of its own, so its msgid tells whose it is; some platforms keep the settlement's number."""
    return refund.get("medins_setl_id") == original.msgid or refund.get("setl_id") == setl_id


def _of_cancellation(reply: Reply | None, original: Entry) -> tuple[Finding, Mapping[str, Any] | None]:
    """Read 5203 about what a cancellation in doubt would undo; undone: refd_setl_flag 1, or a refund's row."""
    rows, setl_id = rows_of(reply, "setlinfo"), undone_setl_id(original.business_key)
    his = [row for row in rows or () if row.get("psn_no") == original.psn_no]
    refunds = [row for row in his if is_refund(row) and _of_this(row, original, setl_id)]
    ours = [row for row in his if row.get("setl_id") == setl_id and row not in refunds]
    if len(refunds) == 1:
        return "found", refunds[0]
    if not ours or refunds:
        return "unknown", None
    if any(amounts_of(row) is None for row in ours):
        return "unknown", None
    flags = {str(row.get("refd_setl_flag", "")) for row in ours}
    if "1" in flags:
        return "found", ours[0]
    return ("normal" if flags == {"0"} else "unknown"), None


def sign_in(undo: Undo) -> None:
    """Sign the institution in (9001): the platform said that this is missing. The next sending carries the number."""

    def told(reply: Reply | None) -> None:
        rows = rows_of(reply, "signinoutb")
        sign_no = rows[0].get("sign_no") if rows else None
        code = undo.original.fixmedins_code
        if type(sign_no) is str:
            undo.office.remember(code, {**undo.office.heads.get(code, {}), "sign_no": sign_no}, urgent=True)
            undo.hurry()

    _send(undo, "9001", sign_in_words(), told)


def _send(undo: Undo, infno: str, message: Mapping[str, Any], told: Told) -> None:
    put(undo.office, undo.link, undo.original, infno, message, told)
