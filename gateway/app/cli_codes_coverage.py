"""`liangding codes coverage`: how far institutions are with the national codes, against the 99 % duty (contract §2)."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from adapters.files.whole import write_whole
from adapters.files.workbook import write_workbook
from adapters.store.journal_reader import NotAJournal
from gateway.app.codes_coverage import Coverage, Covered, cover, in_order
from gateway.app.codes_files import reading
from gateway.app.codes_say import explained
from gateway.app.config import Config, InstitutionConfig
from gateway.app.coverage_report import report_page
from gateway.app.coverage_tables import points, report_sheets, scores
from gateway.app.coverage_words import RATES, name_of
from gateway.app.say import DONE, FAILED, FINDINGS, USAGE, Outside, end, load, show
from gateway.codes.coverage import Figures, Ratio
from gateway.codes.months import Month, last_day, months_to
from gateway.core.dates import day_of, is_date, shanghai
from gateway.core.money import yuan

MONTHS, MONTHS_MAX = 6, 24


@click.command("coverage", help="对码覆盖率与月报：维护率、赋码率、对照正确率，对照99%的要求")
@click.argument("config", type=click.Path())
@click.argument("institution", default="")
@click.option("--month", default="", help="月份yyyy-MM，默认本月")
@click.option("--date", "day", default="", help="统计截至日yyyy-MM-dd，默认今天；过去的月份默认该月最后一天")
@click.option("--months", default=MONTHS, show_default=True, type=click.IntRange(1, MONTHS_MAX), help="趋势图的月数")
@click.option("--out", type=click.Path(path_type=Path), help="月报写成HTML文件（可打印）")
@click.option("--xlsx", type=click.Path(path_type=Path), help="同样的数字写成Excel文件")
@click.option("--json", "as_json", is_flag=True, help="输出一个JSON对象")
@click.pass_obj
def coverage(
    outside: Outside,
    config: str,
    institution: str,
    month: str,
    day: str,
    months: int,
    out: Path | None,
    xlsx: Path | None,
    as_json: bool,
) -> None:
    settings = load(config, as_json)
    chosen = _institutions(settings, institution, as_json)
    for file in (out, xlsx):
        if file is not None and not file.parent.is_dir():
            end(USAGE, f"没有这个文件夹：{file.parent}（要写{file.name}）", as_json=as_json)
    until = _until(month, day, day_of(outside.now()), as_json)
    made_at = f"{shanghai(outside.now()):%Y-%m-%d %H:%M:%S}"
    with explained(as_json):
        found = _gathered(settings, chosen, months_to(until, months), as_json)
        if out is not None:
            write_whole(out, report_page(found, made_at).encode())
        if xlsx is not None:
            write_workbook(xlsx, report_sheets(found, made_at))
    missed = found.below()
    show(_plain(found), _told(found), as_json)
    sys.exit(FINDINGS if missed else DONE)


def _institutions(config: Config, code: str, as_json: bool) -> list[InstitutionConfig]:
    chosen = [one for one in config.institution if code in ("", one.fixmedins_code)]
    if not chosen:
        end(USAGE, f"配置中没有机构{code}", as_json=as_json)
    return chosen


def _until(month: str, day: str, today: str, as_json: bool) -> str:
    """Return the day the figures stand for."""
    if day and not is_date(day):
        end(USAGE, f"日期应为yyyy-MM-dd：{day}", as_json=as_json)
    if month:
        try:
            end_of_month = last_day(month)
        except ValueError:
            end(USAGE, f"月份应为yyyy-MM：{month}", as_json=as_json)
        if day and day[:7] != month:
            end(USAGE, f"统计截至日{day}不在{month}", as_json=as_json)
        day = day or min(end_of_month, max(today, f"{month}-01"))
    day = day or today
    if day > today:
        end(USAGE, f"统计截至日{day}还没有到，今天是{today}", as_json=as_json)
    return day


def _gathered(config: Config, chosen: list[InstitutionConfig], months: tuple[Month, ...], as_json: bool) -> Coverage:
    journal = config.journal if config.journal.exists() else None
    try:
        with reading(config.room("codes")) as tables:
            return cover(tables, journal, chosen, months)
    except NotAJournal as cause:
        end(FAILED, f"日志库打不开（不是交易日志，或已损坏）：{config.journal}：{cause}", as_json=as_json)


SYSTEM_COLUMNS = ("items", "no_code", "idle", "late", "wrong")


def _plain(found: Coverage) -> dict[str, Any]:
    totals = found.totals(found.last.name)
    return {
        "month": found.last.name,
        "date": found.last.day,
        "institutions": [_plain_institution(found, one) for one in found.institutions],
        "systems": [_plain_figures(found, system, totals[system]) for system in in_order(totals)],
        "assessment": [
            {"no": one.item.no, "found": one.found, "points": points(one.points), "full": points(one.full)}
            for one in scores(found)
        ],
        "below": [
            {"institution": code, "system": system, "rates": list(names)} for code, system, names in found.below()
        ],
    }


def _plain_institution(found: Coverage, one: Covered) -> dict[str, Any]:
    mine, money = one.figures[found.last.name], one.use[found.last.name].money
    return {
        "institution": one.code,
        "name": one.name,
        "systems": [_plain_figures(found, system, mine[system]) for system in in_order(mine)],
        "settled_amt": yuan(money.fen),
        "settled_coded_amt": yuan(money.coded),
        "settled_unknown_amt": yuan(money.unknown),
    }


def _plain_figures(found: Coverage, system: str, figures: Figures) -> dict[str, Any]:
    missed = figures.below(found.duty.shares)
    plain: dict[str, Any] = {"system": system, "name": name_of(system, found.duty)}
    plain |= {name: getattr(figures, name) for name in SYSTEM_COLUMNS}
    plain |= {name: {**_plain_ratio(ratio), "below": name in missed} for name, ratio in figures.ratios.items()}
    money = {"coded_amt": yuan(figures.fen_coded), "amt": yuan(figures.fen), "percent": figures.by_money.text()}
    return plain | {"by_use": _plain_ratio(figures.by_use), "by_money": money}


def _plain_ratio(ratio: Ratio) -> dict[str, Any]:
    return {"numerator": ratio.numerator, "denominator": ratio.denominator, "percent": ratio.text()}


def _told(found: Coverage) -> Iterator[str]:
    yield f"{found.last.name}（截至{found.last.day}）"
    for one in found.institutions:
        yield f"{one.code} {one.name}"
        mine = one.figures[found.last.name]
        if not any(figures.items for figures in mine.values()):
            yield "  没有在用项目：没有提交过对码，交易日志中也没有使用记录"
        for system in in_order(mine):
            if mine[system].items:
                yield f"  {name_of(system, found.duty)}\t{_figures_told(found, mine[system])}"
    missed = found.below()
    if missed:
        yield f"未达标：{len(missed)}项（机构与标准）"


def _figures_told(found: Coverage, figures: Figures) -> str:
    missed = figures.below(found.duty.shares)
    rates = "  ".join(
        f"{RATES[name]}{ratio.text()}（{ratio.numerator}/{ratio.denominator}）{'未达标' if name in missed else ''}"
        for name, ratio in figures.ratios.items()
    )
    return f"在用{figures.items}  {rates}  按使用{figures.by_use.text()}  按金额{figures.by_money.text()}"
