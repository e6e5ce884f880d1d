"""Snapshots from what is in force, and the watcher that swaps them: atomically, off the reactor, only when changed."""

import gc
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping

import pytest
from twisted.internet.task import Clock

from gateway.codes.loading import EVERYONE, HELD_MAX, CodesWatcher, Loaded, LookedUp, load_snapshots
from gateway.core.codes import Hit, Miss, Snapshot

HOSPITAL, PHARMACY = "H99010300001", "P99010100001"
FORMS = {"drug": re.compile("^X[0-9]+$"), "diagnosis": re.compile(r"^[A-Z]\d{2}\.\d{3}$")}


class FakeShelf:
    """A library that is looked up row by row, and counts the looks."""

    def __init__(self, rows: dict[str, tuple[str, str, str, str, str]]) -> None:
        self._rows = rows
        self.looks: list[str] = []

    def find(self, code: str) -> tuple[str, str, str, str, str] | None:
        self.looks.append(code)
        return self._rows.get(code)


class FakeTables:
    """What is in force, in plain rows."""

    def __init__(
        self,
        libraries: list[tuple[str, str, str, str, str, str, str]],
        mappings: dict[str, list[tuple[str, str, str, str, str, str]]],
        stamps: dict[str, int],
    ) -> None:
        self._libraries, self._mappings, self._stamps = libraries, mappings, stamps
        self.asked: list[str] = []
        self.big: dict[str, int] = {}
        self.closed = False

    def stamps(self) -> Mapping[str, int]:
        return {EVERYONE: 0, **self._stamps}

    def sizes(self) -> Mapping[str, int]:
        return {**Counter(row[0] for row in self._libraries), **self.big}

    def libraries(self, systems: Collection[str]) -> Iterator[tuple[str, str, str, str, str, str, str]]:
        self.asked.append("libraries")
        yield from (row for row in self._libraries if row[0] in systems)

    def shelf(self, system: str) -> "FakeShelf":
        return FakeShelf({row[1]: row[2:] for row in self._libraries if row[0] == system})

    def mappings(self, institution: str) -> Iterator[tuple[str, str, str, str, str, str]]:
        self.asked.append(institution)
        yield from self._mappings.get(institution, [])

    def close(self) -> None:
        self.closed = True


DRUGS = [
    ("drug", "X1", "在用", "2021-01-01", "", "1", "0"),
    ("drug", "X2", "已停用", "2021-01-01", "", "0", "0"),
    ("drug", "X3", "将到期", "2021-01-01", "2026-12-31", "1", "0"),
    ("diagnosis", "A01.001", "灰码", "2021-01-01", "", "1", "1"),
]
ROWS = {
    HOSPITAL: [
        ("drug", "L1", "X1", "2022-01-01", "2025-12-31", "m1"),
        ("drug", "L1", "X3", "2026-01-01", "", "m1"),
        ("drug", "L2", "X2", "", "", "m1"),
        ("drug", "L3", "X9", "", "", "m1"),
        ("drug", "L4", "", "", "", "m1"),
        ("drug", "L5", "X3", "", "", "m2"),
        ("diagnosis", "Z1", "A01.001", "", "", "m3"),
    ]
}


def snapshots() -> dict[str, Snapshot]:
    return load_snapshots(FakeTables(DRUGS, ROWS, {HOSPITAL: 1}), FORMS)


def test_the_row_of_the_date_of_service_translates() -> None:
    hospital = snapshots()[HOSPITAL]
    hit = hospital.two_slot("L1", "", "2025-12-31")
    assert hit == Hit("X1", ("X1", "2022-01-01", "2025-12-31", "m1", "drug"))
    assert hospital.two_slot("L1", "", "2026-01-01") == Hit("X3", ("X3", "2026-01-01", "2026-12-31", "m1", "drug"))
    assert hospital.two_slot("L1", "", "2021-12-31") == Miss("expired", "row_not_in_force")
    assert hospital.two_slot("L1", "", "2027-01-01") == Miss("expired", "row_not_in_force")


def test_a_row_lives_only_as_long_as_its_target() -> None:
    hospital = snapshots()[HOSPITAL]
    assert isinstance(hospital.two_slot("L5", "", "2026-12-31"), Hit)
    for local, slot in (("L5", "item"), ("L2", "item"), ("Z1", "diagnosis")):
        assert hospital.one_slot(slot, local, "2027-01-01") == Miss("expired", "row_not_in_force")
    assert hospital.one_slot("item", "L3", "2026-01-01") == Miss("expired", "not_in_library")


def test_a_code_decided_to_have_none_is_a_miss_and_never_an_empty_code() -> None:
    assert snapshots()[HOSPITAL].two_slot("L4", "", "2026-01-01") == Miss("unmapped", "no_row")


