"""The store port's contract, against every implementation: what a journal promises the exchange.

Rules: reversal specification §3 (compare and set), §8 (duplicates), §9; contract-annex X7, X8, X34.
"""

from typing import Any

import attrs
import pytest
from journals import HOME, T0_MS, Book

from gateway.core.model import Accept, Accepted, Advance, Duplicate, Keep, Known, Op, Recall

EVIDENCE = (("input.feedetail[0].med_list_codg", "drug", "YP1", "XB05", "m1", "2026-03-02"),)


def test_a_new_request_is_accepted_with_all_its_facts(book: Book) -> None:
    entry = book.entry("m1", business_key="2207|H|1|V1|B1", soft_key="s", omsgid="o", insuplc_admdvs="51")
    assert book.do(Accept(entry=entry, evidence=EVIDENCE)) == Accepted()
    assert book.do(Recall(HOME, "m1")) == Known(entry, None)
    assert book.do(Recall(HOME, "m2")) is None
    assert book.do(Recall("H51080200002", "m1")) is None


def test_marking_at_once_writes_both_steps_into_the_story(book: Book) -> None:
    sent = book.accept("m1", "SENT")
    waits = book.accept("m2", "JOURNALED")
    assert book.events() == [
        (sent.id, "JOURNALED", "accepted"),
        (sent.id, "SENT", "sent"),
        (waits.id, "JOURNALED", "accepted"),
    ]


def test_the_same_msgid_is_known_and_changes_nothing(book: Book) -> None:
    first = book.accept("m1")
    again = book.entry("m1", digest=b"e" * 32, medfee_fen=1)
    assert book.do(Accept(entry=again)) == Known(first, None)
    assert book.do(Recall(HOME, "m1")) == Known(first, None)
    assert len(book.events()) == 2


def test_two_accepts_of_one_msgid_in_one_batch_make_one_row(book: Book) -> None:
    first, second = book.entry("m1"), book.entry("m1")
    results = book.journal.commit([Accept(entry=first), Accept(entry=second), Recall(HOME, "m1")])
    assert results == [Accepted(), Known(first, None), Known(first, None)]


def test_another_institution_may_use_the_same_msgid(book: Book) -> None:
    book.accept("m1")
    book.accept("m1", fixmedins_code="H51080200002")


def test_a_live_business_key_is_held_by_its_first_msgid(book: Book) -> None:
    first = book.accept("m1", business_key="k")
    assert book.do(Accept(entry=book.entry("m2", business_key="k"))) == Duplicate(first)
    assert book.do(Recall(HOME, "m2")) is None
    results = book.journal.commit([Accept(entry=book.entry(m, business_key="q")) for m in ("m3", "m4")])
    assert results[0] == Accepted()
    assert isinstance(results[1], Duplicate)
    assert results[1].entry.msgid == "m3"


@pytest.mark.parametrize("state", ["ACKED", "IN_DOUBT", "CONFIRMED", "REVERSING", "MANUAL"])
def test_a_key_stays_held_while_its_record_is_or_may_be_settled(book: Book, state: Any) -> None:
    first = book.accept("m1", business_key="k")
    assert book.advance(first, "SENT", state) is True
    assert isinstance(book.do(Accept(entry=book.entry("m2", business_key="k"))), Duplicate)


@pytest.mark.parametrize("state", ["REJECTED", "NOT_SENT", "ABSENT", "REVERSED"])
def test_a_key_is_free_again_once_its_record_failed(book: Book, state: Any) -> None:
    first = book.accept("m1", business_key="k")
    assert book.advance(first, "SENT", state) is True
    second = book.accept("m2", business_key="k")
    assert isinstance(book.do(Accept(entry=book.entry("m3", business_key="k"))), Duplicate)
    assert book.do(Recall(HOME, "m2")) == Known(second, None)


def test_an_empty_business_key_collides_with_nothing(book: Book) -> None:
    book.accept("m1", business_key="")
    book.accept("m2", business_key="")


