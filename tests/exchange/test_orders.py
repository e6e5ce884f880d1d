"""Mobile payment: an order is paid once and refunded once, alone with its visit; its doubt is asked about by 6301.

Rules: reversal specification §2, §4.3, §7, §8; contract-annex X34.
"""

from typing import Any

import attrs
import msgspec
import pytest
from exchange_messages import HOME, PERSON, VISIT, charge, envelope, pay
from exchange_orders import asked, order, refund_order, told
from exchange_rig import Rig
from exchange_undo import at_once, fall_into_doubt, reasons, sent_of

from gateway.core.jsontext import decode
from gateway.exchange.verdict import Judge

HOUR_S = 3600.0
OTHER_VISIT = "510800M202603020800000000009"


def left(rig: Rig) -> list[str]:
    """The msgids of institutions that left, in order."""
    return [one.message["msgid"] for one in rig.far.sent if one.message["infno"] != "6301"]


@pytest.fixture
def doubt() -> Rig:
    """An order whose answer was lost."""
    rig = at_once()
    fall_into_doubt(rig, order("o1"))
    rig.run()
    assert rig.state("o1") == "IN_DOUBT"
    return rig


# --- once -------------------------------------------------------------------------------------------------------------


def test_an_order_is_paid_once() -> None:
    rig = at_once()
    rig.ask(order("o1"))
    rig.far.last.reply(0, output={"data": {"payOrdId": "P1", "ordStas": "6"}})
    rig.run()
    assert rig.state("o1") == "ACKED"
    again = rig.ask(order("o2"))
    assert again.said == (200, "GW-DUPLICATE-SETTLEMENT", "ACKED", "no")
    assert again.answer["gw_msgid"] == "o1"
    rig.ask(order("o3", number="P2"))  # another order of the visit
    assert left(rig) == ["o1", "o3"]


def test_the_journal_knows_what_an_order_came_to(doubt: Rig) -> None:
    """The books sum orders up as everything else: by the platform's answer, or by what 6301 said when that was lost."""
    usual = {"medfee_sumamt": 10_000, "fund_pay_sumamt": 6_000, "acct_pay": 0, "psn_cash_pay": 4_000}
    rig = at_once()
    rig.ask(order("o1"))
    amounts = {"feeSumamt": 100, "ownPayAmt": "40.00", "psnAcctPay": 0, "fundPay": 60}
    rig.far.last.reply(0, output={"data": {"payOrdId": "P1", "ordStas": "6", **amounts}})
    rig.run()
    assert decode(rig.row("o1").settled.encode()) == usual
    doubt.far.plays = asked(told("6"))
    doubt.run(4)
    assert decode(doubt.row("o1").settled.encode()) == usual


def test_the_journal_knows_how_much_of_an_order_was_given_back() -> None:
    rig = at_once()
    rig.ask(refund_order("f1", kind="PART"))
    assert rig.row("f1").medfee_fen == 10_000


def test_an_order_the_platform_refused_may_be_paid_again() -> None:
    rig = at_once()
    rig.ask(order("o1"))
    rig.far.last.reply(-1, "余额不足")
    rig.run()
    rig.ask(order("o2"))
    assert left(rig) == ["o1", "o2"]


# --- "done" is not "paid" ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["0", "1", 2, "3", "7", "12", "14", "15", "16", "99"])
def test_an_order_taken_but_not_paid_is_asked_about_and_not_told_as_done(state: Any) -> None:
    rig = at_once()
    first = rig.ask(order("o1"))
    rig.far.plays = asked(told("4"))
    rig.far.last.reply(0, output={"data": {"payOrdId": "P1", "ordStas": state, "fundPay": 60}})
    rig.run(0.5)
    assert first.said == (200, "GW-IN-DOUBT", "IN_DOUBT", "ask")
    assert (rig.state("o1"), reasons(rig, "o1")[-1]) == ("IN_DOUBT", "order_not_paid")
    rig.run(4)
    assert len(sent_of(rig, "6301")) == 1 and rig.state("o1") == "CONFIRMED"


@pytest.mark.parametrize("data", [{"ordStas": 4}, {"ordStas": "5"}, {"ordStas": "6", "payOrdId": "P1"}, {}])
def test_an_order_that_says_paid_or_names_no_state_is_done(data: Any) -> None:
    rig = at_once()
    rig.ask(order("o1"))
    rig.far.last.reply(0, output={"data": data})
    rig.run(0.5)
    assert rig.state("o1") == "ACKED"


@pytest.mark.parametrize("message", [order("x1"), refund_order("x1")], ids=lambda message: message["infno"])
def test_an_answer_about_another_order_is_not_believed(message: Any) -> None:
    rig = at_once()
    rig.ask(message)
    rig.far.last.reply(0, output={"data": {"payOrdId": "P2", "ordStas": "6"}})
    rig.run(0.5)
    assert (rig.state("x1"), reasons(rig, "x1")[-1]) == ("IN_DOUBT", "other_order")


