"""Cells of a test ledger as rows of the core, read here by itself: a second reading of annex B5, B14, B15."""

from collections.abc import Iterable, Mapping
from datetime import date

from desk import DAY, Cells

from gateway.app.books_rules import rules
from gateway.books.deciding import Decider
from gateway.books.lines import Line
from gateway.books.scope import Scope
from gateway.core.ledgers import COMPONENTS, NAMES, STATUSES, TEXTS, Row


def row_of(name: str, cells: Cells) -> Row:
    """One row, its key being its setl_id."""
    when = cells.get("setl_time", "")
    clock = when[11:].split(":")
    fees = tuple(
        round(float(cells[component]) * 100) if cells.get(component) else None  # small enough to be exact
        for component in COMPONENTS
    )
    return Row(
        NAMES.index(name),
        cells["setl_id"],
        *(cells.get(column, "") for column in TEXTS),
        int(cells.get("direction") or 0),
        STATUSES.index(cells.get("status") or "SETTLED"),
        int(cells.get("delivered") or 1),
        (date.fromisoformat(when[:10]) - date.fromisoformat(DAY)).days if when else 0,
        int(clock[0]) * 3600 + int(clock[1]) * 60 + int(clock[2]) if len(when) > 10 else None,
        fees,
    )


def decide(
    ledgers: Mapping[str, Iterable[Cells]], scope: Scope, depended: frozenset[str] = frozenset()
) -> tuple[list[Line], dict[str, int]]:
    """All keys through the rules, none set aside; lines in order, and what was counted besides."""
    by_key: dict[str, list[Row]] = {}
    for name, rows in ledgers.items():
        for cells in rows:
            by_key.setdefault(cells["setl_id"], []).append(row_of(name, cells))
    decider = Decider(rules(), scope)
    lines = [line for key in by_key for line in decider.decide(by_key[key], depended & {key})]
    return sorted(lines, key=lambda line: line.order), decider.tally.rows
