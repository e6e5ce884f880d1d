"""Imports into the national libraries and records written by hand, as functions: `import_library` is also for whoever
brings a downloaded file. A refused import stores nothing; an interrupted one goes on from where it was when the same
file is imported in the same way.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import attrs
import msgspec
from cryptography.hazmat.primitives import hashes

from adapters.files.cells import has_control
from adapters.files.tables import Limits, Shape, Table
from adapters.store.codes import CodesReader, CodesWriter, Deed
from adapters.store.codes_libraries import LibraryWriter, RecordCells
from adapters.store.codes_library_reader import LibraryLook
from gateway.app.codes_files import Tick, code_systems, digest_of, layouts, lines_of, opened, registers, writing
from gateway.codes import library, systems
from gateway.codes.faults import Faults
from gateway.codes.spelling import words
from gateway.core.code_systems import KEY_JOIN, CodeSystemSpec
from gateway.core.dates import day_of

LIBRARY_LIMITS = Limits()
ROWS_READ = 1  # to be raised with any change of how a row is read: what an older program stored is not gone on with
BY_HAND = "人工"  # the source of a record that no file brought


class NoVersion(Exception):
    """A library file names no version and none was given (`--ver`)."""


class NotItsTransaction(Exception):
    """The transaction named does not fill this library."""


class UnknownRecord(Exception):
    """The library in force holds no record of this code."""


@attrs.frozen
class Imported:
    """A library version that came into force. again: the same file was in force before, nothing was stored; before:
    rows an interrupted import of the same file had stored already."""

    system: str
    ver: str
    rows: int
    digest: str
    again: bool = False
    before: int = 0


def definition(system: str) -> CodeSystemSpec:
    """Return the definition of a library or register. Raises KeyError."""
    return (code_systems() | registers())[system]


def shape_of(spec: CodeSystemSpec, transaction: str = "") -> Shape:
    """Return which columns a file of a library may have. Raises NotItsTransaction."""
    found = layouts(spec, transaction)
    if transaction and not found:
        raise NotItsTransaction(transaction)
    return Shape(titles=systems.library_titles(spec), key=systems.library_key(spec), layouts=found)


def import_library(
    store: Path,
    system: str,
    file: Path,
    ver: str,
    now: float,
    operator: str,
    tick: Tick,
    *,
    transaction: str = "",
    whole: bool = False,
) -> Imported | Faults:
    """Import a library file as a new version that comes into force at once and whole.

    ver '' = the newest in the file; transaction: whose columns a file without header has; whole: codes the file lacks
    are in force no more (else it adds and replaces). Raises ColumnMissing, NoVersion, NotItsTransaction, KeyError,
    OSError, sqlite3.Error.
    """
    faults, spec = Faults(), definition(system)
    shape = shape_of(spec, transaction)
    with ExitStack() as stack:
        table = opened(file, shape, faults, stack, LIBRARY_LIMITS)
        if table is None:
            return faults
        if not ver and "ver" not in table.at:
            raise NoVersion(file.name)
        digest = digest_of(file)
        writer = stack.enter_context(writing(store))
        if (same := _in_force_already(writer, system, digest, ver, whole)) is not None:
            return same
        deed = Deed(operator, int(now * 1000))
        binding = _binding(spec, table, digest, ver, whole)
        version = LibraryWriter.go_on(writer, system, file.name, deed, binding)
        if version is None:
            columns = [title for title in table.header if title not in systems.UNKEPT_COLUMNS]
            version = LibraryWriter.begin(
                writer, system, file.name, deed, whole=whole, columns=columns, binding=binding
            )  # fmt: skip
        before, counter = version.count, _Counter(ver, version.ver)
        rows = counter.cells(rows_of(spec, table, faults, tick, version.line))
        for _ in version.add(rows, lambda: None if faults else counter.newest):
            tick(table.place())
        _enter(version, spec, faults, table)
        if not faults and not version.count:
            faults.add(0, "", "MF02", "文件没有数据行")
        if faults or not counter.ver:
            writer.abandon_import()
            if faults:
                return faults
            raise NoVersion(file.name)
        version.release(counter.ver, digest, deed)
    return Imported(system, counter.ver, version.count, digest, before=before)


def _binding(spec: CodeSystemSpec, table: Table, digest: str, ver: str, whole: bool) -> str:
    """Return what an interrupted import may only be gone on with: the same bytes, read and judged in the same way."""
    form = systems.record_form(spec).pattern
    words = [ROWS_READ, spec.id, digest, ver, whole, table.header, sorted(table.at.items()), form, spec.key]
    state = hashes.Hash(hashes.SM3())
    state.update(msgspec.json.encode(words))
    return state.finalize().hex()


def rows_of(
    spec: CodeSystemSpec, table: Table, faults: Faults, tick: Tick, after: int = 0
) -> Iterator[library.LibraryRow]:
    """Yield the rows of an opened library file that have no fault, behind a line."""
    form = systems.record_form(spec)
    return library.parse(
        lines_of(table, faults, tick, after), table.header, table.at, form, faults, spec.key, table.title
    )


def order_of(spec: CodeSystemSpec, faults: Faults, table: Table) -> library.Order:
    """Return what watches the codes of a library file for those that come twice."""
    periods = spec.key[-1:] == ("begndate",)
    return library.Order(faults, periods, library.title_of_code(spec.key, table.title), table.title("begndate"))


def _enter(version: LibraryWriter, spec: CodeSystemSpec, faults: Faults, table: Table) -> None:
    order = order_of(spec, faults, table)
    for one in version.enter():
        order.passes(one.code, one.line, one.enddate)


def _in_force_already(writer: CodesWriter, system: str, digest: str, ver: str, whole: bool) -> Imported | None:
    """Return a system's newest version when it is this very file: a command repeated after a break does no harm."""
    versions = CodesReader(writer.connection).of(system)
    newest = versions[-1] if versions else None
    if newest is None or newest.digest != digest or bool(newest.whole) < whole or ver not in ("", newest.ver):
        return None
    return Imported(system, newest.ver, newest.count, digest, again=True)


