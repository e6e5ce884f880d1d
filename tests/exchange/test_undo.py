"""One doubt on its way to its end, reversed at once (Q4): every answer to 2601, what each sending says, and the limits.

Rules: reversal specification §5.1 (times, attempts), §5.2 (answers), §5.3 ("not found"), RV3, RV11, I7.
"""

from itertools import pairwise

import pytest
from exchange_messages import HOME, PERSON, pay, sale
from exchange_rig import T0_S, TICK_S, TRIP_S, Caller, Rig
from exchange_undo import (
    at_once,
    by_table,
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
)

HOUR_S = 3600.0
QUIESCE_S = 120.0
LANE = f"p|{PERSON}"


@pytest.fixture
def rig() -> Rig:
    return at_once()


def end_of(rig: Rig, msgid: str = "m1") -> tuple[str, str, str]:
    """(state of the record, why, state of its row on the queue)"""
    return rig.state(msgid), reasons(rig, msgid)[-1], row_on_queue(rig, msgid).state


def assert_free_again(rig: Rig) -> Caller:
    """The lane and the business key are free: the same batch settles under a new msgid."""
    assert rig.room.lanes.holder(LANE) is None
    rig.far.plays = None
    return rig.settle(pay("again"))


# --- every answer (§5.2) ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("infcode", "text"),
    [(0, ""), (-1, "该交易已冲正"), (-1, "原交易已撤销"), (-1, "原交易未成功，无需冲正"), ("-1", "重复冲正")],
)
def test_what_the_platform_says_is_undone_is_reversed_and_everything_is_free_again(
    rig: Rig, infcode: object, text: str
) -> None:
    reversing(rig).reply(infcode, text)
    rig.run()
    assert end_of(rig) == ("REVERSED", "reversed", "DONE")
    assert rig.states("m1") == ["JOURNALED", "SENT", "IN_DOUBT", "REVERSING", "REVERSED"]
    assert sending_of(rig, rig.far.last).state == "ACKED"
    assert rig.watch.ends == ["reversed"]
    assert rig.ask(pay("m1")).said == (200, "GW-REVERSED", "REVERSED", "new")
    assert rig.room.office.depth == 0 and not rig.room.office.live
    assert_free_again(rig)
    rig.run(25 * HOUR_S)
    assert len(sent_of(rig, "2601")) == 1


def test_what_cannot_be_undone_goes_to_a_person_who_blocks_the_batch_but_not_the_patient(rig: Rig) -> None:
    """§7: MANUAL keeps the business key, and frees the lane: an emergency must be able to settle."""
    reversing(rig).reply(-1, "存在后续业务，不能冲正")
    rig.run()
    assert end_of(rig) == ("MANUAL", "impossible", "DEAD")
    assert ("manual", "m1") in rig.watch.alarms
    assert rig.watch.ends == ["manual"]
    assert rig.ask(pay("m1")).said == (200, "GW-MANUAL", "MANUAL", "no")
    same = rig.ask(pay("m2"))
    assert same.said == (200, "GW-MANUAL", "MANUAL", "no")
    assert same.answer["gw_msgid"] == "m1"
    rig.settle(pay("m3", "B3"))
    rig.run(25 * HOUR_S)
    assert len(sent_of(rig, "2601")) == 1


@pytest.mark.parametrize(
    ("infcode", "text", "state"),
    [
        (-1, "系统异常", "DONE"),
        (-1, "", "DONE"),
        (7, "已冲正", "DONE"),
        (-1, "人员不存在", "REJECTED"),
    ],
)
def test_what_says_nothing_is_sent_again_by_the_schedule(rig: Rig, infcode: object, text: str, state: str) -> None:
    first = reversing(rig)
    first.reply(infcode, text)
    rig.run(4.9)
    assert rig.far.last is first
    assert (rig.state("m1"), row_on_queue(rig).state) == ("REVERSING", "QUEUED")
    assert sending_of(rig, first).state == state
    rig.run(0.2)
    assert rig.far.last is not first
    assert row_on_queue(rig).state == "INFLIGHT"
    rig.far.last.reply(0)
    rig.run()
    assert rig.state("m1") == "REVERSED"


