"""An answer after the end is evidence; a late success of what ended as never booked is reversed once more (§4.4)."""

import pytest
from exchange_messages import HOME, pay
from exchange_rig import Rig, Sent
from exchange_undo import Platform, at_once, fall_into_doubt, reasons, row_on_queue, says, sent_of

from gateway.core.model import followup_msgid

QUIET_S = 130.0  # longer than quiesce_s


@pytest.fixture
def rig() -> Rig:
    return at_once()


def absent(rig: Rig) -> Sent:
    """A settlement whose doubt ends because the platform knows nothing of it; return it."""
    rig.far.plays = says(-1, "原交易不存在")
    original = fall_into_doubt(rig)
    rig.run(QUIET_S)
    assert (rig.state("m1"), reasons(rig)[-1]) == ("REVERSED", "reversed_absent")
    return original


def followed(rig: Rig) -> str:
    """The msgid of the record that follows m1 up."""
    return followup_msgid(rig.row("m1"))


def test_a_late_success_of_what_was_never_booked_is_reversed_once_more_in_a_record_of_its_own(rig: Rig) -> None:
    original = absent(rig)
    before = len(sent_of(rig, "2601"))
    rig.far.plays = says(0)
    original.settled()
    rig.run(1)
    assert ("LATE_RESPONSE", "m1") in rig.watch.alarms
    assert reasons(rig)[-1] == "late_response acked Sm1"
    (again,) = sent_of(rig, "2601")[before:]
    assert again.message["input"]["data"]["omsgid"] == "m1"
    row = rig.row(followed(rig))
    assert (row.state, row.omsgid, row.klass) == ("CONFIRMED", "m1", "R")
    assert (rig.state("m1"), rig.row("m1").setl_id) == ("REVERSED", "")
    assert rig.ask(pay("m1")).said == (200, "GW-REVERSED", "REVERSED", "new")
    assert not rig.room.lanes.held() and not rig.room.office.live


def test_its_record_is_durable_before_its_reversal_leaves_and_holds_the_persons_lane(rig: Rig) -> None:
    original = absent(rig)
    rig.far.plays = None
    before = len(rig.far.sent)
    original.settled()
    rig.disk.held = True
    rig.run(1)
    assert len(rig.far.sent) == before
    rig.disk.release()
    rig.run(1)
    assert len(rig.far.sent) == before + 1
    assert rig.ask(pay("m2", batch="B2")).said[1] == "GW-LANE-BUSY"
    durable = rig.log.index(f"durable {followed(rig)} IN_DOUBT Accepted")
    assert durable < rig.log.index(f"send {rig.far.last.message['msgid']}")


@pytest.mark.parametrize("answer", ["rejected", "doubt"])
def test_what_is_no_success_is_evidence_only(rig: Rig, answer: str) -> None:
    original = absent(rig)
    before = len(rig.far.sent)
    original.reply(-1, "余额不足" if answer == "rejected" else "系统异常")
    rig.run(10)
    assert reasons(rig)[-1] == f"late_response {answer}"
    assert (rig.row(followed(rig)), len(rig.far.sent)) == (None, before)


def test_a_success_that_was_taken_back_is_not_taken_back_again(rig: Rig) -> None:
    rig.far.plays = says(0)
    original = fall_into_doubt(rig)
    rig.run(1)
    assert (rig.state("m1"), reasons(rig)[-1]) == ("REVERSED", "reversed")
    original.settled()
    rig.run(10)
    assert len(sent_of(rig, "2601")) == 1 and rig.row(followed(rig)) is None


def test_a_late_success_that_comes_before_such_an_end_waits_for_it(rig: Rig) -> None:
    rig.far.plays = says(-1, "原交易不存在")
    original = fall_into_doubt(rig)
    rig.run(30)
    original.settled()
    rig.run(1)
    assert rig.state("m1") == "REVERSING" and rig.row(followed(rig)) is None
    rig.run(QUIET_S)
    assert (rig.state("m1"), rig.state(followed(rig))) == ("REVERSED", "IN_DOUBT")
    rig.run(QUIET_S)
    assert rig.state(followed(rig)) == "CONFIRMED"  # it had booked nothing after all


