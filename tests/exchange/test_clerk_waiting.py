"""Money that has to wait or cannot go: the lane, an open breaker, delivery, a full disk.

Rules: reversal specification §3, §4.2, §7, §8, §9; contract-annex X5-X8, X20, X37.
"""

from typing import Any

from exchange_messages import HOME, OTHER, PERSON, SHOP, envelope, pay, sale
from exchange_rig import T0_S, Rig
from exchange_undo import fall_into_doubt

MONEY_ANSWER = {"gw_state", "gw_repeat"}


# --- the lane (§7, I10) ---------------------------------------------------------------------------------------------


def test_one_person_is_served_one_at_a_time_across_institutions_in_order(rig: Rig) -> None:
    first = rig.ask(pay("m1"))
    second = rig.ask(sale("m2"))
    third = rig.ask(pay("m3", "B3", code=OTHER))
    someone_else = rig.ask(pay("m4", psn_no="2"))
    assert [one.message["msgid"] for one in rig.far.sent] == ["m1", "m4"]
    assert rig.state("m2", SHOP) == "JOURNALED"
    rig.far.sent[0].settled()
    rig.run()
    assert [one.message["msgid"] for one in rig.far.sent][2:] == ["m2"]
    rig.far.last.settled()
    rig.run()
    rig.far.last.settled()
    rig.run()
    assert [caller.answer["infcode"] for caller in (first, second, third)] == [0, 0, 0]
    assert someone_else.status == 0


def test_a_lane_in_doubt_refuses_at_once_and_answers_what_it_knows(rig: Rig) -> None:
    paid = rig.settle(pay("m1", "B1"))
    rig.ask(pay("m2", "B2"))
    rig.far.last.listener.lost("x")
    rig.run()
    caller = rig.post(pay("m3", "B3"))
    rig.run(0.1)
    assert caller.said == (200, "GW-LANE-BUSY", "IN_DOUBT", "no")
    assert caller.answer["gw_msgid"] == "m2"
    assert caller.answered_at - T0_S < 0.5
    assert rig.ask(pay("m1", "B1")).raw == paid.raw
    assert rig.ask(pay("m2", "B2")).said == (200, "GW-IN-DOUBT", "IN_DOUBT", "ask")
    assert rig.row("m3") is None


def test_a_lane_with_too_many_waiting_refuses_but_still_answers_what_it_knows(rig: Rig) -> None:
    paid = rig.settle(pay("m0", "B0"))
    rig.ask(pay("m1"))
    for number in range(8):
        rig.ask(pay(f"w{number}", f"W{number}"))
    assert rig.ask(pay("m9", "B9")).said == (200, "GW-LANE-BUSY", "SENT", "no")
    assert rig.ask(pay("m0", "B0")).raw == paid.raw
    assert rig.ask(pay("m1", invono="FP9")).said[1] == "GW-MSGID-REUSED"


def test_a_known_repeat_does_not_wait_for_the_lane(rig: Rig) -> None:
    paid = rig.settle(pay("m1", "B1"))
    rig.ask(pay("m2", "B2"))
    assert rig.ask(pay("m1", "B1")).raw == paid.raw
    assert rig.ask(pay("m3", "B1")).said[1] == "GW-DUPLICATE-SETTLEMENT"
    rig.far.last.settled()
    rig.run()
    assert rig.state("m2") == "ACKED"
    assert rig.watch.alarms == []


def test_who_waits_is_answered_within_his_own_deadline(rig: Rig) -> None:
    """X6: timeout + late window + 1 s from arrival, also for the eighth in the line."""
    rig.ask(pay("m1"))
    callers = [rig.ask(pay(f"w{number}", f"W{number}")) for number in range(4)]
    rig.run(12)
    rig.far.last.settled()
    rig.run()
    assert [one.message["msgid"] for one in rig.far.sent] == ["m1"]
    for number, caller in enumerate(callers):
        assert caller.said == (200, "GW-NOT-SENT", "NOT_SENT", "new")
        assert rig.state(f"w{number}") == "NOT_SENT"


