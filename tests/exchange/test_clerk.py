"""Money through the whole exchange: order of writing, repeats, duplicates, lanes, silence, late answers, a full disk.

Rules: reversal specification §3, §4.2, §7, §8, §9; contract-annex X5-X8, X20, X37.
"""

from typing import Any

import pytest
from exchange_messages import OTHER, PERSON, pay, refund, sale
from exchange_rig import TICK_S, Rig

MONEY_ANSWER = {"gw_state", "gw_repeat"}


# --- order of writing (I1) ------------------------------------------------------------------------------------------


def test_every_step_is_durable_before_the_next_one_shows(rig: Rig) -> None:
    caller = rig.ask(pay("m1"))
    assert rig.log == ["durable m1 SENT Accepted", "send m1"]
    body = rig.far.last.settled()
    assert caller.status == 0
    rig.run()
    assert rig.log[2:] == ["durable m1 SENT>ACKED True", "answer c1"]
    assert (caller.status, caller.raw) == (200, body)
    assert rig.states("m1") == ["JOURNALED", "SENT", "ACKED"]


def test_nothing_leaves_while_the_mark_is_not_durable(rig: Rig) -> None:
    rig.disk.held = True
    rig.post(pay("m1"))
    rig.run(5)
    assert rig.far.sent == []
    rig.disk.release()
    assert [one.message["msgid"] for one in rig.far.sent] == ["m1"]


def test_nobody_hears_an_outcome_that_is_not_durable(rig: Rig) -> None:
    caller = rig.ask(pay("m1"))
    rig.disk.held = True
    rig.far.last.settled()
    rig.run(10)
    assert caller.status == 0
    rig.disk.release()
    assert caller.status == 200


def test_who_waits_in_the_lane_is_sent_only_after_his_own_mark(rig: Rig) -> None:
    """A row that was on its way to disk as JOURNALED when its turn came must not count as marked."""
    rig.ask(pay("m1"))
    rig.disk.held = True
    rig.post(pay("m2", "B2"))
    rig.far.last.settled()
    rig.disk.release()  # m2's row and m1's outcome become durable, one after the other
    rig.run()
    second = rig.far.last
    assert rig.log.index("durable m2 JOURNALED>SENT True") < rig.log.index("send m2")
    assert rig.states("m2") == ["JOURNALED", "SENT"]
    second.settled()
    rig.run()
    assert rig.states("m2") == ["JOURNALED", "SENT", "ACKED"]
    assert rig.watch.alarms == []


def test_the_lane_is_handed_over_only_when_the_outcome_is_durable(rig: Rig) -> None:
    rig.ask(pay("m1"))
    rig.ask(pay("m2", "B2"))
    rig.far.last.settled()
    rig.run()
    assert rig.log.index("durable m1 SENT>ACKED True") < rig.log.index("durable m2 JOURNALED>SENT True")


@pytest.mark.parametrize("gap_s", [0.0, TICK_S / 2, TICK_S, TICK_S * 1.5, TICK_S * 2])
def test_the_lane_is_handed_over_cleanly_whenever_the_next_one_comes(gap_s: float) -> None:
    rig = Rig()
    first = rig.ask(pay("m1"))
    rig.far.last.settled()
    rig.run(gap_s)
    second = rig.ask(pay("m2", "B2"))
    assert first.status == 200
    rig.far.last.settled()
    rig.run()
    assert rig.states("m2")[-2:] == ["SENT", "ACKED"]
    assert second.answer["infcode"] == 0
    assert [one.message["msgid"] for one in rig.far.sent] == ["m1", "m2"]
    assert rig.watch.alarms == []


# --- what the platform says -----------------------------------------------------------------------------------------


def test_a_refusal_goes_through_byte_for_byte_and_frees_the_lane(rig: Rig) -> None:
    caller = rig.ask(pay("m1"))
    body = rig.far.last.reply(-1, "该批次已结算")
    rig.run()
    assert caller.raw == body
    assert rig.state("m1") == "REJECTED"
    rig.ask(pay("m2"))
    assert rig.state("m2") == "SENT"


