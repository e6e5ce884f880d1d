"""Ledgers side by side: how often and how much, to the fen; nothing overwrites anything."""

import csv
import io
from random import Random  # noqa: TID251 - seeded dice of a test
from typing import Any

import pytest
from counter import Counter
from rich.console import Console

from simulators import accounts, agreement
from simulators.agreement import COMPONENTS, Ledger
from simulators.demo import NAMES, three_ledgers
from simulators.faults import Fault
from simulators.money import NotMoney
from simulators.people import person
from simulators.pharmacy import Pharmacy

SHOP = "P51080200101"
ONE, OTHER = (1000, 600, 300, 100, 400, 0, 600, 0, 0, 0), (1000, 600, 299, 101, 400, 0, 600, 0, 0, 0)


def books(*bookings: list[agreement.Amounts], msgid: str = "M1") -> dict[str, Ledger]:
    """A ledger a party, each with its bookings of the same message."""
    return {party: {(SHOP, msgid): rows} if rows else {} for party, rows in zip("甲乙丙", bookings, strict=False)}


def told(found: dict[str, Ledger], *still_open: agreement.Key) -> list[str]:
    return [str(one) for one in agreement.differences(found, still_open)]


def test_books_that_agree_have_no_differences() -> None:
    assert told(books([ONE], [ONE], [ONE])) == []


@pytest.mark.parametrize(
    ("bookings", "what"),
    [
        (([ONE], [ONE], [ONE, ONE]), "甲记账1次，乙记账1次，丙记账2次"),
        (([ONE, ONE], [ONE, ONE], [ONE, ONE]), "甲记账2次，乙记账2次，丙记账2次"),
        (([ONE], [], [ONE]), "甲记账1次，乙记账0次，丙记账1次"),
        (([ONE], [ONE], [OTHER]), "个人账户 甲3.00 乙3.00 丙2.99；个人现金 甲1.00 乙1.00 丙1.01"),
    ],
)
def test_a_difference_says_who_has_booked_what(bookings: tuple[list[agreement.Amounts], ...], what: str) -> None:
    assert told(books(*bookings)) == [f"{SHOP} M1：{what}"]


@pytest.mark.parametrize("number", range(len(COMPONENTS)))
def test_every_component_counts_to_the_fen(number: int) -> None:
    other = tuple(amount + (place == number) for place, amount in enumerate(ONE))
    (line,) = told(books([ONE], [other]))
    assert COMPONENTS[number].title in line


def test_what_is_still_open_may_be_booked_once_but_not_twice() -> None:
    assert told(books([ONE], []), (SHOP, "M1")) == []
    assert told(books([ONE, ONE], []), (SHOP, "M1")) == [f"{SHOP} M1：甲记账2次"]
    assert told(books([ONE], []), (SHOP, "M2")) != []


def test_the_same_msgid_of_two_institutions_is_two_bookings() -> None:
    two: dict[str, Ledger] = {"甲": {("A", "M1"): [ONE]}, "乙": {("B", "M1"): [ONE]}}
    assert len(told(two)) == 2


@pytest.fixture
def sold() -> tuple[Counter, Pharmacy]:
    """A pharmacy that has sold twice and taken one back."""
    counter = Counter()
    shop = Pharmacy(counter.clock.seconds, Random(5), SHOP, "示例药店")
    assert counter.play(shop.purchase(person(3))) == ""
    assert counter.play(shop.purchase(person(4), refund=True)) == ""
    return counter, shop


def test_the_parties_ledgers_are_read_alike(sold: tuple[Counter, Pharmacy]) -> None:
    counter, shop = sold
    platform, own = agreement.of_platform(counter.platform.ledger()), agreement.of_institutions([shop])
    text = io.StringIO()
    accounts._write(shop.code, shop.ledger, text)
    text.seek(0)
    assert own == platform == agreement.of_csv(csv.DictReader(text))
    assert len(own) == 3 and any(amounts[0] < 0 for (amounts,) in own.values())
    settled: list[Any] = [{"fixmedins_code": SHOP, "msgid": row.msgid, "settled": row.amounts} for row in shop.ledger]
    question = {"fixmedins_code": SHOP, "msgid": "M9", "settled": {}}
    assert agreement.of_gateway([*settled, question]) == own


def test_a_platform_that_books_twice_is_seen(sold: tuple[Counter, Pharmacy]) -> None:
    counter, shop = sold
    counter.platform.faults = lambda infno, _: Fault(twice=True) if infno == "2102" else None
    assert counter.play(shop.purchase(person(5))) == ""
    ledgers = {"平台": agreement.of_platform(counter.platform.ledger()), "机构": agreement.of_institutions([shop])}
    assert told(ledgers) == [f"{SHOP} {shop.ledger[-1].msgid}：平台记账2次，机构记账1次"]
    drawn = Console(record=True, width=160, file=io.StringIO())
    drawn.print(three_ledgers({"机构": ledgers["机构"], "平台": ledgers["平台"]}, list(agreement.differences(ledgers))))
    (line,) = [line for line in drawn.export_text().splitlines() if NAMES[SHOP] in line]
    assert "4/5" in line and "不一致" in line


def test_what_was_reversed_never_was(sold: tuple[Counter, Pharmacy]) -> None:
    counter, _ = sold
    first = next(row for row in counter.platform.books.settlements.values() if not row.refunded)
    first.reversed = True
    found = agreement.of_platform(counter.platform.ledger())
    assert (SHOP, first.msgid) not in found and len(found) == 2


def test_a_ledger_file_with_parts_of_a_fen_is_refused() -> None:
    row = {"fixmedins_code": SHOP, "msgid": "M1"} | {one.name: "1.005" for one in COMPONENTS}
    with pytest.raises(NotMoney):
        agreement.of_csv([row])
