"""The pure report of a day: every difference counted once, whose move it is, until when."""

from typing import Any

import attrs
import pytest
from desk import DAY, HOSPITAL
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from report_desk import NOW_S, OTHER, T3

from gateway.app.books_rules import rules
from gateway.books.report import STANDINGS, UNSETTLED, Told, day_report, fen_of, mover_of, standing_of, until_of
from gateway.core.booked import ActionRow, CaseRow, DayRow, DiffRow, InputRow, Item, RunRow

NOW_MS = int(NOW_S * 1000)


def diff(**values: Any) -> DiffRow:
    plain = {
        "diff_id": "d1", "role": "care", "scope": HOSPITAL, "biz_date": DAY, "leg": "L1", "name": "AMOUNT", "row": "A1",
        "mode": "ONE", "action": "FEEDBACK", "prevails": "AGY", "setl_id": "S1", "msgid": "M1",
        "fixmedins_code": HOSPITAL, "component": "medfee_sumamt", "left_fen": 10_001, "right_fen": 10_000, "note": "",
        "agreed": False, "first_revision": 1, "last_revision": 1, "state": "OPEN", "changed_ms": 1,
    }  # fmt: skip
    return DiffRow(**{**plain, **values})


def action(state: str, party: str = "PROV", **values: Any) -> ActionRow:
    plain = {"action_id": "a1", "diff_id": "d1", "kind": "FEEDBACK", "attempt": 1, "receipt": "", "approval": 0}
    return ActionRow(**{**plain, "party": party, "state": state, "created_ms": 1, "changed_ms": 2, **values})


def case(state: str, mode: str = "TWO", until_ms: int = 9) -> CaseRow:
    return CaseRow(
        id=1, diff_id="d1", mode=mode, state=state, decision="", reason="", maker="", approval=0, opened_ms=1,
        until_ms=until_ms, changed_ms=1,
    )  # fmt: skip


def told(*ledgers: str, scope: str = "", role: str = "care") -> Told:
    run = RunRow(run_id="r", revision=1, at_ms=1, agreed=False, keys=9, sums={"INST": {"medfee_sumamt": 5}})
    inputs = [
        InputRow(
            id=1, ledger=name, scope="*", biz_date=DAY, source="file", sm3="", rows=3, complete=name != "AGY", sums={},
            path="", who="", at_ms=1,
        )
        for name in ledgers
    ]  # fmt: skip
    days = [
        DayRow(role=role, scope=code, biz_date=DAY, state="L1_DIFF", revision=1, changed_ms=1)
        for code in (HOSPITAL, "*")
    ]
    return Told(
        role=role, date=DAY, scope=scope, now_ms=NOW_MS, days=days, run=run, inputs=inputs, names={HOSPITAL: "一院"}
    )


RULES = [
    ("L1", "AMOUNT", "A1"), ("L1", "AMOUNT", "A2"), ("L1", "L1-INST-ONLY", ""), ("L1", "PENDING_GW", "S5"),
    ("L1", "WITHHELD", ""), ("L1", "DUP_ROW", "D1"), ("L1", "REFUND_MISMATCH", "R2"), ("L2", "L2-PROV-MISSING", ""),
    ("L2", "AMOUNT", "A6"), ("L4", "L4-INSURED-LESS", ""), ("L4", "L4-INSURED-MORE-CARE-HAS", ""),
]  # fmt: skip
fens = st.none() | st.integers(-(10**16), 10**16)


