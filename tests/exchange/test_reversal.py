"""A reversal the institution asks for (2601), by the rules of the reversal specification §6; annex X7, X32.

RV7 and RV8: test_reversal_waiting.py. The gateway's own reversals: test_undo.py, test_saf.py. What recovery makes of
one that was on its way: test_recovery.py.
"""

from typing import Any

import attrs
import pytest
from exchange_messages import OTHER, PERSON, pay, refund, sale
from exchange_rig import TICK_S, Rig
from exchange_undo import at_once, by_turns, cut, fall_into_doubt, refused, reversing, says, sent_of, undo, undone

DAY_S = 86400.0
LANE = f"p|{PERSON}"


@pytest.fixture
def allowed() -> Rig:
    """An institution whose known successes may be reversed the same day."""
    return Rig(institution={"his_may_reverse_acked": True})


# --- RV1, RV2, RV9: what it says must be what the journal holds -------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "alarm"),
    [
        (undo("r1", omsgid="none"), "reversal_unknown"),  # RV9
        (undo("r1", code=OTHER), "reversal_unknown"),  # another institution's (RV2)
        (undo("r1", oinfno="2102"), "reversal_mismatch"),
        (undo("r1", psn_no="51080000000000000002"), "reversal_mismatch"),  # another person's (RV2)
    ],
)
def test_rv1_rv2_rv9_what_the_journal_does_not_hold_exactly_is_refused_with_an_alarm(
    rig: Rig, message: Any, alarm: str
) -> None:
    fall_into_doubt(rig)
    assert refused(rig.ask(message))
    assert (alarm, "r1") in rig.watch.alarms
    assert len(rig.far.sent) == 1
    assert rig.row("r1", message["fixmedins_code"]) is None  # it reserves nothing (X9)
    assert rig.state("m1") == "IN_DOUBT"


def test_rv1_the_insured_locality_of_a_reversal_is_the_journals(allowed: Rig) -> None:
    allowed.settle(pay("m1") | {"insuplc_admdvs": "510800"})
    allowed.ask(undo("r1") | {"insuplc_admdvs": "999999"})
    assert [one.message["insuplc_admdvs"] for one in allowed.far.sent] == ["510800", "510800"]


# --- RV3, RV4: when the gateway itself reverses -----------------------------------------------------------------------


def test_rv3_only_a_doubt_is_reversed_by_the_gateway_itself() -> None:
    rig = at_once()
    rig.settle(pay("acked", psn_no="1"))
    rig.ask(pay("rejected", psn_no="2"))
    rig.far.last.reply(-1, "余额不足")
    rig.ask(pay("not sent", psn_no="3"))
    rig.far.last.listener.not_sent("connection refused")
    rig.ask(pay("undelivered", psn_no="4")).up = False
    rig.far.last.settled()
    rig.ask(pay("access", psn_no="5"))
    rig.far.last.raw(b'{"code":401,"message":"x"}', 401)
    rig.run(DAY_S)
    assert sent_of(rig, "2601") == []
    rig.restart()
    rig.run(DAY_S)
    assert sent_of(rig, "2601") == []


@pytest.mark.parametrize("crash_s", [0.0, 0.0005, 0.0015, 0.1])
def test_rv4_after_a_success_was_delivered_nothing_is_reversed_whatever_crashes(crash_s: float) -> None:
    rig = at_once()
    caller = rig.ask(pay("m1"))
    rig.far.last.settled()
    rig.run(crash_s)
    rig.restart()
    rig.far.plays = says(0)
    rig.run(DAY_S)
    delivered = bool(caller.status)
    assert (rig.state("m1"), len(sent_of(rig, "2601"))) == (("ACKED", 0) if delivered else (rig.state("m1"), 1))
    assert delivered == (crash_s > 0.001)


# --- RV5: one at a time -----------------------------------------------------------------------------------------------


def test_rv5_who_asks_while_the_gateway_reverses_starts_no_second_reversal() -> None:
    rig = at_once()
    first = reversing(rig)
    callers = [rig.ask(undo("r1")), rig.ask(undo("r2")), rig.ask(undo("r1"))]
    assert [caller.status for caller in callers] == [0, 0, 0]
    first.reply(0)
    rig.run()
    assert all(map(undone, callers))
    assert callers[0].raw == callers[2].raw
    assert len(sent_of(rig, "2601")) == 1
    assert (rig.state("r1"), rig.state("r2")) == ("DONE", "DONE")  # kept, so that a repeat hears the same (X7)
    assert [rig.ask(undo(name)).raw for name in ("r1", "r2")] == [callers[0].raw, callers[1].raw]


def test_rv5_of_two_reversals_of_a_known_success_the_second_is_refused(allowed: Rig) -> None:
    allowed.settle(pay("m1"))
    first = allowed.ask(undo("r1"))
    second = allowed.ask(undo("r2"))
    assert second.said == (200, "GW-IN-DOUBT", "SENT", "no")
    body = allowed.far.last.reply(0)
    allowed.run()
    assert first.raw == body
    assert len(sent_of(allowed, "2601")) == 1
    assert refused(allowed.ask(undo("r3")))


