"""What the libraries hold, as functions: the overview, one library's analysis, its export."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs
import msgspec

from adapters.files.export import write_table
from adapters.store.codes import CodesReader
from adapters.store.codes_library_reader import LibraryLook, StoredRecord
from adapters.store.codes_reader import LibraryVersion
from adapters.store.evidence_reader import uses
from adapters.store.journal_reader import reading as journal_reading
from gateway.codes.library import record_of
from gateway.core.checks import ITEM
from gateway.core.code_systems import CodeSystemSpec
from gateway.core.codes import SLOTS
from gateway.core.dates import shanghai

FIXED = ("code", "name", "begndate", "enddate", "vali_flag", "gray", "replaced_by", "ver")
SOON_DAYS = 30


def month_of(at_ms: int) -> str:
    return f"{shanghai(at_ms / 1000):%Y-%m}"


@attrs.define(eq=False)
class Validity:
    """How many records could be used on a day, and why the others could not."""

    day: str
    soon: str
    rows: int = 0
    usable: int = 0
    stopped: int = 0
    gray: int = 0
    ended: int = 0
    not_yet: int = 0
    ends_soon: int = 0

    def meets(self, begndate: str, enddate: str, vali_flag: str, gray: str) -> None:
        """Count one record."""
        self.rows += 1
        if gray == "1":
            self.gray += 1
        elif vali_flag != "1":
            self.stopped += 1
        elif enddate and enddate < self.day:
            self.ended += 1
        elif begndate > self.day:
            self.not_yet += 1
        else:
            self.usable += 1
            self.ends_soon += bool(enddate and enddate <= self.soon)


def validity(reader: CodesReader, system: str, day: str, soon: str) -> Validity:
    """Count a library's records in force. day, soon: yyyy-MM-dd."""
    found = Validity(day, soon)
    for _, _, *rest in reader.library(system):
        found.meets(*rest)
    return found


def months(look: LibraryLook) -> list[dict[str, Any]]:
    """Return what every month's versions brought: new codes, records anew, files and records by hand."""
    at = {version.id: month_of(version.at_ms) for version in look.versions}
    found: dict[str, dict[str, Any]] = {}
    for version in look.versions:
        one = found.setdefault(at[version.id], {"month": at[version.id], "added": 0, "again": 0, "versions": []})
        one["versions"].append(version.ver)
    for _, libraries in look.lives():
        known = [library for library in libraries if library in at]
        for number, library in enumerate(known):
            found[at[library]]["again" if number else "added"] += 1
    return list(found.values())


def use_by_institution(journal: Path, system: str, since_ms: int) -> list[dict[str, Any]]:
    """Return, for every institution, its uses of a system's codes since a moment. Raises NotAJournal."""
    if not journal.exists():
        return []
    items = ITEM if system in SLOTS[ITEM] else system
    counts: dict[str, int] = {}
    codes: dict[str, set[str]] = {}
    with journal_reading(journal) as opened:
        for use in uses(opened, since_ms):
            if use.system in (system, items):
                counts[use.institution] = counts.get(use.institution, 0) + 1
                codes.setdefault(use.institution, set()).add(use.national)
    return [
        {"institution": institution, "uses": counts[institution], "codes": len(codes[institution])}
        for institution in sorted(counts)
    ]


def mapped(reader: CodesReader, system: str, institutions: Sequence[str]) -> list[dict[str, Any]]:
    """Return, for every institution, how many of the local codes it ever proposed are mapped, and how many are not."""
    found = []
    for institution in institutions:
        in_force = list(reader.in_force(institution, system))
        named = {row[0] for batch in reader.batches(institution, system) for row in reader.rows(batch)}
        without = {row[0] for row in in_force if not row[1]}
        targets = {row[1] for row in in_force if row[1]}
        mapped_codes = {row[0] for row in in_force if row[1]}
        found.append(
            {
                "institution": institution,
                "local_codes": len(named),
                "mapped": len(mapped_codes),
                "decided_none": len(without - mapped_codes),
                "unmapped": len(named - mapped_codes - without),
                "national_codes": len(targets),
            }
        )
    return found


def export(reader: CodesReader, spec: CodeSystemSpec, versions: Sequence[LibraryVersion], day: str, out: Path) -> int:
    """Write a library as it stood at some versions, whole or what could be used on a day; return the rows."""
    look = LibraryLook.of(reader, spec.id)
    vers = {version.id: version.ver for version in look.versions}
    taken = {title for role in FIXED for title in (*spec.titles(role), role)}
    # The titles of all files that count; those a fixed column stands for are not repeated.
    titles = [title for version in versions for title in msgspec.json.decode(version.columns, type=list[str])]
    rest = [title for title in dict.fromkeys(titles) if title not in taken]

    def rows() -> Iterator[list[str]]:
        for record in look.records(versions):
            if day and not _usable(record, day):
                continue
            cells = msgspec.json.decode(record.raw, type=dict[str, str])
            fixed = [vers[record.library] if name == "ver" else str(getattr(record, name)) for name in FIXED]
            yield [*fixed, *(cells.get(title, "") for title in rest)]

    return write_table(out, (*FIXED, *rest), rows())


def _usable(record: StoredRecord, day: str) -> bool:
    _, since, until = record_of(record.name, record.begndate, record.enddate, record.vali_flag, record.gray)
    return since <= day <= until