def test_what_of_an_orders_states_is_paid_is_the_regions_word() -> None:
    rig = at_once()
    table = msgspec.structs.replace(rig.link.region.orders, paid=("2",))
    rig.link.region = attrs.evolve(rig.link.region, orders=table)
    rig.link.judge = Judge.of(rig.link.region)
    rig.ask(order("o1"))
    rig.far.last.reply(0, output={"data": {"ordStas": "2"}})
    rig.ask(order("o2", number="P2", visit=OTHER_VISIT))
    rig.far.last.reply(0, output={"data": {"ordStas": "6"}})
    rig.run(0.5)
    assert (rig.state("o1"), rig.state("o2")) == ("ACKED", "IN_DOUBT")


@pytest.mark.parametrize(
    ("first", "second", "passes"),
    [
        ({}, {}, False),
        ({}, {"serial": "2"}, False),  # all of an order is refunded once, whatever the number
        ({"kind": "HI"}, {"kind": "HI"}, False),
        ({"kind": "HI"}, {"kind": "HI", "serial": "2"}, True),
        ({}, {"number": "P2"}, True),
    ],
)
def test_a_refund_takes_place_once(first: dict[str, str], second: dict[str, str], passes: bool) -> None:
    rig = at_once()
    rig.ask(refund_order("f1", **first))
    rig.far.last.reply(0, output={"data": {"refdSn": "1"}})
    rig.run()
    said = rig.ask(refund_order("f2", **second)).status
    assert left(rig) == (["f1", "f2"] if passes else ["f1"])
    assert (said == 0) is passes


# --- alone with its visit ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    [
        order("x"),
        order("x", number="P2"),
        pay("x"),
        envelope("2208", "x", {"data": {"setl_id": "S1", "mdtrt_id": VISIT, "psn_no": PERSON}}),
        charge("x"),
        envelope("2205", "x", {"data": {"mdtrt_id": VISIT, "psn_no": PERSON, "chrg_bchno": "B1"}}),
        refund_order("x"),
    ],
    ids=lambda message: message["infno"],
)
@pytest.mark.parametrize("restarted", [False, True])
def test_beside_an_order_in_doubt_nothing_of_its_visit_leaves(doubt: Rig, message: Any, restarted: bool) -> None:
    if restarted:
        doubt.restart()
    said = doubt.ask(message)
    assert said.said[:3] == (200, "GW-LANE-BUSY", "IN_DOUBT")
    assert said.answer["gw_msgid"] == "o1"
    assert left(doubt) == ["o1"]


def test_other_visits_and_orders_pass(doubt: Rig) -> None:
    doubt.ask(order("o2", number="P2", visit=OTHER_VISIT))
    doubt.ask(pay("m2", visit="510800M202603020800000000008"))
    doubt.ask(charge("w2", visit=OTHER_VISIT))
    doubt.ask(refund_order("f2", number="P3"))
    assert left(doubt) == ["o1", "o2", "m2", "w2", "f2"]


def test_beside_a_settlement_in_doubt_no_order_of_its_visit_leaves() -> None:
    rig = Rig()
    fall_into_doubt(rig, pay("m1"))
    rig.run()
    assert rig.ask(order("o1")).said == (200, "GW-LANE-BUSY", "IN_DOUBT", "no")
    assert left(rig) == ["m1"]


@pytest.mark.parametrize(("first", "second"), [(order("x1"), pay("x2")), (pay("x1"), order("x2"))])
def test_an_order_and_a_settlement_of_a_visit_go_one_after_the_other(first: Any, second: Any) -> None:
    rig = at_once()
    rig.ask(first)
    rig.ask(second)
    assert left(rig) == ["x1"]
    rig.far.last.reply(-1, "余额不足")
    rig.run()
    assert left(rig) == ["x1", "x2"]
    rig.far.last.reply(-1, "余额不足")
    rig.run()
    assert rig.room.lanes.held() == []


# --- its doubt --------------------------------------------------------------------------------------------------------


def test_the_question_names_the_order_and_nothing_that_may_not_rest(doubt: Rig) -> None:
    doubt.far.plays = asked(told("2"))
    doubt.run(4)
    (question,) = sent_of(doubt, "6301")
    data = question.message["input"]["data"]
    assert {name: value for name, value in data.items() if value} == {"payOrdId": "P1", "orgCodg": HOME}
    assert set(data) == {"payOrdId", "orgCodg", "payToken", "idNo", "userName", "idType"}
    assert "TOKEN" not in repr(doubt.row("o1"))


