"""What only the SQLite journal promises: durability, sealing, the chain, one owner, and honest failures.

Rules: reversal specification §8 (the database refuses what a race lets through), §9; contract-annex X5, X27, X34.
"""

import re
import resource
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from journals import HOME, T0_MS, Book, open_sqlite

from adapters.store.checkpoint import WAL_BYTES_MIN, checkpoint
from adapters.store.sqlite_journal import SqliteJournal, StoreLocked, WrongKey
from adapters.store.verify import findings
from gateway.core.model import Accept, Accepted, Advance, Known, Op, Recall, StoreBroken, StoreFull

CANARY = "张三丰 110101199003070038"


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    journal = open_sqlite(tmp_path)
    yield Book(journal)
    journal.close()


def sqlite_of(book: Book) -> sqlite3.Connection:
    assert isinstance(book.journal, SqliteJournal)
    return book.journal.connection


def settle(book: Book, msgid: str, answer: bytes = b"{}") -> None:
    entry = book.accept(msgid, business_key=f"k{msgid}")
    assert book.advance(entry, "SENT", "ACKED", setl_id=f"S{msgid}", answer=answer, delivered=True) is True


# --- what rests on disk ---------------------------------------------------------------------------------------------


def test_a_person_in_an_answer_is_in_no_file_in_clear(tmp_path: Path) -> None:
    book = Book(open_sqlite(tmp_path))
    settle(book, "m1", f'{{"psn_name":"{CANARY}"}}'.encode())
    found = book.do(Recall(HOME, "m1"))
    assert isinstance(found, Known)
    assert found.answer is not None
    assert CANARY.encode() in found.answer
    before = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    book.journal.close()  # type: ignore[union-attr]  # it is the SQLite one
    after = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for raw in (before, after):
        assert b"Sm1" in raw  # the files do hold the row
        for part in (*CANARY.split(), CANARY.split()[0][:2]):
            assert part.encode() not in raw


def test_an_answer_that_cannot_be_opened_stops_nothing(tmp_path: Path) -> None:
    other = Book(open_sqlite(tmp_path))
    settle(other, "m1", b"secret")
    other.journal.connection.execute("UPDATE outcome SET sealed = zeroblob(60)")  # type: ignore[union-attr]
    found = other.do(Recall(HOME, "m1"))
    assert isinstance(found, Known)
    assert (found.entry.state, found.answer) == ("ACKED", None)
    settle(other, "m2", b"new")
    assert other.state("m2") == "ACKED"
    other.journal.close()  # type: ignore[union-attr]  # it is the SQLite one


def test_a_sealed_answer_cannot_be_moved_to_another_row(book: Book) -> None:
    settle(book, "m1", b"paid 100.00")
    settle(book, "m2", b"paid 900.00")
    connection = sqlite_of(book)
    rows = connection.execute("SELECT journal_id, sealed FROM outcome ORDER BY journal_id").fetchall()
    connection.execute("UPDATE outcome SET sealed = ? WHERE journal_id = ?", (rows[1][1], rows[0][0]))
    found = book.do(Recall(HOME, "m1"))
    assert isinstance(found, Known)
    assert found.answer is None


# --- uniqueness by the database -------------------------------------------------------------------------------------


def test_the_database_itself_refuses_a_second_row_of_a_msgid_or_live_key(book: Book) -> None:
    settle(book, "m1")
    connection = sqlite_of(book)
    columns = [name for _, name, *_ in connection.execute("PRAGMA table_info(journal)") if name != "id"]
    names = ", ".join(columns)
    copy = f"INSERT INTO journal ({names}) SELECT {names} FROM journal WHERE msgid = 'm1'"
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute(copy)
    other = names.replace("msgid", "'other'", 1)
    with pytest.raises(sqlite3.IntegrityError, match="business_key"):
        connection.execute(f"INSERT INTO journal ({names}) SELECT {other} FROM journal WHERE msgid = 'm1'")


# --- the chain ------------------------------------------------------------------------------------------------------


