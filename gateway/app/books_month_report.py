"""The institution's month on paper: services, what they cost and who pays, what was paid and deducted, and for whom.

One file, no scripts, nothing from outside, no person. The workbook has the same numbers.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import attrs
import jinja2

from adapters.files.workbook import Amount, Cell, Sheet
from adapters.store.books_month import DeductionRow, MonthReader, Sum
from adapters.store.lists import reading as lists_reading
from gateway.app.books_month_desk import Standing, standing
from gateway.app.books_report import COMPONENT_TITLES
from gateway.app.books_upload_look import Uploaded, uploads_of
from gateway.app.config import Config
from gateway.app.drawing import Share, columns, shares
from gateway.app.lists_desk import SCRIPTS
from gateway.books.deductions import REVOKED
from gateway.books.freezing import CITY, FUND_PARTS
from gateway.books.month import days_of, funds_of, missing_days, named
from gateway.core.money import yuan

HELD_MAX = 10_000
SHOWN = 60
CLR_TYPES = {"11": "门诊", "21": "住院", "41": "药店", "99": "其他"}
PAY_LOCS = {"2": "本地", "3": "省内异地", "4": "跨省异地"}
STATES = {
    "DRAFT": "草稿", "CHECKED": "已核对", "APPROVED": "已审批", "SUBMITTING": "申报中", "SUBMITTED": "已申报",
    "ACCEPTED": "已受理", "RETURNED": "已退回", "AUDITED": "已审核", "DISPUTED": "申诉中", "CONFIRMED": "已确认",
    "DISBURSED": "已拨付", "CLOSED": "已结案", "WITHDRAWING": "撤回中", "WITHDRAWN": "已撤回", "IN_DOUBT": "结果未知",
}  # fmt: skip
KINDS = {"DEDUCT": "扣款", "WITHHOLD": "暂扣", "PENALTY": "处罚"}
HELD_WORDS = {"CARRIED": "结转", "WITHHELD": "暂不计"}
# What a bill consists of, by who pays: fund by its parts, account, cash, the hospital itself.
STRUCTURE = (*FUND_PARTS, "fund_pay_sumamt", "acct_pay", "psn_cash_pay", "hosp_part_amt")


@attrs.frozen(kw_only=True)
class Report:
    """Everything the page and the workbook show; amounts in fen."""

    name: str
    scope: str
    month: str
    missing: tuple[str, ...]
    groups: tuple[Sum, ...]
    days: tuple[tuple[str, int, int, int, int], ...]
    held: tuple[tuple[Any, ...], ...]
    standings: tuple[Standing, ...]
    deductions: tuple[tuple[str, DeductionRow, int], ...]  # name of the application, the row, what counts
    uploads: tuple[Uploaded, ...] = ()  # of the city's month to the province

    @property
    def totals(self) -> dict[str, int]:
        """Component -> fen of all groups, and settlements and refunds."""
        found = {"settlements": 0, "refunds": 0}
        for one in self.groups:
            found["settlements"] += one.settlements
            found["refunds"] += one.refunds
            for component, fen in named(one.sums).items():
                found[component] = found.get(component, 0) + fen
        return found

    @property
    def structure(self) -> list[tuple[str, int]]:
        """(title, fen) of what the month's bills consist of; what is nothing is left out."""
        sums = self.totals
        parts = {**sums, **{name: 0 for name in (*FUND_PARTS, "fund_pay_sumamt", "acct_pay")}, **funds_of(sums)}
        titles = {**COMPONENT_TITLES, "fund_pay_sumamt": "未分项基金"}
        return [(titles[name], parts[name]) for name in STRUCTURE if parts.get(name)]

    def figure(self, name: str) -> int:
        """Return the sum over the applications: applied, approved, deducted, withheld, deposit, paid."""
        live = [one for one in self.standings if one.row.state not in ("WITHDRAWN", "RETURNED")]
        return sum((one.row.paid or 0) if name == "paid" else int(getattr(one, name)) for one in live)

    def by_place(self) -> list[tuple[str, str, int, int]]:
        """(department, doctor, deductions, fen) where they are known, most first: what goes back to departments."""
        found: dict[tuple[str, str], list[int]] = {}
        for _, row, fen in self.deductions:
            one = found.setdefault((row.dept, row.doctor), [0, 0])
            one[0] += row.state != REVOKED and row.ended != REVOKED
            one[1] += fen
        return sorted(((*place, *sums) for place, sums in found.items()), key=lambda one: (-one[3], one))  # type: ignore[misc]


