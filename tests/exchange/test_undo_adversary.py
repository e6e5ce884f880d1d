"""What an adversary found in the ending of doubt: each of these failed once (reversal specification §4-§6)."""

from typing import Any

import attrs
import pytest
from exchange_messages import HOME, PERSON, Json, pay, refund, sale
from exchange_rig import T0_S, Rig, settlement
from exchange_undo import (
    admit,
    at_once,
    by_table,
    cut,
    discharge,
    fall_into_doubt,
    reversing,
    row_on_queue,
    says,
    sent_of,
    undo,
    undone,
)

from gateway.exchange.ordered import Ordered
from gateway.exchange.recovery import recover

HOUR_S = 3600.0
LANE = f"p|{PERSON}"


def row(msgid: str = "m1", **changes: Any) -> Json:
    return settlement(msgid, PERSON, 100) | changes


def test_who_asks_for_a_reversal_of_what_is_then_kept_does_not_hear_a_success() -> None:
    """I3: infcode 0 to a 2601 means "taken back"; the settlement stands."""
    rig = Rig()
    fall_into_doubt(rig, discharge("m1"))
    caller = rig.ask(undo("r1", oinfno="2304"))
    rig.far.plays = says(0, q5203={"setlinfo": row()})
    rig.run(3.5)
    rig.far.plays = None
    assert rig.state("m1") in ("CONFIRMED", "REVERSED") or rig.row("r1") is not None
    if caller.status and caller.answer["infcode"] == 0:
        assert rig.state("m1") == "REVERSED" or rig.row("m1").cancelled


@attrs.define
class Faulty:
    whole: Any
    broken: str

    def __getattr__(self, name: str) -> Any:
        if name == self.broken:
            raise ZeroDivisionError
        return getattr(self.whole, name)


def survive(rig: Rig, seconds: float) -> None:
    try:
        rig.run(seconds)
    except ZeroDivisionError:
        pass


def test_a_signature_that_cannot_be_made_for_a_query_does_not_end_the_resolving() -> None:
    rig = Rig()
    fall_into_doubt(rig)
    whole = rig.link.codec
    rig.link.codec = Faulty(whole, "request")
    survive(rig, 4)
    rig.link.codec = whole
    rig.far.plays = says(0)
    rig.run(25 * HOUR_S)
    assert rig.state("m1") == "REVERSED"


def test_a_signature_that_cannot_be_made_for_a_sign_in_does_not_end_the_reversing() -> None:
    rig = at_once()
    first = reversing(rig)
    whole = rig.link.codec
    rig.link.codec = Faulty(whole, "request")
    try:
        first.reply(-1, "未签到")
    except ZeroDivisionError:
        pass
    rig.link.codec = whole
    rig.far.plays = says(0)
    rig.run(25 * HOUR_S)
    assert rig.state("m1") == "REVERSED"
    assert rig.room.office._flying == {"national": 0}


def test_a_link_that_raises_while_it_sends_is_silence() -> None:
    rig = at_once()
    fall_into_doubt(rig)
    whole = rig.link.exchange
    rig.link.exchange = Faulty(whole, "send")
    survive(rig, 1)
    rig.link.exchange = whole
    rig.far.plays = says(0)
    rig.run(25 * HOUR_S)
    assert rig.state("m1") == "REVERSED"


@pytest.mark.parametrize("waiting", [2, 300])
def test_space_that_runs_out_while_reversals_wait_for_room_stops_none_of_them(waiting: int) -> None:
    rig = Rig(settings={"resolve": "Q4"}, institution={"connections_max": 1000})
    for number in range(16 + waiting):
        rig.ask(pay(f"m{number}", psn_no=str(number)))
    for one in list(rig.far.sent):
        one.listener.lost("connection lost")
    rig.link.breaker.worked()
    rig.run(2)
    rig.disk.full = True
    rig.ask(pay("filler", psn_no="filler"))
    for one in sent_of(rig, "2601")[:1]:
        one.reply(0)
    rig.run(2)
    rig.disk.full = False
    for one in sent_of(rig, "2601")[1:]:
        one.reply(0)
    rig.far.plays = says(0)
    rig.run(HOUR_S)
    assert {rig.state(f"m{number}") for number in range(16 + waiting)} == {"REVERSED"}


def test_a_settlement_that_takes_the_number_of_a_reversal_being_decided_is_answered_and_leaves_its_lane() -> None:
    rig = Rig(institution={"his_may_reverse_acked": True})
    rig.settle(pay("m1"))
    asked = rig.post(undo("r1"))
    rig.run(0.0025)  # the journal is being asked about the original
    paid = rig.post(pay("r1", "B7", psn_no="7"))
    rig.run()
    for one in rig.far.sent[1:]:
        one.settled() if one.message["infno"] == "2207" else one.reply(0)
    rig.run(30)
    assert asked.status and paid.status
    rig.settle(pay("r9", "B9", psn_no="7"))


