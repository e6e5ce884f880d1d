"""What a platform's answer proves: done, refused, certainly never executed, or doubt. Pure.

Rules: contract-annex X1 (refusal or doubt), X26 (answers that are not believed); reversal specification §3.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

import attrs
from msgspec import Raw

from gateway.core.catalogue import NAMED, Region, Transaction
from gateway.core.facts import ORDERS, UNNUMBERED, order_of
from gateway.core.jsontext import encode, number_text, objects_once
from gateway.core.model import Entry
from gateway.core.money import reader, yuan
from gateway.core.ports import Reply
from gateway.core.sums import identities_hold
from gateway.core.tables import OrderTable

Kind = Literal["acked", "rejected", "doubt", "not_sent"]
Undoing = Literal["done", "not_found", "impossible", "refused", "silent", "never_left", "sign_in", "cancelled"]
ID_MAX = 50


@attrs.frozen
class Verdict:
    """reason: a stable word for the journal; setl_id and mdtrt_id: what the platform named.

    settled: the canonical record's part of the answer as JSON (reconciliation.md §2): no person, amounts in fen.
    """

    kind: Kind
    reason: str
    setl_id: str = ""
    mdtrt_id: str = ""
    settled: str = ""


@attrs.frozen
class Judge:
    """Reads answers by one region's tables."""

    region: Region
    system: re.Pattern[str]
    undoing: tuple[tuple[Undoing, re.Pattern[str]], ...]

    @classmethod
    def of(cls, region: Region) -> "Judge":
        table = region.reversal
        # In this order: "not found, so it cannot be reversed", and "not found or reversed before", are "not found".
        undoing: tuple[tuple[Undoing, str], ...] = (
            ("sign_in", table.sign_in),
            ("not_found", table.not_found),
            ("done", table.done),
            ("cancelled", table.cancelled),
            ("done", table.failed),
            ("impossible", table.impossible),
        )
        patterns = tuple((name, re.compile(text, re.IGNORECASE)) for name, text in undoing if text)
        return cls(region, re.compile(region.answers.system, re.IGNORECASE), patterns)

    def reversal(self, status: int, reply: Reply, body: bytes, original: Entry, msgid: str) -> tuple[Undoing, str]:
        """Judge the answer to 2601 (reversal specification §5.2); return what it says, and why in a stable word.

        What cannot be read, is a system error, or speaks of another person or message, is silence: the queue sends it
        again. msgid: of the sending itself.
        """
        if reply.access:
            return "never_left", "access_refused"
        if status >= 500 or not reply.infcode or reply.tree is None:
            return "silent", f"http_{status}" if status >= 500 else "no_infcode"
        objects = objects_once(body, reply.outer)
        if objects is None:
            return "silent", "keys_twice"
        other = _of_another(objects, original, msgid)
        if other:
            return "silent", other
        if reply.infcode == "0":
            return ("done", "answered") if status == 200 else ("silent", f"http_{status}")
        text = reply.err_msg.strip()
        if reply.infcode not in self.region.answers.business_codes or not text or self.system.search(text):
            return "silent", "system_error"
        for name, pattern in self.undoing:
            if pattern.search(text):
                return name, name
        return "refused", "refused"

    def money(self, status: int, reply: Reply, body: bytes, transaction: Transaction, entry: Entry) -> Verdict:
        """Judge the answer to a request of class M, A or R; body is what reply was read from."""
        if reply.access:
            return Verdict("not_sent", "access_refused")
        if status >= 500:
            return Verdict("doubt", f"http_{status}")
        if not reply.infcode or reply.tree is None:
            return Verdict("doubt", "no_infcode")
        objects = objects_once(body, reply.outer)
        if objects is None:
            return Verdict("doubt", "keys_twice")  # it says two things at once
        if reply.infcode == "0":
            if status != 200:
                return Verdict("doubt", f"http_{status}")
            return self._success(reply.tree.get("output"), objects, transaction, entry)
        if reply.infcode not in self.region.answers.business_codes:
            return Verdict("doubt", "unknown_code")
        if not reply.err_msg.strip():
            return Verdict("doubt", "no_err_msg")
        if self.system.search(reply.err_msg):
            return Verdict("doubt", "system_error")
        return Verdict("rejected", "refused")

    def found(self, node: Mapping[str, Any]) -> tuple[str, str, str]:
        """Return (setl_id, mdtrt_id, settled) of a settlement, or an order, a query found."""
        node = _usual(node)
        amounts = amounts_of(node)
        told = settled(node, amounts) if amounts is not None and "medfee_sumamt" in amounts else ""
        return _number_of(node.get("setl_id")) or "", _number_of(node.get("mdtrt_id")) or "", told

    def answered(self, status: int, reply: Reply) -> bool:
        """Say whether a query or write got an answer of the platform's business layer."""
        return bool(reply.infcode) and not reply.access and status < 500

    def _success(self, output: Any, objects: list[dict[str, Any]], transaction: Transaction, entry: Entry) -> Verdict:
        """X26: an answer that contradicts the request, or whose amounts cannot be read, is doubt, not success."""
        reason = _contradicts(objects, transaction, entry)
        if not reason and transaction.infno in ORDERS:
            reason = _not_paid(output, entry, self.region.orders)
        if reason:
            return Verdict("doubt", reason)
        found = result_node(output, transaction)
        if transaction.infno in UNNUMBERED:
            found = _usual(found)
        amounts = amounts_of(found)
        if amounts is None:
            return Verdict("doubt", "amount_unreadable")
        fund, total = amounts.get("fund_pay_sumamt"), amounts.get("medfee_sumamt")
        if fund is not None and total is not None and abs(fund) > abs(total):
            return Verdict("doubt", "fund_over_total")
        if not identities_hold(self.region, amounts):
            return Verdict("doubt", "sums_off")
        setl_id, mdtrt_id = _number_of(found.get("setl_id")), _number_of(found.get("mdtrt_id"))
        if setl_id is None or mdtrt_id is None:
            return Verdict("doubt", "no_number")
        return Verdict("acked", "answered", setl_id, mdtrt_id, settled(found, amounts) if total is not None else "")


