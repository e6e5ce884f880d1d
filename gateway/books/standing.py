"""What one ledger says of one key, net: duplicates counted, refunds paired, rows of other days put aside.

Sources: reconciliation specification §5.4-§5.6; annex B1, B5, B9, B10. Pure; rows come in any order and the answer does
not depend on it.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from itertools import pairwise

import attrs

from gateway.core.ledgers import (
    GW,
    IN_DOUBT,
    INS,
    MANUAL,
    PROV,
    REFUNDED,
    REJECTED,
    REVERSED,
    REVERSING,
    Row,
)


class State(Enum):
    """B1, with the two states of the journal that count as absent kept apart for B2(b), B10 and the notes."""

    ABSENT = "absent"
    SETTLED = "settled"
    ZERO = "zero"
    PENDING = "pending"
    MANUAL = "manual"
    GW_REVERSED = "reversed in the journal"
    GW_REJECTED = "rejected in the journal"


ABSENT_STATES = frozenset({State.ABSENT, State.GW_REVERSED, State.GW_REJECTED})


@attrs.frozen(kw_only=True)
class Standing:
    """One ledger's word on one key. row: what its amounts and times are taken from; None when it has nothing.

    word: its state by its rows of any date, refunds of later days apart: status comes before dates (B2).
    refunded_later: there is such a refund; this day's run does not count it (T4), and reverses nothing beside it.
    finding: D2, D6, R1, R2, R3 or ''; again: settled, refunded and settled again (D5); repeated: had identical rows
    (D1); far: it has the settlement two days away or more (T5); reversed: ZERO by status REVERSED; delivered: the
    answer of the settlement reached the institution.
    """

    ledger: int
    state: State = State.ABSENT
    word: State = State.ABSENT
    row: Row | None = None
    live: tuple[Row, ...] = ()
    finding: str = ""
    again: bool = False
    repeated: bool = False
    far: bool = False
    reversed: bool = False
    delivered: bool = True
    refunded_later: bool = False

    @property
    def settled(self) -> bool:
        return self.state is State.SETTLED

    @property
    def dated(self) -> Row | None:
        """The row of this run that says the date, the settlement before its refund."""
        if self.row in self.live:
            return self.row
        return self.live[0] if self.live else None


def without_repeats(rows: Iterable[Row]) -> tuple[list[Row], list[Row]]:
    """Return (rows, each once and in order of time; those that were one too many) (D1)."""
    kept: list[Row] = []
    extra: list[Row] = []
    for row in sorted(rows, key=_order):
        (extra if kept and kept[-1] == row else kept).append(row)
    return kept, extra


def _order(row: Row) -> tuple[object, ...]:
    """Order by time, the settlement before the refund; the rest only makes the order complete."""
    second = -1 if row.second is None else row.second
    amounts = tuple((amount is not None, amount or 0) for amount in row.amounts)
    return row.ledger, row.moment, row.direction, second, row[:-2], amounts


def standings(rows: Sequence[Row], repeated: frozenset[int]) -> dict[int, Standing]:
    """Return the standing of every ledger that has rows of a key. rows: of one key, as `without_repeats` gives them."""
    today: dict[int, set[int]] = {0: set(), 1: set()}
    for row in rows:
        if row.day == 0:
            today[row.direction].add(row.ledger)
    ledgers = sorted({row.ledger for row in rows})
    found = {}
    for ledger in ledgers:
        own = [row for row in rows if row.ledger == ledger]
        found[ledger] = _standing(ledger, own, today, ledger in repeated)
    return found


def _live(row: Row, today: Mapping[int, set[int]]) -> bool:
    """Say whether a row is in the run: of its date, or one day off what another ledger has on it (B5)."""
    return row.day == 0 or (abs(row.day) == 1 and bool(today[row.direction] - {row.ledger}))


def _standing(ledger: int, own: Sequence[Row], today: Mapping[int, set[int]], repeated: bool) -> Standing:
    finding = duplicate(ledger, own)
    live = tuple(row for row in own if _live(row, today))
    if finding:
        return Standing(
            ledger=ledger, state=State.SETTLED, word=State.SETTLED, row=own[0], live=live, finding=finding,
            repeated=repeated,
        )  # fmt: skip
    far = False
    if live:
        past = [row for row in own if row in live or row.day < 0]
    elif today[0]:
        # The settlement is of this day elsewhere; here it lies too far away to be the same event (T5).
        past, far = [], any(row.direction == 0 and abs(row.day) > 1 for row in own)
    else:
        past = [row for row in own if row.day <= 0]
    doubt = _doubt(own) if ledger == GW else None
    net = _net(ledger, own, past)
    later = [row for row in own if row.direction == 1 and row.day > 0 and row not in past and _counts(row)]
    whole = [row for row in own if row not in later]
    word = net.state if len(past) == len(own) else _net(ledger, whole, whole).state
    if doubt is not None:
        net, word = attrs.evolve(net, state=doubt), doubt
    return attrs.evolve(net, word=word, live=live, repeated=repeated, far=far, refunded_later=bool(later))


def duplicate(ledger: int, own: Sequence[Row]) -> str:
    """Return D2 or D6 when one ledger holds several settlements of a key, '' when it does not or it is D5 (B9)."""
    settlements = [row for row in own if row.direction == 0]
    if len(settlements) < 2 or _alternate(own):
        return ""
    if ledger in (PROV, INS) and len({row.prov_sn for row in settlements if row.prov_sn}) > 1:
        return "D6"
    return "D2"


def _alternate(own: Sequence[Row]) -> bool:
    """Say whether settlements and refunds take turns in the order of time, each after the other (D5)."""
    return [row.direction for row in own] == [number % 2 for number in range(len(own))] and all(
        before.moment < after.moment for before, after in pairwise(own)
    )


def _doubt(own: Sequence[Row]) -> State | None:
    """Return what the journal has not ended, of whatever day: nothing is decided over its head."""
    statuses = {row.status for row in own}
    if MANUAL in statuses:
        return State.MANUAL
    return State.PENDING if statuses & {IN_DOUBT, REVERSING} else None


def _net(ledger: int, own: Sequence[Row], past: Sequence[Row]) -> Standing:
    """Pair refunds with settlements inside the ledger (B10) and say what is left."""
    settlements = [row for row in past if row.direction == 0]
    refunds = [row for row in past if row.direction == 1 and _counts(row)]
    if refunds and not settlements:
        settlements = [row for row in own if row.direction == 0]
    if refunds and ledger == GW:  # what was reversed or refused leaves nothing to cancel (B1, R1)
        settlements = [row for row in settlements if row.status not in (REVERSED, REJECTED)]
    delivered = any(row.delivered for row in settlements)
    basis = Standing(
        ledger=ledger, row=(settlements or refunds)[-1] if settlements or refunds else None, delivered=delivered
    )
    if finding := _refund_finding(settlements, refunds):
        return attrs.evolve(basis, finding=finding)
    if not settlements:
        return attrs.evolve(basis, row=None)
    status = settlements[-1].status
    if len(refunds) == len(settlements):
        return attrs.evolve(basis, state=State.ZERO, reversed=status == REVERSED and ledger != GW)
    again = len(settlements) > 1
    if status == REVERSED and ledger != GW:
        return attrs.evolve(basis, state=State.ZERO, reversed=True, again=again)
    state = {REFUNDED: State.ZERO, REVERSED: State.GW_REVERSED, REJECTED: State.GW_REJECTED}.get(status, State.SETTLED)
    return attrs.evolve(basis, state=state, again=again)


def _counts(row: Row) -> bool:
    """A journal's cancellation that was itself reversed, refused or is still open is no refund (R6)."""
    return row.ledger != GW or row.status not in (REVERSED, REJECTED, IN_DOUBT, REVERSING, MANUAL)


def _refund_finding(settlements: Sequence[Row], refunds: Sequence[Row]) -> str:
    if refunds and not settlements:
        return "R1"
    if len(refunds) > len(settlements):
        return "R3"
    if any((amount or 0) > 0 for row in refunds for amount in row.amounts):
        return "R2"
    for settlement, refund in zip(settlements, refunds, strict=False):
        for one, other in zip(settlement.amounts, refund.amounts, strict=True):
            if one is not None and other is not None and one != -other:
                return "R2"
    return ""
