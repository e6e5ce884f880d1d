"""What a list is held against besides itself: domains, the forms of codes, their records, lists that came before.

Source: annex L4 (helpers), L5 (domains).
"""

import re
import unicodedata
from collections.abc import Mapping
from decimal import Decimal
from typing import Protocol

import attrs
import msgspec

from gateway.lists.reading import Empty, Record, day_of


class DomainSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a coded field may hold: own values and a national dictionary's. zero: a leading zero may be left out."""

    dictionary: str = ""
    values: dict[str, str] = {}
    zero: bool = False
    folded: bool = False


@attrs.frozen
class Domain:
    """The values of one domain with their texts."""

    values: Mapping[str, str]
    zero: bool = False
    folded: bool = False

    def meaning(self, value: str) -> str | None:
        """Return the text of a value, None when it is not of the domain."""
        if self.folded:
            value = folded(value)
        found = self.values.get(value)
        if found is None and self.zero and len(value) <= 2:
            found = self.values.get(value[1:] if value.startswith("0") else f"0{value}" if len(value) == 1 else "")
        return found


def folded(text: str) -> str:
    """Return a text without differences of width and case (NFKC)."""
    return unicodedata.normalize("NFKC", text).lower().strip()


def domains_of(content: bytes, dictionaries: Mapping[str, Mapping[str, str]]) -> dict[str, Domain]:
    """Read the domains; a dictionary's values join its own. Raises KeyError for an unknown dictionary."""
    found = msgspec.toml.decode(content, type=dict[str, DomainSpec])
    domains: dict[str, Domain] = {}
    for name, spec in found.items():
        values = {**spec.values, **(dictionaries[spec.dictionary] if spec.dictionary else {})}
        domains[name] = Domain(
            {folded(k): v for k, v in values.items()} if spec.folded else values, spec.zero, spec.folded
        )
    return domains


@attrs.frozen
class CodeRecord:
    """A code in a library. begin, end: days as yyyy-MM-dd, '' = open; other: another record of the same code."""

    name: str
    begin: str = ""
    end: str = ""
    valid: bool = True
    gray: bool = False
    other: "CodeRecord | None" = None

    def usable(self, day: str) -> bool:
        """Say whether this record holds on a day. day '' = not known, and not held against it."""
        return self.valid and (not day or self.begin <= day <= (self.end or day))

    def on(self, day: str) -> "CodeRecord":
        """Return the record of this code that holds on a day, this one when none does (annex L4)."""
        one: CodeRecord | None = self
        while one is not None and not one.usable(day):
            one = one.other
        return self if one is None else one


class Records(Protocol):
    """A library: code -> record."""

    def get(self, code: str, /) -> CodeRecord | None: ...


@attrs.define
class Surroundings:
    """The world of a file of lists: what is not known is not held against a list.

    forms: pattern of a standard's codes; records: its codes, where a library was given; seen: settlements met so far.
    totals: what settlements came to, in yuan; states: stas_type of their lists.
    """

    domains: Mapping[str, Domain]
    forms: Mapping[str, re.Pattern[str]]
    records: Mapping[str, Records] = attrs.Factory(dict)
    totals: Mapping[str, Decimal] = attrs.Factory(dict)
    states: Mapping[str, str] = attrs.Factory(dict)
    form: str = "4101"
    day: str = ""
    seen: set[str] = attrs.Factory(set)

    def turn_to(self, head: Record) -> None:
        """Take the next list."""
        self.day = day_of(head)

    def leave(self, head: Record) -> None:
        """The list was examined: its settlement was met."""
        if "setl_id" in head.texts:
            self.seen.add(head.texts["setl_id"])

    def in_domain(self, domain: str, value: str) -> bool:
        """Whether a coded field may hold this value."""
        return self.domains[domain].meaning(value) is not None

    def code_ok(self, system: str, code: str) -> bool:
        """Whether a code has its standard's form, and a valid record where records are known."""
        if self.forms[system].fullmatch(code) is None:
            return False
        if system not in self.records:
            return True
        found = self._record(system, code)
        return found is not None and found.usable(self.day)

    def name_ok(self, system: str, code: str, name: str) -> bool:
        """Whether a name is that of its code; width and case do not count."""
        found = self._record(system, code)
        return found is None or folded(found.name) == folded(name)

    def gray(self, code: str) -> bool:
        """Whether a diagnosis is not for settling (灰码)."""
        found = self._record("diagnosis", code)
        return found is not None and found.gray

    def _record(self, system: str, code: str) -> CodeRecord | None:
        library = self.records.get(system)
        found = None if library is None else library.get(code)
        return None if found is None else found.on(self.day)

    def seen_before(self, setl_id: str) -> bool:
        """Whether another list of the same settlement came before this one."""
        return setl_id in self.seen

    def settled_total(self, setl_id: str) -> Decimal:
        """What the settlement came to, in yuan. Raises Empty where that is not known."""
        if setl_id not in self.totals:
            raise Empty
        return self.totals[setl_id]

    def list_state(self, setl_id: str) -> str:
        """stas_type of the list at the platform. Raises Empty where that is not known."""
        if setl_id not in self.states:
            raise Empty
        return self.states[setl_id]
