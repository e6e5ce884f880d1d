"""The report on settlement lists: one set of tables, as a page to be printed and as a workbook."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import attrs
import jinja2

from adapters.files.workbook import Cell, Percent, Sheet
from adapters.store.lists_compared import Counted
from gateway.app.drawing import Stack, stacks
from gateway.core.dates import shanghai
from gateway.lists.figures import STAGES, STAGES_ZH, Figures, Known, added_up

DEPTS_MAX, DIFFERENCES_SHOWN, STACKS_MAX = 200, 60, 24
_TEMPLATES = Path(__file__).parent / "templates"
NO_DATE, NO_DEPT = "未知", "未采集或未填"
COUNTS_HEAD = ("应传", "逾期", *(STAGES_ZH[stage] for stage in STAGES), "质控已评", "一次通过", "一次通过率")
NOTES = (
    "应传：本网关日志中有效的、需要清单的结算（住院结算，及配置的医疗类别）。撤销、冲正的不算。",
    "期限：出院之日起{due_days}天；没有出院日期的从结算之日起。到期还没有到平台，或到平台时已过期的，为逾期。",
    "月份：结算所在的月；日志中没有对应结算的清单（不应传）按出院的月，只计入后面各列。",
    "质控通过：最近一次上传之后取回过质控结果（4104），且没有退回。没有取回的为已上传待质控。",
    "一次通过率：质控已有结果或被平台拒绝过的清单中，从未被拒绝、从未被退回的比例。",
    "科室：清单上出院科室的代码；没有采集的不知道科室。",
)


@attrs.frozen
class Part:
    """One table. rows: texts, numbers, shares."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@attrs.frozen(kw_only=True)
class Report:
    """Everything the page and the workbook show."""

    known: tuple[Known, ...]
    counted: tuple[Counted, ...]
    differences: tuple[tuple[str, ...], ...]
    compared: Mapping[str, int]
    names: Mapping[str, str]  # institution -> what it is called
    month: str
    day: str
    due_days: int

    @property
    def total(self) -> Figures:
        return sum((one for one in added_up(self.known).values()), Figures())

    @property
    def months(self) -> Part:
        found = added_up(self.known, "institution", "month")
        rows = (((self._name(code), month or NO_DATE), one) for (code, month), one in found.items())
        return _part("一、机构与月份", ("机构", "结算月"), rows)

    @property
    def depts(self) -> Part:
        found = added_up(self.known, "institution", "month", "dept")
        rows = (
            ((self.names.get(code) or code, month or NO_DATE, dept or NO_DEPT), one)
            for (code, month, dept), one in found.items()
        )
        return _part("二、科室", ("机构", "结算月", "科室"), rows)

    @property
    def counts(self) -> Part:
        head = ("机构", "结算月", "应传：平台", "应传：网关", "已传：平台", "已传：网关", "结论", "核对时间")
        rows = tuple(
            (
                self._name(one.fixmedins_code), one.month, one.due_theirs, one.due_ours, one.there_theirs,
                one.there_ours, "一致" if one.agree else "不一致", f"{shanghai(one.at_ms / 1000):%Y-%m-%d %H:%M}",
            )
            for one in self.counted
        )  # fmt: skip
        return Part("三、平台的数量（4105）", head, rows)

    @property
    def different(self) -> Part:
        head = ("机构", "就诊ID", "科室", "医师", "位置", "差异")
        rows = tuple((self._name(row[0]), *row[1:4], *row[5:7]) for row in self.differences)
        return Part("四、平台所存与上传的差异（4103）", head, rows)

    @property
    def notes(self) -> list[str]:
        return [note.format(due_days=self.due_days) for note in NOTES]

    def _name(self, code: str) -> str:
        name = self.names.get(code, "")
        return f"{name}（{code}）" if name else code


