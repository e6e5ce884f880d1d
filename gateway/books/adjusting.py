"""Adjustments: what was found after a day was frozen, as rows of a later open day that point at the frozen row (§6.5).

A settlement counts once or not at all, over all freezes in force and everything adjusted; its components are what the
frozen row says plus what was corrected. Both are asked before an adjustment is made, and once more when its day is
frozen. Money is fen. Nothing here reads or stores.
"""

from collections.abc import Iterable, Mapping, Sequence

import attrs

from gateway.books.freezing import NEITHER, Adjustment, Fee, Objection, check_fault
from gateway.core.ledgers import COMPONENTS

CANCEL, CORRECT, RELEASE = "CANCEL", "CORRECTION", "RELEASE"
KINDS = (CANCEL, CORRECT, RELEASE)
_AT = {name: at for at, name in enumerate(COMPONENTS)}


class CannotAdjust(Exception):
    """Nothing is adjusted. objections: every reason."""

    def __init__(self, objections: Sequence[Objection]) -> None:
        super().__init__("；".join(f"[{one.code}] {one.text}" for one in objections))
        self.objections = tuple(objections)


@attrs.frozen
class Kept:
    """A fee in force or, with freeze 0, one of an adjustment that waits for its day. date: of its day."""

    freeze: int
    n: int
    date: str
    fee: Fee

    @property
    def own(self) -> bool:
        """Whether it is a row of its day, not an adjustment."""
        return not self.fee.adjusts[0]


def count_of(fees: Iterable[Fee]) -> int:
    """Return how often a settlement counts: settlements less refunds, of what is not held."""
    return sum((1, -1, 0)[fee.direction] for fee in fees if not fee.held)


def stands_at(kept: Iterable[Kept]) -> tuple[int | None, ...]:
    """Return what a settlement comes to, component by component; None where no row carries it."""
    found: list[int | None] = [None] * len(COMPONENTS)
    for one in kept:
        for at, fen in enumerate(one.fee.amounts if not one.fee.held else ()):
            if fen is not None:
                found[at] = (found[at] or 0) + fen
    return tuple(found)


@attrs.frozen(kw_only=True)
class Wanted:
    """What is asked for. date: the open day; values: component -> fen it should be (CORRECTION)."""

    kind: str
    setl_id: str
    date: str
    values: Mapping[str, int] = attrs.Factory(dict)


def adjustments(wanted: Wanted, kept: Sequence[Kept], refunds: Sequence[str], checks_block: bool) -> list[Adjustment]:
    """Return the rows that do it. kept: everything of the settlement in its scope, oldest first; refunds: dates of open
    days in whose ledgers a refund of it stands.

    Raises CannotAdjust with every reason.
    """
    own = [one for one in kept if one.own]
    if not own:
        raise CannotAdjust([Objection("BA-ROW", f"没有结算{wanted.setl_id}的已固化记录，未固化的日子直接对账即可")])
    found = []
    if any(one.date >= wanted.date for one in own):
        found.append(Objection("BA-DATE", f"调整应记在固化日{max(one.date for one in own)}之后的未固化日子"))
    make = {CANCEL: _cancelled, CORRECT: _corrected, RELEASE: _released}[wanted.kind]
    rows, more = make(wanted, kept, refunds, checks_block)
    if found or more:
        raise CannotAdjust([*found, *more])
    return rows


Made = tuple[list[Adjustment], list[Objection]]


