"""`liangding lists compare|counts`: orders to the running node: what the platform kept, and how many it counts."""

from pathlib import Path

import click

from adapters.files.export import write_table
from adapters.store.lists import Filter, OtherLists, reading
from adapters.store.lists_compared import differences
from gateway.app.cli_lists_upload import MONTH
from gateway.app.codes_files import SCRIPTS
from gateway.app.codes_say import explained, operator_of
from gateway.app.lists_comparing import COMPARE, COUNTS
from gateway.app.lists_desk import SCRIPTS as LISTS_SCRIPTS
from gateway.app.orders_wait import order_and_wait
from gateway.app.say import DONE, FAILED, FINDINGS, USAGE, Outside, end, load, show
from gateway.core.dates import day_of

_SHOWN = 20
ROWS_MAX = 100_000
COLUMNS = ("fixmedins_code", "mdtrt_id", "dept", "doctor", "state", "path", "message")
_STATES = {"same": "一致", "differs": "有差异", "absent": "平台没有", "unsure": "上传后内容有变化、无从比对"}
_ENDS = {"done": DONE, "findings": FINDINGS}


@click.command(help="读回比对（4103）：由节点读回已上传的清单，与上传的逐项比对，差异指出位置")
@click.argument("config", type=click.Path())
@click.argument("institution")
@click.option("--month", default="", help="出院月份yyyy-MM，默认全部")
@click.option("--out", type=click.Path(path_type=Path), help="差异写成CSV或Excel（.xlsx）")
@click.option("--json", "as_json", is_flag=True, help="输出一个JSON对象")
@click.pass_obj
def compare(outside: Outside, config: str, institution: str, month: str, out: Path | None, as_json: bool) -> None:
    settings = load(config, as_json)
    if institution not in {one.fixmedins_code for one in settings.institution}:
        end(USAGE, f"配置中没有机构{institution}", as_json=as_json)
    if month and not MONTH.fullmatch(month):
        end(USAGE, f"月份应为yyyy-MM：{month}", as_json=as_json)
    what = (COMPARE, institution, "")
    with explained(as_json):
        orders = settings.room("codes")
        status = order_and_wait(orders, SCRIPTS, what, {"month": month}, operator_of(), outside.now, as_json)
        try:
            with reading(settings.room("lists"), len(LISTS_SCRIPTS)) as look:
                wanted = Filter(institution, month)
                rows = differences(look.connection, wanted, ROWS_MAX) if look is not None else []
        except OtherLists as cause:
            end(FAILED, str(cause), as_json=as_json)
        if out is not None:
            write_table(out, COLUMNS, rows)
    counts = status.result.get("counts")
    figures = [f"{_STATES.get(what, what)}{n}份" for what, n in (counts if isinstance(counts, dict) else {}).items()]
    lines = [f"{institution}：{'，'.join(figures) or '没有已上传的清单'}"]
    lines += [f"  就诊{row[1]} {row[2]} {row[3]} {row[5]} {row[6]}" for row in rows[:_SHOWN]]
    if len(rows) > _SHOWN:
        lines.append(f"  另有{len(rows) - _SHOWN}处，用--out写出全部")
    message = status.result.get("message")
    lines += [str(message)] if message else []
    plain = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
    show({"order": status.order.id, "outcome": status.outcome, **status.result, "differences": plain}, lines, as_json)
    raise SystemExit(_ENDS.get(status.outcome, FAILED))


@click.command(help="数量核对（4105）：平台的应传、已传份数与网关的比较")
@click.argument("config", type=click.Path())
@click.argument("institution")
@click.option("--month", "months", multiple=True, help="结算月份yyyy-MM，可重复；默认本月")
@click.option("--json", "as_json", is_flag=True, help="输出一个JSON对象")
@click.pass_obj
def counts(outside: Outside, config: str, institution: str, months: tuple[str, ...], as_json: bool) -> None:
    settings = load(config, as_json)
    if institution not in {one.fixmedins_code for one in settings.institution}:
        end(USAGE, f"配置中没有机构{institution}", as_json=as_json)
    if not all(MONTH.fullmatch(month) for month in months):
        end(USAGE, f"月份应为yyyy-MM：{'、'.join(months)}", as_json=as_json)
    wanted: dict[str, object] = {"months": list(months or (day_of(outside.now())[:7],))}
    what = (COUNTS, institution, "")
    with explained(as_json):
        orders = settings.room("codes")
        status = order_and_wait(orders, SCRIPTS, what, wanted, operator_of(), outside.now, as_json)
    found = status.result.get("months")
    lines = [
        f"{institution} {one['month']}：应传 平台{one['due_theirs']}、网关{one['due_ours']}；"
        f"已传 平台{one['there_theirs']}、网关{one['there_ours']}；{'一致' if one['agree'] else '不一致'}"
        for one in (found if isinstance(found, list) else [])
    ]
    message = status.result.get("message")
    lines += [str(message)] if message else []
    show({"order": status.order.id, "outcome": status.outcome, **status.result}, lines, as_json)
    raise SystemExit(_ENDS.get(status.outcome, FAILED))
