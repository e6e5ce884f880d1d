"""A cancellation in doubt (2208): the settlement it would undo can be asked about, so it is asked first, everywhere.

Rules: reversal specification §4.3; decision: a cancellation is never sent again by the gateway itself.
"""

from typing import Any

import attrs
import pytest
from exchange_messages import PERSON, VISIT, Json, pay, refund
from exchange_rig import T0_S, Rig, settlement
from exchange_undo import by_turns, cut, fall_into_doubt, reasons, says, sent_of, undo

from gateway.exchange.recovery import recover

LANE = f"p|{PERSON}"


def row(flag: Any, **changes: Any) -> Json:
    """5203 about the settlement S1: undone ("1") or still standing ("0")."""
    return settlement("m1", PERSON, 100) | {"setl_id": "S1", "refd_setl_flag": flag} | changes


def told(*rows: Json) -> Any:
    return says(0, q5203={"setlinfo": list(rows)})


@pytest.fixture(params=["Q4", "Q1"])
def rig(request: pytest.FixtureRequest) -> Rig:
    """A settlement S1 whose cancellation is in doubt; whatever the strategy for settlements is."""
    return doubted(Rig(settings={"resolve": request.param}))


def doubted(rig: Rig) -> Rig:
    rig.settle(pay("m1"), setl_id="S1")
    fall_into_doubt(rig, refund("u1", "S1"))
    return rig


def reversible(rig: Rig) -> None:
    """A province that lists the cancellation as reversible."""
    rig.link.region = attrs.evolve(rig.link.region, reversible=(*rig.link.region.reversible, "2208"))


def test_it_is_asked_about_by_the_number_of_the_settlement_it_would_undo(rig: Rig) -> None:
    rig.run(3.1)
    assert rig.far.last.message["infno"] == "5203"
    data = rig.far.last.message["input"]["data"]
    assert data == {"psn_no": PERSON, "setl_id": "S1", "mdtrt_id": VISIT}


def test_a_settlement_that_is_undone_confirms_its_cancellation(rig: Rig) -> None:
    rig.far.plays = told(row("1"))
    rig.run(4)
    assert rig.states("u1") == ["JOURNALED", "SENT", "IN_DOUBT", "CONFIRMED"]
    assert rig.row("m1").cancelled
    assert rig.room.lanes.holder(LANE) is None
    caller = rig.ask(refund("u1", "S1"))
    assert (caller.said[1:], caller.answer["infcode"]) == (("GW-CONFIRMED", "CONFIRMED", "no"), 0)
    assert rig.ask(refund("u1", "S1")).raw == caller.raw
    rig.far.plays = None
    rig.settle(pay("m2"))  # the batch is free again
    rig.run(86400)
    assert sent_of(rig, "2601") == []


def test_the_answer_of_a_confirmed_cancellation_is_the_exact_negative_of_what_it_undid(rig: Rig) -> None:
    rig.far.plays = told(row("1", medfee_sumamt=100, psn_part_amt="99.90", acct_pay=0))
    rig.run(4)
    info = rig.ask(refund("u1", "S1")).answer["output"]["setlinfo"]
    assert (info["medfee_sumamt"], info["psn_part_amt"], info["acct_pay"]) == (-100.0, -99.9, 0)
    assert (info["psn_no"], info["mdtrt_id"]) == (PERSON, VISIT)
    assert "setl_id" not in info  # the refund's own number was named by the lost answer alone


def refunded(**changes: Any) -> Json:
    """The refund's own row: negative amounts, its own number and message."""
    amounts = {"medfee_sumamt": -100, "psn_part_amt": -100, "psn_cash_pay": -100, "fund_pay_sumamt": 0, "acct_pay": 0}
    return row("1", setl_id="T9", medins_setl_id="u1", **amounts) | changes


@pytest.mark.parametrize("rows", [(refunded(),), (row("1"), refunded()), (refunded(), row("0"))])
def test_a_refunds_own_row_confirms_it_with_its_number(rig: Rig, rows: tuple[Json, ...]) -> None:
    """§4.3: or a refund row. It is the success answer, as the platform would have given it."""
    rig.far.plays = told(*rows)
    rig.run(4)
    info = rig.ask(refund("u1", "S1")).answer["output"]["setlinfo"]
    assert (info["setl_id"], info["medfee_sumamt"], info["psn_cash_pay"]) == ("T9", -100.0, -100.0)
    assert (rig.row("u1").state, rig.row("u1").setl_id, rig.row("m1").cancelled) == ("CONFIRMED", "T9", True)


def test_a_refunds_row_under_the_settlements_number_is_no_number_of_its_own(rig: Rig) -> None:
    rig.far.plays = told(refunded(setl_id="S1", medins_setl_id=""), row("1"))
    rig.run(4)
    info = rig.ask(refund("u1", "S1")).answer["output"]["setlinfo"]
    assert (info["medfee_sumamt"], "setl_id" in info) == (-100.0, False)


@pytest.mark.parametrize(
    "rows",
    [
        (refunded(medins_setl_id="u9"),),  # of another settlement of this visit
        (refunded(psn_no="51080000000000000002"),),
        (refunded(), refunded(setl_id="T8")),
    ],
)
def test_a_refund_that_may_be_another_confirms_nothing(rig: Rig, rows: tuple[Json, ...]) -> None:
    rig.far.plays = told(*rows)
    rig.run(4)
    assert rig.state("u1") == "IN_DOUBT"


