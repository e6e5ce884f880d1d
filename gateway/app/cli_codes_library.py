"""`liangding codes export|diff|history|record`: one library's versions, what sets them apart, records by hand."""

from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path
from typing import Any

import click

from adapters.files.export import write_table
from adapters.store.codes_library_reader import LibraryLook
from gateway.app.bars import progress
from gateway.app.codes_compare import Order, Reach, UnknownVersion, compare
from gateway.app.codes_files import reading
from gateway.app.codes_library import change_record
from gateway.app.codes_look import export
from gateway.app.codes_say import explained, known, operator_of, refuse
from gateway.app.say import FINDINGS, USAGE, Outside, end, load, show
from gateway.codes.difference import Change
from gateway.codes.faults import Faults
from gateway.core.dates import day_of, is_date, shanghai

_JSON = click.option("--json", "as_json", is_flag=True, help="输出一个JSON对象")
_CONFIG = click.argument("config", type=click.Path())
_SYSTEM = click.argument("system")
KINDS = {"added": "新增", "removed": "删除", "changed": "修改"}
SHOWN = 20


def _day(day: str, as_json: bool) -> str:
    if day and not is_date(day):
        end(USAGE, f"日期{day}应为yyyy-MM-dd的真实日期", as_json=as_json)
    return day


@click.command("export", help="导出一个目录为CSV：在用的，或某个版本当时的；可只取某日可用的")
@_CONFIG
@_SYSTEM
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="写入哪个文件")
@click.option("--ver", default="", help="某个版本生效时的目录；不给时为在用的目录")
@click.option("--date", "day", default="", help="只导出该日可用的记录")
@_JSON
def export_library(config: str, system: str, out: Path, ver: str, day: str, as_json: bool) -> None:
    store = load(config, as_json).room("codes")
    spec = known(system, as_json, register=True)
    _day(day, as_json)
    with explained(as_json), reading(store) as reader:
        try:
            versions = LibraryLook.of(reader, system).up_to(ver)
        except KeyError as cause:
            raise UnknownVersion(ver) from cause
        count = export(reader, spec, versions, day, out)
    show({"system": system, "rows": count, "out": str(out)}, [f"已导出{system}：{count}行，写入{out}"], as_json)


@click.command("diff", help="两个版本的差异，或未导入的文件与在用目录的差异，以及对实际业务的影响")
@_CONFIG
@_SYSTEM
@click.option("--from", "before", default="", help="从哪个版本；不给时为最新版本的前一个")
@click.option("--to", "after", default="", help="到哪个版本；不给时为最新版本")
@click.option("--file", type=click.Path(path_type=Path), help="尚未导入的文件，与在用目录比较")
@click.option("--full", is_flag=True, help="该文件是全量：在用而文件中没有的编码算删除")
@click.option("--transaction", default="", help="文件没有标题行时，按哪个下载交易的列（如1301）")
@click.option("--date", "day", default="", help="按哪一天判断可用；不给时为今天")
@click.option("--days", default=30, show_default=True, type=click.IntRange(1, 400), help="统计最近多少天的业务")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="把全部差异写入CSV文件")
@click.option("--most", default=SHOWN, show_default=True, type=click.IntRange(0, 10_000), help="最多列出多少条")
@_JSON
@click.pass_obj
def diff(
    outside: Outside, /, config: str, system: str, as_json: bool, out: Path | None, most: int, **asked: Any
) -> None:  # fmt: skip
    settings = load(config, as_json)
    known(system, as_json, register=True)
    file, days = asked["file"], asked["days"]
    if file and (asked["before"] or asked["after"]):
        end(USAGE, "--file 与 --from、--to 不能同时使用", as_json=as_json)
    order = Order(
        system=system, before=asked["before"], after=asked["after"], file=file, whole=asked["full"],
        transaction=asked["transaction"], day=_day(asked["day"], as_json) or day_of(outside.now()),
        since_ms=int((outside.now() - days * 86400) * 1000), journal=settings.journal,
    )  # fmt: skip
    shown: list[Change] = []
    with explained(as_json), progress(file or Path()) as tick:
        reach = compare(settings.room("codes"), order, _keeper(shown, most, out), tick)
    if isinstance(reach, Faults):
        if out is not None:
            out.unlink(missing_ok=True)
        refuse(reach, str(file), as_json, "未比较")
    show(_plain(reach, order, shown, days), _said(reach, order, shown, days), as_json)
    if reach.radius.changes:
        click.get_current_context().exit(FINDINGS)


