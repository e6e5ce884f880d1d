"""What a bug of ours stops half-way comes to its end without a restart, and never frees a lane under a doubt."""

from collections.abc import Callable
from typing import Any

import pytest
from exchange_messages import pay
from exchange_rig import Far, Rig
from exchange_undo import at_once, fall_into_doubt, reasons, says, sent_of

from gateway.exchange.call import Call
from gateway.exchange.saf import StoreForward


def once(monkeypatch: pytest.MonkeyPatch, where: Any, name: str, when: Callable[..., bool] = lambda *_: True) -> None:
    """Let the first call of a method that fits fail."""
    whole, failed = getattr(where, name), []

    def broken(*arguments: Any, **named: Any) -> Any:
        if not failed and when(*arguments):
            failed.append(1)
            raise ZeroDivisionError
        return whole(*arguments, **named)

    monkeypatch.setattr(where, name, broken)


def run(rig: Rig, seconds: float = 0.1) -> None:
    with pytest.raises(ZeroDivisionError):
        rig.run(seconds)
    rig.run(seconds)


def free(rig: Rig) -> bool:
    return not rig.room.lanes.held() and not rig.room.clerk.live and not rig.room.office.live


def test_a_message_nobody_knows_whether_it_left_is_undone_and_its_lane_blocked_until_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = at_once(reversal_schedule_s=[5.0])
    once(monkeypatch, Far, "send")
    caller = rig.post(pay("m1"))
    run(rig)
    assert caller.said == (200, "GW-IN-DOUBT", "IN_DOUBT", "ask")
    assert rig.states("m1") == ["JOURNALED", "SENT", "IN_DOUBT", "REVERSING"]
    assert rig.ask(pay("m2", batch="B2")).said[1] == "GW-REVERSING"
    assert sent_of(rig, "2601") == []
    rig.far.plays = says(0)
    rig.run(10)
    assert (rig.state("m1"), reasons(rig)[2]) == ("REVERSED", "internal")
    assert free(rig)


def test_its_answer_comes_too_late_to_be_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = at_once(reversal_schedule_s=[5.0])
    whole = Far.send

    def send(*arguments: Any) -> None:
        whole(*arguments)
        monkeypatch.undo()
        raise ZeroDivisionError

    monkeypatch.setattr(Far, "send", send)
    rig.post(pay("m1"))
    run(rig)
    rig.far.last.settled()
    rig.run()
    assert rig.state("m1") == "REVERSING"
    assert ("LATE_RESPONSE", "m1") in rig.watch.alarms


@pytest.mark.parametrize("name", ["_tell", "_end"])
def test_a_success_that_could_not_be_told_is_told_when_asked_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    caller = rig.ask(pay("m1"))
    once(monkeypatch, Call, name)
    body = rig.far.last.settled()
    run(rig)
    assert caller.said == (200, "GW-IN-DOUBT", "IN_DOUBT", "ask")
    assert rig.state("m1") == "ACKED"
    assert free(rig)
    assert rig.ask(pay("m1")).raw == body


def test_a_doubt_whose_undo_could_not_begin_begins_again(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = at_once()
    rig.far.plays = says(0)
    once(monkeypatch, StoreForward, "begin")
    with pytest.raises(ZeroDivisionError):
        fall_into_doubt(rig)
        rig.run()
    rig.run(1)
    assert rig.state("m1") == "REVERSED"
    assert free(rig)


def test_who_waited_in_the_lane_and_could_not_go_is_not_sent_and_stops_nobody(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.ask(pay("m1"))
    second, third = rig.ask(pay("m2", batch="B2")), rig.ask(pay("m3", batch="B3"))
    once(monkeypatch, Call, "next_in_line", lambda call: call.entry.msgid == "m2")
    rig.far.last.settled()
    run(rig)
    assert second.said == (200, "GW-IN-DOUBT", "IN_DOUBT", "ask")
    assert rig.states("m2") == ["JOURNALED", "NOT_SENT"]
    assert rig.far.last.message["msgid"] == "m3"
    rig.far.last.settled()
    rig.run()
    assert (third.status, rig.state("m3")) == (200, "ACKED")
    assert rig.ask(pay("m2", batch="B2")).said == (200, "GW-NOT-SENT", "NOT_SENT", "new")
    assert free(rig)


def test_who_waits_behind_a_doubt_is_answered_though_another_stumbles(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.ask(pay("m1"))
    waiting = [rig.ask(pay(f"m{n}", batch=f"B{n}")) for n in (2, 3, 4)]
    once(monkeypatch, Call, "next_in_line", lambda call: call.entry.msgid == "m3")
    rig.far.last.listener.lost("connection lost")
    run(rig)
    assert [one.said[1] for one in waiting] == ["GW-NOT-SENT", "GW-IN-DOUBT", "GW-NOT-SENT"]
    assert {rig.state(f"m{n}") for n in (2, 3, 4)} == {"NOT_SENT"}
    assert rig.state("m1") == "IN_DOUBT"
    assert len(rig.room.office.live) == 1


def test_an_outcome_that_could_not_be_written_is_a_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = at_once()
    caller = rig.ask(pay("m1"))
    once(monkeypatch, Call, "_cancels")
    with pytest.raises(ZeroDivisionError):
        rig.far.last.settled()
    rig.run(0.02)
    assert caller.said == (200, "GW-IN-DOUBT", "IN_DOUBT", "ask")
    assert rig.states("m1")[:3] == ["JOURNALED", "SENT", "IN_DOUBT"]
    assert len(rig.room.office.live) == 1


def test_a_row_that_never_was_gives_its_lane_back(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    once(monkeypatch, Call, "_open")
    caller = None
    with pytest.raises(ZeroDivisionError):
        caller = rig.post(pay("m1"))
    rig.run()
    assert caller is None
    assert (rig.row("m1"), free(rig)) == (None, True)
    rig.settle(pay("m1"))


def test_space_that_is_out_makes_it_wait_not_forget(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = at_once()
    rig.ask(pay("m1"))
    rig.disk.full = True
    once(monkeypatch, Call, "_cancels")
    with pytest.raises(ZeroDivisionError):
        rig.far.last.settled()
    rig.run(5)
    assert rig.state("m1") == "SENT"
    assert rig.ask(pay("m2", batch="B2")).said[1] == "GW-LANE-BUSY"
    rig.disk.full = False
    rig.far.plays = says(0)
    rig.run(5)
    assert rig.state("m1") == "REVERSED"
    assert free(rig)
