"""Late answers in the journal: evidence that moves nothing, what is owed for it, and how a person reads it (§4.4)."""

from pathlib import Path
from typing import Any

import pytest
from journals import HOME, T0_MS, Book, open_sqlite

from adapters.store.journal_reader import reading
from adapters.store.memory import MemoryJournal
from gateway.app.story import lines_of, story_of
from gateway.core.model import Accept, Accepted, Advance, Entry, LateAnswer, Op, Recall, State, followup_msgid


def advance(entry: Entry, was: State, to: State, reason: str) -> Advance:
    return Advance(entry=entry, was=was, to=to, at_ms=T0_MS + 5, reason=reason)


def doubt(book: Book) -> Entry:
    """A settlement in doubt."""
    entry = book.accept("m1", business_key="k1")
    book.advance(entry, "SENT", "IN_DOUBT", reason="silent")
    return entry


def late(entry: Entry, said: str = "acked", **changes: Any) -> LateAnswer:
    return LateAnswer(entry=entry, at_ms=T0_MS + 9, said=said, **changes)


def test_a_late_answer_is_an_event_and_moves_nothing(book: Book) -> None:
    entry = doubt(book)
    before = book.do(Recall(HOME, "m1"))
    assert book.do(late(entry, "rejected")) is False
    assert book.do(late(entry, setl_id="S9")) is False  # it is still in doubt
    assert book.events()[-2:] == [
        (entry.id, "IN_DOUBT", "late_response rejected"),
        (entry.id, "IN_DOUBT", "late_response acked S9"),
    ]
    assert book.do(Recall(HOME, "m1")) == before


def test_a_restored_backup_owes_nothing_for_what_was_heard_before(book: Book) -> None:
    """What followed is lost, and the day may be solidified since."""
    entry = doubt(book)
    book.advance(entry, "IN_DOUBT", "ABSENT", reason="nothing")
    assert book.do(late(entry)) is True
    assert [one.msgid for one in book.journal.overheard()] == ["m1"]
    book.advance(entry, "ABSENT", "ABSENT", reason="restored")
    assert book.journal.overheard() == []


@pytest.mark.parametrize(
    ("to", "reason", "owed"),
    [
        ("REVERSED", "reversed_absent", True),
        ("ABSENT", "nothing", True),
        ("REVERSED", "reversed", False),
        ("ABSENT", "decided_7", False),
        ("CONFIRMED", "found", False),
    ],
)
def test_a_late_success_is_followed_up_where_nothing_was_found_to_take_back(
    book: Book, to: State, reason: str, owed: bool
) -> None:
    entry = doubt(book)
    assert book.do(late(entry)) is False
    assert [row.id for row in book.journal.overheard()] == [entry.id]  # nobody knows yet how it ends
    assert book.do(advance(entry, "IN_DOUBT", to, reason)) is True
    assert [row.id for row in book.journal.overheard()] == [entry.id] * owed
    assert book.do(late(entry)) is owed
    assert book.do(late(entry, "rejected")) is False
    follow = book.entry(followup_msgid(entry), "IN_DOUBT", klass="R", infno="2601", omsgid="m1", business_key="2601|x")
    assert book.do(Accept(entry=follow, reason="late_success")) == Accepted()
    assert book.journal.overheard() == []
    assert book.do(late(entry)) is False


def test_evidence_in_the_batch_of_the_end_sees_the_end(book: Book) -> None:
    entry = doubt(book)
    ops: list[Op] = [late(entry), advance(entry, "IN_DOUBT", "ABSENT", "nothing")]
    if isinstance(book.journal, MemoryJournal):
        ops.reverse()  # it takes them one by one
    assert True in book.journal.commit(ops)
    assert [row.msgid for row in book.journal.overheard()] == ["m1"]


def test_no_reversal_is_followed_up(book: Book) -> None:
    entry = book.accept("r1", "SENT", klass="R", infno="2601", omsgid="m1")
    assert book.do(late(entry)) is False
    assert book.journal.overheard() == []


def test_a_late_success_and_what_followed_it_up_stand_in_the_story(tmp_path: Path) -> None:
    journal = open_sqlite(tmp_path)
    book = Book(journal)
    row = doubt(book)
    book.do(advance(row, "IN_DOUBT", "ABSENT", "nothing"))
    assert book.do(late(row, setl_id="S77")) is True
    order = book.entry(followup_msgid(row), "IN_DOUBT", klass="R", infno="2601", omsgid="m1", business_key="2601|x")
    assert book.do(Accept(entry=order, reason="late_success")) == Accepted()
    assert book.do(advance(order, "IN_DOUBT", "CONFIRMED", "reversed")) is True
    with reading(tmp_path / "journal.sqlite") as reader:
        (found,) = reader.rows(msgid="m1")
        story = story_of(reader, found)
        assert reader.findings()[1] == []
    journal.close()
    assert story["events"][-1]["reason"] == "late_response acked S77"
    assert [(one["msgid"], one["by"], one["state"]) for one in story["reversals"]] == [
        (f"{HOME}L1", "late", "CONFIRMED"),
    ]
    text = "\n".join(lines_of(story))
    assert "平台的答复迟到了：成功，结算ID S77（只作证据，状态不变）" in text
    assert f"· 后续冲正（{HOME}L1）结果未知：平台迟到的成功答复说它记了账，后续冲正一次" in text
    assert "结论：查明平台没有这笔交易；可用新报文ID重新办理。平台后来迟到的答复说记了账，网关已再次冲正。" in text


def test_a_start_finds_late_successes_by_their_own_small_index(tmp_path: Path) -> None:
    journal = open_sqlite(tmp_path)
    seen: list[str] = []
    journal.connection.set_trace_callback(seen.append)
    journal.overheard()
    journal.connection.set_trace_callback(None)
    plan = [row[-1] for row in journal.connection.execute(f"EXPLAIN QUERY PLAN {seen[0]}")]
    assert any("journal_event_late" in step for step in plan)
    assert not [step for step in plan if step.startswith("SCAN") and "journal_event_late" not in step]
    journal.close()