def _keeper(shown: list[Change], most: int, out: Path | None) -> Callable[[Iterable[Change]], None]:
    """Return what takes the changes as they stream by: the first of them to show, all of them to the file."""

    def keep(changes: Iterable[Change]) -> None:
        source = iter(changes)
        for change in source:
            shown.append(change)
            if len(shown) >= most:
                break
        if out is not None:
            header = ("change", "code", "name", "column", "before", "after", "replaced_by", "dead")
            write_table(out, header, (row for change in chain(shown, source) for row in _rows(change)))
        for _ in source:
            continue

    return keep


def _rows(change: Change) -> list[tuple[str, ...]]:
    columns = change.columns or (("", "", ""),)
    dead = "1" if change.dead else "0"
    return [(change.kind, change.code, change.name, *one, change.replaced_by, dead) for one in columns]


def _plain(reach: Reach, order: Order, shown: list[Change], days: int) -> dict[str, Any]:
    radius = reach.radius
    return {
        "system": order.system, "from": reach.before, "to": reach.after, "date": order.day, "days": days,
        **{str(kind): number for kind, number in radius.count.items()}, "changes": radius.changes,
        "dead": len(radius.dead), "used_codes": radius.used_codes, "uses": radius.uses,
        "requests_refused": sum(reach.refused.values()), "refused_by_institution": reach.refused,
        "mappings_dying": [
            {"institution": one.institution, "local_code": one.local, "national_code": one.national,
             "replaced_by": one.replaced_by}
            for one in reach.dying
        ],
        "shown": [
            {"change": one.kind, "code": one.code, "name": one.name, "replaced_by": one.replaced_by,
             "dead": one.dead, "columns": [{"column": t, "before": b, "after": a} for t, b, a in one.columns]}
            for one in shown
        ],
    }  # fmt: skip


def _said(reach: Reach, order: Order, shown: list[Change], days: int) -> list[str]:
    radius, count = reach.radius, reach.radius.count
    lines = [
        f"{order.system}：从{reach.before or '（空）'}到{reach.after or '（空）'}",
        f"{radius.changes}个编码有变化：新增{count['added']}，删除{count['removed']}，修改{count['changed']}；"
        f"其中{len(radius.dead)}个在{order.day}不再可用",
        f"最近{days}天的业务用到其中{radius.used_codes}个编码、{radius.uses}次；"
        f"同样的业务若在{order.day}发生，将有{sum(reach.refused.values())}笔请求被拒绝",
    ]
    lines += [f"  {institution}：{number}笔" for institution, number in sorted(reach.refused.items())]
    lines += [f"在用的对码中有{len(reach.dying)}条将失效" if reach.dying else "没有在用的对码因此失效"]
    for one in reach.dying[:SHOWN]:
        instead = f"，可改对{one.replaced_by}" if one.replaced_by else ""
        lines.append(f"  {one.institution} {one.local} → {one.national}{instead}")
    for change in shown:
        columns = "；".join(
            f"{title}：{before or '（空）'} → {after or '（空）'}" for title, before, after in change.columns
        )
        lines.append(f"{KINDS[change.kind]} {change.code} {change.name}{'  ' + columns if columns else ''}")
    return lines


