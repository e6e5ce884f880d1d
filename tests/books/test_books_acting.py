"""Actions of the books exactly once: stopped between plan and sending, after sending and before the end was written."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from adapters.store.books import BooksStore, Planned, Run
from adapters.store.books_cases import BooksCases
from gateway.app.books_acting import Acting
from gateway.app.books_run import action_id
from gateway.app.books_shelf import SCRIPTS
from gateway.core.booked import DayRow, DiffRow
from gateway.exchange.ordered import Stated, Told

DAY, CODE = "2026-03-15", "H51080200001"
DIFF = DiffRow(
    diff_id="d1", role="care", scope=CODE, biz_date=DAY, leg="L1", name="L1-CENTER-MORE", row="", mode="AUTO",
    action="REVERSE", prevails="INST", setl_id="", msgid="M1", fixmedins_code=CODE, component="medfee_sumamt",
    left_fen=None, right_fen=100, note="", agreed=False, first_revision=1, last_revision=1, state="OPEN", changed_ms=1,
)  # fmt: skip


@attrs.define
class Exchange:
    """Stands where gateway.exchange.ordered stands: what it was told to reverse, by order, and what it answers."""

    orders: dict[str, str] = attrs.Factory(dict)
    unheard: list[bool] = attrs.Factory(list)
    answer: Told | None = "done"
    waiting: list[Callable[[Told], None]] = attrs.Factory(list)

    def reverse(
        self, institution: str, omsgid: str, msgid: str, told: Callable[[Told], None], unheard: bool,
        stated: Stated | None = None,
    ) -> None:  # fmt: skip
        self.unheard.append(unheard)
        known = self.orders.setdefault(msgid, omsgid)
        assert known == omsgid
        if self.answer is None:
            self.waiting.append(told)
        else:
            told(self.answer)


@attrs.define
class Alarms:
    names: list[str] = attrs.Factory(list)

    def alarm(self, name: str, institution: str, msgid: str) -> None:
        self.names.append(name)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[BooksStore]:
    made = BooksStore.open(tmp_path / "x-books.sqlite", SCRIPTS)
    yield made
    made.close()


def run_in_force(store: BooksStore, revision: int, *diffs: DiffRow, seen_ms: int = 0, now_ms: int = 1) -> None:
    ids = tuple(action_id("d1", "REVERSE", number) for number in (1, 2, 3))
    plan = Planned(kind="REVERSE", party="AGY", action_ids=ids, seen_ms=seen_ms, until_ms=99)
    lines = [(attrs.evolve(one, first_revision=revision, last_revision=revision), [plan]) for one in diffs]
    store.write_lines(lines, now_ms)
    run = Run(
        run_id=f"r{revision}",
        role="care",
        biz_date=DAY,
        revision=revision,
        at_ms=now_ms,
        agreed=False,
        keys=1,
        summary={},
    )
    store.bring_into_force(run, (), ())


def acting(store: BooksStore, exchange: Exchange, alarms: Alarms | None = None) -> Acting:
    numbers = iter(f"O{number}" for number in range(100))

    def db(call: Callable[[BooksCases], Any]) -> "Deferred[Any]":
        return succeed(call(BooksCases(store.connection)))

    return Acting(
        ordered=exchange, clock=Clock(), db=db, msgid=lambda code: next(numbers), watch=alarms or Alarms(),  # type: ignore[arg-type]
        wait_s=5.0,
    )  # fmt: skip


def done(acts: Acting) -> dict[str, int]:
    found: list[dict[str, int]] = []
    Deferred.fromCoroutine(acts.carry_out(DAY)).addCallback(found.append)
    return found[0]


def states(store: BooksStore) -> list[tuple[int, str, str]]:
    every = ("PLANNED", "SENT", "IN_DOUBT", "DONE", "FAILED")
    return [(one.attempt, one.state, one.receipt) for one in BooksCases(store.connection).actions(every)]


def test_nothing_is_sent_for_a_run_that_is_not_in_force(store: BooksStore) -> None:
    store.write_lines([(DIFF, [Planned(kind="REVERSE", party="AGY", action_ids=("a",))])], 1)
    exchange = Exchange()
    assert done(acting(store, exchange)) == {}
    assert exchange.orders == {}


def test_an_action_is_done_once_however_often_it_is_looked_at(store: BooksStore) -> None:
    run_in_force(store, 1, DIFF)
    exchange = Exchange()
    acts = acting(store, exchange)
    assert (done(acts), done(acts)) == ({"DONE": 1}, {})
    run_in_force(store, 2, DIFF)
    assert done(acts) == {}
    assert exchange.orders == {"O0": "M1"}


def test_who_dies_after_sending_gives_the_same_order_again(store: BooksStore) -> None:
    run_in_force(store, 1, DIFF)
    exchange = Exchange(answer=None)
    Deferred.fromCoroutine(acting(store, exchange).carry_out(DAY))  # it never hears, and dies
    assert states(store) == [(1, "SENT", "O0")]
    exchange.answer = "done"
    assert done(acting(store, exchange)) == {"DONE": 1}
    assert (exchange.orders, states(store)) == ({"O0": "M1"}, [(1, "DONE", "O0")])


def test_one_that_takes_long_is_left_to_the_next_run(store: BooksStore) -> None:
    run_in_force(store, 1, DIFF)
    exchange = Exchange(answer=None)
    acts = acting(store, exchange)
    found: list[dict[str, int]] = []
    Deferred.fromCoroutine(acts.carry_out(DAY)).addCallback(found.append)
    assert isinstance(acts.clock, Clock)
    acts.clock.advance(6)
    assert found == [{"SENT": 1}]
    exchange.waiting[0]("done")  # nobody listens any more
    exchange.answer = "done"
    assert done(acts) == {"DONE": 1}


def test_a_reversal_without_effect_is_tried_three_times_and_then_given_to_two_people(store: BooksStore) -> None:
    exchange = Exchange()
    acts = acting(store, exchange)
    for revision in (1, 2, 3, 4):
        acts.clock.advance(1)  # type: ignore[attr-defined]
        seen = int(acts.clock.seconds() * 1000)
        run_in_force(store, revision, DIFF, seen_ms=seen, now_ms=seen)
        done(acts)
    assert [one[:2] for one in states(store)] == [(1, "DONE"), (2, "DONE"), (3, "DONE")]
    assert len(exchange.orders) == 3
    (case,) = BooksCases(store.connection).cases(("OPEN",))
    assert (case.mode, case.diff.diff_id) == ("TWO", "d1")


def test_nobody_tries_again_who_has_not_looked_since(store: BooksStore) -> None:
    acts = acting(store, Exchange())
    acts.clock.advance(10)  # type: ignore[attr-defined]
    run_in_force(store, 1, DIFF, seen_ms=9_000)
    done(acts)
    run_in_force(store, 2, DIFF, seen_ms=9_999)
    assert [one[:2] for one in states(store)] == [(1, "DONE")]


def test_what_a_person_must_do_becomes_a_case_and_an_alarm(store: BooksStore) -> None:
    run_in_force(store, 1, DIFF)
    alarms = Alarms()
    assert done(acting(store, Exchange(answer="manual"), alarms)) == {"FAILED": 1}
    assert alarms.names == ["books_action_failed"]
    assert [one.mode for one in BooksCases(store.connection).cases(("OPEN",))] == ["TWO"]


def test_a_difference_that_vanished_takes_its_plan_and_its_case_along(store: BooksStore) -> None:
    run_in_force(store, 1, DIFF)
    BooksCases(store.connection).give_to_people("d1", 9, 1)
    run_in_force(store, 2)
    exchange = Exchange()
    assert done(acting(store, exchange)) == {}
    assert (states(store), exchange.orders) == ([(1, "FAILED", "vanished")], {})
    assert store.diffs(DAY) == [] and BooksCases(store.connection).cases(("OPEN",)) == []
    (gone,) = store.diffs(DAY, states=("VANISHED",))
    assert gone.note.endswith("VANISHED 2")
    run_in_force(store, 3, DIFF)
    assert [one.diff_id for one in store.diffs(DAY)] == ["d1"]
    assert done(acting(store, exchange)) == {"DONE": 1}
    assert len(exchange.orders) == 1


def test_nothing_leaves_for_a_day_that_was_frozen_while_the_run_went_on(store: BooksStore) -> None:
    run_in_force(store, 1, DIFF)
    store.set_days([DayRow(role="care", scope=CODE, biz_date=DAY, state="FROZEN", revision=1, changed_ms=1, note="")])
    exchange = Exchange()
    assert (done(acting(store, exchange)), exchange.orders) == ({}, {})


def test_a_reversal_whose_guards_hold_no_more_does_not_leave(store: BooksStore) -> None:
    """The node died between plan and sending; meanwhile somebody built on the settlement, so people decide."""
    run_in_force(store, 1, DIFF)
    store.write_lines([(attrs.evolve(DIFF, mode="TWO", action="CASE", last_revision=1), [Planned(mode="TWO")])], 2)
    exchange = Exchange()
    assert (done(acting(store, exchange)), exchange.orders) == ({}, {})
    assert [one.diff.action for one in BooksCases(store.connection).cases(("OPEN",))] == ["CASE"]
    run_in_force(store, 2, DIFF)  # and once they hold again
    assert done(acting(store, exchange)) == {"DONE": 1}


@pytest.mark.parametrize(("name", "unheard"), [("L1-INST-MISSING", True), ("L1-CENTER-MORE", False)])
def test_what_no_person_decided_is_reversed_only_while_nobody_was_told_of_it(
    store: BooksStore, name: str, unheard: bool
) -> None:
    run_in_force(store, 1, attrs.evolve(DIFF, name=name))
    exchange, alarms = Exchange(answer="delivered"), Alarms()
    assert done(acting(store, exchange, alarms)) == {"FAILED": 1}
    assert (exchange.unheard, alarms.names) == ([unheard], ["books_action_failed"])
    (case,) = BooksCases(store.connection).cases(("OPEN",))
    exchange.answer = "done"  # two people may have it reversed all the same
    assert BooksCases(store.connection).decide(
        case, "reverse", "核实", "zhang", 7, "OPEN", ("x", "REVERSE", "AGY", {}), 5
    )
    assert done(acting(store, exchange)) == {"DONE": 1}
    assert exchange.unheard == [unheard, False]


def test_what_people_accepted_stays_so_while_it_is_the_same(store: BooksStore) -> None:
    run_in_force(store, 1, attrs.evolve(DIFF, mode="TWO", action="CASE"))
    cases = BooksCases(store.connection)
    cases.give_to_people("d1", 9, 1)
    (case,) = cases.cases(("OPEN",))
    assert cases.decide(case, "accept", "核实", "zhang", 0, "RESOLVED", None, 5)
    assert not cases.decide(case, "accept", "核实", "zhang", 0, "RESOLVED", None, 6)
    run_in_force(store, 2, DIFF)
    assert [one.state for one in store.diffs(DAY, states=("RESOLVED",))] == ["RESOLVED"]
    run_in_force(store, 3, attrs.evolve(DIFF, right_fen=200))
    assert [one.state for one in store.diffs(DAY)] == ["OPEN"]


def test_the_same_file_is_one_input_and_nothing_handed_in_is_ever_changed(store: BooksStore) -> None:
    from adapters.store.books import BooksError, Input

    one = Input(
        ledger="INST", scope=CODE, biz_date=DAY, source="x", sm3="a", rows=1, complete=False, sums={}, path="p",
        who="w", at_ms=1,
    )  # fmt: skip
    first = store.add_input(one)
    assert store.add_input(attrs.evolve(one, at_ms=2)) == first
    closed = store.add_input(attrs.evolve(one, complete=True))
    assert closed > first
    assert [(each.id, each.complete) for each in store.inputs(DAY)] == [(closed, True)]
    for statement in ("DELETE FROM input", "UPDATE input SET rows = 2"):
        with pytest.raises(BooksError):
            store.connection.execute(statement)
