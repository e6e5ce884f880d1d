"""What of a city's month the province gets (reconciliation §7.2; 003 7.6.4.5 b): which records, and their content.

A record goes when it passed both checks: leg L1 (its institution's frozen day counts it) and the three-way check (the
city's frozen day counts it), with the same amounts. What passed one alone stays behind and is named.
"""

import json
from collections.abc import Callable, Mapping, Sequence

import attrs

from gateway.core.ledgers import COMPONENTS

Digest = Callable[[bytes], bytes]
KEY_CHARACTERS = 32
SENDING, DONE, IN_DOUBT, REFUSED, NOT_SENT = "SENDING", "DONE", "IN_DOUBT", "REFUSED", "NOT_SENT"
# What may follow: a lost answer is asked for, and only a question ends the doubt.
MOVES: Mapping[str, tuple[str, ...]] = {
    SENDING: (DONE, IN_DOUBT, REFUSED, NOT_SENT), IN_DOUBT: (DONE, NOT_SENT), DONE: (), REFUSED: (), NOT_SENT: (),
}  # fmt: skip


@attrs.frozen(kw_only=True)
class Content:
    """What is uploaded. rows_sm3: of the rows as they are spooled; freezes: the city's days they come from; sums,
    deducted: fen by component, by kind of deduction; kept_back: records that passed one check alone."""

    role: str
    month: str
    revision: int
    rows: int
    rows_sm3: str
    sums: Mapping[str, int]
    deductions: int
    deducted: Mapping[str, int]
    freezes: Sequence[int]
    kept_back: int = 0

    def key(self, digest: Digest) -> str:
        """Return the idempotency key."""
        text = "|".join(("upload", self.role, self.month, str(self.revision), self.rows_sm3))
        return digest(text.encode()).hex()[:KEY_CHARACTERS]

    def text(self) -> str:
        return json.dumps(attrs.asdict(self), ensure_ascii=False, sort_keys=True)

    @classmethod
    def read(cls, text: str) -> "Content":
        return cls(**json.loads(text))


@attrs.frozen
class Counted:
    """One settlement of a month: how often it counts, (settlements, refunds), and its sums; None = not carried."""

    times: tuple[int, int]
    sums: tuple[int | None, ...]

    def named(self) -> dict[str, int]:
        return {name: fen for name, fen in zip(COMPONENTS, self.sums, strict=True) if fen is not None}


NOT_COUNTED, OTHER_TIMES, OTHER_AMOUNT = "NOT_COUNTED", "OTHER_TIMES", "OTHER_AMOUNT"
WHY: Mapping[str, str] = {
    NOT_COUNTED: "机构固化的账中没有（结转、暂不计或没有此笔）", OTHER_TIMES: "机构固化的结算、退费次数不同",
    OTHER_AMOUNT: "机构固化的金额不同",
}  # fmt: skip


def kept_back(city: Counted, own: Counted | None) -> str:
    """Return why a settlement of the city's frozen days stays behind, '' when its institution's say the same.

    Amounts are compared as far as both carry them (§2.1: absent is no difference).
    """
    if own is None:
        return NOT_COUNTED
    if city.times != own.times:
        return OTHER_TIMES
    pairs = zip(city.sums, own.sums, strict=True)
    return OTHER_AMOUNT if any(None not in pair and pair[0] != pair[1] for pair in pairs) else ""


def misfits(content: Content, booked: tuple[int, Mapping[str, int], int, Mapping[str, int]]) -> list[str]:
    """Return where what the province booked is not what was uploaded. booked: rows, sums, deductions, their sums."""
    rows, sums, deductions, deducted = booked
    found = []
    if rows != content.rows or deductions != content.deductions:
        found.append(f"省平台记{rows}行、扣款{deductions}条，上传{content.rows}行、{content.deductions}条")
    for name in COMPONENTS:
        if sums.get(name, 0) != content.sums.get(name, 0):
            found.append(f"{name}：省平台记{sums.get(name, 0)}分，上传{content.sums.get(name, 0)}分")
    for kind in sorted({*deducted, *content.deducted}):
        if deducted.get(kind, 0) != content.deducted.get(kind, 0):
            found.append(f"{kind}：省平台记{deducted.get(kind, 0)}分，上传{content.deducted.get(kind, 0)}分")
    return found
