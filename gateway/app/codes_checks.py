"""The content checks introduced to files and store: what they stand on is collected here and decided elsewhere.

Nothing here writes; `gateway.codes.checks` says what is wrong, the commands say it to people.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path
from typing import TypeAlias

import attrs
from cryptography.hazmat.primitives import hashes

from adapters.files.tables import Limits, Shape, Table, TableRefused, open_table
from adapters.store.codes_library_reader import LibraryLook
from adapters.store.codes_mappings import (
    DescribedRow,
    described,
    institutions_of,
    papers,
    raw_library,
    raw_records,
    raw_row,
)
from adapters.store.codes_reader import Batch, CodesReader
from gateway.app.codes_library import definition, shape_of
from gateway.codes import library, mapping, systems
from gateway.codes.checks.audit import check
from gateway.codes.checks.findings import Finding
from gateway.codes.checks.ground import STAFF, WARN_DAYS, Cap, Ground, Uploaded, institution_of
from gateway.codes.checks.national import National, RawRow, national
from gateway.codes.checks.targets import replacement
from gateway.codes.faults import Faults
from gateway.codes.local_facts import fact_titles
from gateway.codes.mapping import Proposed
from gateway.core.catalogue import CodeSystemSpec
from gateway.core.dates import day_of

FEW = 2000  # codes that are looked up one by one rather than by reading the whole library
Specs: TypeAlias = Mapping[str, CodeSystemSpec]


@attrs.frozen
class Dying:
    """A mapping in force whose national code ends before it does. last_day '' = it is of no use any day now."""

    institution: str
    local: str
    national: str
    last_day: str
    replaced_by: str
    message: str


@attrs.frozen(kw_only=True)
class Beside:
    """What may be given beside rows and library. uploaded: what 1317 returned, None = it was not asked."""

    caps: Mapping[str, tuple[Cap, ...]] = attrs.Factory(dict)
    approved: frozenset[str] | None = None
    warn_days: int = WARN_DAYS
    uploaded: tuple[Uploaded, ...] | None = None


NOTHING_BESIDE = Beside()


class Refused(Exception):
    """A file that is given beside the mapping cannot be used. faults: why."""

    def __init__(self, file: Path, faults: Faults) -> None:
        super().__init__(str(file))
        self.file, self.faults = file, faults


def mapping_shape(system: str) -> Shape:
    """Return the columns a mapping file may have: its own, and those that describe the local item."""
    return Shape(titles={**systems.MAPPING_TITLES, **fact_titles(system)}, key=systems.MAPPING_KEY)


def facts_text(row: Proposed) -> str:
    """Return a row's facts as they are stored, '' = none."""
    return json.dumps(dict(row.facts), ensure_ascii=False, sort_keys=True) if row.facts else ""


def proposed(rows: Iterable[DescribedRow]) -> Iterator[Proposed]:
    """Turn stored rows into rows to be judged."""
    for line, local, target, since, until, evidence, facts in rows:
        yield Proposed(line, local, target, since, until, evidence, json.loads(facts) if facts else {})


def content_digest(rows: Iterable[Proposed]) -> str:
    """Return the SM3 over all that a proposal says, row by row in the order of lines, hex.

    One line of JSON a row, `[local, national, from, to, evidence, facts]`: what two persons must have seen alike.
    """
    state = hashes.Hash(hashes.SM3())
    for row in rows:
        cells = [row.local, row.national, row.valid_from, row.valid_to, row.evidence, facts_text(row)]
        state.update(json.dumps(cells, ensure_ascii=False).encode() + b"\n")
    return state.finalize().hex()


def after(day: str, days: int) -> str:
    """Return the day so many days later."""
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()


# --- what the checks stand on ------------------------------------------------------------------------


def ground_of(
    reader: CodesReader,
    specs: Specs,
    system: str,
    institution: str,
    rows: Collection[Proposed],
    today: str,
    judge_closed: bool = False,
    closing: frozenset[str] = frozenset(),
    beside: Beside = NOTHING_BESIDE,
) -> Ground:
    """Return the ground for rows judged against the store's libraries."""
    registered = [national(row) for row in raw_records(reader, "medical_institution", [institution])]
    level = registered[0].says("level") if registered else ""
    warn_until = after(today, beside.warn_days)
    return Ground(
        system=system,
        today=today,
        warn_until=warn_until,
        form=re.compile(specs[system].regex) if system in specs else None,
        forms=systems.forms(specs),
        records=_records(reader, system, rows, warn_until),
        library=lambda: raw_library(reader, system),
        institution=institution_of(institution, level),
        closing=closing,
        judge_closed=judge_closed,
        caps=beside.caps,
        approved=beside.approved,
        uploaded=beside.uploaded,
    )


