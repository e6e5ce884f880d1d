"""Purchases elsewhere: refund (2163) and reversal (2181) once each, a doubt nothing can be asked about, and a crash.

Rules: reversal specification §1, §2, §7, §8, §9.
"""

from typing import Any

import pytest
from exchange_agency import Agency
from exchange_messages import HOME
from exchange_orders import give_back, hunan, reverse_purchase
from exchange_rig import Rig
from exchange_undo import fall_into_doubt, reasons

from gateway.exchange.deciding import Decision, Decisions
from gateway.exchange.recovery import is_sending
from gateway.exchange.restoration import begin_again

MANUAL = (200, "GW-MANUAL", "MANUAL", "no")


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Rig:
    return hunan(monkeypatch)


def left(rig: Rig) -> list[str]:
    return [one.message["msgid"] for one in rig.far.sent]


@pytest.mark.parametrize("make", [give_back, reverse_purchase])
def test_what_was_taken_back_is_taken_back_once(rig: Rig, make: Any) -> None:
    rig.ask(make("x1"))
    assert rig.ask(make("x2")).said == (200, "GW-IN-DOUBT", "SENT", "no")
    rig.far.last.reply(0)
    rig.run()
    assert rig.ask(make("x3")).said == (200, "GW-DUPLICATE-SETTLEMENT", "ACKED", "no")
    rig.ask(make("x4", number="R2"))
    assert left(rig) == ["x1", "x4"]


def test_refund_and_reversal_of_a_purchase_go_one_after_the_other(rig: Rig) -> None:
    rig.ask(give_back("x1"))
    rig.ask(reverse_purchase("x2", status="1203"))
    assert left(rig) == ["x1"]
    rig.far.last.reply(0)
    rig.run()
    assert left(rig) == ["x1", "x2"]


def test_a_reversal_of_another_business_of_the_purchase_passes(rig: Rig) -> None:
    rig.ask(reverse_purchase("x1", status="1107"))
    rig.far.last.reply(0)
    rig.run()
    rig.ask(reverse_purchase("x2", status="1203"))
    assert left(rig) == ["x1", "x2"]


@pytest.mark.parametrize("resolve", ["Q1", "Q2", "Q4"])
@pytest.mark.parametrize("make", [give_back, reverse_purchase])
def test_a_doubt_nothing_can_be_asked_about_is_a_persons_at_once(
    monkeypatch: pytest.MonkeyPatch, make: Any, resolve: str
) -> None:
    rig = hunan(monkeypatch, resolve=resolve)
    fall_into_doubt(rig, make("x1"))
    rig.run(1)
    assert (rig.state("x1"), rig.watch.alarms) == ("MANUAL", [("manual", "x1")])
    rig.run(4000)
    assert left(rig) == ["x1"]  # no question without a name, no 2601
    assert rig.ask(make("x1")).said == MANUAL
    assert rig.ask(make("x2")).said == MANUAL
    assert rig.room.lanes.held() == []


@pytest.mark.parametrize("make", [give_back, reverse_purchase])
def test_a_crash_after_sending_is_a_doubt_and_not_forgotten(rig: Rig, make: Any) -> None:
    rig.ask(make("x1"))
    assert rig.state("x1") == "SENT"
    assert not is_sending(rig.row("x1"))
    plan = rig.restart()
    assert [one.msgid for one in plan.holders] == ["x1"]
    rig.run(1)
    assert rig.states("x1") == ["JOURNALED", "SENT", "IN_DOUBT", "MANUAL"]
    assert rig.ask(make("x1")).said == MANUAL
    assert rig.ask(make("x2")).said == MANUAL
    assert [name for name, _ in rig.watch.alarms] == ["manual"]


def test_a_restored_backup_gives_it_to_a_person(rig: Rig) -> None:
    rig.ask(reverse_purchase("x1"))
    rig.kill()
    rig.far.plays = Agency()
    rig.start()
    begin_again(rig.store, rig.room.office, rig.clock.seconds())
    assert (rig.state("x1"), reasons(rig, "x1")[-1]) == ("MANUAL", "restored")


@pytest.mark.parametrize(("outcome", "passes"), [("CONFIRMED", False), ("ABSENT", True)])
@pytest.mark.parametrize("make", [give_back, reverse_purchase])
def test_two_people_can_end_it(rig: Rig, make: Any, outcome: Any, passes: bool) -> None:
    fall_into_doubt(rig, make("x1"))
    rig.run(1)
    said: list[str] = []
    decision = Decision(fixmedins_code=HOME, msgid="x1", outcome=outcome, approval=7)
    Decisions(rig.room.office).carry_out(decision, said.append)
    rig.run(1)
    assert (said, rig.state("x1")) == ([""], outcome)
    assert rig.ask(make("x1")).said[1] == f"GW-{outcome}"
    rig.ask(make("x2"))
    assert left(rig) == (["x1", "x2"] if passes else ["x1"])


def test_one_an_older_version_forgot_is_never_called_not_executed(rig: Rig) -> None:
    """It gave such a row no business key, and made it DONE at a start after a crash."""
    rig.ask(reverse_purchase("x1"))
    row = rig.row("x1")
    row.business_key, row.lane, row.mdtrt_id = "", "", ""
    assert not is_sending(row)
    row.state = "DONE"
    rig.kill()
    rig.start()
    for _ in range(2):
        assert rig.ask(reverse_purchase("x1")).said == MANUAL