def test_a_refund_frees_the_key_of_what_it_cancels_and_of_nothing_else(book: Book) -> None:
    paid = book.accept("m1", business_key="k")
    other = book.accept("m2", business_key="q")
    assert book.advance(paid, "SENT", "ACKED", setl_id="S1") is True
    assert book.advance(other, "SENT", "ACKED", setl_id="S2") is True
    refund = book.accept("m3", infno="2208", business_key="undo|S1")
    assert book.advance(refund, "SENT", "ACKED", cancels="S1") is True
    book.accept("m4", business_key="k")
    assert isinstance(book.do(Accept(entry=book.entry("m5", business_key="q"))), Duplicate)
    assert isinstance(book.do(Accept(entry=book.entry("m6", business_key="undo|S1"))), Duplicate)
    found = book.do(Recall(HOME, "m1"))
    assert isinstance(found, Known)
    assert found.entry.cancelled
    assert found.entry.state == "ACKED"


def test_a_refund_of_another_institution_cancels_nothing(book: Book) -> None:
    paid = book.accept("m1", business_key="k")
    book.advance(paid, "SENT", "ACKED", setl_id="S1")
    refund = book.accept("m2", infno="2208", fixmedins_code="H51080200002")
    book.advance(refund, "SENT", "ACKED", cancels="S1")
    assert isinstance(book.do(Accept(entry=book.entry("m3", business_key="k"))), Duplicate)


def test_a_withdrawn_admission_frees_its_key(book: Book) -> None:
    """2404 takes back 2401; the corrected admission may carry the same ipt_no (reversal specification §8)."""
    key = f"2401|{HOME}|1|ZY1"
    first = book.accept("m1", infno="2401", klass="A", business_key=key, mdtrt_id="")
    book.advance(first, "SENT", "ACKED", mdtrt_id="Z1")
    done = book.entry("w0", "DONE", klass="W", infno="2404", lane="", mdtrt_id="Z9")
    book.do(Keep(entry=done, cancels="Z9", psn_no="1"))
    assert isinstance(book.do(Accept(entry=book.entry("m2", business_key=key))), Duplicate)
    done = book.entry("w1", "DONE", klass="W", infno="2404", lane="", mdtrt_id="Z1")
    book.do(Keep(entry=done, cancels="Z1", psn_no="1"))
    book.accept("m3", infno="2401", klass="A", business_key=key)


def test_a_look_alike_sale_within_ten_minutes_is_a_possible_duplicate(book: Book) -> None:
    first = book.accept("m1", infno="2102", soft_key="s", created_ms=T0_MS)
    book.advance(first, "SENT", "ACKED")
    first.state = "ACKED"
    near = book.entry("m2", infno="2102", soft_key="s", created_ms=T0_MS + 599_999)
    assert book.do(Accept(entry=near)) == Duplicate(first, soft=True)
    book.accept("m3", infno="2102", soft_key="s", created_ms=T0_MS + 600_000)


@pytest.mark.parametrize("state", ["IN_DOUBT", "REVERSING", "MANUAL"])
def test_a_look_alike_that_may_be_settled_stands_in_the_way_for_as_long_as_that(book: Book, state: Any) -> None:
    first = book.accept("m1", infno="2102", soft_key="s", created_ms=T0_MS)
    book.advance(first, "SENT", state)
    later = book.entry("m2", infno="2102", soft_key="s", created_ms=T0_MS + 7_200_000)
    found = book.do(Accept(entry=later))
    assert isinstance(found, Duplicate)
    assert (found.entry.msgid, found.soft) == ("m1", False)
    book.advance(first, state, "REVERSED")
    assert book.do(Accept(entry=later)) == Accepted()


def test_a_look_alike_that_failed_is_no_duplicate(book: Book) -> None:
    first = book.accept("m1", infno="2102", soft_key="s")
    book.advance(first, "SENT", "REJECTED")
    book.accept("m2", infno="2102", soft_key="s")


def test_a_repeat_of_a_sale_is_known_whatever_was_sold_since(book: Book) -> None:
    """X7: the same msgid gets the same bytes, also when a look-alike was sold more than ten minutes later."""
    first = book.accept("m1", infno="2102", soft_key="s", created_ms=T0_MS)
    book.advance(first, "SENT", "ACKED")
    first.state = "ACKED"
    book.accept("m2", infno="2102", soft_key="s", created_ms=T0_MS + 700_000)
    repeat = book.entry("m1", infno="2102", soft_key="s", created_ms=T0_MS + 800_000)
    assert book.do(Accept(entry=repeat)) == Known(first, None)