def test_an_answer_nobody_can_read_is_doubt(rig: Rig) -> None:
    caller = rig.ask(pay("m1"))
    rig.far.last.raw(b"<html>Bad Gateway</html>", 502)
    rig.run()
    assert caller.said == (200, "GW-IN-DOUBT", "IN_DOUBT", "ask")
    assert caller.answer["infcode"] == -1
    assert caller.answer["output"] == {}
    assert rig.states("m1") == ["JOURNALED", "SENT", "IN_DOUBT"]


def test_a_connection_lost_after_sending_is_doubt_and_one_never_made_is_not(rig: Rig) -> None:
    lost = rig.ask(pay("m1"))
    rig.far.last.listener.lost("connection lost")
    never = rig.ask(pay("m2", psn_no="2"))
    rig.far.last.listener.not_sent("connection refused")
    rig.run()
    assert lost.said == (200, "GW-IN-DOUBT", "IN_DOUBT", "ask")
    assert never.said == (200, "GW-NOT-SENT", "NOT_SENT", "new")
    assert (rig.state("m1"), rig.state("m2")) == ("IN_DOUBT", "NOT_SENT")


def test_a_refusal_of_the_access_layer_is_not_sent_and_its_repeat_gets_the_same_bytes(rig: Rig) -> None:
    caller = rig.ask(pay("m1"))
    rig.far.last.raw('{"code":401,"message":"签名错误"}'.encode(), 401)
    rig.run(3)
    assert caller.said == (200, "GW-NOT-SENT", "NOT_SENT", "new")
    assert rig.ask(pay("m1")).raw == caller.raw
    assert rig.row("m1").state == "NOT_SENT"


def test_a_fault_of_our_own_while_reading_is_doubt_and_an_alarm(rig: Rig) -> None:
    caller = rig.ask(pay("m1"))
    rig.far.last.listener.answered(200, b"", None, True)  # type: ignore[arg-type]  # that is the fault
    rig.run()
    assert caller.said == (200, "GW-IN-DOUBT", "IN_DOUBT", "ask")
    assert ("internal_error", "m1") in rig.watch.alarms


# --- silence and the late window ------------------------------------------------------------------------------------


def test_silence_is_durable_doubt_at_once_and_told_when_the_late_window_closes(rig: Rig) -> None:
    caller = rig.ask(pay("m1"))
    assert (rig.far.last.late_s, round(rig.far.last.timeout_s, 1)) == (3.0, 20.0)
    rig.far.last.listener.silent()
    rig.run()
    assert (rig.state("m1"), caller.status) == ("IN_DOUBT", 0)
    rig.far.last.listener.lost("no answer in time")
    rig.run()
    assert caller.said == (200, "GW-IN-DOUBT", "IN_DOUBT", "ask")
    assert rig.states("m1") == ["JOURNALED", "SENT", "IN_DOUBT"]


@pytest.mark.parametrize(("infcode", "text", "state"), [(0, "", "ACKED"), (-1, "该批次已结算", "REJECTED")])
def test_an_answer_inside_the_late_window_counts_as_in_time(rig: Rig, infcode: int, text: str, state: str) -> None:
    caller = rig.ask(pay("m1"))
    rig.far.last.listener.silent()
    rig.run()
    body = rig.far.last.settled() if infcode == 0 else rig.far.last.reply(infcode, text)
    rig.run()
    assert caller.raw == body
    assert rig.states("m1") == ["JOURNALED", "SENT", "IN_DOUBT", state]


def test_a_broken_or_access_answer_inside_the_late_window_stays_doubt(rig: Rig) -> None:
    for number, raw in enumerate((b"<html>", b'{"code":401,"message":"x"}')):
        caller = rig.ask(pay(f"m{number}", psn_no=str(number)))
        rig.far.last.listener.silent()
        rig.run()
        rig.far.last.raw(raw)
        rig.run()
        assert caller.said == (200, "GW-IN-DOUBT", "IN_DOUBT", "ask")
        assert rig.state(f"m{number}") == "IN_DOUBT"


def test_who_waits_behind_a_request_that_falls_into_doubt_was_certainly_not_sent(rig: Rig) -> None:
    rig.ask(pay("m1"))
    waiting = [rig.ask(pay(f"w{number}", f"W{number}")) for number in range(3)]
    rig.far.last.listener.lost("connection lost")
    rig.run()
    for number, caller in enumerate(waiting):
        assert caller.said == (200, "GW-NOT-SENT", "NOT_SENT", "new")
        assert rig.states(f"w{number}") == ["JOURNALED", "NOT_SENT"]
    assert len(rig.far.sent) == 1


