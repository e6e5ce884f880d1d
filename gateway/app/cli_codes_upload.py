"""`liangding codes map upload|cancel|compare`, `codes fetch`, `codes orders`: what a running node does at platforms."""

import getpass
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import click

from adapters.store.codes_orders import OrdersStore, WorkStatus
from adapters.store.codes_uploads import UploadsStore
from gateway.app.codes_files import SCRIPTS, downloads
from gateway.app.codes_say import explained, known
from gateway.app.codes_uploading import UPLOAD
from gateway.app.codes_wanted import wanted
from gateway.app.config import Config
from gateway.app.config_codes import library_place
from gateway.app.facts import read_files
from gateway.app.orders_wait import order_and_wait
from gateway.app.say import DONE, FAILED, FINDINGS, USAGE, Outside, end, load, show
from gateway.codes import uploads
from gateway.core.dates import day_of, shanghai
from gateway.core.regions import build_region

T = TypeVar("T")
_JSON = click.option("--json", "as_json", is_flag=True, help="输出一个JSON对象")
_CONFIG = click.argument("config", type=click.Path())
_INSTITUTION = click.argument("institution")
_SYSTEM = click.argument("system")
_OPERATOR = click.option("--operator", default="", help="经办人；不给时取系统账号")
_CODES = {"done": DONE, "findings": FINDINGS, "failed": FAILED}
_STATES = {"done": "完成", "findings": "完成，有待处理项", "failed": "失败"}
_KINDS = {"upload": "上传对码", "cancel": "撤销对码", "compare": "比对", "fetch": "下载目录", "receive": "导入收件"}
# Why rows are named in a result, for people.
_WHY = {
    "refused": "本地检查未通过，未发送",
    "rejected": "平台拒绝",
    "cancel_rejected": "平台拒绝撤销",
    "unsettled": "有未结算明细，未撤销",
    "uncoded": "平台上现无编码",
    "unsent": "未上传成功",
    "absent": "没有可撤销的行",
}
_COUNTS = {
    "uploaded": "已上传",
    "cancelled": "已撤销",
    "same": "无需上传",
    "refused": "未通过本地检查",
    "rejected": "被平台拒绝",
    "unknown": "曾无应答",
    "gone": "已不再生效但仍在平台",
    "equal": "两边一致",
    "local_only": "仅本地有",
    "centre_only": "仅平台有",
    "different": "两边不同",
}
_DIFFERENCE = {"local_only": "仅本地", "centre_only": "仅平台", "different": "不同"}


def _operator(given: str) -> str:
    try:
        return given or getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def _place(path: str, institution: str, system: str, as_json: bool) -> Config:
    config = load(path, as_json)
    if institution not in {one.fixmedins_code for one in config.institution}:
        end(USAGE, f"配置中没有机构{institution}", as_json=as_json)
    if system not in uploads.LIST_TYPES_OF:
        known = "、".join(sorted(uploads.LIST_TYPES_OF))
        end(USAGE, f"目录对照上传（3301）只有药品、服务项目和耗材：{system}不能上传（可用：{known}）", as_json=as_json)
    return config


def _looked(store: Path, ask: Callable[[OrdersStore], list[T]]) -> list[T]:
    """Return what the store says; nothing where there is none: looking makes none."""
    if not store.exists():
        return []
    with closing(OrdersStore.open(store, SCRIPTS)) as orders:
        return ask(orders)


def _ended(status: WorkStatus, as_json: bool) -> None:
    """Tell how an order ended, and end the command so."""
    plain: dict[str, Any] = {"order": status.order.id, "outcome": status.outcome, **status.result}
    message = plain.get("message")
    lines = [f"任务{status.order.id} {_KINDS[status.order.kind]}：{_STATES[status.outcome]}"]
    counts = plain.get("counts") or {}
    told = [f"{words}{counts[name]}行" for name, words in _COUNTS.items() if counts.get(name)]
    lines += ["，".join(told)] if told else []
    lines += [line for one in plain.get("libraries") or [] for line in _library_lines(one)]
    problems = [str(message)] if message else []
    for why, rows in (plain.get("rows") or {}).items():
        problems += [_row_line(why, row) for row in rows]
    show(plain, lines, as_json)
    for line in problems:
        click.echo(line, err=True)
    sys.exit(_CODES[status.outcome])


def _row_line(why: str, row: dict[str, str]) -> str:
    if why == "differences":
        return f"{_DIFFERENCE[row['kind']]}\t{row['local']}\t本地：{row['ours'] or '无'}\t平台：{row['theirs'] or '无'}"
    place = f"第{row['row']}行 {row['rule']} " if "row" in row else f"{row['local_code']} "
    return f"{_WHY.get(why, why)}：{place}{row['message']}"


