"""How the books are run: the table [books] of a configuration (reconciliation specification §4.3)."""

import re
from collections.abc import Iterator

import msgspec

_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]", re.ASCII)
_CLOSING = re.compile(r"([01][0-9]|2[0-9]):[0-5][0-9]", re.ASCII)


class BooksConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Times of day are Shanghai's, HH:MM, of the day after the business date."""

    run_at: list[str] = msgspec.field(default_factory=list)  # e.g. ["01:30", "09:00", "12:00", "16:00"]; none = by hand
    # When a business day is over, counted from its own midnight: half an hour of grace (§4.3). Runs before only look.
    day_closes: str = "24:30"
    insured_at: str = "05:00"  # the other role's first run (§4.3: L3, L4), then at the later times of run_at
    report_at: str = (
        "07:30"  # where runs are scheduled: yesterday's report, written below the data directory; "" = none
    )
    catch_up_days: int = 31  # days nobody ran, or that are still open, are run by themselves: so far back
    escalate_days: int = 3  # T+3: what is open then is everybody's business
    look_s: float = 30.0  # how often the schedule looks at the clock and at files that came late
    patience_s: float = 600.0  # how long a run waits for a platform that cannot be reached
    reverse_wait_s: float = 60.0  # how long a run waits for a reversal before it leaves it to the next
    by_hand: list[str] = msgspec.field(default_factory=list)  # institutions: nothing undelivered is reversed by itself
    rounds: int = 3  # how often a run goes round after an action had its effect
    institutions_at_once: int = 4  # asked for at once: money wants the links
    questions_max: int = 50  # single records a run asks the agency about (5203); 0 = none
    replaced_keep_days: int = 30  # day files that a later one replaced and no run used
    calendar_file: str = ""  # working days of further years, or other ones; the form of schemas/calendar/cn.toml
    # 3205A after a lost answer; the last is sent when nothing can be on its way any more.
    doubt_ask_s: list[float] = msgspec.field(default_factory=lambda: [3.0, 30.0, 180.0])
    agency_consent_key_file: str = ""  # by which the agency consents to frozen days; "" = by operators
    split_reads_max: int = 5  # of a monthly split whose pages shift while it is read


def books_meaning(books: BooksConfig) -> Iterator[str]:
    """Yield what is wrong with `[books]`; every line is one thing wrong: `path: sentence`."""
    for index, one in enumerate(books.run_at):
        if not _TIME.fullmatch(one):
            yield f"$.books.run_at[{index}]: 应为时刻HH:MM，现在是{one}"
    if not _CLOSING.fullmatch(books.day_closes):
        yield f"$.books.day_closes: 应为自业务日零点算起的时刻HH:MM，至多29:59，现在是{books.day_closes}"
    elif books.run_at and all(map(_TIME.fullmatch, books.run_at)) and _next_day(max(books.run_at)) < books.day_closes:
        yield f"$.books.run_at: 都早于业务日结束的时刻（day_closes={books.day_closes}），只能预对：请至少有一次在其后"
    for name, time in (("insured_at", books.insured_at), ("report_at", books.report_at or "00:00")):
        if not _TIME.fullmatch(time):
            yield f"$.books.{name}: 应为时刻HH:MM，现在是{time}"
    for name, least, most in (
        ("escalate_days", 1, 31), ("catch_up_days", 1, 400),
        ("look_s", 1, 3600), ("patience_s", 1, 86_400), ("reverse_wait_s", 0, 3600),
        ("rounds", 1, 10), ("institutions_at_once", 1, 64), ("split_reads_max", 2, 10),
        ("questions_max", 0, 1000), ("replaced_keep_days", 1, 3650),
    ):  # fmt: skip
        if not least <= getattr(books, name) <= most:
            yield f"$.books.{name}: 应在{least}到{most}之间"


def _next_day(time: str) -> str:
    """Return a time of the day after, counted from the date's own midnight."""
    return f"{int(time[:2]) + 24}{time[2:]}"