# --- repeats (§8, I9) -----------------------------------------------------------------------------------------------


def test_repeats_attach_to_the_one_request_on_its_way(rig: Rig) -> None:
    rig.disk.held = True
    callers = [rig.post(pay("m1")) for _ in range(3)]
    rig.disk.release()
    callers += [rig.ask(pay("m1"))]
    body = rig.far.last.settled()
    callers += [rig.ask(pay("m1"))]
    assert len(rig.far.sent) == 1
    assert [caller.raw for caller in callers] == [body] * 5


@pytest.mark.parametrize("infcode", [0, -1])
def test_a_repeat_of_what_is_over_gets_the_same_bytes_and_is_not_sent_again(rig: Rig, infcode: int) -> None:
    first = rig.ask(pay("m1"))
    if infcode:
        rig.far.last.reply(-1, "余额不足", extra="保留")
    else:
        rig.far.last.settled()
    rig.run()
    for _ in range(3):
        assert rig.ask(pay("m1")).raw == first.raw
    assert len(rig.far.sent) == 1


def test_key_order_time_operator_and_voucher_do_not_make_another_content(rig: Rig) -> None:
    """X10, X34: inf_time, sign_no, opter, key order and vouchers do not count."""
    first = rig.settle(pay("m1"))
    other = pay("m1", mdtrt_cert_no="ANOTHER TOKEN")
    other["input"]["data"] = dict(reversed(other["input"]["data"].items()))
    other = dict(reversed(other.items())) | {"inf_time": "2026-03-02 08:00:09", "opter": "OP2", "sign_no": "77"}
    assert rig.ask(other).raw == first.raw


@pytest.mark.parametrize("change", [{"medfee_sumamt": 101}, {"invono": "FP2"}, {"chrg_bchno": "B2"}])
@pytest.mark.parametrize("over", [True, False])
def test_a_msgid_with_another_content_is_refused(rig: Rig, change: Any, over: bool) -> None:
    rig.ask(pay("m1"))
    if over:
        rig.far.last.settled()
        rig.run()
    caller = rig.ask(pay("m1", **change))
    assert caller.said == (200, "GW-MSGID-REUSED", "INVALID", "new")
    assert ("msgid_reused", "m1") in rig.watch.alarms
    assert len(rig.far.sent) == 1


def test_another_transaction_may_not_take_a_msgid_either(rig: Rig) -> None:
    rig.settle(pay("m1"))
    assert rig.ask(refund("m1", "S1")).said == (200, "GW-MSGID-REUSED", "INVALID", "new")


def test_the_same_msgid_of_another_institution_is_another_request(rig: Rig) -> None:
    rig.settle(pay("m1"))
    rig.settle(pay("m1", psn_no="2", code=OTHER))
    assert len(rig.far.sent) == 2


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("IN_DOUBT", (200, "GW-IN-DOUBT", "IN_DOUBT", "ask")),
        ("REVERSING", (200, "GW-REVERSING", "REVERSING", "ask")),
        ("MANUAL", (200, "GW-MANUAL", "MANUAL", "no")),
        ("REVERSED", (200, "GW-REVERSED", "REVERSED", "new")),
        ("ABSENT", (200, "GW-ABSENT", "ABSENT", "new")),
        ("SENT", (200, "GW-IN-DOUBT", "SENT", "ask")),
    ],
)
def test_a_repeat_of_a_record_without_stored_answer_hears_its_state(rig: Rig, state: Any, said: Any) -> None:
    rig.ask(pay("m1"))
    rig.far.last.listener.lost("x")
    rig.run()
    rig.row("m1").state = state
    rig.start()
    assert rig.ask(pay("m1")).said == said


