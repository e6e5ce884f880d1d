"""Asking what became of a settlement in doubt: 5203 by visit (Q1); only what is conclusive counts. Q2:
test_asking_visits.py.

Rules: reversal specification §3 (CONFIRMED, ABSENT), §4.1, §4.2; contract-annex X7, X26.
"""

import json
from typing import Any

import pytest
from exchange_messages import HOME, PERSON, VISIT, Json, envelope, pay
from exchange_rig import T0_S, Caller, Far, Rig, settlement
from exchange_undo import (
    Platform,
    Wall,
    by_table,
    by_turns,
    cut,
    discharge,
    fall_into_doubt,
    reasons,
    says,
    sent_of,
)

LANE = f"p|{PERSON}"


def row(msgid: str = "m1", **changes: Any) -> Json:
    """`setlinfo` of 5203: the settlement in doubt, as the platform has it."""
    return settlement(msgid, PERSON, 100) | changes


def told(*rows: Json) -> Platform:
    """A platform that answers 5203 with these, and 2601 with a yes."""
    return says(0, q5203={"setlinfo": list(rows) if len(rows) != 1 else rows[0]})


# --- the question -----------------------------------------------------------------------------------------------------


def test_a_query_names_person_and_visit_under_a_msgid_of_its_own(rig: Rig) -> None:
    fall_into_doubt(rig, pay("m1") | {"insuplc_admdvs": "510100", "sign_no": "SN1"})
    rig.run(3.1)
    asked = rig.far.last
    assert asked.message["infno"] == "5203"
    assert asked.message["input"] == {"data": {"psn_no": PERSON, "setl_id": "", "mdtrt_id": VISIT}}
    for name, value in {"fixmedins_code": HOME, "insuplc_admdvs": "510100", "sign_no": "SN1"}.items():
        assert asked.message[name] == value
    assert asked.message["msgid"] != "m1" and len(asked.message["msgid"]) == 30
    assert rig.row(asked.message["msgid"]) is None  # a query is not kept
    assert (asked.timeout_s, asked.late_s) == (20.0, 0.0)


def test_it_is_asked_three_times_and_then_reversed(rig: Rig) -> None:
    """§4.2: at +3, +8 and +20 s; no conclusion is a reversal."""
    rig.far.plays = told()
    fall_into_doubt(rig)
    rig.run(19)
    assert [round(one.at - T0_S, 1) for one in sent_of(rig, "5203")] == [3.1, 8.1]
    assert rig.state("m1") == "IN_DOUBT"
    rig.run(2)
    assert len(sent_of(rig, "5203")) == 3
    assert rig.states("m1")[2:] == ["IN_DOUBT", "REVERSING", "REVERSED"]
    assert len({one.message["msgid"] for one in rig.far.sent}) == 5


def test_one_that_is_slow_is_followed_by_the_next_that_is_due(rig: Rig) -> None:
    """§4.2: the moments count from the doubt, so three slow queries take no longer than they must."""
    fall_into_doubt(rig)
    rig.run(3.5)
    rig.run(8)  # until +11: the second has been due for three seconds
    assert len(sent_of(rig, "5203")) == 1
    sent_of(rig, "5203")[0].raw(b"?")
    rig.run()
    assert len(sent_of(rig, "5203")) == 2
    sent_of(rig, "5203")[1].raw(b"?")
    rig.run(8)
    assert len(sent_of(rig, "5203")) == 2
    rig.run(1)
    assert [round(one.at - T0_S) for one in sent_of(rig, "5203")] == [3, 12, 20]


@pytest.mark.parametrize("set_s", [-3600.0, 3600.0])
def test_a_wall_clock_that_is_set_meanwhile_changes_no_moment(rig: Rig, set_s: float) -> None:
    rig.far.plays = told()
    fall_into_doubt(rig)
    rig.run(5)
    rig.room.office.clock = Wall(rig.clock, set_s)
    rig.run(20)
    assert [round(one.at - T0_S) for one in sent_of(rig, "5203")] == [3, 8, 20]
    assert rig.state("m1") == "REVERSED"


