"""The tables of the coverage report, once for page and workbook: both show the same cells."""

from collections import Counter
from collections.abc import Iterator

import attrs

from adapters.files.workbook import Amount, Cell, Percent, Sheet
from gateway.app.codes_coverage import Coverage, Covered, in_order
from gateway.app.coverage_words import RATES, STATES, name_of, notes
from gateway.codes.assessment import Score, assess, kind_of
from gateway.codes.coverage import NOTHING, Figures, Ratio


@attrs.frozen
class Share:
    """A ratio in a table. missed: under its target; money: its counts are fen."""

    ratio: Ratio
    missed: bool = False
    money: bool = False


@attrs.frozen
class Change:
    """A difference to the month before; shown with its sign."""

    number: int


Value = str | int | Share | Change | Amount


@attrs.frozen
class Table:
    """One table. head: titles; a ratio takes one column on the page and three in the workbook."""

    name: str
    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]


def rates(found: Coverage, figures: Figures) -> tuple[Share, ...]:
    """Return the three rates of the duty."""
    missed = figures.below(found.duty.shares)
    return tuple(Share(figures.ratios[name], name in missed) for name in RATES)


_FIGURES = ("在用项目", *RATES.values(), "按使用加权", "按金额加权（元）", "无国家编码", "停用未用", "结论")


def figure_cells(found: Coverage, figures: Figures) -> tuple[Value, ...]:
    """Return the cells of one line of figures, as `_FIGURES` titles them."""
    shares = rates(found, figures)
    verdict = "未达标" if any(share.missed for share in shares) else ("达标" if figures.items else "无在用")
    weights = (Share(figures.by_use), Share(figures.by_money, money=True))
    return (figures.items, *shares, *weights, figures.no_code, figures.idle, verdict)


def by_library(found: Coverage) -> Table:
    """All institutions of the report, library by library, with those they should carry and do not.

    A total may reach its target while an institution does not: the verdict counts institutions.
    """
    totals = found.totals(found.last.name)
    below = Counter(system for _, system, _ in found.below())
    rows = []
    for system in in_order({*totals, *found.owed()}):
        *cells, verdict = figure_cells(found, totals.get(system, NOTHING))
        if below[system] and len(found.institutions) > 1:
            verdict = f"{below[system]}家未达标"
        rows.append((name_of(system, found.duty), *cells, verdict))
    return Table("各标准", "各标准覆盖情况", ("编码标准", *_FIGURES), tuple(rows))


def by_institution(found: Coverage) -> Table:
    """One line an institution: all its libraries together, and how many of them miss a target."""
    below = found.below()
    rows: list[tuple[Value, ...]] = []
    for one in found.institutions:
        total = one.total(found.last.name)
        missed = sum(code == one.code for code, _, _ in below)
        money = one.use[found.last.name].money
        amounts = (Amount(money.fen), Amount(money.coded), Amount(money.unknown))
        rows.append((one.code, one.name, total.items, *rates(found, total), missed, *amounts))
    head = (
        "机构编码",
        "机构名称",
        "在用项目",
        *RATES.values(),
        "未达标标准",
        "结算金额",
        "其中全部已赋码",
        "其中无编码记录",
    )
    return Table("各机构", "各机构汇总", head, tuple(rows))


def of_institution(found: Coverage, one: Covered) -> Table:
    """One institution, library by library."""
    mine = one.figures[found.last.name]
    systems = in_order({*mine, *found.duty.owed_by(kind_of(one.code))})
    rows = tuple((name_of(system, found.duty), *figure_cells(found, mine.get(system, NOTHING))) for system in systems)
    return Table("机构各标准", f"{one.name}（{one.code}）", ("编码标准", *_FIGURES), rows)


def progress(found: Coverage) -> Table:
    """The month's work, library by library, for the monthly report of the maintenance plan."""
    now = found.totals(found.last.name)
    before = found.totals(found.months[-2].name) if len(found.months) > 1 else {}
    rows: list[tuple[Value, ...]] = []
    for system in in_order({*now, *found.owed()}):
        keeper = found.duty.systems.get(system)
        this, last = now.get(system, NOTHING), before.get(system, NOTHING)
        who = (keeper.maintained_by, keeper.reviewed_by) if keeper else ("", "")
        changes = (Change(this.items - last.items), Change(this.coded - last.coded))
        left = (this.items - this.coded, this.wrong, this.late)
        shares = (Share(last.ratios["coded"]), rates(found, this)[1])
        rows.append((name_of(system, found.duty), *who, *changes, *shares, *left))
    head = (
        "编码标准",
        "维护",
        "审核",
        "在用增减",
        "已赋码增减",
        "上月赋码率",
        "本月赋码率",
        "尚缺编码",
        "对应错误",
        "使用时未对码",
    )
    return Table("本月进展", "本月维护进展", head, tuple(rows))


