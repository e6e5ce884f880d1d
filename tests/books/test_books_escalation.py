"""What feedback does not cure, and what waits too long, becomes a case: no day stays open for nobody (§5.1, §5.3)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest
from book_town import CODE, DAY, BookTown, Wire
from twisted.internet.defer import Deferred, succeed

from adapters.store.books_cases import BooksCases, Case
from gateway.core.province import FeedbackItem, FeedbackReceipt, ItemAnswer, Outcome

DAY_S = 86_400


@attrs.define
class Deaf(Wire):
    """A province that takes every feedback and does nothing. silent: it does not even answer."""

    silent: bool = False
    heard: int = 0

    def send_feedback(self, key: str, items: Sequence[FeedbackItem]) -> "Deferred[Outcome[FeedbackReceipt]]":
        if self.silent:
            return succeed(Outcome(kind="not_sent", code="NOT_SENT"))
        self.heard += len(items)
        answers = tuple(ItemAnswer(item_id=one.item_id, taken=True) for one in items)
        return succeed(Outcome(kind="done", value=FeedbackReceipt(receipt_no="F", received_at="", answers=answers)))


@pytest.fixture
def town(tmp_path: Path) -> BookTown:
    made = BookTown(tmp_path)
    made.wire = Deaf(made.parties, made.tick)
    return made


def none_yet(case: Case) -> str:
    return ""


def days(town: BookTown, count: int, choose: Any = none_yet) -> list[list[tuple[str, str]]]:
    """Let days go by, one round each; return the open cases after each as (class, mode)."""
    found = []
    for _ in range(count):
        town.round(choose)
        found.append(cases(town))
        town.clock.advance(DAY_S)
    return found


def cases(town: BookTown, *states: str) -> list[tuple[str, str]]:
    with town.store() as store:
        found = BooksCases(store.connection).cases(states or ("OPEN",), DAY)
        return sorted((one.diff.name, one.mode) for one in found)


def city(town: BookTown) -> str:
    with town.store() as store:
        return next(one.state for one in store.days(DAY, DAY, "care") if one.scope == "*")


def test_feedback_the_province_takes_and_ignores_is_two_peoples_after_t3(town: BookTown) -> None:
    """The first round is of T+3, before its end; the province's next statement is still the same."""
    town.put("1", INST={}, GW={}, AGY={}, INS={}, PROV={})
    town.put("2", INST={}, GW={}, AGY={})
    assert days(town, 3) == [[], [("L2-PROV-MISSING", "TWO")], [("L2-PROV-MISSING", "TWO")]]
    assert (town.wire.heard, city(town)) == (1, "L2_DIFF")  # type: ignore[attr-defined]
    days(town, 1, lambda case: "carry")
    town.round(none_yet)
    assert (cases(town), city(town)) == ([], "AGREED_WITH_CARRY")


def test_feedback_of_people_in_vain_comes_back_to_them_a_day_later(town: BookTown) -> None:
    town.put("2", INST={}, GW={}, AGY={})
    days(town, 1)
    assert days(town, 1, lambda case: "feedback") == [[]]  # told once more
    assert town.wire.heard == 2  # type: ignore[attr-defined]
    assert days(town, 1) == [[("L2-PROV-MISSING", "TWO")]]
    assert town.wire.heard == 2  # type: ignore[attr-defined]


def test_an_amount_that_the_next_statement_still_has_is_repeated_and_needs_no_t3(town: BookTown) -> None:
    """A6: TWO if repeated. The same day's looks prove nothing: a party corrects overnight."""
    town.clock.advance(-2 * DAY_S)
    town.put("1", INST={}, GW={}, AGY={}, PROV={"fund_pay_sumamt": "61.00", "psn_part_amt": "39.00"}, INS={})
    town.round(none_yet)
    town.round(none_yet)
    assert cases(town) == []
    town.clock.advance(DAY_S)
    assert [name for name, mode in days(town, 1)[0] if mode == "TWO"] == ["AMOUNT"]


def test_feedback_nobody_could_take_by_t3_is_peoples_too(town: BookTown) -> None:
    town.wire.silent = True  # type: ignore[attr-defined]
    town.put("2", INST={}, GW={}, AGY={})
    assert days(town, 2) == [[], [("L2-PROV-MISSING", "TWO")]]


def test_what_two_have_and_the_province_lost_waits_and_is_a_case_at_t3(town: BookTown) -> None:
    """L4-INSURED-MORE-CARE-HAS: AUTO wait, then TWO."""
    town.put("2", INST={}, GW={}, AGY={}, INS={})
    names = ["L2-PROV-MISSING", "L4-INSURED-MORE-CARE-HAS"]
    assert [[name for name, _ in day] for day in days(town, 2)] == [[], names]
    days(town, 1, lambda case: "carry")
    town.round(none_yet)
    assert city(town) == "AGREED_WITH_CARRY"


def test_what_waits_for_the_journal_is_a_case_at_t3_and_closes_with_its_cause(town: BookTown) -> None:
    town.put("1", GW={"status": "IN_DOUBT"})
    assert days(town, 2) == [[], [("PENDING_GW", "TWO")]]
    town.parties.books["GW"].clear()
    town.round(none_yet)
    assert (cases(town), cases(town, "CLOSED")) == ([], [("PENDING_GW", "TWO")])


def test_an_institution_that_never_fetches_its_feedback_is_a_case_at_t3(town: BookTown) -> None:
    """S1: the institution missed the refund."""
    town.put("1", INST={}, GW={"status": "REFUNDED"}, AGY={"status": "REFUNDED"})
    assert CODE in {one.fixmedins_code for one in town.config.institution}
    found = []
    for _ in range(2):
        town.hand_in()
        town.run()
        town.act()
        found.append(cases(town))
        town.clock.advance(DAY_S)
    assert found == [[], [("STATUS", "TWO")]]
