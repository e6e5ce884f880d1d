"""The gateway's own ledger: rows of the journal as rows of a ledger (contract §7; annex B1, B10). Pure.

A refund carries the setl_id of what it cancels. A settlement that a refund took back stays SETTLED, and the refund is a
row of its own; one that was taken back without a refund is REVERSED. An order of mobile payment (6202) has no number
here: it goes by its message (K2), and so does its refund (6203), by the message of what it gives back (annex B10). A
purchase elsewhere has one number at every party, its visit's, and its settlement passes nobody here (2163). A part of
an order given back is told as it is: people look at it (R2). What certainly failed is REJECTED: should the agency have
it all the same, that is known at once. Components are those the platform's answer had, all of them.
"""

from collections.abc import Mapping, Set
from datetime import date
from typing import Any

from gateway.core.dates import shanghai
from gateway.core.facts import order_of, undone_setl_id
from gateway.core.jsontext import decode
from gateway.core.ledgers import COMPONENTS
from gateway.core.model import FAILED, Entry
from gateway.core.money import yuan

COLUMNS = (
    "fixmedins_code", "setl_id", "mdtrt_id", "psn_no", "msgid", "direction", "insutype", "clr_type", "clr_way",
    "clr_optins", "clr_pay_loc", "setl_time", "status", "delivered", *COMPONENTS,
)  # fmt: skip
_OPEN = {"JOURNALED": "IN_DOUBT", "SENT": "IN_DOUBT"}
_KEPT = frozenset({"IN_DOUBT", "REVERSING", "MANUAL", "REVERSED"})
_CITY, _PROVINCE = 4, 2  # digits of an area code

Cells = dict[str, str]


UNNUMBERED_REFUNDS = ("6203", "2163")


def is_refund(entry: Entry) -> bool:
    return bool(undone_setl_id(entry.business_key)) or entry.infno in UNNUMBERED_REFUNDS


def ledger_row(
    entry: Entry, refunded: Set[str], original: Entry | None = None, undoing: str = ""
) -> Cells | None:  # fmt: skip
    """Return the row of a settlement or refund (class M); None of a refund that failed.

    refunded: setl_ids that a refund of the journal took back; original: what a refund cancels, for what its own answer
    did not say; undoing: the state of the institution's own 2601 of it that has not come to an end: until then nobody
    knows whether it stands, and its day is not solidified (RV10, RV11).
    """
    told = told_of(entry)
    undone = is_refund(entry)
    if undone and entry.state in FAILED:
        return None
    before = told_of(original) if original is not None else {}
    amounts = _given_back(entry, told, before) if undone else _amounts(told)
    if not undone and not amounts and entry.medfee_fen is not None:
        amounts = {"medfee_sumamt": entry.medfee_fen}
    setl_id, msgid = _numbers(entry, original)
    words = {**_words(before), **_words(told)}
    return {
        "fixmedins_code": entry.fixmedins_code,
        "setl_id": setl_id,
        "mdtrt_id": entry.mdtrt_id or (original.mdtrt_id if original is not None else ""),
        "psn_no": entry.psn_no or (original.psn_no if original is not None else ""),
        "msgid": msgid,
        "direction": "1" if undone else "0",
        **words,
        "clr_pay_loc": str(told.get("clr_pay_loc") or _where(entry)),
        "setl_time": _time(told, entry),
        "status": _status(entry, undone, refunded, undoing),
        "delivered": "1" if entry.delivered else "0",
        **{name: yuan(fen) for name, fen in amounts.items()},
    }


def _numbers(entry: Entry, original: Entry | None) -> tuple[str, str]:
    """Return the (setl_id, msgid) a row stands under. What cancels something stands under the number of that; where
    that has none, under its message (annex B10: by setl_id, else msgid)."""
    undone = undone_setl_id(entry.business_key)
    if undone or not is_refund(entry):
        return undone or entry.setl_id, entry.msgid
    if entry.infno == "2163":  # the purchase's one number, at the province and everywhere (2170-2175)
        return entry.mdtrt_id, entry.msgid
    if original is None:
        return "", entry.msgid
    return original.setl_id, entry.msgid if original.setl_id else original.msgid


def _amounts(told: Mapping[str, Any]) -> dict[str, int]:
    return {name: fen for name in COMPONENTS if type(fen := told.get(name)) is int}


def _given_back(entry: Entry, told: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, int]:
    """Return a refund's amounts, negative: its own answer's, else those of what it cancels; of a part of an order the
    total that was asked for."""
    if entry.infno == "6203" and not order_of(entry.business_key)[1]:
        return {} if entry.medfee_fen is None else {"medfee_sumamt": -abs(entry.medfee_fen)}
    if entry.infno == "2163":  # its answer may have either sign
        return {name: -abs(fen) for name, fen in _amounts(told).items()}
    found = _amounts(told) or {name: -fen for name, fen in _amounts(before).items()}
    if not found and entry.infno == "6203" and entry.medfee_fen is not None:
        return {"medfee_sumamt": -abs(entry.medfee_fen)}
    return found


def told_of(entry: Entry) -> Mapping[str, Any]:
    """Return what the platform's answer said of a settlement; {} when there was none that can be read."""
    if not entry.settled:
        return {}
    told = decode(entry.settled.encode())
    return told if isinstance(told, dict) else {}


def day_of_row(cells: Mapping[str, str]) -> date:
    return date.fromisoformat(cells["setl_time"][:10])


def date_of(entry: Entry) -> str:
    """Return the business date of a record's row, yyyy-MM-dd (§6.2)."""
    return _time(told_of(entry), entry)[:10]


def _words(told: Mapping[str, Any]) -> Cells:
    return {name: str(told[name]) for name in ("insutype", "clr_type", "clr_way", "clr_optins") if told.get(name)}


def _time(told: Mapping[str, Any], entry: Entry) -> str:
    """§6.2: the platform's setl_time; ours only where there was no answer."""
    text = str(told.get("setl_time", ""))[:19]
    try:
        date.fromisoformat(text[:10])
    except ValueError:
        return f"{shanghai(entry.created_ms / 1000):%Y-%m-%d %H:%M:%S}"
    return text if len(text) == 19 else text[:10]


def _where(entry: Entry) -> str:
    """B7, where the answer is silent: insured in another city 3, in another province 4."""
    theirs, here = entry.insuplc_admdvs, entry.mdtrtarea_admvs
    if not theirs or not here or theirs[:_CITY] == here[:_CITY]:
        return ""
    return "3" if theirs[:_PROVINCE] == here[:_PROVINCE] else "4"


def _status(entry: Entry, refund: bool, refunded: Set[str], undoing: str) -> str:
    state = _OPEN.get(entry.state, entry.state)
    if undoing and state not in FAILED and state not in _KEPT:
        return _OPEN.get(undoing, undoing)
    if state in _KEPT:
        return state
    if state in FAILED:
        return "REJECTED"
    if entry.cancelled and (refund or entry.setl_id not in refunded):
        return "REVERSED"
    return ""
