"""The store port's contract about what a reversal took back, against every implementation.

Rules: reversal specification §6 RV5, RV6, §8; reconciliation specification §5.6 R6.
"""

from pathlib import Path
from typing import Any

import pytest
from journals import HOME, T0_MS, Book, open_sqlite

from adapters.store.journal_reader import ASKED_BACK, reading
from gateway.core.model import Accept, Advance, Duplicate, Entry, Known, Op, Recall, State


def advance(entry: Entry, was: State, to: State, **changes: Any) -> Advance:
    facts: dict[str, Any] = {"entry": entry, "was": was, "to": to, "at_ms": T0_MS + 5, "reason": "test"}
    return Advance(**(facts | changes))


def row_of(book: Book, msgid: str) -> Entry:
    found = book.do(Recall(HOME, msgid))
    assert isinstance(found, Known)
    return found.entry


def test_a_reversal_that_is_done_frees_what_it_undid_and_nothing_else(book: Book) -> None:
    paid = book.accept("m1", business_key="k")
    other = book.accept("m2", business_key="q")
    for entry in (paid, other):
        book.advance(entry, "SENT", "ACKED", setl_id=f"S{entry.msgid}")
    asked = book.accept("r1", infno="2601", klass="R", lane="", omsgid="m1", business_key=f"2601|{HOME}|m1")
    assert book.do(advance(asked, "SENT", "ACKED", undoes=paid.id)) is True
    undone = row_of(book, "m1")
    assert (undone.state, undone.cancelled) == ("ACKED", True)  # its end stays; it is what came later
    assert not row_of(book, "m2").cancelled
    book.accept("m3", business_key="k")
    assert isinstance(book.do(Accept(entry=book.entry("m4", business_key="q"))), Duplicate)
    assert isinstance(book.do(Accept(entry=book.entry("r2", business_key=f"2601|{HOME}|m1"))), Duplicate)


@pytest.mark.parametrize("state", ["SENT", "IN_DOUBT", "MANUAL"])
def test_who_asks_for_a_success_nobody_heard_is_told_how_its_reversal_stands(book: Book, state: State) -> None:
    paid = book.accept("m1", business_key="k")
    book.advance(paid, "SENT", "ACKED", setl_id="S1", answer=b"yes")
    asked = book.accept("r1", infno="2601", klass="R", lane="", omsgid="m1", business_key=f"2601|{HOME}|m1")
    if state != "SENT":
        book.advance(asked, "SENT", state)
    known = book.do(Recall(HOME, "m1"))
    assert isinstance(known, Known)
    assert known.undoing == state
    book.advance(asked, state, "REJECTED", answer=b"no")
    known = book.do(Recall(HOME, "m1"))
    assert isinstance(known, Known)
    assert known.undoing == ""


def test_one_that_waits_for_people_counts_whoever_asked_for_it_and_a_sending_does_not(book: Book) -> None:
    paid = book.accept("m1", business_key="k")
    book.advance(paid, "SENT", "ACKED", setl_id="S1")
    of_it = {"infno": "2601", "klass": "R", "lane": "", "omsgid": "m1"}
    book.accept("s1", **of_it)  # one sending
    book.accept("b0", business_key=f"2601|{HOME}|m15|b0", **of_it | {"omsgid": "m15"})
    known = book.do(Recall(HOME, "m1"))
    assert isinstance(known, Known) and known.undoing == ""
    asked = book.accept("r1", business_key=f"2601|{HOME}|m1", **of_it)
    ordered = book.accept("b1", business_key=f"2601|{HOME}|m1|b1", **of_it)  # by the books
    book.advance(ordered, "SENT", "MANUAL")
    known = book.do(Recall(HOME, "m1"))
    assert isinstance(known, Known) and known.undoing == "MANUAL"
    book.advance(ordered, "MANUAL", "ABSENT")
    known = book.do(Recall(HOME, "m1"))
    assert isinstance(known, Known) and known.undoing == asked.state == "SENT"


