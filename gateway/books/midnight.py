"""A settlement near midnight that stands under one day in one party's books and under the next in another's: which of
the two frozen days counts it (§5.4, T1: the day of the one that leads). Pure.

The day that counts it takes what the others say of it a day off, so that no component is missing; the other day has
their rows, counts nothing and says in a line of its own where it is counted. So both days record the pair, and when the
second of them is frozen, what the first said is held against it: no settlement is in two frozen days, and none in none.
"""

from collections.abc import Collection, Mapping, Sequence

from gateway.books.freezing import Objection
from gateway.core.ledgers import SETTLED, Row

Event = tuple[str, int]  # key, direction


def parted(group: Sequence[Row], order: Sequence[int]) -> tuple[list[Row], dict[int, int]]:
    """Return (the rows of one key that are frozen with this day; direction -> how many days off it is counted instead).

    group: rows of this day, and of a day off; order: ledgers, the first leading.
    """
    kept = [row for row in group if row.day == 0]
    near = [row for row in group if row.day != 0 and row.status == SETTLED]
    elsewhere: dict[int, int] = {}
    for direction in (0, 1) if near and order else ():
        beside = [row for row in near if row.direction == direction]
        settled = [row for row in kept if row.direction == direction and row.status == SETTLED]
        here = {row.ledger for row in settled}
        leading = {row.day for row in beside if row.ledger == order[0]}
        if order[0] in here:
            kept += [row for row in beside if row.ledger not in here and row.day not in leading]
        elif days := [day for day in sorted(leading) if here - {row.ledger for row in beside if row.day == day}]:
            elsewhere[direction] = days[0]
    return kept, elsewhere


def apart(
    elsewhere: Mapping[Event, str], counted: Mapping[str, Collection[Event] | None], owed: Mapping[Event, str],
    met: Collection[Event],
) -> list[Objection]:  # fmt: skip
    """Return why a day may not be frozen for the sake of what another day counts, or says that this one does.

    elsewhere: what this day leaves to another, by date; counted: date -> which of these a frozen day counts, None = it
    is not frozen; owed: what a frozen day left to this one, by that day; met: what of it this day counts.
    """
    found = []
    for event, date in sorted(elsewhere.items()):
        there = counted.get(date)
        if there is not None and event not in there:
            found.append(Objection("BF-NOWHERE", _text(event, f"经办记在{date}，而已固化的{date}没有计入它", date)))
    for event, date in sorted(owed.items()):
        if event not in met:
            found.append(Objection("BF-NOWHERE", _text(event, f"已固化的{date}说它记在此日，而此日的账没有它", date)))
    return found


def _text(event: Event, why: str, date: str) -> str:
    what = "退费" if event[1] else "结算"
    return (
        f"{what}{event[0].strip()}跨午夜：{why}。请与经办核实它属于哪一日，由两人重开{date}（books reopen）后重新对账"
    )