def _records(
    reader: CodesReader, system: str, rows: Collection[Proposed], warn_until: str
) -> dict[str, National] | None:
    """Return the records the rows name, and those that replace them; None when no library was imported.

    Attributes cost memory, so they are read only where a rule may ask for them.
    """
    if not any(version.system == system for version in reader.versions()):
        return None
    codes = {row.national for row in rows}
    full = codes if len(codes) <= FEW or system in STAFF else {row.national for row in rows if row.facts}
    found = {row[0]: national(row) for row in raw_records(reader, system, full)}
    if codes - full:
        light = (row for row in reader.library(system) if row[0] in codes and row[0] not in found)
        found |= {row[0]: national((*row, "")) for row in light}
        ending = [code for code, one in found.items() if one.record[2] <= warn_until and code not in full]
        found |= {row[0]: national(row) for row in raw_records(reader, system, ending)}
    found |= dropped(reader, system, codes - found.keys())
    others = _replacements(found, warn_until)
    return found | {row[0]: national(row) for row in raw_records(reader, system, others)}


def dropped(reader: CodesReader, system: str, codes: Collection[str]) -> dict[str, National]:
    """Return the last records of the codes a whole release names no more; each ends the day before that release.

    The national platform took such a code out of use, so it ended (MA05); MA06 is for codes no release ever held.
    """
    look = LibraryLook.of(reader, system)
    wholes = [version for version in look.versions[1:] if version.whole]
    known = {version.id for version in look.versions}
    found: dict[str, National] = {}
    for code in sorted(codes) if wholes else ():
        # A library that is just being imported lies there too, and counts for nothing yet.
        if record := next((one for one in look.history(code) if one.library in known), None):
            by = next(version for version in wholes if version.id > record.library)
            last = after(day_of(by.at_ms / 1000), -1)
            ended = attrs.evolve(record, enddate=min(record.enddate or last, last))
            found[code] = attrs.evolve(national(raw_row(ended)), dropped=True)
    return found


def _replacements(found: Mapping[str, National], warn_until: str) -> set[str]:
    """Return the codes that stand in for records that end, to tell their names."""
    ending = {one.says("replaced_by") for one in found.values() if one.record[2] <= warn_until}
    return ending - found.keys() - {""}


# --- checking files ------------------------------------------------------------------------------------


def check_file(file: Path, system: str, ground: Callable[[Sequence[Proposed]], Ground]) -> list[Finding]:
    """Return the findings on a mapping file: faults of form by row (annex C1), then content.

    ground: what to judge the sound rows against. Raises Refused when the file cannot be read as a table to its end,
    ColumnMissing, OSError.
    """
    faults = Faults()
    with ExitStack() as stack:
        table = opened(file, mapping_shape(system), faults, stack, Limits(size_bytes=512 << 20, rows=1_000_000))
        rows = mapping.parse(lines_of(file, table, faults), table.at, None, faults, table.title)
    if not rows and not faults:
        faults.add(0, "", "MF02", "文件没有数据行")
        raise Refused(file, faults)
    unsound = {fault.line for fault in faults}
    cells = {row.line: (row.local, row.national) for row in rows}
    findings = [
        Finding(fault.line, fault.column, *cells.get(fault.line, ("", "")), fault.rule, "error", fault.message)
        for fault in faults
    ]
    sound = [row for row in rows if row.line not in unsound]
    findings += check(sound, ground(sound))
    return sorted(findings, key=lambda one: one.line)


def file_ground(
    file: Path, specs: Specs, system: str, today: str, beside: Beside = NOTHING_BESIDE
) -> Callable[[Sequence[Proposed]], Ground]:
    """Return how to build the ground from a national library file. Raises as check_file; `system` must have one."""

    def build(rows: Sequence[Proposed]) -> Ground:
        form = re.compile(specs[system].regex)
        wanted = {row.national for row in rows}
        found = _file_records(file, system, form, wanted)
        warn_until = after(today, beside.warn_days)
        if others := _replacements(found, warn_until):
            found |= _file_records(file, system, form, others)
        return Ground(
            system=system,
            today=today,
            warn_until=warn_until,
            form=form,
            forms=systems.forms(specs),
            records=found,
            library=lambda: read_library(file, system, form),
            judge_closed=True,
            caps=beside.caps,
            approved=beside.approved,
        )

    return build


def _file_records(file: Path, system: str, form: re.Pattern[str], wanted: Collection[str]) -> dict[str, National]:
    return {row[0]: national(row) for row in read_library(file, system, form) if row[0] in wanted}


def read_library(file: Path, system: str, form: re.Pattern[str]) -> Iterator[RawRow]:
    """Yield the records of a national library file. Raises Refused after the last row when some were wrong."""
    faults = Faults()
    spec = definition(system)
    with ExitStack() as stack:
        table = opened(file, shape_of(spec), faults, stack, Limits())
        lines = lines_of(file, table, faults)
        for row in library.parse(lines, table.header, table.at, form, faults, spec.key, table.title):
            yield row.code, row.name, row.begndate, row.enddate, row.vali_flag, row.gray, row.raw
    if faults:
        raise Refused(file, faults)