def test_x6_a_reversal_that_waits_twice_is_answered_in_time() -> None:
    rig = at_once()
    rig.ask(pay("m1"))
    caller = rig.ask(undo("r1"))
    rig.run(20)
    rig.far.last.listener.silent()
    rig.run(3)
    rig.far.last.listener.lost("no answer in time")
    rig.run(60)
    assert caller.answered_at - T0_S < 24.2


def test_x6_a_reversal_that_waits_for_an_original_without_space_is_answered_in_time() -> None:
    rig = Rig()
    rig.ask(pay("m1"))
    caller = rig.ask(undo("r1"))
    rig.disk.full = True
    rig.far.last.settled()
    rig.run(60)
    assert caller.status


def test_x6_a_reversal_with_nothing_to_undo_that_finds_the_disk_full_is_answered_in_time() -> None:
    rig = Rig()
    rig.ask(pay("m1"))
    rig.far.last.reply(-1, "余额不足")
    rig.run()
    rig.disk.full = True  # nobody knows yet
    caller = rig.ask(undo("r1"))
    rig.run(60)
    assert undone(caller)


def test_a_look_up_does_not_make_a_full_disk_look_empty() -> None:
    """test_queue.py: /readyz would say that money is accepted again."""
    rig = Rig(institution={"his_may_reverse_acked": True})
    rig.settle(pay("m1"))
    rig.disk.full = True
    rig.ask(pay("filler", psn_no="filler"))
    rig.ask(undo("r1"))
    seen = []
    for _ in range(60):
        rig.run(0.05)
        seen.append(rig.room.queue.full)
    assert all(seen)


def test_rv1_also_an_empty_locality_is_the_journals() -> None:
    rig = Rig(institution={"his_may_reverse_acked": True})
    rig.settle(pay("m1") | {"insuplc_admdvs": ""})
    rig.ask(undo("r1") | {"insuplc_admdvs": "999999"})
    assert rig.far.last.message["insuplc_admdvs"] == ""


def test_a_success_taken_back_before_anybody_heard_it_is_not_heard_as_a_success_afterwards() -> None:
    rig = Rig()
    rig.ask(pay("m1")).up = False
    rig.far.last.settled()
    rig.run()
    rig.ask(undo("r1"))
    rig.far.last.reply(0)
    rig.run()
    assert rig.row("m1").cancelled
    assert rig.ask(pay("m1")).answer["infcode"] != 0


def test_a_settlement_marked_as_refunded_by_a_number_is_not_kept() -> None:
    rig = Rig()
    fall_into_doubt(rig, discharge("m1"))
    rig.far.plays = says(0, q5203={"setlinfo": row(refd_setl_flag=1)})
    rig.run(60)
    assert rig.state("m1") != "CONFIRMED"


def consistent() -> Rig:
    rig = Rig(settings={"resolve": "Q2", "quiesce_s": 1})
    by_table(rig, query_consistent=True)
    return rig


def test_nothing_in_5203_proves_nothing_about_an_admission() -> None:
    rig = consistent()
    rig.far.plays = says(0, q5201={"mdtrtinfo": [{"mdtrt_id": "Z1"}]}, q5203={})
    fall_into_doubt(rig, admit("m1"))
    rig.run(60)
    assert rig.state("m1") != "ABSENT"


def test_a_visit_that_began_before_the_window_is_asked_about_by_its_number() -> None:
    """A stay of a week: 5201 of the last day lists nothing, and the discharge is booked all the same."""
    rig = consistent()
    rig.far.plays = says(0, q5201={"mdtrtinfo": []}, q5203={"setlinfo": row()})
    fall_into_doubt(rig, discharge("m1"))
    rig.run(60)
    assert rig.state("m1") != "ABSENT"


@pytest.mark.parametrize("numbers", [("V1", None), tuple(f"V{n}" for n in range(11)), ("BAD", "V1")])
def test_visits_that_were_not_all_asked_about_prove_nothing(numbers: tuple[Any, ...]) -> None:
    rig = consistent()

    def play(one: Any) -> None:
        if one.message["infno"] == "5201":
            one.reply(0, output={"mdtrtinfo": [{"mdtrt_id": number} for number in numbers]})
        elif one.message["infno"] == "5203" and one.message["input"]["data"]["mdtrt_id"] == "BAD":
            one.raw(b"?")
        else:
            one.reply(0)

    rig.far.plays = play
    fall_into_doubt(rig, sale("m1"))
    rig.run(60)
    assert rig.state("m1", "P51080200101") != "ABSENT"


def test_an_output_that_cannot_be_read_is_not_nothing() -> None:
    rig = consistent()
    rig.far.plays = lambda one: one.raw(b'{"infcode":0,"output":[]}')
    fall_into_doubt(rig)
    rig.run(60)
    assert rig.state("m1") != "ABSENT"