def _library_lines(one: dict[str, Any]) -> Iterator[str]:
    state = {"imported": "已导入", "current": "已是最新", "failed": "失败"}[one["state"]]
    tail = f"版本{one['ver']}" if one.get("ver") else ""
    rows = f"，{one['rows']}行" if one["state"] == "imported" else ""
    yield f"{one['infno'] or one.get('file', '')}\t{one['system']}\t{state}\t{tail}{rows}{one.get('message', '')}"
    for code, count in (one.get("affected") or {}).items():
        yield f"  机构{code}有{count}条对码的国家编码已停用或将停用，用map check查看"
    if "round" in one:
        yield f"  已发布目录更新r{one['round']}：涉及{one['institutions']}家机构，期限{one['due']}"
    elif "no_round" in one:
        yield f"  未发布目录更新：{one['no_round']}"


@click.command("upload", help="把生效的对码上传到平台（3301）；改过的先撤销（3302）再上传")
@_CONFIG
@_INSTITUTION
@_SYSTEM
@click.option("--dry-run", is_flag=True, help="只列出将做什么，不发送；不需要节点")
@click.option("--settled", is_flag=True, help="确认要撤销的项目没有未结算明细，不再检查")
@_OPERATOR
@_JSON
@click.pass_obj
def upload(
    outside: Outside, config: str, institution: str, system: str, dry_run: bool, settled: bool, operator: str,
    as_json: bool,
) -> None:  # fmt: skip
    found = _place(config, institution, system, as_json)
    if dry_run:
        with explained(as_json):
            _planned(found, institution, system, day_of(outside.now()), as_json)
    what, arguments = ("upload", institution, system), {"settled": settled}
    with explained(as_json):
        status = order_and_wait(
            found.room("codes"), SCRIPTS, what, dict(arguments), _operator(operator), outside.now, as_json
        )
    _ended(status, as_json)


def _planned(config: Config, institution: str, system: str, today: str, as_json: bool) -> None:
    """Show what an upload would do today, and end the command."""
    link = config.platform[next(one.link for one in config.institution if one.fixmedins_code == institution)]
    region = build_region(read_files(), link.region, tuple(link.extensions))
    if UPLOAD not in region.transactions:
        end(USAGE, f"区域{link.region}没有交易{UPLOAD}", as_json=as_json)
    fields = region.transactions[UPLOAD].nodes[0].fields
    store = config.room("codes")
    held = _looked(store, lambda orders: UploadsStore(orders.connection).held(institution, system))
    mine = wanted(store, institution, system, held, today, config.codes.far_date, fields)
    plan = uploads.plan(mine.lines, held)
    sent = [dict(line.fields) for line in (*plan.adds, *(line for one in plan.changes for line in one.send))]
    taken = [row for one in plan.changes for row in one.cancel]
    cancelled = [{"local_code": row.local, "national_code": row.national} for row in taken]
    refused = [
        {"row": one.line, "column": one.column, "rule": one.rule, "message": one.message} for one in mine.refused
    ]
    plain = {
        "upload": sent, "cancel": cancelled, "refused": refused, "same": plan.same, "gone": len(plan.gone),
        "doubts": len(plan.doubts),
    }  # fmt: skip
    lines = [f"上传\t{row['fixmedins_hilist_id']}\t{row['med_list_codg']}\t{row['begndate']}" for row in sent]
    lines += [f"先撤销\t{row['local_code']}\t{row['national_code']}" for row in cancelled]
    lines.append(
        f"将上传{len(sent)}行，先撤销{len(cancelled)}行，无需上传{plan.same}行，未通过检查{len(refused)}行；"
        f"结果未知待查询{len(plan.doubts)}行，已不再生效但仍在平台{len(plan.gone)}行"
    )
    show(plain, lines, as_json)
    for one in refused:
        click.echo(f"第{one['row']}行 {one['rule']} {one['message']}", err=True)
    sys.exit(FINDINGS if refused else DONE)


@click.command("cancel", help="撤销已上传的对码（3302）")
@_CONFIG
@_INSTITUTION
@_SYSTEM
@click.argument("codes", nargs=-1)
@click.option("--retired", is_flag=True, help="撤销全部已不再生效的对码")
@click.option("--settled", is_flag=True, help="确认这些项目没有未结算明细，不再检查")
@_OPERATOR
@_JSON
@click.pass_obj
def cancel(
    outside: Outside, config: str, institution: str, system: str, codes: tuple[str, ...], retired: bool, settled: bool,
    operator: str, as_json: bool,
) -> None:  # fmt: skip
    found = _place(config, institution, system, as_json)
    if not codes and not retired:
        end(USAGE, "请给出院内编码，或用--retired撤销全部已不再生效的对码", as_json=as_json)
    arguments: dict[str, object] = {"codes": list(codes), "retired": retired, "settled": settled}
    what = ("cancel", institution, system)
    with explained(as_json):
        status = order_and_wait(
            found.room("codes"), SCRIPTS, what, arguments, _operator(operator), outside.now, as_json
        )
    _ended(status, as_json)


@click.command("compare", help="与平台持有的对码比对（1317）")
@_CONFIG
@_INSTITUTION
@_SYSTEM
@_OPERATOR
@_JSON
@click.pass_obj
def compare(outside: Outside, config: str, institution: str, system: str, operator: str, as_json: bool) -> None:
    found = _place(config, institution, system, as_json)
    what = ("compare", institution, system)
    with explained(as_json):
        status = order_and_wait(found.room("codes"), SCRIPTS, what, {}, _operator(operator), outside.now, as_json)
    _ended(status, as_json)


