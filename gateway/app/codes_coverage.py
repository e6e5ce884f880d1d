"""Gathers coverage: the codes store as it was, the journal's evidence, and the decisions of `gateway.codes` on both."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import attrs

import schemas
from adapters.store.codes_past import past_proposals, proposed_systems, targets
from adapters.store.codes_reader import CodesReader
from adapters.store.journal_reader import reading as journal_reading
from adapters.store.journal_usage import used
from gateway.app.codes_files import code_systems
from gateway.app.config import InstitutionConfig
from gateway.codes.assessment import Duty, kind_of, read_duty
from gateway.codes.coverage import NOTHING, Figures, Item, Proposal, Row, count, items_on, without_code
from gateway.codes.library import record_of
from gateway.codes.months import Month
from gateway.codes.usage import NO_USE, Usage, Used, library_of
from gateway.core.codes import LATEST, SLOTS

LOOKBACK_MS = (
    92 * 86_400_000
)  # a stay settled in the first month had its lines sent before; three months cover nearly all
Windows = Callable[[str, str], tuple[str, str] | None]  # SYSTEM, national code -> its valid days


@attrs.frozen(kw_only=True)
class Covered:
    """One institution. figures: month -> library -> counts; items: the codes of the last month, by library."""

    code: str
    name: str
    figures: Mapping[str, Mapping[str, Figures]]
    items: Mapping[str, Sequence[Item]]
    use: Mapping[str, Used]

    def total(self, month: str) -> Figures:
        return sum(self.figures[month].values(), NOTHING)


@attrs.frozen(kw_only=True)
class Coverage:
    """Everything a report says. imported: libraries that have a national catalogue."""

    duty: Duty
    months: tuple[Month, ...]
    institutions: tuple[Covered, ...]
    imported: frozenset[str]

    @property
    def last(self) -> Month:
        return self.months[-1]

    def totals(self, month: str) -> dict[str, Figures]:
        """Return the counts of all institutions by library."""
        found: dict[str, Figures] = {}
        for one in self.institutions:
            for system, figures in one.figures[month].items():
                found[system] = found.get(system, NOTHING) + figures
        return found

    def below(self) -> list[tuple[str, str, tuple[str, ...]]]:
        """Return (institution, library, names of the rates) of what misses its target in the last month."""
        shares = self.duty.shares
        found = [
            (one.code, system, figures.below(shares))
            for one in self.institutions
            for system, figures in one.figures[self.last.name].items()
        ]
        return [miss for miss in found if miss[2]]

    def owed(self) -> list[str]:
        """Return the libraries some institution here carries codes of."""
        kinds = {kind_of(one.code) for one in self.institutions}
        return [system for system in self.duty.systems if any(system in self.duty.owed_by(kind) for kind in kinds)]

    def known(self) -> set[str]:
        """Return the libraries that are introduced: imported, or some code of them is in force."""
        totals = self.totals(self.last.name)
        return {*self.imported, *(system for system, figures in totals.items() if figures.mapped)}


def the_duty() -> Duty:
    """Return what institutions and agencies are measured by."""
    return read_duty((schemas.ROOT / "assessment" / "coverage.toml").read_bytes())


def cover(
    tables: CodesReader, journal: Path | None, institutions: Sequence[InstitutionConfig], months: Sequence[Month]
) -> Coverage:
    """Gather the coverage of institutions. journal: None when there is none yet. Raises sqlite3.Error, NotAJournal."""
    standards = code_systems()
    windows = stored_windows(tables, standards)
    own = OwnCodes(tables, standards)
    usage = Usage(months, own.library, own.without)
    if journal is not None:
        read_usage(journal, institutions, usage)
    found = [cover_one(tables, one, months, usage, windows) for one in institutions]
    return Coverage(
        duty=the_duty(),
        months=tuple(months),
        institutions=tuple(found),
        imported=frozenset(version.system for version in tables.versions()),
    )


def read_usage(journal: Path, institutions: Sequence[InstitutionConfig], usage: Usage) -> None:
    """Read the evidence of the institutions' requests. Raises NotAJournal."""
    known = {one.fixmedins_code for one in institutions}
    alone = institutions[0].fixmedins_code if len(institutions) == 1 else ""
    with journal_reading(journal) as reader:
        since_ms, until_ms = usage.months[0].start_ms - LOOKBACK_MS, usage.months[-1].end_ms
        requests = used(reader.connection, alone, since_ms, until_ms)
        usage.take(request for request in requests if request.fixmedins_code in known)


