"""Ledgers on Apache Spark: the same steps and statements as in the embedded engine, for more than one machine can hold.

All work is Spark's own SQL: workers need neither Python nor this program, only the same paths to the files and to the
output folder. Spark is not asked to understand CSV: it reads lines, and one expression splits a line by RFC 4180 to
the letter. A file in which a record goes over several lines, or anything does not add up, is read by hand
(`adapters.ledgers.source`) and handed over as JSON, a line a record.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import msgspec
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from adapters.ledgers import parquet, sql
from adapters.ledgers.source import LINE_BYTES_MAX, Counted, Tick, by_hand
from adapters.ledgers.steps import Answer, EngineFailed, Steps

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

ROWS_A_TASK = 500_000
# A cell with the comma before it; possessive, so that a long one needs no stack.
_CELL = ',("[^"]*+(?:""[^"]*+)*+"|[^",]*+)'
_LINE = "CASE WHEN endswith(value, '\\r') THEN left(value, length(value) - 1) ELSE value END"
_PLAIN = "split(line, ',', -1)"
_QUOTED = (
    f"CASE WHEN regexp_like(concat(',', line), r'^(?:{_CELL})*+\\z') THEN "
    f"transform(regexp_extract_all(concat(',', line), r'{_CELL}', 1), cell -> CASE WHEN startswith(cell, '\"') "
    "THEN replace(substr(cell, 2, length(cell) - 2), '\"\"', '\"') ELSE cell END) END"
)
_JSON = "from_json(line, 'array<string>')"
# Where rows lie: by the dates the rules tell apart, and by agency. What is no agency's code makes no folder.
_PLACE = (
    "*, CASE WHEN day < -1 THEN -2 WHEN day > 1 THEN 2 ELSE day END AS at_day, "
    "CASE WHEN regexp_like(t_clr_optins, r'^[0-9]{6}\\z') THEN t_clr_optins ELSE '' END AS at_agency"
)


def _schema(table: str) -> str:
    return sql.COLUMNS[table].replace("VARCHAR", "STRING")


@contextmanager
def _told() -> Iterator[None]:
    """Say a fault of Spark's as ours."""
    try:
        yield
    except (PySparkException, Py4JError) as cause:
        raise EngineFailed(str(cause).strip().splitlines()[0]) from cause


