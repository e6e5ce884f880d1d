"""The months a report covers: each with the day its figures stand for. Days are those of Asia/Shanghai."""

from calendar import monthrange
from datetime import datetime, timedelta

import attrs

from gateway.core.dates import SHANGHAI


@attrs.frozen
class Month:
    """name: yyyy-MM; day: yyyy-MM-dd as of which it is judged; [start_ms, end_ms): from its first day through `day`."""

    name: str
    day: str
    start_ms: int
    end_ms: int


def months_to(day: str, number: int) -> tuple[Month, ...]:
    """Return so many months in order; the last ends with `day`, the others with their own last day."""
    found = []
    last = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=SHANGHAI)
    for _ in range(number):
        first = last.replace(day=1)
        end = last + timedelta(days=1)
        found.append(Month(f"{last:%Y-%m}", f"{last:%Y-%m-%d}", _ms(first), _ms(end)))
        last = first - timedelta(days=1)
    return tuple(reversed(found))


def last_day(month: str) -> str:
    """Return the last day of yyyy-MM. Raises ValueError when it is no month."""
    first = datetime.strptime(f"{month}-01", "%Y-%m-%d").replace(tzinfo=SHANGHAI)
    if len(month) != 7:
        raise ValueError(month)
    return f"{first:%Y-%m}-{monthrange(first.year, first.month)[1]:02d}"


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
