"""Plain ledgers in, what differs out: the engine and the rules introduced to each other, no database needed.

The engine sets aside what all ledgers agree on; the rest goes through the rules cluster by cluster and never lies in
memory whole: lines are kept in sorted runs on disk and merged when they are written.
"""

import heapq
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import attrs
import msgspec

from adapters.crypto.digest import sm3
from adapters.files.workplace import Workplace
from adapters.ledgers.engine import Engine, Limits
from adapters.ledgers.steps import Steps
from gateway.app.books_rules import rules
from gateway.books.deciding import Decider
from gateway.books.lines import Line, cells
from gateway.books.scope import INSURED, Scope
from gateway.books.volume import Summary, Volume, guarded
from gateway.core.ledgers import AGY, COMPONENTS, GW, INST, NAMES, Row

RUN_LINES = 100_000  # sorted in memory at once
Tick = Callable[[int], None]
# Shows how far the reading of a file is.
Bar = Callable[[Path, str], AbstractContextManager[Tick]]
Say = Callable[[str], None]
# (folder, date, bytes of all files, limits) -> an engine.
Opened = Callable[[Path, str, int, Limits], AbstractContextManager[Steps]]


@attrs.define
class Spool:
    """Lines in sorted runs. folder: where the runs lie."""

    folder: Path
    _runs: list[Path] = attrs.Factory(list)
    _lines: list[Line] = attrs.Factory(list)

    def add(self, line: Line) -> None:
        self._lines.append(line)
        if len(self._lines) >= RUN_LINES:
            run = self.folder / f"run{len(self._runs)}"
            with run.open("wb") as stream:
                for one in sorted(self._lines, key=_order):
                    stream.write(msgspec.json.encode(one) + b"\n")
            self._runs.append(run)
            self._lines.clear()

    def lines(self) -> Iterator[Line]:
        """Yield all lines in order (B16); may be asked again."""
        runs = [_read(run) for run in self._runs]
        return heapq.merge(*runs, sorted(self._lines, key=_order), key=_order)


def _order(line: Line) -> tuple[str, ...]:
    return line.order


def _read(run: Path) -> Iterator[Line]:
    with run.open("rb") as stream:
        for text in stream:
            yield msgspec.json.decode(text, type=Line)


@attrs.frozen(kw_only=True)
class Reconciled:
    """What a run came to. counts: rows of each ledger; tripped: legs whose reversals the volume guard stopped."""

    scope: Scope
    counts: Mapping[int, int]
    summary: Summary
    spool: Spool
    tripped: frozenset[str]

    def lines(self) -> Iterator[Line]:
        """Yield the lines as they are told."""
        return (guarded(line, self.tripped) for line in self.spool.lines())

    def records(self) -> Iterator[tuple[str, ...]]:
        """Yield the lines as `differences.csv` has them."""
        return (cells(line, self.scope.date, sm3) for line in self.lines())


@contextmanager
def embedded(folder: Path, date: str, size_bytes: int, limits: Limits) -> Iterator[Steps]:
    """The engine in this process."""
    with closing(Engine(folder, date, size_bytes, limits)) as engine:
        yield engine


@contextmanager
def on_spark(folder: Path, date: str, size_bytes: int, limits: Limits) -> Iterator[Steps]:
    """The engine on Spark. Only for who has asked `adapters.ledgers.spark_home` whether anything is missing."""
    from adapters.ledgers.spark import SparkEngine
    from adapters.ledgers.spark_home import session

    with session(folder, limits) as spark, closing(SparkEngine(folder, date, spark)) as engine:
        yield engine


@contextmanager
def reconciled(
    files: Mapping[int, Path], scope: Scope, workplace: Path, bar: Bar, say: Say,
    opened: Opened = embedded, limits: Limits | None = None,
) -> Iterator[Reconciled]:  # fmt: skip
    """Reconcile the files; what is handed out may be read until the context ends.

    workplace: a folder for the engine's files, which are removed. Raises LedgerRefused, EngineFailed, OSError.
    """
    size = sum(file.stat().st_size for file in files.values())
    with (
        Workplace.make(".books-", workplace) as folder,
        opened(folder, scope.date, size, limits or Limits()) as engine,
    ):
        counts = {}
        for ledger, file in sorted(files.items()):
            with bar(file, f"读取{NAMES[ledger]}") as tick:
                counts[ledger] = engine.load(ledger, file, tick)
        yield _decided(engine, scope, counts, folder, say)


def _decided(engine: Steps, scope: Scope, counts: Mapping[int, int], folder: Path, say: Say) -> Reconciled:
    engine.resolve()
    scope = attrs.evolve(scope, later=engine.later())
    local = scope.given & {INST, GW, AGY} if scope.role != INSURED else scope.given
    keys, skewed = engine.judge(scope.given, local, lambda done, all_of_it: say(f"比对{done}/{all_of_it}"))
    decider = Decider(rules(), scope)
    spool, volume = Spool(folder), Volume()
    summary = Summary(date=scope.date, keys=keys, sums={})
    for number, (rows, depended, ambiguous) in enumerate(engine.clusters()):
        if number % 1000 == 0:
            say(f"判定第{number + 1}组")
        for line in decider.decide(rows, depended, ambiguous):
            spool.add(line)
            volume.add(line)
            summary.add(line)
    if scope.role != INSURED:
        decider.tally.count("T6", skewed - engine.skewed_again())
    for row, count in decider.tally.rows.items():
        summary.rows[row] = summary.rows.get(row, 0) + count
    summary.sums = _sums(engine.sums(), decider.tally.repeats, scope.given)
    return Reconciled(scope=scope, counts=counts, summary=summary, spool=spool, tripped=volume.tripped(keys))


def _sums(raw: Mapping[int, Mapping[str, int]], repeats: list[Row], given: frozenset[int]) -> dict[str, dict[str, int]]:
    """Take what stood in a file once too often from the sums (B17); every ledger given has its entry."""
    sums = {ledger: dict(raw.get(ledger, {})) for ledger in sorted(given)}
    for row in repeats:
        for name, fen in zip(COMPONENTS, row.amounts, strict=True):
            if fen is not None:
                sums[row.ledger][name] -= fen
    return {NAMES[ledger]: found for ledger, found in sums.items()}
