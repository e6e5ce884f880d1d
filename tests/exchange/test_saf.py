"""Which reversal may leave when: one a lane, few a link, none while its breaker is open; and what a restart does.

Rules: reversal specification §5.1, §9 (crash points), I7, I8, I15; contract-annex X32.
"""

import pytest
from exchange_messages import HOME, PERSON, pay
from exchange_rig import T0_S, Rig, Sent
from exchange_undo import (
    at_once,
    by_turns,
    cut,
    fall_into_doubt,
    live,
    reversing,
    row_on_queue,
    says,
    sending_of,
    sent_of,
    undo,
)

from gateway.exchange.recovery import recover
from gateway.exchange.saf import HALF_OPEN_MAX, IN_FLIGHT_MAX

HOUR_S = 3600.0
LANE = f"p|{PERSON}"


@pytest.fixture
def rig() -> Rig:
    return at_once()


def doubts(rig: Rig, count: int) -> list[str]:
    """Let so many settlements of so many persons fall into doubt; return their msgids."""
    plays, rig.far.plays = rig.far.plays, None
    names = [f"m{number}" for number in range(count)]
    for name in names:
        rig.ask(pay(name, psn_no=f"p{name}"))
    for one in rig.far.sent[-count:]:
        one.listener.lost("connection lost")
    rig.link.breaker.worked()
    rig.far.plays = plays
    return names


def open_breaker(rig: Rig) -> None:
    for _ in range(rig.link.breaker.failures_max):
        rig.link.breaker.failed()
    assert rig.link.breaker.state == "open"


def originals(sent: list[Sent]) -> list[str]:
    return [one.message["input"]["data"]["omsgid"] for one in sent]


# --- the gates (X32) --------------------------------------------------------------------------------------------------


def test_of_two_reversals_of_one_person_only_one_is_on_its_way(rig: Rig) -> None:
    """Two doubts of one lane cannot arise while a node runs; a journal of an older version may hold them."""
    for msgid in ("m1", "m2"):
        rig.ask(pay(msgid, psn_no=msgid))
    rig.row("m2").lane = rig.row("m1").lane
    rig.restart()
    rig.run(30)
    assert originals(sent_of(rig, "2601")) == ["m1"]
    assert rig.room.office.depth == 2
    rig.far.last.reply(0)
    rig.run(2)
    assert originals(sent_of(rig, "2601")) == ["m1", "m2"]
    rig.far.last.reply(0)
    rig.run()
    assert (rig.state("m1"), rig.state("m2")) == ("REVERSED", "REVERSED")


def test_the_end_of_one_doubt_does_not_free_the_lane_another_one_holds(rig: Rig) -> None:
    for msgid in ("m1", "m2"):
        rig.ask(pay(msgid, psn_no=msgid))
    rig.row("m2").lane = rig.row("m1").lane
    rig.restart()
    rig.run(1)
    rig.far.last.listener.lost("connection lost")  # the next one of m1 is due in five seconds
    rig.run(2)
    assert originals(sent_of(rig, "2601")) == ["m1", "m2"]
    rig.far.last.reply(0)
    rig.run()
    assert (rig.state("m1"), rig.state("m2")) == ("REVERSING", "REVERSED")
    holder = rig.room.lanes.holder(rig.row("m1").lane)
    assert holder is not None and holder.msgid == "m1"


def test_no_more_than_so_many_reversals_are_on_their_way_and_each_that_lands_lets_one_go(rig: Rig) -> None:
    names = doubts(rig, IN_FLIGHT_MAX + 3)
    rig.run(4)
    sent = sent_of(rig, "2601")
    assert originals(sent) == names[:IN_FLIGHT_MAX]
    for landed in range(3):
        sent[landed].reply(0)
        rig.run()
        assert originals(sent_of(rig, "2601")) == names[: IN_FLIGHT_MAX + landed + 1]
    for one in sent_of(rig, "2601")[3:]:
        one.reply(0)
    rig.run()
    assert {rig.state(name) for name in names} == {"REVERSED"}


