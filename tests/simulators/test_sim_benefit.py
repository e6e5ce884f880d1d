"""Who pays what: worked out by hand, and the sums for any amounts."""

from decimal import Decimal

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.benefit import Kind, Partition, partition_line, split, total
from simulators.money import NotMoney, fen, yuan
from simulators.national import Entry
from simulators.people import person


def entry(level: str, limit: str | None = None) -> Entry:
    return Entry("X", "x", "2021-01-01", "", level=level, price_limit=Decimal(limit) if limit else None)


@pytest.mark.parametrize(
    ("level", "limit", "expected"),
    [
        ("1", None, Partition(0, 0, 0, 3000)),
        ("2", None, Partition(0, 0, 300, 2700)),
        ("3", None, Partition(3000, 0, 0, 0)),
        ("1", "8", Partition(0, 600, 0, 2400)),
        ("2", "8", Partition(0, 600, 240, 2160)),
        ("1", "10", Partition(0, 0, 0, 3000)),
    ],
)
def test_a_line_of_three_at_ten_yuan(level: str, limit: str | None, expected: Partition) -> None:
    assert partition_line(entry(level, limit), Decimal(10), Decimal(3), 3000) == expected


def test_a_return_mirrors_its_sale() -> None:
    sale = partition_line(entry("2", "8"), Decimal(10), Decimal(3), 3000)
    back = partition_line(entry("2", "8"), Decimal(10), Decimal(-3), -3000)
    assert total([sale, back]) == Partition()


def test_a_civil_servant_who_is_also_aided_pays_least() -> None:
    """A million yuan of a stay: 88 % after 800.00; half of the rest; 60 % above 20,000.00; 30 % of what is left."""
    who = attrs.evolve(person(0), civil_servant=True, aided=True, balance_fen=0)
    part = split("inpatient", who, "310", Partition(inside_fen=100_000_000), use_account=True)
    assert part.deductible_fen == 80_000
    assert (part.hifp_fen, part.cvlserv_fen) == (87_929_600, 5_995_200)
    assert (part.hifes_fen, part.maf_fen) == (2_397_120, 1_079_424)
    assert part.cash_fen == 100_000_000 - 87_929_600 - 5_995_200 - 2_397_120 - 1_079_424


def test_a_hospital_bears_half_of_what_is_over_the_limit_of_a_stay() -> None:
    part = split("inpatient", person(1), "310", Partition(over_fen=1001, inside_fen=10_000), use_account=False)
    assert (part.hosp_fen, part.acct_fen) == (500, 0)
    assert part.person_fen == 11_001 - part.fund_fen - 500


@given(
    kind=st.sampled_from(["outpatient", "inpatient", "pharmacy"]),
    number=st.integers(0, 500),
    parts=st.tuples(*[st.integers(0, 10**9)] * 4),
    use_account=st.booleans(),
    used=st.integers(0, 10**5),
)
def test_nobody_pays_a_negative_amount_and_everything_is_paid(
    kind: Kind, number: int, parts: tuple[int, int, int, int], use_account: bool, used: int
) -> None:
    who = attrs.evolve(person(number), deductible_used_fen=used)
    part = split(kind, who, who.insutype, Partition(*parts), use_account=use_account)
    paid = (part.hifp_fen, part.cvlserv_fen, part.hifes_fen, part.maf_fen, part.hosp_fen, part.acct_fen, part.cash_fen)
    assert min(paid) >= 0
    assert sum(paid) == sum(parts)
    assert part.acct_fen <= who.balance_fen


@given(st.integers(-(10**14), 10**14))
def test_yuan_and_fen_are_the_same_money(amount: int) -> None:
    assert fen(yuan(amount)) == fen(str(yuan(amount))) == amount


@pytest.mark.parametrize("bad", ["0.001", "x", "", "NaN", "Infinity", None, True, 1.5, [1]])
def test_what_is_not_money_is_refused(bad: object) -> None:
    with pytest.raises(NotMoney):
        fen(bad)


def test_persons_are_distinct_and_carry_a_right_check_digit() -> None:
    people = [person(number) for number in range(3000)]
    assert len({who.certno for who in people}) == len({who.psn_no for who in people}) == 3000
    for who in people:
        weights = [pow(2, 17 - place, 11) for place in range(17)]
        total_mod = sum(int(digit) * weight for digit, weight in zip(who.certno, weights, strict=False)) % 11
        assert who.certno[17] == "10X98765432"[total_mod] and who.certno.startswith("999")
    assert {who.insutype for who in people} == {"310", "390"}