@pytest.mark.parametrize("state", ["4", "5", 6])
def test_an_order_that_is_paid_is_confirmed_with_what_its_own_answer_says(doubt: Rig, state: Any) -> None:
    doubt.far.plays = asked(told(state))
    doubt.run(4)
    assert (doubt.state("o1"), reasons(doubt, "o1")[-1]) == ("CONFIRMED", "found")
    answer = doubt.ask(order("o1")).answer
    assert (answer["infcode"], answer["gw_code"]) == (0, "GW-CONFIRMED")
    amounts = {"feeSumamt": 100, "ownPayAmt": 40, "psnAcctPay": 0, "fundPay": 60}
    assert answer["output"] == {"data": {"payOrdId": "P1", "ordStas": state, **amounts}}
    assert doubt.ask(order("o2")).said[1] == "GW-DUPLICATE-SETTLEMENT"
    assert doubt.room.lanes.held() == []
    doubt.far.plays = None
    doubt.ask(pay("m2"))
    assert left(doubt) == ["o1", "m2"]


def test_an_order_that_failed_is_absent_but_not_before_it_cannot_be_booked_any_more(doubt: Rig) -> None:
    doubt.far.plays = asked(told("15"))
    doubt.run(100)
    assert doubt.state("o1") == "IN_DOUBT"
    assert len(sent_of(doubt, "6301")) >= 3
    doubt.run(100)
    assert doubt.state("o1") == "ABSENT"
    assert doubt.ask(order("o1")).said == (200, "GW-ABSENT", "ABSENT", "new")
    doubt.ask(order("o2"))
    assert left(doubt) == ["o1", "o2"]


UNSURE = [
    told(state) for state in ("0", "1", "2", "3", "7", "8", "9", "10", "11", "12", "13", "14", "16", "99", None, "")
] + [told("6", number="P2"), told("6", orgCodg="H51080200002"), {"data": []}, {"data": [told("6")["data"]] * 2}, None]


@pytest.mark.parametrize("output", UNSURE)
def test_whatever_else_it_says_is_not_known_and_after_ten_minutes_a_persons(doubt: Rig, output: Any) -> None:
    doubt.far.plays = asked(output)
    doubt.run(590)
    assert doubt.state("o1") == "IN_DOUBT"
    doubt.run(HOUR_S)
    assert doubt.state("o1") == "MANUAL"
    assert {one.message["infno"] for one in doubt.far.sent} == {"6202", "6301"}  # no 2601, no 5203, no statement
    assert doubt.ask(order("o1")).said == (200, "GW-MANUAL", "MANUAL", "no")
    assert doubt.ask(order("o2")).said == (200, "GW-MANUAL", "MANUAL", "no")


@pytest.mark.parametrize("resolve", ["Q1", "Q2"])
def test_an_order_is_asked_about_the_same_way_whatever_the_links_strategy(resolve: str) -> None:
    rig = Rig(settings={"resolve": resolve})
    rig.far.plays = asked(told("6"))
    fall_into_doubt(rig, order("o1"))
    rig.run(5)
    assert rig.state("o1") == "CONFIRMED"
    assert len(sent_of(rig, "6301")) == 1


def test_a_restart_asks_again(doubt: Rig) -> None:
    doubt.restart()
    doubt.far.plays = asked(told("6"))
    doubt.run(5)
    assert doubt.state("o1") == "CONFIRMED"


# --- a refund's doubt -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "state", "end"),
    [("ALL", "7", "CONFIRMED"), ("HI", "7", "MANUAL"), ("ALL", "6", "MANUAL"), ("ALL", "8", "MANUAL")],
)
def test_a_refund_is_confirmed_only_by_what_can_have_happened_once(kind: str, state: str, end: str) -> None:
    rig = at_once()
    fall_into_doubt(rig, refund_order("f1", kind=kind))
    rig.far.plays = asked(told(state))
    rig.run(HOUR_S)
    assert rig.state("f1") == end
    assert {one.message["infno"] for one in rig.far.sent} == {"6203", "6301"}
    if end == "CONFIRMED":  # its numbers only the lost answer named
        answer = rig.ask(refund_order("f1", kind=kind)).answer
        assert (answer["infcode"], answer["output"]) == (0, {"data": {}})
    else:
        assert rig.ask(refund_order("f2", kind=kind)).said[1] == "GW-MANUAL"


def test_the_answer_kept_of_an_order_holds_no_voucher(doubt: Rig) -> None:
    doubt.far.plays = asked(told("6"))
    doubt.run(4)
    kept = doubt.store.journal.answers[doubt.row("o1").id]
    assert "TOKEN" not in kept.decode() and decode(kept)["output"]["data"]["ordStas"] == "6"