@pytest.mark.parametrize("body", [b"", b"<html>502</html>", b'{"infcode":0', b'{"infcode":0,"infcode":-1}'])
def test_an_answer_that_cannot_be_read_is_no_answer(rig: Rig, body: bytes) -> None:
    first = reversing(rig)
    first.raw(body)
    rig.run(6)
    assert rig.state("m1") == "REVERSING"
    assert sending_of(rig, first).state == "DONE"
    assert len(sent_of(rig, "2601")) == 2


def test_a_sending_that_never_left_says_so_and_is_sent_again(rig: Rig) -> None:
    first = reversing(rig)
    first.listener.not_sent("connection refused")
    rig.run(6)
    assert sending_of(rig, first).state == "NOT_SENT"
    assert reasons(rig, first.message["msgid"])[-1] == "connection refused"
    assert len(sent_of(rig, "2601")) == 2


def test_a_refusal_of_the_access_layer_is_no_word_of_the_platforms(rig: Rig) -> None:
    rig.far.plays = by_turns(*[lambda one: one.raw(b'{"code":401,"message":"x"}', 401)] * 5, says(0))
    fall_into_doubt(rig)
    rig.run(HOUR_S)
    assert rig.state("m1") == "REVERSED"  # five of them are no reason to give up
    assert [sending_of(rig, one).state for one in sent_of(rig, "2601")] == ["NOT_SENT"] * 5 + ["ACKED"]


def test_a_business_error_nobody_has_words_for_is_tried_three_times_more(rig: Rig) -> None:
    rig.far.plays = says(-1, "人员不存在")
    fall_into_doubt(rig)
    rig.run(HOUR_S)
    assert len(sent_of(rig, "2601")) == 4
    assert end_of(rig) == ("MANUAL", "refused", "DEAD")
    assert ("manual", "m1") in rig.watch.alarms


def test_silence_in_between_does_not_count_as_such_an_error(rig: Rig) -> None:
    odd, lost = says(-1, "冲正失败"), cut
    rig.far.plays = by_turns(odd, lost, odd, lost, lost, odd, lost, says(0))
    fall_into_doubt(rig)
    rig.run(HOUR_S)
    assert rig.state("m1") == "REVERSED"
    assert len(sent_of(rig, "2601")) == 8


# --- "not found" (§5.3) -----------------------------------------------------------------------------------------------


def test_not_found_is_believed_only_when_nothing_can_be_booked_behind_it_any_more(rig: Rig) -> None:
    rig.far.plays = says(-1, "原交易不存在")
    original = fall_into_doubt(rig)
    rig.run(QUIESCE_S - 1)
    assert rig.state("m1") == "REVERSING"
    assert len(sent_of(rig, "2601")) == 1
    rig.run(2)
    first, second = sent_of(rig, "2601")
    assert first.at < original.at + QUIESCE_S <= second.at
    assert end_of(rig) == ("REVERSED", "reversed_absent", "DONE")
    assert rig.watch.ends == ["absent"]
    assert rig.ask(pay("m1")).said == (200, "GW-REVERSED", "REVERSED", "new")
    assert_free_again(rig)


def test_what_was_booked_after_not_found_is_reversed(rig: Rig) -> None:
    rig.far.plays = by_turns(says(-1, "原交易不存在"), says(0))
    fall_into_doubt(rig)
    rig.run(QUIESCE_S + 2)
    assert end_of(rig) == ("REVERSED", "reversed", "DONE")


def test_not_found_late_enough_needs_no_second_asking(rig: Rig) -> None:
    rig.far.plays = by_turns(cut, cut, cut, cut, says(-1, "原交易不存在"))
    fall_into_doubt(rig)
    rig.run(HOUR_S)
    assert len(sent_of(rig, "2601")) == 5
    assert sent_of(rig, "2601")[-1].at > T0_S + QUIESCE_S
    assert end_of(rig) == ("REVERSED", "reversed_absent", "DONE")


def test_how_long_it_may_still_be_booked_is_counted_from_when_the_original_left(rig: Rig) -> None:
    """Not from the end of its late window: a patient stands at the counter."""
    rig.ask(pay("m1"))
    original = rig.far.last
    rig.run(20)
    original.listener.silent()
    rig.run(3)
    rig.far.plays = says(-1, "原交易不存在")
    original.listener.lost("no answer in time")
    rig.run(QUIESCE_S)
    assert len(sent_of(rig, "2601")) == 2
    assert sent_of(rig, "2601")[-1].at == pytest.approx(original.at + QUIESCE_S, abs=0.5)