Counted = tuple[str, DeductionRow, int]


def _placed(config: Config, rows: Sequence[Counted]) -> list[Counted]:
    """Return the deductions with the departments and doctors of the settlement lists where the agency named none."""
    unnamed = [row.setl_id for _, row, _ in rows if not (row.dept or row.doctor)]
    with lists_reading(config.room("lists"), len(SCRIPTS)) as look:
        places = look.places(unnamed) if look is not None else {}

    def placed(row: DeductionRow) -> DeductionRow:
        dept, doctor = places.get(row.setl_id, ("", ""))
        return row if row.dept or row.doctor else attrs.evolve(row, dept=dept, doctor=doctor)

    return [(name, placed(row), fen) for name, row, fen in rows]


def collect(config: Config, look: MonthReader, role: str, scope: str, month: str, today: str) -> Report:
    """Gather a month. Raises CalendarError, OtherLists."""
    where = (role, scope, month)
    days = tuple(look.by_day(*where))
    standings = tuple(standing(config, look, row, today) for row in look.of_month(*where))
    deductions = []
    for one in standings:
        counted = {each.deduction_id: each.counts for each in one.deductions}
        deductions += [(one.row.name, row, counted[row.deduction_id]) for row in look.deductions(one.row.id)]
    deductions = _placed(config, deductions)
    name = next((one.name for one in config.institution if one.fixmedins_code == scope), "全市")
    return Report(
        name=name, scope=scope, month=month, missing=tuple(missing_days(month, (day[0] for day in days))),
        groups=tuple(look.rows(*where)), days=days, held=tuple(look.held(*where, HELD_MAX)), standings=standings,
        deductions=tuple(deductions), uploads=tuple(uploads_of(look.connection, role, month)) if scope == CITY else (),
    )  # fmt: skip


def group_title(group: Sequence[str]) -> str:
    clr_type, insutype, optins, pay_loc = group
    words = (CLR_TYPES.get(clr_type, clr_type or "类别不详"), insutype, optins, PAY_LOCS.get(pay_loc, pay_loc))
    return " · ".join(word for word in words if word)


def page(report: Report) -> str:
    """Return the report as HTML; prints on A4."""
    totals = report.totals
    whole = totals.get("medfee_sumamt", 0)
    parts = [
        Share(title, fen, f"{yuan(fen)}元{_percent(fen, whole)}") for title, fen in report.structure
    ]  # fmt: skip
    every = {day[0]: day[1] for day in report.days}
    dates = days_of(report.month)
    return _template().render(
        report=report,
        totals=totals,
        figures=[(title, report.figure(name)) for title, name in FIGURES],
        structure=shares("费用构成", parts) if parts else "",
        services=columns("每日结算笔数", [day[8:] for day in dates], [every.get(day, 0) for day in dates]),
        groups=[(group_title(one.group), one, named(one.sums)) for one in report.groups],
        places=report.by_place(),
        shown=report.deductions[:SHOWN],
        held=report.held[:SHOWN],
        kinds=KINDS,
        states=STATES,
        held_words=HELD_WORDS,
    )


FIGURES = (
    ("申报", "applied"), ("核准", "approved"), ("扣款", "deducted"), ("暂扣", "withheld"), ("保证金", "deposit"),
    ("到账", "paid"),
)  # fmt: skip