def test_the_day_of_a_reversal_in_doubt_is_its_own_not_its_originals() -> None:
    rig = at_once()
    rig.ask(pay("m1"))
    rig.far.last.reply(-1, "余额不足")
    rig.run(3 * 86400)
    rig.far.plays = cut
    Ordered(rig.room.office).reverse(HOME, "m1", "b1", lambda told: None)
    rig.run(600)
    assert (rig.state("b1"), len(sent_of(rig, "2601")) > 1) == ("IN_DOUBT", True)


def test_one_silence_is_one_failure_of_the_link() -> None:
    rig = at_once()
    first = reversing(rig)
    before = rig.link.breaker.failures
    first.listener.silent()
    first.listener.lost("no answer in time")
    assert rig.link.breaker.failures == before + 1


def test_time_that_was_up_while_asking_ends_also_what_may_not_leave() -> None:
    rig = Rig()
    fall_into_doubt(rig)
    rig.kill()
    rig.run(18 * HOUR_S)  # 02:00: past RV11's hour, so 28 s are left
    rig.restart()
    for wait_s in (3.1, 5.1):
        rig.run(wait_s)
        rig.far.last.raw(b"?")
    rig.run(12.1)
    rig.link.breaker.open_s = 1e9
    for _ in range(rig.link.breaker.failures_max):
        rig.link.breaker.failed()
    rig.run(10)
    rig.far.last.listener.lost("no answer in time")  # the third query: no conclusion
    rig.run(24 * HOUR_S)
    assert rig.state("m1") == "MANUAL"


def test_somebody_is_told_of_six_attempts_also_when_a_restart_came_between() -> None:
    rig = at_once()
    rig.far.plays = cut
    fall_into_doubt(rig)
    rig.run(480)
    rig.far.plays = None
    rig.run(20)
    assert (row_on_queue(rig).state, row_on_queue(rig).attempt) == ("INFLIGHT", 6)
    rig.restart()
    rig.far.plays = cut
    rig.run(HOUR_S)
    assert ("reversal_slow", "m1") in rig.watch.alarms


def test_cancelled_already_said_of_a_cancellation_does_not_mean_that_it_did_not_take_place() -> None:
    rig = Rig()
    rig.settle(pay("m1"), setl_id="S1")
    rig.link.region = attrs.evolve(rig.link.region, reversible=(*rig.link.region.reversible, "2208"))
    fall_into_doubt(rig, refund("u1", "S1"))
    rig.far.plays = says(-1, "该结算已撤销", q5203={"setlinfo": [row(setl_id="S1", refd_setl_flag="0")]})
    rig.run(700)
    assert rig.state("u1") != "REVERSED"


def test_who_waited_too_long_hears_the_state_the_journal_has() -> None:
    rig = Rig()
    rig.settle(pay("m1"), setl_id="S1")
    rig.link.region = attrs.evolve(rig.link.region, reversible=(*rig.link.region.reversible, "2208"))
    fall_into_doubt(rig, refund("u1", "S1"))
    rig.run()
    caller = rig.ask(undo("r1", omsgid="u1", oinfno="2208"))
    rig.run(30)
    assert caller.said[2] == rig.state("u1") == "IN_DOUBT"


def test_a_transaction_that_was_taken_out_of_the_region_does_not_stop_the_node() -> None:
    rig = at_once()
    reversing(rig)
    rig.kill()
    rig.start()
    rig.link.plans = {infno: plan for infno, plan in rig.link.plans.items() if infno != "2207"}
    recover(rig.store, rig.room.lanes, rig.room.office, rig.clock.seconds())
    rig.far.plays = says(0)
    rig.run(2)
    assert rig.state("m1") == "REVERSED"


def test_a_reversal_in_doubt_whose_original_nobody_knows_is_told() -> None:
    rig = Rig(institution={"his_may_reverse_acked": True})
    rig.settle(pay("m1"))
    rig.ask(undo("r1"))
    del rig.store.journal.by_msgid[rig.row("m1").fixmedins_code, "m1"]
    rig.restart()
    assert rig.watch.alarms


def test_reversals_of_one_institution_sign_in_together() -> None:
    """Thirty sign-ins for ten reversals, and each may make the number of the one before invalid."""
    rig = at_once()
    for number in range(10):
        rig.ask(pay(f"m{number}", psn_no=str(number)))
    rig.far.plays = says(-1, "未签到", q9001={"signinoutb": {"sign_no": "N"}})
    for one in list(rig.far.sent):
        one.listener.lost("connection lost")
    rig.run(2)
    assert len(sent_of(rig, "9001")) <= 3


def test_two_workplaces_with_two_sign_ins_do_not_write_a_head_with_every_request() -> None:
    rig = Rig()
    for number in range(4):
        rig.settle(pay(f"a{number}", f"A{number}") | {"sign_no": str(number % 2)})
    before = sum(rig.disk.batches)
    for number in range(10):
        rig.settle(pay(f"m{number}", f"B{number}") | {"sign_no": str(number % 2)})
    rig.run(1)
    assert sum(rig.disk.batches) - before <= 22
