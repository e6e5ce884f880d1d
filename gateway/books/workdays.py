"""Working days of the PRC: weekends, holidays and working weekends as data (schemas/calendar); pure arithmetic."""

import re
from collections.abc import Iterable
from datetime import date as Date
from datetime import timedelta

import attrs
import msgspec

DAYS_MAX = 1_000
_SATURDAY = 5


class CalendarError(Exception):
    """The calendar contradicts itself, or does not reach the year asked for. Whoever keeps the file is at fault."""


class _Year(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    source: str
    verified: bool
    holidays: list[str]
    working: list[str]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    year: dict[str, _Year]


@attrs.frozen
class Calendar:
    """free: holidays; working: weekends on which is worked; years: those the file speaks of; verified: of these."""

    free: frozenset[Date]
    working: frozenset[Date]
    years: frozenset[int]
    verified: frozenset[int]

    def works(self, day: Date) -> bool:
        """Say whether a day is a working day. Raises CalendarError for a year that is not in the file."""
        if day.year not in self.years:
            raise CalendarError(f"工作日历没有{day.year}年，请补充日历文件（[books] calendar_file）")
        return day in self.working or (day.weekday() < _SATURDAY and day not in self.free)

    def after(self, start: str, days: int) -> str:
        """Return the date `days` working days after start (the day of start does not count). Raises CalendarError."""
        if not 0 <= days <= DAYS_MAX:
            raise CalendarError(f"工作日数应在0至{DAYS_MAX}之间：{days}")
        day = Date.fromisoformat(start)
        while days:
            day += timedelta(days=1)
            days -= self.works(day)
        return day.isoformat()

    def between(self, start: str, end: str) -> int:
        """Return the working days after start, up to and with end; negative when end lies before."""
        first, last = Date.fromisoformat(start), Date.fromisoformat(end)
        if last < first:
            return -self.between(end, start)
        return sum(self.works(first + timedelta(days=n)) for n in range(1, (last - first).days + 1))


def build(plain: Iterable[object]) -> Calendar:
    """Return the calendar of parsed files, a later one taking the place of a year. Raises CalendarError."""
    years: dict[str, _Year] = {}
    for one in plain:
        try:
            years |= msgspec.convert(one, _File).year
        except msgspec.ValidationError as cause:
            raise CalendarError(f"工作日历格式有误：{cause}") from cause
    free: set[Date] = set()
    working: set[Date] = set()
    for name, year in years.items():
        for text, into in [*((day, free) for day in year.holidays), *((day, working) for day in year.working)]:
            into.update(_days(text, name))
    if both := free & working:
        raise CalendarError(f"工作日历中{min(both).isoformat()}既是假日又是工作日")
    if wrong := [day for day in working if day.weekday() < _SATURDAY]:
        raise CalendarError(f"工作日历中{min(wrong).isoformat()}不是周末，无需列为调休工作日")
    verified = frozenset(int(name) for name, year in years.items() if year.verified)
    return Calendar(frozenset(free), frozenset(working), frozenset(int(name) for name in years), verified)


_RANGE = re.compile(r"(\d{2}-\d{2})(?:\.\.(\d{2}-\d{2}))?", re.ASCII)


def _days(text: str, year: str) -> list[Date]:
    """Return the days of `MM-DD` or `MM-DD..MM-DD`, both ends included."""
    form = _RANGE.fullmatch(text)
    try:
        if form is None:
            raise ValueError(text)
        first = Date.fromisoformat(f"{year}-{form[1]}")
        last = Date.fromisoformat(f"{year}-{form[2] or form[1]}")
    except ValueError as cause:
        raise CalendarError(f"工作日历中{year}年的{text}不是日期") from cause
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]
