"""Working days: weekends, holidays, working weekends; what the delivered calendar says; files that are wrong."""

import tomllib
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

import schemas
from gateway.books.workdays import Calendar, CalendarError, build

CN = build([tomllib.loads((schemas.ROOT / "calendar" / "cn.toml").read_text("utf-8"))])


@pytest.mark.parametrize(
    ("day", "works"),
    [
        ("2025-01-26", True), ("2025-01-28", False), ("2025-02-08", True), ("2025-10-08", False),
        ("2026-01-04", True), ("2026-02-14", True), ("2026-02-23", False), ("2026-02-24", True), ("2026-05-09", True),
        ("2026-10-10", True), ("2026-10-11", False), ("2026-03-14", False), ("2026-03-16", True),
    ],
)  # fmt: skip
def test_the_delivered_calendar(day: str, works: bool) -> None:
    assert CN.works(date.fromisoformat(day)) is works


@pytest.mark.parametrize(
    ("start", "days", "end"),
    [
        ("2026-02-13", 1, "2026-02-14"), ("2026-02-14", 1, "2026-02-24"), ("2026-09-30", 3, "2026-10-10"),
        ("2026-03-02", 20, "2026-03-30"), ("2026-03-02", 30, "2026-04-14"), ("2026-03-02", 0, "2026-03-02"),
    ],
)  # fmt: skip
def test_a_deadline_is_counted_in_working_days(start: str, days: int, end: str) -> None:
    assert CN.after(start, days) == end
    assert CN.between(start, end) == days


@given(st.dates(date(2025, 1, 1), date(2026, 8, 1)), st.integers(0, 60))
def test_counting_there_and_back_agree(start: date, days: int) -> None:
    end = CN.after(start.isoformat(), days)
    assert CN.between(start.isoformat(), end) == days
    assert CN.between(end, start.isoformat()) == -days
    assert not days or CN.works(date.fromisoformat(end))


def test_a_year_that_is_not_there_is_said() -> None:
    with pytest.raises(CalendarError, match="2027"):
        CN.after("2026-12-31", 1)
    assert CN.verified == {2025, 2026}


def year(holidays: list[str], working: list[str]) -> dict[str, object]:
    return {"year": {"2027": {"source": "x", "verified": False, "holidays": holidays, "working": working}}}


@pytest.mark.parametrize(
    "plain",
    [
        year(["13-01"], []), year(["01-01..01"], []), year(["01-02"], ["01-02"]), year([], ["01-04"]),
        {"year": {"2027": {"source": "x"}}},
    ],
)  # fmt: skip
def test_a_calendar_that_contradicts_itself_is_refused(plain: dict[str, object]) -> None:
    with pytest.raises(CalendarError):
        build([plain])


def test_a_later_file_takes_the_place_of_a_year() -> None:
    both: Calendar = build([year(["01-01"], []), year([], [])])
    assert both.works(date(2027, 1, 1)) and not both.works(date(2027, 1, 1) + timedelta(days=1))
