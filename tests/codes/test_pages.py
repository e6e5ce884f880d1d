"""Pages of a catalogue: both forms the platforms send, and every way in which pages do not fit together."""

from typing import Any

import pytest

from gateway.codes import pages
from gateway.codes.pages import Page, Walk, day_after, read_page, version_of

COLUMNS = ("code", "name", "updt_time")


def rows(*codes: str) -> tuple[dict[str, str], ...]:
    return tuple({"code": code} for code in codes)


def walked(*taken: Page, size: int = 2) -> tuple[str, bool, int]:
    """Take pages until they end or do not fit; return (why, over, rows)."""
    walk = Walk(size)
    for page in taken:
        if why := walk.take(page):
            return why, walk.over, walk.seen
        if walk.over:
            break
    return "", walk.over, walk.seen


def test_both_forms_of_a_page_are_read() -> None:
    row = {"code": "A", "name": None, "updt_time": 20260101, "other": "x"}
    beside = {"data": [row], "recordCounts": "7", "pages": 4, "pageNum": 1}
    assert read_page(beside, COLUMNS) == Page(({"code": "A", "updt_time": "20260101"},), 7, 4)
    assert read_page([row], COLUMNS) == Page(({"code": "A", "updt_time": "20260101"},))
    assert read_page(None, COLUMNS) == read_page({}, COLUMNS) == Page(())
    assert read_page({"data": [], "recordCounts": True, "pages": -1}, COLUMNS) == Page(())


@pytest.mark.parametrize("output", ["text", 7, {"data": {}}, [["A"]], [{"code": {"x": 1}}], [{"code": ["x"]}]])
def test_what_is_no_page_is_not_read(output: Any) -> None:
    assert read_page(output, COLUMNS) is None


def test_counts_say_when_all_have_come() -> None:
    assert walked(Page(rows("A", "B"), 3, 2), Page(rows("C"), 3, 2)) == ("", True, 3)
    assert walked(Page((), 0, 0)) == ("", True, 0)
    # A platform may give fewer rows a page than were asked for.
    assert walked(Page(rows("A"), 2, 2), Page(rows("B"), 2, 2), size=9) == ("", True, 2)


@pytest.mark.parametrize(
    ("taken", "why"),
    [
        ((Page(rows("A", "B"), 4), Page(rows("C"), 3)), "第1页称共4行，第2页称共3行"),
        ((Page(rows("A", "B"), 4, 2), Page(rows("C"), 4, 3)), "第1页称共2页，第2页称共3页"),
        ((Page(rows("A", "B"), 4), Page(rows("C"))), "第2页称共（未说明）行"),
        ((Page(rows("A", "B"), 4), Page((), 4)), "称共4行，到第2页得到2行"),
        ((Page(rows("A", "B"), 3), Page(rows("C", "D"), 3)), "称共3行，到第2页得到4行"),
        ((Page(rows("A", "B")), Page(rows("A", "B"))), "第2页与上一页相同"),
    ],
)
def test_pages_that_do_not_fit_are_refused(taken: tuple[Page, ...], why: str) -> None:
    assert why in walked(*taken)[0]


def test_without_counts_pages_go_on_until_one_is_empty() -> None:
    assert walked(Page(rows("A", "B")), Page(rows("C")), Page(())) == ("", True, 3)
    assert walked(Page(rows("A")), Page(rows("A")), size=2) == ("", True, 1)  # past the end it shows the end again
    assert walked(Page(rows("A")), Page(rows("B")), size=2) == ("", False, 2)


def test_pages_without_end_are_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "PAGES_MAX", 3)
    assert walked(*(Page(rows(str(number))) for number in range(9))) == ("超过3页", False, 3)


def test_a_version_is_named_after_the_newest_change_and_asked_from_its_day() -> None:
    found = [{"updt_time": "2024-01-02 03:04:05"}, {"updt_time": "20251231"}, {"updt_time": "x"}, {}]
    assert version_of(found, "2026-11-22") == "U20251231000000"
    assert version_of([{"updt_time": "2024-01-02T03:04:05.123"}], "2026-11-22") == "U20240102030405"
    assert version_of([{}], "2026-11-22") == "U20261122000000"
    assert day_after("U20240102030405") == "2024-01-02"
    assert day_after("") == day_after("v0000") == day_after("F20260901") == "2000-01-01"