def test_without_a_strategy_nobody_is_asked() -> None:
    rig = Rig(settings={"resolve": "Q4"})
    rig.far.plays = told(row())
    fall_into_doubt(rig)
    rig.run(30)
    assert sent_of(rig, "5203") == sent_of(rig, "5201") == []
    assert rig.state("m1") == "REVERSED"


@pytest.mark.parametrize(
    "play",
    [
        cut,
        lambda one: one.listener.not_sent("connection refused"),
        lambda one: one.raw(b"<html>"),
        lambda one: one.reply(0, status=502, output={"setlinfo": row()}),
        lambda one: one.reply(0, status=404, output={"setlinfo": row()}),
        lambda one: one.reply(-1, "未查询到结算信息"),
        lambda one: one.reply(0, output={"setlinfo": "x"}),
        lambda one: one.reply(0, output={"setlinfo": [row(), 5]}),
    ],
)
def test_an_answer_that_cannot_be_read_says_nothing(rig: Rig, play: Platform) -> None:
    """Not even that there is nothing: a node that answers nonsense may have the settlement all the same."""
    rig.link.quiesce_s = 1.0
    by_table(rig, query_consistent=True)
    fall_into_doubt(rig, discharge("m1"))
    rig.far.plays = by_turns(play, play, play, says(0))
    rig.run(60)
    assert reasons(rig)[2:] == ["connection lost", "reversal_queued", "reversed"]
    assert len(sent_of(rig, "5203")) == 3


