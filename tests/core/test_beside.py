"""The local regime (design §5, mapping rules §9): codes are looked up beside the message, which stays as it is."""

import json
from collections import Counter

import pytest
from messages import Dice, Tree, copy_of, disturb, mapped, region, unmapped, valid, work

from gateway.core.beside import attach, missed
from gateway.core.checks import examine
from gateway.core.jsontext import decode, encode, plain, skeleton
from gateway.core.plan import Plan, compile_plan
from gateway.core.translation import Work

WHERE = "input.feedetail[0].med_list_codg"


def beside(snapshot: object = None) -> Work:
    done = work(mapped() if snapshot is None else unmapped())
    done.beside = True
    return done


def local_plan(infno: str) -> Plan:
    return compile_plan(region("national"), region("national").transactions[infno], beside=True)


def lines(**changes: str) -> Tree:
    """2204 with one line."""
    place = region("national")
    tree = valid(place, place.transactions["2204"], full=True)
    tree["input"]["feedetail"] = [tree["input"]["feedetail"][0] | changes]
    return tree


def of_item(done: Work) -> list[tuple[str, ...]]:
    return [row[1:] for row in done.evidence if row[0] == WHERE]


@pytest.mark.parametrize("way", ["plan", "walk"])
@pytest.mark.parametrize(
    ("own", "centre", "found"),
    [
        ("L1", "", ("consumable", "L1", "N1", "v1")),
        ("L1", "C-7", ("consumable", "L1", "N1", "v1")),  # the city centre's own code is no contradiction
        ("X9", "L1", ("consumable", "X9", "N1", "v1")),  # mapped is the centre's code
        ("X9", "", ("item", "X9", "", "unmapped")),
        ("L3", "", ("item", "L3", "", "code_conflict")),
        ("L4", "", ("item", "L4", "", "expired")),
        ("X9", "N1", ("item", "X9", "N1", "")),  # the institution sent both codes by itself
        ("N1", "", None),
    ],
)
def test_a_line_keeps_its_codes_and_says_what_they_mean(
    way: str, own: str, centre: str, found: tuple[str, ...] | None
) -> None:
    tree = lines(medins_list_codg=own, med_list_codg=centre)
    before, done = copy_of(tree), beside()
    if way == "plan":
        assert local_plan("2204").run(tree, done) > 0
    else:
        examine(region("national"), region("national").transactions["2204"], tree, done)
    assert (done.complaints, done.changed) == ([], False)
    assert encode(tree) == encode(before)
    assert of_item(done) == ([] if found is None else [(*found, "2024-01-05")])


def test_the_slot_the_gateway_would_fill_may_be_missing_and_the_institutions_own_may_not() -> None:
    tree = lines()
    del tree["input"]["feedetail"][0]["med_list_codg"]
    assert local_plan("2204").run(tree, beside()) > 0
    del tree["input"]["feedetail"][0]["medins_list_codg"]
    assert local_plan("2204").run(copy_of(tree), beside()) == -1
    done = beside()
    examine(region("national"), region("national").transactions["2204"], tree, done)
    assert [(one.path, one.rule) for one in done.complaints] == [("input.feedetail[0].medins_list_codg", "required")]


def test_everything_but_codes_is_checked_as_ever() -> None:
    tree = lines(cnt="a")
    done = beside()
    examine(region("national"), region("national").transactions["2204"], tree, done)
    assert [(one.path, one.rule) for one in done.complaints] == [("input.feedetail[0].cnt", "type")]


def test_plan_and_walk_are_of_one_mind_whatever_the_message() -> None:
    here = region("national")
    tally: Counter[tuple[bool, bool]] = Counter()
    for infno in ("2102", "2201", "2204", "2203A", "2207", "2301", "2401", "4101", "2304"):
        if infno not in here.transactions:
            continue
        plan, transaction = local_plan(infno), here.transactions[infno]
        for turn in range(80):
            dice = Dice(f"beside|{infno}|{turn}")
            tree = valid(here, transaction, full=turn % 2 == 0)
            for _ in range(dice.below(3)):
                disturb(dice, here, transaction, tree)
            raw = encode(tree)
            fast, slow = beside(turn % 3 == 0 or None), beside(turn % 3 == 0 or None)
            fast_tree, slow_tree = decode(raw), decode(raw)
            keys = plan.run(fast_tree, fast)
            examine(here, transaction, slow_tree, slow)
            accepted = keys >= 0 and plain(skeleton(raw), keys)
            assert encode(slow_tree) == encode(decode(raw)) == encode(fast_tree)
            if accepted:
                assert (slow.complaints, fast.evidence) == ([], slow.evidence), raw
            tally[accepted, not slow.complaints] += 1
    assert tally[True, False] == 0
    assert tally[True, True] > sum(tally.values()) / 6
    assert tally[False, False] > sum(tally.values()) / 6


def test_what_the_national_regime_sends_is_what_stands_beside() -> None:
    """The evidence of the two regimes is the same where nothing would be refused."""
    here = region("national")
    tree = valid(here, here.transactions["2301"], full=True)
    national, local = work(mapped()), beside()
    assert compile_plan(here, here.transactions["2301"]).run(copy_of(tree), national) > 0
    assert local_plan("2301").run(copy_of(tree), local) > 0
    kept = [row for row in national.evidence if not row[1].endswith(":name")]
    assert local.evidence == kept
    assert missed(local.evidence) == []


def test_an_answer_shows_the_national_codes_and_keeps_its_own_bytes() -> None:
    done = beside()
    assert local_plan("2204").run(lines(medins_list_codg="X9", med_list_codg=""), done) > 0
    assert missed(done.evidence) == ["item"]
    body = b'{"infcode": 0, "output":{"a":1.10} }\n'
    answer = attach(body, done.evidence)
    assert answer.startswith(b'{"infcode": 0, "output":{"a":1.10} ,"gw_codes":[')
    told = json.loads(answer)["gw_codes"]
    assert {"path": WHERE, "national": "", "local": "X9", "rule": "unmapped"} in told
    assert {"path": "input.feedetail[0].bilg_dr_codg", "national": "N1", "local": "L1"} in told
    assert attach(body, ()) == body
    assert attach(b'{"infcode":0,"gw_codes":[]}', done.evidence) == b'{"infcode":0,"gw_codes":[]}'