def result_node(output: Any, transaction: Transaction) -> Mapping[str, Any]:
    """Return the node of an answer that names the settlement or visit; a list of one counts as the one.

    The catalogue names it (`setlinfo`, `result`); an answer of another form is searched for it.
    """
    if type(output) is list:
        output = output[0] if output else None
    if type(output) is not dict:
        return {}
    for value in (*map(output.get, transaction.naming), *output.values()):
        node = value[0] if type(value) is list and value else value
        if type(node) is dict and not node.keys().isdisjoint(NAMED):
            return node
    return output


# Amounts of orders (6202, 6301) and of purchases elsewhere (2163), by the names everything else has.
_USUAL = {
    "feeSumamt": "medfee_sumamt", "fundPay": "fund_pay_sumamt", "psnAcctPay": "acct_pay", "ownPayAmt": "psn_cash_pay",
    "psn_cashpay": "psn_cash_pay", "acct_payamt": "acct_pay",
}  # fmt: skip


def _usual(node: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what an answer says in the usual names: the books sum up orders and purchases elsewhere, too."""
    inner = node.get("data")
    node = inner if type(inner) is dict and "payOrdId" in inner else node
    return {_USUAL.get(name, name): value for name, value in node.items()}


def _contradicts(objects: list[dict[str, Any]], transaction: Transaction, entry: Entry) -> str:
    """Return why some part of an answer speaks of another request or person, '' when none does (X26)."""
    for here in objects:
        named, psn_no = here.get("medins_setl_id"), here.get("psn_no")
        if transaction.kind == "money" and named and named != entry.msgid:
            return "other_msgid"
        if psn_no and entry.psn_no and psn_no != entry.psn_no:
            return "other_person"
    return ""


def _not_paid(output: Any, entry: Entry, table: OrderTable) -> str:
    """Return why "done" about an order of mobile payment is not believed, '' when it is.

    Of 6202 it may only mean that the order was taken: its own state says what became of it (§2), and one that is not
    paid is asked about like any doubt. One that names none is believed, as elsewhere (X26: what is present).
    """
    data = output.get("data", output) if type(output) is dict else output
    if type(data) is list:
        data = data[0] if len(data) == 1 else None
    if type(data) is not dict:
        return ""
    number, _ = order_of(entry.business_key)
    if number and data.get("payOrdId") not in (None, "", number):
        return "other_order"
    state = data.get("ordStas") if entry.infno == "6202" else None
    return "" if state in (None, "") or str(state) in table.paid else "order_not_paid"


def _of_another(objects: list[dict[str, Any]], original: Entry, msgid: str) -> str:
    """Return why some part of an answer to 2601 speaks of another person or message, '' when none does (X26)."""
    for here in objects:
        if here.get("psn_no") not in (None, "", original.psn_no):
            return "other_person"
        for name in ("medins_setl_id", "omsgid"):
            if here.get(name) not in (None, "", original.msgid, msgid):
                return "other_msgid"
    return ""


def _number_of(value: Any) -> str | None:
    """Return an id the platform gave, '' without one; None for what is no id (it would rest in the journal)."""
    if value is None:
        return ""
    if type(value) is int:
        value = str(value)
    return value if type(value) is str and len(value) <= ID_MAX and value.isprintable() else None


_WORDS = ("setl_time", "insutype", "clr_type", "clr_way", "clr_optins")
_AMOUNTS = (
    "medfee_sumamt", "fund_pay_sumamt", "hifp_pay", "cvlserv_pay", "hifes_pay", "hifmi_pay", "hifob_pay", "maf_pay",
    "hifdm_pay",
    "oth_pay", "psn_part_amt", "acct_pay", "acct_mulaid_pay", "psn_cash_pay", "pdn_cash_pay", "hosp_part_amt",
)  # fmt: skip


_read_amount = reader(14, 2)
_ODD_AMOUNT = re.compile(r"-?[0-9]{1,14}(\.[0-9]{0,20})?([eE][+-]?[0-9]{1,2})?", re.ASCII)
_WORD = re.compile(r"[0-9A-Za-z :.\-]{1,30}", re.ASCII)


def amounts_of(found: Mapping[str, Any]) -> dict[str, int] | None:
    """Return every amount an answer's node carries, in fen; None when one is there that cannot be read exactly."""
    amounts = {}
    for name in _AMOUNTS:
        value = found.get(name)
        if value == 0 and type(value) is int:  # most of them
            amounts[name] = 0
            continue
        if value is None or value == "":
            continue
        amount = _read_amount(value)
        if amount is None:
            amount = _odd_amount(value)
        if amount is None:
            return None
        amounts[name] = amount
    return amounts


def refund_of(node: Mapping[str, Any], undone: str) -> dict[str, Any]:
    """Return what a cancellation answers, from its own row, else from the settlement it cancelled (annex X26, B10).

    Of the latter it is the exact negative without a number: nobody but the lost answer named that. undone: the
    settlement's setl_id.
    """
    amounts = amounts_of(node) or {}
    own = is_refund(node)
    told = {name: Raw(yuan(amount if own else -amount).encode()) for name, amount in amounts.items()}
    number = ("setl_id",) if own and node.get("setl_id") != undone else ()
    return {name: node[name] for name in (*number, "psn_no", "mdtrt_id", *_WORDS) if node.get(name)} | told


def is_refund(node: Mapping[str, Any]) -> bool:
    """Say whether a query's row is a refund: its total is negative."""
    return (amounts_of(node) or {}).get("medfee_sumamt", 0) < 0


def _odd_amount(value: Any) -> int | None:
    """Return the fen of 60.0000 or 6E+1, which some platforms write; None for what is no whole number of fen."""
    text = number_text(value)
    if text is None or _ODD_AMOUNT.fullmatch(text) is None:
        return None
    fen = Decimal(text).scaleb(2)
    return int(fen) if fen == fen.to_integral_value() and abs(fen) < 10**16 else None


def settled(found: Mapping[str, Any], amounts: Mapping[str, int]) -> str:
    """Return what the answer says of the settlement, for the books: its codes and times, amounts in fen.

    Only what looks like a code or a time is kept: this part of the journal is in clear (X34).
    """
    record: dict[str, Any] = {}
    for name in _WORDS:
        value = found.get(name)
        if isinstance(value, str) and _WORD.fullmatch(value):
            record[name] = value
    record.update(amounts)
    if "pdn_cash_pay" in record:  # so spelled in 2208 (pitfall 8)
        record.setdefault("psn_cash_pay", record.pop("pdn_cash_pay"))
    return encode(record).decode()
