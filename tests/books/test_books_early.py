"""A business date that is not over is looked at, and nothing comes of it (reconciliation specification §4.3)."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from book_town import CODE, DAY, BookTown

from adapters.store.books_cases import BooksCases
from gateway.app.config_books import BooksConfig, books_meaning
from gateway.app.day_report import verdict
from gateway.app.day_work import gather
from gateway.books.plans import closes_ms


def test_a_day_that_goes_on_is_shown_and_nothing_is_planned_until_it_is_over(tmp_path: Path) -> None:
    town = BookTown(tmp_path)
    town.put("1", GW={"delivered": "0"}, AGY={})  # of a day that is over: reversed by itself
    town.put("2", INST={})  # fed back, and a case of one
    town.put("3", AGY={})  # a case of two
    town.hand_in()
    early = town.run(provisional=True)
    assert (early.days, early.agreed) == ({CODE: "COLLECTING", "*": "COLLECTING"}, False)
    assert {lines[0][1] for lines in town.lines().values()} == {"L1-INST-MISSING", "L1-INST-ONLY", "L1-CENTER-MORE"}
    assert town.run(provisional=True).same
    town.act()
    assert (town.actions(), town.parties.received, _cases(town)) == ([], [], 0)
    with town.store() as store:
        assert store.open_counts() == {}
    told = gather(town.config, "care", DAY, "", town.now_ms, 5).report
    assert (told.agreed, told.provisional, "业务日未结束" in verdict(told)) == (False, True, True)
    over = town.run()
    assert (over.same, over.revision, over.days["*"]) == (False, 2, "L1_DIFF")
    assert sorted(kind for _, _, kind, *_ in town.actions()) == ["FEEDBACK", "REVERSE"] and _cases(town) == 2
    assert not gather(town.config, "care", DAY, "", town.now_ms, 5).report.provisional


def test_a_day_on_which_all_agrees_so_far_is_not_agreed(tmp_path: Path) -> None:
    town = BookTown(tmp_path)
    town.put("1", INST={}, GW={}, AGY={}, PROV={}, INS={})
    town.hand_in()
    early = town.run(provisional=True)
    assert (early.agreed, early.days["*"]) == (False, "COLLECTING")
    assert town.run().days["*"] == "AGREED"


def _cases(town: BookTown) -> int:
    with town.store() as store:
        return len(BooksCases(store.connection).cases(("OPEN", "PROPOSED"), DAY))


@pytest.mark.parametrize(
    ("closes", "moment"),
    [("24:30", datetime(2026, 3, 31, 16, 30, tzinfo=UTC)), ("00:00", datetime(2026, 3, 30, 16, tzinfo=UTC))],
)
def test_a_day_is_over_by_the_time_of_shanghai(closes: str, moment: datetime) -> None:
    assert closes_ms("2026-03-31", closes) == int(moment.timestamp() * 1000)


@pytest.mark.parametrize("closes", ["30:00", "24:60", "2430", "", "-1:00"])
def test_a_time_that_is_none_is_refused(closes: str) -> None:
    assert [line.split(":")[0] for line in books_meaning(BooksConfig(day_closes=closes))] == ["$.books.day_closes"]


@pytest.mark.parametrize(
    ("run_at", "closes", "wrong"),
    [
        (["00:10"], "24:30", True), (["00:10", "01:30"], "24:30", False), (["00:10"], "24:00", False),
        (["09:00"], "29:59", False), (["05:00"], "29:59", True), ([], "24:30", False), (["00:30"], "24:30", False),
        (["1:30"], "24:30", True),  # not a time at all: told as that, once
    ],
)  # fmt: skip
def test_a_schedule_that_would_only_ever_look_is_refused(run_at: list[str], closes: str, wrong: bool) -> None:
    found = list(books_meaning(BooksConfig(run_at=run_at, day_closes=closes)))
    assert [line.split(":")[0].split("[")[0] for line in found] == (["$.books.run_at"] if wrong else [])