def test_rv5_a_reversal_is_not_reversed(allowed: Rig) -> None:
    allowed.settle(pay("m1"))
    allowed.ask(undo("r1"))
    allowed.far.last.listener.lost("connection lost")
    allowed.run()
    own = sent_of(allowed, "2601")[-1].message["msgid"]
    assert own != "r1"
    for msgid in ("r1", own):
        assert refused(allowed.ask(undo("r9", omsgid=msgid, oinfno="2601")))


# --- RV6: a known success ---------------------------------------------------------------------------------------------


def test_rv6_a_known_settlement_is_cancelled_not_reversed(rig: Rig) -> None:
    rig.settle(pay("m1"))
    caller = rig.ask(undo("r1"))
    assert refused(caller)
    assert "2208" in caller.answer["err_msg"]
    assert len(rig.far.sent) == 1


def test_rv6_where_it_is_allowed_the_institutions_own_message_goes_and_its_answer_comes_back(allowed: Rig) -> None:
    allowed.settle(pay("m1"))
    caller = allowed.ask(undo("r1"))
    assert allowed.log[-2:] == ["durable r1 SENT Accepted", "send r1"]
    waiting = allowed.ask(pay("m2", "B2"))  # one person, one request at a time
    assert len(allowed.far.sent) == 2
    body = allowed.far.last.reply(0)
    allowed.run()
    assert caller.raw == body == allowed.ask(undo("r1")).raw
    assert (allowed.state("r1"), allowed.state("m1"), allowed.row("m1").cancelled) == ("ACKED", "ACKED", True)
    allowed.far.last.settled()
    allowed.run()
    assert waiting.answer["infcode"] == 0
    allowed.settle(pay("m3"))  # the batch is free again


def test_rv6_everybody_who_sent_it_gets_the_answer(allowed: Rig) -> None:
    allowed.settle(pay("m1"))
    callers = [allowed.post(undo("r1")), allowed.post(undo("r1"))]  # the second while the journal is asked
    allowed.run()
    callers.append(allowed.ask(undo("r1")))  # on its way
    assert len(sent_of(allowed, "2601")) == 1
    body = allowed.far.last.reply(0)
    allowed.run()
    assert [caller.raw for caller in callers] == [body] * 3


def test_rv6_a_reversal_the_platform_refuses_leaves_the_settlement_as_it_is(allowed: Rig) -> None:
    allowed.settle(pay("m1"))
    caller = allowed.ask(undo("r1"))
    body = allowed.far.last.reply(-1, "存在后续业务，不能冲正")
    allowed.run()
    assert caller.raw == body
    assert (allowed.state("r1"), allowed.row("m1").cancelled) == ("REJECTED", False)
    assert allowed.ask(pay("m3")).said[1] == "GW-DUPLICATE-SETTLEMENT"
    allowed.ask(undo("r2"))  # and it may be asked again
    assert allowed.far.last.message["msgid"] == "r2"


def test_rv6_a_reversal_without_an_answer_is_brought_to_its_end_by_the_gateway(allowed: Rig) -> None:
    allowed.settle(pay("m1"))
    caller = allowed.ask(undo("r1"))
    allowed.far.last.listener.lost("connection lost")
    allowed.far.plays = by_turns(cut, says(0))
    allowed.run(1)
    assert caller.said == (200, "GW-IN-DOUBT", "IN_DOUBT", "ask")
    assert allowed.ask(pay("m2", "B2")).said[:2] == (200, "GW-LANE-BUSY")
    allowed.run(10)
    assert (allowed.state("r1"), allowed.state("m1"), allowed.row("m1").cancelled) == ("CONFIRMED", "ACKED", True)
    answer = allowed.ask(undo("r1"))
    assert (answer.answer["infcode"], answer.said[1:3]) == (0, ("GW-CONFIRMED", "CONFIRMED"))
    assert len(sent_of(allowed, "2601")) == 3


def test_rv6_a_success_nobody_heard_may_be_reversed_without_leave(rig: Rig) -> None:
    """The institution's own doubt is what 2601 is for."""
    rig.ask(pay("m1")).up = False
    rig.far.last.settled()
    rig.run()
    rig.ask(undo("r1"))
    assert rig.far.last.message["msgid"] == "r1"


def test_rv6_nothing_may_have_been_built_on_it(allowed: Rig) -> None:
    allowed.settle(pay("m1"))
    allowed.settle(pay("m2", "B2"))
    assert refused(allowed.ask(undo("r1")))
    assert sent_of(allowed, "2601") == []
    allowed.ask(undo("r2", omsgid="m2"))  # the last one has nothing behind it
    assert len(sent_of(allowed, "2601")) == 1


def test_rv6_a_settlement_that_comes_while_it_is_decided_waits_behind_it(allowed: Rig) -> None:
    """The last look is taken with the lane: nothing is built on what is about to be taken back."""
    allowed.settle(pay("m1"))
    caller = allowed.post(undo("r1"))
    while allowed.room.lanes.holder(f"p|{PERSON}") is None:  # it takes the lane for the last look
        allowed.run(TICK_S / 4)
    waiting = allowed.post(pay("m2", "B2"))
    allowed.run()
    assert [one.message["msgid"] for one in allowed.far.sent] == ["m1", "r1"]
    allowed.far.last.reply(0)
    allowed.run()
    assert (caller.answer["infcode"], allowed.row("m1").cancelled) == (0, True)
    allowed.far.last.settled()
    allowed.run()
    assert waiting.answer["infcode"] == 0


