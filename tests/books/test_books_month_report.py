"""`liangding books report --month`: days as a strip, applications by state, deadlines; all outputs tell the same."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from desk import HOSPITAL
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook
from report_desk import NOW_S, OTHER, Page, ReportDesk

from gateway.books.month import Content, days_of
from gateway.books.month_report import GONE, Application, month_report
from gateway.core.dates import day_start_ms

MONTH = "2026-02"
HOSTILE = "<script>alert('x')</script>"
SUBMITTED_MS = day_start_ms(date(2026, 2, 2)) + 36_000_000


class MonthDesk(ReportDesk):
    """A store with a month's days, freezes, applications and deductions, put there by SQL."""

    def dates(self, states: dict[str, str], scope: str = HOSPITAL, usual: str = "FROZEN") -> None:
        """States of the month's days. usual: of those not named; '' leaves them out."""
        for day in days_of(MONTH):
            if state := states.get(day[8:], usual):
                self.base.execute("INSERT INTO recon_day VALUES ('care', ?, ?, ?, 1, 1, '')", (scope, day, state))
        self.base.commit()

    def application(
        self, state: str, applied: int, clr_type: str = "11", audit: dict[str, int] | None = None,
        paid: int | None = None, scope: str = HOSPITAL, submitted_ms: int = SUBMITTED_MS, revision: int = 1,
    ) -> int:  # fmt: skip
        """One application. audit: approved and deposit, fen of hifp_pay."""
        group = (clr_type, "310", "510800", "2")
        content = Content(
            role="care", scope=scope, month=MONTH, group=group, revision=revision, clr_way="1", settlements=7,
            refunds=1, sums={"fund_pay_sumamt": applied, "hifp_pay": applied},
        )  # fmt: skip
        told = "" if audit is None else json.dumps({name: {"hifp_pay": fen} for name, fen in audit.items()})
        number = self.base.execute(
            "INSERT INTO clearing (role, scope, month, clr_type, insutype, clr_optins, clr_pay_loc, revision,"
            " idempotency, content, state, maker, checker, event_id, submitted_ms, audit, paid, changed_ms)"
            " VALUES ('care', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'qian', 'sun', 'EVT', ?, ?, ?, 1)",
            (scope, MONTH, *group, revision, f"{scope}{clr_type}{revision}", content.text(), state, submitted_ms, told,
             paid),
        ).lastrowid  # fmt: skip
        self.base.commit()
        return int(number or 0)

    def deduction(self, number: int, name: str, state: str, amount: int, kind: str = "DEDUCT", text: str = "") -> None:
        self.base.execute(
            "INSERT INTO deduction VALUES (?, ?, 'S1', '', 'hifp_pay', ?, ?, 'R01', ?, '', '', '', '', ?, NULL, '',"
            " '2026-03-10', 1)",
            (number, name, amount, kind, text, state),
        )
        self.base.commit()

    def month(self, *words: str, code: int = 3) -> dict[str, Any]:
        result = self.run("--month", MONTH, "--json", *words)
        assert result.exit_code == code, (result.stdout, result.stderr)
        found: dict[str, Any] = json.loads(result.stdout)
        return found


@pytest.fixture
def desk(tmp_path: Path) -> MonthDesk:
    return MonthDesk(tmp_path)


def busy(desk: MonthDesk) -> None:
    desk.dates({"03": "L1_DIFF", "04": "WAIT_INPUT", "05": "AGREED", "06": ""})
    audited = desk.application("AUDITED", 100_000, audit={"approved": 90_000, "deposit": 1_000})
    desk.deduction(audited, "K1", "NOTIFIED", 6_000, text="超限用药")
    desk.deduction(audited, "K2", "APPEALED", 3_000, kind="WITHHOLD")
    desk.application("DISBURSED", 50_000, "21", {"approved": 50_000, "deposit": 0}, paid=50_000)
    desk.application("RETURNED", 50_000, "41")
    desk.application("SUBMITTED", 20_000, "41", revision=2)


def test_page_workbook_and_object_tell_the_same_numbers(desk: MonthDesk) -> None:
    busy(desk)
    plain = desk.month("--out", str(desk.out))
    page = Page((desk.out / "month.html").read_text("utf-8"))
    book = CalamineWorkbook.from_path(str(desk.out / "month.xlsx"))
    states = book.get_sheet_by_name("总览").to_python(skip_empty_area=False)[2:]
    wanted = [
        [one["count"], *(one[f"{name}_fen"] / 100 for name in
                         ("applied", "approved", "deducted", "withheld", "deposit", "paid"))]
        for one in [*plain["by_state"].values(), plain["total"]]
    ]  # fmt: skip
    assert [row[1:] for row in states] == wanted
    shown = next(table for table in page.tables if table[0][0] == "状态")[1:]
    assert [[float(cell.replace(",", "")) for cell in row[1:]] for row in shown] == wanted
    assert plain["total"] == {
        "count": 3, "applied_fen": 170_000, "approved_fen": 140_000, "deducted_fen": 6_000, "withheld_fen": 3_000,
        "deposit_fen": 1_000, "paid_fen": 50_000,
    }  # fmt: skip
    assert len(book.get_sheet_by_name("申请").to_python()) == 2 + 4
    assert len(book.get_sheet_by_name("扣款").to_python()) == 2 + 2
    assert len(book.get_sheet_by_name("各日").to_python()) == 2 + 28