@click.command("history", help="一个目录的全部变更：谁、何时、做了什么")
@_CONFIG
@_SYSTEM
@_JSON
def history(config: str, system: str, as_json: bool) -> None:
    store = load(config, as_json).room("codes")
    known(system, as_json, register=True)
    with explained(as_json), reading(store) as reader:
        found = [
            {"at": f"{shanghai(at_ms / 1000):%Y-%m-%d %H:%M:%S}", "who": who, "what": what, "detail": detail}
            for at_ms, who, what, _, detail in LibraryLook.of(reader, system).trail()
        ]
    words = {"import_library": "导入目录", "change_record": "修改记录"}
    lines = [f"{one['at']}  {one['who']}  {words.get(one['what'], one['what'])}  {one['detail']}" for one in found]
    show({"system": system, "history": found}, lines, as_json)


# --- records by hand -------------------------------------------------------------------------------


@click.group("record", help="手工新增、修改、停用一条目录记录（留痕，原记录保留在历史中）")
def record_group() -> None:
    """`liangding codes record`."""


def _change(
    outside: Outside, config: str, system: str, code: str, changes: dict[str, str], reason: str, maker: str,
    create: bool, as_json: bool,
) -> None:  # fmt: skip
    store = load(config, as_json).room("codes")
    known(system, as_json, register=True)
    if not maker.strip() or not reason.strip():
        end(USAGE, "经办人（--maker）和原因（--reason）不能为空", as_json=as_json)
    with explained(as_json):
        done = change_record(store, system, code, changes, reason, outside.now(), maker, create)
    if isinstance(done, Faults):
        refuse(done, code, as_json, "未写入")
    plain = {"system": system, "code": code, "ver": done.ver}
    show(plain, [f"已写入{system} {code}：版本{done.ver}，已生效"], as_json)


@record_group.command("put", help="新增或修改一条记录")
@_CONFIG
@_SYSTEM
@click.argument("code")
@click.option("--name", help="名称")
@click.option("--begndate", help="开始日期")
@click.option("--enddate", help="结束日期；空文字 = 不限")
@click.option("--vali-flag", "vali_flag", type=click.Choice(["0", "1"]), help="有效标志")
@click.option("--replaced-by", "replaced_by", help="由哪个编码替代")
@click.option("--set", "cells", multiple=True, metavar="列=值", help="其他列，可重复")
@click.option("--maker", default="", help="经办人；不给时取系统账号")
@click.option("--reason", required=True, help="原因，写入留痕")
@_JSON
@click.pass_obj
def put(
    outside: Outside, /, config: str, system: str, code: str, cells: tuple[str, ...], maker: str, reason: str,
    as_json: bool, **fixed: str | None,
) -> None:  # fmt: skip
    if any("=" not in cell for cell in cells):
        end(USAGE, "--set 应写作 列=值", as_json=as_json)
    changes = {name: cell for name, _, cell in (one.partition("=") for one in cells)}
    changes |= {name: cell for name, cell in fixed.items() if cell is not None}
    _change(outside, config, system, code, changes, reason, maker or operator_of(), create=True, as_json=as_json)


@record_group.command("retire", help="停用一条记录：最后可用日之后不再可用，此前的业务不受影响")
@_CONFIG
@_SYSTEM
@click.argument("code")
@click.option("--date", "day", default="", help="最后可用的一天；不给时为今天")
@click.option("--replaced-by", "replaced_by", default="", help="由哪个编码替代")
@click.option("--maker", default="", help="经办人；不给时取系统账号")
@click.option("--reason", required=True, help="原因，写入留痕")
@_JSON
@click.pass_obj
def retire(
    outside: Outside, config: str, system: str, code: str, day: str, replaced_by: str, maker: str, reason: str,
    as_json: bool,
) -> None:  # fmt: skip
    changes = {"enddate": _day(day, as_json) or day_of(outside.now())}
    if replaced_by:
        changes["replaced_by"] = replaced_by
    _change(outside, config, system, code, changes, reason, maker or operator_of(), create=False, as_json=as_json)