def broken_at(connection: sqlite3.Connection) -> int:
    """Return the number of the event at which the chain breaks, 0 = everything is as it was written."""
    found = list(findings(connection))
    if not found:
        return 0
    place = re.search(r"第([0-9]+)条事件处断开", found[0])
    assert place is not None, found
    return int(place[1])


def test_the_chain_holds_across_batches_failures_and_restarts(tmp_path: Path) -> None:
    book = Book(open_sqlite(tmp_path))
    for number in range(5):
        settle(book, f"m{number}")
    fill(book)
    with unlimited(book):
        settle(book, "m7")
    book.journal.close()  # type: ignore[union-attr]  # it is the SQLite one
    again = Book(open_sqlite(tmp_path), next_id=1000)
    settle(again, "m8")
    assert broken_at(sqlite_of(again)) == 0
    assert len(again.events()) >= 7 * 3
    again.journal.close()  # type: ignore[union-attr]  # it is the SQLite one


def test_a_changed_event_shows_and_the_table_refuses_changes(book: Book) -> None:
    for number in range(4):
        settle(book, f"m{number}")
    connection = sqlite_of(book)
    for statement in ("UPDATE journal_event SET state = 'REJECTED'", "DELETE FROM journal_event"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            connection.execute(statement)
    assert broken_at(connection) == 0
    connection.execute("DROP TRIGGER journal_event_no_update")
    connection.execute("UPDATE journal_event SET state = 'REJECTED' WHERE number = 6")
    assert broken_at(connection) == 6


# --- a full disk ----------------------------------------------------------------------------------------------------


def limit(book: Book, pages: int) -> None:
    sqlite_of(book).execute(f"PRAGMA max_page_count = {pages}")


def fill(book: Book) -> int:
    """Let the database grow no further and fill what is left; return how many rows went in before it was full."""
    connection = sqlite_of(book)
    limit(book, connection.execute("PRAGMA page_count").fetchone()[0] + 2)
    for number in range(200):
        try:
            settle(book, f"filler{number}", b"x" * 2000)
        except StoreFull:
            return number
    raise AssertionError("the limit did not hold")


@contextmanager
def unlimited(book: Book) -> Iterator[None]:
    limit(book, 1_000_000)
    yield


def test_a_full_disk_rolls_the_whole_batch_back_and_space_brings_it_back(book: Book) -> None:
    settle(book, "m1")
    fill(book)
    events = book.events()
    entry = book.entry("big", "SENT")
    batch: list[Op] = [
        Accept(entry=entry),
        Advance(entry=entry, was="SENT", to="ACKED", at_ms=T0_MS, reason="x", answer=b"x" * 100_000),
    ]
    with pytest.raises(StoreFull):
        book.journal.commit(batch)
    assert book.events() == events
    assert book.do(Recall(HOME, "big")) is None  # look-ups go on
    assert book.state("m1") == "ACKED"
    with unlimited(book):
        assert book.journal.commit(batch) == [Accepted(), True]
    assert book.state("big") == "ACKED"
    assert broken_at(sqlite_of(book)) == 0


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """Writes beyond so many bytes fail with EFBIG: an I/O error to SQLite, not a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_write_that_fails_breaks_the_store(book: Book, tmp_path: Path) -> None:
    settle(book, "m1")
    wal = (tmp_path / "journal.sqlite-wal").stat().st_size
    with files_no_larger_than(wal + 100), pytest.raises(StoreBroken, match="IOERR"):
        settle(book, "m2", b"x" * 50_000)


def test_a_broken_write_leaves_what_was_committed(tmp_path: Path) -> None:
    book = Book(open_sqlite(tmp_path))
    settle(book, "m1", b"kept")
    wal = (tmp_path / "journal.sqlite-wal").stat().st_size
    with files_no_larger_than(wal + 5000), pytest.raises(StoreBroken):
        settle(book, "m2", b"x" * 50_000)
    book.journal.close()  # type: ignore[union-attr]  # it is the SQLite one
    again = Book(open_sqlite(tmp_path), next_id=100)
    found = again.do(Recall(HOME, "m1"))
    assert isinstance(found, Known)
    assert found.answer == b"kept"
    assert again.state("m2") in ("", "SENT")  # its mark was a batch of its own
    assert broken_at(sqlite_of(again)) == 0
    again.journal.close()  # type: ignore[union-attr]  # it is the SQLite one


# --- one owner, and what a crash leaves -----------------------------------------------------------------------------


def test_a_second_owner_is_refused_until_the_first_lets_go(tmp_path: Path) -> None:
    first = open_sqlite(tmp_path)
    with pytest.raises(StoreLocked):
        open_sqlite(tmp_path)
    first.close()
    open_sqlite(tmp_path).close()


def test_a_file_that_is_no_journal_is_said_to_be_broken_and_leaves_no_lock(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").write_bytes(b"this is no database at all" * 400)
    for _ in range(2):
        with pytest.raises(StoreBroken):
            open_sqlite(tmp_path)


def copied(folder: Path, target: Path, cut: int = 0) -> Path:
    """Copy database and log as a power cut would leave them: the last `cut` bytes of the log never reached the disk."""
    target.mkdir()
    for name in ("journal.sqlite", "journal.sqlite-wal"):
        shutil.copyfile(folder / name, target / name)
    wal = target / "journal.sqlite-wal"
    if cut:
        wal.write_bytes(wal.read_bytes()[:-cut])
    return target


def test_a_copy_taken_while_it_runs_holds_every_committed_row(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    book = Book(open_sqlite(home))
    for number in range(20):
        settle(book, f"m{number}", b"a")
    again = Book(open_sqlite(copied(home, tmp_path / "copy")), next_id=100)
    assert [again.state(f"m{number}") for number in range(20)] == ["ACKED"] * 20
    assert again.journal.last_id == 20
    settle(again, "later")
    assert broken_at(sqlite_of(again)) == 0
    again.journal.close()  # type: ignore[union-attr]  # it is the SQLite one
    book.journal.close()  # type: ignore[union-attr]  # it is the SQLite one


@pytest.mark.parametrize("cut", [1, 500, 4096, 4120, 9000, 30_000])
def test_a_torn_end_loses_whole_transactions_from_the_end_and_nothing_else(tmp_path: Path, cut: int) -> None:
    home = tmp_path / "home"
    home.mkdir()
    book = Book(open_sqlite(home))
    for number in range(20):
        settle(book, f"m{number}", b"a" * 300)
    again = Book(open_sqlite(copied(home, tmp_path / "copy", cut)), next_id=100)
    states = [again.state(f"m{number}") for number in range(20)]
    kept = states.count("ACKED")
    assert 0 < kept < 20
    assert states == ["ACKED"] * kept + states[kept : kept + 1] + [""] * (19 - kept)
    assert states[kept] in ("SENT", "")
    for number in range(kept):
        found = again.do(Recall(HOME, f"m{number}"))
        assert isinstance(found, Known)
        assert found.answer == b"a" * 300
    settle(again, "later")
    assert broken_at(sqlite_of(again)) == 0
    again.journal.close()  # type: ignore[union-attr]  # it is the SQLite one
    book.journal.close()  # type: ignore[union-attr]  # it is the SQLite one


def test_a_transaction_that_was_never_committed_is_not_there_after_a_crash(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    book = Book(open_sqlite(home))
    settle(book, "m1")
    connection = sqlite_of(book)
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE journal SET state = 'REJECTED'")
    again = Book(open_sqlite(copied(home, tmp_path / "copy")), next_id=100)
    assert again.state("m1") == "ACKED"
    again.journal.close()  # type: ignore[union-attr]  # it is the SQLite one
    connection.execute("ROLLBACK")
    book.journal.close()  # type: ignore[union-attr]  # it is the SQLite one


def test_the_log_is_moved_into_the_file_by_another_connection_while_the_owner_writes(tmp_path: Path) -> None:
    book = Book(open_sqlite(tmp_path))
    assert checkpoint(tmp_path / "journal.sqlite") == 0  # too small to be worth it
    number = 0
    while (tmp_path / "journal.sqlite-wal").stat().st_size < WAL_BYTES_MIN:
        settle(book, f"m{number}", b"x" * 30_000)
        number += 1
    assert checkpoint(tmp_path / "journal.sqlite") > 100
    settle(book, "after")
    assert book.state("after") == book.state("m0") == "ACKED"
    assert broken_at(sqlite_of(book)) == 0
    book.journal.close()  # type: ignore[union-attr]  # it is the SQLite one


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE journal SET medfee_fen = medfee_fen + 1 WHERE msgid = 'm1'", "登记内容或翻译凭据被改动"),
        ("UPDATE journal SET psn_no = '2' WHERE msgid = 'm1'", "登记内容或翻译凭据被改动"),
        ("UPDATE journal SET mdtrtarea_admvs = '510100' WHERE msgid = 'm1'", "登记内容或翻译凭据被改动"),
        ("UPDATE journal SET med_type = '21' WHERE msgid = 'm1'", "登记内容或翻译凭据被改动"),
        ("UPDATE evidence_packed SET rows = replace(rows, 'XB05', 'XB06')", "登记内容或翻译凭据被改动"),
        ("UPDATE outcome SET setl_id = 'S2'", "结算内容被改动"),
        ("UPDATE outcome SET settled = replace(settled, '100', '101')", "结算内容被改动"),
        ("DELETE FROM outcome", "结算内容被改动"),
        ("UPDATE journal SET state = 'REJECTED' WHERE msgid = 'm1'", "状态与其事件不一致"),
        ("DELETE FROM journal WHERE msgid = 'm2'", "被删除，其事件仍在"),
        ("UPDATE chain_head SET number = number - 1", "链头不符"),
        ("DELETE FROM chain_head", "链头记录不见了"),
    ],
)
def test_what_is_changed_beside_the_events_shows_too(book: Book, change: str, said: str) -> None:
    evidence = (("input.feedetail[0].med_list_codg", "drug", "YP1", "XB05", "m1", "2026-03-02"),)
    first = book.entry("m1")
    first.mdtrtarea_admvs, first.med_type = "510800", "11"
    assert book.do(Accept(entry=first, evidence=evidence)) == Accepted()
    book.accept("m2")
    book.advance(first, "SENT", "ACKED", setl_id="S1", settled='{"medfee_sumamt":100}', answer=b"{}", delivered=True)
    connection = sqlite_of(book)
    assert list(findings(connection)) == []
    connection.execute(change)
    found = list(findings(connection))
    assert len(found) == 1 and said in found[0]


def test_another_key_is_noticed_when_the_journal_is_opened(tmp_path: Path) -> None:
    book = Book(open_sqlite(tmp_path))
    first = book.accept("m1")
    book.advance(first, "SENT", "ACKED", answer=b"{}", delivered=True)
    book.journal.close()  # type: ignore[union-attr]  # it is the SQLite one
    with pytest.raises(WrongKey):
        open_sqlite(tmp_path, key=bytes(32))
    open_sqlite(tmp_path).close()


def test_only_the_owner_may_read_the_files(tmp_path: Path) -> None:
    book = Book(open_sqlite(tmp_path))
    book.accept("m1")
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.glob("journal.sqlite*")}
    assert len(modes) >= 3 and set(modes.values()) == {0o600}
    book.journal.close()  # type: ignore[union-attr]  # it is the SQLite one


def test_a_commit_is_on_the_disk_when_it_returns(tmp_path: Path) -> None:
    """I1 stands on it: with FULL every commit syncs the log; killing a process does not show its lack."""
    journal = open_sqlite(tmp_path)
    settings = [journal.connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
    journal.close()
    assert settings == ["wal", 2]