def opened(file: Path, shape: Shape, faults: Faults, stack: ExitStack, limits: Limits) -> Table:
    """Open a table that is given beside the store. Raises Refused, ColumnMissing, OSError."""
    try:
        return open_table(file, shape, faults.add, stack, limits)
    except TableRefused as cause:
        faults.add(cause.line, "", cause.rule, cause.message)
        raise Refused(file, faults) from cause


def lines_of(file: Path, table: Table, faults: Faults) -> Iterator[tuple[int, list[str]]]:
    """Yield a table's rows, faulty cells empty. Raises Refused when the rest cannot be read."""
    try:
        yield from table.rows(faulty=True)
    except TableRefused as cause:
        faults.add(cause.line, "", cause.rule, cause.message)
        raise Refused(file, faults) from cause


# --- checking what the store holds -----------------------------------------------------------------------


@attrs.frozen
class _Stored:
    """A stored row under a number of its own, and where it came from: lines of several files may be equal."""

    row: Proposed
    line: int
    source: str


def check_store(
    reader: CodesReader, specs: Specs, system: str, institution: str, today: str, beside: Beside = NOTHING_BESIDE
) -> list[Finding]:
    """Return the findings on an institution's mappings as they would be if every waiting draft were approved.

    The row of a finding is the line of the file the mapping came from; the message names that file when there are
    several.
    """
    stored, closing = _stored(reader, institution, system, today)
    rows = [one.row for one in stored]
    ground = ground_of(reader, specs, system, institution, rows, today, True, closing, beside)
    several = len({one.source for one in stored}) > 1
    found = []
    for finding in check(rows, ground):
        one = stored[finding.line - 1] if finding.line else None
        note = f"（{one.source}）" if one is not None and several else ""
        line = one.line if one is not None else 0
        found.append(attrs.evolve(finding, line=line, message=finding.message + note))
    return sorted(found, key=lambda one: (one.line, one.local))


def _stored(reader: CodesReader, institution: str, system: str, today: str) -> tuple[list[_Stored], frozenset[str]]:
    """Return the rows, newest word on each local code only, and the local codes closed on purpose."""
    stored: list[_Stored] = []
    closing: set[str] = set()
    taken: set[str] = set()
    for batch in reversed(reader.batches(institution, system)):
        lines = _lines_that_count(reader, batch)
        mine = [row for row in proposed(described(reader, batch.id)) if row.line in lines and row.local not in taken]
        taken |= {row.local for row in mine}
        if papers(reader, batch.id).kind == "retire":
            closing |= {row.local for row in mine}
            mine = [row for row in mine if row.national and row.until > today]  # the others are done with
        for row in mine:
            stored.append(_Stored(attrs.evolve(row, line=len(stored) + 1), row.line, f"m{batch.id} {batch.source}"))
    return stored, frozenset(closing)


def _lines_that_count(reader: CodesReader, batch: Batch) -> set[int]:
    """Return the lines in force or waiting for a decision; not those that were given back."""
    waiting = reader.undecided(batch)
    return waiting | (reader.approved(batch) if batch.approvals else set())


# --- when the library changes ------------------------------------------------------------------------------


def dying_mappings(reader: CodesReader, specs: Specs, system: str, since: str, until: str) -> list[Dying]:
    """Return the mappings in force on `since` whose national code has its last day before `until` and before theirs.

    Those whose code is of no use on `since` already are among them, and those a whole release does not name any more;
    those whose code no library ever held are not, since it did not die (MA06 tells of them).
    """
    found = []
    for institution in institutions_of(reader, system):
        rows = [
            Proposed(line, local, target, begins, ends, evidence)
            for local, target, begins, ends, evidence, line, _ in reader.in_force(institution, system)
            if target
        ]
        live = [row for row in rows if row.until >= since]
        ground = ground_of(reader, specs, system, institution, live, since)
        for row in live:
            one = ground.target(row.national)
            if one is not None and one.record[2] < min(row.until, until):
                last = one.record[2]
                when = f"在{last}后停用" if last else "已停用"
                message = f"国家编码{row.national}{when}{replacement(one, ground)}"
                found.append(Dying(institution, row.local, row.national, last, one.says("replaced_by"), message))
    return found


def affected_mappings(reader: CodesReader, specs: Specs, system: str, today: str) -> dict[str, int]:
    """Return institution -> how many of its mappings are dead or die within the days that are told in advance."""
    counts: dict[str, int] = {}
    for one in dying_mappings(reader, specs, system, today, after(today, WARN_DAYS + 1)):
        counts[one.institution] = counts.get(one.institution, 0) + 1
    return counts
