"""A journal an older gateway made is brought up to date and loses nothing; and what only SQLite can show of the queue.

Rules: reversal specification §5.1, §6 RV5, §9 (fencing); design §3; contract-annex X34 (no person in clear).
"""

import sqlite3
from pathlib import Path

import pytest
from journals import HOME, KEY, SCRIPTS, T0_MS, Book, Counted, open_sqlite

from adapters.crypto.digest import sm3
from adapters.crypto.vault import Vault
from adapters.store.journal_reader import reading
from adapters.store.sqlite_batch import bound_to, event_chain, outcome_facts
from adapters.store.sqlite_journal import SqliteJournal, migrate
from adapters.store.verify import findings
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
    StoreBroken,
    StoreFull,
)

OLD = SCRIPTS[:1]
_COLUMNS = (
    "id, fixmedins_code, msgid, infno, klass, link, state, digest, business_key, soft_key, lane, psn_no, mdtrt_id, "
    "omsgid, insuplc_admdvs, medfee_fen, created_ms"
)


def old_facts(e: Entry) -> bytes:
    """The digest of a request's first event as the first version made it; it must be found right for ever."""
    row = (e.id, e.fixmedins_code, e.msgid, e.infno, e.klass, e.link, e.business_key, e.soft_key, e.lane, e.psn_no)
    more = (e.mdtrt_id, e.omsgid, e.insuplc_admdvs, e.medfee_fen, e.created_ms, e.digest.hex(), "")
    return sm3(repr((*row, *more)).encode())