@click.command("uploads", help="已上传对码的状态，或一个院内编码的全部经过")
@_CONFIG
@_INSTITUTION
@_SYSTEM
@click.argument("code", default="")
@_JSON
def uploads_shown(config: str, institution: str, system: str, code: str, as_json: bool) -> None:
    found = _place(config, institution, system, as_json)
    store = found.room("codes")
    with explained(as_json):
        if code:
            ask = lambda orders: UploadsStore(orders.connection).history(institution, system, code)  # noqa: E731
            _told_history(_looked(store, ask), as_json)
        held = _looked(store, lambda orders: UploadsStore(orders.connection).held(institution, system))
    names = ("local_code", "list_type", "national_code", "begndate", "enddate", "state", "msgid", "detail")
    rows = [dict(zip(names, (*uploads.cells_of(row), row.state, row.msgid, row.detail), strict=True)) for row in held]
    lines = [
        f"{one['local_code']}\t{one['national_code']}\t{one['begndate']}\t{one['state']}\t{one['detail']}"
        for one in rows
    ]
    show({"rows": rows, "count": len(rows)}, [*lines, f"共{len(rows)}行"], as_json)


def _told_history(steps: list[tuple[object, ...]], as_json: bool) -> None:
    names = (
        "at",
        "order",
        "local_code",
        "list_type",
        "national_code",
        "begndate",
        "enddate",
        "state",
        "infno",
        "msgid",
    )
    plain = []
    for step in steps:
        at = f"{shanghai(float(str(step[0])) / 1000):%Y-%m-%d %H:%M:%S}"
        plain.append(dict(zip((*names, "detail"), (at, *step[1:]), strict=True)))
    lines = [
        f"{one['at']}  {one['national_code']}  {one['infno']}  {one['state']}  {one['msgid']}  {one['detail']}"
        for one in plain
    ]
    show({"history": plain, "count": len(plain)}, lines or ["没有记录"], as_json)
    sys.exit(DONE)


@click.command("fetch", help="从平台取一个目录或登记册的新版本（13xx：下载文件或分页查询）并导入")
@_CONFIG
@_SYSTEM
@click.option("--ver", default="", help="从哪个版本之后开始；不给时从上次导入的版本")
@click.option("--transaction", default="", help="只用这个下载交易，如1301")
@_OPERATOR
@_JSON
@click.pass_obj
def fetch(outside: Outside, config: str, system: str, ver: str, transaction: str, operator: str, as_json: bool) -> None:
    found = load(config, as_json)
    known(system, as_json, register=True)
    infnos = [infno for infno, filled in downloads().items() if filled == system and transaction in ("", infno)]
    if not infnos:
        end(USAGE, f"{system}没有目录下载交易{transaction}（可用：{'、'.join(downloads())}）", as_json=as_json)
    _fetch(outside, found, system, infnos, ver, _operator(operator), as_json)


def _fetch(
    outside: Outside, config: Config, system: str, infnos: list[str], ver: str, operator: str, as_json: bool
) -> None:
    place = library_place(config)
    if place is None:
        end(USAGE, "没有机构使用目录下载的平台链路，请检查[codes] link和institution", as_json=as_json)
    link = config.platform[place[0]]
    region = build_region(read_files(), link.region, tuple(link.extensions)).transactions
    asked = [infno for infno in infnos if infno in region]
    if not asked:
        end(USAGE, f"区域{link.region}没有交易{'、'.join(infnos)}", as_json=as_json)
    arguments: dict[str, object] = {"infnos": asked, "ver": ver}
    with explained(as_json):
        what = ("fetch", place[1], system)
        status = order_and_wait(config.room("codes"), SCRIPTS, what, arguments, operator, outside.now, as_json)
    _ended(status, as_json)


@click.command("orders", help="交给节点的任务：进度与结果")
@_CONFIG
@click.option("--most", default=20, show_default=True, type=click.IntRange(1, 1000), help="最多列出多少条")
@_JSON
def orders(config: str, most: int, as_json: bool) -> None:
    store: Path = load(config, as_json).room("codes")
    with explained(as_json):
        rows = _looked(store, lambda orders: orders.newest(most))
    plain = [
        {
            "order": one.order.id, "kind": one.order.kind, "institution": one.order.institution,
            "system": one.order.system, "who": one.order.who,
            "created_at": f"{shanghai(one.order.created_ms / 1000):%Y-%m-%d %H:%M:%S}",
            "state": one.outcome or ("running" if one.taken else "waiting"), "done": one.done, "total": one.total,
            "note": one.note, "result": one.result,
        }
        for one in rows
    ]  # fmt: skip
    words = {**_STATES, "running": "执行中", "waiting": "等待节点"}
    lines = [
        f"{one['order']}\t{one['created_at']}\t{_KINDS.get(str(one['kind']), one['kind'])}\t{one['institution']}\t"
        f"{one['system']}\t{one['who']}\t{words[str(one['state'])]}\t{one['note']}"
        for one in plain
    ]
    show({"orders": plain, "count": len(plain)}, lines or ["没有任务"], as_json)
