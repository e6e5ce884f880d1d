"""`liangding books month CONFIG --month yyyy-MM report`: the institution's month as a page and a workbook."""

from pathlib import Path

import click

from adapters.files.whole import write_whole
from adapters.files.workbook import write_workbook
from adapters.store.books_month import MonthReader
from gateway.app.books_month_report import FIGURES, collect, page, plain, sheets
from gateway.app.books_region import reading, scopes_of
from gateway.app.cli_books_month import Month, explained_month, json_option
from gateway.app.say import DONE, FINDINGS, USAGE, end, show
from gateway.core.money import yuan


@click.command(help="月报：服务量、费用构成、申报、扣款、到账，按科室医师；HTML（可打印A4）和Excel，数字相同")
@click.option("--scope", required=True, help="定点机构编码，全市用'*'")
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="输出文件，.html或.xlsx；可重复", multiple=True
)
@json_option
@click.pass_obj
def report(given: Month, scope: str, out: tuple[Path, ...], as_json: bool) -> None:
    if scope not in scopes_of(given.config):
        end(USAGE, f"配置中没有机构{scope}", as_json=as_json)
    if wrong := [path.name for path in out if path.suffix.lower() not in (".html", ".xlsx")]:
        end(USAGE, f"输出文件应为.html或.xlsx：{'、'.join(wrong)}", as_json=as_json)
    with explained_month(as_json), reading(given.config) as connection:
        if connection is None:
            end(USAGE, "还没有固化的日子", as_json=as_json)
        found = collect(given.config, MonthReader(connection), given.role, scope, given.month, given.today)
        for path in out:
            if path.suffix.lower() == ".xlsx":
                write_workbook(path, sheets(found), dated=f"{given.month}-01")
            else:
                write_whole(path, page(found).encode())
    figures = "，".join(f"{title}{yuan(found.figure(name))}元" for title, name in FIGURES)
    lines = [f"{found.name} {given.month}：结算{found.totals['settlements']}笔，{figures}"]
    lines += [f"缺{len(found.missing)}日没有固化：{'、'.join(found.missing[:5])}"] if found.missing else []
    show(plain(found), [*lines, *(f"已写入{path}" for path in out)], as_json)
    raise SystemExit(FINDINGS if found.missing else DONE)
