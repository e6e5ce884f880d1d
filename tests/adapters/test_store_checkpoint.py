"""The journal's write-ahead log stays short, also while commits follow each other without a pause."""

import queue
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from journals import Book, open_sqlite

from adapters.store.checkpoint import Checkpoints, wal_bytes
from adapters.store.sqlite_journal import SqliteJournal
from adapters.store.verify import findings
from adapters.store.writer import WriterThread
from gateway.core.model import Accept, Accepted, Advance, Op

KIB = 1024
COMMITS_MAX = 3000


@attrs.define
class Loop:
    """The reactor's part: results of other threads come back here, in order."""

    calls: "queue.SimpleQueue[tuple[Callable[..., object], tuple[object, ...]]]" = attrs.Factory(queue.SimpleQueue)

    def call(self, call: Callable[..., object], *arguments: object) -> None:
        self.calls.put((call, arguments))

    def turn(self) -> None:
        call, arguments = self.calls.get()
        call(*arguments)


@attrs.define
class Pressure:
    """Keeps two commits waiting before the writer, whatever happens."""

    book: Book
    writer: WriterThread
    results: list[Any] = attrs.Factory(list)

    def press(self) -> None:
        entry = self.book.entry(f"m{self.book.next_id}", business_key=f"k{self.book.next_id}")
        done = Advance(entry=entry, was="SENT", to="ACKED", at_ms=1, reason="x", answer=b"x" * 8 * KIB)
        ops: list[Op] = [Accept(entry=entry), done]
        self.writer.run(lambda: self.book.journal.commit(ops), self._committed, self._failed)

    def _committed(self, results: Any) -> None:
        self.results += results
        self.press()

    def _failed(self, cause: Exception) -> None:
        raise cause


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[SqliteJournal]:
    one = open_sqlite(tmp_path)
    yield one
    one.close()


def keeper(
    journal: SqliteJournal, helper: WriterThread, writer: WriterThread, reports: list[Exception], **limits: int
) -> Checkpoints:
    return Checkpoints(
        path=journal.path, truncate=journal.truncate_log, helper=helper, writer=writer, report=reports.append, **limits
    )


def test_the_log_starts_anew_although_the_writer_never_rests(journal: SqliteJournal) -> None:
    loop, reports = Loop(), list[Exception]()
    writer, helper = WriterThread(loop.call), WriterThread(loop.call, "checkpoint")
    checkpoints = keeper(journal, helper, writer, reports, bytes_min=64 * KIB, bytes_max=256 * KIB)
    pressure = Pressure(Book(journal), writer)
    pressure.press()
    pressure.press()
    anew, before, longest = 0, 0, 0
    while anew < 3 and len(pressure.results) < 2 * COMMITS_MAX:
        loop.turn()
        checkpoints.look()
        now = wal_bytes(journal.path)
        anew, before, longest = anew + (now < before), now, max(longest, now)
    writer.stop()
    helper.stop()
    assert anew == 3
    assert longest > 256 * KIB  # no sooner than it was told
    assert pressure.results == [Accepted(), True] * (len(pressure.results) // 2)
    assert not reports
    assert not list(findings(journal.connection))


def settle(book: Book, msgid: str) -> None:
    entry = book.accept(msgid, business_key=msgid)
    assert book.advance(entry, "SENT", "ACKED", answer=b"x" * 100 * KIB) is True


def test_a_reader_stops_neither_the_writer_nor_a_later_try(journal: SqliteJournal) -> None:
    book = Book(journal)
    settle(book, "m1")
    reader = sqlite3.connect(journal.path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM journal").fetchone()
    settle(book, "m2")
    assert journal.truncate_log() is False
    assert wal_bytes(journal.path) > 200 * KIB
    settle(book, "m3")
    reader.execute("COMMIT")
    assert journal.truncate_log() is True
    assert wal_bytes(journal.path) == 0
    assert [book.state(msgid) for msgid in ("m1", "m2", "m3")] == ["ACKED"] * 3
    (patience,) = journal.connection.execute("PRAGMA busy_timeout").fetchone()
    assert patience > 0
    reader.close()


@attrs.define
class AtOnce:
    """A thread of one's own, without the thread."""

    def run(self, call: Callable[[], Any], done: Callable[[Any], None], failed: Callable[[Exception], None]) -> None:
        try:
            result = call()
        except Exception as cause:
            failed(cause)
        else:
            done(result)


def test_what_fails_is_reported_once_and_tried_again(journal: SqliteJournal) -> None:
    settle(Book(journal), "m1")
    reports: list[Exception] = []
    broken = [True]

    def truncate() -> bool:
        if broken[0]:
            raise sqlite3.OperationalError("disk I/O error")
        return journal.truncate_log()

    checkpoints = Checkpoints(
        path=journal.path, truncate=truncate, helper=AtOnce(), writer=AtOnce(), report=reports.append, bytes_max=KIB
    )
    for _ in range(3):
        checkpoints.look()
    assert [str(cause) for cause in reports] == ["disk I/O error"]
    broken[0] = False
    checkpoints.look()
    assert wal_bytes(journal.path) == 0
    broken[0] = True
    settle(Book(journal, 9), "m2")
    checkpoints.look()
    assert len(reports) == 2


def test_a_short_log_is_left_alone(journal: SqliteJournal) -> None:
    settle(Book(journal), "m1")
    before = wal_bytes(journal.path)
    checkpoints = keeper(journal, AtOnce(), AtOnce(), [])  # type: ignore[arg-type]  # threads, as far as it can tell
    checkpoints.look()
    assert wal_bytes(journal.path) == before > 0


def test_one_look_at_a_time(journal: SqliteJournal) -> None:
    waiting: list[Callable[[], Any]] = []

    class Slow:
        def run(self, call: Any, done: Any, failed: Any) -> None:
            waiting.append(lambda: done(call()))

    checkpoints = keeper(journal, Slow(), Slow(), [])  # type: ignore[arg-type]  # threads, as far as it can tell
    checkpoints.look()
    checkpoints.look()
    assert len(waiting) == 1
    waiting[0]()
    checkpoints.look()
    assert len(waiting) == 2