def write_old(path: Path) -> None:
    """Write rows as the first version did: no area of the visit, no queue, no owner."""
    vault = Vault(KEY, "aes-256-gcm", Counted(1000))
    connection = sqlite3.connect(path, isolation_level=None)
    migrate(connection, OLD)
    number, chain = 0, b"\0" * 32
    for msgid, states in {
        "paid": ("JOURNALED", "SENT", "ACKED"),
        "doubt": ("JOURNALED", "SENT", "IN_DOUBT"),
        "sent": ("JOURNALED", "SENT"),
    }.items():
        entry = Book(None, next_id=number + 1).entry(msgid, business_key=f"k{msgid}")  # type: ignore[arg-type]
        values = [getattr(entry, name) for name in _COLUMNS.split(", ")]
        values[_COLUMNS.split(", ").index("state")] = states[-1]
        marks = ",".join("?" * (len(values) + 1))
        connection.execute(f"INSERT INTO journal ({_COLUMNS}, changed_ms) VALUES ({marks})", (*values, T0_MS))
        outcome = ("S1", "V1", '{"medfee_sumamt":1}')
        for state in states:
            number += 1
            facts = {"JOURNALED": old_facts(entry), "ACKED": outcome_facts(*outcome)}.get(state, b"")
            chain = event_chain(chain, entry.id, T0_MS, state, "old", facts)
            row = (entry.id, number, T0_MS, state, "old", facts, chain)
            connection.execute("INSERT INTO journal_event VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        if states[-1] == "ACKED":
            sealed = vault.seal(b"the answer", bound_to(HOME, msgid))
            connection.execute("INSERT INTO outcome VALUES (?, ?, ?, ?, 1, ?)", (entry.id, *outcome, sealed))
    connection.execute("UPDATE chain_head SET number = ?, chain = ?", (number, chain))
    assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    connection.close()


@pytest.fixture
def old(tmp_path: Path) -> Path:
    write_old(tmp_path / "journal.sqlite")
    return tmp_path


def opened(folder: Path) -> tuple[Book, SqliteJournal]:
    journal = open_sqlite(folder)
    return Book(journal, next_id=journal.last_id + 1), journal


# --- a journal of the first version -----------------------------------------------------------------------------------


def test_an_old_journal_is_brought_up_to_date_once(old: Path) -> None:
    for _ in range(2):
        _, journal = opened(old)
        assert journal.connection.execute("PRAGMA user_version").fetchone() == (len(SCRIPTS),)
        journal.close()


def test_its_rows_are_there_with_their_answers_and_without_an_area(old: Path) -> None:
    book, journal = opened(old)
    found = book.do(Recall(HOME, "paid"))
    assert isinstance(found, Known)
    assert found.answer == b"the answer"
    assert (found.entry.state, found.entry.setl_id, found.entry.delivered) == ("ACKED", "S1", True)
    assert found.entry.mdtrtarea_admvs == ""
    assert [row.msgid for row in journal.open_entries()] == ["doubt", "sent"]
    assert journal.unfinished() == []
    assert journal.heads() == {}
    journal.close()


def test_its_chain_has_no_fault_before_and_after_new_rows_are_added(old: Path) -> None:
    book, journal = opened(old)
    assert list(findings(journal.connection)) == []
    entry = book.accept("new", business_key="knew", mdtrtarea_admvs="510800")
    book.advance(entry, "SENT", "ACKED", setl_id="S2", answer=b"{}")
    assert list(findings(journal.connection)) == []
    journal.close()
    with reading(old / "journal.sqlite") as reader:
        assert reader.findings()[1] == []
        assert [row.msgid for row in reader.rows()] == ["new", "sent", "doubt", "paid"]


def test_an_area_that_is_changed_or_taken_away_shows(old: Path) -> None:
    """Rows of the first version have none; that must not make room for taking one away."""
    book, journal = opened(old)
    book.accept("new", mdtrtarea_admvs="510800")
    for area in ("510900", ""):
        journal.connection.execute("UPDATE journal SET mdtrtarea_admvs = ? WHERE msgid = 'new'", (area,))
        (found,) = findings(journal.connection)
        assert "new" in found
    journal.connection.execute("UPDATE journal SET mdtrtarea_admvs = '510800' WHERE msgid = 'new'")
    journal.connection.execute("UPDATE journal SET mdtrtarea_admvs = '510800' WHERE msgid = 'paid'")
    (found,) = findings(journal.connection)
    assert "paid" in found
    journal.close()


def test_an_old_doubt_can_be_reversed(old: Path) -> None:
    book, journal = opened(old)
    doubt = journal.open_entries()[0]
    row = Saf(id=doubt.id, original_id=doubt.id, state="QUEUED", opened_ms=T0_MS, sent_ms=T0_MS)
    assert book.advance(doubt, "IN_DOUBT", "REVERSING", saf=row) is True
    (found,) = journal.unfinished()
    assert (found.saf, found.record.msgid) == (row, "doubt")
    journal.close()


def test_keys_of_old_rows_still_hold(old: Path) -> None:
    book, journal = opened(old)
    for msgid in ("paid", "doubt", "sent"):
        result = book.do(Accept(entry=book.entry("other", business_key=f"k{msgid}")))
        assert type(result).__name__ == "Duplicate"
    journal.close()


# --- the queue on disk ------------------------------------------------------------------------------------------------


def put_on_queue(book: Book, msgid: str) -> tuple[Entry, Saf]:
    entry = book.accept(msgid, business_key=f"k{msgid}", lane=f"p|{msgid}")
    row = Saf(id=entry.id, original_id=entry.id, state="QUEUED", opened_ms=T0_MS, sent_ms=T0_MS, next_ms=7)
    assert book.advance(entry, "SENT", "IN_DOUBT") is True
    assert book.advance(entry, "IN_DOUBT", "REVERSING", saf=row) is True
    return entry, row


def test_the_queue_and_the_heads_are_there_after_a_restart(tmp_path: Path) -> None:
    book, journal = opened(tmp_path)
    _, row = put_on_queue(book, "m1")
    book.do(Remember(fixmedins_code=HOME, head='{"sign_no":"1"}'))
    journal.close()
    _, again = opened(tmp_path)
    assert [found.saf for found in again.unfinished()] == [row]
    assert again.heads() == {HOME: '{"sign_no":"1"}'}
    again.close()


def test_the_database_itself_refuses_a_second_live_reversal_of_an_original(tmp_path: Path) -> None:
    """RV5, whatever the program above it believes."""
    book, journal = opened(tmp_path)
    entry, _ = put_on_queue(book, "m1")
    insert = "INSERT INTO saf VALUES (?, ?, ?, 0, 0, 0, 0, 0)"
    with pytest.raises(sqlite3.IntegrityError, match="original_id"):
        journal.connection.execute(insert, (999, entry.id, "INFLIGHT"))
    with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
        journal.connection.execute(insert, (999, 998, "LOST"))
    journal.connection.execute(insert, (999, entry.id, "DEAD"))
    journal.close()


def test_row_and_state_are_one_transaction_also_when_the_disk_is_full(tmp_path: Path) -> None:
    book, journal = opened(tmp_path)
    entry = book.accept("m1")
    book.advance(entry, "SENT", "IN_DOUBT")
    row = Saf(id=entry.id, original_id=entry.id, state="QUEUED", opened_ms=T0_MS, sent_ms=T0_MS)
    pages = journal.connection.execute("PRAGMA page_count").fetchone()[0]
    journal.connection.execute(f"PRAGMA max_page_count = {pages}")
    ops: list[Op] = [
        Advance(entry=entry, was="IN_DOUBT", to="REVERSING", at_ms=T0_MS, reason="x", saf=row),
        Accept(entry=book.entry("big", omsgid="x" * 100_000)),
    ]
    with pytest.raises(StoreFull):
        journal.commit(ops)
    assert (book.state("m1"), journal.unfinished()) == ("IN_DOUBT", [])
    journal.connection.execute("PRAGMA max_page_count = 1000000")
    assert journal.commit(ops) == [True, Accepted()]
    assert (book.state("m1"), [found.saf for found in journal.unfinished()]) == ("REVERSING", [row])
    assert list(findings(journal.connection)) == []
    journal.close()


def test_a_batch_of_which_one_move_fails_is_done_one_by_one_and_the_queue_with_it(tmp_path: Path) -> None:
    """The first try is rolled back whole: what it had put on the queue must not stay there twice or half."""
    book, journal = opened(tmp_path)
    rows = [book.accept(f"m{number}", lane=f"p|{number}") for number in range(4)]
    for row in rows[:3]:
        book.advance(row, "SENT", "IN_DOUBT")
    ops: list[Op] = [
        Advance(
            entry=row, was="IN_DOUBT", to="REVERSING", at_ms=T0_MS, reason="x",
            saf=Saf(id=row.id, original_id=row.id, state="QUEUED", opened_ms=T0_MS, sent_ms=T0_MS),
        )
        for row in rows
    ]  # fmt: skip
    assert journal.commit(ops) == [True, True, True, False]
    assert [found.record.msgid for found in journal.unfinished()] == ["m0", "m1", "m2"]
    assert list(findings(journal.connection)) == []
    journal.close()


def test_every_look_up_of_the_queue_while_the_node_runs_uses_an_index(tmp_path: Path) -> None:
    """It grows for 400 days; a scan on the writer thread would stop every settlement of the node."""
    book, journal = opened(tmp_path)
    put_on_queue(book, "m1")
    seen: list[str] = []
    journal.connection.set_trace_callback(seen.append)
    entry, row = put_on_queue(book, "m2")
    book.do(Accept(entry=book.entry("s1", infno="2601", klass="R", lane=""), saf=row))
    book.do(Later(entry=entry))
    journal.connection.set_trace_callback(None)
    plans = [
        detail
        for statement in seen
        if statement.startswith("SELECT")
        for *_, detail in journal.connection.execute(f"EXPLAIN QUERY PLAN {statement}")
    ]
    assert len(plans) >= 2
    assert not [plan for plan in plans if plan.startswith("SCAN")]
    journal.close()


# --- who may write (§9) -----------------------------------------------------------------------------------------------


def test_an_owner_that_was_followed_leaves_the_newer_ones_chain_alone(tmp_path: Path) -> None:
    """Its picture of the chain is old: one write of it would break the chain for good."""
    book, journal = opened(tmp_path)
    book.accept("m1")
    other = sqlite3.connect(tmp_path / "journal.sqlite", isolation_level=None)
    other.execute("UPDATE chain_head SET owner = owner + 1")
    for _ in range(2):
        with pytest.raises(StoreBroken):
            book.accept("m2")
        assert not journal.connection.in_transaction  # the newer one can write
    other.execute("BEGIN IMMEDIATE")
    other.execute("COMMIT")
    other.close()
    assert book.state("m1") == "SENT"  # reading harms nobody
    assert list(findings(journal.connection)) == []
    journal.close()
