"""Dates and times of messages as text, and stamps from clock seconds. The zone is Asia/Shanghai, always UTC+8."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from functools import lru_cache

SHANGHAI = timezone(timedelta(hours=8))
_MOMENTS_MAX = 100_000

# Formats the catalogue names -> strptime form, and the exact length of such a text.
_FORMS = {
    "yyyy-MM-dd": ("%Y-%m-%d", 10),
    "yyyy-MM-dd HH:mm:ss": ("%Y-%m-%d %H:%M:%S", 19),
    "YYYY-MM": ("%Y-%m", 7),
    "yyyyMM": ("%Y%m", 6),
    "YYYYMM": ("%Y%m", 6),
    "yyyyMMdd HHmmss": ("%Y%m%d %H%M%S", 15),
    "yyyyMMdd HHmmssSSS": ("%Y%m%d %H%M%S%f", 18),
}


def is_date(text: str) -> bool:
    """Say whether text is a real day written yyyy-MM-dd."""
    if len(text) != 10 or text[4] != "-" or text[7] != "-" or not text.isascii():
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def is_datetime(text: str) -> bool:
    """Say whether text is a real moment written yyyy-MM-dd HH:mm:ss."""
    if len(text) != 19 or text[10] != " " or text[13] != ":" or text[16] != ":" or not text.isascii():
        return False
    if text[4] != "-" or text[7] != "-":
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def fits(kind: str, form: str, text: str) -> bool:
    """Say whether text is a date of the catalogue's format; without a format a datetime may be a day alone.

    ("a query range given as dates covers 00:00:00 to 23:59:59", envelope.md §3.)
    """
    if form in ("", "yyyy-MM-dd", "yyyy-MM-dd HH:mm:ss"):
        if form == "yyyy-MM-dd" or (not form and kind == "date"):
            return is_date(text)
        return is_datetime(text) or (not form and is_date(text))
    pattern, length = _FORMS.get(form, ("", 0))
    # strptime itself takes several blanks for one.
    if not pattern or len(text) != length or not text.isascii() or text.count(" ") != pattern.count(" "):
        return False
    try:
        datetime.strptime(text, pattern).replace(tzinfo=SHANGHAI)
    except ValueError:
        return False
    return True


def shanghai(epoch_s: float) -> datetime:
    """Return the moment of clock seconds in Shanghai."""
    return datetime.fromtimestamp(epoch_s, UTC).astimezone(SHANGHAI)


def stamp17(epoch_s: float) -> str:
    """Return yyyyMMddHHmmssSSS, as `refmsg_time` and `respond_time` have it."""
    moment = shanghai(epoch_s)
    return f"{moment:%Y%m%d%H%M%S}{moment.microsecond // 1000:03d}"


def day_of(epoch_s: float) -> str:
    """Return the business date yyyy-MM-dd."""
    return _day_name(int(epoch_s + 28_800) // 86_400)


@lru_cache(maxsize=64)
def _day_name(days: int) -> str:
    """The name of the n-th day since 1970-01-01 in Shanghai, which has no summer time: asked for every request."""
    return (date(1970, 1, 1) + timedelta(days=days)).isoformat()


class Moments:
    """Texts already proved to be dates of one form; bounded. `text in known or prove(text)` is the quick test."""

    def __init__(self, kind: str, form: str) -> None:
        self.known: set[str] = set()
        self._kind, self._form = kind, form

    def prove(self, text: str) -> bool:
        if not fits(self._kind, self._form, text):
            return False
        if len(self.known) >= _MOMENTS_MAX:
            self.known.clear()
        self.known.add(text)
        return True


_MOMENTS: dict[tuple[str, str], Moments] = {}


def moments(kind: str, form: str) -> Moments:
    """Return the memory of one form; all plans share it."""
    return _MOMENTS.setdefault((kind, form), Moments(kind, form))


def day_start_ms(day: date, days_before: int = 0) -> int:
    """Return when a day began in Shanghai (or one so many days before), in milliseconds since the epoch."""
    return int(datetime.combine(day - timedelta(days=days_before), time(), SHANGHAI).timestamp() * 1000)


def shifted(day: str, days: int) -> str:
    """Return the date (yyyy-MM-dd) so many days after another."""
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()
