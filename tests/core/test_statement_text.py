"""The daily statement's files: tables 200 and 201 of the official text (reconciliation specification §3.2)."""

from datetime import date
from typing import Any

import pytest

from gateway.core.jsontext import encode
from gateway.core.model import Entry
from gateway.core.statement import Differing, in_order, lines_of, read_result, upload_text

T0_MS = 1_772_409_600_000  # 2026-03-02 08:00 in Shanghai


def settled(setl_id: str, fen: int, **changes: Any) -> Entry:
    told = {
        "setl_time": "2026-03-01 23:59:59", "clr_type": "11", "clr_optins": "430100", "medfee_sumamt": fen,
        "fund_pay_sumamt": fen // 2, "acct_pay": 0, "psn_cash_pay": fen - fen // 2,
    } | changes.pop("told", {})  # fmt: skip
    facts: dict[str, Any] = {
        "id": 1, "fixmedins_code": "H", "msgid": "m", "infno": "2207", "klass": "M", "link": "l", "state": "ACKED",
        "digest": b"", "created_ms": T0_MS, "psn_no": "P", "mdtrt_id": "V", "setl_id": setl_id,
        "settled": encode(told).decode(),
    }  # fmt: skip
    return Entry(**(facts | changes))


def test_a_refunded_settlement_is_two_rows_and_a_reversed_one_none() -> None:
    lines = lines_of(
        [
            settled("S3", -12860, business_key="undo|H|S3", infno="2208"),
            settled("S3", 12860, cancelled=True),
            settled("S2", 500, cancelled=True),  # by 2601: the platform has no row of it either
            settled("S1", 100, psn_no="", mdtrt_id=""),
        ],
        set(),
    )
    assert upload_text(in_order(lines)) == (
        "S1\tnull\tnull\t1.00\t0.50\t0.00\t0\nS3\tV\tP\t128.60\t64.30\t0.00\t0\nS3\tV\tP\t-128.60\t-64.30\t0.00\t1\n"
    )
    assert {line.group for line in lines} == {("430100", "11")}


def test_a_refund_is_known_on_the_pages_after_its_own() -> None:
    refunded: set[str] = set()
    newest = lines_of([settled("S4", -100, business_key="undo|H|S3", infno="2208")], refunded)
    older = lines_of([settled("S3", 100, cancelled=True), settled("S2", 1, cancelled=True)], refunded)
    assert [(line.setl_id, line.refund) for line in in_order(newest + older)] == [("S3", False), ("S4", True)]


def test_many_lines_are_put_in_order_slice_by_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.core.statement._SLICE", 2)
    lines = lines_of([settled(f"S{number}", 1) for number in (5, 3, 4, 1, 2)], set())
    assert [line.setl_id for line in in_order(lines)] == ["S1", "S2", "S3", "S4", "S5"]


def test_the_platforms_day_decides_and_without_one_ours() -> None:
    (line,) = lines_of([settled("S1", 1)], set())
    assert line.day == date(2026, 3, 1)
    (line,) = lines_of([settled("S1", 1, told={"setl_time": "soon"})], set())
    assert line.day == date(2026, 3, 2)


@pytest.mark.parametrize(
    "entry",
    [
        settled("", 1),
        settled("S1", 1, settled=""),
        settled("S1", 1, told={"clr_type": ""}),
        settled("S1", 1, told={"clr_optins": None}),
        settled("S1", 1, told={"medfee_sumamt": None}),
    ],
)
def test_what_has_no_number_amount_or_group_is_no_row(entry: Entry) -> None:
    assert lines_of([entry], set()) == []


def test_a_result_names_by_msgid_what_only_the_agency_has() -> None:
    text = "P1\tnull\tnull\tH202603020800000042\t101\t0\tnull\t10.00\t5.00\t5.00\r\n"
    text += "P2\tV\tS9\tM9\t103\t1\tnull\t-10.00\tnull\t5.00\tnull\n"
    first, second = read_result(text) or []
    assert first == Differing(
        psn_no="P1", mdtrt_id="", setl_id="", msgid="H202603020800000042", refund=False, medfee_fen=1000,
        fund_fen=500, acct_fen=500,
    )  # fmt: skip
    assert (second.setl_id, second.refund, second.medfee_fen, second.fund_fen) == ("S9", True, -1000, None)


def test_the_older_result_has_no_amounts() -> None:
    (row,) = read_result("P1\tnull\tnull\tM1\t101\t0\tnull\n") or []
    assert (row.msgid, row.medfee_fen, row.fund_fen, row.acct_fen) == ("M1", None, None, None)


def test_an_empty_result_is_agreement() -> None:
    assert read_result("") == read_result("\n\r\n") == []


@pytest.mark.parametrize(
    "line",
    ["a\tb", "P\tnull\tnull\tM\t1\t0\tnull\t1.00\t1.00", "P\tnull\tnull\tM\t1\t0\tnull\t1,000.00\t1.00\t1.00"],
)
def test_one_row_that_does_not_fit_spoils_the_file(line: str) -> None:
    good = "P1\tnull\tnull\tM1\t101\t0\tnull\n"
    assert read_result(good + line + "\n") is None


def test_a_result_without_end_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.core.statement.FILE_ROWS_MAX", 2)
    good = "P1\tnull\tnull\tM1\t101\t0\tnull\n"
    assert len(read_result(good * 2) or []) == 2
    assert read_result(good * 3) is None
