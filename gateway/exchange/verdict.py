"""What a platform's answer proves: done, refused, certainly never executed, or doubt. Pure.

Rules: contract-annex X1 (refusal or doubt), X26 (answers that are not believed); reversal specification §3.
"""

import re
from collections.abc import Mapping
from typing import Any, Literal

import attrs

from gateway.core.catalogue import Region, Transaction
from gateway.core.jsontext import encode
from gateway.core.model import Entry
from gateway.core.money import reader
from gateway.core.ports import Reply

Kind = Literal["acked", "rejected", "doubt", "not_sent"]


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

    @classmethod
    def of(cls, region: Region) -> "Judge":
        return cls(region, re.compile(region.answers.system, re.IGNORECASE))

    def money(self, status: int, reply: Reply, transaction: Transaction, entry: Entry) -> Verdict:
        """Judge the answer to a request of class M, A, R or C."""
        if reply.access:
            return Verdict("not_sent", "access_refused")
        if status >= 500:
            return Verdict("doubt", f"http_{status}")
        if not reply.infcode or reply.tree is None:
            return Verdict("doubt", "no_infcode")
        if reply.infcode == "0":
            return self._success(reply.tree, transaction, entry)
        if reply.infcode not in self.region.answers.business_codes:
            return Verdict("doubt", "unknown_code")
        if not reply.err_msg.strip():
            return Verdict("doubt", "no_err_msg")
        if self.system.search(reply.err_msg):
            return Verdict("doubt", "system_error")
        return Verdict("rejected", "refused")

    def answered(self, status: int, reply: Reply) -> bool:
        """Say whether a query or write got an answer of the platform's business layer."""
        return bool(reply.infcode) and not reply.access and status < 500

    def _success(self, tree: Mapping[str, Any], transaction: Transaction, entry: Entry) -> Verdict:
        """X26: an answer that contradicts the request is doubt, not success."""
        found = result_node(tree.get("output"))
        named = found.get("medins_setl_id")
        if transaction.kind == "money" and named and named != entry.msgid:
            return Verdict("doubt", "other_msgid")
        psn_no = found.get("psn_no")
        if psn_no and entry.psn_no and psn_no != entry.psn_no:
            return Verdict("doubt", "other_person")
        amounts = amounts_of(found)
        fund, total = amounts.get("fund_pay_sumamt"), amounts.get("medfee_sumamt")
        if fund is not None and total is not None and abs(fund) > abs(total):
            return Verdict("doubt", "fund_over_total")
        if self._sums_off(amounts):
            return Verdict("doubt", "sums_off")
        setl_id, mdtrt_id = found.get("setl_id"), found.get("mdtrt_id")
        return Verdict(
            "acked",
            "answered",
            setl_id if isinstance(setl_id, str) else "",
            mdtrt_id if isinstance(mdtrt_id, str) else "",
            settled(found, amounts) if total is not None else "",
        )

    def _sums_off(self, amounts: Mapping[str, int]) -> bool:
        """X26, X38: an identity whose terms are all there is off by more than 0.01; absolute values."""
        for identity in self.region.identities:
            total = amounts.get(identity.total)
            if total is None or not all(name in amounts for name in identity.parts):
                continue
            parts = sum(amounts[name] for name in identity.parts)
            parts += sum(amounts.get(name, 0) for name in identity.optional)
            if abs(abs(total) - abs(parts)) > 1:
                return True
        return False


def result_node(output: Any) -> Mapping[str, Any]:
    """Return the node of an answer that names the settlement or visit: `setlinfo`, `result`, or the output itself."""
    if type(output) is not dict:
        return {}
    for node in output.values():
        if type(node) is dict and ("setl_id" in node or "mdtrt_id" in node or "psn_no" in node):
            return node
    return output


_WORDS = ("setl_time", "insutype", "clr_type", "clr_way", "clr_optins")
_AMOUNTS = (
    "medfee_sumamt", "fund_pay_sumamt", "hifp_pay", "cvlserv_pay", "hifes_pay", "hifmi_pay", "hifob_pay", "maf_pay",
    "hifdm_pay",
    "oth_pay", "psn_part_amt", "acct_pay", "acct_mulaid_pay", "psn_cash_pay", "pdn_cash_pay", "hosp_part_amt",
)  # fmt: skip


_read_amount = reader(14, 2)


def amounts_of(found: Mapping[str, Any]) -> dict[str, int]:
    """Return every amount an answer's node carries, in fen."""
    amounts = {}
    for name in _AMOUNTS:
        value = found.get(name)
        if value is not None:
            amount = _read_amount(value)
            if amount is not None:
                amounts[name] = amount
    return amounts


def settled(found: Mapping[str, Any], amounts: Mapping[str, int]) -> str:
    """Return what the answer says of the settlement, for the books: words as they are, amounts in fen."""
    record: dict[str, Any] = {name: found[name] for name in _WORDS if isinstance(found.get(name), str)}
    record.update(amounts)
    if "pdn_cash_pay" in record:  # so spelled in 2208 (pitfall 8)
        record.setdefault("psn_cash_pay", record.pop("pdn_cash_pay"))
    return encode(record).decode()
