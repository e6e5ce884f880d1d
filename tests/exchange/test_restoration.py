"""RECOVERY: after a restored backup the platform is asked about everything since, before money is taken (§9)."""

from datetime import timedelta

import attrs
import pytest
from exchange_agency import GROUP, OTHERS, Agency, differing, known_group
from exchange_messages import HOME, PERSON, pay, refund
from exchange_rig import T0_S, Rig
from exchange_undo import at_once, fall_into_doubt, reasons, row_on_queue, says, sent_of, undo

from gateway.exchange.restoration import Restoration, begin_again

DAY_S = 86400.0


@attrs.define
class Over:
    """Whether it is over, and the restoration."""

    rig: Rig
    times: int = 0
    asks: Restoration = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        room = self.rig.room
        here = {HOME: room.door.institutions[HOME]}
        since_ms = self.rig.store.journal.restored_ms
        assert since_ms is not None
        self.asks = Restoration(room.office, here, since_ms, self.ended)

    def ended(self) -> None:
        self.times += 1


def restored(rig: Rig, agency: Agency, since_s: float = T0_S) -> Over:
    """Start on a backup, one day later."""
    rig.kill()
    rig.store.journal.restored_ms = int(since_s * 1000)
    rig.clock.advance(DAY_S)
    rig.far.plays = agency
    rig.start()
    begin_again(rig.store, rig.room.office, rig.clock.seconds())
    over = Over(rig)
    over.asks.start()
    return over


def test_what_only_the_platform_knows_is_kept_and_never_sent_again() -> None:
    rig = at_once()
    known_group(rig)
    over = restored(rig, Agency([differing("x1", "60.00"), differing("x2", "-1.00", refd="1", psn_no=OTHERS)]))
    rig.run(1)
    assert (over.times, over.asks.left, rig.store.journal.restored_ms) == (1, set(), None)
    (asked,) = sent_of(rig, "3202")
    days = asked.message["input"]["data"]
    assert (days["stmt_begndate"], days["stmt_enddate"]) == ("2026-03-02", "2026-03-03")
    row = rig.row("x1")
    assert (row.state, row.psn_no, row.medfee_fen) == ("EXTERNAL", PERSON, 6000)
    assert rig.state("x2") == "EXTERNAL"
    before = len(rig.far.sent)
    assert rig.ask(pay("x1")).said == (200, "GW-MANUAL", "MANUAL", "no")
    assert len(rig.far.sent) == before


def test_every_group_the_journal_has_ever_seen_is_asked_and_that_is_kept() -> None:
    """A kind of clearing that is rare was not seen in the last week; one of before 400 days is not asked."""
    rig = at_once()
    for days, clr_type in ((0, "97"), (100, "99"), (300, "14")):
        rig.run(days * DAY_S)
        rig.settle(pay(f"g{days}", f"B9{days}", psn_no=OTHERS, visit="V9"), **GROUP | {"clr_type": clr_type})
    rig.run(20 * DAY_S)
    known_group(rig)
    over = restored(rig, Agency([differing("x1", "60.00")]), since_s=rig.clock.seconds())
    rig.run(1)
    assert over.times == 1
    asked = [one.message["input"]["data"]["clr_type"] for one in sent_of(rig, "3202")]
    assert asked == ["11", "14", "99"]
    kept = rig.store.journal.compared[HOME, "national"]
    assert kept.groups == (("510800", "11"), ("510800", "14"), ("510800", "99"))
    assert (kept.theirs, kept.unnamed) == (1, 0)  # this agency says the same of every group
    assert rig.watch.alarms == []
    assert kept.days[1] - kept.days[0] == timedelta(days=1)


def test_what_the_platform_gives_no_msgid_of_is_kept_too_once_and_raises_an_alarm() -> None:
    rig = at_once()
    known_group(rig)
    nameless = differing("null", "60.00")
    rows = [nameless, differing("x1", "1.00"), nameless, differing("null", "2.00", psn_no=OTHERS, known="S?")]
    for _ in range(2):  # a crash before it was over begins again
        over = restored(rig, Agency(rows))
        rig.run(1)
    assert over.times == 1
    assert rig.watch.alarms == [("statement_unnamed", "")] * 2
    kept = [row for row in rig.store.journal.rows.values() if row.state == "EXTERNAL"]
    assert sorted((row.psn_no, row.medfee_fen) for row in kept) == [
        (PERSON, 100), (PERSON, 6000), (PERSON, 6000), (OTHERS, 200),
    ]  # fmt: skip
    assert {row.msgid[0] for row in kept} == {"x", "~"}
    assert all(len(row.msgid) <= 30 for row in kept)
    report = rig.store.journal.compared[HOME, "national"]
    assert (report.theirs, report.unnamed) == (4, 3)
    told = [reason for number, _, _, reason in rig.store.journal.events if number in {row.id for row in kept}]
    assert sorted(told) == ["restored_external"] + ["restored_unnamed"] * 3


@pytest.mark.parametrize("code", ["2207", "2102", ""])
def test_a_success_it_learnt_of_may_have_been_handed_over_so_nobody_reverses_it_by_message(code: str) -> None:
    """RV4; and a statement does not say which transaction it was, which 2601 must."""
    rig = Rig(settings={"resolve": "Q4"}, institution={"his_may_reverse_acked": True, "reverse_unknown": True})
    known_group(rig)
    restored(rig, Agency([differing("x1", "60.00")]))
    rig.run(1)
    assert rig.ask(undo("r1", omsgid="x1", oinfno=code)).answer["infcode"] == -1
    assert sent_of(rig, "2601") == []


