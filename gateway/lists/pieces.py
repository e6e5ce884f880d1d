"""What the compiled pieces of a list rule do: small closures over one list and one of its records."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import attrs

from gateway.lists.reading import Empty, Reading, Record
from gateway.lists.words import World

Run = Callable[["Scope", Record], Any]


@attrs.frozen
class Scope:
    """One list under examination and what may be asked besides."""

    reading: Reading
    world: World


def fetch(field: str, of_head: bool, raw: bool) -> Run:
    if of_head:
        if raw:
            return lambda scope, row: scope.reading.head.texts[field]
        return lambda scope, row: scope.reading.head.values[field]
    if raw:
        return lambda scope, row: row.texts[field]
    return lambda scope, row: row.values[field]


def both(one: Run, other: Run) -> Run:
    return lambda scope, row: one(scope, row) and other(scope, row)


def either(one: Run, other: Run) -> Run:
    return lambda scope, row: one(scope, row) or other(scope, row)


def comparison(sign: str, one: Run, other: Run, lenient: bool) -> Run:
    runs: dict[str, Run] = {
        "=": lambda scope, row: one(scope, row) == other(scope, row),
        "!=": lambda scope, row: one(scope, row) != other(scope, row),
        "<": lambda scope, row: one(scope, row) < other(scope, row),
        "<=": lambda scope, row: one(scope, row) <= other(scope, row),
        ">": lambda scope, row: one(scope, row) > other(scope, row),
        ">=": lambda scope, row: one(scope, row) >= other(scope, row),
    }
    run = runs[sign]
    if not lenient:
        return run

    def kept(scope: Scope, row: Record) -> bool:
        try:
            return bool(run(scope, row))
        except Empty:
            return sign == "!="

    return kept


def or_zero(field: str, of_head: bool) -> Run:
    """Nothing is 0; what cannot be read is not (annex L3)."""

    def value(scope: Scope, row: Record) -> Any:
        holder = scope.reading.head if of_head else row
        return holder.values[field] if field in holder.texts or field in holder.bad else Decimal(0)

    return value


def matches(run: Run, pattern: re.Pattern[str]) -> Run:
    """An empty field matches (annex L3): whether it may be empty is another rule's business."""

    def matched(scope: Scope, row: Record) -> bool:
        try:
            return pattern.fullmatch(run(scope, row)) is not None
        except Empty:
            return True

    return matched


def filled(field: str, of_head: bool, wanted: bool) -> Run:
    """What is written in a way nobody can read is filled all the same: that it is unreadable was told (annex L3)."""
    if of_head:
        return lambda scope, row: (field in scope.reading.head.texts or field in scope.reading.head.bad) is wanted
    return lambda scope, row: (field in row.texts or field in row.bad) is wanted


def aggregated(node: str, field: str, chosen: Run | None) -> Run:
    """Count records, or add up a field in which what is empty counts nothing."""
    if not field and chosen is None:
        return lambda scope, row: Decimal(scope.reading.given[node])

    def run(scope: Scope, row: Record) -> Decimal:
        total = Decimal(0)
        records = scope.reading.nodes[node]
        if len(records) < scope.reading.given[node]:
            raise Empty  # too many were given, which is told; nobody looked at the rest
        for one in records:
            if chosen is None or _holds(chosen, scope, one):
                if field and (field in one.texts or field in one.bad):
                    total += one.values[field]  # type: ignore[operator]  # a number field; unreadable: Empty
                elif not field:
                    total += 1
        return total

    return run


def _holds(chosen: Run, scope: Scope, row: Record) -> bool:
    try:
        return bool(chosen(scope, row))
    except Empty:
        return False
