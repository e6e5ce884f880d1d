"""Imports into the codes room and approvals, as functions: files, store and decisions introduced to each other.

The commands of `gateway.app.cli_codes` say what came of it; nothing here prints. A refused import stores nothing.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import attrs
import msgspec
from cryptography.hazmat.primitives import hashes

import schemas
from adapters.files.tables import Limits, Shape, Table, TableRefused, open_table
from adapters.store.codes import CodesReader, CodesStore, CodesWriter, Deed
from adapters.store.codes_reader import Batch
from gateway.codes import library, mapping, systems
from gateway.codes.content import Find, judge, same_person
from gateway.codes.faults import Fault, Faults
from gateway.core.catalogue import CodeSystemSpec, TransactionSpec
from gateway.core.codes import Record
from gateway.core.dates import day_of

SCRIPTS = tuple(schemas.read("migrations/codes", ".sql"))
MAPPING_LIMITS = Limits(size_bytes=512 << 20, rows=1_000_000)
# The 13xx downloads that fill a library; their files come without a header (annex C3).
DOWNLOADS = {
    "drug": ("1301", "1302", "1303", "1320"),
    "service_item": ("1305", "1321"),
    "consumable": ("1306", "1306A"),
    "diagnosis": ("1307",),
    "operation": ("1308",),
    "chronic_disease": ("1309",),
    "settlement_disease": ("1310",),
    "day_surgery": ("1311",),
}
Tick = Callable[[int], None]  # is told how many bytes of the file were read so far


class NoVersion(Exception):
    """A library file names no version and none was given (`--ver`)."""


class SamePerson(Exception):
    """Maker and reviewer are one person, or one of them is nobody (MA17)."""


@attrs.frozen
class Imported:
    """A library version that came into force."""

    system: str
    ver: str
    rows: int
    digest: str


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


def code_systems() -> dict[str, CodeSystemSpec]:
    """Return the national code standards by id."""
    files = schemas.read("code_systems", ".json")
    found = (msgspec.json.decode(content, type=CodeSystemSpec) for _, content in files)
    return {spec.id: spec for spec in found}


def import_library(
    store: Path, system: str, file: Path, ver: str, now: float, operator: str, tick: Tick
) -> Imported | Faults:
    """Import a national library file as a new version. Raises ColumnMissing, NoVersion, OSError, sqlite3.Error."""
    faults = Faults()
    form = re.compile(code_systems()[system].regex)
    deed = Deed(operator, int(now * 1000))
    with ExitStack() as stack:
        shape = Shape(titles=systems.library_titles(system), key=("code",), layouts=layouts(system))
        table = _opened(file, shape, faults, stack, Limits())
        if table is None:
            return faults
        if not ver and "ver" not in table.at:
            raise NoVersion(file.name)
        writer = stack.enter_context(_writing(store))
        number = writer.begin_library(system, file.name, deed)
        counter = _Counter(ver)
        rows = counter.cells(library.parse(_lines(table, faults, tick), table.header, table.at, form, faults))
        for line, earlier in writer.add_library_rows(number, rows):
            faults.add(line, "code", "MF10", f"国家编码与第{earlier}行重复")
        if not faults and not counter.rows:
            faults.add(0, "", "MF02", "文件没有数据行")
        if faults:
            writer.abandon()
            return faults
        if not counter.ver:
            writer.abandon()
            raise NoVersion(file.name)
        digest = digest_of(file)
        writer.release(number, counter.ver, counter.rows, digest, deed)
    return Imported(system, counter.ver, counter.rows, digest)


@attrs.define(eq=False)
class _Counter:
    """Counts the rows on their way to the store, and finds the newest `ver` among them when none was given."""

    ver: str
    rows: int = 0

    def cells(self, rows: Iterable[library.LibraryRow]) -> Iterator[tuple[str, str, str, str, str, str, int, str]]:
        given = bool(self.ver)
        for row in rows:
            self.rows += 1
            if not given and row.ver > self.ver:
                self.ver = row.ver
            yield row.code, row.name, row.begndate, row.enddate, row.vali_flag, row.gray, row.line, row.raw


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
        table = _opened(file, shape, faults, stack, MAPPING_LIMITS)
        if table is None:
            return faults
        form = re.compile(spec.regex) if spec else None
        rows = mapping.parse(_lines(table, faults, tick), table.at, form, faults)
    if not faults and not rows:
        faults.add(0, "", "MF02", "文件没有数据行")
    if faults:
        return faults
    with _writing(store) as writer:
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
    with _writing(store) as writer, ExitStack() as stack:
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


def digest_of(file: Path) -> str:
    """Return the SM3 of a file's bytes, hex."""
    state = hashes.Hash(hashes.SM3())
    with file.open("rb") as stream:
        while piece := stream.read(1 << 20):
            state.update(piece)
    return state.finalize().hex()


def _opened(file: Path, shape: Shape, faults: Faults, stack: ExitStack, limits: Limits) -> Table | None:
    try:
        return open_table(file, shape, faults.add, stack, limits)
    except TableRefused as cause:
        faults.add(cause.line, "", cause.rule, cause.message)
        return None


def _lines(table: Table, faults: Faults, tick: Tick) -> Iterator[tuple[int, list[str]]]:
    """Yield a table's rows; what ends the reading becomes a fault like the others."""
    try:
        for number, row in enumerate(table.rows()):
            if number % 2000 == 0:
                tick(table.place())
            yield row
    except TableRefused as cause:
        faults.add(cause.line, "", cause.rule, cause.message)


def layouts(system: str) -> tuple[tuple[str, ...], ...]:
    """Return the columns of the downloads that fill a library."""
    wanted = {f"transactions/{infno}.json" for infno in DOWNLOADS.get(system, ())}
    found = []
    for name, content in schemas.read("transactions", ".json"):
        if name in wanted:
            spec = msgspec.json.decode(content, type=TransactionSpec)
            found += [node.file_columns for node in spec.output.values() if node.file_columns]
    return tuple(found)


def _finder(reader: CodesReader, system: str) -> Find | None:
    """Return how to find a record of the system's library in force; None when there is none."""
    records: dict[str, Record] = {row[0]: library.record_of(*row[1:]) for row in reader.library(system)}
    return records.get if records else None


@contextmanager
def _writing(store: Path) -> Iterator[CodesWriter]:
    writer = CodesWriter.open(store, SCRIPTS)
    try:
        yield writer
    finally:
        writer.close()


@contextmanager
def reading(store: Path) -> Iterator[CodesReader]:
    reader = CodesStore.open(store, SCRIPTS).tables()
    try:
        yield reader
    finally:
        reader.close()
