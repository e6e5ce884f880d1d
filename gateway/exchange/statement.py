"""The daily statement as a question (Q5): our settlements go up, 3202 compares, what only the agency has comes back.

Heavy, so at most one in ten minutes an institution, for everybody who waits, and few at a time. It needs no undo and
moves nothing. A result that cannot be had whole is no answer. `comparison` makes one. Source: reversal specification
§4.1; reconciliation specification §3.2.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING, Protocol

import attrs

from gateway.core.dates import day_start_ms, shanghai
from gateway.core.model import Entry, Kind
from gateway.core.statement import Differing
from gateway.exchange.comparison import Comparison
from gateway.exchange.door import Link

if TYPE_CHECKING:
    from gateway.exchange.saf import StoreForward

SPACING_S = 600.0
AT_ONCE = 16  # statements of all institutions that are being made: their rows lie in memory, their files on the links
KIND_DAYS = 7  # how long a kind of settlement is taken to stay in the group it was in


class Parcel(Protocol):
    """Packs one text for the road, and unpacks one (None: nothing that can be read)."""

    def pack(self, name: str, text: str, /) -> bytes: ...

    def unpack(self, packed: bytes, /) -> str | None: ...


@attrs.frozen(kw_only=True)
class Statement:
    """What one comparison showed. began_s: when its first question left; days: what it covers.

    groups: (agency, kind of clearing) that were asked. theirs: what only the agency has. kinds: (transaction, insured
    locality, kind of treatment) whose group is known, so that a row of that kind would have been among them.
    """

    began_s: float
    days: tuple[date, date]
    groups: tuple[tuple[str, str], ...]
    theirs: tuple[Differing, ...]
    kinds: frozenset[tuple[str, str, str]]

    def of(self, msgid: str) -> list[Differing]:
        """Return the agency's rows that carry a msgid."""
        return [row for row in self.theirs if row.msgid == msgid]

    @property
    def unnamed(self) -> list[Differing]:
        """Return the agency's rows without a msgid: nobody can say what they are."""
        return self.of("")

    def knows(self, original: Entry) -> bool:
        """Say whether this settlement would be listed if the agency had it."""
        day = shanghai(original.created_ms / 1000).date()
        return bool(original.med_type) and kind_of(original) in self.kinds and self.days[0] <= day <= self.days[1]


Told = Callable[[Statement | None], None]


def kind_of(one: Entry | Kind) -> tuple[str, str, str]:
    """Return what decides the kind of clearing, as far as the journal knows it.

    One transaction has several: 2207 of an outpatient, an emergency, a chronic disease. 2304 names none, so its
    admission (2401) does; where that is not in the journal nothing is known. The kind of insurance stands in no row
    before the answer.
    """
    return one.infno[:4], one.insuplc_admdvs, one.med_type


@attrs.define(eq=False)
class _Round:
    """One institution's comparisons: the last one, and who waits for the next."""

    last: Statement | None = None
    began_s: float = -SPACING_S
    running: bool = False
    waiting: list[tuple[Entry, Told]] = attrs.Factory(list)


@attrs.define(eq=False)
class Statements:
    """Compares for whoever asks. parcel: how a text travels."""

    office: StoreForward
    parcel: Parcel
    _rounds: dict[tuple[str, str], _Round] = attrs.Factory(dict)
    _running: int = 0
    _line: deque[tuple[Link, _Round]] = attrs.Factory(deque)

    def ask(self, link: Link, original: Entry, told: Told) -> None:
        """Have original's institution compared since original's day; told(None) when that cannot be done."""
        if any(infno not in link.plans for infno in ("9101", "3202", "9102")):
            told(None)
            return
        one = self._rounds.setdefault((original.fixmedins_code, link.name), _Round())
        one.waiting.append((original, told))
        if not one.running:
            one.running = True
            wait_s = one.began_s + SPACING_S - self.office.clock.seconds()
            self.office.clock.callLater(min(max(0.0, wait_s), SPACING_S), self._begin, link, one)

    def last(self, institution: str, link: Link) -> Statement | None:
        """Return the newest comparison with a platform while it is fresh: the next one may not leave yet."""
        one = self._rounds.get((institution, link.name))
        if one is None or one.last is None:
            return None
        return one.last if 0 <= self.office.clock.seconds() - one.last.began_s < SPACING_S else None

    def _begin(self, link: Link, one: _Round) -> None:
        if self._running >= AT_ONCE:
            self._line.append((link, one))
            return
        self._running += 1
        one.began_s = now = self.office.clock.seconds()
        waiting, one.waiting = one.waiting, []
        original = waiting[0][0]
        today = shanghai(now).date()  # a clock that was set back must not make it no day at all
        days = (min(today, *(shanghai(each.created_ms / 1000).date() for each, _ in waiting)), today)

        def over(theirs: list[Differing] | None) -> None:
            shown = None if theirs is None else _statement(comparison, theirs)
            one.running, one.last = False, shown or one.last
            self._running -= 1
            if self._line:
                self.office.clock.callLater(0, self._begin, *self._line.popleft())
            for _, told in waiting:
                told(shown)
            if one.waiting and not one.running:
                later, one.waiting = one.waiting, []
                for each, told in later:
                    self.ask(link, each, told)

        comparison = Comparison(self, link, original, days, now, over)
        comparison.start()


def _statement(made: Comparison, theirs: list[Differing]) -> Statement:
    lately_ms = day_start_ms(made.days[0], KIND_DAYS)
    return Statement(
        began_s=made.began_s,
        days=made.days,
        groups=tuple(made.groups),
        theirs=tuple(theirs),
        kinds=frozenset(kind_of(kind) for kind in made.kinds if kind.last_ms >= lately_ms),
    )
