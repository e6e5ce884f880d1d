"""What an institution sells and orders: fee lines in its own codes, at its own prices."""

from collections.abc import Sequence
from decimal import Decimal

import attrs

from simulators import tables
from simulators.his import plain
from simulators.tables import Matched
from simulators.wording import Dice, Json

DEPARTMENTS = (
    ("0101", "内科门诊", "A03"),
    ("0102", "呼吸内科", "A03.01"),
    ("0201", "外科门诊", "A04"),
    ("0301", "急诊科", "A20"),
    ("0401", "康复科", "A21"),
)
"""Local code, local name, national code of the departments of the example hospitals."""


@attrs.frozen
class Sold:
    """One thing on a bill."""

    item: Matched
    count: Decimal

    @property
    def amount(self) -> Decimal:
        return self.item.price * self.count


def pick(dice: Dice, systems: Sequence[str], how_many: int) -> list[Sold]:
    """So many different things with a price, one to six of each."""
    chosen: dict[str, Sold] = {}
    while len(chosen) < how_many:
        item: Matched = dice.choice(tables.matched(dice.choice(systems)))
        if item.price > 0:
            chosen[item.local_code] = Sold(item, Decimal(dice.randrange(1, 7)))
    return list(chosen.values())


def national_slot(dice: Dice, local_code: str) -> Json:
    """How systems fill the national slot they have no code for: empty, with their own code, or not at all."""
    way = dice.randrange(0, 3)
    return ({"med_list_codg": ""}, {"med_list_codg": local_code}, {})[way]


def line(dice: Dice, sold: Sold, sn: str, when: str) -> Json:
    """The fields every fee line has (2204, 2301, 2101, 2102)."""
    return {
        "feedetl_sn": sn,
        "fee_ocur_time": when,
        **national_slot(dice, sold.item.local_code),
        "medins_list_codg": sold.item.local_code,
        "det_item_fee_sumamt": plain(sold.amount),
        "cnt": sold.count,
        "pric": plain(sold.item.price),
    }


def total(bill: Sequence[Sold]) -> Decimal:
    return sum((sold.amount for sold in bill), Decimal(0))
