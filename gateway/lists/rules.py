"""The quality rules of settlement lists: read from data, compiled once, cut to a form, adjusted by a region.

A rule is one TOML table (schemas/settlement_list/rules/). It names its source, whether that was verified, and a passing
and a failing example. Source: settlement_list.yaml `rules`, amended by annex L4 to L6.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Set
from typing import Any

import attrs
import msgspec

from gateway.lists.language import BadRule, Expr, compile_truth
from gateway.lists.pieces import Scope
from gateway.lists.reading import HEAD, Empty, FieldSpec, Finding, Level, Nodes, Record

ID = re.compile(r"SL-[A-Z][0-9]{3}")


class RulesError(Exception):
    """The rule files are wrong; problems holds every fault with its place."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class CheckSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"must": "assert"}):
    """One condition: over the list (each ''), or over each record of a node that `where` chooses."""

    must: str = ""
    when: str = ""
    each: str = ""
    where: str = ""


class RuleSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"must": "assert", "passes": "pass"}):
    """One rule as it is written.

    distinct: fields no two records of `each` may share (`a|b`: the day of the first that is filled). apart: begin and
    end of spans that may not overlap. forbid_text: what no text may hold. path: instead of the first field of `assert`.
    warn_when: the level is warn then. since, until: days of discharge it is in force, '' = open. on: the example list
    that pass and fail change (path -> value); given: what is known besides.
    """

    id: str
    level: Level
    kind: str
    message: str
    source: str
    verified: bool
    must: str = ""
    when: str = ""
    each: str = ""
    where: str = ""
    distinct: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()
    forbid_text: str = ""
    path: str = ""
    warn_when: str = ""
    also: tuple[CheckSpec, ...] = ()
    since: str = ""
    until: str = ""
    on: str = "good"
    given: str = ""
    passes: dict[str, Any] = {}
    fail: dict[str, Any] = {}


class RuleFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of rules. version: changes with every change of a rule."""

    version: str
    rule: tuple[RuleSpec, ...]


class RegionRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a region does differently. off: rules it does not have; levels: of others; domains: the values it allows."""

    source: str
    off: tuple[str, ...] = ()
    levels: dict[str, Level] = {}
    domains: dict[str, tuple[str, ...]] = {}


Check = Callable[[Scope], Iterator[str]]
"""Yields the path of everything that breaks the rule."""


@attrs.frozen
class Rule:
    """A compiled rule. fields: (node, field) it reads; field '' = only the node's records."""

    spec: RuleSpec
    level: Level
    when: Expr | None
    warn_when: Expr | None
    checks: tuple[Check, ...]
    fields: frozenset[tuple[str, str]]

    def applies(self, scope: Scope) -> bool:
        """Whether the rule is in force that day and its condition holds."""
        day = scope.world.day
        if day and not (self.spec.since <= day <= (self.spec.until or day)):
            return False
        return self.when is None or _holds(self.when, scope)

    def findings(self, scope: Scope) -> Iterator[Finding]:
        """Yield what breaks the rule."""
        if not self.applies(scope):
            return
        for check in self.checks:
            for path in check(scope):
                mild = self.warn_when is not None and _holds(self.warn_when, scope)
                yield Finding(self.spec.id, "warn" if mild else self.level, path, self.spec.message)


@attrs.frozen
class RuleSet:
    """All rules that apply: to one form of the message, in one region."""

    version: str
    nodes: Nodes
    rules: tuple[Rule, ...]

    def cut(self, nodes: Nodes) -> "RuleSet":
        """Return the rules whose fields all exist in a form of the message (annex L1)."""
        kept = tuple(rule for rule in self.rules if all(_exists(nodes, *one) for one in rule.fields))
        return attrs.evolve(self, nodes=nodes, rules=kept)

    def adjusted(self, region: RegionRules) -> "RuleSet":
        """Return the rules as a region has them. Raises RulesError for rules that do not exist."""
        known = {rule.spec.id for rule in self.rules}
        unknown = sorted({*region.off, *region.levels} - known)
        if unknown:
            raise RulesError([f"地区规则：没有这条规则{one}" for one in unknown])
        kept = (rule for rule in self.rules if rule.spec.id not in region.off)
        rules = tuple(attrs.evolve(rule, level=region.levels.get(rule.spec.id, rule.level)) for rule in kept)
        return attrs.evolve(self, rules=rules)


def _exists(nodes: Nodes, node: str, field: str) -> bool:
    return node in nodes and (not field or field in nodes[node])


def _holds(condition: Expr, scope: Scope) -> bool:
    try:
        return bool(condition.run(scope, scope.reading.head))
    except Empty:
        return False


def build(files: Iterable[tuple[str, bytes]], fields: bytes) -> RuleSet:
    """Compile the rule files (name, content) over the fields of a list. Raises RulesError with every fault."""
    problems: list[str] = []
    nodes = msgspec.toml.decode(fields, type=dict[str, dict[str, FieldSpec]])
    rules: dict[str, Rule] = {}
    versions: list[str] = []
    for name, content in files:
        try:
            found = msgspec.toml.decode(content, type=RuleFile)
        except msgspec.MsgspecError as cause:
            problems.append(f"{name}: {cause}")
            continue
        versions.append(found.version)
        for spec in found.rule:
            try:
                rule = _compiled(spec, nodes)
            except BadRule as cause:
                problems.append(f"{name} {spec.id}: {cause}")
                continue
            if spec.id in rules or not ID.fullmatch(spec.id):
                problems.append(f"{name} {spec.id}: 规则编号重复或不合规")
            rules[spec.id] = rule
    if problems:
        raise RulesError(problems)
    return RuleSet(max(versions, default=""), nodes, tuple(rules.values()))


