"""Examining one settlement list by all rules: every finding at once (annex L1 to L3)."""

from typing import Any

import attrs

from gateway.lists.forms import Needed, missing
from gateway.lists.pieces import Scope
from gateway.lists.reading import Finding, Reading, read, unwrapped
from gateway.lists.rules import RuleSet
from gateway.lists.world import Surroundings


@attrs.frozen
class Examined:
    """A list and what is wrong with it; reading None: it is no list at all."""

    reading: Reading | None
    findings: tuple[Finding, ...]


def examine(tree: Any, rules: RuleSet, world: Surroundings, needed: tuple[Needed, ...] = ()) -> Examined:
    """Examine one list: an object of nodes, or an envelope around one. Findings: structure first, then by rule.

    needed: what the form of the message requires besides.
    """
    tree = unwrapped(tree)
    if type(tree) is not dict:
        return Examined(None, (Finding("SL-S001", "error", "", "应为一个JSON对象"),))
    reading = read(tree, rules.nodes)
    world.turn_to(reading.head)
    scope = Scope(reading, world)
    found = [*reading.found, *(one for rule in rules.rules for one in rule.findings(scope))]
    found += missing(reading, needed, found)
    world.leave(reading.head)
    return Examined(reading, tuple(found))
