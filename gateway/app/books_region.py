"""Where the books room's parts find each other: its file, its scripts, the region's way of clearing."""

import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import schemas
from adapters.store import books_writing
from gateway.app.books_shelf import SCRIPTS
from gateway.app.config import Config
from gateway.books.freezing import CITY
from gateway.books.month import Profile, profile
from gateway.books.workdays import Calendar, CalendarError, build
from gateway.core.oswords import words_of

ROLES = ("care", "insured")


@contextmanager
def writing(config: Config) -> Iterator[Any]:
    """Open the room's file as its only writer. Raises OtherBooks, OSError, sqlite3.Error."""
    with books_writing.writing(config.room("books"), SCRIPTS) as connection:
        yield connection


@contextmanager
def reading(config: Config) -> Iterator[Any]:
    """Open the room's file for one look; None when there is none yet. Raises OtherBooks, sqlite3.Error."""
    with books_writing.reading(config.room("books"), len(SCRIPTS)) as connection:
        yield connection


@cache
def _plain() -> dict[str, Any]:
    return tomllib.loads((schemas.ROOT / "books" / "clearing.toml").read_text("utf-8"))


def profile_of(config: Config, scope: str) -> Profile:
    """Return how the region of an institution's link clears; the city goes by its first link. Raises ProfileError."""
    link = next((one.link for one in config.institution if one.fixmedins_code == scope), "")
    found = config.platform.get(link) or next(iter(config.platform.values()))
    return profile(_plain(), found.region)


def calendar_of(config: Config) -> Calendar:
    """Return the working days: those delivered, with the years of the configured file. Raises CalendarError."""
    texts = [(schemas.ROOT / "calendar" / "cn.toml").read_text("utf-8")]
    if config.books.calendar_file:
        path = config.path(config.books.calendar_file)
        try:
            texts.append(path.read_text("utf-8"))
        except OSError as cause:
            raise CalendarError(f"工作日历无法读取：{path}（{words_of(cause)}）") from cause
    try:
        return build(tomllib.loads(text) for text in texts)
    except tomllib.TOMLDecodeError as cause:
        raise CalendarError(f"工作日历不是合法的TOML：{cause}") from cause


def scopes_of(config: Config) -> list[str]:
    """Return every scope a day may have: the institutions and the city."""
    return [*(one.fixmedins_code for one in config.institution), CITY]
