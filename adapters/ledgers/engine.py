"""Ledgers in an embedded columnar engine (DuckDB): loads plain files, sets aside what all agree on, hands out the rest.

Money is fen in 64-bit integers from the first statement on. The engine works in files of its own under one folder and
spills there; it knows no rule of reconciliation but "equal", and is never asked who is right. Its CSV reader is not
believed: see `adapters.ledgers.source`.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import duckdb

from adapters.ledgers import parquet, sql
from adapters.ledgers.source import Counted, LedgerRefused, Tick, rewrite
from adapters.ledgers.steps import Answer, Steps
from adapters.ledgers.steps import EngineFailed as EngineFailed

MEMORY_BYTES = 32 << 20  # of files: what is smaller needs no file of the engine's own
ROWS_AT_ONCE = 8_000_000  # in one grouping; more are taken in several, so that memory does not grow with the files
_FETCH = 5_000


@attrs.frozen(kw_only=True)
class Limits:
    """What an engine may use. memory_mb: beyond it the engine spills to its folder; of a machine where 4 GB are
    promised. threads: a node beside it wants one for itself."""

    threads: int = min(4, os.cpu_count() or 1)
    memory_mb: int = 2_400


class Engine(Steps):
    """One reconciliation's ledgers in DuckDB. size_bytes: of all files together."""

    dialect = sql.DUCKDB

    def __init__(self, folder: Path, date: str, size_bytes: int, limits: Limits | None = None) -> None:
        super().__init__(folder, date)
        limits = limits or Limits()
        settings: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": f"{limits.memory_mb}MB",
            "threads": limits.threads,
            "temp_directory": str(folder / "spill"),
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "python_enable_replacements": False,
        }
        place = ":memory:" if size_bytes <= MEMORY_BYTES else str(folder / "ledgers.duckdb")
        self._base = duckdb.connect(place, config=settings)
        self._base.execute("PRAGMA disable_checkpoint_on_shutdown")  # the folder is about to be removed
        # Packing texts costs more than all joins, and the file lives for minutes.
        self._base.execute("SET disabled_compression_methods = 'fsst,dict_fsst,zstd'")
        for name, columns in sql.COLUMNS.items():
            self._base.execute(f"CREATE TABLE {name} ({columns})")

    def close(self) -> None:
        self._base.close()

    def _do(self, statement: str, values: Sequence[object] = ()) -> Any:
        try:
            return self._base.execute(statement, values)
        except duckdb.Error as cause:
            raise EngineFailed(str(cause).splitlines()[0]) from cause

    def _add(self, table: str, statement: str) -> None:
        self._do(f"INSERT INTO {table} {statement}")

    def _csv(self, ledger: int, path: Path, counted: Counted, tick: Tick) -> int:
        if counted.even and self._taken(ledger, self._alias(ledger, path, "csv"), counted.header, counted.records):
            return counted.records
        # Something does not add up. Either this finds it and says where, or it writes what the reader understands.
        plain = self.folder / f"plain{ledger}.csv"
        records = rewrite(path, ledger, counted.header, plain, tick)
        if not self._taken(ledger, plain, counted.header, records):
            raise EngineFailed(f"{path.name}：读入的行数与文件不符")
        plain.unlink()
        return records

    def _alias(self, ledger: int, path: Path, suffix: str) -> Path:
        """Give the file a name without letters that mean something to the engine (quotes, globs, suffixes)."""
        alias = self.folder / f"ledger{ledger}.{suffix}"
        alias.symlink_to(path.resolve())
        return alias

    def _loaded(self, source: str, header: Sequence[str], ledger: int) -> str:
        return f"INSERT INTO ledger_rows {sql.loaded(source, header, ledger, self.date, self.dialect)}"

    def _taken(self, ledger: int, path: Path, header: Sequence[str], records: int) -> bool:
        """Load a CSV and say whether every record arrived and none is bad; otherwise nothing stays."""
        try:
            self._base.execute(self._loaded(sql.csv_source(str(path), header), header, ledger))
        except (duckdb.InvalidInputException, duckdb.ConversionException):
            return False
        except duckdb.Error as cause:
            raise EngineFailed(str(cause).splitlines()[0]) from cause
        if self._arrived(ledger) == (records, 0):
            return True
        self._do(f"DELETE FROM ledger_rows WHERE ledger = {ledger}")
        return False

    def _arrived(self, ledger: int) -> Answer:
        """Return (rows, rows marked bad) of a ledger."""
        return self._first(f"SELECT count(*), count(*) FILTER (WHERE bad) FROM ledger_rows WHERE ledger = {ledger}")

    def _parquet(self, ledger: int, path: Path) -> int:
        source = sql.parquet_source(str(self._alias(ledger, path, "parquet")))
        header = tuple(parquet.described(self._base, source, path))
        try:
            self._base.execute(self._loaded(sql.said(source, header, self.dialect), header, ledger))
        except duckdb.Error as cause:
            raise LedgerRefused(path, [parquet.DAMAGED]) from cause
        self.carried[ledger] = header
        rows, bad = self._arrived(ledger)
        if bad:
            try:
                raise parquet.name_faults(self._base, ledger, path, source, header)
            except duckdb.Error as cause:
                raise EngineFailed(str(cause).splitlines()[0]) from cause
        return int(rows)

    def _find_keys(self) -> None:
        for statement in sql.RESOLVE:
            self._do(statement)

    def _judge(self, judged: Callable[[str], str], tick: Callable[[int, int], None]) -> None:
        buckets = 1 + self.rows // ROWS_AT_ONCE
        for bucket in range(buckets):
            self._add("judged", judged(f"WHERE hash(k) % {buckets} = {bucket}" if buckets > 1 else ""))
            tick(bucket + 1, buckets)

    def _add_linked(self, roots: Mapping[str, str]) -> None:
        keys = list(roots)
        for start in range(0, len(keys), _FETCH):
            some = keys[start : start + _FETCH]
            self._do("INSERT INTO linked SELECT unnest($1), unnest($2)", (some, [roots[key] for key in some]))

    def _fetched(self, statement: str) -> Iterator[Answer]:
        # A cursor of its own: the caller may ask other things while it reads.
        cursor = self._base.cursor()
        try:
            cursor.execute(statement)
            while batch := cursor.fetchmany(_FETCH):
                yield from batch
        except duckdb.Error as cause:
            raise EngineFailed(str(cause).splitlines()[0]) from cause
        finally:
            cursor.close()
