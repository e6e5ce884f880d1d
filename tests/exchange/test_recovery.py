"""What a start makes of what a stop left (reversal specification §9; I15)."""

import json

import attrs
import pytest
from exchange_messages import HOME, PERSON, pay, statement
from exchange_rig import T0_S, Recorded, Rig
from exchange_undo import at_once, fall_into_doubt, reasons, reversing, row_on_queue, says, sending_of, sent_of, undo

from gateway.core.model import Accept, Entry, Op, OpResult, Saf, State, Unfinished
from gateway.exchange.lanes import Lanes
from gateway.exchange.recovery import apply_recovery, is_sending, plan_recovery

STATES: tuple[State, ...] = ("IN_DOUBT", "REVERSING", "MANUAL", "SENT", "JOURNALED")
LANE = f"p|{PERSON}"


@attrs.define
class Interrupted:
    """The journal of a start that is killed after so many of its writes."""

    store: Recorded
    commits: int

    def open_entries(self) -> list[Entry]:
        return self.store.open_entries()

    def unfinished(self) -> list[Unfinished]:
        return self.store.unfinished()

    def heads(self) -> dict[str, str]:
        return self.store.heads()

    def overheard(self) -> list[Entry]:
        return self.store.overheard()

    def commit(self, ops: list[Op]) -> list[OpResult]:
        return self.store.commit(ops[: self.commits])


def restart(rig: Rig, commits: int = 99) -> int:
    """Kill the exchange and start again; at most so many writes get done. Return how many were planned."""
    return len(rig.restart(Interrupted(rig.store, commits)).ops)


def test_what_may_have_been_sent_is_in_doubt_and_blocks_its_lane() -> None:
    rig = Rig()
    rig.ask(pay("m1"))
    assert restart(rig) == 1
    assert rig.states("m1") == ["JOURNALED", "SENT", "IN_DOUBT"]
    assert rig.ask(pay("m1")).said == (200, "GW-IN-DOUBT", "IN_DOUBT", "ask")
    assert rig.ask(pay("m2", "B2")).said[:2] == (200, "GW-LANE-BUSY")
    assert len(rig.far.sent) == 1


@pytest.mark.parametrize("lost", [False, True])
def test_a_doubt_is_ended_after_a_restart_like_any_other(lost: bool) -> None:
    rig = at_once()
    rig.ask(pay("m1"))
    if lost:
        rig.far.last.listener.lost("connection lost")
        rig.run(0.0015)  # the doubt is durable, its reversal is not
    restart(rig)
    rig.far.plays = says(0)
    rig.run(1)
    assert rig.states("m1") == ["JOURNALED", "SENT", "IN_DOUBT", "REVERSING", "REVERSED"]
    assert rig.room.lanes.holder(LANE) is None
    rig.far.plays = None
    rig.settle(pay("m2"))


def test_how_long_nothing_may_be_believed_is_counted_from_the_start_at_the_latest() -> None:
    """Nobody knows when a request left that was still on its way: §5.3 counts from its sending."""
    rig = at_once()
    rig.ask(pay("m1"))
    rig.kill()
    rig.run(3600)
    rig.restart()
    began = rig.clock.seconds()
    rig.far.plays = says(-1, "原交易不存在")
    rig.run(600)
    assert rig.state("m1") == "REVERSED"
    assert sent_of(rig, "2601")[-1].at >= began + 120


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
    assert rig.room.lanes.holder(LANE) is None
    rig.run(86400)
    assert len(rig.far.sent) == 1


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
        (op,) = plan_recovery([attrs.evolve(waiting)], [], T0_S, {"text": kind}.__getitem__).ops
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


def test_a_restart_makes_no_second_reversal_of_what_is_on_the_queue() -> None:
    """RV5, I7: the row, the record in doubt and the sending all point at one original."""
    rig = at_once()
    reversing(rig)
    for _ in range(3):
        restart(rig)
        assert rig.room.office.depth == 1
        assert len(rig.room.office.live) == 1
        rig.run(0.5)
    assert [row.original_id for row in rig.store.journal.saf.values()] == [rig.row("m1").id]
    assert len(sent_of(rig, "2601")) == 4  # one a start


def test_a_reversal_an_older_version_left_in_doubt_beside_its_original_makes_no_second_one() -> None:
    """RV5: it forwarded the institution's 2601 of a doubt; now the doubt's own reversal ends it."""
    rig = at_once()
    rig.ask(pay("m1"))
    old = attrs.evolve(
        rig.row("m1"), id=90, msgid="r1", infno="2601", klass="R", state="IN_DOUBT", lane="", mdtrt_id="",
        omsgid="m1", business_key=f"2601|{HOME}|m1",
    )  # fmt: skip
    rig.store.journal.commit([Accept(entry=old)])
    restart(rig)
    rig.run(2)
    assert len(sent_of(rig, "2601")) == 1
    assert len(rig.store.journal.saf) == 1
    assert rig.watch.alarms == []