def _percent(fen: int, whole: int) -> str:
    if whole <= 0:
        return ""
    tenths = (fen * 2000 + whole) // (2 * whole)
    return f"（{tenths // 10}.{tenths % 10}%）"


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    environment.globals |= {"yuan": yuan}
    return environment.get_template("month.html")


def sheets(report: Report) -> list[Sheet]:
    """Return the workbook's sheets, with the numbers of the page, and all rows of what it cuts short."""
    title = f"{report.name} {report.month}"
    names = [name for name in COMPONENT_TITLES if report.totals.get(name)]
    totals = report.totals
    overview: list[tuple[Cell, ...]] = [("结算笔数", totals["settlements"]), ("退费笔数", totals["refunds"])]
    overview += [(COMPONENT_TITLES[name], Amount(totals[name])) for name in names]
    overview += [(figure, Amount(report.figure(name))) for figure, name in FIGURES]
    groups: list[tuple[Cell, ...]] = [
        (
            group_title(one.group),
            one.settlements,
            one.refunds,
            *(Amount(named(one.sums).get(name, 0)) for name in names),
        )
        for one in report.groups
    ]
    days = [(day, count, back, Amount(medfee), Amount(fund)) for day, count, back, medfee, fund in report.days]
    applications = [
        (one.row.name, STATES[one.row.state], one.row.event_id, Amount(one.applied), Amount(one.approved),
         Amount(one.deducted), Amount(one.withheld), Amount(one.deposit), Amount(one.row.paid or 0))
        for one in report.standings
    ]  # fmt: skip
    cut = [
        (name, row.deduction_id, row.setl_id, COMPONENT_TITLES.get(row.fund, row.fund), KINDS[row.kind],
         Amount(row.amount), Amount(fen), row.dept, row.doctor, row.reason_code, row.text, row.state)
        for name, row, fen in report.deductions
    ]  # fmt: skip
    held = [
        (one[0], one[1] or one[2], HELD_WORDS.get(str(one[3]), str(one[3])), group_title(one[4:8]), Amount(one[8] or 0))
        for one in report.held
    ]  # fmt: skip
    places = [(*one[:3], Amount(one[3])) for one in report.by_place()]
    sent = [
        (one.row.revision, one.state, one.content.rows, Amount(one.medfee), Amount(one.fund), one.content.deductions,
         Amount(one.deducted), one.content.kept_back, one.row.receipt)
        for one in report.uploads
    ]  # fmt: skip
    heads = (
        ("概况", ("项目", "数值"), overview),
        ("分类", ("类别", "结算", "退费", *(COMPONENT_TITLES[name] for name in names)), groups),
        ("逐日", ("日期", "结算", "退费", "医疗费总额", "基金支付"), days),
        ("申请", ("申请", "状态", "申报号", *(figure for figure, _ in FIGURES)), applications),
        ("扣款", _CUT, cut),
        ("科室", ("科室", "医师", "条数", "金额"), places),
        ("不计入", ("日期", "结算ID", "原因", "类别", "医疗费总额"), held),
        *((("上传", _SENT, sent),) if report.scope == CITY else ()),
    )  # fmt: skip
    return [Sheet(name, title, head, rows) for name, head, rows in heads]


_SENT = ("修订", "状态", "行数", "医疗费总额", "基金支付", "扣款条数", "扣款金额", "不上传笔数", "回执")
_CUT = (
    "申请", "扣款编号", "结算ID", "基金", "类别", "通知金额", "计入金额", "科室", "医师", "原因", "说明", "状态",
)  # fmt: skip


def plain(report: Report) -> Mapping[str, Any]:
    """Return the figures as `--json` shows them, fen."""
    return {
        "scope": report.scope, "month": report.month, "missing": list(report.missing), "totals": report.totals,
        **{name: report.figure(name) for _, name in FIGURES}, "structure": report.structure,
        "departments": [list(one) for one in report.by_place()], "held": len(report.held),
        "uploads": [one.plain for one in report.uploads],
    }  # fmt: skip
