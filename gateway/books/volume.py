"""The volume guard: many reversals at once are a mistake of ours or of a file until people say otherwise (§4.2, B8)."""

from collections.abc import Mapping

import attrs

from gateway.books.lines import Line

LINES_MIN = 5
KEYS_PER_LINE = 1_000  # 0.1 % of the keys
FEN_MAX = 10_000_000  # 100,000.00 yuan
GUARDED = "VOLUME_GUARD"


@attrs.define
class Volume:
    """Counts what a run would reverse by itself, leg by leg. unknown: legs with a reversal of nobody knows how much."""

    lines: dict[str, int] = attrs.Factory(dict)
    fen: dict[str, int] = attrs.Factory(dict)
    unknown: set[str] = attrs.Factory(set)

    def add(self, line: Line) -> None:
        if line.reverses:
            self.lines[line.leg] = self.lines.get(line.leg, 0) + 1
            self.fen[line.leg] = self.fen.get(line.leg, 0) + (line.guard_fen or 0)
            if line.guard_fen is None:
                self.unknown.add(line.leg)

    def tripped(self, keys: int) -> frozenset[str]:
        """Return the legs whose reversals all become cases. keys: of the run.

        An unknown amount may be any amount: it is more than the limit.
        """
        most = max(LINES_MIN, keys // KEYS_PER_LINE)
        much = {leg for leg, count in self.lines.items() if count > most or self.fen[leg] > FEN_MAX}
        return frozenset(much | self.unknown)


def guarded(line: Line, tripped: frozenset[str]) -> Line:
    """Return the line as it may be told: a case when its leg has too many reversals."""
    if line.reverses and line.leg in tripped:
        return attrs.evolve(line, mode="TWO", action="CASE", notes=(*line.notes, GUARDED))
    return line


@attrs.define
class Summary:
    """`summary.json` (contract §7, B17). sums: ledger -> component -> fen."""

    date: str
    keys: int
    sums: Mapping[str, Mapping[str, int]]
    classes: dict[str, int] = attrs.Factory(dict)
    rows: dict[str, int] = attrs.Factory(dict)
    agreed: bool = True

    def add(self, line: Line) -> None:
        self.classes[line.name] = self.classes.get(line.name, 0) + 1
        if line.row:
            self.rows[line.row] = self.rows.get(line.row, 0) + 1
        self.agreed = self.agreed and line.agreed

    def record(self) -> dict[str, object]:
        """Return the object, its names in order, so that equal runs give equal bytes."""
        return {
            "date": self.date,
            "agreed": self.agreed,
            "classes": dict(sorted(self.classes.items())),
            "rows": dict(sorted(self.rows.items())),
            "sums_fen": self.sums,
            "keys": self.keys,
        }
