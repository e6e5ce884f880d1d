"""A reversal the institution asks for (2601): only for what the journal holds, and never against a known end.

Rules: reversal specification §6 RV1-RV8; annex X7, X32.
"""

from typing import Any

import pytest
from exchange_messages import HOME, OTHER, PERSON, envelope, pay
from exchange_rig import T0_S, Rig

from gateway.exchange.recovery import apply_recovery, plan_recovery


@pytest.fixture
def rig() -> Rig:
    return Rig()


def undo(
    msgid: str, omsgid: str = "m1", oinfno: str = "2207", psn_no: str = PERSON, code: str = HOME
) -> dict[str, Any]:
    return envelope("2601", msgid, {"data": {"psn_no": psn_no, "omsgid": omsgid, "oinfno": oinfno}}, code)


def in_doubt(rig: Rig) -> None:
    rig.ask(pay("m1"))
    rig.far.last.listener.lost("connection lost")
    rig.run()
    assert rig.state("m1") == "IN_DOUBT"


def test_a_doubt_is_reversed_and_its_lane_and_batch_are_free_again(rig: Rig) -> None:
    in_doubt(rig)
    caller = rig.ask(undo("r1"))
    assert rig.log[-2:] == ["durable r1 SENT Accepted", "send r1"]
    body = rig.far.last.reply(0)
    rig.run()
    assert caller.raw == body
    assert rig.states("m1") == ["JOURNALED", "SENT", "IN_DOUBT", "REVERSED"]
    assert rig.ask(pay("m1")).said == (200, "GW-REVERSED", "REVERSED", "new")
    rig.settle(pay("m2"))


def test_the_insured_locality_of_a_reversal_is_the_journals(rig: Rig) -> None:
    """RV1: whatever a reversal says of its original comes from the journal, never from free input."""
    rig.ask(pay("m1") | {"insuplc_admdvs": "510800"})
    rig.far.last.listener.lost("connection lost")
    rig.run()
    rig.ask(undo("r1") | {"insuplc_admdvs": "999999"})
    assert [one.message["insuplc_admdvs"] for one in rig.far.sent] == ["510800", "510800"]


def test_a_repeat_of_a_reversal_gets_the_same_bytes(rig: Rig) -> None:
    in_doubt(rig)
    callers = [rig.ask(undo("r1")), rig.ask(undo("r1"))]
    body = rig.far.last.reply(0, "已冲正")
    rig.run()
    callers.append(rig.ask(undo("r1")))
    assert [caller.raw for caller in callers] == [body] * 3
    assert [one.message["msgid"] for one in rig.far.sent] == ["m1", "r1"]


def test_a_crash_between_the_two_outcomes_is_made_good_by_the_repeat(rig: Rig) -> None:
    in_doubt(rig)
    first = rig.ask(undo("r1"))
    rig.far.last.reply(0)
    rig.run()
    rig.row("m1").state = "IN_DOUBT"
    rig.start()
    apply_recovery(plan_recovery(rig.store.journal.open_entries(), T0_S, lambda link: "number"), print, rig.room.lanes)
    assert rig.ask(pay("m2")).said[1] == "GW-LANE-BUSY"
    assert rig.ask(undo("r1")).raw == first.raw
    assert rig.state("m1") == "REVERSED"
    rig.settle(pay("m2"))


def test_at_most_one_reversal_of_an_original_is_alive(rig: Rig) -> None:
    in_doubt(rig)
    rig.ask(undo("r1"))
    assert rig.ask(undo("r2")).said[3] == "no"
    rig.far.last.listener.lost("x")
    rig.run()
    assert rig.ask(undo("r2")).said == (200, "GW-IN-DOUBT", "IN_DOUBT", "no")
    assert rig.state("m1") == "IN_DOUBT"
    assert len(rig.far.sent) == 2


def test_a_reversal_the_platform_refused_leaves_the_doubt(rig: Rig) -> None:
    in_doubt(rig)
    rig.ask(undo("r1"))
    rig.far.last.reply(-1, "原交易不存在")
    rig.run()
    assert (rig.state("r1"), rig.state("m1")) == ("REJECTED", "IN_DOUBT")


@pytest.mark.parametrize(
    "message",
    [undo("r1", omsgid="none"), undo("r1", oinfno="2102"), undo("r1", psn_no="2"), undo("r1", code=OTHER)],
)
def test_what_the_journal_does_not_hold_exactly_is_refused(rig: Rig, message: Any) -> None:
    in_doubt(rig)
    assert rig.ask(message).said[1] == "GW-REVERSAL-REFUSED"
    assert len(rig.far.sent) == 1


def test_a_known_settlement_is_cancelled_not_reversed(rig: Rig) -> None:
    rig.settle(pay("m1"))
    caller = rig.ask(undo("r1"))
    assert caller.said[1] == "GW-REVERSAL-REFUSED"
    assert "2208" in caller.answer["err_msg"]
    assert len(rig.far.sent) == 1


def test_what_failed_needs_no_reversal_and_saying_so_is_a_success(rig: Rig) -> None:
    rig.ask(pay("m1"))
    rig.far.last.reply(-1, "余额不足")
    rig.run()
    caller = rig.ask(undo("r1"))
    assert (caller.answer["infcode"], caller.said[1]) == (0, "GW-REVERSED")
    assert rig.state("r1") == "DONE"  # recorded (RV7)
    assert rig.ask(undo("r1")).raw == caller.raw
    assert rig.ask(undo("r1", omsgid="m2")).said[1] == "GW-MSGID-REUSED"
    assert len(rig.far.sent) == 1


def test_while_the_original_is_on_its_way_or_in_its_late_window_nothing_is_reversed(rig: Rig) -> None:
    """RV8, I3: the late answer may still say yes, and the institution would hear a success that was taken back."""
    first = rig.ask(pay("m1"))
    assert rig.ask(undo("r1")).said[3] == "ask"
    rig.far.last.listener.silent()
    rig.run()
    assert rig.state("m1") == "IN_DOUBT"
    assert rig.ask(undo("r2")).said[3] == "ask"
    assert len(rig.far.sent) == 1
    rig.far.last.settled()
    rig.run()
    assert first.answer["infcode"] == 0
    assert rig.ask(undo("r3")).said[1] == "GW-REVERSAL-REFUSED"
