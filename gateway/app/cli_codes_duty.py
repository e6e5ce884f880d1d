"""`liangding codes duty`: entries of the registers kept here, from request to report (维护、审核、赋码、上报).

Looking comes before deciding: `review` and `assign` first show what would be decided and a check value (核对码), and do
it when they are given that value back.
"""

import sys
from pathlib import Path
from typing import cast

import click

from gateway.app.cli_codes_duty_look import duty_form, duty_list, duty_progress, duty_show
from gateway.app.codes_say import refuse
from gateway.app.duty_say import content_lines, deciding, desk_of, entry_record, fault_line, numbers
from gateway.app.duty_work import (
    assign,
    check_again,
    contents,
    export,
    file_requests,
    give_back,
    proposals,
    report,
    review,
)
from gateway.app.say import DONE, FINDINGS, Outside, show
from gateway.codes.duty_entries import ACTIONS, Action
from gateway.codes.faults import Faults

_JSON = click.option("--json", "as_json", is_flag=True, help="输出一个JSON对象")
_CONFIG = click.argument("config", type=click.Path())
_SYSTEM = click.argument("system")
_ENTRIES = click.argument("entries", nargs=-1, required=True)


@click.group("duty", help="自行维护的编码库：申报、检查、审核、赋码、退回、导出、上报、进度")
def duty_group() -> None:
    """`liangding codes duty`."""


for _look in (duty_form, duty_list, duty_show, duty_progress):
    duty_group.add_command(_look)


@duty_group.command("request", help="申报：把填好的表（CSV）存为申报，OWNER为机构编号或经办机构区划代码")
@_CONFIG
@click.argument("owner")
@_SYSTEM
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--maker", required=True, help="维护人（申报人）")
@click.option("--action", default="add", show_default=True, type=click.Choice(list(ACTIONS)), help="新增、变更或停用")
@_JSON
@click.pass_obj
def request(
    outside: Outside, config: str, owner: str, system: str, file: Path, maker: str, action: str, as_json: bool
) -> None:
    desk = desk_of(outside, config, as_json)
    with deciding(as_json):
        done = file_requests(desk, owner, system, cast(Action, action), file, maker)
    if isinstance(done, Faults):
        refuse(done, str(file), as_json)
    for finding in done.findings:
        click.echo(fault_line(*finding), err=True)
    first, last = done.entries[0], done.entries[-1]
    text = f"已申报f{done.number}：{len(done.entries)}条（{first}-{last}号），待审核"
    if done.findings:
        text += f"；其中{len(done.findings)}条有问题，审核时不会通过"
    plain = {
        "filing": done.number,
        "entries": list(done.entries),
        "findings": [dict(zip(("entry", "rule", "message"), one, strict=True)) for one in done.findings],
    }
    show(plain, [text], as_json)
    sys.exit(FINDINGS if done.findings else DONE)


@duty_group.command("check", help="重新检查：所列申报，不列则为全部待审核的申报")
@_CONFIG
@click.argument("entries", nargs=-1)
@_JSON
@click.pass_obj
def check(outside: Outside, config: str, entries: tuple[str, ...], as_json: bool) -> None:
    desk = desk_of(outside, config, as_json)
    with deciding(as_json):
        judged = check_again(desk, entries)
    wrong = [(one.id, *fault) for one, fault in judged if fault]
    plain = {
        "checked": len(judged),
        "findings": [dict(zip(("entry", "rule", "message"), one, strict=True)) for one in wrong],
    }
    lines = [*(fault_line(*one) for one in wrong), f"检查{len(judged)}条，{len(wrong)}条有问题"]
    show(plain, lines, as_json)
    sys.exit(FINDINGS if wrong else DONE)


@duty_group.command("review", help="审核：先查看内容和核对码，再用--accept核对码通过；审核人须与申报人不同")
@_CONFIG
@_ENTRIES
@click.option("--reviewer", required=True, help="审核人")
@click.option("--accept", "seen", default="", help="查看内容时给出的核对码")
@_JSON
@click.pass_obj
def review_entries(
    outside: Outside, config: str, entries: tuple[str, ...], reviewer: str, seen: str, as_json: bool
) -> None:
    desk = desk_of(outside, config, as_json)
    with deciding(as_json):
        if not seen:
            shown = contents(desk, entries, reviewer)
            lines, plain = [], []
            for one, values, found in shown.entries:
                lines += content_lines(desk.register(one.system), one, values, whole=True)
                lines += [f"    问题：{found[0]} {found[1]}"] if found else []
                plain.append({**entry_record(one), "content": values, "finding": found})
            lines.append(f"核对码 {shown.sight}：核对无误后，用 --accept {shown.sight} 通过；有误用 duty return 退回")
            show({"entries": plain, "accept": shown.sight}, lines, as_json)
            return
        passed, kept = review(desk, entries, reviewer, seen)
    for fault in kept:
        click.echo(fault_line(fault.line, fault.rule, fault.message), err=True)
    text = f"{len(passed)}条审核通过" + (f"（{numbers(passed)}号）" if passed else "")
    text += f"，{len(kept)}条有问题，未通过" if kept else ""
    refused = [{"entry": one.line, "rule": one.rule, "message": one.message} for one in kept]
    show({"reviewed": [one.id for one in passed], "refused": refused}, [text], as_json)
    sys.exit(FINDINGS if kept else DONE)