def test_rv6_one_that_waits_behind_a_settlement_looks_again_when_it_is_its_turn(allowed: Rig) -> None:
    allowed.settle(pay("m1"))
    built = allowed.ask(pay("m2", "B2"))  # on its way
    caller = allowed.ask(undo("r1"))
    allowed.far.last.settled()
    allowed.run()
    assert built.answer["infcode"] == 0
    assert caller.said[1:] == ("GW-NOT-SENT", "NOT_SENT", "new")
    assert refused(allowed.ask(undo("r2")))
    assert sent_of(allowed, "2601") == [] and not allowed.row("m1").cancelled
    allowed.settle(pay("m3", "B3"))  # the lane is free


def test_rv6_what_was_built_at_another_institution_counts_too(allowed: Rig) -> None:
    """A settlement is computed from what the person was paid before, wherever that was (§7)."""
    allowed.settle(pay("m1"))
    allowed.settle(sale("s1"))
    assert refused(allowed.ask(undo("r1")))
    assert sent_of(allowed, "2601") == []


@pytest.mark.parametrize("ticks", range(9))
def test_rv4_a_success_that_is_being_told_is_not_taken_back_at_any_moment(rig: Rig, ticks: int) -> None:
    """The institution never heard of it; its 2601 and its repeat cross. It hears of a success or of a reversal."""
    rig.ask(pay("m1")).up = False
    rig.far.last.settled()
    rig.run()
    asked = rig.post(undo("r1"))
    rig.run(ticks * TICK_S / 2)
    again = rig.post(pay("m1"))
    rig.run()
    for one in sent_of(rig, "2601"):
        one.reply(0)
    rig.run()
    told, taken_back = again.answer["infcode"] == 0, asked.answer["infcode"] == 0
    assert told is not taken_back
    assert rig.row("m1").cancelled is taken_back
    assert rig.room.lanes.held() == []


def test_a_cancellation_that_is_taken_back_leaves_its_settlement_as_it_was(allowed: Rig) -> None:
    """Reconciliation specification §5.6 R6, where a province lists 2208 as reversible."""
    region = allowed.link.region
    allowed.link.region = attrs.evolve(region, reversible=(*region.reversible, "2208"))
    allowed.settle(pay("m1"), setl_id="S1")
    allowed.ask(refund("u1", "S1"))
    allowed.far.last.reply(0, output={"setlinfo": {"setl_id": "S9", "psn_no": PERSON}})
    allowed.run()
    assert allowed.row("m1").cancelled
    allowed.ask(undo("r1", "u1", "2208"))
    allowed.far.last.reply(0)
    allowed.run()
    assert (allowed.row("u1").cancelled, allowed.row("m1").cancelled) == (True, False)
    assert allowed.ask(pay("m2")).said[1] == "GW-DUPLICATE-SETTLEMENT"  # the same bill
    allowed.ask(refund("u2", "S1"))
    assert allowed.far.last.message["msgid"] == "u2"  # and it may be cancelled again


def test_rv6_what_was_cancelled_is_not_reversed(allowed: Rig) -> None:
    allowed.settle(pay("m1"), setl_id="S1")
    allowed.ask(refund("u1", "S1"))
    allowed.far.last.reply(0, output={"setlinfo": {"setl_id": "S9", "psn_no": PERSON}})
    allowed.run()
    assert refused(allowed.ask(undo("r1")))
    assert sent_of(allowed, "2601") == []


def test_rv6_what_the_province_does_not_list_is_not_reversed(allowed: Rig) -> None:
    allowed.settle(pay("m1"), setl_id="S1")
    allowed.ask(refund("u1", "S1"))
    allowed.far.last.reply(0, output={"setlinfo": {"setl_id": "S9", "psn_no": PERSON}})
    allowed.run()
    assert refused(allowed.ask(undo("r1", omsgid="u1", oinfno="2208")))
    assert sent_of(allowed, "2601") == []


# --- RV10 -------------------------------------------------------------------------------------------------------------


def test_rv10_a_settlement_of_yesterday_is_not_reversed(allowed: Rig) -> None:
    """Earlier days may be frozen; the day is the one in Shanghai."""
    allowed.run(15.9 * 3600)  # 23:54
    allowed.settle(pay("m1"))
    allowed.run(600)
    caller = allowed.ask(undo("r1"))
    assert refused(caller)
    assert "2208" in caller.answer["err_msg"]
    assert sent_of(allowed, "2601") == []


def test_rv10_late_in_the_evening_it_still_is_the_same_day(allowed: Rig) -> None:
    allowed.settle(pay("m1"))
    allowed.run(15.9 * 3600)
    allowed.ask(undo("r1"))
    assert len(sent_of(allowed, "2601")) == 1
