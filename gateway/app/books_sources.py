"""Which of several inputs speaks for an institution. The agency's own export, a file for the whole city and what the
node derived may all be there for one date; joined, every settlement would be there twice (DUP_CONFLICT). Pure.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

from adapters.store.books import EVERYWHERE


class Source(Protocol):
    """An input: of which ledger, for whom, of what date, whether whole, and its number, which grows."""

    @property
    def ledger(self) -> str: ...
    @property
    def scope(self) -> str: ...
    @property
    def biz_date(self) -> str: ...
    @property
    def complete(self) -> bool: ...
    @property
    def id(self) -> int: ...


class Stored(Source, Protocol):
    """One of the store's, which knows who made it and when."""

    @property
    def who(self) -> str: ...
    @property
    def at_ms(self) -> int: ...


S = TypeVar("S", bound=Source)
_BY_INSTITUTION = ("INST", "AGY")  # ledgers that come from each, or for all of them in one file
NODE = "node"


def one_source(inputs: Sequence[S]) -> list[S]:
    """Return the inputs of one date, of one role, with one source for each institution and ledger: a complete one
    before one that is not, else the newer. A file for the city stays; `counts` says whose rows of it do not count.
    """
    city = {one.ledger: one for one in inputs if one.scope == EVERYWHERE and one.ledger in _BY_INSTITUTION}
    return [
        one
        for one in inputs
        if one.ledger not in city or one.scope == EVERYWHERE or _rank(one) > _rank(city[one.ledger])
    ]


def _rank(one: Source) -> tuple[bool, int]:
    return one.complete, one.id


def own_sources(inputs: Iterable[Source]) -> set[tuple[str, str, str]]:
    """Return (ledger, date, institution) of what a file for the city does not say. inputs: of `one_source`."""
    return {
        (one.ledger, one.biz_date, one.scope)
        for one in inputs
        if one.ledger in _BY_INSTITUTION and one.scope != EVERYWHERE
    }


def counts(one: Source, institution: str, own: Collection[tuple[str, str, str]]) -> bool:
    """Say whether a row of an input is what speaks for its institution. own: as `own_sources` gives it."""
    return one.scope != EVERYWHERE or (one.ledger, one.biz_date, institution) not in own


def exported(inputs: Sequence[Stored], institutions: Iterable[str]) -> Mapping[str, int]:
    """Return institution -> when its agency's complete export came (ms), where that is the newest word of it: then the
    agency is not asked by 3201 and 3202."""
    found = {}
    agency = [one for one in one_source(inputs) if one.ledger == "AGY"]
    for code in institutions:
        named = [one for one in agency if one.scope == code] or [one for one in agency if one.scope == EVERYWHERE]
        if named and named[0].complete and named[0].who != NODE:
            found[code] = named[0].at_ms
    return found
