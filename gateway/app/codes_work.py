"""Imports of mappings and approvals, as functions: files, store and decisions introduced to each other.

The commands of `gateway.app.cli_codes` say what came of it; nothing here prints. A refused import stores nothing.
"""

from contextlib import ExitStack
from pathlib import Path

import attrs

from adapters.files.tables import Limits, Shape
from adapters.store.codes import CodesReader, CodesWriter, Deed
from adapters.store.codes_reader import Batch
from gateway.app.codes_files import Tick, code_systems, digest_of, lines_of, opened, reading, writing
from gateway.codes import library, mapping, systems
from gateway.codes.content import Find, judge, same_person
from gateway.codes.faults import Fault, Faults
from gateway.codes.loading import HELD_MAX, LookedUp
from gateway.core.dates import day_of

MAPPING_LIMITS = Limits(size_bytes=512 << 20, rows=1_000_000)


class SamePerson(Exception):
    """Maker and reviewer are one person, or one of them is nobody (MA17)."""


@attrs.frozen
class Approved:
    """What a review brought into force. refused: rows that stay drafts; outdated: rows a later file took over."""

    batch: int
    source: str
    approved: int
    refused: tuple[Fault, ...] = ()
    outdated: int = 0


@attrs.frozen
class Mapped:
    """A proposal that was stored. findings: what would keep rows out of force; approval: when reviewed at once."""

    batch: int
    rows: int
    findings: tuple[Fault, ...]
    approval: Approved | None


def import_mapping(
    store: Path, institution: str, system: str, file: Path, maker: str, reviewer: str, now: float, tick: Tick
) -> Mapped | Faults:
    """Store a mapping file as a proposal; with a reviewer, bring it into force at once (annex X2).

    Raises SamePerson, ColumnMissing, OSError, sqlite3.Error.
    """
    if reviewer and same_person(maker, reviewer):
        raise SamePerson(maker)
    faults = Faults()
    spec = code_systems().get(system)
    with ExitStack() as stack:
        shape = Shape(titles=systems.MAPPING_TITLES, key=systems.MAPPING_KEY)
        table = opened(file, shape, faults, stack, MAPPING_LIMITS)
        if table is None:
            return faults
        form = systems.record_form(spec) if spec else None
        rows = mapping.parse(lines_of(table, faults, tick), table.at, form, faults)
    if not faults and not rows:
        faults.add(0, "", "MF02", "文件没有数据行")
    if faults:
        return faults
    with writing(store) as writer:
        deed = Deed(maker, int(now * 1000))
        batch = writer.begin_batch(institution, system, file.name, deed)
        cells = ((row.line, row.local, row.national, row.valid_from, row.valid_to, row.evidence) for row in rows)
        for _ in writer.add_mappings(batch, cells):
            tick(file.stat().st_size)
        with reading(store) as reader:
            findings = judge(rows, _finder(reader, system), day_of(now))
        writer.propose(batch, len(rows), digest_of(file), deed)
        found = tuple(findings[line] for line in sorted(findings))
        if not reviewer:
            return Mapped(batch, len(rows), found, None)
        refusals = [(fault.line, fault.rule, fault.message) for fault in found]
        writer.approve(batch, len(rows) - len(found), refusals, Deed(reviewer, int(now * 1000)))
    return Mapped(batch, len(rows), found, Approved(batch, file.name, len(rows) - len(found), found))


def approve(
    store: Path, institution: str, system: str, reviewer: str, every: bool, now: float
) -> tuple[list[Approved], int]:
    """Bring proposals into force: the newest that has undecided rows, or every such one, oldest first.

    Return what was approved, and how many proposals with undecided rows remain. Raises SamePerson, OSError,
    sqlite3.Error.
    """
    with writing(store) as writer, ExitStack() as stack:
        reader = stack.enter_context(reading(store))
        batches = reader.batches(institution, system)
        waiting = [one for one in batches if reader.undecided(one)]
        chosen = waiting if every else waiting[-1:]
        for batch in chosen:
            if same_person(batch.maker, reviewer):
                raise SamePerson(reviewer)
        find = _finder(reader, system) if chosen else None
        deed = Deed(reviewer, int(now * 1000))
        results = [
            _approve_one(writer, reader, batch, [one for one in batches if one.id > batch.id], find, deed, day_of(now))
            for batch in chosen
        ]
    return results, len(waiting) - len(chosen)


def _approve_one(
    writer: CodesWriter,
    reader: CodesReader,
    batch: Batch,
    later: list[Batch],
    find: Find | None,
    deed: Deed,
    today: str,
) -> Approved:
    """Judge a proposal anew (libraries change) and approve what is undecided, sound and not taken over since."""
    rows = [
        mapping.Proposed(line, local, national, since, until, evidence)
        for local, national, since, until, evidence, line, _ in reader.rows(batch)
    ]
    undecided, newer = reader.undecided(batch), reader.taken_later(later)
    findings = judge(rows, find, today)
    outdated = {row.line for row in rows if row.line in undecided and row.local in newer}
    refused = tuple(findings[line] for line in sorted(findings) if line in undecided - outdated)
    kept_out = [(fault.line, fault.rule, fault.message) for fault in refused]
    kept_out += [(line, "OUTDATED", "院内编码已由更新的批次对码") for line in sorted(outdated)]
    approved = len(undecided) - len(kept_out)
    writer.approve(batch.id, approved, kept_out, deed)
    return Approved(batch.id, batch.source, approved, refused, len(outdated))


def _finder(reader: CodesReader, system: str) -> Find | None:
    """Return how to find a record of the system's library in force; None when there is none.

    A big library is looked up row by row: holding three million records to judge a few would cost a gigabyte.
    """
    if system not in reader.sizes():
        return None
    if reader.sizes()[system] > HELD_MAX:
        return LookedUp(reader.shelf(system)).get
    return {row[0]: library.record_of(*row[1:]) for row in reader.library(system)}.get
