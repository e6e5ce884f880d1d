"""Fixtures of the adapters' tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from journals import Book, open_sqlite

from adapters.store.memory import MemoryJournal


@pytest.fixture(params=["memory", "sqlite"])
def book(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Book]:
    """A journal of each kind: what holds for one holds for the other."""
    if request.param == "memory":
        yield Book(MemoryJournal())
        return
    journal = open_sqlite(tmp_path)
    yield Book(journal)
    journal.close()
