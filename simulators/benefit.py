"""How an amount is shared between funds, account and cash: the invented city's rules. Pure; fen in, fen out.

The parts of every settlement add up exactly (annex X38):
medfee = fund + person + hospital; person = account + cash; fund = its seven parts.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Literal

import attrs

from simulators.money import share, times
from simulators.national import Entry
from simulators.people import Person

Kind = Literal["outpatient", "inpatient", "pharmacy"]

_RATIO = {  # per mille of what is inside the policy, by kind of visit and insurance
    ("outpatient", "310"): 700,
    ("outpatient", "390"): 550,
    ("inpatient", "310"): 880,
    ("inpatient", "390"): 750,
    ("pharmacy", "310"): 500,
    ("pharmacy", "390"): 400,
}
_DEDUCTIBLE_YEAR_FEN = {"outpatient": 20_000, "inpatient": 80_000, "pharmacy": 0}
_PART_COVERED = 100  # per mille a person pays first for class B
_LARGE_FEN = 2_000_000


@attrs.frozen
class Partition:
    """One line or a sum of lines: amount = own + over + first + inside."""

    own_fen: int = 0
    over_fen: int = 0
    first_fen: int = 0
    inside_fen: int = 0

    @property
    def amount_fen(self) -> int:
        return self.own_fen + self.over_fen + self.first_fen + self.inside_fen


@attrs.frozen
class Split:
    """Who pays a settlement."""

    medfee_fen: int
    partition: Partition
    deductible_fen: int
    ratio: int
    hifp_fen: int
    cvlserv_fen: int
    hifes_fen: int
    maf_fen: int
    hosp_fen: int
    acct_fen: int

    @property
    def fund_fen(self) -> int:
        return self.hifp_fen + self.cvlserv_fen + self.hifes_fen + self.maf_fen

    @property
    def person_fen(self) -> int:
        return self.medfee_fen - self.fund_fen - self.hosp_fen

    @property
    def cash_fen(self) -> int:
        return self.person_fen - self.acct_fen


def partition_line(entry: Entry, price: Decimal, count: Decimal, amount_fen: int) -> Partition:
    """Share one line. A return (negative count) mirrors the sale it takes back."""
    sign, size = (-1 if amount_fen < 0 else 1), abs(amount_fen)
    if entry.level == "3":
        return Partition(own_fen=amount_fen)
    over = 0
    if entry.price_limit is not None and price > entry.price_limit:
        over = min(size, times(price - entry.price_limit, abs(count)))
    first = share(size - over, _PART_COVERED) if entry.level == "2" else 0
    return Partition(over_fen=sign * over, first_fen=sign * first, inside_fen=sign * (size - over - first))


def total(parts: Iterable[Partition]) -> Partition:
    own = over = first = inside = 0
    for part in parts:
        own += part.own_fen
        over += part.over_fen
        first += part.first_fen
        inside += part.inside_fen
    return Partition(own, over, first, inside)


def split(kind: Kind, who: Person, insutype: str, sums: Partition, *, use_account: bool) -> Split:
    """Settle sums (their total must be positive) for one person as he stands now."""
    ratio = _RATIO[kind, "390" if insutype == "390" else "310"]
    left = max(0, _DEDUCTIBLE_YEAR_FEN[kind] - who.deductible_used_fen)
    deductible = min(left, max(0, sums.inside_fen))
    base = max(0, sums.inside_fen) - deductible
    hifp = share(base, ratio)
    rest = base - hifp
    cvlserv = share(rest, 500) if who.civil_servant else 0
    rest -= cvlserv
    hifes = share(max(0, rest - _LARGE_FEN), 600)
    rest -= hifes
    maf = share(rest, 300) if who.aided else 0
    medfee = sums.amount_fen
    hosp = max(0, sums.over_fen) // 2 if kind == "inpatient" else 0
    person = medfee - hifp - cvlserv - hifes - maf - hosp
    acct = min(who.balance_fen, person) if use_account else 0
    return Split(medfee, sums, deductible, ratio, hifp, cvlserv, hifes, maf, hosp, acct)
