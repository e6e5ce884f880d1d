"""The steps of a reconciliation that are the same on every engine: load, resolve keys, set aside, hand out the rest.

An engine adds how it takes a file, how it keeps a table, and how it answers a statement of `adapters.ledgers.sql`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from adapters.ledgers import sql
from adapters.ledgers.source import Counted, Tick, count, is_parquet
from gateway.core.ledgers import COMPONENTS, INS, INST, PROV, Row

Cluster = tuple[list[Row], frozenset[str], frozenset[str]]
Answer = tuple[Any, ...]


class EngineFailed(Exception):
    """The engine could not finish: disk full, too little memory, a fault of its own. Nothing was decided."""


class Steps(ABC):
    """One reconciliation's ledgers. folder: its own, empty, readable by the owner only; date: yyyy-MM-dd."""

    dialect: sql.Dialect

    def __init__(self, folder: Path, date: str) -> None:
        self.folder, self.date = folder, date
        self.carried: dict[int, tuple[str, ...]] = {}
        self.rows = 0

    @abstractmethod
    def close(self) -> None:
        """Let go of everything but the folder."""

    @abstractmethod
    def _csv(self, ledger: int, path: Path, counted: Counted, tick: Tick) -> int: ...

    @abstractmethod
    def _parquet(self, ledger: int, path: Path) -> int: ...

    @abstractmethod
    def _fetched(self, statement: str) -> Iterator[Answer]: ...

    @abstractmethod
    def _add(self, table: str, statement: str) -> None:
        """Add what the statement finds to a table of sql.COLUMNS."""

    @abstractmethod
    def _add_linked(self, roots: Mapping[str, str]) -> None: ...

    @abstractmethod
    def _find_keys(self) -> None: ...

    @abstractmethod
    def _judge(self, judged: Callable[[str], str], tick: Callable[[int, int], None]) -> None:
        """Fill the table `judged`. judged: takes a condition that keeps all rows of a key or none."""

    def _first(self, statement: str) -> Answer:
        return next(self._fetched(statement))

    def load(self, ledger: int, path: Path, tick: Tick) -> int:
        """Load one ledger; return its rows. Raises LedgerRefused with every fault, OSError, EngineFailed."""
        if is_parquet(path):
            loaded = self._parquet(ledger, path)
        else:
            counted = count(path, tick)
            self.carried[ledger] = counted.header
            loaded = self._csv(ledger, path, counted, tick)
        self.rows += loaded
        return loaded

    def resolve(self) -> None:
        """Give every row the key it is matched by (B14)."""
        if self._first("SELECT count(*) FROM ledger_rows WHERE k IS NULL")[0]:
            self._find_keys()

    def later(self) -> frozenset[int]:
        """Return the ledgers with a row dated the day after or later (T3)."""
        return frozenset(one[0] for one in self._fetched("SELECT DISTINCT ledger FROM ledger_rows WHERE day > 0"))

    def sums(self) -> dict[int, dict[str, int]]:
        """Return what the rows of the day sum up to as they stand, in fen, by ledger and component."""
        return {
            ledger: {name: int(fen) for name, fen in zip(COMPONENTS, sums, strict=True) if fen is not None}
            for ledger, *sums in self._fetched(sql.sums(self.dialect))
        }

    def judge(self, full: Iterable[int], local: Iterable[int], tick: Callable[[int, int], None]) -> tuple[int, int]:
        """Find the keys that need the rules. full, local: ledgers a remote and a local patient's key must stand in.

        Return (keys with a row of the day, plain keys whose sender's clock is off: T6).
        """
        whole, part = [sum(1 << ledger for ledger in ledgers) for ledgers in (full, local)]
        compared = sql.whole_and_part(list(self._fetched(sql.FILLED)))
        self._judge(lambda where: sql.judged(compared, whole, part, self.dialect, where), tick)
        self._add("odd", "SELECT k FROM judged WHERE NOT plain")
        self._link()
        if INST in self.carried:
            for names in (("psn_no",), ("fixmedins_code", "mdtrt_id")):
                self._add("depended", sql.depended(names))
        if {PROV, INS} & self.carried.keys():
            self._add("ambiguous", sql.AMBIGUOUS)
        keys, skewed = self._first("SELECT count(*), count(*) FILTER (WHERE plain AND skewed) FROM judged")
        return int(keys), int(skewed)

    def _link(self) -> None:
        """Bring keys together that share a message or a business key; plain ones among them are plain no more."""
        names = {name for columns in self.carried.values() for name in columns}
        statements = [sql.DOUBLE_POSTS]
        statements += [sql.double_settlements(name) for name in ("chrg_bchno", "invono") if name in names]
        self._add_linked(_roots(pair for statement in statements for pair in self._fetched(statement)))
        self._add("odd", sql.LINKED_TO_ODD)

    def skewed_again(self) -> int:
        """Return the plain keys with a clock off that went to the rules after all: counted there."""
        return int(self._first("SELECT count(*) FROM judged JOIN linked USING (k) WHERE plain AND skewed")[0])

    def clusters(self) -> Iterator[Cluster]:
        """Yield the rows the rules must see, cluster by cluster, the keys in it something depends on (B8), and those
        whose serial another key bears, too (B14)."""
        for _, group in groupby(self._fetched(sql.CLUSTERS), key=lambda line: line[0]):
            rows, depended, ambiguous = [], set(), set()
            for line in group:
                rows.append(Row._make((*line[3 : sql.AMOUNTS_AT], tuple(line[sql.AMOUNTS_AT :]))))
                if line[1]:
                    depended.add(rows[-1].key)
                if line[2]:
                    ambiguous.add(rows[-1].key)
            yield rows, frozenset(depended), frozenset(ambiguous)


def _roots(pairs: Iterable[Sequence[Any]]) -> Mapping[str, str]:
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