def test_who_waited_a_little_has_that_much_less_time(rig: Rig) -> None:
    rig.ask(pay("m1"))
    rig.ask(pay("m2", "B2"))
    rig.run(5)
    rig.far.last.settled()
    rig.run()
    assert rig.far.last.message["msgid"] == "m2"
    assert 14 < rig.far.last.timeout_s < 15


def test_a_wall_clock_that_was_set_back_gives_who_waited_no_more_time(rig: Rig) -> None:
    rig.ask(pay("m1"))
    rig.ask(pay("m2", "B2"))
    rig.room.clerk.live[HOME, "m2"].first.began += 3600.0  # as if the clock had been set back meanwhile
    rig.far.last.settled()
    rig.run()
    assert rig.far.last.message["msgid"] == "m2"
    assert rig.far.last.timeout_s == 20


# --- the breaker ----------------------------------------------------------------------------------------------------


def open_breaker(rig: Rig) -> None:
    for _ in range(rig.link.breaker.failures_max):
        rig.link.breaker.failed()


def test_an_open_breaker_turns_money_away_before_anything_is_written(rig: Rig) -> None:
    open_breaker(rig)
    caller = rig.ask(pay("m1"))
    assert caller.said == (200, "GW-NOT-SENT", "INVALID", "same")
    assert rig.row("m1") is None
    assert rig.log == ["answer c1"]
    rig.run(6)
    rig.settle(pay("m1"))


def test_an_open_breaker_does_not_hide_what_the_journal_knows(rig: Rig) -> None:
    """I3: a settled msgid must not hear "not sent", whatever the platform's weather."""
    paid = rig.settle(pay("m1"))
    open_breaker(rig)
    assert rig.ask(pay("m1")).raw == paid.raw
    assert rig.ask(pay("m1", invono="FP9")).said[1] == "GW-MSGID-REUSED"


# --- delivery (RV4, §9) ---------------------------------------------------------------------------------------------


def test_delivery_is_noted_with_the_outcome_when_somebody_is_there(rig: Rig) -> None:
    rig.settle(pay("m1"))
    assert rig.row("m1").delivered
    assert rig.states("m1") == ["JOURNALED", "SENT", "ACKED"]


def test_a_success_nobody_was_there_to_hear_is_not_delivered_until_a_repeat_gets_it(rig: Rig) -> None:
    caller = rig.ask(pay("m1"))
    caller.up = False
    body = rig.far.last.settled()
    rig.run()
    assert not rig.row("m1").delivered
    again = rig.ask(pay("m1"))
    assert again.raw == body
    assert rig.row("m1").delivered
    assert rig.log.index("durable m1 ACKED>ACKED True") < rig.log.index("answer c2")
    rig.ask(pay("m1"))
    assert rig.log.count("durable m1 ACKED>ACKED True") == 1


def test_who_attaches_while_the_outcome_is_written_hears_it_only_after_delivery_is_noted(rig: Rig) -> None:
    caller = rig.ask(pay("m1"))
    caller.up = False
    rig.disk.held = True
    rig.far.last.settled()
    again = rig.post(pay("m1"))
    rig.disk.release()
    rig.run()
    assert again.answer["infcode"] == 0
    assert rig.row("m1").delivered
    assert rig.log.index("durable m1 ACKED>ACKED True") < rig.log.index("answer c2")


def test_a_refusal_needs_no_second_mark(rig: Rig) -> None:
    caller = rig.ask(pay("m1"))
    caller.up = False
    rig.far.last.reply(-1, "余额不足")
    rig.run()
    rig.ask(pay("m1"))
    assert rig.states("m1") == ["JOURNALED", "SENT", "REJECTED"]


# --- a full disk (I12, X5) ------------------------------------------------------------------------------------------


