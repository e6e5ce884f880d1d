"""What a run compares: its ledgers, which are complete, the role, the legs that are on (annex B4, B7)."""

from collections.abc import Mapping
from datetime import date, timedelta

import attrs

from gateway.core.ledgers import AGY, GW, INS, INST, PROV

CARE, INSURED = "care", "insured"
MEMBERS: Mapping[str, tuple[int, ...]] = {"L1": (INST, GW, AGY), "L2": (AGY, PROV), "L4": (PROV, INS)}


class NothingToCompare(Exception):
    """The ledgers given have no leg in common. The caller is at fault."""


@attrs.frozen(kw_only=True)
class Scope:
    """One run. given: ledgers; incomplete: those whose missing rows say nothing; later: those with a row dated the day
    after or later (T3); date: yyyy-MM-dd.

    A run for a city says both for each institution (docs/decisions/0011): incomplete_at: (ledger, fixmedins_code) whose
    missing rows say nothing; later_at: those whose next day is there, None = `later` speaks for all.
    """

    date: str
    given: frozenset[int]
    incomplete: frozenset[int] = frozenset()
    role: str = CARE
    later: frozenset[int] = frozenset()
    incomplete_at: frozenset[tuple[int, str]] = frozenset()
    later_at: frozenset[tuple[int, str]] | None = None

    def of(self, fixmedins_code: str) -> "Scope":
        """Return the scope as it is for the records of one institution."""
        if not self.incomplete_at and self.later_at is None:
            return self
        missing = frozenset(ledger for ledger, code in self.incomplete_at if code == fixmedins_code)
        later = self.later
        if self.later_at is not None:
            later = frozenset(ledger for ledger, code in self.later_at if code == fixmedins_code)
        return attrs.evolve(
            self, incomplete=self.incomplete | missing, later=later, incomplete_at=frozenset(), later_at=None
        )

    def day(self, days: int) -> str:
        """Return the date so many days after the run's."""
        return (date.fromisoformat(self.date) + timedelta(days=days)).isoformat()

    def legs(self, remote: bool) -> tuple[str, ...]:
        """Return the legs of a key, in the order they are closed (B4, B7)."""
        l4 = {PROV, INS} <= self.given
        if self.role == INSURED:
            return ("L4",) if l4 else ()
        first = ("L1",) if self.given & {INST, GW, AGY} else ()
        if not remote:
            return first
        l2 = {AGY, PROV} <= self.given
        return (*first, *(("L2",) if l2 else ()), *(("L4",) if l4 else ()))

    def members(self, leg: str) -> tuple[int, ...]:
        return tuple(ledger for ledger in MEMBERS[leg] if ledger in self.given)

    def home(self, ledgers: frozenset[int]) -> str:
        """Return the leg a finding inside these ledgers is told on (B9, B10)."""
        if self.role == INSURED or ledgers == {INS}:
            return "L4"
        return "L2" if ledgers == {PROV} else "L1"

    def check(self) -> None:
        """Raise NothingToCompare when no leg has two ledgers."""
        if not any(len(self.members(leg)) > 1 for leg in self.legs(remote=True)):
            raise NothingToCompare


def default_role(given: frozenset[int]) -> str:
    """B7: only the platform and the insured person's agency, perhaps with what the platform says of the care side."""
    return INSURED if {PROV, INS} <= given <= {PROV, INS, AGY} else CARE
