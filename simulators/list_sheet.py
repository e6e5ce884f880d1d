"""A settlement list laid out for checking: its nodes, and the settlement, visit and person the platform knows it by.

Reading only. Simulators do not know regions, so the full form of 2021 is told by what only it carries: fee items or
the patient's own identity (pitfalls §3.5).
"""

from __future__ import annotations

import datetime as dt
import itertools
import re
from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import attrs

from simulators.wording import Json

if TYPE_CHECKING:
    from simulators.ledger import Settlement, Visit
    from simulators.people import Person

NODES = ("payinfo", "opspdiseinfo", "diseinfo", "iteminfo", "oprninfo", "icuinfo", "bldinfo")
NEWBORN_DAYS_MAX = 28
_DURATION = re.compile(r"([0-9]{1,4})/([01]?[0-9]|2[0-4])/([0-5]?[0-9]|60)").fullmatch
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}( [0-9]{2}:[0-9]{2}:[0-9]{2})?").fullmatch
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?").fullmatch


@attrs.frozen
class Note:
    """One thing that is wrong. field: the item; text: what a person reads; value: what stood there."""

    field: str
    text: str
    value: str = ""


Check = Callable[["Sheet"], Iterator[Note]]


def text(record: Json, name: str) -> str:
    """A value as text; "-" stands for nothing (settlement_list.yaml, general_rules)."""
    value = record.get(name)
    found = "" if value is None else str(value).strip()
    return "" if found == "-" else found


def when(record: Json, name: str) -> dt.datetime | None:
    """The time of a field; None when it is empty or unreadable."""
    found = text(record, name)
    try:
        return dt.datetime.fromisoformat(found) if _TIME(found) else None
    except ValueError:
        return None


def day(record: Json, name: str) -> dt.date | None:
    found = when(record, name)
    return found.date() if found else None


def number(record: Json, name: str) -> Decimal | None:
    """The number of a field; None when it is empty or unreadable."""
    found = text(record, name)
    try:
        return Decimal(found) if _NUMBER(found) else None
    except InvalidOperation:  # more digits than any amount has
        return None


def minutes(duration: str) -> int | None:
    """Minutes of days/hours/minutes; None for any other form (annex L4, dura_ok)."""
    found = _DURATION(duration)
    return None if found is None else (int(found[1]) * 24 + int(found[2])) * 60 + int(found[3])


def between(first: dt.datetime | None, last: dt.datetime | None) -> int | None:
    """Minutes from first to last; None when one is missing."""
    return None if first is None or last is None else int((last - first).total_seconds() // 60)


def in_order(*moments: dt.datetime | dt.date | None) -> bool:
    """Return whether none is before the one it follows; who is missing does not count."""
    known: list[Any] = [moment for moment in moments if moment is not None]
    return all(first <= second for first, second in itertools.pairwise(known))


@attrs.frozen
class Sheet:
    """One uploaded list. body: `input` of 4101 or 4101A."""

    body: Json
    institution: str
    settlement: Settlement
    visit: Visit
    person: Person

    @property
    def head(self) -> Json:
        found: Json = self.body["setlinfo"]
        return found

    def raw(self, node: str) -> list[Any]:
        """What stands in a node, a single object counted as one."""
        found = self.body.get(node) or []
        return found if isinstance(found, list) else [found]

    def rows(self, node: str) -> list[Json]:
        return [row for row in self.raw(node) if isinstance(row, dict)]

    def codes(self, node: str, name: str) -> list[str]:
        return [text(row, name) for row in self.rows(node)]

    @property
    def full(self) -> bool:
        """Whether this is the form of 2021."""
        return bool(self.rows("iteminfo")) or bool(text(self.head, "certno"))

    @property
    def inpatient(self) -> bool:
        return self.settlement.kind == "inpatient" or text(self.head, "ipt_med_type") in ("1", "2")

    @property
    def admitted(self) -> dt.datetime | None:
        return when(self.head, "adm_time")

    @property
    def left(self) -> dt.datetime | None:
        return when(self.head, "dscg_time")

    @property
    def days(self) -> int | None:
        """Days of the stay: difference of the calendar dates, one at least (annex L4; rule T003)."""
        first, last = day(self.head, "adm_time"), day(self.head, "dscg_time")
        return None if first is None or last is None else max(1, (last - first).days)

    @property
    def infant(self) -> bool:
        """Whether the patient is a child without insurance of its own, listed under another's (4101, age_days)."""
        return bool(text(self.head, "age_days") or text(self.head, "nwb_age"))

    @property
    def gend(self) -> str:
        """The patient's sex; "" when nobody knows it."""
        return text(self.head, "gend") or ("" if self.infant else self.person.gend)

    @property
    def born(self) -> dt.date:
        """Birthday as the list tells it, or of the insured person."""
        return day(self.head, "brdy") or dt.date.fromisoformat(self.person.brdy)

    @property
    def age_days(self) -> int | None:
        """The patient's age at admission in days."""
        if self.infant:
            told = number(self.head, "age_days" if text(self.head, "age_days") else "nwb_age")
            return None if told is None else int(told)
        at = day(self.head, "adm_time")
        return None if at is None else (at - self.born).days

    @property
    def newborn(self) -> bool:
        age = self.age_days
        return age is not None and 0 <= age <= NEWBORN_DAYS_MAX

    @property
    def western(self) -> list[Json]:
        return [row for row in self.rows("diseinfo") if text(row, "diag_type") == "1"]

    @property
    def main(self) -> Json:
        """The western main diagnosis, {} when there is none."""
        return next((row for row in self.western if text(row, "maindiag_flag") == "1"), {})

    def has(self, *prefixes: str) -> bool:
        """Return whether a western diagnosis starts with one of these."""
        return any(text(row, "diag_code").startswith(prefixes) for row in self.western)