def test_grey_and_ended_codes_do_not_pass_as_national_ones() -> None:
    everyone = snapshots()[EVERYONE]
    assert everyone.one_slot("diagnosis", "A01.001", "2026-01-01") == Miss("expired", "library_expired")
    assert everyone.one_slot("item", "X2", "2026-01-01") == Miss("expired", "library_expired")
    assert everyone.one_slot("item", "X1", "2026-01-01") == Hit("X1", None)
    assert everyone.one_slot("item", "X7", "2026-01-01") == Miss("unmapped", "no_row")


def test_a_big_library_is_looked_up_and_says_the_same_as_one_held() -> None:
    tables = FakeTables(DRUGS, ROWS, {HOSPITAL: 1})
    tables.big = {"drug": HELD_MAX + 1}
    held, found = snapshots(), load_snapshots(tables, FORMS)
    drugs = found[EVERYONE].libraries.records["drug"]
    assert isinstance(drugs, LookedUp)
    assert isinstance(held[EVERYONE].libraries.records["drug"], dict)
    for name in (EVERYONE, HOSPITAL):
        for code in ("X1", "X2", "X3", "X7", "L1", "L2", "L3", "L5"):
            for day in ("2020-01-01", "2026-01-01", "2027-01-01"):
                assert found[name].one_slot("item", code, day) == held[name].one_slot("item", code, day), (name, code)
    assert found[HOSPITAL].libraries.name("item", "X1") == "在用"
    looks = len(drugs.finder.looks)  # type: ignore[attr-defined]
    assert isinstance(found[HOSPITAL].two_slot("L1", "", "2026-01-01"), Hit)
    assert len(drugs.finder.looks) == looks  # type: ignore[attr-defined]  # what a mapping gives was judged before


def test_a_register_is_never_loaded() -> None:
    found = load_snapshots(FakeTables([*DRUGS, ("price_cap", "X", "", "", "", "1", "0")], {}, {}), FORMS)
    assert sorted(found[EVERYONE].libraries.records) == ["diagnosis", "drug"]


def test_the_way_back_lists_every_local_code_once() -> None:
    back = snapshots()[HOSPITAL].reverse["item"]
    assert back["X3"] == ("L1", "L5")
    assert back["X1"] == ("L1",)
    assert back.get("X7", ()) == ()
    assert "X9" in back
    assert sorted(back) == ["X1", "X2", "X3", "X9"]
    assert len(back) == 4


def test_a_local_code_with_several_rows_is_listed_once_on_the_way_back() -> None:
    days = [("2021-01-01", "2021-12-31"), ("2022-01-01", "2022-12-31"), ("2023-01-01", "")]
    rows = [("drug", local, "X1", since, until, "m1") for local in ("L1", "L2", "L1", "L2") for since, until in days]
    hospital = load_snapshots(FakeTables(DRUGS, {HOSPITAL: rows}, {HOSPITAL: 1}), FORMS)[HOSPITAL]
    assert hospital.reverse["item"]["X1"] == ("L1", "L2")


def test_equal_texts_are_one_object() -> None:
    rows = [("drug", f"L{n}", "".join(["X", "1"]), "".join(["2021", "-01-01"]), "", f"m{1}") for n in range(3)]
    table = load_snapshots(FakeTables(DRUGS, {HOSPITAL: rows}, {HOSPITAL: 1}), FORMS)[HOSPITAL].tables["item"]
    entries = [table[f"L{n}"] for n in range(3)]
    assert len({id(entry[0]) for entry in entries}) == 1
    assert len({id(entry[3]) for entry in entries}) == 1


class Room:
    """A watcher with everything around it in the test's hands; offloaded calls wait until `work` runs them."""

    def __init__(self) -> None:
        self.tables = FakeTables(DRUGS, dict(ROWS), {HOSPITAL: 1})
        self.state = 1
        self.applied: list[Mapping[str, Snapshot]] = []
        self.errors: list[Exception] = []
        self.jobs: list[tuple[Callable[[], Loaded | None], Callable[[Loaded | None], None], Callable[..., None]]] = []
        self.clock = Clock()
        self.broken: Exception | None = None
        self.watcher = CodesWatcher(
            clock=self.clock,
            read=self.read,
            stamp=lambda: self.state,
            offload=lambda call, done, failed: self.jobs.append((call, done, failed)),
            apply=self.applied.append,
            report=self.errors.append,
            forms=FORMS,
        )

    def read(self) -> FakeTables:
        if self.broken is not None:
            raise self.broken
        return self.tables

    def work(self) -> None:
        """Run what waits, as the other thread and the reactor would."""
        (call, done, failed), self.jobs = self.jobs[0], self.jobs[1:]
        try:
            result = call()
        except Exception as cause:
            failed(cause)
        else:
            done(result)

    def change(self, tables: FakeTables) -> None:
        self.tables = tables
        self.state += 1


