"""`liangding security report`: who has which rights and does not use them, as text, page or workbook."""

import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import attrs
import click
import jinja2

from adapters.files.export import write_table
from adapters.files.whole import write_whole
from adapters.files.workbook import Cell, Sheet, write_workbook
from adapters.store.security import AuditFilter
from gateway.app.acting import Credentials, acting, told
from gateway.app.say import DONE, FAILED, FINDINGS, USAGE, Outside, end, load, show
from gateway.app.security_desk import SecurityDesk, security_desk
from gateway.core.dates import SHANGHAI, shanghai
from gateway.core.oswords import words_of
from gateway.security.accounts import Account
from gateway.security.review import KINDS, Remark, remarks

TITLE = "权限使用情况检查报告"
_TEMPLATES = Path(__file__).parent / "templates"
_PEOPLE = ("用户", "角色", "第二因素", "上次登录", "口令已用天数", "本期办理")
_REMARKS = ("事项", "用户", "角色", "情况", "处理")
_USES = ("用户", "角色", "授予日期", "上次使用")
_PEOPLE_KEYS = ("name", "roles", "second_factor", "login_at", "password_days", "acts")
_USES_KEYS = ("name", "role", "granted", "used_at")
REVIEW = "report:rights"
_DAY_MS = 86_400_000


@attrs.frozen(kw_only=True)
class Report:
    """What the report tells. people, uses: rows of texts; since: the day from which acts are counted."""

    made_at: str
    since: str
    reviewed: str  # when somebody last made this report under a name; '' = never
    days: int
    people: list[tuple[str, ...]]
    uses: list[tuple[str, ...]]
    remarks: list[Remark]


@click.command(help="权限使用情况：未使用、不相容的角色，缺第二因素、口令逾期的账户；有需处理的退出码为3")
@click.argument("config", type=click.Path())
@click.option("--since", default="", help="从哪天起统计办理次数（yyyy-MM-dd），默认为[security] unused_days之前")
@click.option(
    "--out", type=click.Path(path_type=Path), help="写成网页（.html）、Excel（.xlsx）或CSV（.csv，只有需要处理的事项）"
)
@acting
@click.option("--json", "as_json", is_flag=True, help="输出一个JSON对象")
@click.pass_obj
def report(
    outside: Outside, config: str, since: str, out: Path | None, as_json: bool, credentials: Credentials
) -> None:
    found = load(config, as_json)
    write = _writer(out, as_json)
    start_ms = _start_ms(since, as_json) or int(outside.now() * 1000) - found.security.unused_days * _DAY_MS
    with told(as_json), security_desk(found, outside.now, outside.entropy) as desk:
        person = credentials.person(desk) if credentials.name else None
        if person is not None:
            desk.allow(person, "security.report")
        made = _made(desk, start_ms)
        if person is not None:  # the periodic look leaves its own row: who looked, and how much was found
            found_text = f"{len(made.people)} people, {len(made.remarks)} remarks"
            desk.trail.record(person.name, "report.rights", REVIEW, before=made.reviewed, after=found_text)
    if out is not None and write is not None:
        try:
            write(out, made)
        except OSError as cause:
            end(FAILED, f"报告无法写入：{out}（{words_of(cause)}）", as_json=as_json)
    plain: dict[str, Any] = {
        "made_at": made.made_at, "since": made.since, "reviewed": made.reviewed, "users": len(made.people),
        "count": len(made.remarks), "remarks": [attrs.asdict(one) for one in made.remarks],
        "people": [dict(zip(_PEOPLE_KEYS, row, strict=True)) for row in made.people],
        "uses": [dict(zip(_USES_KEYS, row, strict=True)) for row in made.uses],
    }  # fmt: skip
    lines = [f"{KINDS[one.kind]}  {one.name or '—'}  {one.text}；{one.todo}" for one in made.remarks]
    total = f"{len(made.people)}个用户，{len(made.remarks)}项需要处理；上次检查：{made.reviewed or '从未'}"
    show(plain, [*lines, total], as_json)
    sys.exit(FINDINGS if made.remarks else DONE)