def test_a_sending_that_left_too_early_proves_nothing_by_an_answer_that_comes_late(rig: Rig) -> None:
    """What counts is when the question left: the platform may have looked before the original was booked."""
    rig.link.quiesce_s = 10.0
    fall_into_doubt(rig)
    rig.run(1)
    rig.far.last.listener.silent()
    rig.run(12)
    assert live(rig).quiet
    rig.far.last.reply(-1, "原交易不存在")
    rig.run(0.5)
    assert rig.state("m1") == "REVERSING"
    assert len(sent_of(rig, "2601")) == 2  # at once: now it can be believed
    rig.far.last.reply(-1, "原交易不存在")
    rig.run()
    assert end_of(rig) == ("REVERSED", "reversed_absent", "DONE")


# --- what each sending says (RV1, I7) ---------------------------------------------------------------------------------


def test_each_sending_has_its_own_msgid_and_the_originals_facts(rig: Rig) -> None:
    rig.far.plays = cut
    fall_into_doubt(rig, pay("m1") | {"insuplc_admdvs": "510100", "mdtrtarea_admvs": "510800", "sign_no": "SN1"})
    rig.run(HOUR_S)
    sent = sent_of(rig, "2601")
    assert len(sent) > 6
    assert len({one.message["msgid"] for one in sent}) == len(sent)
    for one in sent:
        head = {name: value for name, value in one.message.items() if name not in ("msgid", "inf_time")}
        assert head == {
            "infno": "2601", "mdtrtarea_admvs": "510800", "insuplc_admdvs": "510100", "recer_sys_code": "YBXT",
            "dev_no": "", "dev_safe_info": "", "cainfo": "", "signtype": "", "infver": "V1.0", "opter_type": "1",
            "opter": "gateway", "opter_name": "两定网关", "fixmedins_code": HOME, "fixmedins_name": HOME,
            "sign_no": "SN1", "input": {"data": {"psn_no": PERSON, "omsgid": "m1", "oinfno": "2207"}},
        }  # fmt: skip
        row = sending_of(rig, one)
        assert (row.klass, row.omsgid, row.psn_no, row.insuplc_admdvs) == ("R", "m1", PERSON, "510100")
        assert (row.lane, row.business_key) == ("", "")  # it works on the lane its original holds
        assert len(one.message["msgid"]) == 30 and one.message["msgid"].startswith(HOME)


def test_a_sale_is_reversed_in_its_shops_name(rig: Rig) -> None:
    fall_into_doubt(rig, sale("m1"))
    rig.run()
    message = rig.far.last.message
    assert message["input"]["data"]["oinfno"] == "2102"
    assert (message["fixmedins_code"], message["msgid"][:12]) == ("P51080200101",) * 2


def test_a_number_that_is_taken_already_is_not_used_again(rig: Rig) -> None:
    """An institution may have used the very msgid our chance came up with."""
    fall_into_doubt(rig)
    rig.disk.held = True
    rig.run(0.01)
    rig.disk.release()
    taken = f"{HOME}20260302080000R100"  # what the first throw of the dice would give
    rig.store.journal.by_msgid[HOME, taken] = rig.row("m1").id
    rig.run()
    assert sent_of(rig, "2601") == []
    rig.run(1.1)
    assert [one.message["msgid"] for one in sent_of(rig, "2601")] == [f"{HOME}20260302080001R200"]
    assert row_on_queue(rig).attempt == 1


# --- when (§5.1) ------------------------------------------------------------------------------------------------------


class Loaded:
    """Dice that always show the same."""

    def __init__(self, face: float) -> None:
        self.face, self.thrown = face, 0

    def random(self) -> float:
        return self.face

    def randrange(self, stop: int, /) -> int:
        self.thrown += 1
        return self.thrown % stop


@pytest.mark.parametrize(("face", "factor"), [(0.5, 1.0), (0.0, 0.8), (0.999999, 1.2)])
def test_sendings_follow_the_schedule_within_a_fifth(rig: Rig, face: float, factor: float) -> None:
    rig.room.office.dice = Loaded(face)
    rig.far.plays = cut
    fall_into_doubt(rig)
    rig.run(2 * HOUR_S)
    times = [one.at for one in sent_of(rig, "2601")]
    gaps = [later - sooner for sooner, later in pairwise(times)]
    expected = [5, 15, 45, 120, 300, 600, 600, 600]
    assert times[0] - T0_S < 1
    for gap, delay_s in zip(gaps, expected, strict=False):
        assert gap == pytest.approx(delay_s * factor + TRIP_S + TICK_S, abs=0.01)
    assert len(gaps) >= len(expected)


