"""The books ask through the exchange: in the institution's name, bounded, and a platform that is away is left alone."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from exchange_messages import HOME, PERSON, VISIT, pay
from exchange_rig import Rig
from exchange_undo import at_once, sent_of
from twisted.internet.defer import Deferred, succeed

from adapters.store.books import BooksStore, Run
from adapters.store.books_evidence import BooksEvidence
from gateway.app.books_inquiring import SILENT_MAX, Inquiring
from gateway.app.books_shelf import SCRIPTS
from gateway.core.booked import DiffRow

DAY = "2026-03-02"
DIFF = DiffRow(
    diff_id="", role="care", scope=HOME, biz_date=DAY, leg="L1", name="L1-AGY-MISSING", row="", mode="TWO",
    action="QUERY", prevails="AGY", setl_id="", msgid="", fixmedins_code=HOME, component="", left_fen=None,
    right_fen=None, note="", agreed=False, first_revision=1, last_revision=1, state="OPEN", changed_ms=1,
)  # fmt: skip


class Work:
    """Stands where an order being worked on stands."""

    async def tell(self, note: str, done: int = -1, total: int = -1) -> None:
        """Keep the lease."""

    async def room(self, link: object) -> None:
        """Let money pass first."""


@attrs.define
class Books:
    """A rig, a store with one difference for each of its settlements, and what the books heard."""

    rig: Rig
    store: BooksStore

    def settle(self, count: int) -> None:
        diffs = []
        for number in range(1, count + 1):
            self.rig.settle(pay(f"m{number}", f"B{number}", f"{PERSON[:-1]}{number}"), setl_id=f"S{number}")
            diffs.append((attrs.evolve(DIFF, diff_id=f"d{number}", setl_id=f"S{number}", msgid=f"m{number}"), ()))
        self.store.write_lines(diffs, 1)
        run = Run(run_id="r", role="care", biz_date=DAY, revision=1, at_ms=1, agreed=False, keys=count, summary={})
        self.store.bring_into_force(run, (), ())

    def ask(self, left: int = 50) -> dict[str, int]:
        def db(call: Callable[[BooksStore], Any]) -> "Deferred[Any]":
            return succeed(call(self.store))

        inquiring = Inquiring(
            office=self.rig.room.office, watch=self.rig.watch, db=db,  # type: ignore[arg-type]
            now_ms=lambda: int(self.rig.clock.seconds() * 1000), left=left,
        )  # fmt: skip
        heard: list[Any] = []
        Deferred.fromCoroutine(inquiring.ask(Work(), "care", DAY)).addBoth(heard.append)  # type: ignore[arg-type]
        self.rig.run(200.0)
        if not isinstance(heard[0], dict):
            heard[0].raiseException()
        return dict(heard[0])

    def noted(self) -> set[str]:
        return set(BooksEvidence(self.store.connection).newest([f"d{number}" for number in range(1, 10)]))


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    store = BooksStore.open(tmp_path / "x-books.sqlite", SCRIPTS)
    yield Books(at_once(), store)
    store.close()


def test_all_three_numbers_are_asked_in_the_institutions_name(books: Books) -> None:
    books.settle(1)
    psn_no = f"{PERSON[:-1]}1"
    info = {"psn_no": psn_no, "setl_id": "S1", "mdtrt_id": VISIT, "refd_setl_flag": "0", "medfee_sumamt": 100}
    books.rig.far.plays = lambda one: one.reply(0, output={"setlinfo": info})
    assert books.ask() == {"confirmed": 1}
    [sent] = sent_of(books.rig, "5203")
    assert sent.message["input"]["data"] == {"psn_no": psn_no, "setl_id": "S1", "mdtrt_id": VISIT}
    assert (sent.message["fixmedins_code"], sent.message["msgid"] != "m1") == (HOME, True)
    [one] = BooksEvidence(books.store.connection).newest(["d1"]).values()
    assert (one.facts, len(one.answer_sm3)) == ({"medfee_sumamt": 10_000}, 64)
    assert (books.ask(), len(sent_of(books.rig, "5203"))) == ({}, 1)


def test_no_more_are_asked_than_a_run_may_and_the_rest_with_the_next(books: Books) -> None:
    books.settle(3)
    books.rig.far.plays = lambda one: one.reply(-1, "未查询到结算信息")
    assert books.ask(left=2) == {"nothing": 2}
    assert books.ask(left=2) == {"nothing": 1}
    assert len(sent_of(books.rig, "5203")) == 3


def test_a_silent_platform_is_asked_a_few_times_only(books: Books) -> None:
    books.settle(SILENT_MAX + 2)
    books.rig.far.plays = lambda one: one.listener.lost("timeout")
    assert books.ask() == {"no_answer": SILENT_MAX}
    assert len(books.noted()) == SILENT_MAX


def test_nothing_is_called_asked_while_no_question_can_leave(books: Books) -> None:
    books.settle(1)
    while books.rig.link.breaker.state != "open":
        books.rig.link.breaker.failed()
    opened = books.rig.clock.seconds()
    assert (books.ask(), books.noted(), sent_of(books.rig, "5203")) == ({}, set(), [])
    assert books.rig.clock.seconds() > opened
    books.rig.link.breaker.worked()
    books.rig.far.plays = lambda one: one.reply(0, output={})
    assert books.ask() == {"nothing": 1}


def test_what_the_journal_never_saw_is_not_asked_about(books: Books) -> None:
    books.settle(1)
    books.store.connection.execute("UPDATE diff SET msgid = 'elsewhere'")
    assert (books.ask(), sent_of(books.rig, "5203")) == ({"not_asked": 1}, [])
