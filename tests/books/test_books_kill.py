"""Killed at every write to the store and at every delivery, on a mixed day: no party is told twice, and the end is the
same (reconciliation specification §6.4, §9.4)."""

import copy
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
from book_town import BookTown

import adapters.store.books
import adapters.store.books_cases
from adapters.store.books_cases import Case
from adapters.store.transaction import transaction
from simulators.book_parties import BookParties

Ended = tuple[Any, ...]


class Killed(BaseException):
    """The process is gone."""


@attrs.define
class Fate:
    """Counts the places where a process may end, and ends it at one of them. at: 0 = never."""

    at: int = 0
    passed: int = 0
    places: list[str] = attrs.Factory(list)

    def __call__(self, what: str) -> None:
        self.passed += 1
        self.places.append(what)
        if self.passed == self.at:
            raise Killed(what)

    @contextmanager
    def transaction(self, connection: Any) -> Iterator[None]:
        """A transaction of the store, before and after which, and before whose end, a process may end."""
        self("before")
        with transaction(connection):
            yield
            self("uncommitted")
        self("committed")


@pytest.fixture
def fate(monkeypatch: pytest.MonkeyPatch) -> Fate:
    found = Fate()
    for module in (adapters.store.books, adapters.store.books_cases):
        monkeypatch.setattr(module, "transaction", lambda connection: found.transaction(connection))
    return found


def mixed(folder: Path, fate: Fate) -> BookTown:
    """A day on which every party has something to do."""
    town = BookTown(folder, tick=fate)
    here = {"clr_pay_loc": ""}
    town.put("1", GW={"status": "REJECTED", **here}, AGY=here)  # 2601 by itself
    town.put("2", PROV={}, INS={})  # reversed at the province, then behind it
    town.put("3", INST={}, GW={"delivered": "1"}, AGY={})  # fed back to the province, and to the agency behind it
    town.put("4", INST=here)  # the institution takes it back
    town.put("5", GW={"delivered": "1", **here})  # two people void it
    town.put("6", GW={"delivered": "1"}, AGY={}, PROV={}, INS={})  # two people have it booked
    return town


def chosen(case: Case) -> str:
    return {"L1-GW-ONLY": "void", "L1-INST-MISSING": "book"}.get(case.diff.name, "")


def ended(town: BookTown) -> Ended:
    """What must be the same whatever happened: the books, what each party was told, every action."""
    books = {name: sorted((row["setl_id"], row["status"]) for row in rows) for name, rows in town.parties.books.items()}
    told = sorted((one.party, one.kind, one.key) for one in town.parties.received)
    return books, told, sorted(town.actions()), town.lines("OPEN", "WAIT")


def rest(town: BookTown) -> Ended:
    """Go on until the day agrees."""
    for _ in range(5):
        if town.round(chosen).days["*"] == "AGREED":
            break
    return ended(town)


def restarted(folder: Path, before: Path, parties: BookParties, town: BookTown) -> BookTown:
    """The town as it was before a step."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(before, folder)
    return alike(BookTown(folder, copy.deepcopy(parties), town.tick), town)


def alike(town: BookTown, other: BookTown) -> BookTown:
    """With another's time and durable journal of orders."""
    town.clock.advance(other.clock.seconds() - town.clock.seconds())
    town.wire.orders = dict(other.wire.orders)
    return town


STEPS: list[tuple[str, Callable[[BookTown], object]]] = [
    ("hand_in", lambda town: town.hand_in()), ("run", lambda town: town.run()), ("act", lambda town: town.act()),
    ("decide", lambda town: town.decide(chosen)), ("act", lambda town: town.act()),
    ("fetch", lambda town: town.fetch()),
]  # fmt: skip


def test_wherever_a_step_is_killed_nothing_is_told_twice_and_the_end_is_the_same(tmp_path: Path, fate: Fate) -> None:
    town = mixed(tmp_path / "town", fate)
    killed = 0
    for number, (name, step) in enumerate(STEPS * 2):
        before, parties = tmp_path / "before", copy.deepcopy(town.parties)
        shutil.rmtree(before, ignore_errors=True)
        shutil.copytree(town.folder, before)
        fate.passed, fate.at = 0, 0
        step(town)
        places, wanted = fate.passed, _told(town)
        if name == "hand_in" or (name == "run" and number > 1):
            continue  # a hand-in is one transaction; the second run has no places the first has not
        for at in range(1, places + 1):
            other = restarted(tmp_path / "other", before, parties, town)
            fate.passed, fate.at = 0, at
            with pytest.raises(Killed):
                step(other)
            fate.at = 0
            again = alike(BookTown(other.folder, other.parties, fate), other)
            step(again)
            assert _told(again) == wanted, (number, name, at, fate.places[-1])
            killed += 1
    assert killed > 50
    fate.at = 0
    _, told, actions, left = rest(town)
    assert left == {} and len(told) == len(set(told))
    assert {state for *_, state in actions} == {"DONE"}


def _told(town: BookTown) -> Ended:
    """Where a step has brought the town: of a killed and of a whole one alike."""
    with town.store() as store:
        cases = adapters.store.books_cases.BooksCases(store.connection).cases(("OPEN", "PROPOSED", "DECIDED", "CLOSED"))
        days = [(one.scope, one.state, one.revision) for one in store.days("2026-03-31", "2026-03-31")]
    return *ended(town), [(one.diff.diff_id, one.state, one.decision) for one in cases], days