def test_while_the_breaker_is_open_nothing_leaves_and_the_rows_stay_on_the_queue(rig: Rig) -> None:
    rig.link.breaker.open_s = HOUR_S
    names = doubts(rig, 3)
    open_breaker(rig)
    rig.run(HOUR_S - 1)
    assert sent_of(rig, "2601") == []
    for name in names:
        row = row_on_queue(rig, name)
        assert (row.state, row.attempt) == ("QUEUED", 0)


def test_a_platform_that_is_just_recovering_gets_one_reversal_a_second_and_four_in_all(rig: Rig) -> None:
    names = doubts(rig, 10)
    open_breaker(rig)
    rig.run(rig.link.breaker.open_s + 2.5)
    assert 1 <= len(sent_of(rig, "2601")) <= 3
    rig.run(60)
    assert rig.link.breaker.state == "half_open"
    assert originals(sent_of(rig, "2601")) == names[:HALF_OPEN_MAX]
    rig.far.plays = says(0)
    sent_of(rig, "2601")[0].reply(0)  # it works: the breaker closes, and the others may go
    rig.run(2)
    assert len(sent_of(rig, "2601")) == 10


def test_a_probe_that_fails_holds_the_others_back_again(rig: Rig) -> None:
    doubts(rig, 5)
    open_breaker(rig)
    rig.run(rig.link.breaker.open_s + 1)
    sent = sent_of(rig, "2601")
    assert len(sent) == 1
    sent[0].listener.lost("connection lost")
    assert rig.link.breaker.state == "open"
    rig.run(rig.link.breaker.open_s - 0.1)
    assert len(sent_of(rig, "2601")) == 1


def test_who_waited_for_room_and_is_out_of_time_does_not_leave_any_more(rig: Rig) -> None:
    rig.link.breaker.open_s = 40 * HOUR_S
    fall_into_doubt(rig)
    open_breaker(rig)
    rig.run(17 * HOUR_S)
    assert rig.state("m1") == "MANUAL"
    rig.link.breaker.worked()
    rig.run(HOUR_S)
    assert sent_of(rig, "2601") == []


# --- a hurry ----------------------------------------------------------------------------------------------------------


def test_who_asks_for_a_reversal_hurries_the_one_that_waits(rig: Rig) -> None:
    rig.far.plays = by_turns(cut, cut, cut, says(0))
    fall_into_doubt(rig)
    rig.run(30)
    assert len(sent_of(rig, "2601")) == 3  # the next in 45 s
    caller = rig.ask(undo("r1"))
    assert len(sent_of(rig, "2601")) == 4
    assert caller.answer["infcode"] == 0
    assert rig.state("m1") == "REVERSED"


def test_a_hurry_makes_no_second_sending_of_one_that_is_on_its_way_or_waits_for_room(rig: Rig) -> None:
    reversing(rig)
    for number in range(3):
        rig.ask(undo(f"r{number}"))
    assert len(sent_of(rig, "2601")) == 1
    open_breaker(rig)
    rig.far.last.listener.lost("connection lost")
    rig.run(6)  # due, but nothing may leave
    live(rig).hurry()
    live(rig).hurry()
    rig.link.breaker.worked()
    rig.run(3)
    assert len(sent_of(rig, "2601")) == 2


# --- how long it takes (I8) -------------------------------------------------------------------------------------------


def test_a_healthy_platform_drains_the_queue_within_a_minute() -> None:
    rig = Rig(settings={"resolve": "Q4"}, institution={"connections_max": 500})
    rig.far.plays = says(0)
    names = doubts(rig, 200)
    rig.run(60)
    assert {rig.state(name) for name in names} == {"REVERSED"}
    assert len(sent_of(rig, "2601")) == 200
    assert rig.room.office.depth == 0