def test_a_link_may_have_a_schedule_of_its_own() -> None:
    rig = at_once(reversal_schedule_s=[2, 30])
    rig.far.plays = cut
    fall_into_doubt(rig)
    rig.run(70)
    assert [round(one.at - T0_S) for one in sent_of(rig, "2601")] == [2, 32, 62]


def test_after_six_attempts_somebody_is_told_once(rig: Rig) -> None:
    rig.far.plays = cut
    fall_into_doubt(rig)
    rig.run(480)
    assert len(sent_of(rig, "2601")) == 5
    assert ("reversal_slow", "m1") not in rig.watch.alarms
    rig.run(6 * HOUR_S)
    assert rig.watch.alarms.count(("reversal_slow", "m1")) == 1
    assert row_on_queue(rig).attempt > 30


# --- the limits (§5.1, RV11) ------------------------------------------------------------------------------------------


def test_after_a_day_the_row_is_dead_and_a_person_takes_over(rig: Rig) -> None:
    """Begun at 00:10, so that the day is over before RV11's hour comes."""
    rig.run(16 * HOUR_S + 600)
    rig.far.plays = cut
    fall_into_doubt(rig)
    rig.run(24 * HOUR_S - 1)
    assert (rig.state("m1"), row_on_queue(rig).state) == ("REVERSING", "QUEUED")
    rig.run(2)
    assert end_of(rig) == ("MANUAL", "time_is_up", "DEAD")
    assert ("manual", "m1") in rig.watch.alarms
    sent = len(rig.far.sent)
    rig.run(24 * HOUR_S)
    assert len(rig.far.sent) == sent


def test_a_restart_does_not_begin_the_day_anew(rig: Rig) -> None:
    rig.run(16 * HOUR_S + 600)
    rig.far.plays = cut
    fall_into_doubt(rig)
    rig.run(12 * HOUR_S)
    rig.restart()
    rig.run(12 * HOUR_S - 5)
    assert rig.state("m1") == "REVERSING"
    rig.run(10)
    assert end_of(rig) == ("MANUAL", "time_is_up", "DEAD")


def test_time_that_is_up_while_a_sending_is_on_its_way_waits_for_its_answer(rig: Rig) -> None:
    """It may say "done", and then no person is needed."""
    by_table(rig, give_up_s=100.0)
    first = reversing(rig)
    rig.run(101)
    assert rig.state("m1") == "REVERSING"
    first.reply(0)
    rig.run()
    assert rig.state("m1") == "REVERSED"


def test_time_that_is_up_lets_no_further_sending_leave(rig: Rig) -> None:
    by_table(rig, give_up_s=100.0)
    first = reversing(rig)
    rig.run(101)
    first.listener.lost("connection lost")
    rig.run(HOUR_S)
    assert end_of(rig) == ("MANUAL", "connection lost", "DEAD")
    assert len(sent_of(rig, "2601")) == 1


def test_at_half_past_eleven_at_night_there_is_an_extra_sending_and_an_hour_later_a_person() -> None:
    rig = at_once(reversal_schedule_s=[0, 40_000])  # 08:00, 19:06, then 06:13 of the next day
    rig.far.plays = cut
    fall_into_doubt(rig)
    rig.run(15.5 * HOUR_S - 1)
    assert len(sent_of(rig, "2601")) == 2
    rig.run(2)
    assert len(sent_of(rig, "2601")) == 3
    rig.run(HOUR_S - 2)
    assert rig.state("m1") == "REVERSING"
    rig.run(2)
    assert end_of(rig) == ("MANUAL", "time_is_up", "DEAD")
    assert len(sent_of(rig, "2601")) == 3


def test_a_doubt_after_half_past_eleven_has_until_half_past_twelve_of_the_night_after(rig: Rig) -> None:
    """RV11 speaks of the business day that ends, and this doubt is of that day: it has less than an hour."""
    rig.run(15.75 * HOUR_S)  # 23:45
    rig.far.plays = cut
    fall_into_doubt(rig)
    rig.run(0.75 * HOUR_S - 1)
    assert rig.state("m1") == "REVERSING"
    rig.run(2)
    assert rig.state("m1") == "MANUAL"
