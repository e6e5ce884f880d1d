"""Which local codes wait for a settlement, read from a real journal (mapping rules §10.4)."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from journals import HOME, T0_MS, Book, open_sqlite

from adapters.store.journal_unsettled import unsettled
from gateway.core.model import Keep, State


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    made = Book(open_sqlite(tmp_path))
    yield made
    made.journal.close()  # type: ignore[union-attr]


def lines(book: Book, visit: str, *codes: str, infno: str = "2204", created_ms: int = T0_MS, home: str = HOME) -> None:
    entry = book.entry(
        f"W{book.next_id}", "DONE", infno=infno, klass="W", mdtrt_id=visit, created_ms=created_ms, fixmedins_code=home
    )
    evidence = tuple((f"input.feedetail[{n}]", "drug", code, "X", "m1", "2026-03-01") for n, code in enumerate(codes))
    book.do(Keep(entry=entry, evidence=evidence, answer=b"{}"))


def settle(book: Book, visit: str, state: State = "ACKED", infno: str = "2207") -> None:
    book.accept(f"M{book.next_id}", state, infno=infno, mdtrt_id=visit)


def look(tmp_path: Path, *codes: str, system: str = "drug", since_ms: int = 0) -> set[str]:
    return unsettled(tmp_path / "journal.sqlite", HOME, system, codes, since_ms, chunk=2)


def test_lines_wait_until_their_visit_is_settled(book: Book, tmp_path: Path) -> None:
    lines(book, "V1", "A", "B")
    lines(book, "V2", "C", infno="2301")
    assert look(tmp_path, "A", "C", "D") == {"A", "C"}
    settle(book, "V1")
    assert look(tmp_path, "A", "B", "C") == {"C"}
    settle(book, "V2", infno="2304")
    assert look(tmp_path, "A", "B", "C") == set()


@pytest.mark.parametrize("state", ["IN_DOUBT", "REJECTED", "REVERSED", "SENT"])
def test_a_settlement_that_is_none_settles_nothing(book: Book, tmp_path: Path, state: State) -> None:
    lines(book, "V1", "A")
    settle(book, "V1", state)
    assert look(tmp_path, "A") == {"A"}


def test_lines_after_a_settlement_wait_for_the_next(book: Book, tmp_path: Path) -> None:
    settle(book, "V1")
    lines(book, "V1", "A")
    assert look(tmp_path, "A") == {"A"}


def test_other_institutions_and_old_lines_do_not_count(book: Book, tmp_path: Path) -> None:
    lines(book, "V9", "A", home="H99999999999")
    for number in range(3):
        lines(book, f"V{number}", "OLD", created_ms=T0_MS - 1000)
    for number in range(5):
        lines(book, f"N{number}", f"NEW{number}")
    assert look(tmp_path, "A", "OLD", "NEW0", "NEW4", since_ms=T0_MS) >= {"NEW0", "NEW4"}
    assert look(tmp_path, "OLD", since_ms=0) == {"OLD"}
    assert look(tmp_path, "A") == set()
    assert look(tmp_path, "NEW0", system="consumable") == set()


def test_without_a_journal_nothing_waits(tmp_path: Path) -> None:
    assert unsettled(tmp_path / "none.sqlite", HOME, "drug", ["A"], 0) == set()
