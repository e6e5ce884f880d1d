"""The life of a mapping between two persons: what is waiting, giving it back, ending it, and its whole story.

proposed (by A) → checked (by B ≠ A) → approved; or returned with a reason; later closed. Nothing is edited: an end is a
new proposal that holds the same rows with their last day, and needs the same two persons (mapping rules §2, §7).
"""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import attrs

from adapters.store.codes import Deed
from adapters.store.codes_mappings import Stage, catalogue, described, life, papers
from adapters.store.codes_reader import Batch, CodesReader
from gateway.app.codes_checks import content_digest, facts_text, ground_of, proposed
from gateway.app.codes_files import code_systems, reading, writing
from gateway.app.codes_work import SamePerson
from gateway.codes.checks.audit import check
from gateway.codes.checks.findings import Finding
from gateway.codes.content import same_person
from gateway.codes.mapping import Proposed
from gateway.core.dates import day_of


class NothingWaits(Exception):
    """No proposal of this institution and system waits for a decision, or not the one that was named."""


class NotInForce(Exception):
    """Local codes that were to be retired have no mapping in force. Nothing was changed."""


@attrs.frozen
class Waiting:
    """A proposal as the second person sees it. lines: those not decided yet; content: SM3 of all its rows."""

    batch: Batch
    kind: str
    reason: str
    rows: tuple[Proposed, ...]
    lines: frozenset[int]
    content: str
    findings: tuple[Finding, ...]
    catalogue: str


def review(
    store: Path, institution: str, system: str, version: str, reviewer: str, returned_for: str, now: float
) -> Waiting:
    """Show the newest waiting proposal, or the one named; with a reviewer, write down that it was looked through.

    returned_for: give it back to its maker for this reason. Raises NothingWaits, SamePerson, OSError, sqlite3.Error.
    """
    with reading(store) as reader:
        found = _waiting(reader, institution, system, version, day_of(now))
    if not reviewer:
        return found
    if same_person(found.batch.maker, reviewer):
        raise SamePerson(reviewer)
    with writing(store) as writer, reading(store) as reader:
        # Somebody may have decided between the look and the lock.
        found = _waiting(reader, institution, system, f"m{found.batch.id}", day_of(now))
        deed = Deed(reviewer, int(now * 1000))
        if returned_for:
            writer.give_back(found.batch.id, returned_for, deed)
        else:
            writer.note_check(found.batch.id, found.content, deed)
    return found


def _waiting(reader: CodesReader, institution: str, system: str, version: str, today: str) -> Waiting:
    for batch in reversed(reader.batches(institution, system)):
        lines = reader.undecided(batch)
        if not lines or version not in ("", f"m{batch.id}"):
            continue
        rows = list(proposed(described(reader, batch.id)))
        about = papers(reader, batch.id)
        findings = []
        if about.kind != "retire":
            ground = ground_of(reader, code_systems(), system, institution, rows, today)
            findings = [one for one in check(rows, ground) if one.line in lines]
        return Waiting(
            batch, about.kind, about.reason, tuple(rows), frozenset(lines), content_digest(rows), tuple(findings),
            catalogue(reader, system),
        )  # fmt: skip
    raise NothingWaits(version)


@attrs.frozen
class Retired:
    """A proposal that closes rows. in_force: a reviewer was named, so it holds already."""

    batch: int
    rows: tuple[Proposed, ...]
    content: str
    in_force: bool


def retire(
    store: Path,
    institution: str,
    system: str,
    locals_: Collection[str],
    maker: str,
    reviewer: str,
    day: str,
    reason: str,
    now: float,
) -> Retired:
    """Close every row in force of these local codes with `day` as their last; with a reviewer, at once.

    Rows that would only begin later are dropped. Raises SamePerson, NotInForce, OSError, sqlite3.Error.
    """
    if not maker.strip() or (reviewer and same_person(maker, reviewer)):
        raise SamePerson(maker)
    wanted = list(dict.fromkeys(locals_))
    with writing(store) as writer, reading(store) as reader:
        current = _in_force(reader, institution, system, set(wanted))
        missing = [local for local in wanted if local not in current]
        if missing:
            raise NotInForce("、".join(missing[:20]))
        closed: list[Proposed] = []
        for local in wanted:
            closed += _closed(current[local], local, day, reason)
        rows = [attrs.evolve(row, line=number) for number, row in enumerate(closed, start=2)]
        deed, content = Deed(maker, int(now * 1000)), content_digest(rows)
        batch = writer.begin_batch(institution, system, "停用", deed, "retire", reason)
        cells = (
            (row.line, row.local, row.national, row.valid_from, row.valid_to, row.evidence, facts_text(row))
            for row in rows
        )
        for _ in writer.add_mappings(batch, cells):
            continue
        writer.propose(batch, len(rows), "", deed, content)
        if reviewer:
            writer.approve(batch, len(rows), [], Deed(reviewer, int(now * 1000)), catalogue(reader, system))
    return Retired(batch, tuple(rows), content, bool(reviewer))


def current(reader: CodesReader, institution: str, system: str) -> Iterator[Proposed]:
    """Yield the rows in force with their facts. A code that was retired before its rows began has none."""
    lines: dict[int, set[int]] = {}
    for row in reader.in_force(institution, system):
        lines.setdefault(row[6], set()).add(row[5])
    for batch, mine in lines.items():
        ends = papers(reader, batch).kind == "retire"
        for one in proposed(described(reader, batch)):
            if one.line in mine and (one.national or not ends):
                yield one


def _in_force(reader: CodesReader, institution: str, system: str, wanted: set[str]) -> dict[str, list[Proposed]]:
    """Return the rows in force of some local codes."""
    found: dict[str, list[Proposed]] = {}
    for row in current(reader, institution, system):
        if row.local in wanted:
            found.setdefault(row.local, []).append(row)
    return found


def _closed(rows: Sequence[Proposed], local: str, day: str, reason: str) -> list[Proposed]:
    """Return the rows with their last day; one that says "none any more" when all would only begin later."""
    kept = [attrs.evolve(row, valid_to=min(row.until, day)) for row in rows if row.valid_from <= day]
    return kept or [Proposed(0, local, "", "", "", f"停用：{reason}"[:2000])]


def story(store: Path, institution: str, system: str, local: str) -> list[Stage]:
    """Return every row a local code ever had and what became of it, oldest first."""
    with reading(store) as reader:
        return life(reader, institution, system, local)
