"""A reversal by order of the books: through store and forward, once however often ordered, also over a restart."""

import json

import attrs
import pytest
from exchange_messages import HOME, PERSON, pay, refund
from exchange_rig import Rig
from exchange_undo import at_once, fall_into_doubt, says, sent_of, undo

from gateway.books.journal import ledger_row
from gateway.exchange.lanes import Lanes
from gateway.exchange.ordered import Ordered, Stated, Told


def ordered(rig: Rig, msgid: str = "b1", omsgid: str = "m1", unheard: bool = False) -> list[Told]:
    told: list[Told] = []
    Ordered(rig.room.office).reverse(HOME, omsgid, msgid, told.append, unheard)
    rig.run()
    return told


def refused(rig: Rig) -> None:
    """A settlement the platform says no to (and has all the same)."""
    rig.ask(pay("m1"))
    rig.far.last.reply(-1, "业务数据不合规")
    rig.run()
    assert rig.state("m1") == "REJECTED"


@pytest.fixture
def rig() -> Rig:
    return at_once()


def test_what_was_refused_is_reversed_and_its_own_end_stays(rig: Rig) -> None:
    refused(rig)
    rig.far.plays = says(0)
    assert ordered(rig) == ["done"]
    (sent,) = sent_of(rig, "2601")
    assert sent.message["input"]["data"]["omsgid"] == "m1"
    assert sent.message["msgid"] not in ("b1", "m1")
    assert (rig.state("m1"), rig.state("b1")) == ("REJECTED", "CONFIRMED")
    assert not rig.room.lanes.held()


def unheard(rig: Rig) -> None:
    """A settlement whose answer found nobody on the line."""
    caller = rig.ask(pay("m1"))
    caller.up = False
    rig.far.last.settled()
    rig.run()
    assert (rig.state("m1"), rig.row("m1").delivered) == ("ACKED", False)


def test_what_the_institution_never_heard_is_taken_back(rig: Rig) -> None:
    unheard(rig)
    rig.far.plays = says(0)
    assert ordered(rig, unheard=True) == ["done"]
    assert (rig.state("m1"), rig.row("m1").cancelled) == ("ACKED", True)


def test_what_it_heard_of_meanwhile_stays_unless_people_decided_it(rig: Rig) -> None:
    unheard(rig)
    assert rig.ask(pay("m1")).answer["infcode"] == 0  # it asked again after the journal was read
    assert ordered(rig, unheard=True) == ["delivered"]
    assert (sent_of(rig, "2601"), rig.room.lanes.held()) == ([], [])
    rig.far.plays = says(0)
    assert ordered(rig, "b2") == ["done"]


def test_who_asks_while_the_order_is_on_its_way_keeps_the_settlement(rig: Rig) -> None:
    unheard(rig)
    told: list[Told] = []
    Ordered(rig.room.office).reverse(HOME, "m1", "b1", told.append, True)
    late = rig.post(pay("m1"))
    rig.run()
    heard = late.answer["infcode"] == 0
    assert (told, len(sent_of(rig, "2601"))) == ((["delivered"], 0) if heard else ([], 1))


def test_what_the_books_took_back_without_proof_is_not_told_as_a_success(rig: Rig) -> None:
    """I3: whether it was taken back, a person finds out; until then nobody may hear that it stands."""
    unheard(rig)
    rig.far.plays = says(-1, "已日结，不能冲正")
    assert ordered(rig, unheard=True) == ["manual"]
    assert rig.ask(pay("m1")).said == (200, "GW-MANUAL", "MANUAL", "no")
    assert not rig.row("m1").delivered


def test_an_order_about_another_msgid_that_begins_alike_hides_nothing(rig: Rig) -> None:
    unheard(rig)
    rig.ask(pay("m15", batch="B15"))
    rig.far.last.reply(-1, "业务数据不合规")
    rig.run()
    rig.far.plays = says(-1, "已日结，不能冲正")
    assert ordered(rig, omsgid="m15") == ["manual"]
    assert rig.ask(pay("m1")).answer["infcode"] == 0


def test_what_was_cancelled_meanwhile_is_not_reversed_again(rig: Rig) -> None:
    unheard(rig)
    rig.far.plays = says(0)
    rig.ask(undo("u1"))
    assert rig.row("m1").cancelled
    before = len(sent_of(rig, "2601"))
    assert ordered(rig, unheard=True) == ["done"]
    assert len(sent_of(rig, "2601")) == before
    assert not rig.room.lanes.held()


def test_the_same_order_again_sends_nothing(rig: Rig) -> None:
    refused(rig)
    rig.far.plays = says(0)
    assert (ordered(rig), ordered(rig)) == (["done"], ["done"])
    assert len(sent_of(rig, "2601")) == 1
    assert ordered(rig, "b2") == ["done"]  # another attempt of the books is another order (S3)
    assert len(sent_of(rig, "2601")) == 2


