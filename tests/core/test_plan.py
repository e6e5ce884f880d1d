"""The compiled plan and the complete walk are each other's oracle: what the plan accepts, the walk accepts as well."""

from collections import Counter
from typing import Any

import attrs
import pytest
from messages import (
    INSTITUTION,
    Dice,
    Tree,
    copy_of,
    disturb,
    envelope,
    mapped,
    region,
    unmapped,
    valid,
    work,
)

from gateway.core.catalogue import Region
from gateway.core.checks import examine
from gateway.core.codes import SLOTS, Row, Snapshot, build_snapshot
from gateway.core.jsontext import decode, encode, plain, skeleton
from gateway.core.plan import Plan, compile_plan
from gateway.core.translation import Work

REGIONS = ("national", "hunan", "guangzhou")
_PLANS: dict[tuple[str, str], Plan] = {}


def plan_of(name: str, infno: str) -> Plan:
    key = (name, infno)
    if key not in _PLANS:
        _PLANS[key] = compile_plan(region(name), region(name).transactions[infno])
    return _PLANS[key]


def compare(plan: Plan, raw: bytes, snapshot: Snapshot, names: bool = True) -> tuple[bool, bool]:
    """Return (the plan accepts, the walk accepts) and assert that the first implies the second, in every detail."""
    fast_tree, slow_tree = decode(raw), decode(raw)
    fast, slow = work(snapshot, names), work(snapshot, names)
    keys = plan.run(fast_tree, fast)
    _compare_slices(plan, raw, work(snapshot, names), keys, fast, fast_tree)
    examine(plan.region, plan.transaction, slow_tree, slow)
    accepted = keys >= 0 and plain(skeleton(raw), keys)
    sound = not slow.complaints and not slow.foreign
    if accepted:
        assert not slow.complaints
        assert (fast.foreign, slow.foreign) == (False, False)
        assert encode(fast_tree) == encode(slow_tree)
        assert fast.evidence == slow.evidence
        assert (fast.changed, fast.day) == (slow.changed, slow.day)
        assert Counter(fast.unknown) == Counter(slow.unknown)
    return accepted, sound


def _compare_slices(plan: Plan, raw: bytes, sliced: Work, keys: int, fast: Work, fast_tree: Tree) -> None:
    """A message worked on in slices ends as one worked on in a run."""
    tree = decode(raw)
    assert [*plan.slices(tree, sliced, 1)][-1] == keys
    if keys >= 0:
        assert encode(tree) == encode(fast_tree)
        assert (sliced.evidence, sliced.unknown, sliced.changed) == (fast.evidence, fast.unknown, fast.changed)


def both(plan: Plan, tree: Tree, snapshot: Snapshot | None = None) -> tuple[bool, bool]:
    return compare(plan, encode(tree), snapshot or mapped())


# --- valid messages ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REGIONS)
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("code", ["L1", "N1"])
def test_every_transaction_has_a_valid_message_that_the_plan_accepts(name: str, full: bool, code: str) -> None:
    snapshot = mapped() if code == "L1" else unmapped()
    refused = []
    for infno, transaction in region(name).transactions.items():
        tree = valid(region(name), transaction, full, code)
        raw = encode(tree)
        if compare(plan_of(name, infno), raw, snapshot) != (True, True):
            found = examine(region(name), transaction, decode(raw), work(snapshot))
            refused.append((infno, found.foreign, found.complaints[:3]))
    assert not refused


def test_a_message_is_translated_where_it_stands_and_keeps_every_other_text() -> None:
    plan = plan_of("national", "2204")
    tree = valid(plan.region, plan.transaction, full=True)
    tree["input"]["feedetail"][0] |= {"unknown": "甲", "fulamt_ownpay_amt": 0, "exp_content": "1e5"}
    found = copy_of(tree)
    done = work()
    assert plan.run(found, done) > 0
    assert done.changed
    coded = {f.name for f in plan.transaction.nodes[0].fields if f.system in SLOTS and f.system != "institution"}
    assert {"med_list_codg", "bilg_dr_codg", "bilg_dept_codg"} < coded
    for row in tree["input"]["feedetail"]:
        row |= dict.fromkeys(coded, "N1")
    assert encode(found["input"]["feedetail"]) == encode(tree["input"]["feedetail"])
    assert {path for path, *_ in done.evidence} >= {
        "input.feedetail[0].med_list_codg",
        "input.feedetail[1].bilg_dr_codg",
    }
    assert {row[1:] for row in done.evidence if row[0].endswith("med_list_codg")} == {
        ("consumable", "L1", "N1", "v1", "2024-01-05")
    }


def test_slices_end_with_what_a_run_gives() -> None:
    plan = plan_of("national", "2301")
    tree = valid(plan.region, plan.transaction, full=True)
    tree["input"]["feedetail"] = tree["input"]["feedetail"] * 25
    whole, parts = work(), work()
    keys = plan.run(copy_of(tree), whole)
    found = list(plan.slices(copy_of(tree), parts, 7))
    assert len(found) == 9
    assert found == sorted(found)
    assert found[-1] == keys > 0
    assert parts.evidence == whole.evidence


