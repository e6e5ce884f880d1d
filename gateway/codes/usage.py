"""What the journal's evidence says of the use of codes: by code, and by the money of the visits that carry them.

A settlement's amount is never divided over its lines, whose amounts the journal does not hold (annex X34): it counts
whole, for every library of which the visit carries a code, and as coded when each of those codes had its national one.
Requests that certainly had no effect (refused, not sent, reversed) and cancelled settlements do not count.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import attrs

from gateway.codes.coverage import Seen
from gateway.codes.months import Month
from gateway.core.model import FAILED
from gateway.core.translation import Evidence

TELLING = frozenset({"3301", "3302"})  # tell the centre of a mapping; nobody was treated or sold anything
_Marks = frozenset[tuple[str, bool]]  # (library, every code of it so far had a national one) of a visit
_NONE: _Marks = frozenset()


class Request(Protocol):
    """One request of the journal."""

    @property
    def fixmedins_code(self) -> str: ...
    @property
    def infno(self) -> str: ...
    @property
    def klass(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def cancelled(self) -> int: ...
    @property
    def mdtrt_id(self) -> str: ...
    @property
    def medfee_fen(self) -> int | None: ...
    @property
    def created_ms(self) -> int: ...
    @property
    def rows(self) -> Sequence[Evidence]: ...


@attrs.define
class Money:
    """Settlements in fen: all, those fully coded, and those of which no code is known."""

    fen: int = 0
    coded: int = 0
    unknown: int = 0


@attrs.define
class Used:
    """The use of one institution in one month."""

    seen: dict[str, dict[str, Seen]] = attrs.Factory(dict)  # library -> local code -> how often
    by_library: dict[str, Money] = attrs.Factory(dict)
    money: Money = attrs.Factory(Money)


NO_USE, NO_MONEY = Used(), Money()


@attrs.define(eq=False)
class OwnCodes:
    """What an institution's proposals say of codes that no mapping gave.

    slots: SYSTEM id or slot of the evidence -> the libraries it may mean. An item line names no library by itself: it
    is that of the library the institution proposed the code for, else it stays with the slot. without: (institution,
    library, local code) that two persons decided to have no national code.
    """

    slots: Mapping[str, Sequence[str]]
    libraries: dict[tuple[str, str, str], str] = attrs.Factory(dict)
    without: set[tuple[str, str, str]] = attrs.Factory(set)

    def library(self, institution: str, slot: str, local: str) -> str:
        """Return the library of a code of the evidence, '' when its coverage is not measured."""
        systems = self.slots.get(slot, ())
        if len(systems) > 1:
            return self.libraries.get((institution, slot, local), slot)
        return systems[0] if systems else ""


def library_slots(slots: Mapping[str, Sequence[str]], standards: Iterable[str]) -> Mapping[str, Sequence[str]]:
    """Return SYSTEM id or slot -> the standards it may mean; what means none is left out."""
    measured = set(standards)
    named = {slot: tuple(one for one in systems if one in measured) for slot, systems in slots.items()}
    return {slot: systems for slot, systems in named.items() if systems} | {one: (one,) for one in measured}


@attrs.define(eq=False)
class Usage:
    """Collects the use of codes request by request, in the order of the journal."""

    months: Sequence[Month]
    own: OwnCodes
    found: dict[tuple[str, str], Used] = attrs.Factory(dict)
    _visits: dict[tuple[str, str], _Marks] = attrs.Factory(dict)
    _shared: dict[_Marks, _Marks] = attrs.Factory(dict)  # few different sets stand for millions of visits

    def of(self, institution: str, month: str) -> Used:
        return self.found.setdefault((institution, month), Used())

    def take(self, requests: Iterable[Request]) -> None:
        """Add requests. What lies before the first month only tells of visits settled later."""
        for request in requests:
            if request.state in FAILED or request.infno in TELLING:
                continue
            month = next((one for one in self.months if one.start_ms <= request.created_ms < one.end_ms), None)
            used = self.of(request.fixmedins_code, month.name) if month else None
            marks = self._marks(request, used)
            if request.mdtrt_id:
                marks = self._remember((request.fixmedins_code, request.mdtrt_id), marks)
            if used is not None and request.klass == "M" and request.medfee_fen is not None and not request.cancelled:
                _settle(used, request.medfee_fen, marks)

    def _marks(self, request: Request, used: Used | None) -> _Marks:
        institution, marks = request.fixmedins_code, set()
        for _, system, local, national, version, _ in request.rows:
            library = self.own.library(institution, system, local)
            if not library or (not national and (institution, library, local) in self.own.without):
                continue
            marks.add((library, bool(national)))
            if used is not None:
                codes = used.seen.setdefault(library, {})
                known = codes.get(local, Seen())
                by_itself = known.by_itself or bool(national and not version)
                codes[local] = Seen(known.lines + 1, known.uncoded + (not national), by_itself)
        return frozenset(marks)

    def _remember(self, visit: tuple[str, str], marks: _Marks) -> _Marks:
        both = self._visits.get(visit, _NONE) | marks
        both = self._shared.setdefault(both, both)
        self._visits[visit] = both
        return both


def _settle(used: Used, fen: int, marks: _Marks) -> None:
    missing = {library for library, coded in marks if not coded}
    used.money.fen += fen
    used.money.coded += 0 if missing or not marks else fen
    used.money.unknown += 0 if marks else fen
    for library in {library for library, _ in marks}:
        money = used.by_library.setdefault(library, Money())
        money.fen += fen
        money.coded += 0 if library in missing else fen