def test_a_row_moves_only_from_the_state_it_is_in(book: Book) -> None:
    entry = book.accept("m1")
    assert book.advance(entry, "JOURNALED", "NOT_SENT") is False
    assert book.advance(entry, "SENT", "ACKED", setl_id="S1", answer=b"yes", delivered=True) is True
    assert book.advance(entry, "SENT", "REJECTED", answer=b"no") is False
    found = book.do(Recall(HOME, "m1"))
    moved = attrs.evolve(entry, state="ACKED", setl_id="S1", delivered=True)
    assert found == Known(moved, b"yes")
    assert [state for _, state, _ in book.events()] == ["JOURNALED", "SENT", "ACKED"]


def test_a_row_that_does_not_exist_does_not_move(book: Book) -> None:
    assert book.advance(book.entry("m1"), "SENT", "ACKED", answer=b"x") is False
    assert book.do(Recall(HOME, "m1")) is None
    assert book.events() == []


def test_what_the_platform_named_stays_when_a_later_step_names_nothing(book: Book) -> None:
    entry = book.accept("m1", mdtrt_id="")
    book.advance(entry, "SENT", "ACKED", setl_id="S1", mdtrt_id="V7", settled='{"medfee_sumamt":1}')
    book.advance(entry, "ACKED", "ACKED", delivered=True, reason="delivered")
    found = book.do(Recall(HOME, "m1"))
    assert isinstance(found, Known)
    row = found.entry
    assert (row.setl_id, row.mdtrt_id, row.settled, row.delivered) == ("S1", "V7", '{"medfee_sumamt":1}', True)


def test_delivered_is_never_taken_back(book: Book) -> None:
    entry = book.accept("m1")
    book.advance(entry, "SENT", "ACKED", delivered=True)
    book.advance(entry, "ACKED", "ACKED", delivered=False, setl_id="S1")
    found = book.do(Recall(HOME, "m1"))
    assert isinstance(found, Known)
    assert found.entry.delivered


def test_a_whole_story_in_one_batch_is_seen_by_the_look_up_behind_it(book: Book) -> None:
    entry = book.entry("m1", "JOURNALED")
    steps: list[Op] = [
        Accept(entry=entry),
        Advance(entry=entry, was="JOURNALED", to="SENT", at_ms=T0_MS, reason="sent"),
        Advance(entry=entry, was="SENT", to="ACKED", at_ms=T0_MS, reason="answered", answer=b"yes"),
        Recall(HOME, "m1"),
    ]
    *moves, found = book.journal.commit(steps)
    assert moves == [Accepted(), True, True]
    assert isinstance(found, Known)
    assert (found.entry.state, found.answer) == ("ACKED", b"yes")


def test_a_write_is_kept_with_its_answer_and_the_first_answer_stays(book: Book) -> None:
    done = book.entry("w1", "DONE", klass="W", infno="2204", lane="")
    assert book.do(Keep(entry=done, evidence=EVIDENCE, answer=b"first")) is True
    assert book.do(Keep(entry=book.entry("w1", "DONE", klass="W", infno="2204"), answer=b"second")) is True
    found = book.do(Recall(HOME, "w1"))
    assert isinstance(found, Known)
    assert (found.entry.id, found.entry.state, found.answer) == (done.id, "DONE", b"first")
    assert book.events() == [(done.id, "DONE", "done")]


def test_answers_come_back_byte_for_byte(book: Book) -> None:
    for number, body in enumerate((b"", b"\x00\xff\r\n", "汉字".encode(), b"x" * 300_000)):
        entry = book.accept(f"m{number}")
        book.advance(entry, "SENT", "ACKED", answer=body)
        found = book.do(Recall(HOME, f"m{number}"))
        assert isinstance(found, Known)
        assert found.answer == body


