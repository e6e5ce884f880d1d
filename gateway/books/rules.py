"""The decision table as data (schemas/books), compiled at start: what presence means, and who does what about it.

Which rule applies is found in `gateway.books.legs`; here is only what a rule says. Nothing here acts.
"""

import csv
from collections.abc import Iterator, Mapping

import attrs
import msgspec

from gateway.books.inquiring import FINDINGS

LEGS = ("L1", "L2", "L4")
MODES = ("AUTO", "ONE", "TWO")
ACTIONS = ("REVERSE", "FEEDBACK", "BOOK", "VOID", "QUERY", "CASE", "WAIT", "WAIT_LEG1", "WAIT_LEG2", "NONE")
PREVAILING = ("INST", "GW", "AGY", "PROV", "INS", "LEG1", "LEG2", "REFUND", "")
# What the code may find out about a key to choose between the ways a rule has.
CIRCUMSTANCES = ("rejected", "guarded", "delivered", "elsewhere", "contradicts")
_PARTIES = ("inst", "gw", "agy", "prov", "ins")

Pattern = tuple[int, int, int, int, int]


class RulesError(Exception):
    """The rule files contradict themselves or lack something. Whoever changed them is at fault; nothing may be run."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Way(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who acts, and how."""

    mode: str
    action: str


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"class_": "class"}):
    mode: str
    action: str
    prevails: str
    title: str
    todo: str
    agreed: bool = False
    class_: str = ""
    when: dict[str, Way] = {}
    answers: dict[str, str] = {}


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"class_": "class"}):
    titles: dict[str, str]
    class_: dict[str, _Entry]
    row: dict[str, _Entry]


@attrs.frozen(kw_only=True)
class Rule:
    """One class or row. name: the class; row: its code, or ''; agreed: the books agree in spite of it (B17);
    answers: the agency is asked about such a record (5203), and this is what to do by what it says."""

    name: str
    row: str
    mode: str
    action: str
    prevails: str
    agreed: bool
    title: str
    todo: str
    when: Mapping[str, Way]
    answers: Mapping[str, str] = attrs.Factory(dict)


@attrs.frozen
class Rules:
    """The compiled table. patterns: presence of (INST, GW, AGY, PROV, INS) -> class of each leg; titles: class -> what
    it is called."""

    patterns: Mapping[Pattern, Mapping[str, str]]
    classes: Mapping[str, Rule]
    rows: Mapping[str, Rule]
    titles: Mapping[str, str]

    def answerable(self) -> tuple[list[str], list[str]]:
        """Return the classes and the rows about whose records the agency is asked."""
        return (
            [name for name, rule in self.classes.items() if rule.answers],
            [name for name, rule in self.rows.items() if rule.answers],
        )

    def rule(self, name: str, row: str) -> Rule:
        """Return what a line's class and row stand for. T5 only says how the presence class came about (B5)."""
        return self.rows[row] if row in self.rows else self.classes[name]


def compile_rules(patterns: bytes, rules: bytes) -> Rules:
    """Compile `patterns.csv` and `rules.toml`. Raises RulesError with everything that is wrong."""
    try:
        found = msgspec.toml.decode(rules, type=_File)
    except (msgspec.DecodeError, UnicodeError) as cause:
        raise RulesError([f"rules.toml: {cause}"]) from cause
    classes = {name: _rule(name, "", entry) for name, entry in found.class_.items()}
    rows = {name: _rule(entry.class_, name, entry) for name, entry in found.row.items()}
    table, problems = _patterns(patterns)
    for legs in table.values():
        problems += [
            f"patterns.csv: {name}不在rules.toml中"
            for leg, name in legs.items()
            if name not in classes and name not in (f"{leg}-NONE", f"{leg}-OK")
        ]
    for rule in (*classes.values(), *rows.values()):
        problems += _faults(rule)
    titles = {rule.name: rule.title for rule in (*rows.values(), *classes.values())} | found.titles
    if problems:
        raise RulesError(sorted(set(problems)))
    return Rules(table, classes, rows, titles)


def _rule(name: str, row: str, entry: _Entry) -> Rule:
    return Rule(
        name=name, row=row, mode=entry.mode, action=entry.action, prevails=entry.prevails, agreed=entry.agreed,
        title=entry.title, todo=entry.todo, when=entry.when, answers=entry.answers,
    )  # fmt: skip


def _patterns(content: bytes) -> tuple[dict[Pattern, Mapping[str, str]], list[str]]:
    lines = [line for line in content.decode().splitlines() if not line.startswith("#")]
    table: dict[Pattern, Mapping[str, str]] = {}
    problems = []
    for line in csv.DictReader(lines):
        bits = [int(line[party] == "1") for party in _PARTIES]
        pattern = (bits[0], bits[1], bits[2], bits[3], bits[4])
        if pattern in table:
            problems.append(f"patterns.csv: {pattern}重复")
        table[pattern] = {leg: line[f"leg{leg[1]}"] for leg in LEGS}
    if len(table) != 2 ** len(_PARTIES):
        problems.append(f"patterns.csv: 应有{2 ** len(_PARTIES)}种情形，实有{len(table)}种")
    return table, problems


def _faults(rule: Rule) -> Iterator[str]:
    where = f"rules.toml: {rule.row or rule.name}"
    if not rule.name:
        yield f"{where}没有class"
    if rule.prevails not in PREVAILING:
        yield f"{where}的prevails不认识"
    for way in (Way(rule.mode, rule.action), *rule.when.values()):
        if way.mode not in MODES or way.action not in ACTIONS:
            yield f"{where}的mode或action不认识"
    if not set(rule.when) <= set(CIRCUMSTANCES):
        yield f"{where}的when不认识"
    if rule.answers and set(rule.answers) != set(FINDINGS):
        yield f"{where}的answers应有{'、'.join(FINDINGS)}"
