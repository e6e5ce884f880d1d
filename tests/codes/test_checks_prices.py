"""Prices of items on one national code: MA08 a pack for a piece, MA10 cheap billed as dear; silent without facts."""

import pytest
from test_checks_products import ground, item, one, rules

from gateway.codes.checks.audit import check

BOX = {"unit": "盒", "price": "24"}
PIECE = {"unit": "粒", "price": "1"}


def test_prices_for_the_smallest_unit_fit_together() -> None:
    assert rules(item(2, "A", **BOX), item(3, "B", **PIECE), item(4, "C", unit="粒", price="2.5")) == []


def test_a_packs_price_for_a_piece_is_told_by_the_ratio() -> None:
    found = [item(2, "A", **BOX), item(3, "B", **PIECE), item(4, "C", unit="粒", price="24")]
    assert rules(*found) == [(4, "MA08", "warn")]  # the two that agree are not told
    (finding,) = check(found, ground())
    assert "按最小单位折算24元，A为1元，正好差转换比24倍" in finding.message
    assert rules(found[0], found[2]) == [(2, "MA08", "warn"), (4, "MA08", "warn")]  # of two nobody knows which


def test_cheap_billed_as_dear_is_told_from_three_times_on() -> None:
    assert rules(item(2, "A", **PIECE), item(3, "B", unit="粒", price="2.99")) == []
    found = rules(item(2, "A", **PIECE), item(3, "B", **PIECE), item(4, "C", unit="粒", price="3.2"))
    assert found == [(4, "MA10", "warn")]
    service = ground("service_item", one("S1", "挂号费", prcunt="次"))
    rows = (item(2, "A", "S1", unit="元/次", price="5"), item(3, "B", "S1", unit="次", price="500"))
    assert rules(*rows, on=service) == [(2, "MA10", "warn"), (3, "MA10", "warn")]


@pytest.mark.parametrize(
    "facts", [{"price": "99"}, {"unit": "粒", "price": "面议"}, {"unit": "粒", "price": "0"}, {"unit": "粒"}]
)
def test_without_a_price_and_a_unit_of_the_record_nothing_is_said(facts: dict[str, str]) -> None:
    assert rules(item(2, "A", **PIECE), item(3, "B", **facts)) == []


def test_prices_of_one_item_or_of_different_days_are_not_compared() -> None:
    dear = {"unit": "粒", "price": "99"}
    assert rules(item(2, "A", **PIECE), item(3, "B", "X2", **dear)) == []
    early, late = item(2, "A", **PIECE), item(3, "B", **dear)
    spans = (
        type(early)(2, "A", "X1", "", "2026-12-01", "", early.facts),
        type(late)(3, "B", "X1", "2026-12-02", "", "", late.facts),
    )
    assert rules(*spans) == []
