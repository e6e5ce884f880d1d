"""What an answer to 5203 proves of one record that the agency's statement lacks or has otherwise. Pure.

    confirmed  the agency has it, as asked, and not refunded
    refunded   the agency has it as refunded, or has its refund
    nothing    the agency says in so many words that it has no such record, or answers with none
    unclear    it answers, and with another person's, another visit's or several records: nobody may conclude from that
    no_answer  silence, or what cannot be read; ''  in the store, so that a crash leaves the same word
    not_asked  5203 wants person, settlement and visit, and the journal does not have all three

An answer is told to people and changes what they are told to do; it moves nothing. What is kept of it names nobody.
Source: reconciliation specification §3.2, §3.3 (5203), §5.1 (L1-GW-ONLY, L1-AGY-MISSING), §5.3 (A2, A3).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import attrs

from gateway.core.model import Entry
from gateway.core.money import fen_of
from gateway.core.ports import Reply

Finding = Literal["confirmed", "refunded", "nothing", "unclear", "no_answer", "not_asked"]
FINDINGS: tuple[Finding, ...] = ("confirmed", "refunded", "nothing", "unclear", "no_answer", "not_asked")
NODE = "setlinfo"
# How platforms say that there is none; anything else a refusal says proves nothing.
_NONE = re.compile(
    "(未|没有|没)能?(查询|查|检索|找)到|查无|(记录|结算|数据|信息)不存在|不存在(该|此|这|相应)|"
    "无(此|该|相关|符合条件的)(结算|记录|数据)"
)
_AMOUNTS = ("medfee_sumamt", "fund_pay_sumamt", "acct_pay")
_WORDS = ("setl_time", "clr_type", "clr_optins", "insutype")
_WORD = re.compile(r"[0-9A-Za-z :.\-]{1,30}", re.ASCII)


@attrs.frozen(kw_only=True)
class Asked:
    """What 5203 is asked by: all three are required."""

    psn_no: str
    setl_id: str
    mdtrt_id: str

    def message(self) -> dict[str, Any]:
        return {"data": attrs.asdict(self)}


@attrs.frozen(kw_only=True)
class Answer:
    """What came of it. facts: of the record found, amounts in fen; {} when there is none."""

    finding: Finding
    facts: Mapping[str, str | int] = attrs.Factory(dict)


def asked_by(original: Entry | None, setl_id: str) -> Asked | None:
    """Return how a record is asked for; None where the journal does not have what it takes."""
    if original is None or not (original.psn_no and original.mdtrt_id and (setl_id or original.setl_id)):
        return None
    return Asked(psn_no=original.psn_no, setl_id=setl_id or original.setl_id, mdtrt_id=original.mdtrt_id)


def read_answer(reply: Reply | None, asked: Asked, business_codes: Sequence[str]) -> Answer:
    """Read an answer. reply: None = there was none that can be read; business_codes: the infcodes by which a platform
    refuses as a matter of business."""
    if reply is None or reply.access or reply.tree is None:
        return Answer(finding="no_answer")
    if reply.infcode != "0":
        denied = reply.infcode in business_codes and _NONE.search(reply.err_msg)
        return Answer(finding="nothing" if denied else "no_answer")
    output = reply.tree.get("output")
    found = output.get(NODE) if type(output) is dict else output
    rows = found if type(found) is list else [found] if found else []
    if (output is not None and type(output) is not dict) or any(type(row) is not dict for row in rows):
        return Answer(finding="no_answer")
    return _of_rows(rows, asked)


def _of_rows(rows: Sequence[Mapping[str, Any]], asked: Asked) -> Answer:
    if not rows:
        return Answer(finding="nothing")
    refunds = [row for row in rows if (fen_of(row.get("medfee_sumamt")) or 0) < 0]
    settled = [row for row in rows if row not in refunds and row.get("setl_id") == asked.setl_id]
    own = (asked.psn_no, asked.mdtrt_id)
    if len(settled) != 1 or len(refunds) > 1 or any((row.get("psn_no"), row.get("mdtrt_id")) != own for row in rows):
        return Answer(finding="unclear")
    flag = str(settled[0].get("refd_setl_flag") or "")
    if flag not in ("", "0", "1") or fen_of(settled[0].get("medfee_sumamt")) is None:
        return Answer(finding="unclear")
    return Answer(finding="refunded" if refunds or flag == "1" else "confirmed", facts=_facts(settled[0]))


def _facts(row: Mapping[str, Any]) -> dict[str, str | int]:
    """Return what is kept: amounts and words of a plain form, never a person's."""
    amounts = {name: int(fen) for name in _AMOUNTS if (fen := fen_of(row.get(name))) is not None}
    words = {name: text for name in _WORDS if _WORD.fullmatch(text := str(row.get(name) or ""))}
    return {**amounts, **words}