def scores(found: Coverage) -> list[Score]:
    return assess(found.duty, found.totals(found.last.name), found.owed(), found.known())


def assessment(found: Coverage) -> Table:
    rows = tuple(
        (one.item.no, one.item.text, one.found, points(one.full - one.points), points(one.points), points(one.full))
        for one in scores(found)
    )
    return Table("考核自评", "考核自评（按现有数据推算）", ("项", "评分标准", "发现", "扣分", "得分", "满分"), rows)


def points(hundredths: int) -> str:
    return f"{hundredths // 100}.{hundredths % 100:02d}".rstrip("0").rstrip(".")


def trend(found: Coverage) -> Table:
    """Month by month, all libraries together."""
    rows: list[tuple[Value, ...]] = []
    for month in found.months:
        total = sum(found.totals(month.name).values(), NOTHING)
        rows.append((month.name, total.items, *rates(found, total), Share(total.by_use)))
    return Table("逐月", "逐月变化", ("月份", "在用项目", *RATES.values(), "按使用加权"), tuple(rows))


def missing(found: Coverage, most: int) -> Table:
    """The codes that lack a valid national one, most used first, at most so many an institution."""
    rows = [row for one in found.institutions for row in _missing_of(found, one)[:most]]
    head = ("机构编码", "编码标准", "院内编码", "本月使用", "其中未赋码", "情况", "办法")
    return Table("未赋码编码", "没有有效国家编码的院内编码", head, tuple(rows))


def missing_count(found: Coverage) -> int:
    return sum(len(_missing_of(found, one)) for one in found.institutions)


def _missing_of(found: Coverage, one: Covered) -> list[tuple[Value, ...]]:
    lacking = [(system, item) for system, items in one.lacking.items() for item in items]
    lacking.sort(key=lambda pair: (-pair[1].seen.lines, pair[0], pair[1].local))
    return [
        (one.code, name_of(system, found.duty), item.local, item.seen.lines, item.seen.uncoded, *STATES[item.state])
        for system, item in lacking
    ]


# --- the workbook --------------------------------------------------------------------------------------------------

MISSING_MAX = 100_000  # rows of the workbook's list, an institution


def report_sheets(found: Coverage, made_at: str) -> list[Sheet]:
    """Return the workbook's sheets: the page's tables, every institution, all missing codes, the notes."""
    last = found.last
    words = f"{last.name}，截至{last.day}，生成于{made_at}"
    full = [by_library(found), by_institution(found), _every_library(found), progress(found), trend(found)]
    full += [assessment(found), missing(found, MISSING_MAX)]
    sheets = [_sheet(table, words) for table in full]
    return [*sheets, Sheet("口径说明", f"口径说明（{words}）", ("说明",), [(line,) for line in notes(found)])]


def _every_library(found: Coverage) -> Table:
    rows: list[tuple[Value, ...]] = [
        (one.code, one.name, *row) for one in found.institutions for row in of_institution(found, one).rows
    ]
    return Table("机构各标准", "各机构各标准覆盖情况", ("机构编码", "机构名称", "编码标准", *_FIGURES), tuple(rows))


def _sheet(table: Table, words: str) -> Sheet:
    wide = [any(isinstance(row[column], Share) for row in table.rows) for column in range(len(table.head))]
    head = [text for title, ratio in zip(table.head, wide, strict=True) for text in _titles(title, ratio)]
    rows = [[cell for value in row for cell in _cells(value)] for row in table.rows]
    return Sheet(table.name, f"{table.title}（{words}）", head, rows)


def _titles(title: str, ratio: bool) -> tuple[str, ...]:
    return (f"{title}分子", f"{title}分母", title) if ratio else (title,)


def _cells(value: Value) -> Iterator[Cell]:
    if not isinstance(value, Share):
        yield value.number if isinstance(value, Change) else value
        return
    top, bottom = value.ratio.numerator, value.ratio.denominator
    yield Amount(top) if value.money else top
    yield Amount(bottom) if value.money else bottom
    yield Percent(value.ratio.hundredths()) if bottom else "—"