def test_what_a_caller_does_to_its_entry_later_does_not_reach_the_journal(book: Book) -> None:
    entry = book.accept("m1")
    entry.state = "ACKED"
    assert book.state("m1") == "SENT"
    found = book.do(Recall(HOME, "m1"))
    assert isinstance(found, Known)
    found.entry.state = "REJECTED"
    assert book.state("m1") == "SENT"


def test_a_row_begins_in_the_state_it_was_handed_over_in(book: Book) -> None:
    """Who waits for a lane may be called while its row is on its way to disk: the entry moves on, the row must not."""
    entry = book.entry("m1", "JOURNALED")
    op = Accept(entry=entry)
    entry.state = "SENT"
    assert book.do(op) == Accepted()
    assert book.events() == [(entry.id, "JOURNALED", "accepted")]
    assert book.state("m1") == "JOURNALED"


def test_open_entries_are_all_that_are_not_at_their_end_oldest_first(book: Book) -> None:
    for state in ("ACKED", "IN_DOUBT", "REJECTED", "REVERSING", "NOT_SENT", "MANUAL", "REVERSED", "CONFIRMED"):
        entry = book.accept(f"to-{state}", lane=state)
        book.advance(entry, "SENT", state)
    book.accept("sent")
    book.accept("waiting", "JOURNALED")
    open_rows = book.journal.open_entries()
    assert [row.msgid for row in open_rows] == ["to-IN_DOUBT", "to-REVERSING", "to-MANUAL", "sent", "waiting"]
    assert [row.state for row in open_rows] == ["IN_DOUBT", "REVERSING", "MANUAL", "SENT", "JOURNALED"]


def test_an_empty_batch_proves_that_a_write_works_and_leaves_nothing(book: Book) -> None:
    assert book.journal.commit([]) == []
    assert book.events() == []


def test_the_state_rebuilt_from_the_events_is_the_state_of_the_row(book: Book) -> None:
    for number in range(30):
        entry = book.accept(f"m{number}", "JOURNALED" if number % 3 else "SENT", lane=str(number))
        steps = [("JOURNALED", "SENT")] if number % 3 else []
        steps += [("SENT", "IN_DOUBT"), ("IN_DOUBT", "ACKED"), ("IN_DOUBT", "REJECTED")][: number % 4]
        for was, to in steps:
            book.advance(entry, was, to)  # type: ignore[arg-type]  # the states of the table
    rebuilt = {number: state for number, state, _ in book.events()}
    for number in range(30):
        found = book.do(Recall(HOME, f"m{number}"))
        assert isinstance(found, Known)
        assert rebuilt[found.entry.id] == found.entry.state


def test_of_many_moves_together_only_the_wrong_one_fails(book: Book) -> None:
    rows = [book.accept(f"m{n}") for n in range(5)]
    stale = rows[3]
    moved = book.journal.commit(
        [Advance(entry=e, was="SENT", to="IN_DOUBT", at_ms=T0_MS + 1, reason="silent") for e in rows]
    )
    assert moved == [True] * 5
    again = [
        Advance(entry=e, was="SENT" if e is stale else "IN_DOUBT", to="ACKED", at_ms=T0_MS + 2, reason="late")
        for e in rows
    ]
    fresh = book.entry("m9")
    results = book.journal.commit([*again, Accept(entry=fresh)])
    assert results == [True, True, True, False, True, Accepted()]
    # The same move told once more, at the same millisecond, moves nothing.
    assert book.journal.commit([again[0], again[1]]) == [False, False]
    states = [book.state(f"m{n}") for n in range(5)]
    assert states == ["ACKED", "ACKED", "ACKED", "IN_DOUBT", "ACKED"]


def test_a_big_batch_is_the_same_as_its_parts(book: Book) -> None:
    rows = [book.entry(f"m{n}", business_key=f"2207|{n % 90}") for n in range(150)]
    results = book.journal.commit([Accept(entry=e, evidence=EVIDENCE) for e in rows])
    assert results[:90] == [Accepted()] * 90
    assert [type(r) for r in results[90:]] == [Duplicate] * 60
    assert {r.entry.msgid for r in results if isinstance(r, Duplicate)} == {f"m{n}" for n in range(60)}
