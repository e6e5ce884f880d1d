"""What the demo loses on purpose, and how it counts what became of it (simulators.faults, simulators.demo_doubts)."""

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from simulators.demo_doubts import doubts_of, end_of, example_of, table_of
from simulators.faults import EveryNth


def row(msgid: str, state: str, *reasons: str, infno: str = "2207", code: str = "H1") -> dict[str, Any]:
    before = [{"number": 1, "state": "SENT", "reason": "sent"}]
    if reasons:
        before.append({"number": 2, "state": "IN_DOUBT", "reason": reasons[0]})
    events = [{"number": 3 + n, "state": state, "reason": reason} for n, reason in enumerate(reasons[1:])]
    return {"msgid": msgid, "infno": infno, "fixmedins_code": code, "state": state, "events": before + events}


ROWS = [
    row("m1", "ACKED"),
    row("m2", "REVERSED", "silent", "reversed"),
    row("m3", "REVERSED", "silent", "x", "x", "reversed_absent"),
    row("m4", "CONFIRMED", "http_502", "found", infno="2208"),
    row("m5", "MANUAL", "silent", "time_is_up", code="P1"),
    row("m6", "ACKED", "silent", "answered", code="P1"),
    row("m7", "REVERSING", "silent", "reversal_queued", code="P1"),
    row("r1", "DONE", "silent", infno="2601"),
]


def test_every_nth_settlement_is_answered_badly_and_nothing_else() -> None:
    weather = EveryNth(3)
    assert [weather("2207", "") is not None for _ in range(9)] == [False, False, True] * 3
    assert weather("1101", "") is None
    ways = [weather("2102", "") for _ in range(18)][2::3]
    assert len({str(way) for way in ways}) == 6
    assert [way.processed for way in ways if way is not None].count(False) == 1
    assert [weather("2601", "") is not None for _ in range(4)] == [True, False, False, True]


def test_every_institution_is_counted_for_itself() -> None:
    weather = EveryNth(2)
    first, second = "H51080200001202611220001", "P51080200101202611220001"
    lost = [weather("2102", msgid) is not None for msgid in (first, second, first, second)]
    assert lost == [False, False, True, True]


@pytest.mark.parametrize("infno", ["2103", "2208", "2305"])
def test_a_cancellation_is_never_lost_itself_or_a_person_would_have_to_end_the_show(infno: str) -> None:
    weather = EveryNth(1)
    ways = [weather(infno, "") for _ in range(6)]
    assert len({str(way) for way in ways}) == 5
    assert all(way is not None and way.processed for way in ways)


@pytest.mark.parametrize(
    ("msgid", "end"),
    [
        ("m2", "冲正收回"), ("m3", "冲正时查无此笔"), ("m4", "查询确认成功"), ("m5", "转人工"), ("m6", "迟到的答复"),
        ("m7", "未了结"),
    ],
)  # fmt: skip
def test_a_doubt_is_counted_by_its_end(msgid: str, end: str) -> None:
    assert end_of(next(one for one in ROWS if one["msgid"] == msgid)) == end


def test_the_table_counts_doubts_by_institution_and_leaves_out_the_reversals_themselves() -> None:
    doubts = doubts_of(ROWS)
    assert [one["msgid"] for one in doubts] == ["m2", "m3", "m4", "m5", "m6", "m7"]
    paper = StringIO()
    Console(file=paper, width=160).print(table_of(doubts, {"H1": "一院", "P1": "药店"}))
    lines = [line.replace("│", " ").split() for line in paper.getvalue().splitlines()]
    assert ["一院", "3", "1", "1", "1", "0", "0", "0", "0"] in lines
    assert ["合计", "6", "1", "1", "1", "0", "1", "1", "1"] in lines


def test_the_example_is_one_that_was_taken_back() -> None:
    assert example_of(doubts_of(ROWS)) == "m2"
    assert example_of([]) == ""
