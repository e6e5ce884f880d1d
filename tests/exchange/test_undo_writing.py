"""What is durable before what while a doubt ends; a full disk, faults of ours, a sign-in, and answers that come late.

Rules: reversal specification §4.4 (late answers), §5.1 (sign-in), §9 (order of writing, disk full); I1, I2, I11, I12.
"""

from typing import Any

import attrs
import pytest
from exchange_messages import PERSON, pay
from exchange_rig import Rig
from exchange_undo import (
    Wall,
    at_once,
    by_turns,
    cut,
    fall_into_doubt,
    live,
    reasons,
    reversing,
    row_on_queue,
    says,
    sending_of,
    sent_of,
    undo,
)

HOUR_S = 3600.0
LANE = f"p|{PERSON}"


@pytest.fixture
def rig() -> Rig:
    return at_once()


# --- the order of writing (§9, I1) ------------------------------------------------------------------------------------


def test_every_step_is_durable_before_the_next_one_shows(rig: Rig) -> None:
    rig.far.plays = by_turns(cut, says(0))
    fall_into_doubt(rig)
    rig.run(6)
    first, second = (one.message["msgid"] for one in sent_of(rig, "2601"))
    assert rig.log == [
        "durable m1 SENT Accepted",
        "send m1",
        "durable m1 SENT>IN_DOUBT True",
        "answer c1",
        "durable m1 IN_DOUBT>REVERSING True",
        f"durable {first} SENT Accepted",
        f"send {first}",
        f"durable {first} SENT>DONE True",
        f"durable {second} SENT Accepted",
        f"send {second}",
        f"durable {second} SENT>ACKED True",
        "durable m1 REVERSING>REVERSED True",
    ]


def test_no_sending_leaves_before_it_is_durable(rig: Rig) -> None:
    fall_into_doubt(rig)
    rig.run(0.0015)  # the doubt is durable, its row on the queue on its way to disk
    rig.disk.held = True
    rig.run(60)
    assert rig.state("m1") == "REVERSING"
    assert sent_of(rig, "2601") == []
    rig.disk.release()
    rig.run()
    assert len(sent_of(rig, "2601")) == 1


def test_the_lane_is_free_and_whoever_waits_hears_it_only_when_the_end_is_durable(rig: Rig) -> None:
    first = reversing(rig)
    caller = rig.ask(undo("r1"))
    rig.disk.held = True
    first.reply(0)
    rig.run(10)
    assert caller.status == 0
    assert rig.ask(pay("m2", "B2")).said[1:] == ("GW-REVERSING", "REVERSING", "ask")
    holder = rig.room.lanes.holder(LANE)
    assert holder is not None and holder.msgid == "m1"
    rig.disk.release()
    rig.run()
    assert rig.state("m1") == "REVERSED"
    assert caller.answer["infcode"] == 0
    assert rig.room.lanes.holder(LANE) is None


def test_an_end_somebody_else_wrote_is_an_alarm_and_the_lane_stays_blocked(rig: Rig) -> None:
    first = reversing(rig)
    rig.row("m1").state = "CONFIRMED"  # two persons decided meanwhile
    first.reply(0)
    rig.run(25 * HOUR_S)
    assert rig.state("m1") == "CONFIRMED"
    assert ("state_conflict", "m1") in rig.watch.alarms
    assert rig.watch.ends == []
    assert len(sent_of(rig, "2601")) == 1
    assert rig.room.lanes.holder(LANE) is not None


def test_a_settlement_somebody_else_moved_before_it_fell_into_doubt_is_not_reversed(rig: Rig) -> None:
    rig.ask(pay("m1"))
    rig.row("m1").state = "MANUAL"
    rig.far.last.listener.lost("connection lost")
    rig.run(25 * HOUR_S)
    assert rig.state("m1") == "MANUAL"
    assert rig.watch.alarms == [("state_conflict", "m1")]
    assert len(rig.far.sent) == 1
    assert not rig.room.office.live


def test_a_doubt_somebody_else_moved_is_not_reversed(rig: Rig) -> None:
    fall_into_doubt(rig)
    rig.run(0.0015)
    assert rig.state("m1") == "IN_DOUBT"
    rig.row("m1").state = "CONFIRMED"
    rig.run(25 * HOUR_S)
    assert rig.state("m1") == "CONFIRMED"
    assert ("state_conflict", "m1") in rig.watch.alarms
    assert sent_of(rig, "2601") == []


# --- a full disk (§9, I12) --------------------------------------------------------------------------------------------