def test_a_surprise_ends_the_slices() -> None:
    plan = plan_of("national", "2301")
    tree = valid(plan.region, plan.transaction, full=True)
    tree["input"]["feedetail"] = [copy_of(tree["input"]["feedetail"][0]) for _ in range(20)]
    tree["input"]["feedetail"][15]["cnt"] = "a"
    found = list(plan.slices(tree, work(), 5))
    assert found[-1] == -1
    assert min(found[:-1]) > 0
    assert len(found) == 4


def test_an_object_is_no_slice_and_a_list_in_its_place_ends_them() -> None:
    for infno, value in (("2207", []), ("2204", []), ("2204", None), ("2204", {}), ("2207", [{}])):
        plan = plan_of("national", infno)
        tree = valid(plan.region, plan.transaction, full=True)
        tree["input"][plan.transaction.nodes[0].name] = value
        assert [*plan.slices(tree, work(), 5)] == [-1]
        assert both(plan, tree) == (False, False)


# --- disturbed messages --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "times"), [("national", 50), ("hunan", 15), ("guangzhou", 15)])
def test_what_the_plan_accepts_the_walk_accepts_with_the_same_translation(name: str, times: int) -> None:
    here = region(name)
    tally: Counter[tuple[bool, bool]] = Counter()
    for infno, transaction in here.transactions.items():
        plan = plan_of(name, infno)
        whole = [valid(here, transaction, full=full) for full in (False, True)]
        for turn in range(times):
            seed = f"{name}|{infno}|{turn}"
            dice = Dice(seed)
            tree = copy_of(whole[turn % 2])
            for _ in range(1 + dice.below(3)):
                disturb(dice, here, transaction, tree)
            raw = encode(tree)
            try:
                tally[compare(plan, raw, dice.pick((mapped(), mapped(), unmapped())), names=dice.below(3) > 0)] += 1
            except Exception as cause:
                raise AssertionError(f"seed {seed!r}: {raw.decode()}") from cause
    # Neither side may be idle: many accepted, many complained of, and few that the plan leaves to the walk.
    total = sum(tally.values())
    assert tally[True, False] == 0
    assert tally[True, True] > total / 8
    assert tally[False, False] > total / 4
    assert tally[False, True] < total / 4


# --- faults that were found: the plan accepted what the walk refused, or one of the two broke ----------------


def changed(infno: str, node: str, code: str = "L1", **values: Any) -> tuple[Plan, Tree]:
    """Return a full message of region national whose (first) row holds these values."""
    plan = plan_of("national", infno)
    tree = valid(plan.region, plan.transaction, full=True, code=code)
    holder = tree["input"][node]
    row = holder[0] if isinstance(holder, list) else holder
    row |= values
    return plan, tree


@pytest.mark.parametrize("where", ["input", "node", "unknown"])
@pytest.mark.parametrize("code", ["P99999999999", 0, ["H"], {}])
def test_another_institution_is_found_wherever_it_stands(where: str, code: Any) -> None:
    """X15: another code in any fixmedins_code inside input."""
    plan, tree = changed("2207", "data")
    message = tree["input"]
    holder = {"input": message, "node": message["data"], "unknown": message.setdefault("more", {})}[where]
    holder["fixmedins_code"] = code
    assert both(plan, tree) == (False, False)
    assert examine(plan.region, plan.transaction, tree, work()).foreign


@pytest.mark.parametrize("infno", ["1201", "2505", "2507"])
def test_some_transactions_may_name_another_institution(infno: str) -> None:
    plan = plan_of("national", infno)
    tree = valid(plan.region, plan.transaction, full=True)
    for node in tree["input"].values():
        node["fixmedins_code"] = "P99999999999"
    assert both(plan, tree) == (True, True)


def test_the_literal_plc_is_nobody_in_9102() -> None:
    plan, tree = changed("9102", "fsDownloadIn", fixmedins_code="plc")
    assert both(plan, tree) == (False, True)  # the plan knows the own code only and leaves this one to the walk
    plan, tree = changed("2207", "data", fixmedins_code="plc")
    assert both(plan, tree) == (False, False)


def test_a_message_of_unknown_nodes_alone_is_not_accepted() -> None:
    """All nodes of such a transaction are optional; an unknown one without keys adds nothing to the count."""
    plan = next(
        plan_of("national", infno)
        for infno, t in region("national").transactions.items()
        if t.nodes and t.root is None and not any(node.required for node in t.nodes)
    )
    messages: tuple[Tree, ...] = ({"nothing": []}, {"nothing": 1, "neither": "x"})
    for message in messages:
        assert both(plan, envelope(plan.transaction.infno, message)) == (False, False)
    found = examine(plan.region, plan.transaction, envelope(plan.transaction.infno, {"nothing": []}), work())
    assert [(c.path, c.rule) for c in found.complaints] == [("input.nothing", "unknown_node")]