def test_a_node_that_dies_meanwhile_goes_on_and_the_order_finds_its_end(rig: Rig) -> None:
    refused(rig)
    assert ordered(rig) == []  # no answer yet
    assert len(sent_of(rig, "2601")) == 1
    rig.kill()
    rig.restart()
    assert ordered(rig) == ["under_way"]
    again = sent_of(rig, "2601")[1]  # nobody knows whether the first arrived: the same original, another msgid
    assert again.message["input"]["data"]["omsgid"] == "m1"
    again.reply(0)
    rig.run()
    assert rig.state("b1") == "CONFIRMED"
    assert ordered(rig) == ["done"]


def test_what_is_being_reversed_already_is_only_hurried(rig: Rig) -> None:
    fall_into_doubt(rig)
    rig.run()
    before = len(sent_of(rig, "2601"))
    assert ordered(rig) == ["under_way"]
    assert len(sent_of(rig, "2601")) == before


def test_an_original_nobody_knows_and_a_platform_that_says_no(rig: Rig) -> None:
    assert ordered(rig) == ["unknown"]
    refused(rig)
    rig.far.plays = says(-1, "该交易不允许冲正")
    assert ordered(rig) == ["manual"]
    assert (rig.state("b1"), rig.state("m1")) == ("MANUAL", "REJECTED")


def test_what_the_province_does_not_list_is_a_persons_business(rig: Rig) -> None:
    """2208 cannot be reversed by 2601 in most provinces; an order does not change that."""
    rig.settle(pay("m1"), setl_id="S1")
    rig.ask(refund("u1", "S1"))
    rig.far.last.reply(0, output={"setlinfo": {"setl_id": "S9", "psn_no": PERSON}})
    rig.run()
    assert ordered(rig, omsgid="u1") == ["manual"]
    assert not sent_of(rig, "2601") and not rig.room.lanes.held()
    assert rig.row("m1").cancelled


# --- what this journal never saw --------------------------------------------------------------------------------------

STATED = Stated(
    oinfno="2207", psn_no=PERSON, link="national", medfee_fen=10_000,
    settled='{"setl_time":"2026-02-27","medfee_sumamt":10000}',
)  # fmt: skip


def stated(rig: Rig, msgid: str = "b1", what: Stated = STATED) -> list[Told]:
    told: list[Told] = []
    Ordered(rig.room.office).reverse(HOME, "x1", msgid, told.append, stated=what)
    rig.run()
    return told


def test_what_people_state_of_an_unknown_original_is_reversed_and_dated_as_the_agency_has_it(rig: Rig) -> None:
    rig.far.plays = says(0)
    assert (stated(rig), stated(rig)) == (["done"], ["done"])
    (sent,) = sent_of(rig, "2601")
    assert sent.message["input"]["data"] == {"psn_no": PERSON, "omsgid": "x1", "oinfno": "2207"}
    row = rig.row("x1")
    assert (row.state, row.infno, row.cancelled, rig.state("b1")) == ("EXTERNAL", "2207", True, "CONFIRMED")
    cells = ledger_row(row, set())
    assert cells is not None
    assert (cells["setl_time"], cells["status"], cells["medfee_sumamt"]) == ("2026-02-27", "REVERSED", "100.00")
    assert not rig.room.lanes.held()


@pytest.mark.parametrize(("name", "value"), [("oinfno", "2208"), ("oinfno", "9999"), ("link", "elsewhere")])
def test_what_cannot_be_reversed_here_leaves_no_trace(rig: Rig, name: str, value: str) -> None:
    assert stated(rig, what=attrs.evolve(STATED, **{name: value})) == ["unknown"]
    assert (sent_of(rig, "2601"), rig.states("x1")) == ([], [])


def test_a_node_that_dies_before_the_order_goes_on_with_the_original_it_made(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Lanes, "enter", lambda lanes, record: False)  # the person is at a counter
        assert stated(rig) == ["busy"]
    assert (rig.states("x1"), rig.states("b1")) == (["EXTERNAL", "EXTERNAL"], [])
    rig.kill()
    rig.restart()
    rig.far.plays = says(0)
    assert stated(rig) == ["done"]
    assert len(sent_of(rig, "2601")) == 1
    assert json.loads(rig.row("x1").settled)["setl_time"] == "2026-02-27"


def test_another_persons_record_is_not_what_people_state(rig: Rig) -> None:
    rig.far.plays = says(0)
    assert stated(rig) == ["done"]
    assert stated(rig, "b2", attrs.evolve(STATED, psn_no="51080000000000000002")) == ["unknown"]
    assert len(sent_of(rig, "2601")) == 1


def test_a_wrong_transaction_can_be_stated_anew(rig: Rig) -> None:
    rig.far.plays = says(-1, "该交易不支持冲正")
    assert stated(rig, what=attrs.evolve(STATED, oinfno="2304")) == ["manual"]
    rig.far.plays = says(0)
    assert stated(rig, "b2") == ["done"]
    assert [one.message["input"]["data"]["oinfno"] for one in sent_of(rig, "2601")][-1] == "2207"
