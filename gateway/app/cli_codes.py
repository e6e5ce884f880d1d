"""`liangding codes`: national libraries and mappings from the command line (contract §2, annex X2, C1-C3).

The commands make and migrate the store themselves; no node need run; a running one picks a change up within 5 s.
"""

import json
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import click

from adapters.store.codes_library_reader import LibraryLook, StoredRecord
from adapters.store.codes_reader import CodesReader
from gateway.app.bars import progress
from gateway.app.cli_codes_compare import compare_regimes
from gateway.app.cli_codes_coverage import coverage
from gateway.app.cli_codes_duty import duty_group
from gateway.app.cli_codes_library import diff, export_library, history, record_group
from gateway.app.cli_codes_map import mapping_group
from gateway.app.cli_codes_round import round_group
from gateway.app.cli_codes_suggest import suggest
from gateway.app.cli_codes_upload import cancel, compare, fetch, orders, upload, uploads_shown
from gateway.app.codes_checks import affected_mappings
from gateway.app.codes_files import code_systems, reading
from gateway.app.codes_library import import_library
from gateway.app.codes_look import SOON_DAYS, mapped, months, use_by_institution, validity
from gateway.app.codes_say import explained, known, operator_of, refuse
from gateway.app.lazily import Group
from gateway.app.say import Outside, end, load, show
from gateway.codes import spelling
from gateway.codes.faults import Faults
from gateway.core.dates import day_of, shanghai

_JSON = click.option("--json", "as_json", is_flag=True, help="输出一个JSON对象")
_CONFIG = click.argument("config", type=click.Path())
_SYSTEM = click.argument("system")
USE_DAYS = 30


@click.group(cls=Group, help="编码标准：国家目录与对码")
def codes() -> None:
    """`liangding codes`."""


for command in (
    mapping_group, export_library, diff, history, record_group, compare_regimes, coverage, fetch, orders, suggest,
    duty_group, round_group,
):  # fmt: skip
    codes.add_command(command)
for command in (upload, cancel, compare, uploads_shown):
    mapping_group.add_command(command)


def _overview(reader: CodesReader, system: str, today: str) -> dict[str, Any]:
    versions = reader.of(system)
    soon = (date.fromisoformat(today) + timedelta(days=SOON_DAYS)).isoformat()
    found = validity(reader, system, today, soon)
    return {
        "system": system,
        "ver": versions[-1].ver if versions else "",
        "versions": len(versions),
        "rows": found.rows,
        "usable": found.usable,
        "ends_soon": found.ends_soon,
        "imported_at": f"{shanghai(versions[-1].at_ms / 1000):%Y-%m-%d %H:%M:%S}" if versions else "",
    }


@codes.command("libraries", help="各国家目录的版本、行数和当日可用数")
@_CONFIG
@_JSON
@click.pass_obj
def libraries(outside: Outside, config: str, as_json: bool) -> None:
    store = load(config, as_json).room("codes")
    today = day_of(outside.now())
    with explained(as_json), reading(store) as reader:
        found = [
            {**_overview(reader, system, today), "name": spec.name_zh, "no": spec.no}
            for system, spec in sorted(code_systems().items(), key=lambda item: (item[1].no, item[0]))
        ]
    lines = [
        f"{one['system']}\t{one['name']}\t{one['ver'] or '未导入'}\t{one['rows']}行\t{one['usable']}行可用"
        + (f"\t{one['ends_soon']}行将在{SOON_DAYS}天内到期" if one["ends_soon"] else "")
        for one in found
    ]
    show({"libraries": found, "date": today}, lines, as_json)


@codes.command("analysis", help="一个目录的分析：行数、有效性、每月变化、各机构的使用和未对码数")
@_CONFIG
@_SYSTEM
@click.option("--days", default=USE_DAYS, show_default=True, type=click.IntRange(1, 400), help="统计最近多少天的使用")
@_JSON
@click.pass_obj
def analysis(outside: Outside, config: str, system: str, days: int, as_json: bool) -> None:
    settings = load(config, as_json)
    spec = known(system, as_json)
    today = day_of(outside.now())
    soon = (date.fromisoformat(today) + timedelta(days=SOON_DAYS)).isoformat()
    since_ms = int((outside.now() - days * 86400) * 1000)
    institutions = [one.fixmedins_code for one in settings.institution]
    with explained(as_json), reading(settings.room("codes")) as reader:
        counted = validity(reader, system, today, soon)
        found: dict[str, Any] = {
            "system": system, "name": spec.name_zh, "date": today, "rows": counted.rows,
            "validity": {
                "usable": counted.usable, "stopped": counted.stopped, "gray": counted.gray, "ended": counted.ended,
                "not_yet": counted.not_yet, "ends_soon": counted.ends_soon,
            },
            "months": months(LibraryLook.of(reader, system)),
            "use": use_by_institution(settings.journal, system, since_ms), "days": days,
            "mapped": mapped(reader, system, institutions),
        }  # fmt: skip
    show(found, _analysed(found), as_json)


