"""`liangding codes map`: proposing mappings, bringing them into force by a second person, and looking at them."""

import sys
from pathlib import Path

import click

from adapters.files.export import write_rows, write_table
from gateway.app.codes_files import code_systems, reading
from gateway.app.codes_say import explained, progress, refuse, say_faults
from gateway.app.codes_work import Approved, approve, import_mapping
from gateway.app.config import Config
from gateway.app.say import DONE, FINDINGS, USAGE, Outside, end, load, show
from gateway.codes.faults import Faults
from gateway.codes.systems import is_mappable
from gateway.core.dates import shanghai

COLUMNS = ("local_code", "national_code", "valid_from", "valid_to", "evidence")

_JSON = click.option("--json", "as_json", is_flag=True, help="输出一个JSON对象")
_CONFIG = click.argument("config", type=click.Path())
_INSTITUTION = click.argument("institution")
_SYSTEM = click.argument("system")


@click.group("map", help="对码：导入、审核、导出、查看历史")
def mapping_group() -> None:
    """`liangding codes map`."""


def _place(path: str, institution: str, system: str, as_json: bool) -> Config:
    """Read the configuration and check that the institution and the system exist (a typing error ends here)."""
    config = load(path, as_json)
    if institution not in {one.fixmedins_code for one in config.institution}:
        end(USAGE, f"配置中没有机构{institution}", as_json=as_json)
    if not is_mappable(system, code_systems()):
        known = "、".join([*sorted(code_systems()), "department", "dictionary:NAME"])
        end(USAGE, f"没有这个编码标准：{system}（可用：{known}）", as_json=as_json)
    return config


def _approval(done: Approved) -> dict[str, object]:
    return {
        "batch": done.batch,
        "version": f"m{done.batch}",
        "approved": done.approved,
        "refused": [fault.record(done.source) for fault in done.refused],
        "outdated": done.outdated,
    }


def _told(done: Approved) -> str:
    text = f"m{done.batch}：{done.approved}行已生效"
    if done.refused:
        text += f"，{len(done.refused)}行有问题，未生效"
    if done.outdated:
        text += f"，{done.outdated}行已由更新的文件取代"
    return text


@mapping_group.command("import", help="导入对码文件为草稿；同时给出复核人时直接生效")
@_CONFIG
@_INSTITUTION
@_SYSTEM
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--maker", required=True, help="对码经办人")
@click.option("--reviewer", default="", help="复核人，须与经办人不同")
@_JSON
@click.pass_obj
def import_file(
    outside: Outside, config: str, institution: str, system: str, file: Path, maker: str, reviewer: str, as_json: bool
) -> None:
    store = _place(config, institution, system, as_json).room("codes")
    if not maker.strip():
        end(USAGE, "MA17 经办人不能为空", as_json=as_json)
    with explained(as_json), progress(file) as tick:
        done = import_mapping(store, institution, system, file, maker, reviewer, outside.now(), tick)
    if isinstance(done, Faults):
        refuse(done, str(file), as_json)
    say_faults(done.findings, str(file))
    plain = {
        "batch": done.batch,
        "version": f"m{done.batch}",
        "rows": done.rows,
        "findings": [fault.record(str(file)) for fault in done.findings],
        "approved": done.approval.approved if done.approval else 0,
    }
    if done.approval is None:
        text = f"m{done.batch}：{done.rows}行已存为草稿，待复核"
        if done.findings:
            text += f"；其中{len(done.findings)}行有问题，复核时不会生效"
    else:
        text = _told(done.approval)
    show(plain, [text], as_json)
    sys.exit(FINDINGS if done.approval and done.findings else DONE)


@mapping_group.command("approve", help="复核并生效：最近一个待复核的文件，或用--all全部")
@_CONFIG
@_INSTITUTION
@_SYSTEM
@click.option("--reviewer", required=True, help="复核人，须与经办人不同")
@click.option("--all", "every", is_flag=True, help="全部待复核的文件，从旧到新")
@_JSON
@click.pass_obj
def approve_batches(
    outside: Outside, config: str, institution: str, system: str, reviewer: str, every: bool, as_json: bool
) -> None:
    store = _place(config, institution, system, as_json).room("codes")
    with explained(as_json):
        done, remaining = approve(store, institution, system, reviewer, every, outside.now())
    for one in done:
        say_faults(one.refused, one.source)
    lines = [_told(one) for one in done] or ["没有待复核的对码"]
    if remaining:
        lines.append(f"另有{remaining}个更早的文件还有未生效的行，可用--all一并复核")
    show({"approvals": [_approval(one) for one in done], "remaining": remaining}, lines, as_json)
    sys.exit(FINDINGS if any(one.refused for one in done) else DONE)


@mapping_group.command("export", help="导出生效中的对码为CSV")
@_CONFIG
@_INSTITUTION
@_SYSTEM
@click.option("--out", type=click.Path(path_type=Path), help="输出文件；不给时写到标准输出")
@_JSON
def export(config: str, institution: str, system: str, out: Path | None, as_json: bool) -> None:
    store = _place(config, institution, system, as_json).room("codes")
    with explained(as_json), reading(store) as reader:
        rows = sorted(row[:5] for row in reader.in_force(institution, system))
        if as_json:
            show({"rows": [dict(zip(COLUMNS, row, strict=True)) for row in rows], "count": len(rows)}, (), True)
        if out is not None:
            write_table(out, COLUMNS, rows)
            if not as_json:
                click.echo(f"已导出{len(rows)}行到{out}")
        elif not as_json:
            write_rows(sys.stdout, COLUMNS, rows)


@mapping_group.command("history", help="谁在何时对什么做了什么")
@_CONFIG
@_INSTITUTION
@_SYSTEM
@_JSON
def history(config: str, institution: str, system: str, as_json: bool) -> None:
    store = _place(config, institution, system, as_json).room("codes")
    with explained(as_json), reading(store) as reader:
        deeds = reader.history(institution, system)
    plain = [
        {"at": f"{shanghai(at_ms / 1000):%Y-%m-%d %H:%M:%S}", "who": who, "what": what, "id": number, "detail": detail}
        for at_ms, who, what, number, detail in deeds
    ]
    words = {"propose": "导入草稿", "approve": "复核生效"}
    lines = [f"{one['at']}  {one['who']}  {words[str(one['what'])]}  {one['detail']}" for one in plain]
    show({"history": plain, "count": len(plain)}, lines or ["没有记录"], as_json)
