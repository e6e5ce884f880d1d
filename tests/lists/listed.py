"""What the tests of settlement lists share: the delivered rules, example lists, and small changes to them."""

import copy
import functools
import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import schemas
from gateway.app.lists_rules import domains, rule_set
from gateway.lists.checking import examine
from gateway.lists.reading import Finding
from gateway.lists.rules import RuleSet
from gateway.lists.world import CodeRecord, Surroundings

EXAMPLES = json.loads((schemas.ROOT / "settlement_list" / "examples.json").read_bytes())
FORMS = {
    "diagnosis": re.compile(r"[A-Z][0-9]{2}\.(?:[0-9]|x)[0-9]{2}(?:x[0-9]{3})?"),
    "operation": re.compile(r"[0-9]{2}\.[0-9]{4}(?:x[0-9]{3})?"),
}
RECORDS = {
    "K80.000": CodeRecord("胆囊结石伴有急性胆囊炎", "2021-01-01"),
    "I10.x00x002": CodeRecord("高血压", "2021-01-01"),
    "I10.x00x999": CodeRecord("高血压", "2021-01-01", gray=True),
}
_STEP = re.compile(r"(\w+)(?:\[(\d+)\])?(?:\.(\w+))?")
_REPEATED = re.compile(r"(\w+) x(\d+)")


@functools.cache
def rules() -> RuleSet:
    return rule_set()


def changed(tree: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A copy with `setlinfo.field`, `node[0].field` or `node` set; `node x51` repeats the node's first record."""
    tree = copy.deepcopy(tree)
    for place, value in changes.items():
        repeated = _REPEATED.fullmatch(place)
        if repeated:
            tree[repeated[1]] = tree[repeated[1]][:1] * int(repeated[2])
            continue
        step = _STEP.fullmatch(place)
        assert step is not None, place
        node, index, field = step.groups()
        if field is None:
            tree[node] = value
        else:
            holder = tree[node] if index is None else tree[node][int(index)]
            holder[field] = value
    return tree


def world(given: str = "", **known: Any) -> Surroundings:
    """Surroundings of one list; given: what an example says is known besides."""
    if given == "codes":
        known["records"] = {"diagnosis": RECORDS}
    elif given == "settlement":
        known["totals"] = {"S202610150001": Decimal("10000.00")}
        known["states"] = {"S202610150001": "3", "S202610150002": "1"}
    elif given.startswith("4101"):
        known["form"] = given
    return Surroundings(domains(), FORMS, **known)


def findings(tree: Any, around: Surroundings | None = None, by: RuleSet | None = None) -> list[Finding]:
    return list(examine(tree, by or rules(), around or world()).findings)


def rules_of(found: list[Finding]) -> set[str]:
    return {one.rule for one in found}
