"""2601 for what the journal never saw: refused, or with `reverse_unknown` decided by today's statement (RV9)."""

from typing import Any

import attrs
import pytest
from exchange_agency import OTHERS, Agency, differing, known_group
from exchange_messages import PERSON, pay
from exchange_rig import Rig, Sent
from exchange_undo import cut, refused, sent_of, undo


@attrs.define
class Willing(Agency):
    """One that also reverses: `says` are the answers to 2601, the last repeats."""

    says: tuple[tuple[Any, str], ...] = ((0, ""),)
    told: int = 0

    def __call__(self, one: Sent) -> None:
        if one.message["infno"] != "2601":
            Agency.__call__(self, one)
            return
        code, text = self.says[min(self.told, len(self.says) - 1)]
        self.told += 1
        cut(one) if code is None else one.reply(code, text)


def bypassed(**changes: Any) -> Rig:
    rig = Rig(settings={"resolve": "Q4"}, institution={"reverse_unknown": True, **changes})
    known_group(rig)
    return rig


SHOWN = [differing("x1", "60.00")]


def test_what_todays_statement_shows_is_forwarded_and_kept() -> None:
    rig = bypassed()
    rig.far.plays = Willing(SHOWN)
    caller = rig.post(undo("r1", omsgid="x1"))
    rig.run(1)
    assert (caller.status, caller.answer["infcode"]) == (200, 0)
    assert "gw_code" not in caller.answer
    (sent,) = sent_of(rig, "2601")
    assert sent.message["msgid"] == "r1"
    assert sent.message["input"]["data"] == {"psn_no": PERSON, "omsgid": "x1", "oinfno": "2207"}
    (compared,) = sent_of(rig, "3202")
    day = compared.message["input"]["data"]
    assert (day["stmt_begndate"], day["stmt_enddate"]) == ("2026-03-02", "2026-03-02")
    row = rig.row("x1")
    assert (row.state, row.cancelled, row.medfee_fen, row.klass) == ("EXTERNAL", True, 6000, "M")
    assert rig.states("x1") == ["EXTERNAL"]
    assert rig.ask(undo("r1", omsgid="x1")).raw == caller.raw
    assert refused(rig.ask(undo("r2", omsgid="x1")))  # cancelled already
    assert len(sent_of(rig, "2601")) == 1


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [differing("x2", "60.00")],
        [differing("x1", "60.00", psn_no=OTHERS)],  # RV2
        [differing("x1", "-60.00", refd="1")],
        [differing("x1", "60.00"), differing("x1", "60.00")],
        [differing("x1", "60.00", known="Sm0")],  # ours as well: no row of the agency alone
    ],
)
def test_what_it_does_not_show_is_refused(rows: list[str]) -> None:
    rig = bypassed()
    rig.far.plays = Willing(rows)
    caller = rig.post(undo("r1", omsgid="x1"))
    rig.run(1)
    assert refused(caller)
    assert ("reversal_unknown", "r1") in rig.watch.alarms
    assert (rig.row("x1"), rig.row("r1"), sent_of(rig, "2601")) == (None, None, [])


def test_a_statement_that_cannot_be_had_is_a_refusal_too() -> None:
    rig = bypassed()
    rig.far.plays = Willing(SHOWN, deaf="3202")
    caller = rig.post(undo("r1", omsgid="x1"))
    rig.run(1)
    assert refused(caller)


def test_without_the_setting_nobody_is_asked(rig: Rig) -> None:
    known_group(rig)
    rig.far.plays = Willing(SHOWN)
    assert refused(rig.ask(undo("r1", omsgid="x1")))
    assert sent_of(rig, "9101") == []


def test_who_asks_within_ten_minutes_is_answered_from_the_same_statement() -> None:
    rig = bypassed()
    third_person = "51080000000000000033"
    rig.far.plays = Willing([*SHOWN, differing("x2", "1.00", psn_no=third_person)])
    rig.post(undo("r1", omsgid="x1"))
    rig.run(1)
    second, third = rig.post(undo("r2", omsgid="x2", psn_no=third_person)), rig.post(undo("r3", omsgid="x3"))
    rig.run(1)
    assert second.answer["infcode"] == 0
    assert refused(third)
    assert len(sent_of(rig, "3202")) == 1


def test_a_slow_statement_is_waited_for_only_so_long_and_found_by_the_repeat() -> None:
    rig = bypassed()
    agency = Willing(SHOWN, mute="9102")
    rig.far.plays = agency
    first = rig.post(undo("r1", omsgid="x1"))
    rig.run(24)
    assert first.said == (200, "GW-IN-DOUBT", "IN_DOUBT", "ask")
    (waiting,) = sent_of(rig, "9102")
    agency.mute = ""
    agency(waiting)
    repeat = rig.post(undo("r1", omsgid="x1"))
    rig.run(1)
    assert (repeat.answer["infcode"], rig.row("x1").cancelled) == (0, True)
    assert len(sent_of(rig, "3202")) == 1


