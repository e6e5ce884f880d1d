"""`liangding codes`: national libraries and mappings from the command line (contract §2, annex X2, C1-C3).

The commands make and migrate the store themselves; no node need run; a running one picks a change up within 5 s.
"""

import getpass
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from gateway.app.cli_codes_compare import compare_regimes
from gateway.app.cli_codes_duty import duty_group
from gateway.app.cli_codes_map import mapping_group
from gateway.app.cli_codes_round import round_group
from gateway.app.codes_say import explained, progress, refuse
from gateway.app.codes_work import code_systems, import_library, reading
from gateway.app.say import USAGE, Outside, end, load, show
from gateway.codes.faults import Faults
from gateway.codes.library import record_of
from gateway.core.dates import day_of, shanghai

_JSON = click.option("--json", "as_json", is_flag=True, help="输出一个JSON对象")
_CONFIG = click.argument("config", type=click.Path())
_SYSTEM = click.argument("system")


@click.group(help="编码标准：国家目录与对码")
def codes() -> None:
    """`liangding codes`."""


codes.add_command(mapping_group)
codes.add_command(compare_regimes)
codes.add_command(duty_group)
codes.add_command(round_group)


def _operator() -> str:
    """Return the system account that runs the command; the trail wants a name even where there is none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def _known(system: str, as_json: bool) -> None:
    if system not in code_systems():
        end(USAGE, f"没有这个编码标准：{system}（可用：{'、'.join(sorted(code_systems()))}）", as_json=as_json)


@codes.command("libraries", help="各国家目录的版本、行数和当日可用数")
@_CONFIG
@_JSON
@click.pass_obj
def libraries(outside: Outside, config: str, as_json: bool) -> None:
    store = load(config, as_json).room("codes")
    today = day_of(outside.now())
    found = []
    with explained(as_json), reading(store) as reader:
        versions = reader.versions()
        for system, spec in sorted(code_systems().items(), key=lambda item: (item[1].no, item[0])):
            mine = [version for version in versions if version.system == system]
            rows = usable = 0
            for row in reader.library(system) if mine else ():
                rows += 1
                record = record_of(*row[1:])
                usable += record[1] <= today <= record[2]
            found.append(
                {
                    "system": system,
                    "name": spec.name_zh,
                    "ver": mine[-1].ver if mine else "",
                    "versions": len(mine),
                    "rows": rows,
                    "usable": usable,
                    "imported_at": f"{shanghai(mine[-1].at_ms / 1000):%Y-%m-%d %H:%M:%S}" if mine else "",
                }
            )
    lines = [
        f"{one['system']}\t{one['name']}\t{one['ver'] or '未导入'}\t{one['rows']}行\t{one['usable']}行可用"
        for one in found
    ]
    show({"libraries": found, "date": today}, lines, as_json)


@codes.command("import", help="导入国家目录文件（CSV、TSV或13xx下载的压缩包）为新版本")
@_CONFIG
@_SYSTEM
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--ver", default="", help="版本号；不给时取文件中版本号列的最大值")
@click.option("--operator", default="", help="经办人；不给时取系统账号")
@_JSON
@click.pass_obj
def import_file(outside: Outside, config: str, system: str, file: Path, ver: str, operator: str, as_json: bool) -> None:
    store = load(config, as_json).room("codes")
    _known(system, as_json)
    with explained(as_json), progress(file) as tick:
        done = import_library(store, system, file, ver, outside.now(), operator or _operator(), tick)
    if isinstance(done, Faults):
        refuse(done, str(file), as_json)
    plain = {"system": done.system, "ver": done.ver, "rows": done.rows, "digest": done.digest}
    show(plain, [f"已导入{done.system}：版本{done.ver}，{done.rows}行，已生效"], as_json)


@codes.command("show", help="一个国家编码在各版本中的记录")
@_CONFIG
@_SYSTEM
@click.argument("code")
@_JSON
def show_code(config: str, system: str, code: str, as_json: bool) -> None:
    store = load(config, as_json).room("codes")
    _known(system, as_json)
    with explained(as_json), reading(store) as reader:
        found: list[dict[str, Any]] = reader.show(system, code)
    for one in found:
        one["raw"] = json.loads(one["raw"])
    if not found:
        end(1, f"{system}的已导入目录中没有{code}", as_json=as_json)
    show({"system": system, "code": code, "records": found}, [line for one in found for line in _told(one)], as_json)


def _told(one: Mapping[str, Any]) -> list[str]:
    span = f"{one['begndate'] or '不限'}至{one['enddate'] or '不限'}"
    state = "灰码" if one["gray"] == "1" else ("有效" if one["vali_flag"] == "1" else "停用")
    head = f"{one['code']} {one['name']}  版本{one['ver']}  {span}  {state}"
    return [head, *(f"  {title}：{value}" for title, value in one["raw"].items())]


@codes.command("search", help="按编码开头或名称包含的文字查找")
@_CONFIG
@_SYSTEM
@click.argument("text")
@click.option("--most", default=50, show_default=True, type=click.IntRange(1, 10_000), help="最多列出多少条")
@_JSON
def search(config: str, system: str, text: str, most: int, as_json: bool) -> None:
    store = load(config, as_json).room("codes")
    _known(system, as_json)
    names = ("code", "name", "begndate", "enddate", "vali_flag", "gray")
    with explained(as_json), reading(store) as reader:
        found = [dict(zip(names, row, strict=True)) for row in reader.search(system, text, most)]
    lines = [f"{one['code']}\t{one['name']}\t{one['begndate']}\t{one['enddate']}\t{one['vali_flag']}" for one in found]
    show({"system": system, "rows": found, "count": len(found)}, [*lines, f"共{len(found)}条"], as_json)
