"""The people of a city in full: the simulated hospital, pharmacy and platform a vendor would start by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from simulators import stamps
from simulators.agreement import COMPONENTS, Amounts, amounts_of
from simulators.day import day_of
from simulators.his import Institution, Script
from simulators.hospital import Hospital
from simulators.pharmacy import Pharmacy
from simulators.platform import Platform

if TYPE_CHECKING:
    from simulators.city import City

HOSPITAL, PHARMACY = "H51080200001", "P51080200101"
Booked = tuple[str, str, Amounts]
"""(msgid, setl_id, every amount) of one booking; a refund's are negative."""


class FullPeople:
    """Who lives in a city, and what each side's books say."""

    def __init__(self, city: City) -> None:
        self._city = city
        self.platform = Platform(city.clock, city.dice_of(1), persons=200)
        self.institutions: list[Institution] = [
            Hospital(city.clock.seconds, city.dice_of(2), HOSPITAL, "示例医院"),
            Pharmacy(city.clock.seconds, city.dice_of(3), PHARMACY, "示例药店"),
        ]

    def close_day(self) -> None:
        """The platform closes today: nothing of it is taken back any more."""
        self.platform.books.closed_days.add(stamps.day(self._city.clock.now_s))

    def day(self) -> Iterator[tuple[float, Institution, Script]]:
        for index, institution in enumerate(self.institutions):
            scripts = day_of(institution, self._city.money // 3, self._city.apart * index)
            for number, script in enumerate(scripts):
                yield number * 7.0, institution, script

    def evening(self) -> Iterator[tuple[Institution, Script]]:
        for institution in self.institutions:
            yield institution, institution.evening()

    def booked(self) -> Iterator[Booked]:
        """Yield what the platform booked and did not take back."""
        for row in self.platform.books.settlements.values():
            if not row.reversed:
                columns = row.row()
                yield row.msgid, row.setl_id, tuple(columns[one.column] for one in COMPONENTS)

    def bookings(self, msgid: str) -> int:
        """Return how many rows of the platform's carry a msgid."""
        return len(self.platform.books.by_msgid.get(msgid, ()))

    def believed(self) -> Iterator[Booked]:
        """Yield what the institutions believe."""
        for one in self.institutions:
            for row in one.ledger:
                yield row.msgid, row.setl_id, amounts_of(row.amounts)

    def unknown(self) -> set[str]:
        return {msgid for one in self.institutions for msgid in one.unknown}

    def asked(self) -> set[str]:
        """What the institutions reversed themselves: nothing."""
        return set()

    def businesses(self) -> Iterator[tuple[str, str]]:
        """Yield (business, msgid) of every settlement in force: none may stand there twice (I4)."""
        for row in self.platform.books.settlements.values():
            if row.live and row.kind == "pharmacy":
                yield f"sale {row.institution} {row.psn_no} {row.invono}", row.msgid
            elif row.live and row.kind == "outpatient":
                yield f"visit {row.mdtrt_id} {row.batch}", row.msgid
            elif row.live and not row.middle:
                yield f"stay {row.mdtrt_id}", row.msgid
