"""Date texts of the interface, computed from clock seconds; the country has one time zone."""

import datetime as dt

ZONE = dt.timezone(dt.timedelta(hours=8))


def moment(epoch_s: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(epoch_s, ZONE)


def stamp(epoch_s: float) -> str:
    """yyyy-MM-dd HH:mm:ss"""
    return moment(epoch_s).strftime("%Y-%m-%d %H:%M:%S")


def day(epoch_s: float) -> str:
    """yyyy-MM-dd"""
    return moment(epoch_s).strftime("%Y-%m-%d")


def dense(epoch_s: float) -> str:
    """yyyyMMddHHmmss"""
    return moment(epoch_s).strftime("%Y%m%d%H%M%S")


def dense_ms(epoch_s: float) -> str:
    """yyyyMMddHHmmssSSS"""
    return f"{dense(epoch_s)}{int(epoch_s * 1000) % 1000:03d}"