@pytest.mark.parametrize("value", [0, False, [], {}])
def test_an_optional_national_slot_of_another_type_is_refused(value: Any) -> None:
    plan, tree = changed("3512", "data", medins_list_codg="", med_list_codg="")
    assert both(plan, tree) == (True, True)
    plan, tree = changed("3512", "data", medins_list_codg="", med_list_codg=value)
    assert both(plan, tree) == (False, False)


def test_a_translated_code_must_fit_its_field() -> None:
    for length, expected in ((50, (True, True)), (51, (False, False))):
        wide = build_snapshot([Row("drug", "YP1", "N" + "1" * (length - 1), "", "", "v")], unmapped().libraries)
        plan, tree = changed("2204", "feedetail", code="N1", medins_list_codg="YP1", med_list_codg="")
        assert both(plan, tree, wide) == expected


def test_a_blank_code_changes_nothing() -> None:
    """A department passes as it is; two blanks are no department, and no reason to write the message again."""
    plan, tree = changed("2204", "feedetail", code="N1", acord_dept_codg="  ")
    assert both(plan, tree, unmapped()) == (False, True)  # the plan leaves it to the walk
    slow = examine(plan.region, plan.transaction, tree, work(unmapped()))
    assert not slow.complaints
    assert not slow.changed


def test_an_empty_list_is_no_object() -> None:
    plan = plan_of("national", "3101")
    tree = valid(plan.region, plan.transaction, full=True)
    order = tree["input"]["data"]["patient_dtos"][0]["fsi_encounter_dtos"][0]["fsi_order_dtos"][0]
    assert both(plan, tree) == (True, True)
    order["extend_order_map"] = []
    assert both(plan, tree) == (False, False)


@pytest.mark.parametrize("value", ["", "  ", None])
def test_a_required_content_of_any_type_is_not_blank(value: Any) -> None:
    plan, tree = changed("3704", "FsiAppealFileDTO")
    assert both(plan, tree) == (True, True)
    tree["input"]["FsiAppealFileDTO"]["bytes"] = value
    assert both(plan, tree) == (False, False)


def test_a_name_the_node_does_not_have_stays_as_it_came() -> None:
    """4602 has diag_code without diag_name: an unknown field is forwarded, not rewritten (X12)."""
    plan, tree = changed("4602", "data", diag_name="医生的话")
    assert both(plan, tree) == (True, True)
    found = copy_of(tree)
    examine(plan.region, plan.transaction, found, work())
    assert found["input"]["data"][0]["diag_name"] == "医生的话"


@pytest.mark.parametrize("odd", [[], {}, ["2"]])
def test_an_odd_diag_type_is_complained_of_and_breaks_nothing(odd: Any) -> None:
    plan, tree = changed("2203", "diseinfo", diag_type=odd)
    assert both(plan, tree) == (False, False)


@pytest.mark.parametrize(
    ("text", "amounts_accepted"), [("9" * 5000, True), ("0" * 5000 + "1", False), ("-" + "9" * 4301, True)]
)
def test_an_endless_number_breaks_nothing(text: str, amounts_accepted: bool) -> None:
    """Python refuses to make an int of more than 4,300 digits; a 2207 lists no amounts but its total.

    So one that cannot be read is an unknown text, which is forwarded (X12); one that can must add up.
    """
    for name in ("pric", "cnt", "det_item_fee_sumamt"):
        plan, tree = changed("2204", "feedetail", **{name: text})
        assert both(plan, tree) == (False, False)
    plan, tree = changed("2207", "data", fund_pay_sumamt=text, psn_part_amt=text, hosp_part_amt=text)
    assert both(plan, tree) == (amounts_accepted, amounts_accepted)


def test_a_plan_runs_without_a_transaction_time_where_a_region_asks_for_none() -> None:
    here = region("national")
    fields = tuple(attrs.evolve(f, required=False) if f.name == "inf_time" else f for f in here.envelope.fields)
    loose = attrs.evolve(here, envelope=attrs.evolve(here.envelope, fields=fields))
    plan = compile_plan(loose, loose.transactions["2207"])
    tree = valid(loose, plan.transaction, full=False)
    del tree["inf_time"]
    assert both(plan, tree) == (True, True)


def test_a_region_without_identities_adds_up_nothing() -> None:
    here: Region = attrs.evolve(region("national"), identities=())
    odd = {"medfee_sumamt": 9, "fund_pay_sumamt": 1, "psn_part_amt": 1, "hosp_part_amt": 1}
    for place, expected in ((here, (True, True)), (region("national"), (False, False))):
        plan = compile_plan(place, place.transactions["2207"])
        tree = valid(place, plan.transaction, full=False)
        tree["input"]["data"] |= odd
        assert both(plan, tree) == expected


def test_every_institution_of_the_tests_is_the_own_one() -> None:
    assert envelope("2207", {})["fixmedins_code"] == INSTITUTION == work().institution
