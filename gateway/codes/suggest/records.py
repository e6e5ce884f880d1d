"""The rows suggestions are made from and of."""

from collections.abc import Mapping
from typing import Any

import attrs

from gateway.codes.suggest.verdict import Verdict


@attrs.frozen(slots=True)
class Local:
    """One row of the institution. code: byte for byte; facts: the NamedTuple of its system; old_code: of the city."""

    code: str
    name: str
    mapped_now: str
    facts: Any
    old_code: str = ""


@attrs.frozen(slots=True)
class Entry:
    """One national row. names: the main one first; facts: the NamedTuple of its system."""

    code: str
    names: tuple[str, ...]
    begndate: str
    enddate: str
    vali_flag: str
    gray: str
    replaced_by: str
    facts: Any

    def unusable(self, day: str) -> str:
        """Return why the row must not be used on a day (yyyy-MM-dd), "" when it may be used (annex C5)."""
        if self.gray == "1":
            return "灰码，不能用于结算"
        if self.vali_flag not in ("", "1", "有效"):
            return f"已停用（{self.enddate[:10]}）" if self.enddate else "已停用"
        if self.enddate and self.enddate[:10] < day:
            return f"已过期（{self.enddate[:10]}）"
        if self.begndate and self.begndate[:10] > day:
            return f"尚未生效（{self.begndate[:10]}起）"
        return ""


@attrs.frozen(slots=True)
class Compared:
    """What comparing a local row with one national row said. alike: similarity of the names, 0..1."""

    rules: str
    verdicts: Mapping[str, Verdict]
    alike: float


@attrs.frozen(slots=True)
class Match:
    """A national row with the rule that led to it and its confidence 0..1. pointed: a city's crosswalk names it, and
    nothing speaks against it.
    """

    entry: Entry
    rule: str
    confidence: float
    compared: Compared
    pointed: bool = False


@attrs.frozen(slots=True)
class Suggestion:
    """One line of the answer. national "" = nothing to suggest; confidence 0..1, None without a suggestion."""

    local: str
    national: str = ""
    confidence: float | None = None
    rule: str = ""
    runner_up: str = ""
    runner_up_confidence: float | None = None
    note: str = ""
    others: tuple[str, ...] = ()  # further candidates, best first, for measuring