def test_a_question_that_stumbles_is_a_question_nobody_answered(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when it left before that: its answer is heard no second time."""
    fall_into_doubt(rig, discharge("m1"))
    whole, left = Far.send, []

    def send(*arguments: Any) -> None:
        whole(*arguments)
        if rig.far.last.message["infno"] == "5203":
            left.append(rig.far.last)
            raise ZeroDivisionError

    monkeypatch.setattr(Far, "send", send)
    rig.run(60)
    assert len(left) == 3
    assert rig.state("m1") == "REVERSING"
    assert ("internal_error", "m1") in rig.watch.alarms
    for one in left:
        one.reply(0, output={"setlinfo": row()})
    rig.run()
    assert rig.state("m1") == "REVERSING"


def test_an_open_breaker_is_no_answer_either(rig: Rig) -> None:
    fall_into_doubt(rig, discharge("m1"))
    rig.link.breaker.open_s = 3600
    for _ in range(rig.link.breaker.failures_max):
        rig.link.breaker.failed()
    rig.run(60)
    assert len(rig.far.sent) == 1
    assert rig.state("m1") == "REVERSING"


def test_time_that_is_up_while_a_query_is_on_its_way_lets_no_other_leave(rig: Rig) -> None:
    by_table(rig, give_up_s=1.0)  # at least as long as one sending may take: 28 s
    fall_into_doubt(rig)
    rig.run(3.5)
    rig.far.last.raw(b"?")
    rig.run(26)
    assert len(sent_of(rig, "5203")) == 2
    assert rig.state("m1") == "IN_DOUBT"
    rig.far.last.raw(b"?")
    rig.run(120)
    assert rig.state("m1") == "MANUAL"
    assert len(rig.far.sent) == 3


# --- found ------------------------------------------------------------------------------------------------------------


def test_an_outpatient_settlement_that_is_found_is_reversed(rig: Rig) -> None:
    """§4.2: the cashier has told the patient to wait, and nobody may collect twice."""
    rig.far.plays = told(row())
    fall_into_doubt(rig)
    rig.run(3.5)
    assert rig.state("m1") == "REVERSED"
    assert len(sent_of(rig, "5203")) == 1
    assert rig.watch.ends == ["reversed"]


def confirmed(rig: Rig, **changes: Any) -> Json:
    """Let a discharge fall into doubt and be found; return the platform's row."""
    found = row(setl_id="S77", clr_optins="510800", setl_time="2026-03-02 08:00:01", **changes)
    rig.far.plays = told(found)
    fall_into_doubt(rig, discharge("m1"))
    rig.run(4)
    rig.far.plays = None
    assert rig.state("m1") == "CONFIRMED"
    return found


def test_a_discharge_that_is_found_is_kept_and_nothing_is_reversed(rig: Rig) -> None:
    confirmed(rig)
    assert rig.states("m1") == ["JOURNALED", "SENT", "IN_DOUBT", "CONFIRMED"]
    assert rig.watch.ends == ["confirmed"]
    assert rig.room.lanes.holder(LANE) is None
    assert rig.store.unfinished() == []
    rig.run(86400)
    assert sent_of(rig, "2601") == []


def test_the_answer_of_a_confirmed_settlement_is_rebuilt_and_marked(rig: Rig) -> None:
    found = confirmed(rig)
    caller = rig.ask(discharge("m1"))
    answer = caller.answer
    assert caller.said == (200, "GW-CONFIRMED", "CONFIRMED", "no")
    assert (answer["infcode"], answer["err_msg"]) == (0, "")
    assert answer["output"] == {"setlinfo": found}
    assert answer.keys() >= {"inf_refmsgid", "refmsg_time", "respond_time"}


def test_every_repeat_of_a_confirmed_settlement_gets_the_same_bytes_and_delivery_is_noted_first(rig: Rig) -> None:
    confirmed(rig)
    first: Caller = rig.ask(discharge("m1"))
    assert rig.log[-2:] == ["durable m1 CONFIRMED>CONFIRMED True", f"answer {first.name}"]
    assert rig.row("m1").delivered
    rig.run(500)
    rig.restart()
    assert rig.ask(discharge("m1")).raw == first.raw


def test_what_a_confirmed_settlement_says_is_kept_for_the_books_and_holds_its_key(rig: Rig) -> None:
    confirmed(rig)
    entry = rig.row("m1")
    assert (entry.setl_id, entry.mdtrt_id) == ("S77", VISIT)
    settled = json.loads(entry.settled)
    assert (settled["medfee_sumamt"], settled["psn_cash_pay"], settled["clr_optins"]) == (10000, 10000, "510800")
    assert PERSON not in entry.settled
    again = rig.ask(discharge("m2"))
    assert again.said[1] == "GW-DUPLICATE-SETTLEMENT"
    assert (again.answer["gw_msgid"], again.answer["setl_id"]) == ("m1", "S77")


def test_a_confirmed_settlement_can_be_cancelled_like_any_other(rig: Rig) -> None:
    confirmed(rig)
    data = {"setl_id": "S77", "mdtrt_id": VISIT, "psn_no": PERSON}
    rig.ask(envelope("2305", "u1", {"data": data}))
    rig.far.last.reply(0, output={"setlinfo": settlement("u1", PERSON, -100)})
    rig.run()
    assert rig.row("m1").cancelled
    rig.settle(discharge("m2"))


def test_the_type_of_infcode_of_a_rebuilt_answer_is_the_links() -> None:
    rig = Rig(settings={"resolve": "Q1", "infcode": "text"})
    confirmed(rig)
    assert rig.ask(discharge("m1")).answer["infcode"] == "0"


@pytest.mark.parametrize(
    "changes",
    [
        {"psn_no": "51080000000000000002"},
        {"psn_no": None},
        {"medfee_sumamt": 100.01},
        {"medfee_sumamt": "1e2"},
        {"medfee_sumamt": None},
        {"mdtrt_id": "another"},
        {"mdtrt_id": None},
        {"refd_setl_flag": "1"},  # undone meanwhile
    ],
)
def test_our_msgid_on_something_that_does_not_fit_is_not_found(rig: Rig, changes: Json) -> None:
    rig.far.plays = told(row(**changes))
    fall_into_doubt(rig, discharge("m1"))
    rig.run(60)
    assert len(sent_of(rig, "5203")) == 3
    assert rig.state("m1") == "REVERSED"


def test_a_settlement_that_was_booked_twice_is_not_kept(rig: Rig) -> None:
    rig.far.plays = told(row(), row(setl_id="S78"))
    fall_into_doubt(rig, discharge("m1"))
    rig.run(60)
    assert rig.state("m1") != "CONFIRMED"


def test_among_other_settlements_of_a_visit_ours_is_told_by_its_msgid(rig: Rig) -> None:
    rig.far.plays = told(row("m0", setl_id="S1"), row(setl_id="S2"), row("", setl_id="S3"))
    fall_into_doubt(rig, discharge("m1"))
    rig.run(4)
    assert (rig.state("m1"), rig.row("m1").setl_id) == ("CONFIRMED", "S2")


# --- nothing ----------------------------------------------------------------------------------------------------------


def test_nothing_found_proves_nothing_where_queries_may_lag_behind(rig: Rig) -> None:
    rig.link.quiesce_s = 1.0
    rig.far.plays = told(row("m0"))
    fall_into_doubt(rig)
    rig.run(30)
    assert len(sent_of(rig, "5203")) == 3
    assert rig.state("m1") == "REVERSED"


def test_nothing_found_late_enough_by_a_consistent_query_is_an_end_without_a_reversal(rig: Rig) -> None:
    rig.link.quiesce_s = 6.0
    by_table(rig, query_consistent=True)
    rig.far.plays = told(row("m0"))
    fall_into_doubt(rig)
    rig.run(7)
    assert (len(sent_of(rig, "5203")), rig.state("m1")) == (1, "IN_DOUBT")  # asked before it could be believed
    rig.run(2)
    assert rig.states("m1") == ["JOURNALED", "SENT", "IN_DOUBT", "ABSENT"]
    assert rig.watch.ends == ["absent"]
    assert rig.ask(pay("m1")).said == (200, "GW-ABSENT", "ABSENT", "new")
    rig.run(86400)
    assert sent_of(rig, "2601") == []
    rig.far.plays = None
    rig.settle(pay("m2"))


def test_a_query_that_left_before_things_were_quiet_proves_nothing_by_its_late_answer(rig: Rig) -> None:
    rig.link.quiesce_s = 5.0
    by_table(rig, query_consistent=True)
    fall_into_doubt(rig)
    rig.run(9)
    (asked,) = sent_of(rig, "5203")
    asked.reply(0, output={})
    rig.run(1)
    assert rig.state("m1") == "IN_DOUBT"


def test_the_answer_of_a_confirmed_settlement_speaks_the_institutions_own_codes(rig: Rig) -> None:
    """X14: the query's node carries a coded field."""
    rig.far.plays = told(row(dise_codg="M03900"))
    fall_into_doubt(rig, discharge("m1"))
    rig.run(4)
    answer = rig.ask(discharge("m1")).answer
    assert answer["output"]["setlinfo"]["dise_codg"] == "MB000"
    assert answer["gw_codes"] == [{"path": "output.setlinfo.dise_codg", "national": "M03900", "local": "MB000"}]
    assert answer["gw_state"] == "CONFIRMED"


def test_an_answer_that_cannot_be_translated_is_told_as_the_platform_says_it(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.exchange.confirmed.translate_back", lambda *arguments: 1 / 0)
    rig.far.plays = told(row(dise_codg="M03900"))
    fall_into_doubt(rig, discharge("m1"))
    rig.run(4)
    assert rig.ask(discharge("m1")).answer["output"]["setlinfo"]["dise_codg"] == "M03900"
    assert ("internal_error", "m1") in rig.watch.alarms
