"""Cases that become people's again: by what takes two now, and by what was decided and never done."""

from pathlib import Path

import pytest
from book_town import CODE, DAY, BookTown, Chosen
from desk import Cells

from adapters.store.books_cases import BooksCases
from adapters.store.books_freeze import FreezeReader

DAY_S = 86_400
MORE = {"medfee_sumamt": "101.00", "fund_pay_sumamt": "61.00"}


@pytest.fixture
def town(tmp_path: Path) -> BookTown:
    made = BookTown(tmp_path)
    made.clock.advance(-2 * DAY_S)  # 2026-04-01, before T+3
    return made


def cases(town: BookTown) -> list[tuple[str, str, str, str]]:
    with town.store() as store:
        found = BooksCases(store.connection).cases(("OPEN", "PROPOSED", "DECIDED", "CLOSED"), DAY)
        return sorted((one.diff.name, one.diff.row, one.mode, one.state) for one in found)


def local(**more: str) -> dict[str, str]:
    return {"clr_pay_loc": "2", "prov_sn": "", **more}


def looked(town: BookTown) -> None:
    """A run after the ledgers were handed in, and its actions; the institution fetches nothing."""
    town.hand_in()
    town.run()
    town.act()


def of(name: str, decision: str) -> Chosen:
    return lambda case: decision if case.diff.name == name else ""


def test_what_takes_two_now_one_may_not_decide(town: BookTown) -> None:
    """A1 is one person's; when the journal turns out to be the odd one (A2) the same case corrects the gateway's own
    ledger, and one person did."""
    town.put("1", INST=local(**MORE), GW=local(), AGY=local())
    looked(town)
    assert cases(town) == [("AMOUNT", "A1", "ONE", "OPEN")]
    town.parties.books["INST"][0].update(medfee_sumamt="100.00", fund_pay_sumamt="60.00")
    town.parties.books["GW"][0].update(MORE)
    looked(town)
    assert cases(town) == [("AMOUNT", "A2", "TWO", "OPEN")]
    town.decide(of("AMOUNT", "correct"))
    assert len(town.proposals.contents) == 1


def test_what_one_accepted_stands_no_more_when_it_takes_two(town: BookTown) -> None:
    """L1-INST-ONLY: two people's when the province holds the record, too (§5.1)."""
    town.put("1", INST={})
    looked(town)
    assert cases(town) == [("L1-INST-ONLY", "", "ONE", "OPEN")]
    town.decide(of("L1-INST-ONLY", "accept"))
    looked(town)
    assert (cases(town), town.states("S1")) == ([("L1-INST-ONLY", "", "ONE", "CLOSED")], {"RESOLVED"})
    town.put("1", PROV={})
    looked(town)
    assert ("L1-INST-ONLY", "", "TWO", "OPEN") in cases(town)


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ({"fund_pay_sumamt": "60.50", "psn_part_amt": "40.50"}, {"fund_pay_sumamt": "60.25", "psn_part_amt": "40.75"}),
        ({"fund_pay_sumamt": "61.00"}, {"fund_pay_sumamt": "61.00", "acct_pay": "11.00"}),
    ],
    ids=["the same components by other amounts", "one component more"],
)
def test_what_was_carried_is_peoples_again_when_other_amounts_differ(town: BookTown, first: Cells, then: Cells) -> None:
    """What is shown is the first component that differs: it stayed as it was, and so did the decision."""
    town.put("1", INST=local(medfee_sumamt="101.00", **first), GW=local(), AGY=local())
    looked(town)
    town.decide(of("AMOUNT", "carry"))
    looked(town)
    assert town.states("S1") == {"CARRIED"}
    town.parties.books["INST"][0].update(then)
    looked(town)
    assert town.states("S1") == {"OPEN"}
    assert cases(town) == [("AMOUNT", "A1", "ONE", "OPEN")]


def test_what_was_carried_before_there_was_a_digest_stays_so_and_gets_one(town: BookTown) -> None:
    town.put("1", INST=local(**MORE), GW=local(), AGY=local())
    looked(town)
    town.decide(of("AMOUNT", "carry"))
    with town.store() as store:
        store.connection.execute("UPDATE diff SET said_sm3 = NULL")
    town.put("2", INST=local(), GW=local(), AGY=local())  # another run
    looked(town)
    assert town.states("S1") == {"CARRIED"}
    town.parties.books["INST"][0].update(acct_pay="11.00")
    looked(town)
    assert town.states("S1") == {"OPEN"}


def test_what_was_accepted_of_a_record_is_peoples_again_when_its_amounts_differ(town: BookTown) -> None:
    """L1-GW-MISSING with the same medfee: a later run's note tells of an amount that differs (A5)."""
    town.put("1", INST=local(), AGY=local())
    looked(town)
    town.decide(of("L1-GW-MISSING", "accept"))
    looked(town)
    assert town.states("S1") == {"RESOLVED"}
    town.parties.books["INST"][0].update(acct_pay="11.00")
    looked(town)
    assert town.notes() == ["A5 acct_pay"]
    assert [one[3] for one in cases(town)] == ["OPEN"]


@pytest.mark.parametrize("fetched", [True, False], ids=["fetched and not done", "never fetched"])
def test_what_a_party_was_to_put_right_and_did_not_is_peoples_again_at_t3(town: BookTown, fetched: bool) -> None:
    """The day had no open case and an open difference for ever: nobody could even carry it."""
    town.put("1", GW=local(delivered="1"), AGY=local())
    looked(town)
    assert cases(town) == [("L1-INST-MISSING", "", "TWO", "OPEN")]
    town.decide(of("L1-INST-MISSING", "book"))
    if fetched:
        town.fetch()
        town.parties.books["INST"].clear()  # it did nothing
    town.clock.advance(DAY_S)
    looked(town)
    assert cases(town) == [("L1-INST-MISSING", "", "TWO", "DECIDED")]  # it has its time
    town.clock.advance(3 * DAY_S)
    looked(town)
    assert cases(town) == [("L1-INST-MISSING", "", "TWO", "OPEN")]
    town.decide(of("L1-INST-MISSING", "carry"))
    looked(town)
    with town.store() as store:
        assert FreezeReader(store.connection).open_work("care", CODE, DAY) == (0, 0, 0)
        day = next(one for one in store.days(DAY, DAY, "care") if one.scope == CODE)
    assert day.state == "AGREED_WITH_CARRY"


def test_what_people_told_the_agency_in_vain_is_theirs_again_at_t3(town: BookTown) -> None:
    town.put("1", INST=local(), GW=local(), AGY=local(**MORE))
    looked(town)
    town.decide(of("AMOUNT", "correct"))
    looked(town)
    assert [(party, state) for _, _, _, party, state in town.actions()] == [("AGY", "DONE")]
    assert cases(town) == [("AMOUNT", "A3", "TWO", "DECIDED")]
    town.clock.advance(4 * DAY_S)
    looked(town)
    assert cases(town) == [("AMOUNT", "A3", "TWO", "OPEN")]


def test_a_decision_takes_the_place_of_what_was_planned_and_never_left(town: BookTown) -> None:
    """Feedback an institution never fetched went on beside the decision, and kept a carried day from being frozen."""
    town.put("1", INST={})
    looked(town)
    assert planned(town) == ["FEEDBACK"]
    town.decide(of("L1-INST-ONLY", "void"))
    assert planned(town) == ["VOID"]
    looked(town)
    assert planned(town) == ["VOID"]


def planned(town: BookTown) -> list[str]:
    return [kind for _, _, kind, _, state in town.actions() if state == "PLANNED"]
