"""`liangding codes compare`: what the national regime would have refused of an institution that settles locally."""

import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import attrs
import click

from adapters.files.export import write_table
from adapters.store.journal_reader import NotAJournal, reading
from adapters.store.journal_usage import Used, used
from gateway.app.codes_files import reading as codes_reading
from gateway.app.codes_say import explained
from gateway.app.config import Config, InstitutionConfig
from gateway.app.facts import code_forms, read_files
from gateway.app.say import DONE, FAILED, FINDINGS, USAGE, Outside, end, load, show
from gateway.codes.comparison import Comparison, compare
from gateway.codes.loading import EVERYONE, load_snapshots
from gateway.core.dates import SHANGHAI, shanghai
from gateway.core.money import yuan

COLUMNS = ("system", "local_code", "rule", "lines", "requests", "first_day", "last_day", "now")
SHOWN_MAX = 20
DAYS = 30
_WHY = {"unmapped": "未对码", "expired": "在费用发生日无效", "code_conflict": "对应多个国家编码"}


@click.command("compare", help="沿用原编码结算的机构：如按国家编码，哪些请求会被拒绝（对照运行）")
@click.argument("config", type=click.Path())
@click.argument("institution")
@click.option("--since", default="", help="起始日期yyyy-MM-dd，默认30天前")
@click.option("--until", default="", help="截止日期yyyy-MM-dd（含），默认今天")
@click.option("--out", type=click.Path(path_type=Path), help="未对码明细写成CSV文件")
@click.option("--json", "as_json", is_flag=True, help="输出一个JSON对象")
@click.pass_obj
def compare_regimes(
    outside: Outside, config: str, institution: str, since: str, until: str, out: Path | None, as_json: bool
) -> None:
    settings = load(config, as_json)
    one = _local(settings, institution, as_json)
    today = shanghai(outside.now()).replace(hour=0, minute=0, second=0, microsecond=0)
    first = _day(since, as_json) if since else today - timedelta(days=DAYS)
    last = _day(until, as_json) if until else today
    with explained(as_json):
        found = _compared(settings, one, _ms(first), _ms(last + timedelta(days=1)), as_json)
        rows = [tuple(str(value) for value in attrs.astuple(gap)[:-1]) for gap in found.in_order()]
        if out is not None:
            write_table(out, COLUMNS, rows)
    plain = {
        "institution": institution,
        "since": f"{first:%Y-%m-%d}",
        "until": f"{last:%Y-%m-%d}",
        **{name: getattr(found, name) for name in ("requests", "refused", "still_refused", "codes", "missing")},
        "refused_amt": yuan(found.refused_fen),
        "gaps": [dict(zip(COLUMNS, row, strict=True)) for row in rows],
    }
    show(plain, _told(found), as_json)
    sys.exit(FINDINGS if found.refused else DONE)


def _told(found: Comparison) -> Iterator[str]:
    yield f"共{found.requests}个请求、{found.codes}处编码；{found.missing}处没有可用的国家编码"
    yield f"如按国家编码结算：{found.refused}个请求会被拒绝，涉及结算{yuan(found.refused_fen)}元"
    yield f"按现在的对码：其中{found.still_refused}个仍会被拒绝"
    gaps = found.in_order()
    for gap in gaps[:SHOWN_MAX]:
        now = f"现已对码{gap.now}" if gap.mended else f"现在仍是{_WHY.get(gap.now, gap.now)}"
        why = _WHY.get(gap.rule, gap.rule)
        yield f"  {gap.system}\t{gap.local_code}\t{why}\t{gap.lines}处\t{gap.first_day}至{gap.last_day}\t{now}"
    if len(gaps) > SHOWN_MAX:
        yield f"  另有{len(gaps) - SHOWN_MAX}个编码，用--out写出全部"


def _local(config: Config, institution: str, as_json: bool) -> InstitutionConfig:
    one = next((one for one in config.institution if one.fixmedins_code == institution), None)
    if one is None:
        end(USAGE, f"配置中没有机构{institution}", as_json=as_json)
    if one.regime != "local":
        end(USAGE, f"机构{institution}已按国家编码结算（regime = national），没有可对照的记录", as_json=as_json)
    return one


def _compared(config: Config, one: InstitutionConfig, since_ms: int, until_ms: int, as_json: bool) -> Comparison:
    with codes_reading(config.room("codes")) as tables:
        snapshots = load_snapshots(tables, code_forms(read_files()))
    snapshot = snapshots.get(one.fixmedins_code) or snapshots[EVERYONE]
    if not config.journal.exists():
        end(FAILED, f"日志库不存在：{config.journal}", as_json=as_json)
    try:
        with reading(config.journal) as journal:
            sent = used(journal.connection, one.fixmedins_code, since_ms, until_ms)
            return compare(_kept(sent, one), snapshot.one_slot)
    except NotAJournal as cause:
        end(FAILED, f"日志库打不开（不是交易日志，或已损坏）：{config.journal}：{cause}", as_json=as_json)


def _kept(requests: Iterator[Used], one: InstitutionConfig) -> Iterator[Used]:
    """Leave out what went to the province in national codes."""
    return (request for request in requests if not one.remote_link or request.link != one.remote_link)


def _day(text: str, as_json: bool) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=SHANGHAI)
    except ValueError:
        end(USAGE, f"日期应为yyyy-MM-dd：{text}", as_json=as_json)


def _ms(day: datetime) -> int:
    return int(day.timestamp() * 1000)
