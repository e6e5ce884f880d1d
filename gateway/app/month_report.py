"""A month of the books as a page, a workbook and an object: the same numbers each time."""

from datetime import date
from typing import Any

from adapters.files.workbook import Amount, Cell, Sheet
from gateway.app.books_report import COMPONENT_TITLES
from gateway.app.books_upload_look import Uploaded
from gateway.app.day_report import template
from gateway.app.day_words import DAY_STATES, ROLES, when
from gateway.app.month_work import MonthGathered
from gateway.books.month_report import Application, DeductionLine, Money, MonthDay, MonthReport

PAGE_APPLICATIONS, PAGE_DEDUCTIONS = 200, 200  # on the page; the workbook has all
STATES = {
    "DRAFT": "草稿", "CHECKED": "已核对", "APPROVED": "已审批", "SUBMITTING": "申报中", "SUBMITTED": "已申报",
    "ACCEPTED": "已受理", "RETURNED": "被退回", "AUDITED": "已审核", "DISPUTED": "申诉中", "CONFIRMED": "已确认",
    "DISBURSED": "已拨付", "CLOSED": "已结案", "WITHDRAWING": "撤回中", "WITHDRAWN": "已撤回",
    "IN_DOUBT": "结果未知，查询中",
}  # fmt: skip
KINDS = {"DEDUCT": "扣款", "WITHHOLD": "暂扣", "PENALTY": "违约金"}
DEDUCTION_STATES = {
    "NOTIFIED": "待机构表态", "ACCEPTED": "已接受", "APPEALED": "申诉中", "UPHELD": "维持", "REVISED": "改判",
    "REVOKED": "撤销", "APPLIED": "已执行",
}  # fmt: skip
LOOKS = {"none": "没有对账", "wait": "未对完", "diff": "有差异", "agreed": "已平", "frozen": "已固化"}
_MONEY = ("applied", "approved", "deducted", "withheld", "deposit", "paid")
_TITLES = ("申报", "核准", "扣款", "暂扣", "保证金", "拨付")


def month_page(found: MonthGathered) -> str:
    """Return the page."""
    report = found.report
    lines = report.deductions
    return template("books_month.html").render(
        report=report,
        title="对账清算月报",
        role=ROLES.get(report.role, report.role),
        whose=_whose(found),
        lost=found.lost,
        verdict=verdict(report),
        blanks=date.fromisoformat(report.days[0].date).weekday() if report.days else 0,
        applications=report.applications[:PAGE_APPLICATIONS],
        applications_rest=max(0, len(report.applications) - PAGE_APPLICATIONS),
        deductions=lines[:PAGE_DEDUCTIONS],
        deductions_rest=max(0, len(lines) - PAGE_DEDUCTIONS),
        uploads=found.uploads,
        names=found.names, states=STATES, kinds=KINDS, deduction_states=DEDUCTION_STATES, looks=LOOKS,
        day_states=DAY_STATES, money_names=_MONEY, money_titles=_TITLES, funds=COMPONENT_TITLES,
    )  # fmt: skip


def _whose(found: MonthGathered) -> str:
    scope = found.report.scope
    if not scope:
        return "全市"
    name = found.names.get(scope, "")
    return f"{name}（{scope}）" if name else scope


def verdict(report: MonthReport) -> str:
    """Say in a word where the month stands."""
    if report.unfrozen:
        return f"{report.unfrozen}日未固化"
    if not report.applications:
        return "已全部固化，未申报"
    if all(one.state in ("DISBURSED", "CLOSED") for one in report.applications if not one.gone):
        return "已拨付"
    return "清算中"


def month_sheets(found: MonthGathered) -> list[Sheet]:
    """Return the sheets: overview by state, days, applications, deductions."""
    report = found.report
    title = f"{report.month} {_whose(found)}"
    states = [(STATES.get(state, state), *_sums(one)) for state, one in report.by_state.items()]
    states.append(("合计（不含退回、撤回）", *_sums(report.total)))
    made = f"：{verdict(report)}，制表{when(report.now_ms)}"
    return [
        Sheet("总览", f"{title} 清算{made}", ("状态", "申请数", *_TITLES), states),
        Sheet(
            "各日",
            f"{title} 各日",
            ("日期", "状况", "容器状态", "未了结差异", "固化数"),
            [_day(one) for one in report.days],
        ),
        Sheet("申请", f"{title} 清算申请", _APPLICATION_HEAD, [_application(one) for one in report.applications]),
        Sheet("扣款", f"{title} 审核扣款", _DEDUCTION_HEAD, [_deduction(one) for one in report.deductions]),
        *(
            [Sheet("上传", f"{title} 上传到省平台", _UPLOAD_HEAD, [_upload(one) for one in found.uploads])]
            if found.uploads
            else []
        ),
    ]