def _cancelled(wanted: Wanted, kept: Sequence[Kept], refunds: Sequence[str], checks_block: bool) -> Made:
    """Everything the settlement counts, taken back (2103, 2208 and 2305 after the freeze)."""
    if refunds:
        text = f"{refunds[0]}的账目中已有其退费行，随该日固化计入清算，再作调整会重复扣减"
        return [], [Objection("BA-REFUND", text)]
    origin = next((one for one in kept if one.own and one.fee.direction == 0 and not one.fee.held), None)
    released = next((one for one in kept if one.fee.adjusts[0] and one.fee.direction == 0), None)
    origin = origin or released
    if origin is None or count_of(one.fee for one in kept) != 1:
        return [], [Objection("BA-COUNT", f"结算{wanted.setl_id}没有计入清算，或已经撤销，无可撤销")]
    amounts = tuple(None if fen is None else -fen for fen in stands_at(kept))
    return [_row(CANCEL, origin, 1, amounts)], []


def _released(wanted: Wanted, kept: Sequence[Kept], refunds: Sequence[str], checks_block: bool) -> Made:
    """What was carried or withheld and is settled now."""
    done = {one.fee.adjusts for one in kept if one.fee.adjusts[0]}
    held = [one for one in kept if one.own and one.fee.held and (one.freeze, one.n) not in done]
    if not held:
        return [], [Objection("BA-HELD", f"结算{wanted.setl_id}没有结转或暂不计的记录，或已经放出")]
    after = count_of(one.fee for one in kept) + count_of(_free(one.fee) for one in held)
    if after not in (0, 1):
        return [], [Objection("BA-COUNT", f"结算{wanted.setl_id}放出后将计{after}次：另有一日已经计入，请核实")]
    return [_row(RELEASE, one, one.fee.direction, one.fee.amounts) for one in held], []


def _free(fee: Fee) -> Fee:
    """Return a fee as it counts once it is released."""
    return fee._replace(held="")


def _corrected(wanted: Wanted, kept: Sequence[Kept], refunds: Sequence[str], checks_block: bool) -> Made:
    """The difference between what the components are and what they should be; counts nothing."""
    origin = next((one for one in kept if one.own and one.fee.direction == 0), None)
    if origin is None or count_of(one.fee for one in kept) != 1:
        return [], [Objection("BA-COUNT", f"结算{wanted.setl_id}没有计入清算，不能更正金额")]
    before = stands_at(kept)
    after = list(before)
    delta: list[int | None] = [None] * len(COMPONENTS)
    for name, fen in wanted.values.items():
        at = _AT[name]
        after[at], delta[at] = fen, fen - (before[at] or 0)
    found = []
    if not any(delta):
        found.append(Objection("BA-SAME", "更正后的金额与现有的相同，无需更正"))
    if checks_block and (total := check_fault(origin.fee._replace(amounts=tuple(after)))):
        found.append(Objection("BA-CHECK", f"更正后{total}与其分项之和不符，请一并更正各分项和合计"))
    return [_row(CORRECT, origin, NEITHER, tuple(delta))], found


def _row(kind: str, of: Kept, direction: int, amounts: tuple[int | None, ...]) -> Adjustment:
    place = of.fee.adjusts if of.fee.adjusts[0] else (of.freeze, of.n)
    fee = of.fee._replace(direction=direction, held="", adjusts=place, amounts=amounts)
    return Adjustment(kind=kind, of=place, fee=fee)


def twice(setl_id: str, before: int, today: int, watched: bool) -> list[Objection]:
    """Return why a day may not be frozen for the sake of one settlement: it would count twice, or less than nothing.

    before: how often it counts in the freezes in force, today: in the day; watched: it was adjusted somewhere.
    """
    total = before + today
    if total < 0:
        text = f"结算{setl_id}在此日的退费没有可冲抵的：它已撤销，或仍在结转（先用 books adjust 放出），请核实"
        return [Objection("BF-TWICE", text)]
    if total > 1 and watched:
        return [Objection("BF-TWICE", f"结算{setl_id}已由别的固化或调整计入清算，此日再计就重复，请核实")]
    return []


__all__ = [
    "CANCEL", "CORRECT", "KINDS", "RELEASE", "CannotAdjust", "Kept", "Wanted", "adjustments", "count_of", "stands_at",
    "twice",
]  # fmt: skip
