"""Amounts that must add up (annex X38; envelope.md §3): lines, totals, identities."""

from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from messages import HERE, complaints, lines, message, settled, work

from gateway.core.catalogue import Identity
from gateway.core.checks import examine
from gateway.core.jsontext import Raw
from gateway.core.sums import identities_hold, identities_off, identity_gates, total_nodes


@pytest.mark.parametrize(
    ("price", "count", "amount", "fine"),
    [
        ("10.86", 10, "108.60", True),
        ("10.86", 10, "108.61", True),
        ("10.86", 10, "108.59", True),
        ("10.86", 10, "108.62", False),
        ("0.333333", "3", "1.00", True),
        ("0.000001", "0.0001", "0.01", True),
        ("0.000001", "0.0001", "0.02", False),
        ("20.00", "-1", "-20.00", True),
        ("20.00", "-1", "20.00", False),
        ("9999999999.999999", "999999999999.9999", "99999999999999.99", False),
    ],
)
def test_price_times_count_is_the_amount(price: str, count: Any, amount: str, fine: bool) -> None:
    found = complaints(lines({}, {"pric": price, "cnt": count, "det_item_fee_sumamt": Raw(amount.encode())}))
    expected = ("input.feedetail[1].det_item_fee_sumamt", "sum", "单价×数量与明细项目费用总额相差超过0.01元")
    assert found == ([] if fine else [expected])


def test_a_region_may_switch_the_line_sum_off() -> None:
    node = HERE.transactions["2204"].nodes[0]
    loose = attrs.evolve(HERE.transactions["2204"], nodes=(attrs.evolve(node, line_sum=False),))
    assert examine(HERE, loose, lines({"pric": 7}), work()).complaints == []


def test_the_lines_of_a_sale_make_its_total() -> None:
    for total, fine in (("10.00", True), (Raw(b"10.0"), True), (10, True), ("10.01", False), ("9.99", False)):
        tree = message("2102")
        tree["input"]["druginfo"]["medfee_sumamt"] = total
        expected = [] if fine else [("input.druginfo.medfee_sumamt", "sum", "医疗费总额不等于明细金额之和")]
        assert complaints(tree) == expected
    assert total_nodes(HERE.transactions["2207"]) is None


def test_a_total_is_not_blamed_for_a_line_that_is_no_number() -> None:
    tree = message("2102")
    tree["input"]["drugdetail"][0]["det_item_fee_sumamt"] = "x"
    assert [row[1] for row in complaints(tree)] == ["type"]
    tree = message("2102")
    tree["input"]["drugdetail"][0] = 7
    assert [row[1] for row in complaints(tree)] == ["type"]
    tree = message("2102")
    tree["input"]["druginfo"]["medfee_sumamt"] = "x"
    assert [row[1] for row in complaints(tree)] == ["type"]
    tree = message("2102")
    tree["input"]["drugdetail"] = tree["input"]["drugdetail"][0]
    assert [row[:2] for row in complaints(tree)] == [("input.drugdetail", "type")]


@pytest.mark.parametrize(
    ("values", "broken"),
    [
        ({"medfee_sumamt": 100, "fund_pay_sumamt": 60, "psn_part_amt": 40, "hosp_part_amt": 0}, []),
        ({"medfee_sumamt": 100, "fund_pay_sumamt": 60, "psn_part_amt": "39.99", "hosp_part_amt": 0}, []),
        ({"medfee_sumamt": 100, "fund_pay_sumamt": 60, "psn_part_amt": "39.98", "hosp_part_amt": 0}, ["medfee_sumamt"]),
        ({"medfee_sumamt": 100, "fund_pay_sumamt": 60, "psn_part_amt": 41}, []),  # one term is missing
        ({"psn_part_amt": 40, "acct_pay": 30, "psn_cash_pay": 9}, ["psn_part_amt"]),
        ({"medfee_sumamt": -100, "fund_pay_sumamt": -60, "psn_part_amt": -40, "hosp_part_amt": 0}, []),
    ],
)
def test_amounts_beside_each_other_add_up(values: dict[str, Any], broken: list[str]) -> None:
    found = [one for one in complaints(settled(**values)) if one[1] == "sum"]
    assert found == [(f"input.data.{name}", "sum", "金额合计关系不成立") for name in broken]


def test_every_identity_has_a_gate_among_its_terms() -> None:
    """The compiled check asks for these few names before it adds anything up."""
    assert identity_gates(HERE) == ["fund_pay_sumamt", "acct_pay"]
    assert identity_gates(attrs.evolve(HERE, identities=())) == []
    assert identity_gates(attrs.evolve(HERE, identities=(Identity("a", ()), Identity("b", ("a", "c"))))) == ["a"]


_TERMS = sorted({name for one in HERE.identities for name in (one.total, *one.parts, *one.optional)})


@given(st.dictionaries(st.sampled_from(_TERMS), st.sampled_from([-300, -101, -100, 0, 0, 1, 2, 99, 100, 200])))
def test_amounts_hold_exactly_when_no_identity_is_off(amounts: dict[str, int]) -> None:
    assert identities_hold(HERE, amounts) is not any(identities_off(HERE, amounts.get))


def test_a_fen_more_is_forgiven_and_two_are_not() -> None:
    right = dict.fromkeys(_TERMS, 0) | {"medfee_sumamt": 100, "psn_part_amt": 100, "psn_cash_pay": 100}
    assert identities_hold(HERE, right)
    assert identities_hold(HERE, right | {"medfee_sumamt": -101})
    assert not identities_hold(HERE, right | {"medfee_sumamt": 102})
    assert not identities_hold(HERE, right | {"hifdm_pay": 2})
    assert identities_hold(HERE, {name: 7 for name in _TERMS if name.endswith("sumamt")})