def _made(desk: SecurityDesk, start_ms: int) -> Report:
    accounts, uses, now_ms = desk.people.everybody(), desk.store.uses(), desk.people.now_ms()
    days = desk.config.security.unused_days
    acts = desk.store.acts(start_ms)
    return Report(
        made_at=_time(now_ms), since=_time(start_ms)[:10], days=days, reviewed=_reviewed(desk),
        people=[_person(desk, one, now_ms, acts.get(one.name, 0)) for one in accounts],
        uses=[
            (one.name, desk.roles.title(role), _time(at)[:10], _time(uses[place]) if place in uses else "从未")
            for one in accounts
            for role, at in one.roles.items()
            for place in [(one.name, role)]
        ],
        remarks=remarks(accounts, uses, desk.roles, desk.people.policy, now_ms, days),
    )  # fmt: skip


def _reviewed(desk: SecurityDesk) -> str:
    rows = desk.store.found(AuditFilter(action="report.rights", subject=REVIEW), 1)
    return _time(rows[-1].at_ms) if rows else ""


def _person(desk: SecurityDesk, one: Account, now_ms: int, acts: int) -> tuple[str, ...]:
    factors = "、".join(text for holds, text in ((one.seed, "动态口令"), (one.certificate, "证书")) if holds)
    titles = "、".join(map(desk.roles.title, one.roles)) + ("（已锁定）" if one.locked else "")
    login = _time(one.login_ms) if one.login_ms else "从未"
    return one.name, titles, factors or "无", login, str((now_ms - one.password_ms) // _DAY_MS), str(acts)


def _rows(made: Report) -> list[tuple[str, ...]]:
    return [(KINDS[one.kind], one.name, one.role, one.text, one.todo) for one in made.remarks]


def _page(path: Path, made: Report) -> None:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    tables = (
        ("一、需要处理的事项", _REMARKS, _rows(made)), ("二、用户", _PEOPLE, made.people),
        ("三、角色与上次使用", _USES, made.uses),
    )  # fmt: skip
    text = environment.get_template("security.html").render(title=TITLE, made=made, tables=tables)
    write_whole(path, text.encode())


def _workbook(path: Path, made: Report) -> None:
    def sheet(name: str, head: tuple[str, ...], rows: list[tuple[str, ...]]) -> Sheet:
        cells: list[tuple[Cell, ...]] = [tuple(row) for row in rows]
        return Sheet(name, f"{TITLE}　{made.made_at}", head, cells)

    sheets = [
        sheet("需要处理", _REMARKS, _rows(made)), sheet("用户", _PEOPLE, made.people), sheet("角色", _USES, made.uses),
    ]  # fmt: skip
    write_workbook(path, sheets)


def _csv(path: Path, made: Report) -> None:
    write_table(path, _REMARKS, _rows(made))


_WRITERS: dict[str, Callable[[Path, Report], None]] = {".html": _page, ".xlsx": _workbook, ".csv": _csv}


def _writer(out: Path | None, as_json: bool) -> Callable[[Path, Report], None] | None:
    if out is not None and out.suffix not in _WRITERS:
        end(USAGE, f"--out应为.html、.xlsx或.csv：{out}", as_json=as_json)
    return None if out is None else _WRITERS[out.suffix]


def _start_ms(text: str, as_json: bool) -> int:
    if not text:
        return 0
    try:
        return int(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=SHANGHAI).timestamp() * 1000)
    except ValueError:
        end(USAGE, f"--since应为yyyy-MM-dd：{text}", as_json=as_json)


def _time(at_ms: int) -> str:
    return shanghai(at_ms / 1000).strftime("%Y-%m-%d %H:%M:%S")