def cells_of(row: library.LibraryRow) -> RecordCells:
    """Return a row as the store takes it."""
    return (
        row.code, row.name, row.begndate, row.enddate, row.vali_flag, row.gray, row.replaced_by, row.line, row.raw,
        words(row.name),
    )  # fmt: skip


@attrs.define(eq=False)
class _Counter:
    """Finds the newest `ver` among the rows on their way to the store. given: the name that counts instead."""

    given: str
    newest: str

    @property
    def ver(self) -> str:
        return self.given or self.newest

    def cells(self, rows: Iterable[library.LibraryRow]) -> Iterator[RecordCells]:
        for row in rows:
            self.newest = max(self.newest, row.ver)
            yield cells_of(row)


# --- one record by hand ----------------------------------------------------------------------------


def change_record(
    store: Path, system: str, code: str, changes: Mapping[str, str], reason: str, now: float, maker: str, create: bool
) -> Imported | Faults:
    """Write one record as a small version of its own; the record before it stays in the history.

    changes: our column name (`name`, `begndate`, `enddate`, `vali_flag`, `gray`, `replaced_by`) or a title -> cell;
    create: the code may be new; a code named in its place must be in force, and not ended by now. Raises UnknownRecord,
    KeyError, OSError, sqlite3.Error.
    """
    spec, faults = definition(system), Faults()
    deed = Deed(maker, int(now * 1000))
    with writing(store) as writer:
        look = LibraryLook.of(CodesReader(writer.connection), system)
        known = look.find(code, look.up_to())
        if known is None and not create:
            raise UnknownRecord(code)
        cells: dict[str, str] = msgspec.json.decode(known.raw, type=dict[str, str]) if known else {}
        row = _row_by_hand(spec, cells, {**_code_cells(spec, code), **changes}, faults)
        if row is None:
            return faults
        if row.replaced_by != (known.replaced_by if known else ""):
            _check_replacement(look, row, day_of(now), faults)
            if faults:
                return faults
        ver = _next_ver(look)
        version = LibraryWriter.begin(writer, system, BY_HAND, deed, kind="record", columns=tuple(cells))
        list(version.add([cells_of(row)]))
        list(version.enter())
        version.release(ver, "", deed, f"code={code} reason={reason}")
    return Imported(system, ver, 1, "")


def _check_replacement(look: LibraryLook, row: library.LibraryRow, today: str, faults: Faults) -> None:
    """Add a fault when the code named in a record's place cannot take it: people map on to it."""
    instead = row.replaced_by
    found = look.find(instead, look.up_to()) if instead else None
    if instead == row.code:
        faults.add(1, "replaced_by", "MF07", f"替代编码{instead}就是原编码")
    elif instead and found is None:
        faults.add(1, "replaced_by", "MF07", f"替代编码{instead}不在在用目录中")
    elif found is not None:
        _, _, last = library.record_of(found.name, found.begndate, found.enddate, found.vali_flag, found.gray)
        if last < today:
            faults.add(1, "replaced_by", "MF07", f"替代编码{instead}已停用")


def _code_cells(spec: CodeSystemSpec, code: str) -> dict[str, str]:
    return dict(zip(spec.key, code.split(KEY_JOIN), strict=False)) if spec.key else {"code": code}


def _row_by_hand(
    spec: CodeSystemSpec, cells: dict[str, str], changes: Mapping[str, str], faults: Faults
) -> library.LibraryRow | None:
    """Lay changes over a record's cells, each under the title the record has it by, and read it like a file's row."""
    titles = systems.library_titles(spec)
    for column, cell in changes.items():
        accepted = titles.get(column, (column,))
        cells[next((title for title in accepted if title in cells), accepted[0])] = cell
        if has_control(cell):
            faults.add(1, column, "MF11", "单元格含控制字符")
    header = tuple(cells)
    at = {}
    for role, accepted in titles.items():
        found = next((title for title in accepted if title in cells), None)
        if found is not None:
            at[role] = header.index(found)
    rows = list(library.parse([(1, tuple(cells.values()))], header, at, systems.record_form(spec), faults, spec.key))
    return rows[0] if rows and not faults else None


def _next_ver(look: LibraryLook) -> str:
    """Name a small version after the file it amends: F20260101+1, F20260101+2, ..."""
    cursor = look.cursor()
    since = 0
    for version in reversed(look.versions):
        if version.kind == "import":
            break
        since += 1
    return f"{cursor}+{since + 1}"
