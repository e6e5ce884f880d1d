"""A run's ledger files looked at once more, for people: what each party's rows come to, what a leg agrees on, and what
every ledger says of a few keys.

The files were accepted when they were handed in and are read with the same care (no guessing); they are streamed, never
loaded. Nothing is decided here: which keys are open is told by whoever asks.
"""

import csv
import os
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import attrs
import duckdb

from adapters.ledgers import sql
from adapters.ledgers.source import LINE_BYTES_MAX, is_parquet
from gateway.core.ledgers import CODED, COMPONENTS, NAMES, TEXTS, header_faults

MEMORY_MB = 1_000
THREADS_MAX = 2
ROWS_MAX = 20_000  # of evidence
_PLAIN = (*TEXTS, *CODED, "setl_time")
_KEY = "coalesce(setl_id, 'm:' || fixmedins_code || '|' || msgid, 'p:' || prov_sn)"


class EvidenceLost(Exception):
    """The files cannot be read any more: moved, damaged, or the engine failed. What they would tell is left out."""


@attrs.frozen(kw_only=True)
class Totals:
    """What the rows of one institution in one ledger, dated the day, come to. sums: component -> fen."""

    rows: int
    sums: Mapping[str, int]


@attrs.frozen(kw_only=True)
class Mention:
    """One row of a ledger about a key, as the file has it. cells: those that say something; amounts in fen."""

    ledger: str
    cells: Mapping[str, str]
    amounts: Mapping[str, int]

    @property
    def names(self) -> tuple[str, ...]:
        """What it may be known by."""
        return names_of(*(self.cells.get(name, "") for name in ("setl_id", "fixmedins_code", "msgid", "prov_sn")))


def names_of(setl_id: str, fixmedins_code: str, msgid: str, prov_sn: str) -> tuple[str, ...]:
    """Return what a record may be known by (annex B14), the first that says anything being its key."""
    message = f"m:{fixmedins_code}|{msgid}" if fixmedins_code and msgid else ""
    return tuple(name for name in (setl_id, message, f"p:{prov_sn}" if prov_sn else "") if name)