def test_without_space_money_is_not_accepted_and_nothing_leaves(rig: Rig) -> None:
    rig.disk.full = True
    caller = rig.ask(pay("m1"))
    assert caller.said == (503, "GW-NOT-ACCEPTED", "NOT_SENT", "same")
    assert rig.far.sent == []
    again = rig.ask(pay("m1"))
    assert again.said == caller.said
    rig.disk.full = False
    rig.run(2)
    rig.settle(pay("m1"))
    assert rig.states("m1") == ["JOURNALED", "SENT", "ACKED"]


def test_without_space_a_known_msgid_still_gets_its_answer(rig: Rig) -> None:
    """X5: 503 says "certainly not executed"; that would be a lie about what was settled."""
    paid = rig.settle(pay("m1"))
    rig.disk.full = True
    rig.ask(pay("m2", "B2"))
    assert rig.ask(pay("m1")).raw == paid.raw


def test_an_outcome_that_finds_no_space_is_told_as_unknown_and_delivered_when_space_returns(rig: Rig) -> None:
    caller = rig.ask(pay("m1"))
    rig.disk.full = True
    body = rig.far.last.settled()
    rig.run()
    assert caller.said == (200, "GW-IN-DOUBT", "IN_DOUBT", "ask")
    attached = rig.ask(pay("m1"))
    assert attached.said == caller.said
    rig.run(30)
    assert rig.state("m1") == "SENT"
    rig.disk.full = False
    rig.run(2)
    assert rig.state("m1") == "ACKED"
    assert rig.ask(pay("m1")).raw == body
    assert len(rig.far.sent) == 1


def test_an_outcome_that_comes_when_space_is_out_already_is_told_as_unknown_too(rig: Rig) -> None:
    caller = rig.ask(pay("m1"))
    rig.disk.full = True
    rig.ask(pay("x", psn_no="2"))
    rig.run(5)
    assert caller.status == 0
    rig.far.sent[0].settled()
    rig.run()
    assert caller.said == (200, "GW-IN-DOUBT", "IN_DOUBT", "ask")


def test_who_waits_in_a_lane_when_space_runs_out_is_told_and_never_sent_late(rig: Rig) -> None:
    first = rig.ask(pay("m1"))
    waiting = rig.ask(pay("m2", "B2"))
    rig.disk.full = True
    rig.far.last.settled()
    rig.run()
    assert first.said == waiting.said == (200, "GW-IN-DOUBT", "IN_DOUBT", "ask")
    rig.run(120)
    rig.disk.full = False
    rig.run(5)
    assert [one.message["msgid"] for one in rig.far.sent] == ["m1"]
    assert rig.state("m2") == "NOT_SENT"
    assert rig.ask(pay("m2", "B2")).said == (200, "GW-NOT-SENT", "NOT_SENT", "new")
    assert rig.ask(pay("m1")).answer["infcode"] == 0


def test_after_a_broken_disk_nothing_is_answered(rig: Rig) -> None:
    first = rig.ask(pay("m1"))
    rig.disk.broken = True
    rig.far.last.settled()
    rig.run(60)
    assert len(rig.broke) == 1
    assert first.status == 0


# --- the rest -------------------------------------------------------------------------------------------------------


def test_a_row_somebody_else_moved_is_doubt_and_an_alarm(rig: Rig) -> None:
    caller = rig.ask(pay("m1"))
    rig.row("m1").state = "MANUAL"
    rig.far.last.settled()
    rig.run()
    assert caller.said == (200, "GW-IN-DOUBT", "IN_DOUBT", "ask")
    assert ("state_conflict", "m1") in rig.watch.alarms
    assert rig.state("m1") == "MANUAL"


