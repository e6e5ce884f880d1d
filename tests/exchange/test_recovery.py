"""What a start makes of what a stop left (reversal specification §9; I15)."""

import json

import attrs
import pytest
from exchange_messages import HOME, PERSON, pay, statement
from exchange_rig import Rig

from gateway.core.model import Entry, Op, State
from gateway.exchange.lanes import Lanes
from gateway.exchange.recovery import apply_recovery, plan_recovery

STATES: tuple[State, ...] = ("IN_DOUBT", "REVERSING", "MANUAL", "SENT", "JOURNALED")


def restart(rig: Rig, commits: int = 99) -> int:
    """Kill the exchange, recover, start again; at most so many operations get done. Return how many were planned."""
    for call in rig.clock.getDelayedCalls():
        call.cancel()
    rig.start()
    found = plan_recovery(rig.store.journal.open_entries(), rig.clock.seconds(), lambda link: "number")

    def commit(ops: list[Op]) -> object:
        return rig.store.journal.commit(ops[:commits])

    apply_recovery(found, commit, rig.room.lanes)
    return len(found.ops)


def test_what_may_have_been_sent_is_in_doubt_and_blocks_its_lane() -> None:
    rig = Rig()
    rig.ask(pay("m1"))
    assert restart(rig) == 1
    assert rig.states("m1") == ["JOURNALED", "SENT", "IN_DOUBT"]
    assert rig.ask(pay("m1")).said == (200, "GW-IN-DOUBT", "IN_DOUBT", "ask")
    assert rig.ask(pay("m2", "B2")).said[:2] == (200, "GW-LANE-BUSY")
    assert len(rig.far.sent) == 1


def test_what_only_waited_was_certainly_not_sent_and_says_so_for_ever() -> None:
    rig = Rig()
    rig.ask(pay("m1"))
    rig.ask(pay("m2", "B2"))
    assert rig.state("m2") == "JOURNALED"
    assert restart(rig) == 2
    assert rig.states("m2") == ["JOURNALED", "NOT_SENT"]
    caller = rig.ask(pay("m2", "B2"))
    assert caller.said == (200, "GW-NOT-SENT", "NOT_SENT", "new")
    assert rig.ask(pay("m2", "B2")).raw == caller.raw
    assert len(rig.far.sent) == 1


@pytest.mark.parametrize("infcode", [0, -1])
def test_what_was_over_stays_over_and_is_replayed(infcode: int) -> None:
    rig = Rig()
    first = rig.ask(pay("m1"))
    if infcode:
        rig.far.last.reply(-1, "余额不足")
    else:
        rig.far.last.settled()
    rig.run()
    assert restart(rig) == 0
    assert rig.ask(pay("m1")).raw == first.raw
    assert rig.room.lanes.holder(f"p|{PERSON}") is None


def test_clearing_requests_are_left_alone_and_forwarded_again() -> None:
    rig = Rig()
    rig.ask(statement("c1"))
    assert restart(rig) == 0
    rig.ask(statement("c1"))
    assert len(rig.far.sent) == 2


def test_an_answer_of_recovery_has_the_type_the_link_wants() -> None:
    waiting = Entry(
        id=1, fixmedins_code=HOME, msgid="m1", infno="2207", klass="M", link="text", state="JOURNALED", digest=b"",
        created_ms=0,
    )  # fmt: skip
    for kind, expected in (("number", -1), ("text", "-1")):
        (op,) = plan_recovery([attrs.evolve(waiting)], 1_772_409_600.0, {"text": kind}.__getitem__).ops
        assert op.answer is not None
        assert json.loads(op.answer)["infcode"] == expected


def test_recovery_may_be_repeated_and_interrupted_anywhere() -> None:
    def left_over() -> Rig:
        rig = Rig()
        for number in range(4):
            rig.ask(pay(f"m{number}", psn_no=str(number)))
            rig.ask(pay(f"w{number}", "W", psn_no=str(number)))
        return rig

    def end(rig: Rig) -> object:
        lanes = [holder.msgid for number in range(4) if (holder := rig.room.lanes.holder(f"p|{number}"))]
        return lanes, {row.msgid: row.state for row in rig.store.journal.rows.values()}

    straight = left_over()
    assert restart(straight) == 8
    expected = end(straight)
    assert expected == (
        ["m0", "m1", "m2", "m3"],
        {f"m{n}": "IN_DOUBT" for n in range(4)} | {f"w{n}": "NOT_SENT" for n in range(4)},
    )
    for stop in range(9):
        rig = left_over()
        restart(rig, commits=stop)
        restart(rig, commits=stop // 2)
        restart(rig)
        assert restart(rig) == 0
        assert end(rig) == expected


def test_lanes_are_rebuilt_without_touching_what_a_person_works_on() -> None:
    lanes = Lanes()
    rows = [
        Entry(
            id=number, fixmedins_code=HOME, msgid=state, infno="2207", klass="M", link="n", state=state, digest=b"",
            created_ms=0, lane=f"p|{state}",
        )
        for number, state in enumerate(STATES)
    ]  # fmt: skip
    apply_recovery(plan_recovery(rows, 0.0, lambda link: "number"), lambda ops: None, lanes)
    assert lanes.in_doubt() == 3
    assert lanes.holder("p|MANUAL") is None
    assert lanes.holder("p|JOURNALED") is None
