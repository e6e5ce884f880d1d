"""`liangding books report`: a day or a month of the books for people, as page, workbook or object (contract §2)."""

from pathlib import Path

import click

from gateway.app.say import USAGE, Outside, end, load
from gateway.core.dates import is_date


@click.command("report", help="对账日报与清算月报：谁与谁一致、什么未平、谁在什么时候之前做什么；网页、Excel或JSON")
@click.argument("config", type=click.Path())
@click.option("--date", "day", default="", help="对账日期yyyy-MM-dd")
@click.option("--month", default="", help="清算月份yyyy-MM，出月报")
@click.option("--scope", default="", help="只看一家机构的账（L1）")
@click.option("--role", type=click.Choice(["care", "insured"]), help="care就医地，insured参保地；默认有哪个看哪个")
@click.option("--out", type=click.Path(path_type=Path), help="文件夹，或一个.html或.xlsx文件")
@click.option("--json", "as_json", is_flag=True, help="输出一个JSON对象")
@click.pass_obj
def report(
    outside: Outside, config: str, day: str, month: str, scope: str, role: str | None, out: Path | None, as_json: bool
) -> None:  # fmt: skip
    settings = load(config, as_json)
    if bool(day) == bool(month):
        end(USAGE, "--date和--month须给出一个", as_json=as_json)
    if not is_date(day or f"{month}-01"):
        end(USAGE, f"日期应为yyyy-MM-dd，月份应为yyyy-MM：{day or month}", as_json=as_json)
    # Only here, so that no other command waits for the engine to load.
    from gateway.app import books_reporting

    now_ms = int(outside.now() * 1000)
    if month:
        books_reporting.report_month(settings, role or "", month, scope, now_ms, out, as_json)
    else:
        books_reporting.report_day(settings, role or "", day, scope, now_ms, out, as_json)
