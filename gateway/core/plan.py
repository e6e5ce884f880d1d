"""Compiled plans: one straight-line Python function per node, made at start from the region's facts.

A plan walks the tree once, checks, translates in place and adds up fen. It only ever says "yes": at its first surprise
it returns -1 and `gateway.core.checks.examine` explains everything from a fresh decode. A surprise is not a fault: a
plan may be stricter than the walk, never more lenient (tests/core/test_plan.py compares the two).
"""

from collections.abc import Callable, Iterator
from typing import Any

import attrs

from gateway.core.catalogue import Node, Region, Transaction
from gateway.core.checks import SERVICE_DAY, service_day
from gateway.core.facts import head_name
from gateway.core.plan_writer import Writer
from gateway.core.sums import total_nodes
from gateway.core.translation import Work

RowCheck = Callable[[Any, Work, str, str], int]


@attrs.frozen(eq=False)
class Plan:
    """How one transaction of one region is checked and translated."""

    transaction: Transaction
    region: Region
    envelope: RowCheck
    root: RowCheck | None
    nodes: tuple[tuple[Node, RowCheck], ...]
    whole: tuple[tuple[str, RowCheck], ...]
    day_names: tuple[str, ...]
    has_total: bool
    known: frozenset[str]
    whose: bool
    head: str

    def run(self, envelope: dict[str, Any], work: Work) -> int:
        """Check and translate in place; return the number of JSON keys seen, or -1 at the first surprise."""
        message = envelope.get("input")
        keys = self.envelope(envelope, work, "", work.day)
        if keys < 0 or type(message) is not dict:
            return -1
        day = self._begin(envelope, message, work)
        if not day:
            return -1
        keys += len(message)
        if self.root is not None:
            found = self.root(message, work, "input", day)
            if found < 0:
                return -1
            keys += found - len(message)
        for name, check in self.whole:
            found = check(message.get(name), work, "input." + name, day)
            if found < 0:
                return -1
            keys += found
        return keys if self._ends(work) else -1

    def _begin(self, envelope: dict[str, Any], message: dict[str, Any], work: Work) -> str:
        """Set the message's day and return the base day of its rows; '' = a surprise."""
        work.day = (envelope.get("inf_time") or work.day)[:10]
        if message and self.root is None and self._surprising(message, work):
            return ""
        return self._base_day(message, work.day)

    def _ends(self, work: Work) -> bool:
        return work.rows <= self.transaction.rows_max and (not self.has_total or work.lines_fen == work.total_fen)

    def slices(self, envelope: dict[str, Any], work: Work, rows: int) -> Iterator[int]:
        """As `run`, in slices of at most `rows` rows: yield the keys so far; the last is the result, -1 ends it."""
        message = envelope.get("input")
        keys = self.envelope(envelope, work, "", work.day)
        if keys < 0 or type(message) is not dict:
            yield -1
            return
        day = self._begin(envelope, message, work)
        if not day:
            yield -1
            return
        keys += len(message)
        if self.root is not None:
            found = self.root(message, work, "input", day)
            if found < 0:
                yield -1
                return
            keys += found - len(message)
        for node, check in self.nodes:
            for found in _node_slices(node, check, message.get(node.name), work, "input." + node.name, day, rows):
                if found < 0:
                    yield -1
                    return
                keys += found
                yield keys
        yield keys if self._ends(work) else -1

    def _surprising(self, message: dict[str, Any], work: Work) -> bool:
        """Say whether input itself names an institution, or none of the nodes is known."""
        if self.whose and message.get("fixmedins_code", work.institution) != work.institution:
            return True
        return self.known.isdisjoint(message) and bool(self.known)

    def _base_day(self, message: dict[str, Any], day: str) -> str:
        """The date of service of the first object of a message, for rows that have none of their own (X13)."""
        for node, _ in self.nodes:
            value = message.get(node.name)
            if type(value) is dict:
                for name in self.day_names:
                    own = value.get(name)
                    if own:  # the row check refuses what is not a date
                        return service_day(self.transaction, node, value, day)
                return day
        return day


def _node_slices(node: Node, check: RowCheck, value: Any, work: Work, path: str, day: str, rows: int) -> Iterator[int]:
    if type(value) is dict:
        yield check(value, work, path, day) if node.repeated != "many" else -1
    elif type(value) is list:
        if node.repeated == "one" or (node.required and not value):
            yield -1
            return
        work.rows += len(value)
        for start in range(0, len(value), rows):
            keys = 0
            for index in range(start, min(start + rows, len(value))):
                found = check(value[index], work, f"{path}[{index}]", day)
                if found < 0:
                    yield -1
                    return
                keys += found
            yield keys
    else:
        yield -1 if node.required or value is not None else 0


def _whole(node: Node, check: RowCheck) -> RowCheck:
    """Return the check of a whole node: an object, a list of them, or nothing."""
    many, one, required = node.repeated == "many", node.repeated == "one", node.required

    def run(value: Any, work: Work, path: str, day: str) -> int:
        if type(value) is list:
            if one or (required and not value):
                return -1
            work.rows += len(value)
            keys = 0
            for index, row in enumerate(value):
                found = check(row, work, f"{path}[{index}]", day)
                if found < 0:
                    return -1
                keys += found
            return keys
        if type(value) is dict:
            return -1 if many else check(value, work, path, day)
        return -1 if required or value is not None else 0

    return run


def compile_plan(region: Region, transaction: Transaction, beside: bool = False) -> Plan:
    """Compile the plan of one transaction in one region; beside: for the local regime."""
    totals = total_nodes(transaction)
    compiler = _Compiler(region, transaction, totals, beside)
    nodes = tuple((node, compiler.node(node)) for node in transaction.nodes)
    return Plan(
        transaction,
        region,
        compiler.node(region.envelope, top=True),
        None if transaction.root is None else compiler.node(transaction.root),
        nodes,
        tuple((node.name, _whole(node, check)) for node, check in nodes),
        (transaction.service_date, *SERVICE_DAY) if transaction.service_date else SERVICE_DAY,
        totals is not None,
        frozenset(node.name for node in transaction.nodes),
        not transaction.may_name_others,
        head_name(transaction),
    )


@attrs.define
class _Compiler:
    region: Region
    transaction: Transaction
    totals: tuple[Node, Node] | None
    beside: bool

    def node(self, node: Node, top: bool = False) -> RowCheck:
        """Return the compiled row check of a node."""
        writer = Writer(self.region, self.transaction, self.totals, self.child, node, top, self.beside)
        source = writer.source()
        scope = writer.scope
        exec(compile(source, f"<plan {self.transaction.infno}.{node.name or 'envelope'}>", "exec"), scope)  # noqa: S102
        check: RowCheck = scope["check"]
        return check

    def child(self, node: Node) -> RowCheck:
        """Return the check of a node that hangs under a field."""
        return _whole(node, self.node(node))
