"""`liangding codes duty form|list|show|progress`: what only looks. Nothing here shows a person's facts."""

import sys
from pathlib import Path

import click

from adapters.files.worksheet import write_sheet
from gateway.app.duty_desk import Box, Desk, DutyUsage, chosen, everything, opened
from gateway.app.duty_say import content_lines, deciding, desk_of, entry_line, entry_record, moment
from gateway.app.say import DONE, FINDINGS, Outside, show
from gateway.codes.duties import Field
from gateway.codes.duty_entries import ACTIONS, CORRECTS, Action, fields_for, masked, required_for
from gateway.codes.duty_steps import STATES, STEPS, TASKS, Known, Progress, Task, progress, tasks

PROGRESS_COLUMNS = (
    "月份",
    "编码库",
    "单位",
    "应办",
    "已办",
    "逾期",
    "未办",
    "申报",
    "审核通过",
    "赋码",
    "退回",
    "上报",
)
_EVENTS = ("filed", "reviewed", "assigned", "returned", "reported")
_KINDS = {
    "code": "国家编码",
    "date": "yyyy-MM-dd",
    "uscc": "18位，检查校验码",
    "identity": "居民身份证检查校验码",
    "cert_type": "01为居民身份证",
    "division": "6位区划代码",
    "institution": "12位机构编号",
    "flag": "0或1",
    "number": "已退回的申报号，可不填",
}

_JSON = click.option("--json", "as_json", is_flag=True, help="输出一个JSON对象")
_CONFIG = click.argument("config", type=click.Path())


@click.command("form", help="申报表的空表和填写说明，以及谁维护、谁审核")
@_CONFIG
@click.argument("system")
@click.option("--action", default="add", show_default=True, type=click.Choice(list(ACTIONS)), help="新增、变更或停用")
@click.option("--out", type=click.Path(path_type=Path), help="空表写到这个文件（.csv或.xlsx）")
@_JSON
@click.pass_obj
def duty_form(outside: Outside, config: str, system: str, action: Action, out: Path | None, as_json: bool) -> None:
    desk = desk_of(outside, config, as_json)
    with deciding(as_json):
        register = desk.register(system)
        needed = required_for(register, action)
        fields = [one for one in fields_for(register, action) if _asked(one, needed, action, register.assigns)]
        if out is not None:
            write_sheet(out, [one.zh for one in fields], (), private=False)
    days = desk.duties.days_of(system)
    lines = [
        f"{system}：维护 {register.maintains}；审核 {register.reviews}；上报 {register.reports_to}",
        f"赋码：{'审核通过后由审核机构赋码' if register.assigns else '由上级赋码，本级只审核、上报'}",
        f"期限（自然日）：审核{days.review}天，赋码{days.assign}天，上报{days.report}天，退回更正{days.correct}天",
        *(
            f"  {one.zh}{'（必填）' if one.name in needed else ''}  {_KINDS.get(one.kind, '')}".rstrip()
            for one in fields
        ),
    ]
    plain = {
        "system": system,
        "maintains": register.maintains,
        "reviews": register.reviews,
        "reports_to": register.reports_to,
        "assigns": register.assigns,
        "columns": [{"name": one.name, "title": one.zh, "required": one.name in needed} for one in fields],
    }
    show(plain, lines, as_json)


def _asked(field: Field, needed: tuple[str, ...], action: Action, assigns: bool) -> bool:
    """Say whether a blank form has a column for the field."""
    if action == "retire":
        return field.name in needed or field is CORRECTS
    return not (field.kind == "code" and action == "add" and assigns)


@click.command("list", help="申报清单")
@_CONFIG
@click.option("--system", default="", help="只列一个库")
@click.option("--owner", default="", help="只列一个单位")
@click.option("--state", default="", type=click.Choice(["", *STATES]), help="只列一种状态")
@click.option("--late", "only_late", is_flag=True, help="只列逾期未办的")
@_JSON
@click.pass_obj
def duty_list(
    outside: Outside, config: str, system: str, owner: str, state: str, only_late: bool, as_json: bool
) -> None:
    desk = desk_of(outside, config, as_json)
    with deciding(as_json):
        with desk.looking() as reader:
            entries = [one for one in everything(reader, system, owner) if state in ("", one.state)]
        rows = []
        lines = ["申报号\t编码库\t单位\t操作\t编码\t状态\t申报人\t申报日期\t下一步"]
        for one in entries:
            task = _open_task(desk, one)
            late = task is not None and task.late(desk.today)
            if only_late and not late:
                continue
            name, due = (task.name, task.due) if task else ("", "")
            rows.append({**entry_record(one), "next": name, "due": due, "late": late})
            word = f"{TASKS[name]}，期限{due}{'，已逾期' if late else ''}" if task else ""
            lines.append(f"{entry_line(one)}\t{word}")
    show({"entries": rows, "count": len(rows)}, [*lines, f"共{len(rows)}条"], as_json)