def share(one: Figures) -> Percent | str:
    """Return the first-pass rate; '—' where nothing was judged."""
    return Percent(one.first * 10_000 // one.judged) if one.judged else "—"


def percent(cell: Percent) -> str:
    """Return 98.99%."""
    return f"{cell.hundredths // 100}.{cell.hundredths % 100:02d}%"


def _part(title: str, head: tuple[str, ...], found: Iterable[tuple[tuple[str, ...], Figures]]) -> Part:
    rows = tuple((*key, one.due, one.late, *one.stages, one.judged, one.first, share(one)) for key, one in found)
    return Part(title, (*head, *COUNTS_HEAD), rows)


def report_sheets(report: Report, made_at: str) -> list[Sheet]:
    """Return the report as the sheets of a workbook."""
    parts: Sequence[tuple[str, Part]] = (
        ("机构月份", report.months), ("科室", report.depts), ("平台数量", report.counts),
        ("读回差异", report.different),
    )  # fmt: skip
    sheets = [
        Sheet(name, f"{part.title}　截至{report.day}，生成于{made_at}", part.head, part.rows) for name, part in parts
    ]
    notes = [(note,) for note in report.notes]
    return [*sheets, Sheet("口径", "口径说明", ("说明",), notes)]


def report_page(report: Report, made_at: str) -> str:
    """Return the report as HTML: one file, no scripts, nothing from outside, made for A4 paper."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    total = report.total
    institutions = {one.institution for one in report.known}
    return environment.get_template("lists_report.html").render(
        title="医保结算清单上传情况",
        whose="、".join(report._name(one) for one in sorted(institutions)) if len(institutions) < 3
        else f"{len(institutions)}家机构",
        month=report.month or "全部月份",
        day=report.day,
        made_at=made_at,
        due_days=report.due_days,
        cards=_cards(total),
        verdict=_verdict(report, total),
        picture=_picture(report),
        months=report.months,
        depts=attrs.evolve(report.depts, rows=report.depts.rows[:DEPTS_MAX]),
        depts_rest=max(0, len(report.depts.rows) - DEPTS_MAX),
        counts=report.counts,
        compared=report.compared,
        different=attrs.evolve(report.different, rows=report.different.rows[:DIFFERENCES_SHOWN]),
        different_rest=max(0, len(report.differences) - DIFFERENCES_SHOWN),
        notes=report.notes,
        percent=percent,
    )  # fmt: skip


def _cards(total: Figures) -> list[dict[str, object]]:
    there = sum(total.of(stage) for stage in ("waiting", "accepted", "returned"))
    first = share(total)
    text = percent(first) if isinstance(first, Percent) else first
    return [
        {"title": "应传", "value": total.due, "under": f"采集或应传共{total.lists}份", "bad": False},
        {"title": "已在平台", "value": there, "under": f"质控通过{total.of('accepted')}份", "bad": False},
        {"title": "逾期", "value": total.late, "under": f"没有采集{total.of('missing')}份", "bad": total.late > 0},
        {"title": "一次通过率", "value": text, "under": f"{total.first} / {total.judged}", "bad": False},
    ]


def _verdict(report: Report, total: Figures) -> str:
    said = []
    if total.late:
        said.append(f"逾期{total.late}份")
    back = total.of("returned") + total.of("refused")
    if back:
        said.append(f"被退回或拒绝、需要改正{back}份")
    if total.of("unknown"):
        said.append(f"上传结果未知、需要核实{total.of('unknown')}份")
    if any(not one.agree for one in report.counted):
        said.append("与平台的数量不一致")
    if report.differences:
        said.append("平台所存与上传的有差异")
    return f"{'；'.join(said)}。" if said else "没有逾期、退回、拒绝和不一致。"


def _picture(report: Report) -> object:
    found = list(added_up(report.known, "institution", "month").items())[-STACKS_MAX:]
    many = len({code for (code, _), _ in found}) > 1
    rows = [
        Stack(f"{report.names.get(code) or code} {month or NO_DATE}" if many else month or NO_DATE, one.stages)
        for (code, month), one in found
    ]
    return stacks("各月清单到了哪一步", [STAGES_ZH[stage] for stage in STAGES], rows)