def test_what_the_backup_holds_open_goes_to_a_person_and_is_not_reversed() -> None:
    """Its late success may have been told after the backup."""
    rig = at_once()
    setl_id = known_group(rig)
    rig.far.plays = Agency()
    fall_into_doubt(rig, pay("m1"))
    rig.run(1)
    rig.far.plays = None
    rig.ask(refund("m2", setl_id, psn_no=OTHERS))
    rig.ask(pay("m3", "B3", psn_no=OTHERS))
    assert [rig.state(one) for one in ("m1", "m2", "m3")] == ["REVERSING", "SENT", "JOURNALED"]
    sent = len(sent_of(rig, "2601"))
    over = restored(rig, Agency())
    rig.run(DAY_S)
    assert over.times == 1
    assert [rig.state(one) for one in ("m1", "m2", "m3")] == ["MANUAL"] * 3
    assert (reasons(rig)[-1], row_on_queue(rig).state) == ("restored", "DEAD")
    assert len(sent_of(rig, "2601")) == sent
    assert not rig.room.lanes.held()


def test_a_late_success_of_before_the_backup_is_not_followed_up_again() -> None:
    """Whether it was is lost with what came after the backup; its day may be solidified since (RV10)."""
    rig = at_once()
    known_group(rig)
    rig.far.plays = says(-1, "原交易不存在")
    original = fall_into_doubt(rig, pay("m1"))
    rig.run(130)
    assert rig.state("m1") == "REVERSED"
    original.settled()
    rig.clock.advance(0.001)  # the evidence, and no more
    assert reasons(rig)[-1].startswith("late_response acked")
    restored(rig, Agency())
    rig.run(1)
    assert rig.watch.alarms[-1] == ("LATE_RESPONSE", "m1")
    sent = len(sent_of(rig, "2601"))
    for _ in range(2):
        rig.restart()
        rig.run(60)
    assert (rig.state("m1"), reasons(rig)[-1]) == ("REVERSED", "restored")
    assert len(sent_of(rig, "2601")) == sent


@pytest.mark.parametrize("deaf", ["9101", "3202", "9102"])
def test_it_does_not_end_until_the_platform_has_answered(deaf: str) -> None:
    rig = at_once()
    known_group(rig)
    agency = Agency([differing("x1", "60.00")], deaf=deaf)
    over = restored(rig, agency)
    rig.run(3600)
    assert (over.times, over.asks.left) == (0, {HOME})
    agency.deaf = ""
    rig.run(1300)
    assert (over.times, rig.state("x1")) == (1, "EXTERNAL")


def test_an_institution_nobody_can_ask_about_waits_for_a_person() -> None:
    rig = at_once()
    over = restored(rig, Agency())
    rig.run(3600)
    assert (over.times, over.asks.left) == (0, {HOME})


def test_a_crash_meanwhile_gives_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.exchange.restoration.KEPT_AT_ONCE", 1)
    rig = at_once()
    known_group(rig)
    agency = Agency([differing("x1", "60.00"), differing("x2", "1.00", psn_no=OTHERS)])
    restored(rig, agency)
    while rig.row("x1") is None:
        rig.run(0.0005)
    assert rig.row("x2") is None
    over = restored(rig, agency)
    rig.run(1)
    assert (over.times, rig.state("x1"), rig.state("x2")) == (1, "EXTERNAL", "EXTERNAL")
    assert len(rig.store.journal.by_msgid) == len(rig.store.journal.rows)


def test_the_second_of_a_msgid_was_booked_twice_and_is_kept_too() -> None:
    rig = at_once()
    known_group(rig)
    rows = [differing("x1", "60.00"), differing("x1", "60.00"), differing("x1", "61.00")]
    restored(rig, Agency(rows))
    rig.run(1)
    kept = [row for row in rig.store.journal.rows.values() if row.state == "EXTERNAL"]
    assert sorted((row.msgid[0], row.medfee_fen) for row in kept) == [("x", 6000), ("~", 6000), ("~", 6100)]
    assert rig.watch.alarms == [("statement_twice", "x1")]
    assert rig.store.journal.compared[HOME, "national"].unnamed == 0


def test_a_clock_that_was_set_back_does_not_make_it_ask_about_no_day() -> None:
    rig = at_once()
    known_group(rig)
    over = restored(rig, Agency([differing("x1", "60.00")]), since_s=T0_S + 3 * DAY_S)
    rig.run(1)
    (asked,) = sent_of(rig, "3202")
    assert asked.message["input"]["data"]["stmt_begndate"] == "2026-03-03"
    assert (over.times, rig.state("x1")) == (1, "EXTERNAL")


def test_many_rows_are_kept_together_and_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.exchange.restoration.KEPT_AT_ONCE", 100)
    rig = at_once()
    known_group(rig)
    over = restored(rig, Agency([differing(f"x{number}", "1.00") for number in range(950)]))
    rig.disk.batches.clear()
    rig.run(1)
    assert over.times == 1
    assert sum(row.state == "EXTERNAL" for row in rig.store.journal.rows.values()) == 950
    assert len(rig.disk.batches) < 50


def test_a_full_disk_is_waited_for() -> None:
    rig = at_once()
    known_group(rig)
    over = restored(rig, Agency([differing("x1", "60.00")]))
    while not sent_of(rig, "9102"):
        rig.run(0.001)
    rig.disk.full = True
    rig.run(30)
    assert over.times == 0
    rig.disk.full = False
    rig.run(300)
    assert (over.times, rig.state("x1")) == (1, "EXTERNAL")
