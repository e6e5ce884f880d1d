"""A bug of ours, or a store that fails, leaves nobody unanswered, holds no slot and stops no lane (style §5; I3)."""

from typing import Any

import attrs
import pytest
from exchange_messages import HOME, OTHER, charge, envelope, pay, refund, register, statement
from exchange_rig import Rig

from gateway.core.model import Keep
from gateway.exchange import queue
from gateway.exchange.bigbody import BIG_BYTES


def in_flight(rig: Rig) -> int:
    return rig.room.door.institutions[HOME].in_flight


@attrs.define
class Codec:
    """A part of the link, of which one method is broken."""

    whole: Any
    broken: str

    def __getattr__(self, name: str) -> Any:
        if name == self.broken:
            raise ZeroDivisionError
        return getattr(self.whole, name)


def run(rig: Rig) -> None:
    """A fault of ours is raised again, for the log."""
    with pytest.raises(ZeroDivisionError):
        rig.run()


def test_an_unknown_transaction_that_cannot_be_read_gives_its_slot_back(rig: Rig) -> None:
    deep = b'{"infno":"9999","msgid":"m","fixmedins_code":"%b","input":' % HOME.encode()
    raw = deep + b"[" * 300 + b"]" * 300 + b',"x":"' + b"a" * BIG_BYTES + b'"}'
    for _ in range(3):
        caller = rig.ask(raw)
        assert (caller.status, caller.answer["gw_code"]) == (400, "GW-JSON")
    assert in_flight(rig) == 0


def test_a_signature_that_cannot_be_made_is_money_that_never_left(rig: Rig) -> None:
    whole = rig.link.codec
    rig.link.codec = Codec(whole, "request")
    caller = rig.ask(pay("m1"))
    assert caller.said == (200, "GW-NOT-SENT", "NOT_SENT", "new")
    assert rig.state("m1") == "NOT_SENT"
    assert ("internal_error", "m1") in rig.watch.alarms
    rig.link.codec = whole
    rig.settle(pay("m2"))  # the lane and the batch are free
    assert in_flight(rig) == 0


@pytest.mark.parametrize("message", [register("w1"), statement("c1")])
def test_a_signature_that_cannot_be_made_is_told_for_writes_too(rig: Rig, message: Any) -> None:
    rig.link.codec = Codec(rig.link.codec, "request")
    caller = rig.post(message)
    run(rig)
    assert caller.answer["gw_code"] == "GW-PLATFORM"
    assert in_flight(rig) == 0
    assert not rig.room.relay.live


def test_a_fault_while_sending_is_doubt_and_the_lane_says_so(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rig.link, "exchange", Codec(rig.far, "send"))
    caller, behind = rig.post(pay("m1")), rig.post(pay("m2", batch="B2", visit="V2", code=OTHER))
    run(rig)
    rig.run()
    assert caller.said == (200, "GW-IN-DOUBT", "IN_DOUBT", "ask")
    assert rig.state("m1") == "IN_DOUBT"
    assert behind.status == 200
    assert rig.ask(pay("m3", batch="B3")).said[1] == "GW-LANE-BUSY"
    assert in_flight(rig) == 0


def test_a_success_that_cannot_be_translated_back_is_still_a_success(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.exchange.judged._translated", lambda *arguments: 1 / 0)
    caller = rig.ask(pay("m1"))
    body = rig.far.last.settled()
    rig.run()
    assert caller.raw == body
    assert rig.state("m1") == "ACKED"
    assert ("internal_error", "m1") in rig.watch.alarms


def test_why_nothing_left_stands_in_the_journal(rig: Rig) -> None:
    rig.ask(pay("m1"))
    rig.far.last.listener.not_sent("connection refused")
    rig.run()
    reasons = [reason for _, _, state, reason in rig.store.journal.events if state == "NOT_SENT"]
    assert reasons == ["connection refused"]


def test_a_refusal_of_our_certificate_after_the_deadline_stays_doubt(rig: Rig) -> None:
    caller = rig.ask(pay("m1"))
    rig.far.last.listener.silent()
    rig.far.last.listener.not_sent("certificate refused")
    rig.run()
    assert caller.said == (200, "GW-IN-DOUBT", "IN_DOUBT", "ask")
    assert rig.state("m1") == "IN_DOUBT"


def undone(rig: Rig) -> Any:
    """A 2601 of what the platform refused."""
    rig.ask(pay("m1"))
    rig.far.last.reply(-1, "余额不足")
    rig.run()
    return envelope(
        "2601", "r1", {"data": {"psn_no": pay("m1")["input"]["data"]["psn_no"], "omsgid": "m1", "oinfno": "2207"}}
    )


def test_a_stored_answer_that_cannot_be_opened_is_told(rig: Rig) -> None:
    message = undone(rig)
    assert rig.ask(message).said[1] == "GW-REVERSED"
    del rig.store.journal.answers[rig.row("r1").id]
    assert rig.ask(message).said == (200, "GW-MANUAL", "MANUAL", "no")  # not "certainly not executed", for ever
    assert ("answer_unreadable", "r1") in rig.watch.alarms
    assert in_flight(rig) == 0


def test_a_reversal_with_nothing_to_undo_is_answered_without_space(rig: Rig) -> None:
    message = undone(rig)
    rig.disk.full = True
    rig.ask(refund("x1", "S1"))  # notices that space is out
    assert rig.room.queue.full
    assert rig.ask(message).said[1] == "GW-REVERSED"


def test_who_waits_in_a_lane_does_not_pass_an_open_breaker(rig: Rig) -> None:
    rig.ask(pay("m1"))
    waiting = rig.ask(pay("m2", batch="B2"))
    for _ in range(rig.link.breaker.failures_max):
        rig.link.breaker.failed()
    first = rig.far.last
    first.reply(-1, "余额不足")  # an answer: it closes the breaker
    assert rig.link.breaker.state == "closed"
    for _ in range(rig.link.breaker.failures_max):
        rig.link.breaker.failed()
    rig.run()
    assert [one.message["msgid"] for one in rig.far.sent] == ["m1"]
    assert waiting.said == (200, "GW-NOT-SENT", "NOT_SENT", "new")


def test_answers_of_writes_are_dropped_when_the_disk_is_far_behind(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "PENDING_MAX", 2)
    rig.disk.held = True
    for number in range(6):
        rig.room.queue.later(Keep(entry=None))  # type: ignore[arg-type]
        assert rig.room.queue.depth <= 2, number


def test_a_date_is_no_minus_zero(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The slow exact reader is for numbers only: every date's text holds -0 as well."""
    monkeypatch.setattr("gateway.exchange.desk.decode_exact", lambda raw: 1 / 0)
    assert rig.ask(charge("w1") | {"opter": 7}).said[1] == "GW-INVALID"
    with pytest.raises(ZeroDivisionError):
        rig.ask(b'{"infno":"1101","msgid":"q2","fixmedins_code":"%b","x":-0,"input":{}}' % HOME.encode())
