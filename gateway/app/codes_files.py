"""What every command about codes needs: definitions, opened files and stores, a file's digest."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives import hashes

import schemas
from adapters.files.tables import Limits, Shape, Table, TableRefused, open_table
from adapters.store.codes import CodesReader, CodesStore, CodesWriter
from gateway.app.facts import read_files
from gateway.codes.faults import Faults
from gateway.core.catalogue import Files
from gateway.core.code_systems import CodeSystemSpec

SCRIPTS = tuple(schemas.read("migrations/codes", ".sql"))
Tick = Callable[[int], None]  # is told how many bytes of the file were read so far


@cache
def _files() -> Files:
    return read_files()


def code_systems() -> dict[str, CodeSystemSpec]:
    """Return the national code standards by id."""
    return dict(_files().code_systems)


def registers() -> dict[str, CodeSystemSpec]:
    """Return the registers beside the standards by id."""
    return dict(_files().registers)


@cache
def downloads() -> Mapping[str, str]:
    """Return the transactions that bring a file or pages -> the library or register they fill."""
    return {
        one.transaction: spec.id
        for spec in (*_files().code_systems.values(), *_files().registers.values())
        for one in spec.supply
        if one.by == "pages" or (one.by == "file" and layouts(spec, one.transaction))
    }


@cache
def paged() -> frozenset[str]:
    """Return those of the downloads whose rows come by pages."""
    specs = (*_files().code_systems.values(), *_files().registers.values())
    return frozenset(one.transaction for spec in specs for one in spec.supply if one.by == "pages")


def layouts(spec: CodeSystemSpec, transaction: str = "") -> tuple[tuple[str, ...], ...]:
    """Return the columns of the downloads that fill a library, of all of them or of one transaction."""
    wanted = [one.transaction for one in spec.supply if transaction in ("", one.transaction)]
    nodes = (node for infno in wanted for node in _files().transactions[infno].output.values())
    return tuple(node.file_columns for node in nodes if node.file_columns)


def digest_of(file: Path) -> str:
    """Return the SM3 of a file's bytes, hex."""
    state = hashes.Hash(hashes.SM3())
    with file.open("rb") as stream:
        while piece := stream.read(1 << 20):
            state.update(piece)
    return state.finalize().hex()


def opened(file: Path, shape: Shape, faults: Faults, stack: ExitStack, limits: Limits) -> Table | None:
    """Open a table; what is wrong with the file as a whole becomes a fault. Raises ColumnMissing, OSError."""
    try:
        return open_table(file, shape, faults.add, stack, limits)
    except TableRefused as cause:
        faults.add(cause.line, "", cause.rule, cause.message)
        return None


def lines_of(table: Table, faults: Faults, tick: Tick, after: int = 0) -> Iterator[tuple[int, list[str]]]:
    """Yield a table's rows behind a line, faulty cells empty; what ends the reading becomes a fault like the others."""
    try:
        for number, row in enumerate(table.rows(faulty=True, after=after)):
            if number % 2000 == 0:
                tick(table.place())
            yield row
    except TableRefused as cause:
        faults.add(cause.line, "", cause.rule, cause.message)


@contextmanager
def writing(store: Path) -> Iterator[CodesWriter]:
    """Open the store for writing, made and migrated if need be. Raises OtherVersion, OSError, sqlite3.Error."""
    writer = CodesWriter.open(store, SCRIPTS)
    try:
        yield writer
    finally:
        writer.close()


@contextmanager
def reading(store: Path) -> Iterator[CodesReader]:
    """Take one consistent look at the store. Raises OtherVersion, sqlite3.Error."""
    reader = CodesStore.open(store, SCRIPTS).tables()
    try:
        yield reader
    finally:
        reader.close()
