"""Group commit: one commit in flight, what comes meanwhile goes into the next; honest when space or the disk is gone.

Rules: design §3; reversal specification §9 (disk full, fsync error); contract-annex X5.
"""

from collections.abc import Callable
from typing import Any

import attrs
import pytest
from exchange_messages import HOME
from exchange_rig import Seen
from twisted.internet.task import Clock

from adapters.store.memory import MemoryJournal
from gateway.core.model import (
    Accept,
    Accepted,
    Advance,
    Entry,
    Keep,
    Known,
    NotAccepted,
    Op,
    OpResult,
    Recall,
    StoreBroken,
    StoreFull,
)
from gateway.exchange.queue import BATCH_MAX, LAZY_S, PENDING_MAX, RETRY_S, JournalQueue


@attrs.define(eq=False)
class Bench:
    """A queue whose commits happen when the test says so."""

    clock: Clock = attrs.Factory(Clock)
    journal: MemoryJournal = attrs.Factory(MemoryJournal)
    full: bool = False
    broken: bool = False
    linger_s: float = 0.0
    flights: list[list[Op]] = attrs.Factory(list)
    told: list[str] = attrs.Factory(list)
    results: dict[str, Any] = attrs.Factory(dict)
    queue: JournalQueue = attrs.field(init=False)
    _flying: list[Callable[[], None]] = attrs.Factory(list)

    def __attrs_post_init__(self) -> None:
        self.queue = JournalQueue(
            self.clock, self, self, Seen(), self._on_broken, lambda: self.told.append("full"), self.linger_s
        )

    def _on_broken(self, cause: Exception) -> None:
        self.told.append(f"broken {type(cause).__name__}")

    def commit(self, ops: list[Op]) -> list[OpResult]:
        self.flights.append(ops)
        if self.broken:
            raise StoreBroken("fsync")
        if self.full and (not ops or any(type(op) is not Recall for op in ops)):
            raise StoreFull
        return self.journal.commit(ops)

    def run(self, call: Any, done: Any, failed: Any) -> None:
        def land() -> None:
            try:
                results = call()
            except (StoreFull, StoreBroken) as cause:
                failed(cause)
                return
            done(results)

        assert len(self._flying) == 0 or self.queue.full, "one commit in flight"
        self._flying.append(land)

    def land(self) -> None:
        """The commits in flight end, one way or the other; what they start stays in flight."""
        flying, self._flying = self._flying, []
        for one in flying:
            one()

    def settle(self) -> None:
        while self._flying:
            self.land()

    @property
    def in_flight(self) -> int:
        return len(self._flying)

    def submit(self, name: str, op: Op) -> None:
        def done(result: Any) -> None:
            assert name not in self.results, "told twice"
            self.results[name] = result

        self.queue.submit(op, done)


def entry(number: int) -> Entry:
    return Entry(
        id=number, fixmedins_code=HOME, msgid=f"m{number}", infno="2207", klass="M", link="n", state="SENT",
        digest=b"", created_ms=0,
    )  # fmt: skip


def accept(number: int) -> Accept:
    return Accept(entry=entry(number))


def outcome(number: int) -> Advance:
    return Advance(entry=entry(number), was="SENT", to="ACKED", at_ms=1, reason="answered", answer=b"yes")


def test_what_comes_while_a_commit_flies_goes_into_the_next_one_in_order() -> None:
    bench = Bench()
    for number in range(1, 6):
        bench.submit(f"a{number}", accept(number))
    assert (bench.in_flight, bench.queue.depth) == (1, 5)
    bench.land()
    assert bench.results == {"a1": Accepted()}
    assert bench.in_flight == 1
    bench.settle()
    assert [len(ops) for ops in bench.flights] == [1, 4]
    assert [op.entry.msgid for op in bench.flights[1]] == ["m2", "m3", "m4", "m5"]  # type: ignore[union-attr]
    assert all(bench.results[f"a{number}"] == Accepted() for number in range(1, 6))
    assert bench.queue.depth == 0


def test_a_batch_is_bounded() -> None:
    bench = Bench()
    for number in range(1, BATCH_MAX + 20):
        bench.submit(f"a{number}", accept(number))
    bench.settle()
    assert [len(ops) for ops in bench.flights] == [1, BATCH_MAX, 18]