def fill(rig: Rig) -> None:
    """The disk is full, and the queue knows it."""
    rig.disk.full = True
    rig.ask(pay("filler", psn_no="filler"))
    assert rig.room.queue.full


def test_without_space_no_reversal_leaves_and_with_space_it_does(rig: Rig) -> None:
    first = reversing(rig)
    fill(rig)
    first.listener.lost("connection lost")
    rig.run(60)
    assert len(sent_of(rig, "2601")) == 1
    rig.disk.full = False
    rig.far.plays = says(0)
    rig.run(5)
    assert rig.state("m1") == "REVERSED"
    assert len(sent_of(rig, "2601")) == 2
    assert sending_of(rig, first).state == "DONE"


def test_a_sending_that_found_no_space_was_no_sending(rig: Rig) -> None:
    """Neither its number in the schedule nor a refusal is used up by what never left."""
    rig.far.plays = cut
    fall_into_doubt(rig)
    rig.run(1)
    fill(rig)
    rig.run(300)
    rig.disk.full = False
    rig.run(2)
    assert row_on_queue(rig).attempt == 2 == len(sent_of(rig, "2601"))
    assert live(rig).row == row_on_queue(rig)


def test_a_doubt_that_finds_no_space_for_its_row_waits_and_the_lane_with_it(rig: Rig) -> None:
    fall_into_doubt(rig)
    rig.run(0.0015)
    assert rig.state("m1") == "IN_DOUBT"
    fill(rig)
    rig.run(60)
    assert sent_of(rig, "2601") == []
    assert rig.ask(pay("m2", "B2")).said[:2] == (200, "GW-REVERSING")
    rig.disk.full = False
    rig.far.plays = says(0)
    rig.run(5)
    assert rig.state("m1") == "REVERSED"


@pytest.mark.parametrize("set_s", [-3600.0, 3600.0])
def test_a_wall_clock_that_is_set_while_its_row_goes_to_disk_delays_no_sending(rig: Rig, set_s: float) -> None:
    fall_into_doubt(rig)
    rig.run(0.0015)
    fill(rig)
    rig.far.plays = says(0)
    rig.run(5)
    rig.room.office.clock = Wall(rig.clock, set_s)
    rig.disk.full = False
    rig.run(5)
    assert rig.state("m1") == "REVERSED"


def test_an_end_that_finds_no_space_is_told_when_it_is_durable(rig: Rig) -> None:
    first = reversing(rig)
    fill(rig)
    first.reply(0)
    rig.run(60)
    assert rig.state("m1") == "REVERSING"
    assert rig.ask(pay("m1")).said == (200, "GW-REVERSING", "REVERSING", "ask")
    assert rig.ask(pay("m2", "B2")).said[:2] == (200, "GW-REVERSING")
    rig.disk.full = False
    rig.run(2)
    assert rig.ask(pay("m1")).said == (200, "GW-REVERSED", "REVERSED", "new")
    assert len(sent_of(rig, "2601")) == 1  # nothing was forgotten, so nothing is sent again


# --- faults of ours ---------------------------------------------------------------------------------------------------


@attrs.define
class Faulty:
    """A part of the link of which one method fails."""

    whole: Any
    broken: str

    def __getattr__(self, name: str) -> Any:
        if name == self.broken:
            raise ZeroDivisionError
        return getattr(self.whole, name)


def test_a_signature_that_cannot_be_made_is_a_sending_that_never_left(rig: Rig) -> None:
    whole = rig.link.codec
    fall_into_doubt(rig)
    rig.link.codec = Faulty(whole, "request")
    rig.run(1)
    assert sent_of(rig, "2601") == []
    (row,) = [one for one in rig.store.journal.rows.values() if one.infno == "2601"]
    assert row.state == "NOT_SENT"
    assert ("internal_error", row.msgid) in rig.watch.alarms
    rig.link.codec = whole
    rig.far.plays = says(0)
    rig.run(6)
    assert rig.state("m1") == "REVERSED"


@pytest.mark.parametrize(("part", "method"), [("codec", "read"), ("judge", "reversal")])
def test_a_fault_while_reading_an_answer_is_silence(rig: Rig, part: str, method: str) -> None:
    first = reversing(rig)
    whole = getattr(rig.link, part)
    setattr(rig.link, part, Faulty(whole, method))
    first.reply(0)
    rig.run(1)
    assert sending_of(rig, first).state == "DONE"
    assert ("internal_error", first.message["msgid"]) in rig.watch.alarms
    setattr(rig.link, part, whole)
    rig.far.plays = says(-1, "已冲正")
    rig.run(6)
    assert rig.state("m1") == "REVERSED"


