"""Parquet ledgers before they are loaded, and when they are bad: columns, kinds, and every fault by line.

Read with DuckDB whatever engine loads them, so that a bad file is told in the same words.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import duckdb

from adapters.ledgers import sql
from adapters.ledgers.source import FAULTS_MAX, LedgerRefused, faults_of
from gateway.core.faults import Fault
from gateway.core.ledgers import COMPONENTS, clean, header_faults

_FETCH = 5_000
# Kinds of columns that both engines turn into the same text; "NULL" is that of a column nothing stands in.
_KIND = re.compile(r'VARCHAR|"NULL"|DATE|TIMESTAMP|U?(TINYINT|SMALLINT|INTEGER|BIGINT)|DECIMAL\(\d+,\d+\)')
DAMAGED = Fault(0, "", "LB15", "Parquet文件已损坏或无法读取，请重新导出")


def described(base: duckdb.DuckDBPyConnection, source: str, path: Path) -> dict[str, str]:
    """Return the kind of every column by name, in the file's order. Raises LedgerRefused, also on kinds that are not
    read alike everywhere, and on amounts in binary floating point: their fen are gone."""
    try:
        lines = base.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
    except duckdb.Error as cause:
        raise LedgerRefused(path, [DAMAGED]) from cause
    kinds = [(str(name), str(kind)) for name, kind, *_ in lines if name != sql.ROW_NUMBER]
    faults = [Fault(0, *fault) for fault in header_faults([name for name, _ in kinds])]
    faults += [
        Fault(0, name, "LB14", "金额是浮点数，已不准确，请改为定点数或文本")
        for name, kind in kinds
        if _is_float(name, kind)
    ]
    faults += [
        Fault(0, name, "LB17", "列的类型不能用：应为文本、整数、定点数、日期或时间（不带时区，至微秒），请改为文本")
        for name, kind in kinds
        if not _KIND.fullmatch(kind) and not _is_float(name, kind)
    ]
    if faults:
        raise LedgerRefused(path, faults)
    return dict(kinds)


def _is_float(name: str, kind: str) -> bool:
    return name in COMPONENTS and kind in ("FLOAT", "DOUBLE")


def name_faults(
    base: duckdb.DuckDBPyConnection, ledger: int, path: Path, source: str, header: Sequence[str]
) -> LedgerRefused:
    """Look through a file for the rows marked bad. line: of the data, the header's being 1. Raises duckdb.Error."""
    columns = ", ".join(f"{name}::VARCHAR" for name in header)
    ordered = base.execute(f"SELECT {columns} FROM {source} ORDER BY {sql.ROW_NUMBER}")
    faults: list[Fault] = []
    line = 1
    while (batch := ordered.fetchmany(_FETCH)) and len(faults) <= FAULTS_MAX:
        for values in batch:
            line += 1
            cells = {name: clean(value or "") for name, value in zip(header, values, strict=True)}
            faults += faults_of(line, ledger, cells)
    return LedgerRefused(path, faults[:FAULTS_MAX], len(faults) > FAULTS_MAX)