@attrs.frozen
class Evidence:
    """Ledger files, open. date: yyyy-MM-dd of the run."""

    _base: duckdb.DuckDBPyConnection
    date: str

    def totals(self) -> dict[tuple[str, str], Totals]:
        """Return the rows dated the day and their sums by (ledger, fixmedins_code), without what never stood."""
        sums = ", ".join(f"sum({name})" for name in COMPONENTS)
        found = self._do(
            f"SELECT ledger, coalesce(fixmedins_code, ''), count(*), {sums} FROM told {self._today} "
            "AND coalesce(status, '') NOT IN ('REVERSED', 'REJECTED') GROUP BY ALL"
        )
        return {
            (ledger, code): Totals(
                rows=rows, sums={name: int(fen) for name, fen in zip(COMPONENTS, fens, strict=True) if fen is not None}
            )
            for ledger, code, rows, *fens in found
        }

    def agreed(
        self, ledger: str, open_keys: Collection[str], repeated: Collection[str], scope: str = ""
    ) -> tuple[int, int]:
        """Return (keys, fen of medfee) a ledger has that day beside the open ones.

        repeated: keys with identical rows, which count once. scope: fixmedins_code, '' for all.
        """
        self._fill("open_keys", open_keys)
        self._fill("repeated", repeated)
        mine = f"SELECT *, {_KEY} AS k FROM told {self._today} AND ledger = ? AND (? = '' OR fixmedins_code = ?)"
        query = f"""
            WITH mine AS ({mine} ), kept AS (SELECT * FROM mine WHERE k NOT IN (SELECT k FROM open_keys)),
            once AS (
                SELECT k, medfee_sumamt FROM kept WHERE k NOT IN (SELECT k FROM repeated)
                UNION ALL SELECT k, medfee_sumamt FROM (SELECT DISTINCT * FROM kept WHERE k IN (SELECT k FROM repeated))
            )
            SELECT count(DISTINCT k), coalesce(sum(medfee_sumamt), 0) FROM once
        """
        ((count, fen),) = self._do(query, (ledger, scope, scope))
        return int(count), int(fen)

    def between(self, one: str, other: str) -> tuple[tuple[int, int], tuple[int, int]]:
        """Compare two ledgers' day record by record: (records, fen of medfee) that are alike, and (records, fen they
        differ by) that are not.

        A record is a key and a direction; identical rows count once. Alike: both have it, with the same status and
        the same amounts, as far as both carry them.
        """
        sums = ", ".join(f"sum({name}) AS {name}" for name in COMPONENTS)
        side = f"""
            SELECT k, direction, string_agg(DISTINCT status, ',' ORDER BY status) AS status, {sums} FROM (
                SELECT DISTINCT {_KEY} AS k, coalesce(direction, '0') AS direction, setl_id, prov_sn,
                coalesce(status, 'SETTLED') AS status, {", ".join(COMPONENTS)} FROM told {self._today} AND ledger = ?
            ) GROUP BY k, direction
        """
        same = " AND ".join(f"coalesce(x.{name} = y.{name}, true)" for name in COMPONENTS)
        query = f"""
            WITH x AS ({side}), y AS ({side}), pairs AS (
                SELECT x.medfee_sumamt AS mine, y.medfee_sumamt AS theirs,
                x.k IS NOT NULL AND y.k IS NOT NULL AND x.status = y.status AND {same} AS alike
                FROM x FULL JOIN y ON x.k = y.k AND x.direction = y.direction
            )
            SELECT count(*) FILTER (alike), coalesce(sum(mine) FILTER (alike), 0), count(*) FILTER (NOT alike),
            coalesce(sum(abs(coalesce(mine, 0) - coalesce(theirs, 0))) FILTER (NOT alike), 0) FROM pairs
        """
        ((alike, fen, apart, by),) = self._do(query, (one, other))
        return (int(alike), int(fen)), (int(apart), int(by))

    def mentions(self, names: Collection[str]) -> Iterator[Mention]:
        """Yield every row, of any date, that bears one of the names (`key_of`), at most ROWS_MAX."""
        self._fill("wanted", names)
        wanted = "IN (SELECT k FROM wanted)"
        cells = ", ".join(f"coalesce({name}, '')" for name in _PLAIN)
        query = f"""
            SELECT ledger, {cells}, {", ".join(COMPONENTS)} FROM told WHERE setl_id {wanted}
            OR 'm:' || fixmedins_code || '|' || msgid {wanted} OR 'p:' || prov_sn {wanted} ORDER BY ALL LIMIT {ROWS_MAX}
        """
        split = len(_PLAIN)
        for ledger, *values in self._do(query):
            said = {name: text for name, text in zip(_PLAIN, values[:split], strict=True) if text}
            fens = zip(COMPONENTS, values[split:], strict=True)
            yield Mention(ledger=ledger, cells=said, amounts={name: int(fen) for name, fen in fens if fen is not None})

    @property
    def _today(self) -> str:
        return f"WHERE coalesce(setl_time[:10], '{self.date}') = '{self.date}'"

    def _fill(self, table: str, keys: Collection[str]) -> None:
        self._do(f"CREATE OR REPLACE TEMP TABLE {table} (k VARCHAR)")
        self._do(f"INSERT INTO {table} SELECT unnest(?)", (sorted(keys),))

    def _do(self, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._base.execute(statement, values).fetchall()
        except duckdb.Error as cause:
            raise EvidenceLost(str(cause).splitlines()[0]) from cause


@contextmanager
def evidence(files: Sequence[tuple[str, Path]], date: str) -> Iterator[Evidence]:
    """Open the files of a run: (name of the ledger, file). Raises EvidenceLost."""
    with tempfile.TemporaryDirectory(prefix="liangding-evidence-") as name:
        settings: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": f"{MEMORY_MB}MB",
            "threads": min(THREADS_MAX, os.cpu_count() or 1),
            "temp_directory": str(Path(name) / "spill"),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "python_enable_replacements": False,
        }
        with closing(duckdb.connect(":memory:", config=settings)) as base:
            try:
                sources = [_source(base, *one, Path(name) / f"{number}") for number, one in enumerate(files)]
            except (OSError, UnicodeDecodeError, duckdb.Error) as cause:
                raise EvidenceLost(str(cause)) from cause
            found = Evidence(base, date)
            found._do(f"CREATE VIEW told AS {' UNION ALL '.join(sources) or _nothing()}")
            yield found


def _source(base: duckdb.DuckDBPyConnection, ledger: str, path: Path, alias: Path) -> str:
    """Return the statement that reads one file, under a name whose letters mean nothing to the engine."""
    with path.open("rb") as stream:
        first = stream.readline(LINE_BYTES_MAX)
    packed = is_parquet(path)
    alias = alias.with_suffix(".parquet" if packed else ".csv")
    alias.symlink_to(path.resolve())
    if packed:
        source = sql.parquet_source(str(alias))
        header = [str(line[0]) for line in base.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()]
        header = [name for name in header if name != sql.ROW_NUMBER]
    else:
        header = next(csv.reader([first.decode("utf-8-sig")]), [])
        source = ""
    if header_faults(header):
        raise EvidenceLost(f"{path.name}：列名不对")
    source = source or sql.csv_source(str(alias), header)
    return _select(ledger, header, source)


def _select(ledger: str, header: Sequence[str], source: str) -> str:
    carried = set(header)
    texts = [f"{_text(name) if name in carried else 'NULL'} AS {name}" for name in _PLAIN]
    fens = [
        f"CAST(CAST({_text(name)} AS DECIMAL(16, 2)) * 100 AS BIGINT) AS {name}" if name in carried else
        f"CAST(NULL AS BIGINT) AS {name}"
        for name in COMPONENTS
    ]  # fmt: skip
    assert ledger in NAMES
    return f"SELECT '{ledger}' AS ledger, {', '.join(texts)}, {', '.join(fens)} FROM {source}"


def _text(name: str) -> str:
    return sql.cleaned(f'"{name}"::VARCHAR', sql.DUCKDB)


def _nothing() -> str:
    columns = [f"'' AS {name}" for name in ("ledger", *_PLAIN)] + [f"0::BIGINT AS {name}" for name in COMPONENTS]
    return f"SELECT {', '.join(columns)} WHERE false"
