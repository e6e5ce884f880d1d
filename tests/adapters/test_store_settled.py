"""The store port's contract about daily statements, against every implementation (reversal specification §4.1, RV9)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from journals import HOME, T0_MS, Book, open_sqlite

from adapters.store.memory import MemoryJournal
from gateway.core.model import Advance, Entry, Known, Recall, Settled, State


@pytest.fixture(params=["memory", "sqlite"])
def book(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Book]:
    if request.param == "memory":
        yield Book(MemoryJournal())
        return
    journal = open_sqlite(tmp_path)
    yield Book(journal)
    journal.close()


def advance(entry: Entry, was: State, to: State, **changes: Any) -> Advance:
    return Advance(entry=entry, was=was, to=to, at_ms=T0_MS + 5, reason="test", **changes)


def test_settled_rows_of_an_institution_are_found_newest_first_since_a_time(book: Book) -> None:
    """Nothing of others, of earlier, of what failed, is open, or has no number."""
    for number in range(12):
        entry = book.accept(f"m{number}", created_ms=T0_MS + number * 1000)
        if number != 7:
            assert book.do(advance(entry, "SENT", "ACKED", setl_id=f"S{number}", settled='{"medfee_sumamt":1}')) is True
    other = book.accept("o1", fixmedins_code="P1", created_ms=T0_MS + 20_000)
    assert book.do(advance(other, "SENT", "ACKED", setl_id="SO")) is True
    nameless = book.accept("n1", created_ms=T0_MS + 20_000)
    assert book.do(advance(nameless, "SENT", "ACKED")) is True
    refused = book.accept("f1", created_ms=T0_MS + 20_000)
    assert book.do(advance(refused, "SENT", "REJECTED", setl_id="SF")) is True

    def since(ms: int, rows_max: int = 100) -> list[str]:
        found = book.do(Settled(fixmedins_code=HOME, since_ms=ms, rows_max=rows_max))
        assert isinstance(found, list)
        return [row.msgid for row in found]

    assert since(0) == [f"m{number}" for number in (11, 10, 9, 8, 6, 5, 4, 3, 2, 1, 0)]
    assert since(T0_MS + 4_001) == [f"m{number}" for number in (11, 10, 9, 8, 6, 5)]
    assert since(T0_MS + 5_000) == [f"m{number}" for number in (11, 10, 9, 8, 6, 5)]
    assert since(T0_MS + 10**9) == []
    assert since(0, rows_max=2) == ["m11", "m10"]


def test_nothing_is_settled_in_an_empty_journal(book: Book) -> None:
    assert book.do(Settled(fixmedins_code=HOME, since_ms=0, rows_max=5)) == []


def test_what_only_a_statement_knows_is_one_event_and_open_to_nobody(book: Book) -> None:
    book.accept("x1", "EXTERNAL", digest=b"")
    found = book.do(Recall(HOME, "x1"))
    assert isinstance(found, Known)
    assert (found.entry.state, found.answer) == ("EXTERNAL", None)
    assert book.journal.open_entries() == []
    assert [state for _, state, _ in book.events()] == ["EXTERNAL"]
