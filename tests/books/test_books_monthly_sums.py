"""What a provincial clearing platform tells of a month, compared to the fen (annex B19): more is as wrong as less."""

import tomllib
from collections.abc import Mapping
from typing import Any

import pytest

import schemas
from gateway.books.month import profile
from gateway.books.monthly import BadMonthly, lines_of, sum_faults, visit_faults

NAMES = profile(tomllib.loads((schemas.ROOT / "books" / "clearing.toml").read_text("utf-8")), "hunan").monthly


def line(declared: str, approved: str, deducted: str = "0.00", **more: str) -> Mapping[str, Any]:
    return {
        "insutype": "310", NAMES.fund_type: "310100", NAMES.declared: declared, NAMES.approved: approved,
        NAMES.deducted: deducted, **more,
    }  # fmt: skip


def test_fund_lines_are_summed_by_fund_and_kind_of_insurance() -> None:
    rows = [line("10.00", "9.00", "1.00"), line("5.00", "5.00"), line("7.00", "1.00", insutype="390")]
    found = lines_of(rows, "310", NAMES)
    assert (found.declared, found.audit.approved, found.audit.deducted) == (
        {"hifp_pay": 1_500}, {"hifp_pay": 1_400}, {"hifp_pay": 100},
    )  # fmt: skip


@pytest.mark.parametrize(("approved", "deducted"), [("9.99", "0.00"), ("10.01", "0.00"), ("10.00", "0.01")])
def test_a_fund_that_is_not_approved_and_deducted_as_declared_is_not_taken(approved: str, deducted: str) -> None:
    with pytest.raises(BadMonthly, match="hifp_pay：申报1000分"):
        lines_of([line("10.00", approved, deducted)], "310", NAMES)


@pytest.mark.parametrize("theirs", ["9.99", "10.01"])
def test_lists_that_contradict_each_other_are_not_taken(theirs: str) -> None:
    sums = [{"sumamt": "10.00", "fund_pay_sumamt": "10.00"}]
    details = [{"sumamt": theirs, NAMES.visit: "V1"}]
    assert len(sum_faults(sums, details, [line(theirs, theirs)], NAMES)) == 2
    assert sum_faults(sums, [{"sumamt": "10.00"}], [line("10.00", "10.00")], NAMES) == []
    assert len(visit_faults(details, {"V1": 1_000}, NAMES)) == 1
    assert len(visit_faults([], {"V1": 1_000}, NAMES)) == len(visit_faults(details, {}, NAMES)) == 1
