"""Dates as the catalogue writes them (envelope.md §3), and stamps from clock seconds, always in Shanghai."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import dates
from gateway.core.dates import Moments, day_of, fits, is_date, is_datetime, moments, shanghai, stamp17

DAY, MOMENT = "yyyy-MM-dd", "yyyy-MM-dd HH:mm:ss"


@pytest.mark.parametrize(
    ("text", "fine"),
    [
        ("2024-02-29", True),
        ("2023-02-29", False),
        ("2024-13-01", False),
        ("2024-00-10", False),
        ("2024-1-05", False),
        ("2024-01-5", False),
        ("20240105", False),
        ("2024/01/05", False),
        ("2024-01-05 ", False),
        (" 024-01-05", False),
        ("２０２４-01-05", False),
        ("2024-W01-1", False),
        ("0000-01-01", False),
        ("9999-12-31", True),
        ("", False),
    ],
)
def test_a_day(text: str, fine: bool) -> None:
    assert is_date(text) is fine
    assert fits("date", DAY, text) is fine
    assert fits("date", "", text) is fine


@pytest.mark.parametrize(
    ("text", "fine"),
    [
        ("2024-01-05 09:10:00", True),
        ("2024-02-29 23:59:59", True),
        ("2024-01-05 24:00:00", False),
        ("2024-01-05 09:60:00", False),
        ("2024-01-05 09:10:60", False),
        ("2024-01-05T09:10:00", False),
        ("2024-01-05 09:10", False),
        ("2024-01-05 9:10:000", False),
        ("2024-01-05 09-10-00", False),
        ("2024/01/05 09:10:00", False),
        ("2023-02-29 09:10:00", False),
        ("2024-01-05 09:10:0Z", False),
        ("2024-01-05 ０9:10:00", False),
    ],
)
def test_a_moment(text: str, fine: bool) -> None:
    assert is_datetime(text) is fine
    assert fits("datetime", MOMENT, text) is fine


def test_without_a_format_a_moment_may_be_a_day() -> None:
    """A query range given as dates covers 00:00:00 to 23:59:59."""
    assert fits("datetime", "", "2024-01-05")
    assert fits("datetime", "", "2024-01-05 09:10:00")
    assert not fits("datetime", MOMENT, "2024-01-05")
    assert not fits("date", "", "2024-01-05 09:10:00")
    assert not fits("date", DAY, "2024-01-05 09:10:00")
    assert fits("date", MOMENT, "2024-01-05 09:10:00")


@pytest.mark.parametrize(
    ("form", "text", "fine"),
    [
        ("YYYY-MM", "2024-01", True),
        ("YYYY-MM", "2024-13", False),
        ("YYYY-MM", "2024-1", False),
        ("YYYY-MM", "202401", False),
        ("YYYYMM", "202412", True),
        ("yyyyMM", "202413", False),
        ("yyyyMM", "2024 1", False),
        ("yyyyMMdd HHmmss", "20240105 091000", True),
        ("yyyyMMdd HHmmss", "20240105  12345", False),  # strptime takes two blanks for one
        ("yyyyMMdd HHmmss", "20240105 241000", False),
        ("yyyyMMdd HHmmss", "20230229 091000", False),
        ("yyyyMMdd HHmmssSSS", "20240105 091000123", True),
        ("yyyyMMdd HHmmssSSS", "20240105 09100012", False),
        ("yyyyMMdd HHmmssSSS", "20240105  91000123", False),
        ("yyyyMMdd HHmmss", "２0240105 091000", False),
        ("no such format", "2024", False),
    ],
)
def test_other_formats_of_the_catalogue(form: str, text: str, fine: bool) -> None:
    assert fits("date", form, text) is fine


@given(st.dates())
def test_every_day_of_the_calendar_is_one(day: object) -> None:
    assert is_date(str(day))
    assert is_datetime(f"{day} 00:00:00")


def test_stamps_are_in_shanghai() -> None:
    """1704418200 is 2024-01-05 01:30:00 UTC; half past midnight in Shanghai is the day before in UTC."""
    assert stamp17(1704418200.0456) == "20240105093000045"
    assert day_of(1704418200.0) == "2024-01-05"
    assert day_of(1704385799.0) == "2024-01-05"
    assert day_of(1704383999.9) == "2024-01-04"
    assert shanghai(0).isoformat() == "1970-01-01T08:00:00+08:00"
    assert len(stamp17(0)) == 17


def test_what_was_proved_is_remembered_and_what_was_not_is_not() -> None:
    seen = Moments("date", DAY)
    assert seen.prove("2024-01-05")
    assert not seen.prove("2024-01-32")
    assert seen.known == {"2024-01-05"}


def test_the_memory_of_moments_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dates, "_MOMENTS_MAX", 3)
    seen = Moments("date", "")
    for day in range(1, 9):
        assert seen.prove(f"2024-01-0{day}")
        assert len(seen.known) <= 3


def test_all_plans_share_one_memory_of_a_form() -> None:
    assert moments("date", DAY) is moments("date", DAY)
    assert moments("date", DAY) is not moments("datetime", DAY)
