"""The duty as data, and what an agency's own assessment of it comes to (office's capability rules, items 39-41).

Points are int hundredths. The rules measure an agency over all its institutions; for one institution the same sum says
what that institution alone would cost.
"""

from collections.abc import Iterable, Mapping
from fractions import Fraction

import attrs
import msgspec

from gateway.codes.coverage import NOTHING, Figures
from gateway.core.money import scaled


class Target(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rate to reach; percent: text with at most two decimals."""

    percent: str
    title: str
    source: str
    verified: bool

    @property
    def share(self) -> Fraction:
        return Fraction(_hundredths(self.percent), 10_000)


class Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One item of the assessment: points in full, and off each time."""

    id: str
    no: str
    text: str
    full: str
    each: str


class Keeper(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who carries, maintains and reviews a library. title: its short name; used_by: hospital, pharmacy."""

    title: str
    used_by: tuple[str, ...]
    maintained_by: str
    reviewed_by: str


class Duty(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file. targets: by name of the rate; systems: by SYSTEM id."""

    report_day: int
    targets: dict[str, Target]
    items: tuple[Item, ...]
    systems: dict[str, Keeper]

    @property
    def shares(self) -> dict[str, Fraction]:
        return {name: target.share for name, target in self.targets.items()}

    def owed_by(self, kind: str) -> tuple[str, ...]:
        """Return the libraries an institution of this kind carries codes of."""
        return tuple(system for system, keeper in self.systems.items() if kind in keeper.used_by)


@attrs.frozen
class Score:
    """One item of the assessment with what was found; points in hundredths, never below 0."""

    item: Item
    found: int
    points: int
    full: int


def read_duty(content: bytes) -> Duty:
    """Decode the file. Raises msgspec.ValidationError."""
    return msgspec.toml.decode(content, type=Duty)


def kind_of(institution: str) -> str:
    """Return the kind of an institution by its national code: P... is a pharmacy, all others treat patients."""
    return "pharmacy" if institution.startswith("P") else "hospital"


def assess(duty: Duty, totals: Mapping[str, Figures], owed: Iterable[str], known: Iterable[str]) -> list[Score]:
    """Return the assessment. totals: figures by library; owed: libraries the institutions carry; known: those with a
    national library imported or a code in force.
    """
    introduced = set(known)
    every = sum(totals.values(), NOTHING)
    rates = {name: share for name, share in duty.shares.items() if name != "right"}
    found = {
        "below": sum(bool(figures.below(rates)) for system, figures in totals.items() if system in duty.systems),
        "absent": sum(system not in introduced for system in set(owed)),
        "faults": every.wrong + every.late,
    }
    return [_score(item, found[item.id]) for item in duty.items]


def _score(item: Item, found: int) -> Score:
    full = _hundredths(item.full)
    return Score(item, found, max(0, full - found * _hundredths(item.each)), full)


def _hundredths(text: str) -> int:
    value = scaled(text, 2)
    if value is None:
        raise ValueError(f"no number with at most two decimals: {text}")
    return value