@pytest.mark.parametrize("flag", [1, "1"])
def test_the_mark_of_a_cancellation_may_be_a_number_or_a_text(rig: Rig, flag: Any) -> None:
    rig.far.plays = told(row(flag))
    rig.run(4)
    assert rig.state("u1") == "CONFIRMED"


def test_a_refund_row_beside_the_settlement_counts_as_its_mark(rig: Rig) -> None:
    rig.far.plays = told(row("0"), row("1"))
    rig.run(4)
    assert rig.state("u1") == "CONFIRMED"


@pytest.mark.parametrize(
    "rows",
    [
        (row("0"),),  # still standing
        (row(""),),
        (row(None),),
        (row("2"),),
        (row("1", psn_no="51080000000000000002"),),
        (row("1", setl_id="S2"),),
        (),
    ],
)
def test_whatever_does_not_say_that_it_is_undone_is_asked_for_ten_minutes_and_then_a_persons_business(
    rig: Rig, rows: tuple[Json, ...]
) -> None:
    """Where no profile lists the cancellation as reversible, as in Hunan."""
    rig.far.plays = told(*rows)
    rig.run(595)
    assert rig.state("u1") == "IN_DOUBT"
    assert len(sent_of(rig, "5203")) == 8
    rig.run(30)
    assert rig.state("u1") == "MANUAL"
    assert ("manual", "u1") in rig.watch.alarms
    assert {one.message["infno"] for one in rig.far.sent[2:]} == {"5203"}
    assert not rig.row("m1").cancelled
    assert rig.ask(refund("u2", "S1")).said[:3] == (200, "GW-MANUAL", "MANUAL")
    rig.far.plays = None
    rig.settle(pay("m3", "B3"))


def test_a_cancellation_is_never_sent_again_under_another_msgid(rig: Rig) -> None:
    rig.far.plays = told(row("0"))
    rig.run(86400)
    assert len(sent_of(rig, "2208")) == 1


def test_a_late_mark_ends_it(rig: Rig) -> None:
    rig.far.plays = by_turns(cut, told(row("0")), told(row("0")), told(row("1")))
    rig.run(120)
    assert rig.state("u1") == "CONFIRMED"
    assert len(sent_of(rig, "5203")) == 4


def test_where_it_is_reversible_what_still_stands_late_enough_is_made_certain_by_2601(rig: Rig) -> None:
    """Both sides then agree that the refund did not take place, and that is what the institution hears."""
    reversible(rig)
    rig = doubted_again(rig)
    rig.far.plays = told(row("0"))
    rig.run(100)
    assert sent_of(rig, "2601") == []  # it may still be on its way inside the platform
    rig.run(30)
    (sent,) = sent_of(rig, "2601")
    assert sent.at >= T0_S + 120
    assert sent.message["input"] == {"data": {"psn_no": PERSON, "omsgid": "u1", "oinfno": "2208"}}
    assert reasons(rig, "u1")[-1] == "reversed"
    assert not rig.row("m1").cancelled
    assert rig.ask(refund("u1", "S1")).said == (200, "GW-REVERSED", "REVERSED", "new")
    assert rig.ask(pay("m4")).said[1] == "GW-DUPLICATE-SETTLEMENT"  # the settlement stands


def test_where_it_is_reversible_what_took_place_is_kept_all_the_same(rig: Rig) -> None:
    """A cancellation is idempotent by meaning: the institution asked for it, and it is done."""
    reversible(rig)
    rig = doubted_again(rig)
    rig.far.plays = told(row("1"))
    rig.run(4)
    assert rig.state("u1") == "CONFIRMED"
    assert sent_of(rig, "2601") == []


@pytest.mark.parametrize("flag", ["", None, "2"])
def test_where_it_is_reversible_a_mark_nobody_understands_is_asked_about_to_the_end(rig: Rig, flag: Any) -> None:
    reversible(rig)
    rig = doubted_again(rig)
    rig.far.plays = told(row(flag))
    rig.run(590)
    assert sent_of(rig, "2601") == []
    rig.run(20)
    assert len(sent_of(rig, "2601")) == 1


def test_a_platform_that_answers_slowly_does_not_make_ten_minutes_longer(rig: Rig) -> None:
    rig.far.plays = lambda one: rig.clock.callLater(19, one.raw, b"?")
    rig.run(621)
    assert rig.state("u1") == "MANUAL"
    assert len(sent_of(rig, "5203")) < 9


def test_where_it_is_reversible_silence_ends_in_a_reversal_too(rig: Rig) -> None:
    reversible(rig)
    rig = doubted_again(rig)
    rig.far.plays = by_turns(*[cut] * 9, says(0))
    rig.run(700)
    assert len(sent_of(rig, "5203")) == 9
    assert rig.state("u1") == "REVERSED"


def doubted_again(rig: Rig) -> Rig:
    """The policy of a doubt is made when it begins: restart under the changed region."""
    region = rig.link.region
    rig.kill()
    rig.start()
    rig.link.region = region
    recover(rig.store, rig.room.lanes, rig.room.office, rig.clock.seconds())
    return rig


def test_an_institutions_2601_of_a_cancellation_is_refused_where_it_is_not_reversible(rig: Rig) -> None:
    caller = rig.ask(undo("r1", omsgid="u1", oinfno="2208"))
    assert caller.said[1] == "GW-REVERSAL-REFUSED"
    assert rig.state("u1") == "IN_DOUBT"