def test_after_an_outage_the_queue_drains_within_a_quarter_of_an_hour(rig: Rig) -> None:
    rig.far.plays = cut
    names = doubts(rig, 40)
    rig.run(2 * HOUR_S)
    assert {rig.state(name) for name in names} == {"REVERSING"}
    rig.far.plays = says(0)
    rig.run(HOUR_S / 4)
    assert {rig.state(name) for name in names} == {"REVERSED"}


def test_what_came_to_its_end_leaves_no_timer_behind(rig: Rig) -> None:
    rig.far.plays = by_turns(cut, says(0))
    fall_into_doubt(rig)
    rig.run(10)
    assert rig.state("m1") == "REVERSED"
    rig.run(2)
    assert rig.clock.getDelayedCalls() == []


# --- a restart --------------------------------------------------------------------------------------------------------


def test_a_reversal_that_waited_goes_on_where_it_was(rig: Rig) -> None:
    rig.far.plays = cut
    fall_into_doubt(rig)
    rig.run(30)
    before = row_on_queue(rig)
    assert (before.state, before.attempt) == ("QUEUED", 3)  # the next at 65 s
    rig.restart()
    assert rig.room.office.depth == 1
    rig.run(34)
    assert len(sent_of(rig, "2601")) == 3
    rig.run(3)
    assert len(sent_of(rig, "2601")) == 4
    assert row_on_queue(rig).attempt == 4
    assert row_on_queue(rig).opened_ms == before.opened_ms  # its day began when the doubt did
    rig.far.plays = says(0)
    rig.run(HOUR_S)
    assert rig.state("m1") == "REVERSED"
    assert rig.room.lanes.holder(LANE) is None


def test_a_reversal_that_was_on_its_way_is_sent_again_at_once_under_a_new_msgid(rig: Rig) -> None:
    first = reversing(rig)
    assert row_on_queue(rig).state == "INFLIGHT"
    rig.restart()
    assert sending_of(rig, first).state == "DONE"  # that sending stays without an answer
    rig.run(1)
    second = rig.far.last
    assert first.message["msgid"] != second.message["msgid"]
    assert first.message["input"] == second.message["input"]
    assert row_on_queue(rig).attempt == 2
    second.reply(-1, "该交易已冲正")
    rig.run()
    assert rig.state("m1") == "REVERSED"


def test_a_reversal_after_a_restart_carries_the_head_the_institution_sent_last(rig: Rig) -> None:
    rig.settle(pay("m0", "B0") | {"sign_no": "OLD", "infver": "V1.1"})
    rig.run(61)  # a number that changes with every operator is not written down each time
    fall_into_doubt(rig, pay("m1") | {"sign_no": "SN7", "infver": "V1.1"})
    rig.run(1)
    rig.restart()
    rig.run(1)
    message = rig.far.last.message
    assert (message["infno"], message["sign_no"], message["infver"]) == ("2601", "SN7", "V1.1")
    assert len(rig.store.heads()) == 1


def test_an_envelope_head_that_did_not_change_is_written_once_and_names_no_person(rig: Rig) -> None:
    for number in range(3):
        rig.settle(pay(f"m{number}", f"B{number}"))
    rig.run(1)
    batches = sum(rig.disk.batches)
    rig.settle(pay("m9", "B9"))
    rig.run(1)
    assert sum(rig.disk.batches) - batches == 2  # the row and its outcome
    head = rig.store.heads()[HOME]
    assert "OP0001" not in head and "测试" not in head


