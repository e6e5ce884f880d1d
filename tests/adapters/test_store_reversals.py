"""The store port's contract about ending doubt, against every implementation: the queue of reversals, what was undone,
what a restart must find, and who may still write.

Rules: reversal specification §5.1 (row and state in one transaction), §6 RV5, RV6, §9 (fencing); contract-annex X34.
"""

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from journals import HOME, T0_MS, Book, open_sqlite

from adapters.store.memory import MemoryJournal
from adapters.store.sqlite_journal import SqliteJournal
from gateway.core.model import (
    Accept,
    Accepted,
    Advance,
    Entry,
    Known,
    Later,
    Op,
    Recall,
    Remember,
    Saf,
    State,
    StoreBroken,
    Unfinished,
)


def saf(entry: Entry, original: Entry | None = None, **changes: Any) -> Saf:
    facts: dict[str, Any] = {
        "id": entry.id, "original_id": (original or entry).id, "state": "QUEUED", "opened_ms": T0_MS + 1,
        "sent_ms": T0_MS, "next_ms": T0_MS + 2,
    }  # fmt: skip
    return Saf(**(facts | changes))


def advance(entry: Entry, was: State, to: State, **changes: Any) -> Advance:
    facts: dict[str, Any] = {"entry": entry, "was": was, "to": to, "at_ms": T0_MS + 5, "reason": "test"}
    return Advance(**(facts | changes))


def doubt(book: Book, msgid: str = "m1", **changes: Any) -> Entry:
    """A settlement in doubt."""
    entry = book.accept(msgid, business_key=f"k{msgid}", **changes)
    assert book.advance(entry, "SENT", "IN_DOUBT") is True
    entry.state = "IN_DOUBT"
    return entry


def reversing(book: Book, msgid: str = "m1", **changes: Any) -> Entry:
    """A settlement whose reversal is on the queue."""
    entry = doubt(book, msgid, **changes)
    assert book.do(advance(entry, "IN_DOUBT", "REVERSING", saf=saf(entry))) is True
    entry.state = "REVERSING"
    return entry


def sending(book: Book, msgid: str, original: Entry) -> Entry:
    return book.entry(
        msgid, infno="2601", klass="R", lane="", mdtrt_id="", medfee_fen=None, omsgid=original.msgid,
        insuplc_admdvs="510100", mdtrtarea_admvs="510800",
    )  # fmt: skip


def row_of(book: Book, msgid: str) -> Entry:
    found = book.do(Recall(HOME, msgid))
    assert isinstance(found, Known)
    return found.entry


def queue(book: Book) -> list[Saf]:
    return [found.saf for found in book.journal.unfinished()]


# --- the queue --------------------------------------------------------------------------------------------------------


def test_an_empty_journal_has_nothing_unfinished_and_no_heads(book: Book) -> None:
    assert book.journal.unfinished() == []
    assert book.journal.heads() == {}


def test_a_reversal_is_on_the_queue_with_the_state_that_says_so(book: Book) -> None:
    entry = reversing(book)
    (found,) = book.journal.unfinished()
    assert found == Unfinished(saf(entry), entry, entry)
    assert [state for _, state, _ in book.events()] == ["JOURNALED", "SENT", "IN_DOUBT", "REVERSING"]


def test_a_move_that_does_not_take_place_puts_nothing_on_the_queue(book: Book) -> None:
    entry = doubt(book)
    assert book.do(advance(entry, "SENT", "REVERSING", saf=saf(entry))) is False
    assert queue(book) == []
    assert book.state("m1") == "IN_DOUBT"


def test_a_sending_and_its_row_are_one_write(book: Book) -> None:
    entry = reversing(book)
    flying = saf(entry, state="INFLIGHT", attempt=1, next_ms=T0_MS + 9)
    assert book.do(Accept(entry=sending(book, "s1", entry), reason="reversal", saf=flying)) == Accepted()
    assert queue(book) == [flying]
    last = book.events()[-2:]
    assert [(state, reason) for _, state, reason in last] == [("JOURNALED", "reversal"), ("SENT", "sent")]


