"""The coverage report as a page: one file, no scripts, nothing from outside, made for A4 paper."""

from pathlib import Path

import attrs
import jinja2

from gateway.app.codes_coverage import Coverage
from gateway.app.coverage_tables import (
    Share,
    assessment,
    by_institution,
    by_library,
    missing,
    missing_count,
    of_institution,
    progress,
    rates,
    trend,
)
from gateway.app.coverage_words import RATES, name_of, notes
from gateway.app.drawing import Bar, Curve, bars
from gateway.app.drawing import trend as drawn_trend
from gateway.codes.coverage import NOTHING
from gateway.core.money import yuan

INSTITUTIONS_MAX = 50  # with a table of their own on the page; the workbook has all
MISSING_ALONE, MISSING_EACH = 100, 10  # missing codes on the page: of one institution, of each of several
_TEMPLATES = Path(__file__).parent / "templates"


def report_page(found: Coverage, made_at: str) -> str:
    """Return the report as HTML."""
    one = found.institutions[0] if len(found.institutions) == 1 else None
    last, duty = found.last, found.duty
    lacking = missing(found, MISSING_ALONE if one else MISSING_EACH)
    rest = missing_count(found) - len(lacking.rows)
    if one:  # whose codes they are stands at the top of the page
        lacking = attrs.evolve(lacking, head=lacking.head[1:], rows=tuple(row[1:] for row in lacking.rows))
    shown = found.institutions[:INSTITUTIONS_MAX]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.globals |= {"fraction": _fraction, "yuan": yuan}
    return environment.get_template("coverage.html").render(
        title="医保信息业务编码对码覆盖率月报",
        whose=f"{one.name}（{one.code}）" if one else f"全部定点医药机构（{len(found.institutions)}家）",
        month=last.name,
        day=last.day,
        made_at=made_at,
        report_day=duty.report_day,
        cards=_cards(found),
        verdict=_verdict(found),
        bars=_bars(found),
        curves=_curves(found),
        target=duty.targets["coded"].percent,
        library=by_library(found),
        money=_money(found),
        progress=progress(found),
        trend=trend(found),
        assessment=assessment(found),
        several=None if one else by_institution(found),
        each=[of_institution(found, each) for each in shown],
        unshown=len(found.institutions) - len(shown),
        missing=lacking,
        missing_rest=rest,
        notes=notes(found),
    )


def _fraction(share: Share) -> str:
    """Return `numerator/denominator`, amounts in yuan."""
    top, bottom = share.ratio.numerator, share.ratio.denominator
    return f"{yuan(top)}/{yuan(bottom)}" if share.money else f"{top}/{bottom}"


def _cards(found: Coverage) -> list[dict[str, object]]:
    total = sum(found.totals(found.last.name).values(), NOTHING)
    targets = found.duty.targets
    return [
        {"title": title, "ratio": share.ratio, "missed": share.missed, "target": targets[name].percent}
        for (name, title), share in zip(RATES.items(), rates(found, total), strict=True)
    ]


def _verdict(found: Coverage) -> str:
    below = found.below()
    names = dict.fromkeys(name_of(system, found.duty) for _, system, _ in below)
    if below:
        whose = "" if len(found.institutions) == 1 else f"{len({code for code, _, _ in below})}家机构的"
        return f"{whose}{len(names)}项标准未达标：{'、'.join(names)}。"
    if not any(figures.items for figures in found.totals(found.last.name).values()):
        return "没有在用项目：没有提交过对码，交易日志中也没有使用记录，覆盖率无从计算。"
    return "有在用项目的标准全部达标。"


def _money(found: Coverage) -> str:
    money = [one.use[found.last.name].money for one in found.institutions]
    fen, coded, unknown = (sum(getattr(one, name) for one in money) for name in ("fen", "coded", "unknown"))
    return (
        f"统计期内结算{yuan(fen)}元：就诊中全部编码使用时都有国家编码的{yuan(coded)}元，"
        f"有编码未对码的{yuan(fen - coded - unknown)}元，没有编码记录的{yuan(unknown)}元。"
    )


def _bars(found: Coverage) -> object:
    totals = {system: one for system, one in found.totals(found.last.name).items() if one.items}
    rows = []
    for system in totals:
        shares = rates(found, totals[system])[:2]
        rows.append(
            Bar(
                name_of(system, found.duty),
                tuple((one.ratio.hundredths(), one.ratio.text(), one.missed) for one in shares),
            )
        )
    target = found.duty.targets["coded"].share
    return bars("各编码标准的维护率与赋码率", ("维护率", "赋码率"), rows, int(target * 10_000))


def _curves(found: Coverage) -> object:
    totals = [sum(found.totals(month.name).values(), NOTHING) for month in found.months]
    curves = []
    for name, title in RATES.items():
        ratios = [total.ratios[name] for total in totals]
        curves.append(Curve(title, tuple(one.hundredths() if one.denominator else None for one in ratios)))
    target = found.duty.targets["coded"].share
    return drawn_trend("逐月变化", [month.name for month in found.months], curves, int(target * 10_000))