def test_a_link_that_was_taken_out_of_the_file_leaves_its_lanes_blocked_and_somebody_is_told(rig: Rig) -> None:
    """Nobody may pay twice because a line is missing in a file; with the line back the reversal goes on."""
    reversing(rig)
    rig.ask(pay("m2", psn_no="2"))  # on its way: a doubt without a row
    rig.kill()
    rig.start()
    rig.room.office.links = {}
    recover(rig.store, rig.room.lanes, rig.room.office, rig.clock.seconds())
    rig.run(HOUR_S)
    assert {("reversal_without_link", "m1"), ("reversal_without_link", "m2")} <= set(rig.watch.alarms)
    assert len(sent_of(rig, "2601")) == 1
    assert rig.ask(pay("m3", "B3")).said[:2] == (200, "GW-REVERSING")
    assert rig.ask(pay("m4", "B4", psn_no="2")).said[:2] == (200, "GW-LANE-BUSY")
    assert rig.ask(undo("r1")).said[:3] == (200, "GW-REVERSING", "REVERSING")
    rig.far.plays = says(0)
    rig.restart()
    rig.run(2)
    assert (rig.state("m1"), rig.state("m2")) == ("REVERSED", "REVERSED")


def test_not_found_after_a_restart_is_believed_only_a_whole_wait_later(rig: Rig) -> None:
    """Nobody knows what the clock did meanwhile, so the wait begins anew (§5.3)."""
    rig.far.plays = says(-1, "原交易不存在")
    fall_into_doubt(rig)
    rig.run(100)
    rig.restart()
    began = rig.clock.seconds()
    rig.run(119)
    assert rig.state("m1") == "REVERSING"
    rig.run(150)
    assert rig.state("m1") == "REVERSED"
    assert sent_of(rig, "2601")[-1].at >= began + 120


def test_a_node_that_was_down_over_its_hour_tries_once_and_gives_up(rig: Rig) -> None:
    """RV11: at 00:30 a person takes over; but a platform that works may still answer."""
    rig.far.plays = cut
    fall_into_doubt(rig)
    rig.run(HOUR_S)
    rig.kill()
    rig.run(17 * HOUR_S)  # 02:00
    sent = len(sent_of(rig, "2601"))
    rig.restart()
    rig.run(130)
    assert len(sent_of(rig, "2601")) > sent
    assert rig.state("m1") == "MANUAL"
    assert rig.clock.seconds() - T0_S > 18 * HOUR_S


@pytest.mark.parametrize("crash_s", [0.0005, 0.0015, 0.0025, 0.0035, 0.02, 0.0535, 0.0545, 0.0555, 1.0])
def test_a_crash_anywhere_ends_in_one_reversed_settlement(rig: Rig, crash_s: float) -> None:
    """I15, §9: between any two writes; the platform does what it was told to even when nobody is there to hear it."""
    booked = {"m1": True}

    def play(one: Sent) -> None:
        if one.message["infno"] == "2601":
            one.reply(0) if booked["m1"] else one.reply(-1, "该交易已冲正")
            booked["m1"] = False

    fall_into_doubt(rig)
    rig.far.plays = play
    rig.run(crash_s)
    rig.restart()
    rig.run(crash_s)
    rig.restart()
    rig.run(10)
    assert rig.state("m1") == "REVERSED"
    assert not booked["m1"]
    assert rig.store.unfinished() == []
    open_rows = [row.state for row in rig.store.journal.rows.values() if row.state in ("SENT", "IN_DOUBT", "REVERSING")]
    assert open_rows == []
    assert rig.room.lanes.holder(LANE) is None


def test_a_node_that_was_down_over_the_hour_sends_once_more_before_a_person_must_look() -> None:
    rig = Rig(settings={"resolve": "Q4", "reversal_schedule_s": [0, 2400]})
    rig.far.plays = cut
    fall_into_doubt(rig)
    rig.run(16 * HOUR_S + 1200)  # 00:20; the extra sending of 23:30 was followed by one at 00:10, the next is at 00:50
    assert row_on_queue(rig).next_ms / 1000 - rig.clock.seconds() > 1200
    sent = len(sent_of(rig, "2601"))
    rig.kill()
    rig.clock.advance(660)  # past half an hour after midnight
    rig.restart()
    rig.run(130)
    assert len(sent_of(rig, "2601")) == sent + 1
    assert rig.state("m1") == "MANUAL"
