"""A reversal the institution asks for (2601) when there is nothing to undo (RV7), or nothing is known yet (RV8).

The other rules: test_reversal.py.
"""

import pytest
from exchange_messages import HOME, pay, refund
from exchange_rig import T0_S, Rig
from exchange_undo import (
    at_once,
    by_turns,
    cut,
    fall_into_doubt,
    reasons,
    refused,
    reversing,
    says,
    sent_of,
    undo,
    undone,
)

# --- RV7: nothing to undo ---------------------------------------------------------------------------------------------


def fail(rig: Rig, how: str) -> None:
    """Bring m1 to one of its failed ends."""
    if how == "REVERSED":
        reversing(rig).reply(0)
    else:
        rig.ask(pay("m1"))
        if how == "REJECTED":
            rig.far.last.reply(-1, "余额不足")
        else:
            rig.far.last.listener.not_sent("connection refused")
    rig.run()
    if how == "ABSENT":
        rig.row("m1").state = "ABSENT"
    assert rig.state("m1") == how


FAILED = ("REJECTED", "NOT_SENT", "ABSENT", "REVERSED")


@pytest.mark.parametrize("how", FAILED)
def test_rv7_what_failed_needs_no_reversal_and_saying_so_is_a_success(how: str) -> None:
    rig = at_once()
    fail(rig, how)
    sent = len(rig.far.sent)
    caller = rig.ask(undo("r1"))
    assert undone(caller)
    assert (caller.answer["gw_state"], caller.answer["gw_repeat"]) == (how, "no")
    assert rig.state("r1") == "DONE"  # recorded
    rig.restart()
    assert rig.ask(undo("r1")).raw == caller.raw
    assert rig.ask(undo("r1", omsgid="m2")).said[1] == "GW-MSGID-REUSED"
    assert len(rig.far.sent) == sent


@pytest.mark.parametrize("how", FAILED)
def test_rv7_where_the_profile_says_so_it_is_forwarded_instead(how: str) -> None:
    rig = Rig(settings={"resolve": "Q4"}, institution={"forward_settled_reversal": True})
    fail(rig, how)
    caller = rig.ask(undo("r1"))
    assert rig.far.last.message["msgid"] == "r1"
    body = rig.far.last.reply(-1, "原交易不存在")
    rig.run()
    assert caller.raw == body
    assert rig.state("m1") == how


@pytest.mark.parametrize("how", FAILED)
def test_rv10_what_failed_on_an_earlier_day_is_answered_here_for_that_day_may_be_frozen(how: str) -> None:
    rig = Rig(settings={"resolve": "Q4"}, institution={"forward_settled_reversal": True})
    fail(rig, how)
    rig.run(17 * 3600)  # past midnight
    sent = len(rig.far.sent)
    assert undone(rig.ask(undo("r1")))
    assert len(rig.far.sent) == sent


@pytest.mark.parametrize("how", FAILED)
def test_rv7_after_a_forwarded_one_the_original_is_told_as_before(how: str) -> None:
    """X7: its msgid gets the same bytes, whatever the platform said to taking it back."""
    rig = Rig(settings={"resolve": "Q4"}, institution={"forward_settled_reversal": True})
    fail(rig, how)
    before = rig.ask(pay("m1")).raw
    rig.ask(undo("r1"))
    rig.far.last.reply(0)
    rig.run()
    assert rig.state("r1") == "ACKED"
    assert rig.ask(pay("m1")).raw == before


def test_rv7_a_forwarded_one_without_an_answer_ends_in_nothing_to_undo() -> None:
    rig = Rig(settings={"resolve": "Q4"}, institution={"forward_settled_reversal": True})
    fail(rig, "REJECTED")
    rig.ask(undo("r1"))
    rig.far.plays = says(-1, "原交易不存在")
    rig.far.last.listener.lost("connection lost")
    rig.run(300)
    assert (rig.state("r1"), rig.state("m1")) == ("CONFIRMED", "REJECTED")
    assert rig.ask(undo("r1")).answer["infcode"] == 0


def test_rv7_a_forwarded_one_is_ended_also_where_the_original_could_not_be_reversed() -> None:
    """What is in doubt is the institution's 2601, and that is repeated until it is answered (§2, class R)."""
    rig = Rig(settings={"resolve": "Q4"}, institution={"forward_settled_reversal": True})
    rig.ask(refund("u1", "S1"))
    rig.far.last.reply(-1, "该结算不存在")
    rig.run()
    rig.ask(undo("r1", omsgid="u1", oinfno="2208"))
    rig.far.plays = says(0)
    rig.far.last.listener.lost("connection lost")
    rig.run(1)
    assert rig.state("r1") == "CONFIRMED"


# --- RV8: the original is on its way, or in doubt ---------------------------------------------------------------------


def test_rv8_while_the_original_is_on_its_way_a_reversal_waits_for_what_becomes_of_it(rig: Rig) -> None:
    first = rig.ask(pay("m1"))
    caller = rig.ask(undo("r1"))
    repeat = rig.ask(undo("r1"))
    other = rig.ask(undo("r1", omsgid="m2"))
    assert (caller.status, repeat.status) == (0, 0)
    assert other.said[1] == "GW-MSGID-REUSED"
    rig.far.last.settled()
    rig.run()
    assert first.answer["infcode"] == 0
    assert refused(caller) and refused(repeat)
    assert len(rig.far.sent) == 1


def test_rv8_an_original_that_is_refused_meanwhile_needs_no_reversal(rig: Rig) -> None:
    rig.ask(pay("m1"))
    caller = rig.ask(undo("r1"))
    rig.far.last.reply(-1, "余额不足")
    rig.run()
    assert undone(caller)