def test_nobody_is_told_before_the_commit_has_landed() -> None:
    bench = Bench()
    bench.submit("a", accept(1))
    bench.clock.advance(60)
    assert bench.results == {}


def test_the_next_batch_is_on_its_way_before_anybody_is_told() -> None:
    bench = Bench()
    seen: list[int] = []
    bench.queue.submit(accept(1), lambda result: seen.append(bench.in_flight))
    bench.submit("b", accept(2))
    bench.land()
    assert seen == [1]


def test_a_commit_lingers_for_company_but_not_longer_than_it_may() -> None:
    bench = Bench(linger_s=0.002)
    bench.submit("a", accept(1))
    bench.clock.advance(0.001)
    bench.submit("b", accept(2))
    assert bench.in_flight == 0
    bench.clock.advance(0.001)
    bench.settle()
    assert [len(ops) for ops in bench.flights] == [2]
    assert set(bench.results) == {"a", "b"}


def test_what_nobody_waits_for_rides_along_or_goes_by_itself_soon() -> None:
    bench = Bench()
    kept = attrs.evolve(entry(1), klass="W", state="DONE")
    bench.queue.later(Keep(entry=kept, answer=b"x"))
    assert bench.in_flight == 0
    bench.submit("a", accept(2))
    bench.settle()
    assert [len(ops) for ops in bench.flights] == [2]
    bench.queue.later(Keep(entry=attrs.evolve(kept, id=3, msgid="m3"), answer=b"x"))
    bench.clock.advance(LAZY_S)
    bench.settle()
    assert bench.journal.answers.keys() == {1, 3}


def test_one_callback_that_fails_does_not_silence_the_others_of_its_batch() -> None:
    bench = Bench()
    bench.submit("a", accept(1))

    def fails(result: Any) -> None:
        raise ZeroDivisionError

    bench.queue.submit(accept(2), fails)
    bench.submit("c", accept(3))
    bench.land()
    with pytest.raises(ZeroDivisionError):  # it is not hidden either
        bench.land()
    assert bench.results == {"a": Accepted(), "c": Accepted()}
    bench.submit("d", accept(4))
    bench.settle()
    assert bench.results["d"] == Accepted()


# --- no space -------------------------------------------------------------------------------------------------------


def test_without_space_nothing_is_accepted_and_what_was_promised_is_kept_until_it_fits() -> None:
    bench = Bench()
    bench.submit("a1", accept(1))
    bench.settle()
    bench.full = True
    bench.submit("a2", accept(2))
    bench.submit("o1", outcome(1))
    bench.submit("a3", accept(3))
    bench.settle()
    assert isinstance(bench.results["a2"], NotAccepted)
    assert isinstance(bench.results["a3"], NotAccepted)
    assert bench.queue.full
    assert bench.told == ["full"]
    bench.submit("a4", accept(4))
    assert isinstance(bench.results["a4"], NotAccepted)
    for _ in range(5):
        bench.clock.advance(RETRY_S)
        bench.settle()
    assert "o1" not in bench.results
    assert bench.told == ["full"]
    bench.full = False
    bench.clock.advance(RETRY_S)
    bench.settle()
    assert bench.results["o1"] is True
    assert not bench.queue.full
    assert bench.journal.rows[1].state == "ACKED"
    assert 2 not in bench.journal.rows
    bench.submit("a5", accept(5))
    bench.settle()
    assert bench.results["a5"] == Accepted()


def test_without_anything_promised_an_empty_write_finds_out_that_space_is_back() -> None:
    bench = Bench(full=True)
    bench.submit("a1", accept(1))
    bench.settle()
    assert bench.queue.full
    bench.clock.advance(RETRY_S)
    bench.settle()
    assert bench.queue.full
    assert bench.flights[-1] == []
    bench.full = False
    bench.clock.advance(RETRY_S)
    bench.settle()
    assert not bench.queue.full


def test_look_ups_go_on_without_space() -> None:
    bench = Bench()
    bench.submit("a1", accept(1))
    bench.settle()
    bench.full = True
    bench.submit("o1", outcome(1))
    bench.settle()
    bench.submit("r1", Recall(HOME, "m1"))
    bench.submit("r2", Recall(HOME, "m2"))
    bench.settle()
    assert isinstance(bench.results["r1"], Known)
    assert bench.results["r1"].entry.state == "SENT"
    assert bench.results["r2"] is None
    assert bench.queue.full
    assert bench.told == ["full"]


