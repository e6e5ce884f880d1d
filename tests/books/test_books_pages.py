"""An institution's differences page by page: what was handed out is received, and nothing else."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from test_books_door import Street
from test_books_run import DAY, A

from adapters.store.books import BooksStore, Planned, Run
from adapters.store.books_cases import BooksCases
from gateway.app import books_door
from gateway.app.books_shelf import SCRIPTS
from gateway.core.booked import VANISHED, DiffRow

PATH = f"/api/v1/books/{A}/{DAY}".encode()


class Hall(Street):
    """A door, and a day of five differences that are each to be fed back to the institution."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        with self.store() as store:
            store.write_lines([(diff(number), [planned(number)]) for number in (3, 1, 5, 2, 4)], 1)
            run = Run(run_id="r", role="care", biz_date=DAY, revision=1, at_ms=1, agreed=False, keys=5, summary={})
            store.bring_into_force(run, (), ())

    @contextmanager
    def store(self) -> Iterator[BooksStore]:
        with closing(BooksStore.open(self.door.config.room("books"), SCRIPTS)) as store:
            yield store

    def states(self) -> dict[str, str]:
        with self.store() as store:
            found = BooksCases(store.connection).actions(("PLANNED", "DONE", "FAILED"))
            return {one.action_id: one.state for one in found}

    def page(self, query: str = "", status: int = 200) -> Any:
        found, told = self.ask(method=b"GET", path=PATH, query=query.encode()).said[0]
        assert found == status, told
        return told


def diff(number: int) -> DiffRow:
    return DiffRow(
        diff_id=f"d{number}", role="care", scope=A, biz_date=DAY, leg="L1", name="L1-INST-ONLY", row="", mode="AUTO",
        action="FEEDBACK", prevails="AGY", setl_id=f"S{number}", msgid="", fixmedins_code=A, component="",
        left_fen=None, right_fen=None, note="", agreed=False, first_revision=1, last_revision=1, state="OPEN",
        changed_ms=1,
    )  # fmt: skip


def planned(number: int) -> Planned:
    return Planned(kind="FEEDBACK", party="INST", action_ids=(f"a{number}",))


@pytest.fixture
def hall(tmp_path: Path) -> Hall:
    return Hall(tmp_path)


def test_only_what_was_handed_out_is_received(hall: Hall) -> None:
    first = hall.page("limit=2")
    assert [one["setl_id"] for one in first["differences"]] == ["S1", "S2"]
    assert ([one["action_id"] for one in first["actions"]], first["next"]) == (["a1", "a2"], "d2")
    assert [name for name, state in sorted(hall.states().items()) if state == "DONE"] == ["a1", "a2"]
    second = hall.page(f"limit=2&after={first['next']}")
    assert ([one["action_id"] for one in second["actions"]], second["next"]) == (["a3", "a4"], "d4")
    last = hall.page(f"limit=2&after={second['next']}")
    assert ([one["action_id"] for one in last["actions"]], last["next"]) == (["a5"], "")
    assert set(hall.states().values()) == {"DONE"}
    assert hall.page("limit=2") == first, "a page that is fetched again is the same"


def test_a_page_goes_on_after_a_difference_that_is_gone(hall: Hall) -> None:
    with hall.store() as store:
        store.connection.execute("UPDATE diff SET state = 'VANISHED' WHERE diff_id = 'd2'")
    assert [one["diff_id"] for one in hall.page("after=d2&limit=1")["differences"]] == ["d3"]


def test_what_stands_no_more_is_withdrawn_and_not_called_received(hall: Hall) -> None:
    with hall.store() as store:
        store.connection.execute("UPDATE diff SET state = 'RESOLVED' WHERE diff_id = 'd2'")
    hall.page("limit=1")
    assert hall.states()["a2"] == "PLANNED", "the last page has not been fetched yet"
    hall.page()
    assert hall.states()["a2"] == "FAILED"
    with hall.store() as store:
        [one] = BooksCases(store.connection).actions(("FAILED",))
        assert one.receipt == VANISHED


def test_a_full_page_without_a_limit_is_bounded(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(books_door, "PAGE_MAX", 3)
    assert (len(hall.page()["differences"]), hall.page()["next"]) == (3, "d3")


@pytest.mark.parametrize("query", ["after=d9", "limit=0", "limit=10001", "limit=x", "limit=١", "page=2", "after=%00"])
def test_what_is_no_page_is_the_senders_fault(hall: Hall, query: str) -> None:
    assert hall.page(query, 400)["gw_code"] == "GW-INVALID"
    assert set(hall.states().values()) == {"PLANNED"}