def test_rv8_i3_within_the_late_window_nothing_is_reversed(rig: Rig) -> None:
    """The late answer may still say yes, and the institution would hear a success that was taken back."""
    first = rig.ask(pay("m1"))
    rig.far.last.listener.silent()
    rig.run()
    caller = rig.ask(undo("r1"))
    assert (rig.state("m1"), caller.status) == ("IN_DOUBT", 0)
    rig.far.last.settled()
    rig.run()
    assert first.answer["infcode"] == 0
    assert refused(caller)
    assert len(rig.far.sent) == 1


def test_rv8_an_original_that_falls_into_doubt_is_reversed_by_the_gateway_and_the_institution_hears_it() -> None:
    rig = at_once()
    first = rig.ask(pay("m1"))
    caller = rig.ask(undo("r1"))
    rig.far.last.listener.lost("connection lost")
    rig.run()
    assert first.said == (200, "GW-IN-DOUBT", "IN_DOUBT", "ask")
    (sent,) = sent_of(rig, "2601")
    assert sent.message["msgid"] != "r1"  # the gateway's own, not the institution's (RV5)
    sent.reply(0)
    rig.run()
    assert undone(caller)
    assert rig.states("m1")[2:] == ["IN_DOUBT", "REVERSING", "REVERSED"]


def test_rv8_who_waited_too_long_hears_that_it_goes_on_and_may_ask_again() -> None:
    rig = at_once()
    reversing(rig)
    caller = rig.ask(undo("r1"))
    rig.run(24)
    assert caller.said == (200, "GW-REVERSING", "REVERSING", "ask")
    assert caller.answered_at - T0_S < 25
    sent_of(rig, "2601")[-1].reply(0)
    rig.run()
    assert rig.row("r1") is None  # it was told that it goes on; nothing else is kept under its number
    assert undone(rig.ask(undo("r1")))


def test_rv8_what_only_a_person_can_end_is_said_so() -> None:
    rig = at_once()
    first = reversing(rig)
    caller = rig.ask(undo("r1"))
    first.reply(-1, "存在后续业务，不能冲正")
    rig.run()
    assert caller.said == (200, "GW-MANUAL", "MANUAL", "no")
    assert rig.ask(undo("r2")).said == (200, "GW-MANUAL", "MANUAL", "no")
    assert len(sent_of(rig, "2601")) == 1


def test_rv8_a_caller_who_hung_up_while_waiting_changes_nothing() -> None:
    rig = at_once()
    first = reversing(rig)
    rig.ask(undo("r1")).up = False
    first.reply(0)
    rig.run()
    assert rig.state("m1") == "REVERSED"
    assert undone(rig.ask(undo("r1")))


# --- the rest ---------------------------------------------------------------------------------------------------------


def test_a_doubt_is_reversed_and_its_lane_and_batch_are_free_again(rig: Rig) -> None:
    fall_into_doubt(rig)
    caller = rig.ask(undo("r1"))
    rig.far.plays = by_turns(cut, cut, cut, says(0))  # three queries that say nothing, and the reversal
    rig.run(22)
    assert undone(caller)
    assert reasons(rig)[-1] == "reversed"
    assert rig.ask(pay("m1")).said == (200, "GW-REVERSED", "REVERSED", "new")
    rig.far.plays = None
    rig.settle(pay("m2"))


def test_a_msgid_that_means_something_else_already_is_not_taken_for_a_reversal(rig: Rig) -> None:
    rig.settle(pay("m1"))
    assert rig.ask(undo("m1")).said[1] == "GW-MSGID-REUSED"
    rig.ask(pay("m2", "B2"))
    assert rig.ask(undo("m2")).said[1] == "GW-MSGID-REUSED"


def test_every_answer_about_a_reversal_gives_its_slot_back() -> None:
    rig = at_once()
    first = reversing(rig)
    for message in (undo("r1"), undo("r2"), undo("r3", omsgid="none"), undo("r1")):
        rig.ask(message)
    first.reply(0)
    rig.run(30)
    rig.ask(undo("r1"))
    assert rig.room.door.institutions[HOME].in_flight == 0
    assert not rig.room.desk.reversals.live


def test_a_success_nobody_heard_of_is_not_told_while_its_reversal_is_in_doubt() -> None:
    rig = at_once()
    rig.ask(pay("m1")).up = False  # the counter is gone before the success comes
    rig.far.last.settled()
    rig.run()
    assert (rig.state("m1"), rig.row("m1").delivered) == ("ACKED", False)
    rig.ask(undo("r1"))
    assert rig.ask(pay("m1")).said == (200, "GW-REVERSING", "REVERSING", "ask")
    rig.far.last.listener.lost("connection lost")
    rig.far.plays = by_turns(cut, says(0))
    assert rig.ask(pay("m1")).said == (200, "GW-REVERSING", "REVERSING", "ask")
    rig.run(300)
    assert rig.ask(pay("m1")).said == (200, "GW-REVERSED", "REVERSED", "new")
    assert not rig.row("m1").delivered


@pytest.mark.parametrize("restarted", [False, True])
def test_a_success_nobody_heard_of_is_not_told_after_its_reversal_was_given_to_a_person(restarted: bool) -> None:
    rig = at_once()
    rig.ask(pay("m1")).up = False
    rig.far.last.settled()
    rig.run()
    rig.ask(undo("r1"))
    rig.far.plays = by_turns(*[cut] * 999)
    rig.far.last.listener.lost("connection lost")
    rig.run(18 * 3600)
    assert rig.state("r1") == "MANUAL"
    if restarted:
        rig.restart()
    assert rig.ask(pay("m1")).said == (200, "GW-MANUAL", "MANUAL", "no")
    assert not rig.row("m1").delivered