class SparkEngine(Steps):
    """One reconciliation's ledgers on Spark. Its tables are views in a session of its own, over files in its folder."""

    dialect = sql.SPARK

    def __init__(self, folder: Path, date: str, session: SparkSession) -> None:
        super().__init__(folder, date)
        self._parts: dict[str, list[DataFrame]] = {}
        with _told():
            self._spark = session.newSession()
            for name in sql.COLUMNS:
                self._spark.createDataFrame([], _schema(name)).createOrReplaceTempView(name)

    def close(self) -> None:
        """There is nothing to let go of: the session is the caller's, the folder is about to be removed."""

    def _fetched(self, statement: str) -> Iterator[Answer]:
        with _told():
            for row in self._spark.sql(statement).toLocalIterator():
                yield tuple(row)

    def _add(self, table: str, statement: str) -> None:
        with _told():
            self._append(table, self._laid(f"{table}{len(self._parts.get(table, ()))}", self._spark.sql(statement)))

    def _add_linked(self, roots: Mapping[str, str]) -> None:
        with _told():
            self._append("linked", self._spark.createDataFrame(list(roots.items()), _schema("linked")))

    def _append(self, table: str, frame: "DataFrame") -> None:
        parts = self._parts.setdefault(table, [])
        parts.append(frame)
        reduce(lambda one, other: one.unionAll(other), parts).createOrReplaceTempView(table)

    def _laid(self, name: str, frame: "DataFrame", *by: str) -> "DataFrame":
        """Lay a table down in columns, so that nothing is computed twice. by: the columns that make its folders."""
        place = f"file:{self.folder / name}"
        frame.write.partitionBy(*by).mode("overwrite").parquet(place)
        return self._spark.read.schema(frame.schema).parquet(place)

    def _csv(self, ledger: int, path: Path, counted: Counted, tick: Tick) -> int:
        if counted.even and not counted.folded:
            split = _QUOTED if counted.quoted else _PLAIN
            if self._taken(ledger, self._alias(ledger, path), split, counted.header, counted.records):
                return counted.records
        plain = self.folder / f"plain{ledger}.jsonl"
        records = 0
        with plain.open("wb") as stream:
            for cells in by_hand(path, ledger, counted.header, tick):
                stream.write(msgspec.json.encode(cells) + b"\n")
                records += 1
        if not self._taken(ledger, plain, _JSON, counted.header, records):
            raise EngineFailed(f"{path.name}：读入的行数与文件不符")
        return records

    def _alias(self, ledger: int, path: Path) -> Path:
        """Give the file a name without letters that mean something to Spark (globs, leading dots)."""
        alias = self.folder / f"ledger{ledger}"
        alias.symlink_to(path.resolve())
        return alias

    def _taken(self, ledger: int, path: Path, split: str, header: Sequence[str], records: int) -> bool:
        """Load a file of lines and say whether every record arrived and none is bad; otherwise nothing stays."""
        names = ", ".join(f"'{name}'" for name in header)
        cells = ", ".join(f"{sql.cleaned(f'cells[{at}]', self.dialect)} AS {name}" for at, name in enumerate(header))
        # What cannot be split has no cells, and a row without any is bad. The titles may have a byte order mark.
        fine = f"size(cells) = {len(header)} AND is_valid_utf8(line) AND octet_length(line) < {LINE_BYTES_MAX}"
        marked = f"'\\ufeff{names[1:]}"
        titles = f"cells IS NULL OR cells <> array({names}) AND cells <> array({marked})"
        source = (
            f"(SELECT {cells} FROM (SELECT CASE WHEN {fine} THEN cells END AS cells FROM ("
            f"SELECT line, {split} AS cells FROM (SELECT {_LINE} AS line FROM lines)"
            f") WHERE {'true' if split == _JSON else titles}))"
        )
        with _told():
            self._spark.read.text(f"file:{path}", lineSep="\n").createOrReplaceTempView("lines")
        statement = sql.loaded(source, header, ledger, self.date, self.dialect)
        return self._stored(ledger, statement, records) == (records, 0)

    def _stored(self, ledger: int, statement: str, records: int | None = None) -> Answer:
        """Lay a ledger's rows down; return (rows, rows marked bad). Unless so many arrived and none is bad, none stays.

        records: None when the file itself says how many there are.
        """
        with _told():
            rows = self._spark.sql(f"SELECT {_PLACE} FROM ({statement})")
            laid = self._laid(f"rows{ledger}", rows, "at_day", "at_agency").select(*sql.ROW_COLUMNS)
            (counted,) = laid.selectExpr("count(*)", "count_if(bad)").collect()
            if counted[1] == 0 and records in (None, counted[0]):
                self._append("ledger_rows", laid)
                tasks = max(self._spark.sparkContext.defaultParallelism, (self.rows + counted[0]) // ROWS_A_TASK)
                self._spark.conf.set("spark.sql.shuffle.partitions", tasks)
            return tuple(counted)

    def _parquet(self, ledger: int, path: Path) -> int:
        source = sql.parquet_source(str(self._alias(ledger, path)))
        with duckdb.connect() as base:
            header = self.carried[ledger] = tuple(parquet.described(base, source, path))
            with _told():
                self._spark.read.parquet(f"file:{self.folder}/ledger{ledger}").createOrReplaceTempView("lines")
            cells = sql.said("lines", header, self.dialect)
            rows, bad = self._stored(ledger, sql.loaded(cells, header, ledger, self.date, self.dialect))
            if bad:
                raise parquet.name_faults(base, ledger, path, source, header)
        return int(rows)

    def _find_keys(self) -> None:
        others = [name for name in sql.ROW_COLUMNS if name not in ("ledger", "k")]
        rest = ", ".join(others)
        with _told():
            rows = self._spark.table("ledger_rows")
            named, loose = rows.where("named"), rows.where("NOT named")
            for found, condition in sql.FOUND:
                loose.createOrReplaceTempView("loose_rows")
                loose = self._spark.sql(
                    f"SELECT ledger, coalesce(ledger_rows.k, found.k) AS k, {rest} FROM loose_rows AS ledger_rows "
                    f"LEFT JOIN ({found}) AS found ON {condition}"
                )
                named.unionAll(loose).createOrReplaceTempView("ledger_rows")
            keyed = loose.selectExpr("ledger", f"coalesce(k, {sql.LOOSE}) AS k", *others)
            self._parts["ledger_rows"] = [named]
            self._append("ledger_rows", self._laid("loose_rows", keyed))

    def _judge(self, judged: Callable[[str], str], tick: Callable[[int, int], None]) -> None:
        self._add("judged", judged(""))
        tick(1, 1)