def _open_task(desk: Desk, entry: Known) -> Task | None:
    if entry.system not in desk.duties.register:
        return None  # no longer kept here
    found = tasks(entry, desk.register(entry.system).assigns, desk.duties.days_of(entry.system))
    return next((task for task in found if not task.done), None)


@click.command("show", help="一条申报的经过；人员信息遮盖，完整内容由审核人用review查看")
@_CONFIG
@click.argument("entry")
@_JSON
@click.pass_obj
def duty_show(outside: Outside, config: str, entry: str, as_json: bool) -> None:
    desk = desk_of(outside, config, as_json)
    with deciding(as_json):
        with desk.looking() as reader:
            found = chosen(reader, (entry,))
            if len(found) != 1:
                raise DutyUsage("一次只看一条申报")
            (one,) = found
            values = opened(Box.open(desk.config, desk.entropy, reader), reader, one)
        register = desk.register(one.system)
        lines = content_lines(register, one, values, whole=False)
        lines.append(f"  {moment(one.at_ms)}  {one.maker}  {STEPS['filed']}")
        for step in one.steps:
            words = "  ".join(text for text in (step.code, step.day, step.note) if text)
            lines.append(f"  {moment(step.at_ms)}  {step.who}  {STEPS[step.step]}  {words}".rstrip())
        fields = {field.name: field for field in fields_for(register, one.action)}
        plain = {
            **entry_record(one),
            "content": {name: masked(fields[name], text) for name, text in values.items()},
            "steps": [
                {"at": moment(s.at_ms), "who": s.who, "step": s.step, "code": s.code, "note": s.note, "day": s.day}
                for s in one.steps
            ],
        }
    show(plain, lines, as_json)


@click.command("progress", help="按月进度：各库、各单位应办、已办、逾期；有逾期时退出码为3")
@_CONFIG
@click.option("--month", default="", help="月份yyyy-MM，默认本月")
@click.option("--out", type=click.Path(path_type=Path), help="写到文件（.csv或.xlsx）")
@_JSON
@click.pass_obj
def duty_progress(outside: Outside, config: str, month: str, out: Path | None, as_json: bool) -> None:
    desk = desk_of(outside, config, as_json)
    month = month or desk.today[:7]
    with deciding(as_json):
        if len(month) != 7 or month[4] != "-" or not (month[:4] + month[5:]).isdigit() or not "01" <= month[5:] <= "12":
            raise DutyUsage("月份应为yyyy-MM")
        with desk.looking() as reader:
            found = progress(everything(reader), desk.duties, month, desk.today)
        rows = [_cells(month, one) for one in found]
        if out is not None:
            write_sheet(out, PROGRESS_COLUMNS, rows, private=False)
    plain = [
        {
            "system": one.system,
            "owner": one.owner,
            "due": one.due,
            "done": one.done,
            "late": one.late,
            "open": one.open,
            "tasks": one.by_task,
            "events": {name: one.events[name] for name in _EVENTS},
        }
        for one in found
    ]
    report_day = f"{month}-{desk.duties.days.progress_day:02d}"
    lines = ["\t".join(PROGRESS_COLUMNS), *("\t".join(row) for row in rows)]
    lines.append(f"共{len(rows)}行；本月进度应在{report_day}前上报")
    show({"month": month, "report_by": report_day, "rows": plain}, lines, as_json)
    sys.exit(FINDINGS if any(one.late for one in found) else DONE)


def _cells(month: str, one: Progress) -> tuple[str, ...]:
    figures = (one.due, one.done, one.late, one.open, *(one.events[name] for name in ("filed", "reviewed", "assigned")))
    return month, one.system, one.owner, *map(str, (*figures, one.events["returned"], one.events["reported"]))
