"""Audit deductions (审核扣款拒付, reconciliation §7.2, annex B19): their states, what they may take, what counts.

A deduction points at one frozen settlement and one fund of it; all deductions of a fund together never exceed it, else
the file they came in is refused whole. An appeal has a deadline and material; both are kept.
"""

from collections.abc import Iterable, Mapping
from typing import Literal

import attrs

from gateway.books.clearing import FUNDS, Refused
from gateway.books.freezing import Objection

Kind = Literal["DEDUCT", "WITHHOLD", "PENALTY"]
KINDS = ("DEDUCT", "WITHHOLD", "PENALTY")
NOTIFIED, ACCEPTED, APPEALED = "NOTIFIED", "ACCEPTED", "APPEALED"
UPHELD, REVISED, REVOKED, APPLIED = "UPHELD", "REVISED", "REVOKED", "APPLIED"
OPEN = (NOTIFIED, APPEALED)
# (state, input) -> state; the inputs are the states they lead to.
MOVES = frozenset({
    (NOTIFIED, ACCEPTED), (NOTIFIED, APPEALED), (APPEALED, UPHELD), (APPEALED, REVISED), (APPEALED, REVOKED),
    (ACCEPTED, APPLIED), (UPHELD, APPLIED), (REVISED, APPLIED), (REVOKED, APPLIED),
})  # fmt: skip


@attrs.frozen(kw_only=True)
class Deduction:
    """One line of an audit. amount: fen, positive; revised: fen after a REVISED appeal; ended: its last state before
    APPLIED."""

    deduction_id: str
    setl_id: str
    fund: str
    amount: int
    kind: str
    reason_code: str = ""
    text: str = ""
    period: str = ""
    state: str = NOTIFIED
    revised: int | None = None
    ended: str = ""

    @property
    def counts(self) -> int:
        """What it takes: in full unless revised or revoked (B19); while it is open, in full."""
        settled = self.ended or self.state
        if settled == REVOKED:
            return 0
        return self.revised if settled == REVISED and self.revised is not None else self.amount


def move(one: Deduction, to: str, revised: int | None = None, late: bool = False) -> Deduction:
    """Return the deduction in its new state. late: the deadline of appeals is over. Raises Refused."""
    if (one.state, to) not in MOVES:
        raise Refused([Objection("BD-STATE", f"扣款{one.deduction_id}处于{one.state}，不能变为{to}")])
    if to == APPEALED and late:
        raise Refused([Objection("BD-LATE", f"扣款{one.deduction_id}已过申诉期限，不能再申诉")])
    if to == REVISED and not (revised is not None and 0 < revised < one.amount):
        text = f"扣款{one.deduction_id}改判金额应大于0且小于原扣款{one.amount}分"
        raise Refused([Objection("BD-AMOUNT", text)])
    ended = one.state if to == APPLIED else ""
    return attrs.evolve(one, state=to, revised=revised if to == REVISED else one.revised, ended=ended)


def file_objections(
    rows: Iterable[Deduction], known: Mapping[str, Deduction], frozen: Mapping[str, Mapping[str, int]]
) -> list[Objection]:
    """Return everything wrong with a file of deductions: any of it refuses the file (§7.2).

    known: those received before, by id; frozen: setl_id -> fund -> fen of settlements applied for.
    """
    found = []
    taken: dict[tuple[str, str], int] = {}
    for one in known.values():
        taken[one.setl_id, one.fund] = taken.get((one.setl_id, one.fund), 0) + one.counts
    seen: set[str] = set()
    for one in rows:
        place = f"扣款{one.deduction_id}（结算{one.setl_id}）"
        old = known.get(one.deduction_id)
        if one.deduction_id in seen:
            found.append(Objection("BD-TWICE", f"{place}在文件中重复"))
            continue
        seen.add(one.deduction_id)
        if old is not None:
            if (old.setl_id, old.fund, old.amount, old.kind) != (one.setl_id, one.fund, one.amount, one.kind):
                found.append(Objection("BD-CHANGED", f"{place}与先前收到的内容不同"))
            continue
        if one.kind not in KINDS or one.fund not in FUNDS or one.amount <= 0:
            found.append(Objection("BD-FORM", f"{place}的类别、基金或金额不正确"))
        elif one.setl_id not in frozen:
            found.append(Objection("BD-ROW", f"{place}没有对应到本申请的固化记录"))
        else:
            key = one.setl_id, one.fund
            taken[key] = taken.get(key, 0) + one.amount
            limit = frozen[one.setl_id].get(one.fund, 0)
            if taken[key] > limit:
                text = f"{place}的{one.fund}累计扣{taken[key]}分，超过固化金额{limit}分"
                found.append(Objection("BD-OVER", text))
    return found


def totals(rows: Iterable[Deduction]) -> tuple[dict[str, int], dict[str, int]]:
    """Return (deducted, withheld) by fund. PENALTY counts as deducted (B19)."""
    deducted: dict[str, int] = {}
    withheld: dict[str, int] = {}
    for one in rows:
        into = withheld if one.kind == "WITHHOLD" else deducted
        into[one.fund] = into.get(one.fund, 0) + one.counts
    return deducted, withheld
