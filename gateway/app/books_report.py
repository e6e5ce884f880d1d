"""The report of a reconciliation as a page and a workbook: what differs, who does what, what the sums are.

One file each, no scripts, nothing from outside, no person: lines name settlements and institutions. Neither clock nor
path stands in them, so a re-run gives the same bytes (annex B16).
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import islice
from pathlib import Path

import attrs
import jinja2

from adapters.files.workbook import Amount, Cell, Sheet
from gateway.app.books_work import Reconciled
from gateway.books.lines import Line
from gateway.books.rules import Rules
from gateway.books.scope import INSURED
from gateway.core.ledgers import COMPONENTS, NAMES, TITLES
from gateway.core.money import yuan

PAGE_LINES, SHEET_LINES = 500, 100_000
MODES = {"AUTO": "自动", "ONE": "一人确认", "TWO": "两人复核"}
ACTIONS = {
    "REVERSE": "冲正", "FEEDBACK": "反馈", "BOOK": "补记", "VOID": "作废", "QUERY": "查询", "CASE": "立案",
    "CORRECT": "更正", "WAIT": "等待", "WAIT_LEG1": "等第1段", "WAIT_LEG2": "等第2段", "NONE": "无需处理",
}  # fmt: skip
LEGS = {"L1": "机构—经办", "L2": "经办—省平台", "L4": "省平台—参保地"}
PREVAILS = dict(zip(NAMES, TITLES, strict=True)) | {"LEG1": "第1段结果", "LEG2": "第2段结果", "REFUND": "退费", "": ""}
HEAD = (
    "账段", "结算ID", "报文ID", "定点机构", "类别", "说明", "代码", "方式", "处理", "以谁为准", "归属日", "金额项",
    "左方金额", "右方金额", "备注", "差异号",
)  # fmt: skip
COMPONENT_TITLES = {
    "medfee_sumamt": "医疗费总额", "fund_pay_sumamt": "基金支付总额", "hifp_pay": "统筹基金",
    "cvlserv_pay": "公务员补助", "hifes_pay": "大额补充", "hifmi_pay": "大病保险", "hifob_pay": "大额补助",
    "maf_pay": "医疗救助", "oth_pay": "其他", "hifdm_pay": "伤残人员", "acct_pay": "个人账户",
    "acct_mulaid_pay": "账户共济", "psn_part_amt": "个人负担", "psn_cash_pay": "个人现金", "hosp_part_amt": "医院负担",
}  # fmt: skip
_TEMPLATES = Path(__file__).parent / "templates"


@attrs.frozen
class Kind:
    """One class and row on one leg, and how many lines it has."""

    leg: str
    name: str
    row: str
    title: str
    todo: str
    mode: str
    count: int
    agreed: bool


def _kinds(found: Reconciled, rules: Rules) -> list[Kind]:
    counted = Counter((line.leg, line.name, line.row, line.mode) for line in found.lines())
    kinds = []
    for (leg, name, row, mode), count in sorted(counted.items()):
        rule = rules.rule(name, row)
        kinds.append(Kind(leg, name, row, rule.title, rule.todo, MODES[mode], count, rule.agreed))
    return kinds


def _carried(found: Reconciled) -> list[str]:
    """Return the components any ledger sums up, in their order."""
    sums = found.summary.sums
    return [name for name in COMPONENTS if any(name in one for one in sums.values())]


def _parties(found: Reconciled) -> Iterator[tuple[str, str, int, str, Mapping[str, int]]]:
    for ledger, count in found.counts.items():
        complete = "不完整" if ledger in found.scope.incomplete else "完整"
        yield NAMES[ledger], TITLES[ledger], count, complete, found.summary.sums[NAMES[ledger]]


def page(found: Reconciled, rules: Rules) -> str:
    """Return the report as HTML."""
    kinds = _kinds(found, rules)
    total = sum(kind.count for kind in kinds)
    return _template().render(
        title="对账报告",
        date=found.scope.date,
        role="参保地" if found.scope.role == INSURED else "就医地",
        summary=found.summary,
        kinds=kinds,
        open=sum(kind.count for kind in kinds if not kind.agreed),
        total=total,
        parties=list(_parties(found)),
        components=[(name, COMPONENT_TITLES[name]) for name in _carried(found)],
        legs=LEGS,
        tripped=[LEGS[leg] for leg in sorted(found.tripped)],
        skewed=found.summary.rows.get("T6", 0),
        lines=[_shown(line, rules) for line in islice(found.lines(), PAGE_LINES)],
        rest=max(0, total - PAGE_LINES),
    )


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.globals |= {"yuan": yuan}
    return environment.get_template("books.html")


def _shown(line: Line, rules: Rules) -> dict[str, str]:
    """Return what a line shows on the page."""
    return {
        "leg": line.leg,
        "key": line.setl_id or line.msgid or line.key.removeprefix("p:"),
        "institution": line.fixmedins_code,
        "name": line.name,
        "row": line.row,
        "title": rules.rule(line.name, line.row).title,
        "does": f"{MODES[line.mode]}·{ACTIONS[line.action]}",
        "prevails": PREVAILS[line.prevails],
        "component": COMPONENT_TITLES.get(line.component, line.component),
        "left": "" if line.left is None else yuan(line.left),
        "right": "" if line.right is None else yuan(line.right),
        "note": "; ".join(line.notes),
    }


def sheets(found: Reconciled, rules: Rules) -> list[Sheet]:
    """Return the workbook's sheets: overview, classes, lines."""
    names = _carried(found)
    head = ("账", "名称", "行数", "账目", *(COMPONENT_TITLES[name] for name in names))
    parties: list[tuple[Cell, ...]] = [
        (code, title, count, complete, *(Amount(sums[name]) if name in sums else "" for name in names))
        for code, title, count, complete, sums in _parties(found)
    ]
    verdict = "账平" if found.summary.agreed else "账不平"
    kinds: list[tuple[Cell, ...]] = [
        (LEGS[kind.leg], kind.name, kind.row, kind.title, kind.mode, kind.count, kind.todo)
        for kind in _kinds(found, rules)
    ]
    told = [_cells(line, one[0], rules) for line, one in islice(_both(found), SHEET_LINES)]
    rest = sum(found.summary.classes.values()) - len(told)
    more = f"（另有{rest}条见differences.csv）" if rest else ""
    date = found.scope.date
    return [
        Sheet("概况", f"{date} 对账：{verdict}，共{found.summary.keys}笔", head, parties),
        Sheet("分类", f"{date} 差异分类", ("账段", "类别", "代码", "说明", "方式", "条数", "如何处理"), kinds),
        Sheet("差异", f"{date} 差异明细{more}", HEAD, told),
    ]


def _both(found: Reconciled) -> Iterator[tuple[Line, tuple[str, ...]]]:
    return zip(found.lines(), found.records(), strict=True)


def _cells(line: Line, diff_id: str, rules: Rules) -> tuple[Cell, ...]:
    left, right = ("" if fen is None else Amount(fen) for fen in (line.left, line.right))
    return (
        LEGS[line.leg], line.setl_id, line.msgid, line.fixmedins_code, line.name, rules.rule(line.name, line.row).title,
        line.row, MODES[line.mode], ACTIONS[line.action], PREVAILS[line.prevails], line.biz_date,
        COMPONENT_TITLES.get(line.component, line.component), left, right, "; ".join(line.notes), diff_id,
    )  # fmt: skip
