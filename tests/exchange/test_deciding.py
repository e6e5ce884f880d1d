"""MANUAL and what two people decide: an end in one move, a reversal begun again, and what forbids it (RV3)."""

from collections.abc import Callable
from typing import Any

import pytest
from exchange_messages import HOME, PERSON, VISIT, pay
from exchange_rig import T0_S, Caller, Rig
from exchange_undo import at_once, reasons, reversing, row_on_queue, says, sent_of, undo

from gateway.core.jsontext import decode
from gateway.core.model import Advance, NotAccepted, Op, OpResult
from gateway.exchange.deciding import Decision, Decisions, Outcome
from gateway.exchange.queue import JournalQueue

LANE = f"p|{PERSON}"
HOUR_S = 3600.0
NODE = {"setl_id": "S77", "mdtrt_id": VISIT, "psn_no": PERSON, "medfee_sumamt": "100.00", "fund_pay_sumamt": "40.00"}


@pytest.fixture
def rig() -> Rig:
    """One settlement in MANUAL."""
    rig = at_once()
    reversing(rig).reply(-1, "存在后续业务，不能冲正")
    rig.run()
    assert rig.state("m1") == "MANUAL"
    return rig


def decide(rig: Rig, outcome: Outcome, msgid: str = "m1", **facts: Any) -> str:
    """Carry a decision out; return what stands in the way."""
    told: list[str] = []
    one = Decision(fixmedins_code=HOME, msgid=msgid, outcome=outcome, approval=7, **facts)
    Decisions(rig.room.office).carry_out(one, told.append)
    rig.run(1)
    (found,) = told
    return found


@pytest.mark.parametrize(("outcome", "code"), [("REVERSED", "GW-REVERSED"), ("ABSENT", "GW-ABSENT")])
def test_what_never_stood_frees_the_business_key_and_says_so_for_ever(rig: Rig, outcome: Outcome, code: str) -> None:
    assert decide(rig, outcome) == ""
    assert (rig.state("m1"), reasons(rig)[-1]) == (outcome, "decided_7")
    first = rig.ask(pay("m1"))
    assert first.said == (200, code, outcome, "new")
    assert rig.ask(pay("m1")).raw == first.raw
    rig.far.plays = None
    assert rig.settle(pay("m2")).answer["infcode"] == 0


def test_what_stands_is_confirmed_with_what_the_platform_holds(rig: Rig) -> None:
    assert decide(rig, "CONFIRMED", node=NODE) == ""
    row = rig.row("m1")
    assert (row.state, row.setl_id, decode(row.settled.encode())["medfee_sumamt"]) == ("CONFIRMED", "S77", 10000)
    answer = rig.ask(pay("m1")).answer
    assert (answer["infcode"], answer["gw_code"], answer["output"]["setlinfo"]["setl_id"]) == (0, "GW-CONFIRMED", "S77")
    assert rig.ask(pay("m2")).said[1] == "GW-DUPLICATE-SETTLEMENT"


@pytest.mark.parametrize(
    ("node", "why"),
    [
        ({}, "no_setl_id"),
        (NODE | {"medfee_sumamt": "100.01"}, "amounts"),
        (NODE | {"medfee_sumamt": "1e2.5"}, "amounts"),
        ({"setl_id": "S77"}, "amounts"),
    ],
)
def test_a_success_needs_the_platforms_own_record(rig: Rig, node: dict[str, str], why: str) -> None:
    assert decide(rig, "CONFIRMED", node=node) == why
    assert rig.state("m1") == "MANUAL"


def test_a_decision_carried_out_twice_is_done_once(rig: Rig) -> None:
    assert [decide(rig, "ABSENT"), decide(rig, "ABSENT")] == ["", ""]
    assert reasons(rig).count("decided_7") == 1
    assert decide(rig, "CONFIRMED", node=NODE) == "not_manual"


def test_only_what_waits_for_people_can_be_decided(rig: Rig) -> None:
    rig.far.plays = says(0)
    rig.settle(pay("other", batch="B9"))
    assert decide(rig, "REVERSED", msgid="other") == "not_manual"
    assert decide(rig, "REVERSED", msgid="never-heard-of") == "unknown"


def test_a_full_disk_keeps_the_decision_for_later(rig: Rig) -> None:
    rig.disk.full = True
    rig.ask(pay("m3", batch="B9"))
    assert rig.room.queue.full
    assert decide(rig, "REVERSED") == "not_accepted"
    rig.disk.full = False
    rig.run(10)
    assert rig.state("m1") == "MANUAL"
    assert decide(rig, "REVERSED") == ""


