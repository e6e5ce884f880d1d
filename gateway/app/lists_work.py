"""Checking a file of settlement lists: every finding as a JSON line, figures, and the forms to be printed."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import msgspec

from gateway.app.lists_files import NotAList, Tick, lists_of
from gateway.app.lists_form import FORMS_MAX, Sheet
from gateway.app.lists_rules import COLLECTED, domains, message_nodes, narrowed, patterns, rule_set
from gateway.lists import staff
from gateway.lists.checking import Examined, examine
from gateway.lists.forms import Needed
from gateway.lists.reading import Finding
from gateway.lists.rules import RegionRules, RuleSet
from gateway.lists.world import CodeRecord, Surroundings

_encode = msgspec.json.Encoder().encode


@attrs.frozen
class Means:
    """What lists are checked by."""

    rules: RuleSet
    needed: tuple[Needed, ...]
    world: Surroundings


@attrs.define
class Tally:
    """What a file came to. rules: how often each spoke."""

    lists: int = 0
    clean: int = 0
    errors: int = 0
    warnings: int = 0
    rules: Counter[str] = attrs.Factory(Counter)

    def take(self, found: tuple[Finding, ...]) -> None:
        self.lists += 1
        self.clean += not found
        for one in found:
            self.rules[one.rule] += 1
            if one.level == "error":
                self.errors += 1
            else:
                self.warnings += 1


def means_for(form: str, records: dict[str, dict[str, CodeRecord]], region: RegionRules | None = None) -> Means:
    """Return what lists of a form are checked by. Raises RulesError, CatalogueError."""
    rules, allowed = rule_set(), domains()
    needed: tuple[Needed, ...] = ()
    if region is not None:
        rules, allowed = rules.adjusted(region), narrowed(allowed, region)
    if form != COLLECTED:
        nodes, needed = message_nodes(form, rules.nodes)
        rules = rules.cut(nodes)
    variant = "4101-2021" if form == "4101-2021" else "4101"
    return Means(rules, needed, Surroundings(allowed, patterns(), records, form=variant))


def check_file(
    file: Path, means: Means, tell: Callable[[int, Finding], None], sheets: list[Sheet], tick: Tick
) -> Tally:
    """Check every list of a file; `sheets` takes the first that are to be printed. Raises Unreadable, OSError."""
    tally = Tally()
    for number, tree in enumerate(lists_of(file, tick)):
        examined = _examined(tree, means)
        for one in examined.findings:
            tell(number, one)
        tally.take(examined.findings)
        if len(sheets) < FORMS_MAX and (examined.findings or number == 0):
            sheets.append(Sheet(number, examined.reading, examined.findings))
    return tally


def _examined(tree: Any, means: Means) -> Examined:
    if isinstance(tree, NotAList):
        return Examined(None, (Finding("SL-S001", "error", "", tree.why),))
    done = examine(tree, means.rules, means.world, means.needed)
    if done.reading is None:
        return done
    found = staff.findings_of(done.reading, means.rules.nodes, means.world.records)
    return Examined(done.reading, (*done.findings, *found))


def line_of(number: int, one: Finding) -> bytes:
    """Return a finding as the contract's JSON line (section 7)."""
    return _encode({"list": number, **plain(one)})


def plain(one: Finding) -> dict[str, str]:
    """Return a finding as the contract's object, without its list."""
    return {"rule": one.rule, "level": one.level, "path": one.path, "message": one.message}
