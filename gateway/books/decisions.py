"""What people may decide of a case, how many it takes, and what follows (reconciliation specification §5). Pure.

reverse  the other side's record is taken back (2601, or the province's reversal)
book     the institution books it from the stored answer
void     the institution, or the gateway's ledger, takes its record back
correct  whoever is the odd one out corrects its record
feedback the other side is told once more
accept   it stays as it is, and counts as settled
carry    it is carried to a later day and left out of the clearing
"""

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
_KINDS = {"reverse": REVERSE, "book": "BOOK", "void": "VOID", "correct": "CORRECT", "feedback": FEEDBACK}


class NotPossible(Exception):
    """A decision does not fit the case. str: Chinese."""


@attrs.frozen(kw_only=True)
class Following:
    """What follows from a decision. two: it takes two people; kind, party: of the action, '' = none; diff_state: what
    becomes of the difference, OPEN = the next run says."""

    two: bool
    kind: str = ""
    party: str = ""
    diff_state: Literal["OPEN", "RESOLVED", "CARRIED"] = "OPEN"


def following(decision: str, leg: str, mode: str, action: str, msgid: str, name: str = "") -> Following:
    """Return what follows. mode: of the case; action, msgid, name: of its difference. Raises NotPossible.

    What the journal alone holds (L1-GW-ONLY) is voided in the gateway's own ledger, from the next run on.
    """
    if decision not in DECISIONS:
        raise NotPossible(f"不认识的决定：{decision}（{'、'.join(DECISIONS)}）")
    two = mode == "TWO" or decision in _BY_TWO
    if decision == "accept":
        return Following(two=two, diff_state="RESOLVED")
    if decision == "carry":
        return Following(two=True, diff_state="CARRIED")
    if decision == "reverse" and action.startswith("WAIT_LEG"):
        raise NotPossible("前一段还没有了结，不得冲正：请先处理前一段")
    if decision == "reverse" and leg == "L1" and not msgid:
        raise NotPossible("没有原发送方报文ID，无法冲正（2601）：请与经办核实后另行处理")
    kind = _KINDS[decision]
    party = "GW" if (decision, name) == ("void", "L1-GW-ONLY") else party_of(leg, kind)
    return Following(two=two, kind=kind, party=party)
