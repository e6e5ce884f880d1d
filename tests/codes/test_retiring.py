"""Old tables are taken apart by the other thread, and never while a request holds them."""

import re

from gateway.codes.retiring import SLICE, Retired
from gateway.core.codes import Hit, Libraries, Row, Snapshot, build_snapshot


def snapshot(rows: int, libraries: Libraries | None = None) -> Snapshot:
    found = libraries or Libraries({}, {"drug": re.compile("X")})
    return build_snapshot((Row("drug", f"L{n}", f"X{n}", "", "", "m1") for n in range(rows)), found)


def test_what_nobody_holds_is_emptied_in_slices() -> None:
    rests: list[int] = []
    retired = Retired([snapshot(SLICE * 2 + 1)])
    table = retired.snapshots[0].tables["item"]
    retired.take_down(lambda: rests.append(len(table)))
    assert retired.snapshots == []
    assert len(table) == 0
    assert rests[:3] == [SLICE + 1, 1, 0]


def test_what_a_request_holds_is_kept_until_it_lets_go() -> None:
    held = snapshot(3)
    retired = Retired([held])
    retired.take_down(lambda: None)
    assert retired.snapshots == [held]
    assert isinstance(held.look_up("item", "L1", "2026-01-01"), Hit)
    table = held.tables["item"]
    del held
    retired.take_down(lambda: None)
    assert (retired.snapshots, len(table)) == ([], 0)


def test_a_library_goes_after_the_last_snapshot_that_holds_it() -> None:
    libraries = Libraries({"drug": {"X1": ("一", "", "9999-12-31")}}, {})
    shared = libraries.records["drug"]
    held = snapshot(1, libraries)
    retired = Retired([], [libraries])
    del libraries
    retired.take_down(lambda: None)
    assert held.libraries.name("item", "X1") == "一"
    retired.snapshots.append(held)
    del held
    retired.take_down(lambda: None)
    assert (retired.snapshots, retired.libraries, shared) == ([], [], {})