def test_a_look_up_in_the_batch_that_found_no_space_is_answered_all_the_same() -> None:
    bench = Bench()
    bench.submit("a1", accept(1))
    bench.submit("a2", accept(2))
    bench.submit("r1", Recall(HOME, "m1"))
    bench.land()
    bench.full = True
    bench.settle()
    assert isinstance(bench.results["r1"], Known)
    assert isinstance(bench.results["a2"], NotAccepted)


def test_retries_stay_one_a_second_however_much_happens_meanwhile() -> None:
    bench = Bench()
    bench.submit("a1", accept(1))
    bench.settle()
    bench.full = True
    bench.submit("o1", outcome(1))
    bench.settle()
    before = len(bench.flights)
    for number in range(100):
        bench.submit(f"r{number}", Recall(HOME, "m1"))
        bench.submit(f"x{number}", accept(number + 10))
        bench.clock.advance(RETRY_S / 10)
        bench.settle()
    tries = [ops for ops in bench.flights[before:] if any(type(op) is not Recall for op in ops)]
    assert 8 <= len(tries) <= 10
    assert all(isinstance(bench.results[f"r{number}"], Known) for number in range(100))


def test_answers_of_writes_do_not_pile_up_while_space_is_out() -> None:
    bench = Bench(full=True)
    bench.submit("a1", accept(1))
    bench.settle()
    for number in range(2, 100):
        kept = attrs.evolve(entry(number), klass="W", state="DONE")
        bench.queue.later(Keep(entry=kept, answer=b"x" * 10))
    assert bench.queue.depth == 0


# --- a broken disk, and too much work -------------------------------------------------------------------------------


def test_a_broken_disk_is_told_once_and_nothing_is_answered_any_more() -> None:
    bench = Bench()
    bench.submit("a1", accept(1))
    bench.submit("a2", accept(2))
    bench.broken = True
    bench.settle()
    assert bench.told == ["broken StoreBroken"]
    assert bench.results == {}
    bench.submit("o1", outcome(1))
    bench.queue.later(outcome(1))
    bench.clock.advance(60)
    assert bench.in_flight == 0
    assert bench.told == ["broken StoreBroken"]
    bench.submit("a3", accept(3))
    assert isinstance(bench.results["a3"], NotAccepted)
    assert "a1" not in bench.results
    assert "o1" not in bench.results


def test_a_disk_that_breaks_while_it_is_full_is_told_once() -> None:
    bench = Bench(full=True)
    bench.submit("a1", accept(1))
    bench.settle()
    bench.broken = True
    bench.clock.advance(RETRY_S)
    bench.settle()
    bench.clock.advance(60)
    bench.settle()
    assert bench.told == ["full", "broken StoreBroken"]


def test_a_queue_that_is_too_long_refuses_new_requests_but_no_outcome_and_no_look_up() -> None:
    bench = Bench()
    for number in range(1, PENDING_MAX + 2):
        bench.submit(f"a{number}", accept(number))
    bench.submit("late", accept(PENDING_MAX + 5))
    assert isinstance(bench.results["late"], NotAccepted)
    bench.submit("o1", outcome(1))
    bench.submit("r1", Recall(HOME, "m1"))
    bench.settle()
    assert bench.results["o1"] is True
    assert isinstance(bench.results["r1"], Known)


def test_idle_is_told_when_everything_submitted_is_durable() -> None:
    bench = Bench()
    idle: list[bool] = []
    bench.queue.when_idle(lambda: idle.append(True))
    assert idle == [True]
    bench.submit("a1", accept(1))
    bench.queue.later(Keep(entry=attrs.evolve(entry(2), state="DONE"), answer=b""))
    bench.queue.when_idle(lambda: idle.append(len(bench.journal.rows) == 2))
    assert idle == [True]
    bench.settle()
    assert idle == [True, True]


def test_idle_is_told_also_when_the_last_batch_found_no_space() -> None:
    bench = Bench(full=True)
    idle: list[bool] = []
    bench.submit("a1", accept(1))
    bench.queue.when_idle(lambda: idle.append(True))
    bench.settle()
    assert idle == [True]