def test_a_sending_whose_number_is_taken_moves_nothing(book: Book) -> None:
    entry = reversing(book)
    taken = book.accept("s1")
    flying = saf(entry, state="INFLIGHT", attempt=1)
    assert book.do(Accept(entry=sending(book, "s1", entry), saf=flying)) == Known(taken, None)
    assert queue(book) == [saf(entry)]


def test_the_end_of_a_sending_puts_the_row_back_with_everything_it_learned(book: Book) -> None:
    entry = reversing(book)
    sent = sending(book, "s1", entry)
    book.do(Accept(entry=sent, saf=saf(entry, state="INFLIGHT", attempt=1)))
    back = saf(entry, state="QUEUED", attempt=1, refusals=1, next_ms=T0_MS + 5000)
    assert book.do(advance(sent, "SENT", "REJECTED", saf=back)) is True
    assert queue(book) == [back]
    assert book.state("s1") == "REJECTED"


def test_when_it_was_opened_and_when_the_original_left_never_change(book: Book) -> None:
    """A restart counts the day and the quiet time from them."""
    entry = reversing(book)
    later = saf(entry, state="INFLIGHT", attempt=1)
    book.do(Accept(entry=sending(book, "s1", entry), saf=later))
    (row,) = queue(book)
    assert (row.opened_ms, row.sent_ms) == (T0_MS + 1, T0_MS)


@pytest.mark.parametrize(("state", "to"), [("DONE", "REVERSED"), ("DEAD", "MANUAL")])
def test_the_end_of_a_record_takes_its_row_off_the_queue(book: Book, state: Any, to: State) -> None:
    entry = reversing(book)
    other = reversing(book, "m2", lane="p|2")
    assert book.do(advance(entry, "REVERSING", to, saf=saf(entry, state=state), answer=b"end")) is True
    assert [found.record.msgid for found in book.journal.unfinished()] == ["m2"]
    assert book.state("m1") == to
    assert row_of(book, "m2") == other


def test_of_two_reversals_of_one_original_the_second_is_refused_and_nothing_of_it_moves(book: Book) -> None:
    """RV5: the database refuses what a race lets through."""
    original = reversing(book)
    asked = book.accept("r1", infno="2601", klass="R", omsgid="m1", business_key=f"2601|{HOME}|m1", lane="")
    events = book.events()
    second = saf(asked, original)
    assert book.do(advance(asked, "SENT", "IN_DOUBT", saf=second, answer=b"x", setl_id="S")) is False
    assert queue(book) == [saf(original)]
    assert book.events() == events
    assert row_of(book, "r1") == asked


@pytest.mark.parametrize("together", [False, True])
def test_the_same_holds_within_one_batch(book: Book, together: bool) -> None:
    original, asked = doubt(book), book.accept("r1", infno="2601", klass="R", lane="")
    ops: list[Op] = [
        advance(original, "IN_DOUBT", "REVERSING", saf=saf(original)),
        advance(asked, "SENT", "IN_DOUBT", saf=saf(asked, original)),
    ]
    results = book.journal.commit(ops) if together else [book.do(op) for op in ops]
    assert results == [True, False]
    assert queue(book) == [saf(original)]


@pytest.mark.parametrize("state", ["DONE", "DEAD"])
def test_a_reversal_that_is_over_stands_in_nobodys_way(book: Book, state: Any) -> None:
    """A success that was confirmed may be reversed by its institution after the gateway's own try came to nothing."""
    original = reversing(book)
    book.do(advance(original, "REVERSING", "CONFIRMED", saf=saf(original, state=state)))
    asked = book.accept("r1", infno="2601", klass="R", lane="")
    assert book.do(advance(asked, "SENT", "IN_DOUBT", saf=saf(asked, original))) is True
    (found,) = book.journal.unfinished()
    assert (found.record.msgid, found.original.msgid) == ("r1", "m1")


