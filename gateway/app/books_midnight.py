"""What frozen days beside a day say of it, and it of them: held against each other when the second is frozen
(`gateway.books.midnight`)."""

from collections.abc import Collection, Mapping

import attrs

from adapters.store.books_freeze import FreezeReader
from adapters.store.books_neighbours import Neighbours
from gateway.app.books_sources import one_source
from gateway.books.freezing import CITY, ELSEWHERE, Header, Objection, elsewhere_of
from gateway.books.midnight import Event, apart
from gateway.books.scope import INSURED
from gateway.core.dates import shifted
from gateway.core.ledgers import NAMES


@attrs.frozen(kw_only=True)
class KeyFacts:
    """Of one key: waits: for the three-way check; near: a ledger has it a day off; elsewhere: what of it another day
    counts."""

    waits: bool = False
    near: bool = False
    elsewhere: Mapping[Event, str] = attrs.Factory(dict)


def owed(look: FreezeReader, role: str, scope: str, date: str) -> dict[Event, str]:
    """Return what the frozen days before and after say that this one counts, by that day."""
    found = {}
    for day in (shifted(date, -1), shifted(date, 1)):
        freeze, part = look.day(role, scope, day), f"\t{ELSEWHERE}\t{date}\t"
        for line in Neighbours(look.connection).lines_with(freeze.id, part) if freeze is not None else ():
            if (one := elsewhere_of(line)) is not None and one[1] == date:
                found[one[0]] = day
    return found


def beside(
    look: FreezeReader, head: Header, elsewhere: Mapping[Event, str], owed: Mapping[Event, str], met: Collection[Event]
) -> list[Objection]:
    """Return why a day may not be frozen for the sake of the days beside it. elsewhere, met: as its rows say."""
    counted: dict[str, Collection[Event] | None] = {}
    found: list[Objection] = []
    for day in sorted(set(elsewhere.values())):
        freeze = look.day(head.role, head.scope, day)
        if freeze is not None:
            counted[day] = {event for event in elsewhere if Neighbours(look.connection).has_fee(freeze.id, *event)}
        if _newer(look, head, day):
            text = f"{NAMES[head.order[0]]}在{day}有更新的账目，跨午夜的记录还没有对过它"
            found.append(Objection("BF-NEWER", f"{text}，请先重新对账（books day）再固化"))
    return [*found, *apart(elsewhere, counted, owed, met)]


def _newer(look: FreezeReader, head: Header, day: str) -> bool:
    """Say whether the one that leads has newer word of a day beside this one than the run was over."""
    used = {one.id for one in look.inputs(head.run_id)}
    ledger, scopes = NAMES[head.order[0]], (head.scope, CITY)
    newest = Neighbours(look.connection).newest_inputs(day)
    theirs = one_source([one for one in newest if one.ledger == ledger and one.scope != INSURED])
    own = [one for one in theirs if head.scope == CITY or one.scope in scopes]
    return any(one.id not in used for one in own)


__all__ = ["Event", "KeyFacts", "beside", "owed"]
