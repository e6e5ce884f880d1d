"""Every kind of field the compiler knows, fed with every odd value: the plan never says yes where the walk says no.

The catalogue of today does not use all combinations; a region file may use any of them tomorrow.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import attrs
import pytest
from messages import DATES, NUMBERS, ODD, envelope, mapped, region
from test_plan import both

from gateway.core.catalogue import Field, Identity, Kind, Node, Region, Transaction, WhenSpec
from gateway.core.plan import Plan, compile_plan

HERE = region("national")
WHENS = (None, WhenSpec(field="other", equals=("03",)), WhenSpec(field="other", present=True))
OTHERS: tuple[Any, ...] = (None, "", " ", 0, "03", [])
KNOWN = frozenset({"01", "02", "甲"})
# Kind, and what else may be said of such a field.
SHAPES: dict[str, tuple[Kind, dict[str, Any]]] = {
    "text": ("text", {"length": 5}),
    "endless text": ("text", {}),
    "open": ("text", {"known": KNOWN, "dictionary": "gend"}),
    "closed": ("text", {"known": KNOWN, "dictionary": "gend", "closed": True}),
    "listed values without a dictionary": ("text", {"known": KNOWN}),
    "number": ("number", {"whole": 14, "decimals": 2}),
    "ratio": ("number", {"whole": 0, "decimals": 4}),
    "number or text": ("number", {"whole": 5, "decimals": 6, "number_or_text": True}),
    "day": ("date", {"format": "yyyy-MM-dd"}),
    "moment": ("datetime", {}),
    "month": ("date", {"format": "yyyyMM"}),
    "list": ("list", {}),
    "object": ("object", {}),
    "any": ("any", {}),
    "doctor": ("text", {"system": "doctor", "length": 5}),
    "department": ("text", {"system": "department", "length": 5}),
    "coded and listed": (
        "text",
        {"system": "doctor", "known": frozenset({"N1"}), "dictionary": "gend", "closed": True},
    ),
}
NODES = {"one node": "one", "many nodes": "many", "either": "either"}


def plan_of(*fields: Field, place: Region = HERE, line_sum: bool = False, **more: Any) -> Plan:
    node = Node(name="data", repeated="either", required=True, fields=fields, line_sum=line_sum)
    transaction: Transaction = attrs.evolve(HERE.transactions["2207"], nodes=(node,), **more)
    return compile_plan(place, transaction)


def variants(name: str) -> Iterator[Field]:
    for required in (False, True):
        for when in WHENS:
            if name in NODES:
                inner = Field(name="x", zh="里", kind="text", required=True)
                for asked in (False, True):
                    child = Node(name="asked", repeated=NODES[name], required=asked, fields=(inner,))  # type: ignore[arg-type]
                    yield Field(name="asked", zh="问", kind="node", child=child, required=required, when=when)
            else:
                kind, more = SHAPES[name]
                yield Field(name="asked", zh="问", kind=kind, required=required, when=when, **more)


@pytest.mark.parametrize("name", [*SHAPES, *NODES])
def test_every_kind_of_field_with_every_odd_value(name: str) -> None:
    values = (
        *ODD,
        *NUMBERS,
        *DATES,
        "L1",
        "L3",
        "N1",
        {"x": "1"},
        [{"x": "1"}],
        [{"x": ""}],
        [{"x": "1"}, 7],
        "202401",
    )
    tally: Counter[tuple[bool, bool]] = Counter()
    for field in variants(name):
        plan = plan_of(field)
        for value in values:
            for other in OTHERS if field.when is not None else ("",):
                tally[both(plan, envelope("2207", {"data": {"asked": value, "other": other}}))] += 1
    assert tally[True, True]
    assert tally[False, False] or name == "any"


def test_a_field_may_be_listed_and_belong_to_a_code_system_without_a_table() -> None:
    """A person is coded, but nothing translates persons."""
    plan = plan_of(Field(name="psn_no", zh="人员编号", kind="text", system="person", required=True))
    assert both(plan, envelope("2207", {"data": {"psn_no": "L1"}})) == (True, True)


ITEM_VALUES: tuple[Any, ...] = (None, "", " ", "L1", "L2", "L3", "N1", "N999", "x", 0, False, [], {}, "N" + "1" * 9)


@pytest.mark.parametrize("when", WHENS)
@pytest.mark.parametrize("more", [{}, {"known": frozenset({"N1"}), "closed": True, "dictionary": "gend"}])
@pytest.mark.parametrize("required", [False, True])
def test_every_pair_of_a_local_and_a_national_slot(required: bool, more: dict[str, Any], when: WhenSpec | None) -> None:
    local = Field(name="local", zh="院内", kind="text", system="local_item", required=required)
    item = Field(name="asked", zh="国家", kind="text", system="item", length=9, required=required, when=when, **more)
    tally: Counter[tuple[bool, bool]] = Counter()
    for fields in ((item, local), (local, item)):
        plan = plan_of(*fields)
        for one in ITEM_VALUES:
            for two in ITEM_VALUES:
                for other in ("", "03"):
                    tree = envelope("2207", {"data": {"local": one, "asked": two, "other": other}})
                    tally[both(plan, tree, mapped())] += 1
    assert tally[True, True]
    assert tally[False, False]


AMOUNTS: tuple[Any, ...] = (None, "", "x", 0, 5, "2.50", "2.5", "2.505", "2.5000001", "0.001", 10**20)


@pytest.mark.parametrize("kind", ["number", "text"])
@pytest.mark.parametrize("required", [False, True])
@pytest.mark.parametrize("decimals", [(6, 4, 2), (2, 2, 2), (3, 3, 3), (6, 6, 4)])
def test_every_line_of_price_count_and_amount(kind: Kind, required: bool, decimals: tuple[int, int, int]) -> None:
    names = ("pric", "cnt", "det_item_fee_sumamt")
    fields = [
        Field(name=name, zh=name, kind=kind, required=required, whole=8, decimals=places)
        for name, places in zip(names, decimals, strict=True)
    ]
    plan = plan_of(*fields, line_sum=True)
    tally: Counter[tuple[bool, bool]] = Counter()
    for price in AMOUNTS:
        for count in AMOUNTS[:6]:
            for amount in AMOUNTS:
                row = dict(zip(names, (price, count, amount), strict=True))
                tally[both(plan, envelope("2207", {"data": row}))] += 1
    assert tally[True, True]
    assert tally[False, False]


@pytest.mark.parametrize(
    ("kind", "decimals", "more"),
    [("number", 2, {}), ("number", 3, {}), ("number", 2, {"number_or_text": True}), ("text", 0, {})],
)
@pytest.mark.parametrize("required", [False, True])
def test_every_total_of_lines(kind: Kind, decimals: int, more: dict[str, Any], required: bool) -> None:
    def amount(name: str) -> Field:
        return Field(name=name, zh=name, kind=kind, whole=8, decimals=decimals, required=required, **more)

    head = Node(name="head", repeated="one", required=False, fields=(amount("medfee_sumamt"),))
    rows = Node(name="rows", repeated="many", required=False, fields=(amount("det_item_fee_sumamt"),))
    plan = compile_plan(HERE, attrs.evolve(HERE.transactions["2207"], nodes=(head, rows)))
    tally: Counter[tuple[bool, bool]] = Counter()
    totals: tuple[Any, ...] = (None, "", 0, 5, "5.00", "5.000", "4.99", "x")
    for total in totals:
        for parts in ([], [0], [5], ["2.50", "2.50"], ["2.5", None], ["x"], [2, "3.0"], [7, -2]):
            lines = [{"det_item_fee_sumamt": part} for part in parts]
            for message in (
                {"head": {"medfee_sumamt": total}, "rows": lines},
                {"head": {"medfee_sumamt": total}},
                {"rows": lines},
                {"head": {}, "rows": lines},
            ):
                tally[both(plan, envelope("2207", message))] += 1
    assert tally[True, True]
    assert tally[False, False]


def test_every_identity_a_region_may_state() -> None:
    places = [
        attrs.evolve(HERE, identities=rules)
        for rules in (
            (Identity("a", ("b", "c")),),
            (Identity("a", ("b", "c"), ("d",)), Identity("b", ("d",))),
            (Identity("a", ()),),
            (Identity("a", ("b",)), Identity("c", ("a",)), Identity("d", ("e",))),
        )
    ]
    tally: Counter[tuple[bool, bool]] = Counter()
    for place in places:
        plan = plan_of(Field(name="other", zh="", kind="text"), place=place)
        for number in range(4**5):
            picks = [number // 4**i % 4 for i in range(5)]
            row = {name: (None, 0, "1.00", -1)[pick] for name, pick in zip("abcde", picks, strict=True) if pick}
            tally[both(plan, envelope("2207", {"data": row}))] += 1
    assert tally[True, True]
    assert tally[False, False]


@pytest.mark.parametrize("service", ["", "endtime", "setl_time"])
def test_the_day_of_a_row_is_the_same_for_both(service: str) -> None:
    names = ("endtime", "begntime", "fee_ocur_time", "setl_time")
    kinds: tuple[Kind, ...] = ("datetime", "text")
    values = (
        None,
        "",
        " ",
        "2023-06-01 00:00:00",
        "2023-06-01",
        "2024-01-02 24:00:00",
        "2023-06-01T00:00:00",
        0,
        "soon",
    )
    tally: Counter[tuple[bool, bool]] = Counter()
    for kind in kinds:
        fields = [Field(name=name, zh=name, kind=kind) for name in names]
        plan = plan_of(*fields, Field(name="dr", zh="医", kind="text", system="doctor"), service_date=service)
        for first in values:
            for second in values:
                for one, two in (("begntime", "fee_ocur_time"), ("endtime", "begntime"), ("setl_time", "begntime")):
                    row = {one: first, two: second, "dr": "L2"}
                    tally[both(plan, envelope("2207", {"data": row}))] += 1
                    tally[both(plan, envelope("2207", {"data": [row, {"dr": "L2"}]}))] += 1
    assert tally[True, True]
    assert tally[False, False]