def test_a_success_that_was_heard_is_told_whatever_is_asked_about_it(book: Book) -> None:
    paid = book.accept("m1", business_key="k")
    book.advance(paid, "SENT", "ACKED", delivered=True)
    book.accept("r1", infno="2601", klass="R", lane="", omsgid="m1", business_key=f"2601|{HOME}|m1")
    known = book.do(Recall(HOME, "m1"))
    assert isinstance(known, Known)
    assert known.undoing == ""


@pytest.mark.parametrize("taken", [False, True])
def test_a_cancellation_that_is_taken_back_revives_its_settlement_unless_the_bill_was_settled_anew(
    book: Book, taken: bool
) -> None:
    paid, other = book.accept("m1", business_key="k"), book.accept("m2", business_key="q")
    book.advance(paid, "SENT", "ACKED", setl_id="S1")
    book.advance(other, "SENT", "ACKED", setl_id="S2")
    for number in ("1", "2"):
        refund = book.accept(f"u{number}", infno="2208", business_key=f"undo|{HOME}|S{number}")
        book.advance(refund, "SENT", "ACKED", cancels=f"S{number}")
    if taken:
        book.accept("m3", business_key="k")
    undone = row_of(book, "u1")
    asked = book.accept("r1", infno="2601", klass="R", lane="")
    assert book.do(advance(asked, "SENT", "ACKED", undoes=undone.id)) is True
    assert [row_of(book, msgid).cancelled for msgid in ("u1", "m1", "m2")] == [True, taken, True]
    assert isinstance(book.do(Accept(entry=book.entry("m4", business_key="k"))), Duplicate)
    book.accept("u3", infno="2208", business_key=f"undo|{HOME}|S1")


def test_a_reversal_whose_own_row_does_not_move_undoes_nothing(book: Book) -> None:
    paid = book.accept("m1", business_key="k")
    asked = book.accept("r1", infno="2601", klass="R", lane="")
    assert book.do(advance(asked, "IN_DOUBT", "CONFIRMED", undoes=paid.id)) is False
    assert not row_of(book, "m1").cancelled


def test_undoing_in_a_batch_with_others_undoes_the_right_one(book: Book) -> None:
    rows = [book.accept(f"m{number}", business_key=f"k{number}") for number in range(4)]
    asked = [book.accept(f"r{number}", infno="2601", klass="R", lane="") for number in range(4)]
    ops: list[Op] = [
        advance(one, "SENT", "ACKED", undoes=rows[number].id if number % 2 else 0) for number, one in enumerate(asked)
    ]
    assert book.journal.commit(ops) == [True] * 4
    assert [row_of(book, f"m{number}").cancelled for number in range(4)] == [False, True, False, True]


def test_what_an_institution_is_taking_back_is_told_apart_from_orders_and_sendings(tmp_path: Path) -> None:
    journal = open_sqlite(tmp_path)
    book = Book(journal)
    of_it: dict[str, Any] = {"infno": "2601", "klass": "R", "lane": "", "omsgid": "m1"}
    paid = book.accept("m1", business_key="k")
    book.advance(paid, "SENT", "ACKED")
    book.accept("s1", **of_it)  # one sending of the gateway's
    ordered = book.accept("b1", business_key=f"2601|{HOME}|m1|b1", **of_it)
    asked = book.accept("r1", business_key=f"2601|{HOME}|m1", **of_it)
    with reading(tmp_path / "journal.sqlite") as reader:
        assert [one.msgid for one in reader.asked_back()] == ["r1"]
        book.advance(asked, "SENT", "MANUAL")
        assert [(one.msgid, one.state) for one in reader.asked_back()] == [("r1", "MANUAL")]
        assert reader.taken_back_by(ordered).msgid == "m1"
        assert reader.taken_back_by(paid).msgid == "m1"
        assert reader.taken_back_by(book.entry("r2", omsgid="m9")).msgid == "r2"
        book.advance(asked, "MANUAL", "ABSENT")
        assert reader.asked_back() == []
        plan = journal.connection.execute(f"EXPLAIN QUERY PLAN {ASKED_BACK}").fetchall()
    assert not [row for row in plan if row[3].startswith("SCAN")]
    journal.close()
