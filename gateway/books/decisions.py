"""What people may decide of a case, how many it takes, and what follows (reconciliation specification §5). Pure.

reverse  the other side's record is taken back (2601, or the province's reversal)
book     the institution books it from the stored answer; what went past the gateway gets a shadow in its ledger
void     the institution, or the gateway's ledger, takes its record back
correct  whoever is the odd one out corrects its record: the institution, the gateway's ledger, or the agency, whom
         people tell
feedback the other side is told once more
accept   it stays as it is, and counts as settled; never where the amounts of one settlement differ (§6.3: no tolerance)
carry    it is carried to a later day and left out of the clearing
"""

import re
from collections.abc import Mapping
from typing import Literal

import attrs

from gateway.books.plans import FEEDBACK, REVERSE, party_of

Decision = Literal["reverse", "book", "void", "correct", "feedback", "accept", "carry"]
DECISIONS: Mapping[str, str] = {
    "reverse": "冲正", "book": "补记", "void": "作废", "correct": "更正", "feedback": "反馈对方", "accept": "认可现状",
    "carry": "结转后日",
}  # fmt: skip
_BY_TWO = frozenset({"reverse", "carry"})  # whatever the case says: money moves, or is left out
INST, GW = "INST", "GW"
_OWN = frozenset({("void", "L1-GW-ONLY"), ("book", "L1-GW-MISSING")})  # carried out in the gateway's own ledger
_REVERSIBLE = frozenset({"L1-CENTER-MORE", "L1-INST-MISSING"})
_KINDS = {"reverse": REVERSE, "book": "BOOK", "void": "VOID", "correct": "CORRECT", "feedback": FEEDBACK}


_MONEY = frozenset({"AMOUNT", "COMP_SPLIT", "DUP_CONFLICT", "REFUND_MISMATCH"})  # amounts of one settlement differ
_BESIDES = re.compile(r"(?:^|; )A[1-7] ")  # so a note tells of amounts that differ besides
_CUT = re.compile(r"(?:^|; )\+[0-9]+(?:; |$)")  # a note has no room for all settlements of a double
_NO_WRITE_OFF = (
    "金额或分项不符不能认可现状：对账不设容差，也不得核销，清算按基金分项。"
    "请更正（correct），或由两人结转（carry）、不计入清算"
)


class NotPossible(Exception):
    """A decision does not fit the case. str: Chinese; code: stable, '' where the case itself is not as it was."""

    def __init__(self, text: str, code: str = "") -> None:
        super().__init__(f"[{code}] {text}" if code else text)
        self.code = code


@attrs.frozen(kw_only=True)
class Following:
    """What follows from a decision. two: it takes two people; kind, party: of the action, '' = none; diff_state: what
    becomes of the difference, OPEN = the next run says."""

    two: bool
    kind: str = ""
    party: str = ""
    diff_state: Literal["OPEN", "RESOLVED", "CARRIED"] = "OPEN"


def following(
    decision: str, leg: str, mode: str, action: str, msgid: str, name: str = "", row: str = "", odd: str = INST,
    note: str = "",
) -> Following:  # fmt: skip
    """Return what follows. mode: of the case; action, msgid, name, row, note: of its difference; odd: as `odd_one`
    says. Raises NotPossible.

    What the journal alone holds (L1-GW-ONLY) is voided in the gateway's own ledger, from the next run on.
    """
    if decision not in DECISIONS:
        raise NotPossible(f"不认识的决定：{decision}（{'、'.join(DECISIONS)}）")
    two = mode == "TWO" or decision in _BY_TWO
    if decision == "accept":
        if name in _MONEY or _BESIDES.search(note):
            raise NotPossible(_NO_WRITE_OFF, "BD-MONEY")
        return Following(two=two, diff_state="RESOLVED")
    if decision == "carry":
        if _CUT.search(note):
            raise NotPossible("重复的结算太多，差异中列不全，不能整笔结转：请由机构逐笔撤销后重新对账", "BD-MANY")
        return Following(two=True, diff_state="CARRIED")
    if decision == "reverse":
        _check_reversal(leg, action, msgid, name, row)
    kind = _KINDS[decision]
    if leg != "L1" and kind not in (REVERSE, FEEDBACK):
        raise NotPossible(f"第{leg[1]}段不能{DECISIONS[decision]}：对省平台和参保地只能冲正或反馈")
    if (decision, name) in _OWN or (decision, odd) == ("correct", GW):
        return Following(two=two, kind=kind, party=GW)
    return Following(two=two, kind=kind, party=odd if decision == "correct" else party_of(leg, kind))


def _check_reversal(leg: str, action: str, msgid: str, name: str, row: str) -> None:
    """Raise NotPossible unless taking back by msgid can only mean this one record (§5.5 D3, §5.1, S3)."""
    if action.startswith("WAIT_LEG"):
        raise NotPossible("前一段还没有了结，不得冲正：请先处理前一段")
    if leg != "L1":
        return
    if name and name not in _REVERSIBLE and row != "S3":
        raise NotPossible("这类差异不能按原报文ID冲正（2601）：须撤销的，由机构按结算ID撤销（2103、2208、2305）")
    if not msgid:
        raise NotPossible("没有原发送方报文ID，无法冲正（2601）：请与经办核实后另行处理")


def check_answer(decision: str, name: str, finding: str) -> None:
    """Raise NotPossible where the agency's own answer (5203) speaks against a decision: nobody voids what it has."""
    if (decision, finding) == ("void", "confirmed") and name in ("L1-AGY-MISSING", "L1-GW-ONLY"):
        raise NotPossible("经办查询（5203）有这一笔、未退费，不得作废：请经办把它补进对账明细后重对")


def odd_one(name: str, row: str, mode: str, prevails: str) -> str:
    """Return whose record on leg L1 is to be corrected (§5.1, §5.3). mode: of the first run, which tells a split that
    only the institution has otherwise (A1) from one of the journal (A2)."""
    if row == "A2" or (row == "A5" and (mode, prevails) == ("TWO", "AGY")):
        return GW
    if name in ("L1-CENTER-MORE", "L1-AGY-MISSING", "STATUS") or prevails == GW:
        return "AGY"
    return INST
