"""Gathers coverage: the codes store as it was, the journal's evidence, and the decisions of `gateway.codes` on both."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from operator import attrgetter
from pathlib import Path

import attrs

import schemas
from adapters.store.codes_past import past_proposals, past_rows, proposed_systems, targets
from adapters.store.codes_reader import CodesReader
from adapters.store.journal_reader import reading as journal_reading
from adapters.store.journal_usage import Used as Request
from adapters.store.journal_usage import newest_id, used, without_mapping
from gateway.app.codes_checks import dropped
from gateway.app.codes_files import code_systems
from gateway.app.config import InstitutionConfig
from gateway.codes.assessment import Duty, kind_of, read_duty
from gateway.codes.coverage import (
    LACKING,
    NOT_SEEN,
    NOTHING,
    Figures,
    Item,
    Proposal,
    Row,
    Seen,
    Standing,
    Tally,
    Window,
    in_force_of,
    judge,
    standing,
)
from gateway.codes.library import record_of
from gateway.codes.months import Month
from gateway.codes.usage import NO_MONEY, NO_USE, OwnCodes, Usage, Used, library_slots
from gateway.core.codes import LATEST, SLOTS

LOOKBACK_MS = (
    92 * 86_400_000
)  # a stay settled in the first month had its lines sent before; three months cover nearly all
Windows = Callable[[str, str], tuple[str, str] | None]  # SYSTEM, national code -> its valid days


@attrs.frozen(kw_only=True)
class Covered:
    """One institution. figures: month -> library -> counts; lacking: library -> the last month's codes without one."""

    code: str
    name: str
    figures: Mapping[str, Mapping[str, Figures]]
    lacking: Mapping[str, Sequence[Item]]
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
    usage = read_usage(tables, journal, institutions, months) if journal is not None else Usage(months, OwnCodes({}))
    found = [cover_one(tables, one, months, usage, windows) for one in institutions]
    return Coverage(
        duty=the_duty(),
        months=tuple(months),
        institutions=tuple(found),
        imported=frozenset(version.system for version in tables.versions()),
    )


def read_usage(
    tables: CodesReader, journal: Path, institutions: Sequence[InstitutionConfig], months: Sequence[Month]
) -> Usage:
    """Read the evidence of the institutions' requests. Raises NotAJournal."""
    codes = {one.fixmedins_code for one in institutions}
    alone = institutions[0].fixmedins_code if len(institutions) == 1 else ""
    since_ms = months[0].start_ms - LOOKBACK_MS
    with journal_reading(journal) as reader:
        last = newest_id(reader.connection)
        odd = without_mapping(reader.connection, 0, last, since_ms)
        usage = Usage(months, own_codes(tables, (request for request in odd if request.fixmedins_code in codes)))
        requests = used(reader.connection, alone, since_ms, months[-1].end_ms)
        usage.take(request for request in requests if request.fixmedins_code in codes)
    return usage


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
    lacking: dict[str, Sequence[Item]] = {}
    for system in in_order(systems):
        sheets = [_Sheet(month, use[month.name].seen.get(system, {})) for month in months]
        _judge_all(tables, code, system, sheets, partial(windows, system))
        for sheet in sheets:
            money = use[sheet.month.name].by_library.get(system, NO_MONEY)
            counted = sheet.tally.figures(money.fen, money.coded)
            if counted != NOTHING:
                figures[sheet.month.name][system] = counted
        lacking[system] = sheets[-1].lacking
    return Covered(code=code, name=one.name, figures=figures, lacking=lacking, use=use)


@attrs.define(eq=False)
class _Sheet:
    """One month of one library while its codes are judged. lacking: the items without a valid national code."""

    month: Month
    seen: Mapping[str, Seen]
    tally: Tally = attrs.Factory(Tally)
    lacking: list[Item] = attrs.Factory(list)

    def judge(self, local: str, rows: Sequence[Row], stood: Standing, window: Window) -> None:
        seen = self.seen.get(local)
        if seen is None and not any(row.batch in stood for row in rows):
            return  # not there yet
        state = judge(rows, stood, seen, window, self.month.day)
        self.tally.add(state, seen or NOT_SEEN)
        if state in LACKING:
            self.lacking.append(Item(local, state, seen or NOT_SEEN))


def _judge_all(tables: CodesReader, institution: str, system: str, sheets: Sequence[_Sheet], window: Window) -> None:
    """Judge every code for every month in one pass over the rows, holding one code at a time."""
    proposals = [Proposal(*row) for row in past_proposals(tables.connection, institution, system)]
    stood = [standing(proposals, sheet.month.end_ms) for sheet in sheets]
    met: set[str] = set()
    for local, rows in by_code(tables, institution, system):
        for sheet, then in zip(sheets, stood, strict=True):
            sheet.judge(local, rows, then, window)
            if local in sheet.seen:
                met.add(local)
    for sheet, then in zip(sheets, stood, strict=True):
        for local in sheet.seen:
            if local not in met:
                sheet.judge(local, (), then, window)


def by_code(tables: CodesReader, institution: str, system: str) -> Iterator[tuple[str, list[Row]]]:
    """Yield every local code ever proposed with all its rows."""
    rows = map(Row._make, past_rows(tables.connection, institution, system))
    for local, group in groupby(rows, attrgetter("local")):
        yield local, list(group)


def in_order(systems: Iterable[str]) -> list[str]:
    """Return libraries in the order of the national standards; what belongs to none of them last."""
    standards = code_systems()
    return sorted(systems, key=lambda one: (standards[one].no if one in standards else 99, one))


def stored_windows(tables: CodesReader, standards: Iterable[str]) -> Windows:
    """Return the valid days of the codes that mappings name; a library never imported holds every code for ever."""
    imported = {version.system for version in tables.versions()}
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for system in imported.intersection(standards):
        wanted = targets(tables.connection, system)
        records = (row for row in tables.library(system) if row[0] in wanted) if wanted else ()
        held = {row[0]: record_of(*row[1:])[1:] for row in records}
        gone = dropped(tables, system, wanted - held.keys())
        found[system] = held | {code: one.record[1:] for code, one in gone.items()}
    return lambda system, code: found[system].get(code) if system in found else ("", LATEST)


def own_codes(tables: CodesReader, requests: Iterable[Request]) -> OwnCodes:
    """Look up what the institutions proposed for the codes of some requests that no mapping gave."""
    wanted: dict[tuple[str, str], set[str]] = {}
    for request in requests:
        for _, slot, local, _, version, _ in request.rows:
            if ":" not in slot and not version.startswith("m"):
                wanted.setdefault((request.fixmedins_code, slot), set()).add(local)
    found = OwnCodes(library_slots(SLOTS, code_systems()))
    for (institution, slot), codes in wanted.items():
        for system in found.slots.get(slot, ()):
            stood = standing([Proposal(*row) for row in past_proposals(tables.connection, institution, system)])
            for local, rows in by_code(tables, institution, system) if stood else ():
                if local in codes:
                    found.libraries[institution, slot, local] = system
                    taken = in_force_of(rows, stood)
                    if taken and not any(row.national for row in taken):
                        found.without.add((institution, system, local))
    return found