@st.composite
def items(draw: st.DrawFn) -> Item:
    leg, name, row = draw(st.sampled_from(RULES))
    rule = rules().rule(name, row)
    one = diff(
        leg=leg, name=name, row=row, mode=rule.mode, action=rule.action, agreed=rule.agreed,
        left_fen=draw(fens), right_fen=draw(fens), fixmedins_code=draw(st.sampled_from((HOSPITAL, OTHER))),
        state=draw(st.sampled_from(("OPEN", "WAIT", "RESOLVED", "VANISHED", "CARRIED"))),
    )  # fmt: skip
    one = attrs.evolve(one, scope=one.fixmedins_code if leg == "L1" else "*")
    states = st.sampled_from(("PLANNED", "SENT", "DONE", "FAILED", "IN_DOUBT"))
    parties = st.sampled_from(("INST", "AGY", "PROV", "INS", HOSPITAL))
    acted = draw(st.lists(st.builds(action, states, parties), max_size=2))
    cases = st.sampled_from(("OPEN", "PROPOSED", "DECIDED", "CLOSED"))
    return Item(diff=one, actions=tuple(acted), case=draw(st.none() | st.builds(case, cases)))


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(items(), max_size=12), st.integers(0, 15))
def test_whatever_is_listed_every_difference_is_counted_once_and_every_fen(found: list[Item], most: int) -> None:
    report = day_report(told("INST", "GW", "AGY", "PROV", "INS"), iter(found), rules(), most)
    amounts = [fen_of(one) for one in found]
    totals = [report.total(name) for name in STANDINGS]
    assert sum(one.lines for one in totals) == report.lines == len(found)
    assert sum(one.fen for one in totals) == sum(fen or 0 for fen in amounts)
    assert sum(one.unknown for one in totals) == amounts.count(None)
    # Groups hold what is unsettled; institutions what is on L1; the list and what it leaves out are all.
    unsettled = [one for one in found if standing_of(one) in UNSETTLED]
    assert sum(one.count.lines for one in report.groups) == len(unsettled)
    assert sum(one.count.fen for one in report.groups) == sum(fen_of(one) or 0 for one in unsettled)
    first = [one for one in found if one.diff.leg == "L1"]
    assert sum(one.counts[name].lines for one in report.institutions.values() for name in STANDINGS) == len(first)
    assert len(report.items) == min(most, len(found)) and report.left_out == len(found) - len(report.items)
    assert report.items[: len(unsettled)] == unsettled[:most]
    assert report.agreed == (not [one for one in unsettled if standing_of(one) != "carried"])
    assert sum(report.actions.values()) == sum(len(one.actions) for one in found)
    assert sum(report.cases.values()) == sum(one.case is not None for one in found)


@pytest.mark.parametrize(
    ("values", "standing"),
    [
        ({}, "open"),
        ({"state": "WAIT"}, "waiting"),
        ({"action": "WAIT_LEG1"}, "waiting"),
        ({"name": "WITHHELD", "action": "WAIT", "state": "WAIT"}, "withheld"),
        ({"state": "CARRIED"}, "carried"),
        ({"agreed": True}, "trace"),
        ({"agreed": True, "state": "RESOLVED"}, "trace"),
        ({"state": "RESOLVED"}, "closed"),
        ({"state": "VANISHED", "agreed": True}, "closed"),
    ],
)
def test_where_a_difference_stands(values: dict[str, Any], standing: str) -> None:
    assert standing_of(Item(diff=diff(**values))) == standing


@pytest.mark.parametrize(
    ("item", "mover"),
    [
        (Item(diff=diff()), "INST"),
        (Item(diff=diff(name="L1-GW-MISSING", row="", action="BOOK")), "ONE"),
        (Item(diff=diff(leg="L4", row="A7")), "INS"),
        (Item(diff=diff(mode="TWO", action="CASE")), "MAKER"),
        (Item(diff=diff(mode="AUTO", action="REVERSE")), "GW"),
        (Item(diff=diff(mode="AUTO", action="WAIT_LEG1")), "LEG"),
        (Item(diff=diff(mode="AUTO", name="WITHHELD", action="WAIT")), "FILES"),
        (Item(diff=diff(mode="AUTO", name="PENDING_GW", action="WAIT")), "GW"),
        (Item(diff=diff(mode="TWO"), case=case("OPEN")), "MAKER"),
        (Item(diff=diff(mode="TWO"), case=case("PROPOSED")), "CHECKER"),
        (Item(diff=diff(mode="TWO"), case=case("DECIDED")), "GW"),
        (Item(diff=diff(mode="TWO"), case=case("DECIDED"), actions=(action("PLANNED"),)), "GW"),
        (Item(diff=diff(), case=case("OPEN", "ONE")), "INST"),
        (Item(diff=diff(mode="AUTO"), actions=(action("SENT"),)), "GW"),
        (Item(diff=diff(mode="AUTO"), actions=(action("IN_DOUBT"),)), "GW"),
        (Item(diff=diff(mode="AUTO"), actions=(action("DONE"),)), "PROV"),
        (Item(diff=diff(mode="AUTO"), actions=(action("DONE", HOSPITAL),)), "INST"),
        (Item(diff=diff(mode="AUTO"), actions=(action("DONE"), action("FAILED"))), "OPS"),
        (Item(diff=diff(mode="AUTO", action="REVERSE"), actions=(action("DONE", "AGY"),)), "GW"),
        (Item(diff=diff(mode="TWO", state="CARRIED"), case=case("OPEN")), "LATER"),
    ],
)
def test_whose_move_it_is(item: Item, mover: str) -> None:
    assert mover_of(item) == mover