# --- compiling one rule ---


def _compiled(spec: RuleSpec, nodes: Nodes) -> Rule:
    when = compile_truth(spec.when, nodes) if spec.when else None
    warn_when = compile_truth(spec.warn_when, nodes) if spec.warn_when else None
    fields = set(when.fields if when else ()) | set(warn_when.fields if warn_when else ())
    checks: list[Check] = []
    special = sum(map(bool, (spec.must, spec.distinct, spec.apart, spec.forbid_text)))
    if special != 1:
        raise BadRule("assert、distinct、apart、forbid_text应恰有一项")
    if spec.must:
        for one in (CheckSpec(must=spec.must, each=spec.each, where=spec.where), *spec.also):
            check, read = _condition(one, nodes, spec.path)
            checks.append(check)
            fields |= read
    elif spec.forbid_text:
        checks.append(_without(spec.forbid_text))
    else:
        names = [name for part in spec.distinct or spec.apart for name in part.split("|")]
        if spec.each not in nodes or not set(names) <= set(nodes[spec.each]) or (spec.apart and len(spec.apart) != 2):
            raise BadRule("distinct和apart应写each中节点的字段")
        checks.append(_distinct(spec.each, spec.distinct) if spec.distinct else _apart(spec.each, *spec.apart))
        fields |= {(spec.each, name) for name in names}
    return Rule(spec, spec.level, when, warn_when, tuple(checks), frozenset(fields))


def _condition(spec: CheckSpec, nodes: Nodes, path: str) -> tuple[Check, Set[tuple[str, str]]]:
    if spec.each and spec.each not in nodes:
        raise BadRule(f"没有这个节点：{spec.each}")
    if spec.where and not spec.each:
        raise BadRule("where只用于each")
    node = spec.each or HEAD
    must = compile_truth(spec.must, nodes, node)
    where = compile_truth(spec.where, nodes, node) if spec.where else None
    when = compile_truth(spec.when, nodes) if spec.when else None
    read = {*must.fields, *(where.fields if where else ()), *(when.fields if when else ())}
    if spec.each:
        read.add((node, ""))
        return _each(node, must, where, _field_of(must, where, node)), read
    return _whole(must, when, path or _place(must)), read


def _field_of(must: Expr, where: Expr | None, node: str) -> str:
    """The record's field the condition names first (annex L2)."""
    named = [field for at, field in (*must.fields, *(where.fields if where else ())) if at == node and field]
    return f".{named[0]}" if named else ""


def _place(must: Expr) -> str:
    """The field the condition names first; of a node that is counted or added up, the node (annex L2)."""
    if not must.fields:
        return ""
    node, field = must.fields[0]
    return f"{node}.{field}" if node == HEAD and field else node


def _each(node: str, must: Expr, where: Expr | None, field: str) -> Check:
    def check(scope: Scope) -> Iterator[str]:
        for record in scope.reading.nodes[node]:
            try:
                good = (where is not None and not where.run(scope, record)) or must.run(scope, record)
            except Empty:
                continue
            if not good:
                yield f"{node}[{record.index}]{field}"

    return check


def _whole(must: Expr, when: Expr | None, path: str) -> Check:
    def check(scope: Scope) -> Iterator[str]:
        if when is not None and not _holds(when, scope):
            return
        try:
            good = must.run(scope, scope.reading.head)
        except Empty:
            return
        if not good:
            yield path

    return check


def _distinct(node: str, fields: tuple[str, ...]) -> Check:
    parts = [part.split("|") for part in fields]

    def key(record: Record) -> tuple[str, ...]:
        """Of `a|b` the first that is filled, by its day."""
        return tuple(
            record.texts[names[0]]
            if len(names) == 1
            else next((record.texts[name][:10] for name in names if name in record.texts), "")
            for names in parts
        )

    def check(scope: Scope) -> Iterator[str]:
        seen: set[tuple[str, ...]] = set()
        for record in scope.reading.nodes[node]:
            try:
                found = key(record)
            except Empty:
                continue
            if "" in found:
                continue
            if found in seen:
                yield f"{node}[{record.index}]"
            seen.add(found)

    return check


def _apart(node: str, begin: str, end: str) -> Check:
    def check(scope: Scope) -> Iterator[str]:
        spans = [
            (record.values[begin], record.values[end], record.index)
            for record in scope.reading.nodes[node]
            if begin in record.values and end in record.values
        ]
        latest: Any = None
        for start, stop, index in sorted(spans, key=lambda span: (span[0], span[2])):
            if latest is not None and start < latest:
                yield f"{node}[{index}]"
            latest = stop if latest is None else max(latest, stop)

    return check


def _without(text: str) -> Check:
    def check(scope: Scope) -> Iterator[str]:
        for node, records in scope.reading.nodes.items():
            for record in records:
                place = node if node == HEAD else f"{node}[{record.index}]"
                for name, value in (*record.texts.items(), *record.strays.items()):
                    if text in value:
                        yield f"{place}.{name}"

    return check