def test_the_strip_shows_how_each_day_stands(desk: MonthDesk) -> None:
    busy(desk)
    desk.dates({"05": "L2_DIFF"}, "*")
    plain = desk.month("--out", str(desk.out))
    looks = {one["date"][8:]: one["look"] for one in plain["days"]}
    assert [looks[day] for day in ("01", "03", "04", "05", "06")] == ["frozen", "diff", "wait", "diff", "frozen"]
    assert plain["unfrozen"] == 3
    own = desk.month("--scope", HOSPITAL)
    assert {one["date"][8:]: one["look"] for one in own["days"]}["05"] == "agreed"
    assert own["unfrozen"] == 4
    page = Page((desk.out / "month.html").read_text("utf-8"))
    cells = [attrs.get("class") for tag, attrs in page.tags if tag == "div"]
    # February 2026 begins on a Sunday: six blanks before it.
    assert cells.count("blank") == 6 and cells.count("diff") == 2 and cells.count("frozen") == 25


def test_payments_and_appeals_have_deadlines_in_working_days(desk: MonthDesk) -> None:
    busy(desk)
    plain = desk.month()
    by_state = {one["state"]: one for one in plain["applications"]}
    # 20 and 30 working days after Monday 2026-02-02 with the spring festival between (nine days off, two Saturdays on).
    assert by_state["SUBMITTED"]["due"] == [
        {"workdays": 20, "date": "2026-03-06", "overdue": True},
        {"workdays": 30, "date": "2026-03-20", "overdue": False},
    ]
    assert by_state["DISBURSED"]["due"] == [] and plain["overdue"] == 2
    lines = {one["id"]: one for one in plain["deductions"]}
    assert (lines["K1"]["until"], lines["K1"]["late"]) == ("2026-03-24", False)
    assert lines["K2"]["until"] == "" and plain["open_deductions"] == 2


def test_what_the_audit_does_not_explain_is_shown(desk: MonthDesk) -> None:
    desk.dates({})
    desk.application("AUDITED", 100_000, audit={"approved": 90_000, "deposit": 0}, submitted_ms=0)
    plain = desk.month("--out", str(desk.out))
    assert plain["applications"][0]["unexplained_fen"] == 10_000
    assert "差100.00" in (desk.out / "month.html").read_text("utf-8")


def test_a_month_that_is_paid_is_quiet(desk: MonthDesk) -> None:
    desk.dates({})
    desk.application("DISBURSED", 5_000, audit={"approved": 5_000, "deposit": 0}, paid=5_000)
    plain = desk.month(code=0)
    assert plain["quiet"] and plain["verdict"] == "已拨付"


def test_what_was_never_applied_for_is_not_quiet(desk: MonthDesk) -> None:
    desk.dates({})
    assert desk.month()["verdict"] == "已全部固化，未申报"
    desk.application("CHECKED", 5_000, submitted_ms=0)
    assert not desk.month()["quiet"]


def test_a_year_without_a_calendar_costs_the_deadlines_only(desk: MonthDesk) -> None:
    desk.dates({})
    late = day_start_ms(date(2031, 1, 2))
    desk.application("SUBMITTED", 5_000, submitted_ms=late)
    plain = desk.month("--out", str(desk.out), code=0)
    assert plain["deadlines"] is False and plain["applications"][0]["due"] == []
    assert "期限未列出：工作日历没有2031年" in (desk.out / "month.html").read_text("utf-8")


def test_hostile_texts_stay_texts(desk: MonthDesk) -> None:
    desk.dates({"01": HOSTILE})
    number = desk.application("AUDITED", 5_000)
    desk.deduction(number, "=1+1", "NOTIFIED", 100, text=HOSTILE)
    desk.month("--out", str(desk.out))
    page = Page((desk.out / "month.html").read_text("utf-8"))
    assert not {tag for tag, _ in page.tags} & {"script", "img", "iframe", "link", "object"}
    assert HOSTILE in page.text
    rows = CalamineWorkbook.from_path(str(desk.out / "month.xlsx")).get_sheet_by_name("扣款").to_python()
    assert rows[2][1] == "'=1+1"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--month", "2026-13"], 2),
        (["--month", "2026-2"], 2),
        (["--month", MONTH, "--date", "2026-02-01"], 2),
        (["--month", "2026-01"], 1),
        (["--month", MONTH, "--scope", OTHER], 1),
    ],
)
def test_wrong_words_and_unknown_months_are_refused(desk: MonthDesk, words: list[str], code: int) -> None:
    desk.dates({})
    result = desk.run(*words)
    assert result.exit_code == code and result.stderr and not result.stdout


states = st.sampled_from(("DRAFT", "SUBMITTED", "AUDITED", "CONFIRMED", "RETURNED", "WITHDRAWN", "CLOSED"))
fens = st.integers(0, 10**15)


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(states, fens, fens, fens, fens, fens, st.none() | fens), max_size=6))
def test_states_add_up_to_all_and_the_total_to_what_is_not_gone(found: list[tuple[Any, ...]]) -> None:
    names = ("state", "applied", "approved", "deducted", "withheld", "deposit", "paid")
    rest = {
        "name": "x", "scope": HOSPITAL, "clr_type": "11", "insutype": "310", "clr_optins": "", "clr_pay_loc": "",
        "revision": 1, "settlements": 1, "refunds": 0, "earlier": 0, "maker": "", "checker": "", "event_id": "",
        "submitted_ms": 0,
    }  # fmt: skip
    applications = [Application(**rest, **dict(zip(names, one, strict=True))) for one in found]
    report = month_report(("care", MONTH, "", int(NOW_S * 1000)), days_of(MONTH), [], [], {}, applications)
    for at, name in enumerate(names[1:], start=1):
        everything = sum(one[at] or 0 for one in found)
        assert sum(getattr(one, name) for one in report.by_state.values()) == everything
        assert getattr(report.total, name) == sum(one[at] or 0 for one in found if one[0] not in GONE)
    assert sum(one.count for one in report.by_state.values()) == len(found)