def test_until_when_is_the_cases_word_else_the_end_of_the_third_day() -> None:
    assert until_of(Item(diff=diff())) == T3
    assert until_of(Item(diff=diff(), case=case("OPEN", until_ms=77))) == 77
    assert until_of(Item(diff=diff(), case=case("CLOSED", until_ms=77))) == T3


def test_what_is_late_is_counted_and_what_is_carried_is_not_late() -> None:
    late = [Item(diff=diff(), case=case("OPEN", until_ms=NOW_MS - 1)), Item(diff=diff())]
    carried = Item(diff=diff(state="CARRIED"), case=case("OPEN", until_ms=NOW_MS - 1))
    report = day_report(told("INST", "AGY"), [*late, carried], rules(), 9)
    assert [(one.count.lines, one.overdue, one.until_ms) for one in report.groups] == [
        (1, 1, NOW_MS - 1), (1, 0, T3), (1, 0, NOW_MS - 1),
    ]  # fmt: skip


def looks(*ledgers: str, scope: str = "", role: str = "care", found: tuple[Item, ...] = ()) -> list[str]:
    report = day_report(told(*ledgers, scope=scope, role=role), found, rules(), 9)
    return [leg.look for leg in report.legs.values()]


def test_a_leg_is_on_where_both_sides_gave_a_ledger() -> None:
    everybody = ("INST", "GW", "AGY", "PROV", "INS")
    assert looks(*everybody) == ["agreed", "agreed", "agreed"]
    assert looks("INST", "AGY") == ["agreed", "off", "off"]
    assert looks(*everybody, scope=HOSPITAL) == ["agreed", "off", "off"]
    assert looks("AGY", "PROV", "INS", role="insured") == ["off", "off", "off", "agreed"]
    assert looks("INST", "PROV", "INS", found=(Item(diff=diff(leg="L4")),)) == ["off", "off", "open"]
    assert looks("INST", "AGY", found=(Item(diff=diff(state="WAIT")),)) == ["waiting", "off", "off"]


def test_only_what_institution_and_gateway_disagree_on_is_inside_l1() -> None:
    found = [
        Item(diff=diff(name=name, row=row))
        for name, row in (("AMOUNT", "A1"), ("AMOUNT", "A2"), ("AMOUNT", "A3"), ("L1-CENTER-MORE", ""),
                          ("L1-INST-MISSING", ""), ("L1-AGY-MISSING", ""))
    ]  # fmt: skip
    report = day_report(told("INST", "GW", "AGY"), found, rules(), 9)
    assert (report.legs["L1"].inside.lines, report.legs["L1"].counts["open"].lines) == (3, 6)


def test_parties_say_what_is_missing_and_what_is_incomplete() -> None:
    report = day_report(told("INST", "AGY"), [], rules(), 9)
    assert [(one.name, one.state) for one in report.parties] == [
        ("INST", "complete"), ("GW", "missing"), ("AGY", "incomplete"), ("PROV", "missing"), ("INS", "missing"),
    ]  # fmt: skip
    assert report.parties[0].sums == {"medfee_sumamt": 5}


def test_a_class_the_rules_no_longer_have_is_told_by_its_name() -> None:
    report = day_report(told("INST", "AGY"), [Item(diff=diff(name="GONE", row=""))], rules(), 9)
    assert [(one.title, one.todo) for one in report.groups] == [("GONE", "")]


def test_a_day_without_a_run_does_not_agree() -> None:
    report = day_report(attrs.evolve(told(), run=None), [], rules(), 9)
    assert not report.agreed and [leg.on for leg in report.legs.values()] == [False] * 3