def test_lanes_are_rebuilt_without_touching_what_a_person_works_on() -> None:
    lanes = Lanes()
    rows = [
        Entry(
            id=number, fixmedins_code=HOME, msgid=state, infno="2207", klass="M", link="n", state=state, digest=b"",
            created_ms=0, lane=f"p|{state}",
        )
        for number, state in enumerate(STATES)
    ]  # fmt: skip
    plan = plan_recovery(rows, [], 0.0, lambda link: "number")
    apply_recovery(plan, lambda ops: None, lanes)
    assert lanes.in_doubt() == 3
    assert lanes.holder("p|MANUAL") is None
    assert lanes.holder("p|JOURNALED") is None
    assert [op.entry.msgid for op in plan.ops] == ["SENT", "JOURNALED"]


def test_what_a_person_works_on_is_not_reversed_again() -> None:
    rig = at_once()
    reversing(rig).reply(-1, "存在后续业务，不能冲正")
    rig.run()
    assert rig.state("m1") == "MANUAL"
    assert restart(rig) == 0
    rig.run(86400)
    assert rig.state("m1") == "MANUAL"
    assert len(sent_of(rig, "2601")) == 1


# --- sendings, and what an institution sent ---------------------------------------------------------------------------


def test_a_sending_is_told_from_a_reversal_of_an_institutions() -> None:
    rig = Rig(settings={"resolve": "Q4"}, institution={"his_may_reverse_acked": True})
    first = reversing(rig)
    assert is_sending(sending_of(rig, first))
    rig.settle(pay("m2", psn_no="2"))
    rig.ask(undo("r1", omsgid="m2", psn_no="2"))
    assert not is_sending(rig.row("r1"))
    assert not is_sending(rig.row("m1"))


def asked(rig: Rig) -> None:
    """An institution's own 2601 of a known success is on its way."""
    rig.settle(pay("m1"))
    rig.ask(undo("r1"))
    assert rig.state("r1") == "SENT"


def allowed() -> Rig:
    return Rig(institution={"his_may_reverse_acked": True})


def test_a_reversal_of_an_institutions_that_was_on_its_way_is_brought_to_its_end() -> None:
    rig = allowed()
    asked(rig)
    assert restart(rig) == 1
    assert rig.state("r1") == "IN_DOUBT"
    assert rig.ask(pay("m3", "B3")).said[:2] == (200, "GW-LANE-BUSY")
    assert rig.ask(undo("r1")).said == (200, "GW-IN-DOUBT", "IN_DOUBT", "ask")
    message = rig.far.last.message
    assert message["input"]["data"] == {"psn_no": PERSON, "omsgid": "m1", "oinfno": "2207"}
    assert message["msgid"] != "r1"
    rig.far.last.reply(-1, "该交易已冲正")
    rig.run()
    assert rig.states("r1") == ["JOURNALED", "SENT", "IN_DOUBT", "IN_DOUBT", "CONFIRMED"]
    assert (rig.state("m1"), rig.row("m1").cancelled) == ("ACKED", True)
    again = rig.ask(undo("r1"))
    assert (again.answer["infcode"], again.said[1]) == (0, "GW-CONFIRMED")
    assert rig.room.lanes.holder(LANE) is None
    rig.settle(pay("m4"))  # the batch is free


def test_such_a_reversal_on_the_queue_survives_another_restart() -> None:
    rig = allowed()
    asked(rig)
    restart(rig)
    rig.run(1)
    assert row_on_queue(rig, "r1").original_id == rig.row("m1").id
    rig.far.last.listener.lost("connection lost")
    rig.run(1)
    restart(rig)
    rig.far.plays = says(0)
    rig.run(60)
    assert (rig.state("r1"), rig.row("m1").cancelled) == ("CONFIRMED", True)
    assert rig.room.lanes.holder(LANE) is None


def test_a_success_the_platform_says_it_never_had_is_a_persons_business() -> None:
    """The institution was told that it is paid: "nothing to undo" cannot be the end of that."""
    rig = allowed()
    asked(rig)
    restart(rig)
    rig.far.plays = says(-1, "原交易不存在")
    rig.run(300)
    assert (rig.state("r1"), rig.state("m1")) == ("MANUAL", "ACKED")
    assert not rig.row("m1").cancelled
    assert reasons(rig, "r1")[-1] == "not_found"
    rig.far.plays = None
    rig.settle(pay("m3", "B3"))  # the patient is not blocked


def test_a_plan_names_every_row_of_the_queue() -> None:
    entry = Entry(
        id=1, fixmedins_code=HOME, msgid="m1", infno="2207", klass="M", link="n", state="REVERSING", digest=b"",
        created_ms=0,
    )  # fmt: skip
    found = Unfinished(Saf(id=1, original_id=1, state="QUEUED", opened_ms=0, sent_ms=0), entry, entry)
    plan = plan_recovery([entry], [found], T0_S, lambda link: "number")
    assert plan.queued == (found,)
    assert plan.holders == (entry,)
    assert plan.ops == ()


def test_a_doubt_asked_about_before_the_stop_is_asked_about_again() -> None:
    rig = Rig()
    fall_into_doubt(rig)
    rig.run(10)
    before = len(sent_of(rig, "5203"))
    restart(rig)
    rig.run(4)
    assert len(sent_of(rig, "5203")) == before + 1