def test_its_own_doubt_is_ended_by_the_queue() -> None:
    rig = bypassed()
    rig.far.plays = Willing(SHOWN, says=((None, ""), (-1, "原交易已冲正")))
    caller = rig.post(undo("r1", omsgid="x1"))
    rig.run(60)
    assert caller.said == (200, "GW-IN-DOUBT", "IN_DOUBT", "ask")
    assert (rig.state("r1"), rig.row("x1").cancelled) == ("CONFIRMED", True)
    assert not rig.room.lanes.held()


def test_a_not_found_of_what_the_statement_showed_is_a_persons() -> None:
    rig = bypassed()
    rig.far.plays = Willing(SHOWN, says=((None, ""), (-1, "原交易不存在")))
    rig.post(undo("r1", omsgid="x1"))
    rig.run(400)
    assert (rig.state("r1"), rig.row("x1").cancelled) == ("MANUAL", False)


def test_a_restart_between_the_two_records_loses_nothing() -> None:
    rig = bypassed()
    rig.far.plays = Willing(SHOWN)
    rig.post(undo("r1", omsgid="x1"))
    while rig.row("x1") is None:
        rig.run(0.0005)
    rig.restart()
    assert sent_of(rig, "2601") == []
    again = rig.post(undo("r1", omsgid="x1"))
    rig.run(1)
    assert again.answer["infcode"] == 0
    assert len(sent_of(rig, "3202")) == 2  # something may have come after it since


def test_the_settlement_itself_is_never_sent_under_that_number() -> None:
    rig = bypassed()
    rig.far.plays = Willing(SHOWN, says=((-1, "存在后续业务，不能冲正"),))
    rig.post(undo("r1", omsgid="x1"))
    rig.run(1)
    before = len(rig.far.sent)
    assert rig.ask(pay("x1")).said == (200, "GW-MANUAL", "MANUAL", "no")
    assert len(rig.far.sent) == before
    reversed_one = bypassed()
    reversed_one.far.plays = Willing(SHOWN)
    reversed_one.post(undo("r1", omsgid="x1"))
    reversed_one.run(1)
    assert reversed_one.ask(pay("x1")).said == (200, "GW-REVERSED", "REVERSED", "new")


def test_a_disk_that_is_full_is_said_so() -> None:
    rig = bypassed()
    rig.far.plays = Willing(SHOWN)
    rig.post(undo("r0", omsgid="x0"))
    rig.run(1)
    rig.disk.full = True
    caller = rig.post(undo("r1", omsgid="x1"))
    rig.run(1)
    assert caller.said[:2] == (503, "GW-NOT-ACCEPTED")
    assert sent_of(rig, "2601") == []


# --- what came after it (RV6) -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "row",
    [
        differing("x2", "1.00"),
        differing("x2", "-60.00", refd="1"),  # its refund, which went past the gateway as well
        differing("null", "1.00"),
        differing("null", "1.00", psn_no="null"),
        differing("x2", "1.00", known="S?"),
    ],
)
def test_another_row_of_the_person_may_be_later(row: str) -> None:
    rig = bypassed()
    rig.far.plays = Willing([*SHOWN, row])
    caller = rig.post(undo("r1", omsgid="x1"))
    rig.run(1)
    assert refused(caller)
    assert "其他交易" in caller.answer["err_msg"]
    assert (sent_of(rig, "2601"), rig.state("x1")) == ([], "EXTERNAL")


@pytest.mark.parametrize(("days", "allowed"), [(0, False), (1, True)])
def test_what_the_journal_has_of_the_person_and_day_may_be_later(days: int, allowed: bool) -> None:
    """The record of the original is younger than both."""
    rig = bypassed()
    rig.settle(pay("m5", "B5"))
    rig.run(days * 86400.0)
    rig.far.plays = Willing(SHOWN)
    caller = rig.post(undo("r1", omsgid="x1"))
    rig.run(1)
    assert refused(caller) is not allowed
    assert len(sent_of(rig, "2601")) == allowed


def test_what_came_past_the_gateway_since_is_looked_for_each_time() -> None:
    rig = bypassed()
    rig.far.plays = agency = Willing(SHOWN, says=((-1, "存在后续业务，不能冲正"),))
    rig.post(undo("r1", omsgid="x1"))
    rig.run(1)
    assert (len(sent_of(rig, "2601")), rig.row("x1").cancelled) == (1, False)
    rig.run(700)
    agency.rows = [*SHOWN, differing("x2", "1.00")]
    second = rig.post(undo("r2", omsgid="x1"))
    rig.run(1)
    assert refused(second)
    rig.run(700)
    agency.rows = []  # and whether it is still there
    third = rig.post(undo("r3", omsgid="x1"))
    rig.run(1)
    assert refused(third)
    assert (len(sent_of(rig, "2601")), len(sent_of(rig, "3202"))) == (1, 3)


def test_one_that_is_known_is_not_reversed_once_the_setting_is_off() -> None:
    rig = bypassed()
    rig.far.plays = Willing(SHOWN, says=((-1, "存在后续业务，不能冲正"),))
    rig.post(undo("r1", omsgid="x1"))
    rig.run(1)
    for one in rig.room.door.institutions.values():
        one.reverse_unknown = False
    assert refused(rig.ask(undo("r2", omsgid="x1")))
    assert len(sent_of(rig, "2601")) == 1
