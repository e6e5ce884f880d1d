"""A month's applications from frozen days (reconciliation §7.1): which days lack, what is applied for, what fits.

Sums are given; they come from aggregates over frozen rows. Money is fen.
"""

import calendar
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import attrs
import msgspec

from gateway.books.appealing import Appeals
from gateway.books.clearing import FUNDS, SAID
from gateway.books.freezing import ADJ, DAY, FUND_PARTS, HELD_SUM
from gateway.books.monthly import Monthly
from gateway.core.ledgers import COMPONENTS

Digest = Callable[[bytes], bytes]
Group = tuple[str, str, str, str]  # clr_type, insutype, clr_optins, clr_pay_loc
ID_CHARACTERS = 32
_AT = {name: at for at, name in enumerate(COMPONENTS)}


class ProfileError(Exception):
    """schemas/books/clearing.toml is wrong. Whoever changed it is at fault."""


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How one region clears; see schemas/books/clearing.toml."""

    apply: str
    withdraw: str
    city_withdraw: bool
    status: str
    split: str
    checks_block: bool
    consent: bool
    recognised: str
    pay_workdays: list[int]
    appeal_workdays: int
    audited_from: int
    clr_stas: dict[str, str]
    monthly: Monthly
    appeals: Appeals

    @property
    def manual(self) -> bool:
        return self.apply == "manual"


def profile(plain: Mapping[str, Any], region: str) -> Profile:
    """Return a region's profile: the default with its differences. Raises ProfileError."""
    own, default = plain.get("region", {}).get(region, {}), plain["default"]
    tables = {name: {**table, **own.get(name, {})} for name, table in default.items() if isinstance(table, dict)}
    merged = {**default, **own, **tables}
    try:
        found = msgspec.convert(merged, Profile)
    except msgspec.ValidationError as cause:
        raise ProfileError(f"books/clearing.toml: {region}: {cause}") from cause
    if unknown := sorted(set(found.monthly.fund_types.values()) - set(FUNDS)):
        raise ProfileError(f"books/clearing.toml: {region}: fund_types: {unknown}")
    if found.appeals.fund not in FUNDS:
        raise ProfileError(f"books/clearing.toml: {region}: appeals.fund: {found.appeals.fund}")
    if unsaid := sorted(set(found.clr_stas.values()) - {"", *(one.value for one in SAID)}):
        raise ProfileError(f"books/clearing.toml: {region}: clr_stas: {unsaid}")
    if found.recognised not in COMPONENTS:
        raise ProfileError(f"books/clearing.toml: {region}: recognised: {found.recognised}")
    return found


def days_of(month: str) -> list[str]:
    """Return every date of a month (yyyy-MM)."""
    year, number = (int(part) for part in month.split("-"))
    return [f"{month}-{day:02d}" for day in range(1, calendar.monthrange(year, number)[1] + 1)]


def missing_days(month: str, frozen: Iterable[str]) -> list[str]:
    """Return the days of the month that are not frozen: with any, nothing is built."""
    there = set(frozen)
    return [day for day in days_of(month) if day not in there]


@attrs.frozen(kw_only=True)
class Content:
    """What is applied for. sums: fen by component; counts: settlements, refunds."""

    role: str
    scope: str
    month: str
    group: Group
    revision: int
    clr_way: str
    settlements: int
    refunds: int
    sums: Mapping[str, int]

    @property
    def persontime(self) -> int:
        """人次: a refund takes its settlement back."""
        return self.settlements - self.refunds

    @property
    def funds(self) -> dict[str, int]:
        return funds_of(self.sums)

    def key(self, digest: Digest) -> str:
        """Return the idempotency key: scope, month, group, revision (§7.1)."""
        text = "|".join((self.role, self.scope, self.month, *self.group, str(self.revision)))
        return digest(text.encode()).hex()[:ID_CHARACTERS]

    def text(self) -> str:
        """Return the content as it is stored and approved: JSON, keys sorted."""
        return json.dumps(attrs.asdict(self), ensure_ascii=False, sort_keys=True)

    @classmethod
    def read(cls, text: str) -> "Content":
        plain = json.loads(text)
        first, second, third, fourth = plain.pop("group")
        return cls(group=(first, second, third, fourth), **plain)


def funds_of(sums: Mapping[str, int]) -> dict[str, int]:
    """Return fund -> fen: the fund's parts, what no part carries, and the personal account; zeros left out.

    They add up to fund_pay_sumamt + acct_pay whatever parts the ledgers carry.
    """
    parts = {name: sums.get(name, 0) for name in FUND_PARTS}
    parts["fund_pay_sumamt"] = sums.get("fund_pay_sumamt", 0) - sum(parts.values())
    parts["acct_pay"] = sums.get("acct_pay", 0)
    return {name: fen for name, fen in parts.items() if fen}


def named(sums: Sequence[int]) -> dict[str, int]:
    """Return component -> fen of sums in the order of COMPONENTS."""
    return {name: fen for name, fen in zip(COMPONENTS, sums, strict=True) if fen}


@attrs.frozen
class Counted:
    """Numbers and sums of one group; sums: in the order of COMPONENTS, fen."""

    settlements: int = 0
    refunds: int = 0
    sums: Sequence[int] = (0,) * len(COMPONENTS)

    def named(self) -> list[tuple[str, int]]:
        return [("结算笔数", self.settlements), ("退费笔数", self.refunds), *zip(COMPONENTS, self.sums, strict=True)]


def sum_faults(group: Group, rows: Counted, days: Mapping[str, Counted]) -> list[str]:
    """Return where the rows that count are not the days' own sums plus adjustments minus what is held (§7.1).

    days: DAY, ADJ, HELD -> what the freezes summed up to when they were made.
    """
    day, adjusted, held = (days.get(kind, Counted()).named() for kind in (DAY, ADJ, HELD_SUM))
    found = []
    for (name, count), *parts in zip(rows.named(), day, adjusted, held, strict=True):
        expected = parts[0][1] + parts[1][1] - parts[2][1]
        if count != expected:
            found.append(f"{'/'.join(group)}的{name}：明细{count}，各日固化加调整减结转为{expected}")
    return found
