"""The figures of settlement lists: pure, as metrics, and as the report's page and workbook."""

import json
from typing import Any

import pytest
from listed import changed
from lists_place import GOOD, HOME, NOW_S, Place
from python_calamine import CalamineWorkbook

from adapters.store import lists as store
from adapters.store.lists_compared import Counted, keep_compared, keep_counted
from gateway.app.config import read_config
from gateway.app.lists_desk import SCRIPTS
from gateway.app.lists_round import ListsRound
from gateway.core.dates import day_of
from gateway.lists.figures import STAGES, Figures, Known, Listed, added_up, known_of

TODAY = "2026-10-26"
AT_MS = 1_792_000_000_000  # 2026-10-15 in Shanghai


def listed(**changes: Any) -> Listed:
    facts: dict[str, Any] = {
        "setl_id": "S1", "discharged": "2026-10-15", "dept": "A03", "errors": 0, "state": "", "judged": 0,
        "returned": "", "newer": 0, "back": 0, "first_ms": 0,
    }  # fmt: skip
    return Listed(**(facts | changes))


def one(row: Listed, settled: str = "2026-10-15", today: str = TODAY, days: int = 10) -> Known:
    (found,) = known_of(HOME, {row.setl_id: settled} if settled else {}, [row], today, days)
    return found


@pytest.mark.parametrize(
    ("changes", "stage"),
    [
        ({}, "ready"),
        ({"errors": 2}, "faulty"),
        ({"state": "sending"}, "unknown"),
        ({"state": "unknown"}, "unknown"),
        ({"state": "not_sent"}, "ready"),
        ({"state": "refused", "errors": 1}, "refused"),
        ({"state": "returned"}, "returned"),
        ({"state": "submitted"}, "waiting"),
        ({"state": "submitted", "judged": 1, "returned": "1"}, "waiting"),  # sent again since
        ({"state": "submitted", "judged": 1, "newer": 1, "returned": "0"}, "accepted"),
        ({"state": "uploaded", "judged": 1, "newer": 1, "returned": "1"}, "returned"),
    ],
)
def test_where_a_list_stands(changes: dict[str, Any], stage: str) -> None:
    assert one(listed(**changes)).stage == stage


@pytest.mark.parametrize(
    ("row", "today", "late"),
    [
        (listed(), "2026-10-25", False),
        (listed(), "2026-10-26", True),
        (listed(state="submitted", first_ms=AT_MS), "2026-12-01", False),
        (listed(state="submitted", first_ms=AT_MS + 12 * 86_400_000), "2026-12-01", True),  # it came, and too late
        (listed(discharged="2026-10-10"), "2026-10-21", True),  # the discharge counts, not the settlement
        (listed(discharged=""), "2026-10-25", False),
    ],
)
def test_when_a_list_is_late(row: Listed, today: str, late: bool) -> None:
    assert day_of(AT_MS / 1000) == "2026-10-15"
    assert one(row, today=today).late is late


def test_a_settlement_without_a_list_is_missing_and_one_nobody_settled_is_not_due() -> None:
    rows = known_of(HOME, {"S2": "2026-10-01"}, [listed(setl_id="")], TODAY, 10)
    assert [(row.stage, row.month, row.due, row.late) for row in rows] == [
        ("ready", "2026-10", False, False), ("missing", "2026-10", True, True),
    ]  # fmt: skip


def test_the_first_pass_rate_counts_what_never_came_back() -> None:
    rows = [
        one(listed(state="submitted", judged=1, newer=1, returned="0")),
        one(listed(state="submitted", judged=1, newer=1, returned="0", back=1)),  # accepted at the second upload
        one(listed(state="refused", back=1)),
        one(listed(state="submitted")),
    ]
    found = added_up(rows, "institution")[HOME,]
    assert (found.lists, found.judged, found.first) == (4, 3, 1)
    assert found.of("accepted") == 2
    assert found + Figures() == found


def test_figures_are_added_up_by_what_is_wanted() -> None:
    rows = [one(listed()), one(listed(dept="A04")), one(listed(), settled="2026-09-30")]
    assert {key: figures.lists for key, figures in added_up(rows, "month", "dept").items()} == {
        ("2026-09", "A03"): 1, ("2026-10", "A03"): 1, ("2026-10", "A04"): 1,
    }  # fmt: skip


