"""Status comes before dates, refunds before reversals, and no finding is lost with its leg (annex B2, B9, B10, B15)."""

from pathlib import Path

import pytest
from desk import DAY, Desk, brief, refunded, settled, three

BEFORE, AFTER, LONG_AGO = "2026-03-14", "2026-03-16", "2026-03-12"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.parametrize("day", [AFTER, "2026-03-17", "2026-04-14"])
def test_what_was_refunded_later_is_never_reversed_again(desk: Desk, day: str) -> None:
    later = refunded(1, setl_time=f"{day} 09:00:00")
    lines = desk.run(three([], [settled(1, delivered="0"), later], [settled(1), later]), code=3)
    assert [line[2:] for line in brief(lines)] == [("L1-INST-MISSING", "", "TWO", "CASE")]
    alone = desk.run({"INST": [], "GW": [], "AGY": [], "PROV": [settled(1, clr_pay_loc="3"), later]}, code=3)
    assert [line[2:] for line in brief(alone)] == [("L2-PROV-MORE", "", "TWO", "CASE")]


def test_a_refund_of_another_day_is_that_days_business(desk: Desk) -> None:
    later = refunded(1, setl_time=f"{AFTER} 09:00:00")
    assert desk.run(three([settled(1)], [settled(1)], [settled(1), later]), code=0) == []


def test_without_a_later_refund_the_same_key_is_reversed(desk: Desk) -> None:
    lines = desk.run(three([], [settled(1, delivered="0")], [settled(1)]), code=3)
    assert [line[2:] for line in brief(lines)] == [("L1-INST-MISSING", "", "AUTO", "REVERSE")]


@pytest.mark.parametrize("day", [BEFORE, LONG_AGO])
def test_a_reversal_in_vain_is_no_trace_whatever_the_agencys_date(desk: Desk, day: str) -> None:
    held = settled(1, setl_time=f"{day} 10:00:00")
    lines = desk.run(three([], [settled(1, status="REVERSED")], [held]), code=3)
    assert [line[2:4] for line in brief(lines)] == [("STATUS", "S3")]
    assert (brief(lines)[0][4:] == ("AUTO", "REVERSE")) is (day == BEFORE)  # T5 never reverses


def test_a_refund_and_a_settlement_of_other_days_contradict_each_other(desk: Desk) -> None:
    ours, old = settled(1, status="REFUNDED"), settled(1, setl_time=f"{LONG_AGO} 10:00:00")
    lines = desk.run(three([old], [ours], [ours]), code=3)
    assert [line[2:4] for line in brief(lines)] == [("STATUS", "S1")]
    refunded_there = settled(1, status="REFUNDED", setl_time=f"{LONG_AGO} 10:00:00")
    lines = desk.run(three([settled(1)], [settled(1)], [refunded_there]), code=3)
    assert [line[2:5] for line in brief(lines)] == [("STATUS", "S2", "TWO")]


@pytest.mark.parametrize("status", ["REJECTED", "REVERSED"])
def test_what_never_stood_has_nothing_to_cancel(desk: Desk, status: str) -> None:
    lines = desk.run(three([], [settled(1, status=status), refunded(1)], [settled(1)]), code=3)
    assert brief(lines) == [("S1", "L1", "REVERSAL_UNMATCHED", "R1", "TWO", "CASE")]


def test_reversed_and_refunded_there_is_still_reversed_there(desk: Desk) -> None:
    lines = desk.run(three([settled(1)], [settled(1)], [settled(1, status="REVERSED"), refunded(1)]), code=3)
    assert [line[2:5] for line in brief(lines)] == [("STATUS", "S4", "TWO")]


@pytest.mark.parametrize(("ledger", "others", "leg"), [("PROV", ("INST", "GW"), "L2"), ("INS", ("INST", "AGY"), "L4")])
def test_two_serials_are_told_also_where_the_leg_is_off(
    desk: Desk, ledger: str, others: tuple[str, ...], leg: str
) -> None:
    twice = [settled(1, prov_sn="a", clr_pay_loc="3"), settled(1, prov_sn="b", clr_pay_loc="3")]
    once = [settled(1, clr_pay_loc="3")]
    lines = desk.run({others[0]: once, others[1]: once, ledger: twice}, code=3)
    assert [line[1:5] for line in brief(lines)] == [(leg, "DOUBLE_POST", "D6", "AUTO")]


def test_a_column_with_a_blank_in_its_name_is_another_column(desk: Desk) -> None:
    content = f"setl_id, msgid,setl_time\nS1,M1,{DAY} 10:00:00\n"
    assert desk.run({"INST": content, "GW": []}, code=1) == []
    assert desk.result is not None and "INST.csv" in desk.result.stderr