@pytest.fixture
def room() -> Iterator[Room]:
    yield Room()
    gc.unfreeze()


def version(snapshot: Snapshot) -> str:
    found = snapshot.two_slot("L1", "", "2026-01-01")
    assert isinstance(found, Hit)
    assert found.entry is not None
    return found.entry[3]


def test_the_first_look_is_applied_and_later_ones_only_when_something_changed(room: Room) -> None:
    room.watcher.start()
    assert room.applied == []  # nothing happens on the reactor itself
    room.work()
    assert [sorted(one) for one in room.applied] == [[EVERYONE, HOSPITAL]]
    for _ in range(3):
        room.clock.advance(2.0)
        room.work()
    assert len(room.applied) == 1
    assert room.tables.closed


def test_a_change_is_picked_up_within_the_poll_and_swapped_in_one_call(room: Room) -> None:
    room.watcher.start()
    room.work()
    old = room.applied[0][HOSPITAL]
    rows = {HOSPITAL: [("drug", "L1", "X1", "", "", "m7")], PHARMACY: [("drug", "P1", "X1", "", "", "m8")]}
    room.change(FakeTables(DRUGS, rows, {HOSPITAL: 7, PHARMACY: 8}))
    room.clock.advance(1.9)
    assert room.jobs == []
    room.clock.advance(0.2)
    room.work()
    assert len(room.applied) == 2
    assert sorted(room.applied[1]) == [EVERYONE, HOSPITAL, PHARMACY]
    assert version(room.applied[1][HOSPITAL]) == "m7"
    assert version(old) == "m1"  # requests under way keep it


def test_only_what_changed_is_read_again(room: Room) -> None:
    room.change(FakeTables(DRUGS, {**ROWS, PHARMACY: []}, {HOSPITAL: 1, PHARMACY: 1}))
    room.watcher.load_now()
    room.change(FakeTables(DRUGS, {**ROWS, PHARMACY: [("drug", "P1", "X1", "", "", "m8")]}, {HOSPITAL: 1, PHARMACY: 2}))
    room.watcher.load_now()
    assert room.tables.asked == [PHARMACY]
    assert room.applied[1][HOSPITAL] is room.applied[0][HOSPITAL]
    assert isinstance(room.applied[1][PHARMACY].two_slot("P1", "", "2026-01-01"), Hit)
    room.change(FakeTables(DRUGS[:1], ROWS, {EVERYONE: 9, HOSPITAL: 1}))
    room.watcher.load_now()
    assert room.tables.asked == ["libraries", HOSPITAL]
    assert PHARMACY not in room.applied[2]


def test_an_error_is_reported_and_tried_again(room: Room) -> None:
    room.broken = OSError("disk")
    room.watcher.start()
    room.work()
    assert room.errors == [room.broken]
    assert room.applied == []
    room.broken = None
    room.clock.advance(2.0)
    room.work()
    assert len(room.applied) == 1


def test_a_failing_swap_is_reported_and_tried_again(room: Room) -> None:
    calls = []

    def apply(found: Mapping[str, Snapshot]) -> None:
        calls.append(found)
        if len(calls) == 1:
            raise RuntimeError("ours")

    room.watcher.apply = apply
    room.watcher.start()
    room.work()
    assert [str(error) for error in room.errors] == ["ours"]
    room.clock.advance(2.0)
    room.work()
    assert len(calls) == 2


def test_a_change_during_the_look_is_seen_at_the_next_poll(room: Room) -> None:
    room.watcher.start()
    call, done, _ = room.jobs.pop()
    first = call()
    room.change(FakeTables(DRUGS, {HOSPITAL: [("drug", "L1", "X3", "", "", "m9")]}, {HOSPITAL: 9}))
    done(first)
    room.clock.advance(2.0)
    room.work()
    assert len(room.applied) == 2


def test_after_stop_nothing_is_applied_and_no_timer_is_left(room: Room) -> None:
    room.watcher.start()
    room.watcher.stop()
    room.work()
    assert room.applied == []
    assert room.clock.getDelayedCalls() == []
    room.watcher.start()
    room.work()
    room.watcher.stop()
    assert room.clock.getDelayedCalls() == []


def test_collecting_is_on_again_after_a_look_that_failed(room: Room) -> None:
    def mappings(_: str) -> Iterator[tuple[str, str, str, str, str, str]]:
        assert not gc.isenabled()
        raise OSError("torn")

    room.tables.mappings = mappings  # type: ignore[method-assign,assignment]
    room.watcher.start()
    room.work()
    assert [str(error) for error in room.errors] == ["torn"]
    assert gc.isenabled()
    assert room.tables.closed


def test_the_tables_are_frozen_out_of_collections(room: Room) -> None:
    before = gc.get_freeze_count()
    room.watcher.load_now()
    assert gc.get_freeze_count() > before