@pytest.mark.parametrize("ends", [says(0), says(-1, "原交易不存在")])
def test_it_waits_while_the_persons_lane_is_taken(rig: Rig, ends: Platform) -> None:
    original = absent(rig)
    rig.far.plays = None
    rig.ask(pay("m2", batch="B2"))
    second, before = rig.far.last, len(rig.far.sent)
    original.settled()
    rig.run(10)
    assert len(rig.far.sent) == before and rig.row(followed(rig)) is None
    second.settled()
    rig.far.plays = ends
    rig.run(QUIET_S)
    assert rig.state(followed(rig)) == "CONFIRMED"
    assert rig.states("m2")[-1] == "ACKED"


def test_what_cannot_be_taken_back_any_more_is_a_persons(rig: Rig) -> None:
    original = absent(rig)
    rig.far.plays = says(-1, "已日结，不能冲正")
    original.settled()
    rig.run(10)
    assert (rig.state("m1"), rig.state(followed(rig))) == ("REVERSED", "MANUAL")
    assert ("manual", "m1") in rig.watch.alarms


@pytest.mark.parametrize("heard", ["before", "after"])
def test_a_restart_follows_up_what_was_heard_and_not_followed_up(rig: Rig, heard: str) -> None:
    """The evidence was durable; the process died before its reversal's record was."""
    if heard == "after":
        original = absent(rig)
        original.settled()
        rig.clock.advance(0.001)  # the evidence, and no more
        assert reasons(rig)[-1].startswith("late_response")
    else:
        rig.far.plays = says(-1, "原交易不存在")
        original = fall_into_doubt(rig)
        rig.run(30)
        original.settled()
        rig.run(0.1)
    assert rig.row(followed(rig)) is None
    rig.restart()
    rig.run(QUIET_S)
    rig.far.plays = says(0)
    rig.run(QUIET_S)
    assert (rig.state("m1"), rig.state(followed(rig))) == ("REVERSED", "CONFIRMED")


def test_over_crashes_and_repeated_answers_there_is_one_record(rig: Rig) -> None:
    original = absent(rig)
    rig.far.plays = None
    original.settled()
    rig.run(1)
    original.settled()
    rig.run(10)
    for _ in range(3):
        rig.restart()
        rig.run(20)
    assert sum(row.infno == "2601" and bool(row.business_key) for row in rig.store.journal.rows.values()) == 1
    rig.far.plays = says(0)
    rig.restart()
    rig.run(20)
    assert rig.state(followed(rig)) == "CONFIRMED"
    sendings = len(sent_of(rig, "2601"))
    rig.restart()
    rig.run(600)
    assert len(sent_of(rig, "2601")) == sendings


def test_a_late_answer_to_a_reversal_is_evidence_on_its_own_row(rig: Rig) -> None:
    fall_into_doubt(rig)
    rig.run()
    first = rig.far.last
    first.listener.lost("no answer in time")
    rig.run(0.1)
    first.reply(0)
    rig.run(0.1)
    assert rig.state("m1") == "REVERSING" and row_on_queue(rig).attempt == 1
    assert reasons(rig, first.message["msgid"])[-1] == "late_response done"
    assert rig.state(first.message["msgid"], HOME) == "DONE"


def test_a_clock_that_jumps_between_sending_and_doubt_makes_nothing_quiet_early(rig: Rig) -> None:
    """§5.3: what is still on its way could be booked behind a "not found" that is believed too soon."""
    rig.ask(pay("m1"))
    original = rig.far.last
    rig.far.plays = says(-1, "原交易不存在")
    rig.room.clerk.live[HOME, "m1"].began -= 3600.0  # as if the clock had been set forward meanwhile
    original.listener.lost("connection lost")
    rig.run(60)
    assert rig.state("m1") == "REVERSING"
    rig.run(QUIET_S)
    assert rig.state("m1") == "REVERSED"