def test_an_admission_is_settled_like_money_and_its_key_is_its_number(rig: Rig) -> None:
    def admit(msgid: str, number: str) -> dict[str, Any]:
        info = {
            "psn_no": PERSON, "insutype": "310", "begntime": "2026-03-01 08:00:00", "mdtrt_cert_type": "02",
            "mdtrt_cert_no": "1", "med_type": "21", "ipt_no": number, "atddr_no": "D0089", "chfpdr_name": "测试",
            "adm_diag_dscr": "x", "adm_dept_codg": "0201", "adm_dept_name": "外科", "adm_bed": "1",
            "dscg_maindiag_code": "ZD00276", "dscg_maindiag_name": "x", "main_cond_dscr": "", "dise_codg": "",
            "dise_name": "", "coner_name": "", "tel": "", "medrcdno": number,
        }  # fmt: skip
        illness = {
            "psn_no": PERSON, "diag_type": "1", "maindiag_flag": "1", "diag_srt_no": 1, "diag_code": "ZD00276",
            "diag_name": "x", "diag_dept": "0201", "dise_dor_no": "D0089", "dise_dor_name": "测试",
            "diag_time": "2026-03-01 08:00:00",
        }  # fmt: skip
        return envelope("2401", msgid, {"mdtrtinfo": info, "diseinfo": [illness]})

    caller = rig.ask(admit("m1", "ZY1"))
    assert rig.state("m1") == "SENT", caller.raw
    rig.far.last.reply(0, output={"result": {"mdtrt_id": "Z1"}})
    rig.run()
    assert rig.ask(admit("m2", "ZY1")).said[1] == "GW-DUPLICATE-SETTLEMENT"
    back = envelope("2404", "w1", {"data": {"mdtrt_id": "Z1", "psn_no": PERSON}})
    rig.ask(back)
    rig.far.last.reply(0)
    rig.run(1)
    rig.ask(admit("m3", "ZY1"))
    assert rig.state("m3") == "SENT"


def test_every_gateway_answer_about_money_says_state_and_repeat(rig: Rig) -> None:
    """X37, I13: walk through every way the gateway itself answers a settlement."""
    paid = rig.settle(pay("m1"))
    rig.ask(pay("m2", psn_no="2"))
    rig.far.last.listener.lost("x")
    rig.run()
    answers = [
        rig.ask(pay("m3")),  # duplicate
        rig.ask(pay("m1", invono="x")),  # reused
        rig.ask(pay("m2", psn_no="2")),  # doubt
        rig.ask(pay("m4", "B4", psn_no="2")),  # lane
        rig.ask(pay("m5", psn_no="3", medfee_sumamt="1e3")),  # complaint
    ]
    rig.ask(pay("m6", psn_no="4"))
    rig.far.last.listener.not_sent("x")
    rig.run()
    answers.append(rig.ask(pay("m6", psn_no="4")))
    open_breaker(rig)
    answers.append(rig.ask(pay("m7", psn_no="5")))
    rig.disk.full = True
    rig.run(6)
    answers.append(rig.ask(pay("m8", psn_no="6")))
    assert paid.answer.keys().isdisjoint(MONEY_ANSWER)
    for caller in answers:
        assert caller.answer.keys() >= MONEY_ANSWER | {"gw_code", "infcode", "err_msg"}, caller.raw
        assert caller.answer["err_msg"].startswith(f"[{caller.answer['gw_code']}]")
    assert {caller.said[1] for caller in answers} == {
        "GW-DUPLICATE-SETTLEMENT", "GW-MSGID-REUSED", "GW-IN-DOUBT", "GW-LANE-BUSY", "GW-INVALID", "GW-NOT-SENT",
        "GW-NOT-ACCEPTED",
    }  # fmt: skip


def test_whom_a_doubt_refuses_is_answered_at_once_however_slow_the_disk_is(rig: Rig) -> None:
    """I10: nobody knows in time whether this msgid is known; to ask again is true of any."""
    fall_into_doubt(rig)
    rig.run(0.1)
    rig.disk.held = True
    caller = rig.post(pay("m2", "B2"))
    rig.run(0.1)
    assert caller.said == (200, "GW-REVERSING", "REVERSING", "ask")
    rig.disk.release()
    rig.run(0.1)
    assert rig.row("m2") is None and not rig.room.clerk.live
    assert rig.ask(pay("m2", "B2")).said[1] == "GW-LANE-BUSY"
