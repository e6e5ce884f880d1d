"""A journal that is behind its mark was restored from a backup: found at the next opening, until it is over (§9)."""

import os
import shutil
from pathlib import Path

from journals import T0_MS, Book, open_sqlite

from adapters.store.mark import is_behind, mark_path, write_mark
from gateway.core.model import Advance, Entry, Reopen

NAME = "journal.sqlite"


def move(book: Book, entry: Entry, at_ms: int) -> None:
    op = Advance(entry=entry, was="SENT", to="ACKED", at_ms=at_ms, reason="answered", setl_id="S1")
    assert book.do(op) is True


def backed_up(folder: Path) -> None:
    """A journal with one settlement, a copy of it, and one more settlement."""
    journal = open_sqlite(folder)
    book = Book(journal)
    move(book, book.accept("m1", created_ms=T0_MS), T0_MS + 700)
    journal.close()
    shutil.copy(folder / NAME, folder / "backup")
    journal = open_sqlite(folder)
    assert journal.restored_ms is None
    book = Book(journal, next_id=2)
    book.accept("m2", created_ms=T0_MS + 5000)
    journal.close()


def test_a_backup_that_is_put_back_is_noticed_and_asked_from_its_last_commit_on(tmp_path: Path) -> None:
    backed_up(tmp_path)
    shutil.copy(tmp_path / "backup", tmp_path / NAME)
    for _ in range(3):  # and stays so: a crash meanwhile begins again
        journal = open_sqlite(tmp_path)
        assert journal.restored_ms == T0_MS + 700
        Book(journal, next_id=10 + journal.last_id).accept(f"m{journal.last_id + 10}")
        journal.close()
    journal = open_sqlite(tmp_path)
    assert journal.commit([Reopen()]) == [True]
    journal.close()
    journal = open_sqlite(tmp_path)
    assert journal.restored_ms is None
    journal.close()


def test_a_restart_or_a_crash_is_no_restoration(tmp_path: Path) -> None:
    backed_up(tmp_path)
    journal = open_sqlite(tmp_path)
    journal.mark()
    Book(journal, next_id=3).accept("m3")
    journal.connection.close()  # killed: the mark is older than the journal
    os.close(journal.lock)
    journal = open_sqlite(tmp_path)
    assert journal.restored_ms is None
    journal.close()


def test_a_journal_that_is_gone_was_not_always_empty(tmp_path: Path) -> None:
    backed_up(tmp_path)
    (tmp_path / NAME).unlink()
    journal = open_sqlite(tmp_path)
    assert journal.restored_ms == 0
    journal.close()


def test_a_person_may_say_what_no_mark_shows(tmp_path: Path) -> None:
    backed_up(tmp_path)
    mark_path(tmp_path / NAME).unlink()
    shutil.copy(tmp_path / "backup", tmp_path / NAME)
    journal = open_sqlite(tmp_path)
    assert journal.restored_ms is None
    journal.restore()
    journal.close()
    journal = open_sqlite(tmp_path)
    assert journal.restored_ms == T0_MS + 700
    journal.close()


def test_another_history_of_the_same_length_is_another_journal(tmp_path: Path) -> None:
    path = tmp_path / NAME
    assert not is_behind(path, 0, b"")
    write_mark(path, 7, b"a")
    assert [is_behind(path, number, b"a") for number in (6, 7, 8)] == [True, False, False]
    assert is_behind(path, 7, b"b")
    assert not is_behind(path, 8, b"b")


def test_a_mark_nobody_can_read_or_write_harms_nothing(tmp_path: Path) -> None:
    path = tmp_path / NAME
    for text in ("", "x y", "7", "\xff"):
        mark_path(path).write_text(text, "latin-1")
        assert is_behind(path, 3, b"a") is (text == "7")
    write_mark(tmp_path / "no" / NAME, 1, b"a")