def test_what_is_unfinished_comes_oldest_first_with_record_and_original(book: Book) -> None:
    paid = book.accept("m1", lane="p|1")
    book.advance(paid, "SENT", "ACKED", setl_id="S1")
    doubts = [reversing(book, f"d{number}", lane=f"p|d{number}") for number in range(3)]
    asked = book.accept("r1", infno="2601", klass="R", omsgid="m1", lane="")
    book.advance(asked, "SENT", "IN_DOUBT")
    book.do(advance(asked, "IN_DOUBT", "IN_DOUBT", saf=saf(asked, paid, state="INFLIGHT")))
    found = book.journal.unfinished()
    assert [(one.record.msgid, one.original.msgid, one.saf.state) for one in found] == [
        ("d0", "d0", "QUEUED"),
        ("d1", "d1", "QUEUED"),
        ("d2", "d2", "QUEUED"),
        ("r1", "m1", "INFLIGHT"),
    ]
    assert found[0].record == doubts[0]
    assert (found[3].original.setl_id, found[3].record.state) == ("S1", "IN_DOUBT")


def test_what_a_caller_does_to_what_it_found_does_not_reach_the_journal(book: Book) -> None:
    reversing(book)
    (found,) = book.journal.unfinished()
    found.record.state = "ACKED"
    found.original.msgid = "x"
    (again,) = book.journal.unfinished()
    assert (again.record.state, again.original.msgid) == ("REVERSING", "m1")


def test_many_reversals_move_in_one_batch_as_one_by_one(book: Book) -> None:
    rows = [doubt(book, f"m{number}", lane=f"p|{number}") for number in range(40)]
    stale = rows[7]
    ops: list[Op] = [
        advance(row, "SENT" if row is stale else "IN_DOUBT", "REVERSING", saf=saf(row, next_ms=row.id)) for row in rows
    ]
    assert book.journal.commit(ops) == [row is not stale for row in rows]
    assert [row.id for row in queue(book)] == [row.id for row in rows if row is not stale]
    assert [row.next_ms for row in queue(book)] == [row.id for row in queue(book)]
    assert book.state("m7") == "IN_DOUBT"


# --- areas ------------------------------------------------------------------------------------------------------------


def test_the_area_of_a_visit_is_kept_with_its_row(book: Book) -> None:
    entry = book.accept("m1", mdtrtarea_admvs="510800", insuplc_admdvs="510100")
    assert row_of(book, "m1") == entry
    book.advance(entry, "SENT", "IN_DOUBT")
    (found,) = book.journal.open_entries()
    assert (found.mdtrtarea_admvs, found.insuplc_admdvs) == ("510800", "510100")


# --- heads ------------------------------------------------------------------------------------------------------------


def test_the_last_head_of_each_institution_is_kept(book: Book) -> None:
    assert book.do(Remember(fixmedins_code=HOME, head='{"sign_no":"1"}')) is True
    assert book.do(Remember(fixmedins_code="H51080200002", head='{"sign_no":"2"}')) is True
    assert book.do(Remember(fixmedins_code=HOME, head='{"sign_no":"3"}')) is True
    assert book.journal.heads() == {HOME: '{"sign_no":"3"}', "H51080200002": '{"sign_no":"2"}'}
    assert book.events() == []  # it is no event of anything


def test_heads_in_one_batch_are_kept_in_its_order(book: Book) -> None:
    ops: list[Op] = [Remember(fixmedins_code=HOME, head=str(number)) for number in range(5)]
    assert book.journal.commit(ops) == [True] * 5
    assert book.journal.heads() == {HOME: "4"}


# --- what was built on it (RV6) ---------------------------------------------------------------------------------------


def test_a_record_nothing_came_after_has_nothing_built_on_it(book: Book) -> None:
    book.accept("m0", psn_no="1")
    entry = book.accept("m1", psn_no="1", lane="p|2")
    assert book.do(Later(entry=entry)) is False


@pytest.mark.parametrize("state", ["SENT", "ACKED", "IN_DOUBT", "REVERSING", "MANUAL", "CONFIRMED"])
def test_a_later_record_of_the_person_that_stands_or_may_stand_counts(book: Book, state: State) -> None:
    first = book.accept("m1", psn_no="1")
    later = book.accept("m2", psn_no="1")
    if state != "SENT":
        book.advance(later, "SENT", state)
    assert book.do(Later(entry=first)) is True
    assert book.do(Later(entry=later)) is False