_UPLOAD_HEAD = ("修订", "状态", "行数", "医疗费总额", "基金支付", "扣款条数", "扣款金额", "不上传笔数", "回执")


def _upload(one: Uploaded) -> tuple[Cell, ...]:
    return (
        one.row.revision, one.state, one.content.rows, Amount(one.medfee), Amount(one.fund), one.content.deductions,
        Amount(one.deducted), one.content.kept_back, one.row.receipt,
    )  # fmt: skip


_APPLICATION_HEAD = (
    "申请", "范围", "清算类别", "险种", "清算经办机构", "支付地点", "修订", "状态", "结算笔数", "退费笔数", *_TITLES,
    "以前月份", "核对差额", "经办", "复核", "申报号", "申报时间", "拨付期限", "逾期",
)  # fmt: skip
_DEDUCTION_HEAD = ("申请", "扣款号", "结算ID", "基金", "类别", "状态", "金额", "计入", "理由", "申诉期限", "逾期")


def _sums(one: Money) -> tuple[Cell, ...]:
    return (one.count, *(Amount(getattr(one, name)) for name in _MONEY))


def _day(one: MonthDay) -> tuple[Cell, ...]:
    states = "，".join(f"{DAY_STATES.get(state, state)}{count}" for state, count in one.states.items())
    return one.date, LOOKS[one.look], states, one.open, one.frozen


def _application(one: Application) -> tuple[Cell, ...]:
    money = ["" if fen is None else Amount(fen) for fen in (getattr(one, name) for name in _MONEY)]
    due = "；".join(f"{days}个工作日：{day}" for days, day, _ in one.due)
    gap: Cell = "" if one.unexplained is None else Amount(one.unexplained)
    return (
        one.name, "全市" if one.scope == "*" else one.scope, one.clr_type, one.insutype, one.clr_optins,
        one.clr_pay_loc, one.revision, STATES.get(one.state, one.state), one.settlements, one.refunds, *money,
        Amount(one.earlier), gap, one.maker, one.checker, one.event_id, when(one.submitted_ms), due,
        "是" if one.overdue else "",
    )  # fmt: skip


def _deduction(one: DeductionLine) -> tuple[Cell, ...]:
    return (
        one.application, one.deduction_id, one.setl_id, COMPONENT_TITLES.get(one.fund, one.fund),
        KINDS.get(one.kind, one.kind), DEDUCTION_STATES.get(one.state, one.state), Amount(one.amount),
        Amount(one.counts), one.reason, one.until, "是" if one.late else "",
    )  # fmt: skip


def month_plain(found: MonthGathered) -> dict[str, Any]:
    """Return the same as one object; amounts in fen."""
    report = found.report
    return {
        "month": report.month,
        "role": report.role,
        "scope": report.scope,
        "verdict": verdict(report),
        "quiet": report.quiet,
        "unfrozen": report.unfrozen,
        "overdue": report.overdue,
        "open_deductions": report.open_deductions,
        "days": [
            {"date": one.date, "look": one.look, "states": dict(one.states), "open": one.open, "frozen": one.frozen}
            for one in report.days
        ],
        "by_state": {state: _money(one) for state, one in report.by_state.items()},
        "total": _money(report.total),
        "applications": [
            {
                "name": one.name, "state": one.state, "settlements": one.settlements, "refunds": one.refunds,
                **{f"{name}_fen": getattr(one, name) for name in _MONEY}, "earlier_fen": one.earlier,
                "unexplained_fen": one.unexplained, "overdue": one.overdue,
                "due": [{"workdays": days, "date": day, "overdue": late} for days, day, late in one.due],
            }
            for one in report.applications
        ],
        "deductions": [
            {"application": one.application, "id": one.deduction_id, "setl_id": one.setl_id, "fund": one.fund,
             "kind": one.kind, "state": one.state, "amount_fen": one.amount, "counts_fen": one.counts,
             "until": one.until, "late": one.late}
            for one in report.deductions
        ],
        "deadlines": not found.lost,
        "uploads": [one.plain for one in found.uploads],
    }  # fmt: skip


def _money(one: Money) -> dict[str, int]:
    return {"count": one.count, **{f"{name}_fen": getattr(one, name) for name in _MONEY}}