def test_the_report_shows_the_same_numbers_as_page_and_workbook(place: Place) -> None:
    place.settle(1_000_000, GOOD["setlinfo"]["setl_id"], json.dumps({"setl_time": "2026-10-15 10:00:00"}))
    place.settle(5_000, "S2", json.dumps({"setl_time": "2026-11-12 10:00:00"}), mdtrt_id="M2")
    place.take(GOOD)
    with store.writing(place.store, SCRIPTS) as writer, writer.transaction():
        keep_counted(writer.connection, Counted(HOME, "2026-10", AT_MS, 3, 1, 0, 0))
        visit = writer.visit(HOME, GOOD["setlinfo"]["mdtrt_id"])
        assert visit is not None
        keep_compared(writer.connection, visit, AT_MS, "d", "differs", [("setlinfo.medcasno", "平台没有这一项")])
    page, book = place.folder / "r.html", place.folder / "r.xlsx"
    result = place.run("report", "CONFIG", "--out", page, "--out", book, "--json")
    figures = json.loads(result.stdout)["figures"]
    assert result.exit_code == 3, result.output
    assert [(row["month"], row["due"], row["late"], row["ready"], row["missing"]) for row in figures] == [
        ("2026-10", 1, 1, 1, 0), ("2026-11", 1, 0, 0, 1),
    ]  # fmt: skip
    text = page.read_text("utf-8")
    assert "<script" not in text and "<svg" in text and "http:" not in text and "https:" not in text
    for shown in ("逾期1份", "与平台的数量不一致", "setlinfo.medcasno", "2026-11"):
        assert shown in text
    sheets = CalamineWorkbook.from_path(book)
    months = sheets.get_sheet_by_name("机构月份").to_python()
    assert [row[1:4] for row in months[2:]] == [["2026-10", 1, 1], ["2026-11", 1, 0]]
    assert sheets.get_sheet_by_name("平台数量").to_python()[2][2:7] == [3, 1, 0, 0, "不一致"]
    assert sheets.get_sheet_by_name("读回差异").to_python()[2][4] == "setlinfo.medcasno"
    only = json.loads(place.run("report", "CONFIG", HOME, "--month", "2026-11", "--json").stdout)["figures"]
    assert [row["month"] for row in only] == ["2026-11"]
    assert GOOD["setlinfo"]["psn_name"] not in text


@pytest.mark.parametrize(
    "words", [("NOBODY",), ("--month", "2026-13"), ("--out", "r.pdf")],
)  # fmt: skip
def test_wrong_usage_of_the_report(place: Place, words: tuple[str, ...]) -> None:
    assert place.run("report", "CONFIG", *words).exit_code == 2


def test_a_report_without_anything_says_so(place: Place) -> None:
    page = place.folder / "r.html"
    result = place.run("report", "CONFIG", "--out", page)
    assert (result.exit_code, "没有应传的结算" in result.stdout, page.exists()) == (0, True, True)


class Now:
    def seconds(self) -> float:
        return NOW_S


def measured(place: Place) -> ListsRound:
    failures: list[Exception] = []
    config = read_config(place.folder / "gateway.toml")

    def at_once(call: Any, done: Any, failed: Any) -> None:
        try:
            found = call()
        except Exception as cause:  # what a thread would bring back
            failed(cause)
        else:
            done(found)

    one = ListsRound(Now(), config, at_once, failures.append)
    one.look()
    assert not failures, failures
    return one


def test_the_nodes_figures_are_bounded_by_institution_and_stage(place: Place) -> None:
    assert measured(place).found.lists == {}
    place.settle(1_000_000, GOOD["setlinfo"]["setl_id"], json.dumps({"setl_time": "2026-10-15 10:00:00"}))
    place.settle(1, "S0", json.dumps({"setl_time": "2026-05-15 10:00:00"}), mdtrt_id="M0")  # of long ago
    place.take(changed(GOOD, {"setlinfo.bill_no": ""}))
    with store.writing(place.store, SCRIPTS) as writer, writer.transaction():
        keep_counted(writer.connection, Counted(HOME, "2026-10", AT_MS, 3, 1, 0, 2))
        keep_counted(writer.connection, Counted(HOME, "2026-04", AT_MS, 9, 1, 0, 2))
    gauges = {name: read() for name, read in measured(place).gauges().items()}
    assert gauges["liangding_settlement_lists"] == {(HOME, stage): float(stage == "faulty") for stage in STAGES}
    assert gauges["liangding_settlement_lists_late"] == {(HOME,): 1.0}
    assert gauges["liangding_settlement_lists_first_pass_ratio"] == {}
    assert gauges["liangding_settlement_lists_count_difference"] == {(HOME, "due"): 2.0, (HOME, "there"): 2.0}