@pytest.mark.parametrize("state", ["REJECTED", "NOT_SENT", "ABSENT", "REVERSED"])
def test_a_later_record_that_failed_does_not_count(book: Book, state: State) -> None:
    first = book.accept("m1", psn_no="1")
    book.advance(book.accept("m2", psn_no="1"), "SENT", state)
    assert book.do(Later(entry=first)) is False


def test_neither_other_persons_nor_reversals_nor_cancelled_settlements_count(book: Book) -> None:
    first = book.accept("m1", psn_no="1")
    book.accept("m2", psn_no="2")
    book.accept("r1", psn_no="1", infno="2601", klass="R", lane="")
    paid = book.accept("m3", psn_no="1", business_key="k3")
    book.advance(paid, "SENT", "ACKED", setl_id="S3")
    undo = book.accept("r3", infno="2601", klass="R", lane="", psn_no="1")
    assert book.do(Later(entry=first)) is True
    assert book.do(advance(undo, "SENT", "ACKED", undoes=paid.id)) is True
    assert book.do(Later(entry=first)) is False


def test_of_one_recorded_after_the_fact_every_record_since_a_time_counts(book: Book) -> None:
    book.accept("m0", psn_no="1", created_ms=T0_MS - 1)
    book.accept("m1", psn_no="2", created_ms=T0_MS)
    entry = book.accept("x1", "EXTERNAL", psn_no="1", created_ms=T0_MS + 5)
    assert book.do(Later(entry=entry, since_ms=T0_MS)) is False
    assert book.do(Later(entry=entry, since_ms=T0_MS - 1)) is True
    book.accept("m2", psn_no="1", created_ms=T0_MS + 6)
    assert book.do(Later(entry=entry, since_ms=T0_MS)) is True


def test_a_later_record_is_seen_by_a_question_in_the_same_batch(book: Book) -> None:
    first = book.accept("m1", psn_no="1")
    second = book.entry("m2", psn_no="1")
    assert book.journal.commit([Accept(entry=second), Later(entry=first)]) == [Accepted(), True]


# --- who may write (§9) -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_an_owner_that_was_followed_by_another_cannot_write_any_more(kind: str, tmp_path: Path) -> None:
    """A node that lost its lock and does not know it must not mark anything as sent."""
    book = Book(MemoryJournal() if kind == "memory" else open_sqlite(tmp_path))
    journal, earlier = book.journal, book.journal
    if isinstance(journal, MemoryJournal):
        earlier = journal.open()  # type: ignore[assignment]  # the store port, owned
        journal.open()
    else:
        assert isinstance(journal, SqliteJournal)
        follow(tmp_path)
    entry = book.entry("m1")
    for ops in ([Accept(entry=entry)], [advance(entry, "SENT", "ACKED")], []):
        with pytest.raises(StoreBroken):
            earlier.commit(ops)  # type: ignore[arg-type]  # an empty list is a list of operations
    assert book.do(Recall(HOME, "m1")) is None
    assert book.events() == []
    if isinstance(journal, SqliteJournal):
        journal.close()


def follow(folder: Path) -> None:
    """Open the journal as another process would whose lock was granted: it takes the token."""
    connection = sqlite3.connect(folder / "journal.sqlite", isolation_level=None)
    connection.execute("UPDATE chain_head SET owner = owner + 1")
    connection.close()


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_the_latest_owner_writes(kind: str, tmp_path: Path) -> None:
    if kind == "memory":
        memory = MemoryJournal()
        memory.open()
        assert memory.open().commit([Accept(entry=Book(memory).entry("m1"))]) == [Accepted()]
        return
    owners = []
    for number in range(3):
        journal = open_sqlite(tmp_path)
        Book(journal, next_id=journal.last_id + 1).accept(f"m{number}")
        owners.append(journal.owner)
        journal.close()
    assert owners == [1, 2, 3]
