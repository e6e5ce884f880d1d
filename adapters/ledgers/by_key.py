"""Several ledger files read key by key: what a freeze needs of them. The files were examined by the run before.

Each is counted on its bytes and read by the engine's strict reader, as a run does (`adapters.ledgers.engine`); where
that adds up to anything else than what was counted, the file is read by hand. Sorting spills to disk.
"""

import os
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import duckdb

from adapters.ledgers import sql
from adapters.ledgers.engine import MEMORY_BYTES, EngineFailed
from adapters.ledgers.source import count, is_parquet, rewrite
from gateway.core.ledgers import COMPONENTS, TEXTS, Row

MEMORY_MB = 1_200
_FETCH = 5_000
_AMOUNTS_AT = 2 + len(TEXTS) + 5  # ledger, k; texts; direction .. second
_COLUMNS = (
    "ledger, k, CASE WHEN named THEN k ELSE '' END, "
    + ", ".join(f"coalesce(t_{name}, '')" for name in TEXTS[1:])
    + ", direction, status, delivered, day, second, " + ", ".join(f"a_{name}" for name in COMPONENTS)
)  # fmt: skip

_TODAY = "day = 0 OR (abs(day) = 1 AND k IN (SELECT k FROM ledger_rows WHERE day = 0))"


class RowsByKey:
    """Rows of any number of files. folder: its own, empty; size_bytes: of all files. Raises EngineFailed,
    LedgerRefused, OSError."""

    def __init__(self, folder: Path, date: str, size_bytes: int) -> None:
        self.folder, self.date, self.files = folder, date, 0
        settings: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": f"{MEMORY_MB}MB", "threads": min(2, os.cpu_count() or 1),
            "temp_directory": str(folder / "spill"), "preserve_insertion_order": False,
            "autoinstall_known_extensions": False, "autoload_known_extensions": False,
            "python_enable_replacements": False,
        }  # fmt: skip
        self._base = duckdb.connect(
            ":memory:" if size_bytes <= MEMORY_BYTES else str(folder / "rows.duckdb"), config=settings
        )
        self._base.execute("PRAGMA disable_checkpoint_on_shutdown")
        self._base.execute(f"CREATE TABLE ledger_rows ({sql.COLUMNS['ledger_rows']})")

    def close(self) -> None:
        self._base.close()

    def load(self, ledger: int, path: Path, without: Sequence[str] = ()) -> int:
        """Load one file of a ledger; return its records. without: institutions for which another file of its date
        speaks."""
        if not without:
            return self._whole(ledger, path)
        # Apart from the rest: what other files say of these institutions stays.
        self._base.execute("ALTER TABLE ledger_rows RENAME TO rest")
        self._base.execute(f"CREATE TABLE ledger_rows ({sql.COLUMNS['ledger_rows']})")
        records = self._whole(ledger, path)
        marks = ",".join("?" * len(without))
        self._base.execute(f"DELETE FROM ledger_rows WHERE t_fixmedins_code IN ({marks})", list(without))
        self._base.execute("INSERT INTO rest SELECT * FROM ledger_rows")
        self._base.execute("DROP TABLE ledger_rows")
        self._base.execute("ALTER TABLE rest RENAME TO ledger_rows")
        return records

    def _whole(self, ledger: int, path: Path) -> int:
        self.files += 1
        if is_parquet(path):
            return self._parquet(ledger, path)
        counted = count(path, lambda _: None)
        before = self._rows()
        alias = self.folder / f"file{self.files}.csv"
        alias.symlink_to(path.resolve())
        records = counted.records
        if not (counted.even and self._taken(alias, ledger, counted.header, before + records)):
            plain = self.folder / f"plain{self.files}.csv"
            records = rewrite(path, ledger, counted.header, plain, lambda _: None)
            if not self._taken(plain, ledger, counted.header, before + records):
                raise EngineFailed(f"{path.name}：读入的行数与文件不符")
        return records

    def _taken(self, path: Path, ledger: int, header: tuple[str, ...], wanted: int) -> bool:
        """Load a CSV and say whether every record arrived and none is bad; otherwise nothing stays."""
        self._base.execute("BEGIN")
        try:
            self._load(sql.csv_source(str(path), header), header, ledger)
        except duckdb.Error:
            self._base.execute("ROLLBACK")
            return False
        whole = self._rows() == wanted and not self._one("SELECT count(*) FROM ledger_rows WHERE bad")
        self._base.execute("COMMIT" if whole else "ROLLBACK")
        return whole

    def _load(self, source: str, header: tuple[str, ...], ledger: int) -> None:
        self._base.execute(f"INSERT INTO ledger_rows {sql.loaded(source, header, ledger, self.date, sql.DUCKDB)}")

    def _parquet(self, ledger: int, path: Path) -> int:
        alias = self.folder / f"file{self.files}.parquet"
        alias.symlink_to(path.resolve())
        source, before = sql.parquet_source(str(alias)), self._rows()
        try:
            described = self._base.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
            header = tuple(str(line[0]) for line in described if line[0] != sql.ROW_NUMBER)
            self._load(sql.said(source, header, sql.DUCKDB), header, ledger)
        except duckdb.Error as cause:
            raise EngineFailed(str(cause).splitlines()[0]) from cause
        return self._rows() - before

    def _rows(self) -> int:
        return self._one("SELECT count(*) FROM ledger_rows")

    def _one(self, statement: str) -> int:
        found = self._base.execute(statement).fetchone()
        assert found is not None
        return int(found[0])

    def groups(self) -> Iterator[list[Row]]:
        """Yield the rows dated the day, key by key in order of keys (code points, as UTF-8 sorts), and with them what
        any ledger says of the key a day off."""
        try:
            for statement in sql.RESOLVE:
                self._base.execute(statement)
            self._base.execute(f"SELECT {_COLUMNS} FROM ledger_rows WHERE {_TODAY} ORDER BY k, ledger, direction")
            for _, group in groupby(self._fetched(), key=lambda line: line[1]):
                yield [Row._make((*line[:_AMOUNTS_AT], line[_AMOUNTS_AT:])) for line in group]
        except duckdb.Error as cause:
            raise EngineFailed(str(cause).splitlines()[0]) from cause

    def _fetched(self) -> Iterator[tuple[Any, ...]]:
        while batch := self._base.fetchmany(_FETCH):
            yield from batch
