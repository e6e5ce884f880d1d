"""`liangding codes map`: proposing mappings, bringing them into force by a second person, and looking at them."""

import sys
from pathlib import Path

import click

from adapters.files.export import write_rows, write_table
from gateway.app.bars import progress
from gateway.app.cli_codes_check import check_command
from gateway.app.cli_codes_life import NOTHING_SAID, history_command, retire_command, review_command
from gateway.app.codes_files import reading
from gateway.app.codes_life import current
from gateway.app.codes_place import place
from gateway.app.codes_say import explained, refuse, say_faults
from gateway.app.codes_work import Approved, approve, import_mapping
from gateway.app.lazily import Group
from gateway.app.say import DONE, FAILED, FINDINGS, USAGE, Outside, end, show
from gateway.codes.faults import Faults
from gateway.codes.local_facts import title

COLUMNS = ("local_code", "national_code", "valid_from", "valid_to", "evidence")

_JSON = click.option("--json", "as_json", is_flag=True, help="输出一个JSON对象")
_CONFIG = click.argument("config", type=click.Path())
_INSTITUTION = click.argument("institution")
_SYSTEM = click.argument("system")


@click.group("map", cls=Group, help="对码：导入、审核、导出、查看历史")
def mapping_group() -> None:
    """`liangding codes map`."""


for _command in (check_command, review_command, retire_command, history_command):
    mapping_group.add_command(_command)


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
    there = place(config, institution, system, as_json)
    if not maker.strip():
        end(USAGE, "MA17 经办人不能为空", as_json=as_json)
    with explained(as_json), progress(file) as tick:
        done = import_mapping(
            there.store, institution, system, file, maker, reviewer, outside.now(), tick, there.names_sent
        )
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
@click.option("--hash", "content", default="", help="核对时看到的内容摘要（map review）；不一致时不生效")
@_JSON
@click.pass_obj
def approve_batches(
    outside: Outside,
    config: str,
    institution: str,
    system: str,
    reviewer: str,
    every: bool,
    content: str,
    as_json: bool,
) -> None:
    there = place(config, institution, system, as_json)
    if every and content:
        end(USAGE, "--hash是一个文件的摘要，不能与--all同用", as_json=as_json)
    with explained(as_json):
        done, remaining = approve(
            there.store, institution, system, reviewer, every, outside.now(), content.lower(), there.names_sent
        )
    if content and not done:
        end(FAILED, f"{NOTHING_SAID}，--hash所指的内容没有生效：可能已复核或已退回", as_json=as_json)
    for one in done:
        say_faults(one.refused, one.source)
    lines = [_told(one) for one in done] or [NOTHING_SAID]
    if remaining:
        lines.append(f"另有{remaining}个更早的文件还有未生效的行，可用--all一并复核")
    show({"approvals": [_approval(one) for one in done], "remaining": remaining}, lines, as_json)
    sys.exit(FINDINGS if any(one.refused for one in done) else DONE)


@mapping_group.command("export", help="导出生效中的对码为CSV，文件名以.xlsx结尾时为Excel；院内描述列一并导出")
@_CONFIG
@_INSTITUTION
@_SYSTEM
@click.option("--out", type=click.Path(path_type=Path), help="输出文件；不给时写到标准输出")
@_JSON
def export(config: str, institution: str, system: str, out: Path | None, as_json: bool) -> None:
    store = place(config, institution, system, as_json).store
    with explained(as_json), reading(store) as reader:
        found = list(current(reader, institution, system))
    facts = sorted({fact for row in found for fact in row.facts})
    header = (*COLUMNS, *(title(fact) for fact in facts))
    rows = sorted(
        (
            row.local,
            row.national,
            row.valid_from,
            row.valid_to,
            row.evidence,
            *(row.facts.get(fact, "") for fact in facts),
        )
        for row in found
    )
    with explained(as_json):
        if as_json:
            show({"rows": [dict(zip(header, row, strict=True)) for row in rows], "count": len(rows)}, (), True)
        if out is not None:
            write_table(out, header, rows)
            if not as_json:
                click.echo(f"已导出{len(rows)}行到{out}")
        elif not as_json:
            write_rows(sys.stdout, header, rows)
