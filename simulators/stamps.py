"""Date texts of the interface, computed from clock seconds; the country has one time zone."""

import datetime as dt
from functools import lru_cache

ZONE = dt.timezone(dt.timedelta(hours=8))


def moment(epoch_s: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(epoch_s, ZONE)


@lru_cache(maxsize=1024)
def _told(epoch_s: int, form: str) -> str:
    return moment(epoch_s).strftime(form)


def stamp(epoch_s: float) -> str:
    """yyyy-MM-dd HH:mm:ss"""
    return _told(int(epoch_s), "%Y-%m-%d %H:%M:%S")


def day(epoch_s: float) -> str:
    """yyyy-MM-dd"""
    return _told(int(epoch_s), "%Y-%m-%d")


def dense(epoch_s: float) -> str:
    """yyyyMMddHHmmss"""
    return _told(int(epoch_s), "%Y%m%d%H%M%S")


def dense_ms(epoch_s: float) -> str:
    """yyyyMMddHHmmssSSS"""
    return f"{dense(epoch_s)}{int(epoch_s * 1000) % 1000:03d}"


def later(text: str, seconds: int) -> str:
    """The stamp so many seconds after a stamp."""
    at = dt.datetime.fromisoformat(text).replace(tzinfo=ZONE) + dt.timedelta(seconds=seconds)
    return at.strftime("%Y-%m-%d %H:%M:%S")