# --- signing in (§5.1) ------------------------------------------------------------------------------------------------


def test_who_is_not_signed_in_signs_in_first_and_sends_at_once_with_the_new_number(rig: Rig) -> None:
    first = reversing(rig, pay("m1") | {"sign_no": "OLD"})
    first.reply(-1, "未签到")
    rig.run()
    sign_in = rig.far.last
    assert sign_in.message["infno"] == "9001"
    assert sign_in.message["sign_no"] == ""
    assert sign_in.message["input"]["signIn"].keys() == {"opter_no", "mac", "ip"}
    assert sending_of(rig, first).state == "REJECTED"
    sign_in.reply(0, output={"signinoutb": {"sign_no": "NEW", "sign_time": "2026-03-02 08:00:00"}})
    rig.run(0.5)  # long before the schedule's five seconds
    assert [one.message["sign_no"] for one in sent_of(rig, "2601")] == ["OLD", "NEW"]
    assert row_on_queue(rig).refusals == 0
    rig.far.last.reply(0)
    rig.run(1)
    assert rig.state("m1") == "REVERSED"
    assert '"sign_no":"NEW"' in rig.store.heads()[rig.row("m1").fixmedins_code]  # a restart knows it too


@pytest.mark.parametrize(
    "play",
    [cut, lambda one: one.reply(-1, "签到失败"), lambda one: one.reply(0), lambda one: one.raw(b"<html>")],
)
def test_a_sign_in_that_fails_leaves_the_schedule_in_force(rig: Rig, play: Any) -> None:
    reversing(rig).reply(-1, "请重新签到")
    rig.run()
    play(rig.far.last)
    rig.run(4.7)
    assert len(sent_of(rig, "2601")) == 1
    rig.run(0.5)
    assert len(sent_of(rig, "2601")) == 2


def test_a_platform_that_never_has_enough_of_sign_ins_is_refusing(rig: Rig) -> None:
    signed = {"q9001": {"signinoutb": {"sign_no": "N"}}}
    rig.far.plays = says(-1, "签到已失效", **signed)
    fall_into_doubt(rig)
    rig.run(HOUR_S)
    assert len(sent_of(rig, "9001")) == 1  # one a minute: its answer is for all reversals of the institution
    assert len(sent_of(rig, "2601")) == 3 + 4
    assert rig.state("m1") == "MANUAL"


# --- late answers (§4.4, I11) -----------------------------------------------------------------------------------------


def test_an_answer_within_a_sendings_late_window_counts(rig: Rig) -> None:
    first = reversing(rig)
    assert (first.timeout_s, first.late_s) == (20.0, 3.0)
    first.listener.silent()
    rig.run(2)
    assert len(sent_of(rig, "2601")) == 1
    first.reply(0)
    rig.run()
    assert rig.state("m1") == "REVERSED"


def test_a_second_word_of_one_sending_changes_nothing(rig: Rig) -> None:
    first = reversing(rig)
    first.listener.lost("no answer in time")
    first.reply(0)
    first.listener.not_sent("x")
    rig.run(1)
    assert rig.state("m1") == "REVERSING"
    assert sending_of(rig, first).state == "DONE"
    rig.run(5)
    assert len(sent_of(rig, "2601")) == 2


@pytest.mark.parametrize("ended", [False, True])
def test_a_late_success_of_the_original_is_evidence_and_nothing_else(rig: Rig, ended: bool) -> None:
    original = fall_into_doubt(rig)
    rig.run()
    if ended:
        rig.far.last.reply(0)
        rig.run()
    states = rig.states("m1")
    original.settled()
    rig.run()
    assert ("LATE_RESPONSE", "m1") in rig.watch.alarms
    assert rig.states("m1") == [*states, states[-1]]
    assert reasons(rig)[-1] == "late_response acked Sm1"
    if not ended:
        rig.far.last.reply(0)
        rig.run()
    assert rig.state("m1") == "REVERSED"
    assert rig.ask(pay("m1")).said == (200, "GW-REVERSED", "REVERSED", "new")


def test_within_the_originals_late_window_nothing_is_asked_and_nothing_reversed(rig: Rig) -> None:
    """RV3, I11: until the window closes the answer may still say yes."""
    rig.ask(pay("m1"))
    original = rig.far.last
    original.listener.silent()
    rig.run(2.9)
    assert rig.state("m1") == "IN_DOUBT"
    assert len(rig.far.sent) == 1
    original.settled()
    rig.run(25 * HOUR_S)
    assert rig.state("m1") == "ACKED"
    assert len(rig.far.sent) == 1