def _analysed(found: Mapping[str, Any]) -> list[str]:
    one = found["validity"]
    return [
        f"{found['system']}（{found['name']}）：{found['rows']}行，{found['date']}可用{one['usable']}行",
        f"  停用{one['stopped']}，已过期{one['ended']}，未生效{one['not_yet']}，灰码{one['gray']}，"
        f"{SOON_DAYS}天内到期{one['ends_soon']}",
        *(
            f"  {month['month']}：新增{month['added']}，更新{month['again']}（版本{'、'.join(month['versions'])}）"
            for month in found["months"]
        ),
        *(
            f"  {use['institution']}：最近{found['days']}天使用{use['uses']}次，涉及{use['codes']}个国家编码"
            for use in found["use"]
        ),
        *(
            f"  {row['institution']}：院内编码{row['local_codes']}个，已对码{row['mapped']}，"
            f"认定无国家编码{row['decided_none']}，未对码{row['unmapped']}"
            for row in found["mapped"]
        ),
    ]


@codes.command("import", help="导入国家目录文件（CSV、TSV或13xx下载的压缩包）为新版本")
@_CONFIG
@_SYSTEM
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--ver", default="", help="版本号；不给时取文件中版本号列的最大值")
@click.option("--transaction", default="", help="文件没有标题行时，按哪个下载交易的列（如1301）")
@click.option("--full", is_flag=True, help="全量文件：文件中没有的编码从此不再在用；不给时为增量")
@click.option("--operator", default="", help="经办人；不给时取系统账号")
@_JSON
@click.pass_obj
def import_file(
    outside: Outside,
    config: str,
    system: str,
    file: Path,
    ver: str,
    transaction: str,
    full: bool,
    operator: str,
    as_json: bool,
) -> None:
    store = load(config, as_json).room("codes")
    known(system, as_json, register=True)
    with explained(as_json), progress(file) as tick:
        who = operator or operator_of()
        done = import_library(
            store, system, file, ver, outside.now(), who, tick, transaction=transaction, whole=full
        )  # fmt: skip
    if isinstance(done, Faults):
        refuse(done, str(file), as_json)
    with explained(as_json), reading(store) as reader:
        affected = affected_mappings(reader, code_systems(), system, day_of(outside.now()))
    plain = {
        "system": done.system, "ver": done.ver, "rows": done.rows, "digest": done.digest, "again": done.again,
        "before": done.before,
    }  # fmt: skip
    said = "与在用的版本是同一文件，未重复导入" if done.again else "已生效"
    if done.before:
        said += f"（其中{done.before}行是上次中断前已存的）"
    lines = [f"已导入{done.system}：版本{done.ver}，{done.rows}行，{said}"]
    lines += [
        f"  机构{code}有{count}条对码的国家编码已停用或将停用，用map check查看" for code, count in affected.items()
    ]
    show(plain | {"affected": affected}, lines, as_json)


@codes.command("show", help="一个国家编码在各版本中的记录")
@_CONFIG
@_SYSTEM
@click.argument("code")
@_JSON
def show_code(config: str, system: str, code: str, as_json: bool) -> None:
    store = load(config, as_json).room("codes")
    known(system, as_json, register=True)
    with explained(as_json), reading(store) as reader:
        look = LibraryLook.of(reader, system)
        versions = {version.id: version for version in look.versions}
        standing = {version.id for version in look.up_to()}
        found: list[dict[str, Any]] = [
            {
                **_record(record), "ver": versions[record.library].ver, "raw": json.loads(record.raw),
                "imported_at": f"{shanghai(versions[record.library].at_ms / 1000):%Y-%m-%d %H:%M:%S}",
                "operator": versions[record.library].operator, "source": versions[record.library].source,
                "in_force": False,
            }
            for record in look.history(code) if record.library in versions
        ]  # fmt: skip
        for one, record in zip(found, look.history(code), strict=True):
            if record.library in standing:
                one["in_force"] = True
                break
    if not found:
        end(1, f"{system}的已导入目录中没有{code}", as_json=as_json)
    show({"system": system, "code": code, "records": found}, [line for one in found for line in _told(one)], as_json)


def _record(record: StoredRecord) -> dict[str, Any]:
    names = ("code", "name", "begndate", "enddate", "vali_flag", "gray", "replaced_by")
    return {name: getattr(record, name) for name in names}


def _told(one: Mapping[str, Any]) -> list[str]:
    span = f"{one['begndate'] or '不限'}至{one['enddate'] or '不限'}"
    state = "灰码" if one["gray"] == "1" else ("有效" if one["vali_flag"] == "1" else "停用")
    head = f"{one['code']} {one['name']}  版本{one['ver']}{'（在用）' if one['in_force'] else ''}  {span}  {state}"
    if one["replaced_by"]:
        head += f"  由{one['replaced_by']}替代"
    return [head, *(f"  {title}：{value}" for title, value in one["raw"].items())]


@codes.command("search", help="按编码开头、名称中的文字或拼音首字母查找")
@_CONFIG
@_SYSTEM
@click.argument("text")
@click.option("--most", default=50, show_default=True, type=click.IntRange(1, 10_000), help="最多列出多少条")
@_JSON
def search(config: str, system: str, text: str, most: int, as_json: bool) -> None:
    store = load(config, as_json).room("codes")
    known(system, as_json, register=True)
    with explained(as_json), reading(store) as reader:
        records = LibraryLook.of(reader, system).search(
            text, spelling.question(text), lambda record: spelling.fits(text, record.name), most
        )
    found = [_record(record) for record in records]
    lines = [f"{one['code']}\t{one['name']}\t{one['begndate']}\t{one['enddate']}\t{one['vali_flag']}" for one in found]
    show({"system": system, "rows": found, "count": len(found)}, [*lines, f"共{len(found)}条"], as_json)