# --- reversed after all -----------------------------------------------------------------------------------------------


def test_a_reversal_begun_again_ends_as_any_other(rig: Rig) -> None:
    rig.far.plays = says(0)
    assert decide(rig, "REVERSE") == ""
    rig.run()
    assert (rig.state("m1"), reasons(rig)[-1]) == ("REVERSED", "reversed")
    assert len(sent_of(rig, "2601")) == 2
    assert len({one.message["msgid"] for one in sent_of(rig, "2601")}) == 2
    assert rig.room.lanes.holder(LANE) is None and not rig.room.office.live


def test_while_it_is_under_way_the_lane_is_closed_and_a_crash_goes_on_with_it(rig: Rig) -> None:
    rig.far.plays = None
    assert decide(rig, "REVERSE") == ""
    assert rig.ask(pay("m2", batch="B9")).said[1] == "GW-REVERSING"
    rig.restart()
    assert rig.state("m1") == "REVERSING"
    assert rig.room.lanes.holder(LANE) is not None
    rig.far.plays = says(0)
    rig.run()
    assert rig.state("m1") == "REVERSED"


@pytest.mark.parametrize("moved", [False, NotAccepted()])
def test_a_reversal_the_journal_does_not_take_is_not_begun(
    rig: Rig, moved: OpResult | NotAccepted, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = rig.room.office.queue
    submit = type(queue).submit

    def refusing(self: JournalQueue, op: Op, done: Callable[[OpResult | NotAccepted], None]) -> None:
        if isinstance(op, Advance) and op.was == "MANUAL":
            rig.clock.callLater(0, done, moved)
        else:
            submit(self, op, done)

    monkeypatch.setattr(type(queue), "submit", refusing)
    sent = len(rig.far.sent)
    assert decide(rig, "REVERSE") == ("not_accepted" if isinstance(moved, NotAccepted) else "not_manual")
    rig.run(60)
    assert (len(rig.far.sent), rig.state("m1"), rig.room.lanes.holder(LANE)) == (sent, "MANUAL", None)
    assert rig.room.office.live == {}


def test_days_later_it_still_gets_a_fair_try_and_then_comes_back(rig: Rig) -> None:
    rig.clock.advance(50 * HOUR_S)
    rig.far.plays = says(-1, "系统繁忙")
    assert decide(rig, "REVERSE") == ""
    rig.run(2 * HOUR_S)
    assert rig.state("m1") == "MANUAL"
    assert len(sent_of(rig, "2601")) >= 3
    assert row_on_queue(rig).state == "DEAD"
    assert row_on_queue(rig).opened_ms > (T0_S + 40 * HOUR_S) * 1000
    assert decide(rig, "ABSENT") == ""


def test_nobody_reverses_under_a_settlement_of_the_same_person(rig: Rig) -> None:
    rig.far.plays = None
    rig.ask(pay("m2", batch="B9"))
    assert decide(rig, "REVERSE") == "lane_busy"
    assert rig.state("m1") == "MANUAL"


# --- an institution's own reversal ------------------------------------------------------------------------------------


def own_reversal_in_manual() -> tuple[Rig, Caller]:
    """A settlement nobody heard of, taken back by the institution, whose 2601 ends with a person."""
    rig = at_once()
    rig.far.plays = None
    caller = rig.ask(pay("m1"))
    caller.up = False
    rig.far.last.settled()
    rig.run(1)
    assert rig.state("m1") == "ACKED" and not rig.row("m1").delivered
    rig.ask(undo("r1"))
    rig.far.last.listener.lost("connection lost")
    rig.run()
    rig.far.last.reply(-1, "存在后续业务，不能冲正")
    rig.run()
    assert rig.state("r1") == "MANUAL"
    return rig, caller


@pytest.mark.parametrize(("outcome", "cancelled"), [("CONFIRMED", True), ("ABSENT", False)])
def test_whether_an_institutions_own_reversal_took_place(outcome: Outcome, cancelled: bool) -> None:
    rig, _ = own_reversal_in_manual()
    assert decide(rig, outcome, msgid="r1") == ""
    assert rig.row("m1").cancelled is cancelled
    assert rig.row("m1").state == "ACKED"
    said = rig.ask(pay("m1")).said
    assert said[1] == ("GW-REVERSED" if cancelled else "")
