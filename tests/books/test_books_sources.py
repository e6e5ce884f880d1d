"""One source for each institution: the agency's own export is not superseded by the node's asking, and never joined."""

from pathlib import Path

import pytest
from test_books_derive import answered
from test_books_run import A, B, City, cells

from adapters.store.books import Input
from gateway.app.books_derive import derive
from gateway.app.books_sources import exported, one_source
from gateway.app.books_tasks import Task
from gateway.core.ledgers import AGY, GW, INST

DAY = "2026-03-15"
WHOLE, BAD = "", "P1\tx\n"  # results of 3202


def asked(city: City, result: str | None) -> None:
    """The node asks for A's day; None = 3201 says it is balanced (nothing)."""
    task = Task(
        journal="", store=str(city.config.room("books")), data=str(city.folder / "var"), date=DAY, now_ms=1, number=1,
        institutions={},
    )  # fmt: skip
    task.workplace.mkdir(parents=True, exist_ok=True)
    derive(task, [answered(task, result, unbalanced=bool(result))])


def inputs(city: City) -> list[Input]:
    store = city.store()
    try:
        return store.inputs(DAY)
    finally:
        store.close()


@pytest.fixture
def city(tmp_path: Path) -> City:
    made = City(tmp_path)
    made.put(INST, A, cells(1))
    made.put(GW, "*", cells(1))
    return made


def test_an_answer_that_cannot_be_used_leaves_the_export_standing(city: City) -> None:
    city.put(AGY, A, cells(1))
    asked(city, BAD)
    assert city.run().days[A] == "AGREED"


@pytest.mark.parametrize("first", ["export", "asking"])
def test_a_file_for_the_city_and_the_nodes_asking_are_never_joined(city: City, first: str) -> None:
    """What was derived has no more than totals, funds and account: joined it is a second content of the settlement."""
    if first == "asking":
        asked(city, None)
    city.put(AGY, "*", cells(1), cells(2, B))
    if first == "export":
        asked(city, BAD)
    city.put(INST, B, cells(2, B))
    city.put(GW, "*", cells(1), cells(2, B))
    found = city.run()
    assert (found.summary["classes"], found.days["*"]) == ({}, "AGREED")


def test_a_newer_asking_speaks_for_its_institution_and_the_file_for_the_others(city: City) -> None:
    city.put(AGY, "*", cells(1), cells(2, B))
    asked(city, None)  # the agency has nothing of A by now
    city.put(INST, B, cells(2, B))
    city.put(GW, "*", cells(1), cells(2, B))
    found = city.run()
    assert (found.summary["classes"], found.days[B]) == ({"L1-AGY-MISSING": 1}, "AGREED")


def test_an_agency_is_not_asked_where_its_own_newer_export_is_there(city: City) -> None:
    asked(city, None)
    assert exported(inputs(city), [A, B]) == {}
    city.put(AGY, A, cells(1), whole=False)
    assert exported(inputs(city), [A]) == {}  # it may lack rows
    city.put(AGY, A, cells(1))
    assert list(exported(inputs(city), [A, B])) == [A]
    city.put(AGY, "*", cells(1), cells(2, B))
    assert list(exported(inputs(city), [A, B])) == [A, B]


def test_an_institutions_file_and_one_for_the_city_are_not_joined_either(city: City) -> None:
    city.put(AGY, A, cells(1))
    city.put(INST, "*", cells(1, psn_part_amt="41.00", medfee_sumamt="101.00"))
    assert city.run().summary["classes"] == {"AMOUNT": 1}
    city.put(INST, A, cells(1), cells(3))
    assert city.run().summary["classes"] == {"L1-INST-ONLY": 1}


@pytest.mark.parametrize("city_first", [True, False])
def test_what_is_whole_speaks_before_what_is_newer_and_is_not(city_first: bool) -> None:
    def made(number: int, scope: str, complete: bool) -> Input:
        return Input(
            id=number, ledger="AGY", scope=scope, biz_date=DAY, source="", sm3="", rows=0, complete=complete, sums={},
            path="", who="", at_ms=number,
        )  # fmt: skip

    whole = made(1, "*" if city_first else A, True)
    part = made(2, A if city_first else "*", False)
    assert whole in one_source([whole, part])
    assert (part in one_source([whole, part])) is not city_first
