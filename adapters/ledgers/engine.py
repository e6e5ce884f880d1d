"""Ledgers in an embedded columnar engine (DuckDB): loads plain files, sets aside what all agree on, hands out the rest.

Money is fen in 64-bit integers from the first statement on. The engine works in files of its own under one folder and
spills there; it knows no rule of reconciliation but "equal", and is never asked who is right. Its CSV reader is not
believed: see `adapters.ledgers.source`.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import duckdb

from adapters.ledgers import sql
from adapters.ledgers.source import FAULTS_MAX, LedgerRefused, Tick, clean, count, faults_of, is_parquet, rewrite
from gateway.core.faults import Fault
from gateway.core.ledgers import COMPONENTS, INST, TEXTS, Row, header_faults

MEMORY_MB = 2_400  # of a machine where 4 GB are promised; beyond it the engine spills to its folder
MEMORY_BYTES = 32 << 20  # of files: what is smaller needs no file of the engine's own
THREADS_MAX = 4
ROWS_AT_ONCE = 8_000_000  # in one grouping; more are taken in several, so that memory does not grow with the files
_FETCH = 5_000
_AMOUNTS_AT = 2 + 2 + len(TEXTS) + 5  # cluster, mark; ledger, k; texts; direction .. second

Cluster = tuple[list[Row], frozenset[str]]


class EngineFailed(Exception):
    """The engine could not finish: disk full, too little memory, a fault of its own. Nothing was decided."""


class Engine:
    """One reconciliation's ledgers. date: yyyy-MM-dd; folder: its own, empty, readable by the owner only; size_bytes:
    of all files together."""

    def __init__(self, folder: Path, date: str, size_bytes: int) -> None:
        self.folder, self.date = folder, date
        self.carried: dict[int, tuple[str, ...]] = {}
        self.rows = 0
        settings: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": f"{MEMORY_MB}MB",
            "threads": min(THREADS_MAX, os.cpu_count() or 1),
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
        for statement in (sql.TABLE, sql.JUDGED, sql.DEPENDED):
            self._base.execute(statement)

    def close(self) -> None:
        self._base.close()

    def _do(self, statement: str, values: Sequence[object] = ()) -> Any:
        try:
            return self._base.execute(statement, values)
        except duckdb.Error as cause:
            raise EngineFailed(str(cause).splitlines()[0]) from cause

    def _one(self, statement: str) -> Any:
        return self._do(statement).fetchone()[0]

    def load(self, ledger: int, path: Path, tick: Tick) -> int:
        """Load one ledger; return its rows. Raises LedgerRefused with every fault, OSError, EngineFailed."""
        loaded = self._parquet(ledger, path) if is_parquet(path) else self._csv(ledger, path, tick)
        self.rows += loaded
        return loaded

    def _csv(self, ledger: int, path: Path, tick: Tick) -> int:
        counted = count(path, tick)
        self.carried[ledger] = counted.header
        if counted.even and self._taken(ledger, self._alias(ledger, path), counted.header, counted.records):
            return counted.records
        # Something does not add up. Either this finds it and says where, or it writes what the reader understands.
        plain = self.folder / f"plain{ledger}.csv"
        records = rewrite(path, ledger, counted.header, plain, tick)
        if not self._taken(ledger, plain, counted.header, records):
            raise EngineFailed(f"{path.name}：读入的行数与文件不符")
        plain.unlink()
        return records

    def _alias(self, ledger: int, path: Path) -> Path:
        """Give the file a name without letters that mean something to the engine (quotes, globs, suffixes)."""
        alias = self.folder / f"ledger{ledger}.csv"
        alias.symlink_to(path.resolve())
        return alias

    def _taken(self, ledger: int, path: Path, header: Sequence[str], records: int) -> bool:
        """Load a CSV and say whether every record arrived and none is bad; otherwise nothing stays."""
        statement = sql.load(sql.csv_source(str(path), header), header, ledger, self.date)
        try:
            self._base.execute(statement)
        except (duckdb.InvalidInputException, duckdb.ConversionException):
            return False
        except duckdb.Error as cause:
            raise EngineFailed(str(cause).splitlines()[0]) from cause
        arrived, bad = self._do(
            f"SELECT count(*), count(*) FILTER (bad) FROM ledger_rows WHERE ledger = {ledger}"
        ).fetchone()
        if arrived == records and not bad:
            return True
        self._do(f"DELETE FROM ledger_rows WHERE ledger = {ledger}")
        return False

    def _parquet(self, ledger: int, path: Path) -> int:
        """Load a Parquet file. Amounts in binary floating point are refused: their fen are gone."""
        alias = self.folder / f"ledger{ledger}.parquet"
        alias.symlink_to(path.resolve())
        source = sql.parquet_source(str(alias))
        try:
            described = self._base.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
            described = [line for line in described if line[0] != sql.ROW_NUMBER]
            header = tuple(str(line[0]) for line in described)
            faults = [Fault(0, *fault) for fault in header_faults(header)]
            faults += [
                Fault(0, name, "LB14", "金额是浮点数，已不准确，请改为定点数或文本")
                for name, kind, *_ in described
                if name in COMPONENTS and kind in ("FLOAT", "DOUBLE")
            ]
            if faults:
                raise LedgerRefused(path, faults)
            self._base.execute(sql.load(source, header, ledger, self.date))
        except duckdb.Error as cause:
            raise LedgerRefused(path, [Fault(0, "", "LB15", "Parquet文件已损坏或无法读取，请重新导出")]) from cause
        self.carried[ledger] = header
        mine = f"FROM ledger_rows WHERE ledger = {ledger}"
        if self._one(f"SELECT count(*) {mine} AND bad"):
            self._name_faults(ledger, path, source, header)
        return int(self._one(f"SELECT count(*) {mine}"))

    def _name_faults(self, ledger: int, path: Path, source: str, header: Sequence[str]) -> None:
        """Look through a Parquet file for the rows marked bad. line: of the data, the header's being 1."""
        columns = ", ".join(f'"{name}"::VARCHAR' for name in header)
        faults: list[Fault] = []
        ordered = self._do(f"SELECT {columns} FROM {source} ORDER BY {sql.ROW_NUMBER}")
        line = 1
        while (batch := ordered.fetchmany(_FETCH)) and len(faults) <= FAULTS_MAX:
            for values in batch:
                line += 1
                cells = {name: clean(value or "") for name, value in zip(header, values, strict=True)}
                faults += faults_of(line, ledger, cells)
        raise LedgerRefused(path, faults[:FAULTS_MAX], len(faults) > FAULTS_MAX)

    def resolve(self) -> None:
        """Give every row the key it is matched by (B14)."""
        for statement in sql.RESOLVE if self._one("SELECT count(*) FROM ledger_rows WHERE k IS NULL") else ():
            self._do(statement)

    def later(self) -> frozenset[int]:
        """Return the ledgers with a row dated the day after or later (T3)."""
        return frozenset(one[0] for one in self._do("SELECT DISTINCT ledger FROM ledger_rows WHERE day > 0").fetchall())

    def sums(self) -> dict[int, dict[str, int]]:
        """Return what the rows of the day sum up to as they stand, in fen, by ledger and component."""
        found = self._do(sql.SUMS).fetchall()
        return {
            ledger: {name: int(fen) for name, fen in zip(COMPONENTS, sums, strict=True) if fen is not None}
            for ledger, *sums in found
        }

    def judge(self, full: Iterable[int], local: Iterable[int], tick: Callable[[int, int], None]) -> tuple[int, int]:
        """Find the keys that need the rules. full, local: ledgers a remote and a local patient's key must stand in.

        Return (keys with a row of the day, plain keys whose sender's clock is off: T6).
        """
        masks = [sum(1 << ledger for ledger in ledgers) for ledgers in (full, local)]
        whole, part = self._filled()
        buckets = 1 + self.rows // ROWS_AT_ONCE
        for bucket in range(buckets):
            self._do(sql.judge(whole, part, masks[0], masks[1], bucket, buckets))
            tick(bucket + 1, buckets)
        self._do("CREATE TABLE odd AS SELECT k FROM judged WHERE NOT plain")
        self._link()
        if INST in self.carried:
            for names in (("psn_no",), ("fixmedins_code", "mdtrt_id")):
                self._do(sql.depended(names))
        keys, skewed = self._do("SELECT count(*), count(*) FILTER (plain AND skewed) FROM judged").fetchone()
        return int(keys), int(skewed)

    def _filled(self) -> tuple[list[str], list[str]]:
        """Return the compared columns filled in every row of every ledger, and those filled in some."""
        counted = self._do(sql.filled()).fetchall()
        rows = sum(line[1] for line in counted)
        filled = {name: sum(line[2 + at] for line in counted) for at, name in enumerate(sql.COMPARED)}
        return [name for name, n in filled.items() if n == rows], [name for name, n in filled.items() if 0 < n < rows]

    def _link(self) -> None:
        """Bring keys together that share a message or a business key; plain ones among them are plain no more."""
        names = {name for columns in self.carried.values() for name in columns}
        statements = [sql.DOUBLE_POSTS]
        statements += [sql.double_settlements(name) for name in ("chrg_bchno", "invono") if name in names]
        roots = _roots(pair for statement in statements for pair in self._fetched(statement))
        self._do("CREATE TABLE linked (k VARCHAR, root VARCHAR)")
        keys = list(roots)
        for start in range(0, len(keys), _FETCH):
            some = keys[start : start + _FETCH]
            self._do("INSERT INTO linked SELECT unnest($1), unnest($2)", (some, [roots[key] for key in some]))
        self._do("INSERT INTO odd SELECT k FROM linked ANTI JOIN odd USING (k)")

    def skewed_again(self) -> int:
        """Return the plain keys with a clock off that went to the rules after all: counted there."""
        return int(self._one("SELECT count(*) FROM judged JOIN linked USING (k) WHERE plain AND skewed"))

    def clusters(self) -> Iterator[Cluster]:
        """Yield the rows the rules must see, cluster by cluster, and the keys in it something depends on (B8)."""
        for _, group in groupby(self._fetched(sql.CLUSTERS), key=lambda line: line[0]):
            rows, depended = [], set()
            for line in group:
                rows.append(Row._make((*line[2:_AMOUNTS_AT], line[_AMOUNTS_AT:])))
                if line[1]:
                    depended.add(rows[-1].key)
            yield rows, frozenset(depended)

    def _fetched(self, statement: str) -> Iterator[tuple[Any, ...]]:
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


def _roots(pairs: Iterable[tuple[Any, ...]]) -> Mapping[str, str]:
    """Return key -> smallest key of all that hang together. pairs: (what is shared, key)."""
    first: dict[str, str] = {}
    parent: dict[str, str] = {}

    def root(key: str) -> str:
        while parent.setdefault(key, key) != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    for shared, key in pairs:
        one, other = root(first.setdefault(shared, key)), root(key)
        parent[max(one, other)] = min(one, other)
    return {key: root(key) for key in parent}
