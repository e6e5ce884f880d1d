"""The arithmetic of interleaved rounds: every cell once a round, in turn, so that a noisy minute falls on all alike.

A cell is one proxy with one kind of message. Its cost is CPU of the proxy process divided by the requests of the round.
Ratios are made round by round and only then summed up by their median: both sides of a ratio saw the same weather.
A cell with one wrong answer in any round is void: a proxy that refuses is fast. It has no cost and no ratio.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import median
from typing import Any

import attrs

Cell = tuple[str, str]
"""(proxy, kind of message)"""


@attrs.frozen
class Measured:
    """One cell in one round. cpu_us: microseconds a request; user_share: of the CPU time, 0..1."""

    cpu_us: float
    per_s: float
    user_share: float
    done: int
    bad: Mapping[str, int] = attrs.Factory(dict)

    @property
    def void(self) -> bool:
        return bool(self.bad) or not self.done or self.cpu_us <= 0


@attrs.frozen
class Summed:
    """One cell over all rounds."""

    cpu_us: float
    cpu_us_min: float
    per_s: float
    user_share: float
    rounds: int


@attrs.define
class Table:
    """What was measured: one dictionary of cells a round."""

    rounds: list[dict[Cell, Measured]] = attrs.Factory(list)

    def cells(self) -> list[Cell]:
        """Cells in the order they were first measured."""
        return list(dict.fromkeys(cell for one in self.rounds for cell in one))

    def void(self, cell: Cell) -> bool:
        """Whether any round of the cell is void; False when it was never measured."""
        return any(one[cell].void for one in self.rounds if cell in one)

    def summed(self, cell: Cell) -> Summed:
        """Medians and the minimum of a cell; raises KeyError when it is void or was never measured."""
        found = [one[cell] for one in self.rounds if cell in one]
        if not found or self.void(cell):
            raise KeyError(cell)
        return Summed(
            cpu_us=median(one.cpu_us for one in found),
            cpu_us_min=min(one.cpu_us for one in found),
            per_s=median(one.per_s for one in found),
            user_share=median(one.user_share for one in found),
            rounds=len(found),
        )

    def ratio(self, upper: Cell, lower: Cell) -> float | None:
        """Median over rounds of upper's CPU by lower's; None when one is void or no round has both."""
        if self.void(upper) or self.void(lower):
            return None
        found = [one[upper].cpu_us / one[lower].cpu_us for one in self.rounds if upper in one and lower in one]
        return median(found) if found else None

    def ratio_of_minima(self, upper: Cell, lower: Cell) -> float | None:
        """The quietest round of each side; None when one is void or was never measured."""
        try:
            return self.summed(upper).cpu_us_min / self.summed(lower).cpu_us_min
        except KeyError:
            return None

    def bad(self) -> dict[str, int]:
        """Answers that were not what they should be, by cell and reason."""
        found: dict[str, int] = {}
        for one in self.rounds:
            for (proxy, kind), measured in one.items():
                for why, count in measured.bad.items():
                    name = f"{proxy} {kind} {why}"
                    found[name] = found.get(name, 0) + count
        return found


def order(cells: Sequence[Cell], number: int) -> Iterator[Cell]:
    """The cells of a round, beginning one further every round, so that none is always first after a pause."""
    start = number % len(cells) if cells else 0
    yield from cells[start:]
    yield from cells[:start]


def run(cells: Sequence[Cell], rounds: int, measure: Callable[[Cell, int], Measured]) -> Table:
    """Measure every cell `rounds` times, after one round that is thrown away (caches, compilers, connections)."""
    table = Table()
    for number in range(rounds + 1):
        found = {cell: measure(cell, number) for cell in order(cells, number)}
        if number:
            table.rounds.append(found)
    return table


def measured(cpu_ns: int, user_ns: int, system_ns: int, done: int, seconds: float, bad: Mapping[str, int]) -> Measured:
    """Divide; a cell without answers costs nothing and says why in `bad`, so that it is void."""
    ticks = user_ns + system_ns
    if not done and not bad:
        bad = {"没有一个应答": 1}
    return Measured(
        cpu_us=cpu_ns / 1000 / done if done else 0.0,
        per_s=done / seconds if seconds else 0.0,
        user_share=user_ns / ticks if ticks else 0.0,
        done=done,
        bad=bad,
    )


def as_json(table: Table) -> list[dict[str, Any]]:
    """Every cell summed up, with every round's number: for var/bench.json. A void cell has its rounds only."""
    rows = []
    for cell in table.cells():
        void = table.void(cell)
        one = {} if void else attrs.asdict(table.summed(cell))
        each = [round(found[cell].cpu_us, 2) for found in table.rounds if cell in found]
        rows.append({"proxy": cell[0], "kind": cell[1], "void": void, **one, "cpu_us_each": each})
    return rows