@duty_group.command("return", help="退回申报，说明原因")
@_CONFIG
@_ENTRIES
@click.option("--reviewer", required=True, help="审核人")
@click.option("--reason", required=True, help="退回原因，不要写人员姓名和证件号码")
@_JSON
@click.pass_obj
def return_entries(
    outside: Outside, config: str, entries: tuple[str, ...], reviewer: str, reason: str, as_json: bool
) -> None:
    desk = desk_of(outside, config, as_json)
    with deciding(as_json):
        done = give_back(desk, entries, reviewer, reason)
    show({"returned": [one.id for one in done]}, [f"已退回{len(done)}条（{numbers(done)}号）"], as_json)


@duty_group.command("assign", help="赋码：先查看建议的编码和核对码，再用--accept核对码确认；不会自动赋码")
@_CONFIG
@_ENTRIES
@click.option("--operator", default="", help="赋码人（审核机构），须与申报人不同")
@click.option("--code", default="", help="不用建议的编码，为一条申报指定编码")
@click.option("--division", default="", help="申报内容没有区划时给出6位区划代码")
@click.option("--accept", "seen", default="", help="查看建议时给出的核对码")
@_JSON
@click.pass_obj
def assign_codes(
    outside: Outside,
    config: str,
    entries: tuple[str, ...],
    operator: str,
    code: str,
    division: str,
    seen: str,
    as_json: bool,
) -> None:
    desk = desk_of(outside, config, as_json)
    with deciding(as_json):
        if seen:
            found, sight = assign(desk, entries, operator, seen, division, code), ""
        else:
            _, found, sight = proposals(desk, entries, division, code)
    lines = [f"{one.entry}号\t{one.code or one.why}" for one in found]
    if seen:
        lines.append(f"已赋码{len(found)}条")
    else:
        lines.append(f"以上是按本库已知的最大顺序号得出的建议，尚未赋码。核对码 {sight}：确认后用 --accept {sight}")
    plain = [{"entry": one.entry, "code": one.code, "why": one.why} for one in found]
    show({"assigned": bool(seen), "codes": plain, **({} if seen else {"accept": sight})}, lines, as_json)
    sys.exit(FINDINGS if any(not one.code for one in found) else DONE)


@duty_group.command("export", help="按国家维护窗口的格式导出待上报的申报（.csv或.xlsx）；列出申报号时可重新导出")
@_CONFIG
@_SYSTEM
@click.argument("entries", nargs=-1)
@click.option("--operator", required=True, help="经办人")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="输出文件，只有本人可读")
@_JSON
@click.pass_obj
def export_entries(
    outside: Outside, config: str, system: str, entries: tuple[str, ...], operator: str, out: Path, as_json: bool
) -> None:
    desk = desk_of(outside, config, as_json)
    with deciding(as_json):
        number, count, rest = export(desk, system, operator, out, entries)
    lines = [f"已导出x{number}：{count}条，{out}；录入国家维护窗口后用 duty report x{number} 登记上报"]
    if rest:
        lines.append(f"另有{rest}条，请再导出一次")
    show({"export": number, "count": count, "remaining": rest}, lines if count else ["没有待上报的申报"], as_json)


@duty_group.command("report", help="登记上报：日期和回执号")
@_CONFIG
@_ENTRIES
@click.option("--operator", required=True, help="经办人")
@click.option("--receipt", required=True, help="上报回执号或文号")
@click.option("--date", "day", default="", help="上报日期yyyy-MM-dd，默认今天")
@_JSON
@click.pass_obj
def report_entries(
    outside: Outside, config: str, entries: tuple[str, ...], operator: str, receipt: str, day: str, as_json: bool
) -> None:
    desk = desk_of(outside, config, as_json)
    with deciding(as_json):
        done = report(desk, entries, operator, receipt, day or desk.today)
    plain = {"reported": [one.id for one in done], "date": day or desk.today, "receipt": receipt}
    show(plain, [f"已登记上报{len(done)}条（{numbers(done)}号）"], as_json)