def test_a_repeat_whose_answer_cannot_be_opened_is_not_sent_again_and_alarms(rig: Rig) -> None:
    rig.settle(pay("m1"))
    rig.store.journal.answers.clear()
    caller = rig.ask(pay("m1"))
    assert caller.said == (200, "GW-DUPLICATE-SETTLEMENT", "ACKED", "no")
    assert (caller.answer["gw_msgid"], caller.answer["setl_id"]) == ("m1", rig.row("m1").setl_id)
    assert ("answer_unreadable", "m1") in rig.watch.alarms
    assert len(rig.far.sent) == 1


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("ACKED", (200, "GW-DUPLICATE-SETTLEMENT", "ACKED", "no")),
        ("CONFIRMED", (200, "GW-DUPLICATE-SETTLEMENT", "CONFIRMED", "no")),
        ("REJECTED", (200, "GW-ABSENT", "REJECTED", "new")),
    ],
)
def test_a_repeat_of_what_is_over_for_400_days_hears_its_end_without_alarm(rig: Rig, state: Any, said: Any) -> None:
    """Its answer was deleted, as it may be from then on (security specification §9)."""
    rig.settle(pay("m1"))
    rig.row("m1").state = state
    rig.store.journal.answers.clear()
    rig.run(400 * 86_400 + 1)
    caller = rig.ask(pay("m1"))
    assert caller.said == said and caller.answer["infcode"] == -1
    assert "应答原文已不在网关" in caller.answer["err_msg"] and "未送达" not in caller.answer["err_msg"]
    assert rig.watch.alarms == []
    assert len(rig.far.sent) == 1


# --- business keys (§8) ---------------------------------------------------------------------------------------------


def test_a_settled_batch_is_refused_under_another_msgid_and_names_the_first(rig: Rig) -> None:
    rig.settle(pay("m1"), setl_id="S0001")
    caller = rig.ask(pay("m2"))
    assert caller.said == (200, "GW-DUPLICATE-SETTLEMENT", "ACKED", "no")
    assert (caller.answer["gw_msgid"], caller.answer["setl_id"]) == ("m1", "S0001")
    assert rig.row("m2") is None
    assert len(rig.far.sent) == 1


def test_a_batch_in_doubt_is_refused_under_another_msgid(rig: Rig) -> None:
    rig.ask(pay("m1"))
    rig.far.last.listener.lost("x")
    rig.run()
    rig.room.lanes.leave(rig.room.lanes.holder(f"p|{PERSON}"))  # type: ignore[arg-type]  # somebody holds it
    caller = rig.ask(pay("m2"))
    assert caller.said == (200, "GW-IN-DOUBT", "IN_DOUBT", "no")
    assert caller.answer["gw_msgid"] == "m1"


@pytest.mark.parametrize(
    ("state", "code"),
    [("MANUAL", "GW-MANUAL"), ("REVERSING", "GW-REVERSING"), ("CONFIRMED", "GW-DUPLICATE-SETTLEMENT")],
)
def test_a_batch_that_a_person_or_a_reversal_works_on_is_refused(rig: Rig, state: Any, code: str) -> None:
    rig.settle(pay("m1"))
    rig.row("m1").state = state
    caller = rig.ask(pay("m2"))
    assert caller.said[:3] == (200, code, state)
    assert len(rig.far.sent) == 1


def test_what_failed_or_was_refunded_may_be_settled_again(rig: Rig) -> None:
    rig.ask(pay("m1"))
    rig.far.last.reply(-1, "余额不足")
    rig.run()
    rig.settle(pay("m2"), setl_id="S2")
    rig.settle(refund("m3", "S2"), medfee_sumamt=-100, psn_part_amt=-100, psn_cash_pay=-100)
    rig.settle(pay("m4"), setl_id="S4")
    assert [rig.state(msgid) for msgid in ("m1", "m2", "m3", "m4")] == ["REJECTED", "ACKED", "ACKED", "ACKED"]
    assert rig.ask(refund("m5", "S2")).said[1] == "GW-DUPLICATE-SETTLEMENT"
    assert rig.ask(pay("m6")).said[1] == "GW-DUPLICATE-SETTLEMENT"


def test_a_sale_without_invoice_is_a_possible_duplicate_for_ten_minutes(rig: Rig) -> None:
    rig.settle(sale("m1"))
    again = rig.ask(sale("m2"))
    assert again.said == (200, "GW-DUPLICATE-SETTLEMENT", "ACKED", "no")
    assert "发票号" in again.answer["err_msg"]
    rig.settle(sale("m3", count=2))
    rig.settle(sale("m4", invono="F1"))
    rig.run(601)
    rig.settle(sale("m5"))
    assert rig.ask(sale("m1")).answer["infcode"] == 0
    assert len(rig.far.sent) == 4
