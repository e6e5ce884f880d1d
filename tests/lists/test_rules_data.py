"""Every rule of the settlement list as it is delivered: its two examples, and the samples with their truth."""

import json
from pathlib import Path

import pytest
from listed import EXAMPLES, changed, findings, rules, rules_of, world

from gateway.lists.checking import examine
from gateway.lists.pieces import Scope
from gateway.lists.reading import read
from gateway.lists.rules import Rule

MUTATIONS = json.loads((Path(__file__).parents[1] / "data" / "settlement_list_mutations.json").read_bytes())[
    "mutations"
]
RULES = {rule.spec.id: rule for rule in rules().rules}


def test_there_are_all_rules_of_the_specification_and_the_two_of_the_amendments() -> None:
    assert len(RULES) == 176
    assert {"SL-R041", "SL-D027"} < set(RULES)
    assert all(rule.spec.source and rule.spec.message for rule in RULES.values())


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_the_examples_of_a_rule(rule: Rule) -> None:
    it_lets_its_passing_example_pass_because_it_applies_and_holds(rule)
    it_speaks_of_its_failing_example(rule)


def it_lets_its_passing_example_pass_because_it_applies_and_holds(rule: Rule) -> None:
    tree = changed(EXAMPLES[rule.spec.on], rule.spec.passes)
    around = world(rule.spec.given)
    assert rule.spec.id not in rules_of(findings(tree, around))
    reading = read(tree, rules().nodes)
    around.turn_to(reading.head)
    assert rule.applies(Scope(reading, around)), "the example does not even meet the rule's condition"


def it_speaks_of_its_failing_example(rule: Rule) -> None:
    tree = changed(EXAMPLES[rule.spec.on], rule.spec.fail)
    around = world(rule.spec.given)
    if rule.spec.given == "repeated":
        examine(tree, rules(), around)
    found = [one for one in findings(tree, around) if one.rule == rule.spec.id]
    assert found
    assert {one.message for one in found} == {rule.spec.message}
    assert all(one.path for one in found)


@pytest.mark.parametrize("name", ["good", "newborn"])
def test_the_good_lists_break_no_rule(name: str) -> None:
    assert findings(EXAMPLES[name]) == []


@pytest.mark.parametrize("one", MUTATIONS, ids=[one["name"] for one in MUTATIONS])
def test_a_sample_breaks_exactly_the_rules_it_should(one: dict[str, object]) -> None:
    path = one["path"]
    assert isinstance(path, list)
    place = f"{path[0]}.{path[1]}" if len(path) == 2 else f"{path[0]}[{path[1]}].{path[2]}"
    found = findings(changed(EXAMPLES["good"], {place: one["value"]}))
    assert rules_of(found) == set(one["all_hits"])  # type: ignore[call-overload]  # a list of rule ids
    assert one["expect"] in rules_of(found)
