"""What the writer's thread looks up every settlement of the node waits for: it uses an index, or a range of ids."""

from pathlib import Path

from journals import HOME, Book, open_sqlite

from gateway.core.model import Admitted, Keep, Kinds, LateAnswer, Later, Numbered, Recall, Settled


def test_every_look_up_of_the_hot_path_uses_an_index(tmp_path: Path) -> None:
    """A scan of 400 days of rows on the writer thread would stop every settlement of the node."""
    journal = open_sqlite(tmp_path)
    book, connection = Book(journal), journal.connection
    seen: list[str] = []
    connection.set_trace_callback(seen.append)
    paid = book.accept("m1", infno="2102", business_key="k", soft_key="s")
    book.advance(paid, "SENT", "ACKED", setl_id="S1", answer=b"x")
    left = book.accept("m3", infno="2304", business_key="d")
    book.advance(left, "SENT", "ACKED", setl_id="S3", settled='{"clr_type":"21","clr_optins":"510800"}')
    refund = book.accept("m2", infno="2103", business_key="u")
    book.advance(refund, "SENT", "ACKED", cancels="S1", answer=b"x")
    book.do(Keep(entry=book.entry("w1", "DONE", infno="2404", klass="W"), cancels="V1", psn_no="1"))
    book.do(Recall(HOME, "m1"))
    book.do(Numbered(fixmedins_code=HOME, setl_id="S1"))
    book.do(Admitted(fixmedins_code=HOME, psn_no="1", mdtrt_id="V1"))
    book.do(Kinds(fixmedins_code=HOME, link="national", since_ms=0, rows_max=9))
    book.do(Settled(fixmedins_code=HOME, link="national", since_ms=0, before=None, rows_max=9, ids_max=9))
    book.do(Later(entry=paid))
    book.do(Later(entry=paid, since_ms=0))
    journal.open_entries()
    book.do(LateAnswer(entry=left, at_ms=0, said="acked"))
    connection.set_trace_callback(None)
    plans = [
        (statement, detail)
        for statement in seen
        if statement.startswith(("SELECT", "UPDATE journal"))
        for *_, detail in connection.execute(f"EXPLAIN QUERY PLAN {statement}")
    ]
    assert len(plans) >= 5
    assert not [plan for plan in plans if plan[1].startswith("SCAN")]
    # An institution's whole history is no better.
    assert not [plan for plan in plans if plan[1].endswith("journal_msgid (fixmedins_code=?)")]
    journal.close()