def cover_one(
    tables: CodesReader, one: InstitutionConfig, months: Sequence[Month], usage: Usage, windows: Windows
) -> Covered:
    """Judge the codes of one institution, library by library, as of the end of each month."""
    code = one.fixmedins_code
    use = {month.name: usage.found.get((code, month.name), NO_USE) for month in months}
    standards = code_systems()
    systems = {system for system in proposed_systems(tables.connection, code) if system in standards}
    systems.update(system for used in use.values() for system in used.seen)
    figures: dict[str, dict[str, Figures]] = {month.name: {} for month in months}
    items: dict[str, Sequence[Item]] = {}
    for system in in_order(systems):
        proposals = read_proposals(tables, code, system)
        for month in months:
            seen = use[month.name].seen.get(system, {})
            judged = items_on(proposals, seen, partial(windows, system), month.day, month.end_ms)
            money = use[month.name].by_library.get(system)
            counted = count(judged)
            if money is not None:
                counted = attrs.evolve(counted, fen=money.fen, fen_coded=money.coded)
            if counted != NOTHING:
                figures[month.name][system] = counted
            items[system] = judged  # the last month's stay
    return Covered(code=code, name=one.name, figures=figures, items=items, use=use)


def in_order(systems: Iterable[str]) -> list[str]:
    """Return libraries in the order of the national standards; what belongs to none of them last."""
    standards = code_systems()
    return sorted(systems, key=lambda one: (standards[one].no if one in standards else 99, one))


def read_proposals(tables: CodesReader, institution: str, system: str) -> list[Proposal]:
    """Return every proposal of an institution and system with its approvals, oldest first."""
    return [
        Proposal(number, at_ms, approvals, tuple(Row(*row) for row in rows))
        for number, at_ms, approvals, rows in past_proposals(tables.connection, institution, system)
    ]


def stored_windows(tables: CodesReader, standards: Iterable[str]) -> Windows:
    """Return the valid days of the codes that mappings name; a library never imported holds every code for ever."""
    imported = {version.system for version in tables.versions()}
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for system in imported.intersection(standards):
        wanted = targets(tables.connection, system)
        records = (row for row in tables.library(system) if row[0] in wanted) if wanted else ()
        found[system] = {row[0]: record_of(*row[1:])[1:] for row in records}
    return lambda system, code: found[system].get(code) if system in found else ("", LATEST)


@attrs.define(eq=False)
class OwnCodes:
    """What an institution's proposals say of a local code; read when first asked for.

    An item line whose code no mapping gave names no library: it is that of the library the institution proposed the
    code for, else it stays with the slot.
    """

    tables: CodesReader
    standards: Iterable[str]
    _direct: dict[str, str | None] = attrs.Factory(dict)
    _proposed: dict[tuple[str, str], dict[str, str]] = attrs.Factory(dict)
    _without: dict[tuple[str, str], frozenset[str]] = attrs.Factory(dict)

    def library(self, institution: str, slot: str, local: str) -> str:
        """Return the library of a code of the evidence, '' when its coverage is not measured."""
        if slot not in self._direct:
            self._direct[slot] = library_of(slot, SLOTS, self.standards)
        direct = self._direct[slot]
        if direct is not None:
            return direct
        if (institution, slot) not in self._proposed:
            self._proposed[institution, slot] = {
                row.local: system
                for system in SLOTS[slot]
                for proposal in read_proposals(self.tables, institution, system)
                for row in proposal.rows
            }
        return self._proposed[institution, slot].get(local, slot)

    def without(self, institution: str, library: str, local: str) -> bool:
        """Say whether two persons decided that a code has no national one."""
        key = (institution, library)
        if key not in self._without:
            self._without[key] = without_code(read_proposals(self.tables, institution, library))
        return local in self._without[key]
