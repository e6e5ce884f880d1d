"""Imports of mappings and approvals, as functions: files, store and decisions introduced to each other.

The commands of `gateway.app.cli_codes` say what came of it; nothing here prints. A refused import stores nothing.
"""

from contextlib import ExitStack
from pathlib import Path

import attrs

from adapters.files.tables import Limits
from adapters.store.codes import CodesReader, CodesWriter, Deed
from adapters.store.codes_mappings import catalogue, described, papers
from adapters.store.codes_reader import Batch
from gateway.app.codes_checks import content_digest, facts_text, ground_of, mapping_shape, proposed
from gateway.app.codes_files import Tick, code_systems, digest_of, lines_of, opened, reading, writing
from gateway.codes import mapping, systems
from gateway.codes.checks.audit import blocking, check
from gateway.codes.content import same_person
from gateway.codes.faults import Fault, Faults
from gateway.codes.mapping import Proposed
from gateway.core.dates import day_of

MAPPING_LIMITS = Limits(size_bytes=512 << 20, rows=1_000_000)


class SamePerson(Exception):
    """Maker and reviewer are one person, or one of them is nobody (MA17)."""


class ContentDiffers(Exception):
    """What is to be approved is not what was reviewed, or not what was proposed. Nothing was approved."""


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
    store: Path,
    institution: str,
    system: str,
    file: Path,
    maker: str,
    reviewer: str,
    now: float,
    tick: Tick,
    names_sent: bool = True,
) -> Mapped | Faults:
    """Store a mapping file as a proposal; with a reviewer, bring it into force at once (annex X2).

    names_sent: the institution's link sends national names (annex X12).
    Raises SamePerson, ColumnMissing, OSError, sqlite3.Error.
    """
    if reviewer and same_person(maker, reviewer):
        raise SamePerson(maker)
    faults = Faults()
    spec = code_systems().get(system)
    with ExitStack() as stack:
        table = opened(file, mapping_shape(system), faults, stack, MAPPING_LIMITS)
        if table is None:
            return faults
        form = systems.record_form(spec) if spec else None
        rows = mapping.parse(lines_of(table, faults, tick), table.at, form, faults, table.title)
    if not faults and not rows:
        faults.add(0, "", "MF02", "文件没有数据行")
    if faults:
        return faults
    with writing(store) as writer:
        deed = Deed(maker, int(now * 1000))
        batch = writer.begin_batch(institution, system, file.name, deed)
        cells = (
            (row.line, row.local, row.national, row.valid_from, row.valid_to, row.evidence, facts_text(row))
            for row in rows
        )
        for _ in writer.add_mappings(batch, cells):
            tick(file.stat().st_size)
        with reading(store) as reader:
            findings = _blocking(reader, system, institution, rows, day_of(now), names_sent)
            known = catalogue(reader, system)
        writer.propose(batch, len(rows), digest_of(file), deed, content_digest(rows))
        found = tuple(findings[line] for line in sorted(findings))
        if not reviewer:
            return Mapped(batch, len(rows), found, None)
        refusals = [(fault.line, fault.rule, fault.message) for fault in found]
        writer.approve(batch, len(rows) - len(found), refusals, Deed(reviewer, int(now * 1000)), known)
    return Mapped(batch, len(rows), found, Approved(batch, file.name, len(rows) - len(found), found))


def approve(
    store: Path,
    institution: str,
    system: str,
    reviewer: str,
    every: bool,
    now: float,
    content: str = "",
    names_sent: bool = True,
) -> tuple[list[Approved], int]:
    """Bring proposals into force: the newest that has undecided rows, or every such one, oldest first.

    content: what the reviewer saw (`map review`), '' = not said. Return what was approved, and how many proposals with
    undecided rows remain. Raises SamePerson, ContentDiffers, OSError, sqlite3.Error.
    """
    with writing(store) as writer, ExitStack() as stack:
        reader = stack.enter_context(reading(store))
        batches = reader.batches(institution, system)
        waiting = [one for one in batches if reader.undecided(one)]
        chosen = waiting if every else waiting[-1:]
        drafts = [_draft(reader, batch, content) for batch in chosen]
        for batch in chosen:
            if same_person(batch.maker, reviewer):
                raise SamePerson(reviewer)
        deed = Deed(reviewer, int(now * 1000))
        results = []
        for draft in drafts:
            later = [one for one in batches if one.id > draft.batch.id]
            findings = (
                {} if draft.closes else _blocking(reader, system, institution, draft.rows, day_of(now), names_sent)
            )
            results.append(_approve_one(writer, reader, draft, later, findings, deed))
    return results, len(waiting) - len(chosen)


@attrs.frozen
class _Draft:
    """A proposal read for its decision. closes: it only ends rows, so there is no new content to judge."""

    batch: Batch
    rows: list[Proposed]
    closes: bool


def _draft(reader: CodesReader, batch: Batch, content: str) -> _Draft:
    """Read a proposal; raise ContentDiffers unless it is what was proposed and, when told, what was seen."""
    rows = list(proposed(described(reader, batch.id)))
    about = papers(reader, batch.id)
    digest = content_digest(rows)
    if about.content not in ("", digest) or content not in ("", digest):
        raise ContentDiffers(f"m{batch.id}（{batch.source}）现在的内容摘要是{digest}")
    return _Draft(batch, rows, about.kind == "retire")


def _blocking(
    reader: CodesReader, system: str, institution: str, rows: list[Proposed], today: str, names_sent: bool
) -> dict[int, Fault]:
    """Return line -> what keeps a row out of force."""
    ground = ground_of(reader, code_systems(), system, institution, rows, today)
    return {line: one.fault() for line, one in blocking(check(rows, ground), names_sent).items()}


def _approve_one(
    writer: CodesWriter, reader: CodesReader, draft: _Draft, later: list[Batch], findings: dict[int, Fault], deed: Deed
) -> Approved:
    """Approve what is undecided, sound (judged anew: libraries change) and not taken over since."""
    batch = draft.batch
    undecided, newer = reader.undecided(batch), reader.taken_later(later)
    outdated = {row.line for row in draft.rows if row.line in undecided and row.local in newer}
    refused = tuple(findings[line] for line in sorted(findings) if line in undecided - outdated)
    kept_out = [(fault.line, fault.rule, fault.message) for fault in refused]
    kept_out += [(line, "OUTDATED", "院内编码已由更新的批次对码") for line in sorted(outdated)]
    approved = len(undecided) - len(kept_out)
    writer.approve(batch.id, approved, kept_out, deed, catalogue(reader, batch.system))
    return Approved(batch.id, batch.source, approved, refused, len(outdated))
