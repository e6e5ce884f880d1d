"""`liangding security approvals ...`: what waits for a second person, shown, approved, refused, carried out."""

import json
from typing import Any

import attrs
import click

from gateway.app.acting import Credentials, acting, command, told
from gateway.app.approving import CarryOut, executor, why
from gateway.app.config import Config
from gateway.app.say import FAILED, USAGE, Outside, end, load, show
from gateway.app.security_desk import security_desk
from gateway.core.approval import OPEN, Approval, NotAllowed
from gateway.core.dates import shanghai
from gateway.security.approving import STATES
from monitoring.redaction import escape_controls

_CONFIG = click.argument("config", type=click.Path())
_NUMBER = click.argument("number", type=click.IntRange(min=1), metavar="ID")
_JSON = click.option("--json", "as_json", is_flag=True, help="输出一个JSON对象")
_SHOWN_CHARS = 20_000


@attrs.frozen
class Outcome:
    """What became of one approval: as an object, as a line, and why it failed ('' when it did not)."""

    row: dict[str, Any]
    line: str
    failure: str = ""


@click.group(help="双人复核：一人提出，另一人看到同样的内容后批准或退回")
def approvals() -> None:
    """`liangding security approvals`."""


@approvals.command("list", help="待复核和待执行的事项；--state可查看已了结的")
@_CONFIG
@click.option("--kind", default="", help="某类事项及其下各类，如books")
@click.option("--state", "states", type=click.Choice(sorted(STATES)), multiple=True, help="状态，可重复")
@_JSON
@click.pass_obj
def list_approvals(outside: Outside, config: str, kind: str, states: tuple[Any, ...], as_json: bool) -> None:
    found = load(config, as_json)
    with told(as_json), security_desk(found, outside.now, outside.entropy) as desk:
        rows = [_row(one) for one in desk.approvals.listed(kind, states=states or OPEN)]
    lines = [
        f"{row['id']:6}  {row['proposed_at']}  {row['state_text']}  {row['kind']}  {row['subject']}  "
        f"经办{row['maker']}{'  复核' + row['checker'] if row['checker'] else ''}"
        for row in rows
    ]
    show({"rows": rows, "count": len(rows)}, [*lines, f"共{len(rows)}项"], as_json)


@approvals.command("show", help="看一项的内容（须以本人口令登录，查看记入审计）")
@_CONFIG
@_NUMBER
@acting
@_JSON
@click.pass_obj
def show_one(outside: Outside, config: str, number: int, as_json: bool, credentials: Credentials) -> None:
    found = load(config, as_json)
    with told(as_json), security_desk(found, outside.now, outside.entropy) as desk:
        person = credentials.person(desk, factors="one")
        one = desk.approvals.get(number)
        desk.allow(person, "approvals.security.view" if one.kind.startswith("security.") else "approvals.view")
        content = desk.approvals.content(number)
        desk.trail.record(person.name, "approval.view", f"approval:{number}", approval=number)
    text = _readable(content)
    row = {**_row(one), "reason": one.reason, "content": content.decode("utf-8", "replace")}
    lines = [
        f"第{one.id}号  {row['state_text']}  {one.kind}  {one.subject}",
        f"经办 {one.maker}  {row['proposed_at']}  理由：{escape_controls(one.reason)}",
        *([f"复核 {one.checker}  {row['decided_at']}"] if one.checker else []),
        f"内容摘要（SM3） {one.content_sm3}",
        *text.split("\n"),
    ]
    show(row, lines, as_json)


@approvals.command(help="批准一项或几项：须是另一个人，用第二因素；批准后立即执行")
@_CONFIG
@click.argument("numbers", type=click.IntRange(min=1), metavar="ID...", nargs=-1, required=True)
@click.option("--content", "digest", default="", help="所看内容的SM3摘要（至少8位），与事项不符则不批准；只用于一项")
@acting
@_JSON
@click.pass_obj
def approve(
    outside: Outside, config: str, numbers: tuple[int, ...], digest: str, as_json: bool, credentials: Credentials
) -> None:
    found = load(config, as_json)
    if digest and len(numbers) > 1:
        end(USAGE, "--content只用于一项", as_json=as_json)
    with told(as_json), security_desk(found, outside.now, outside.entropy) as desk:
        person = credentials.person(desk)
        if digest and not (len(digest) >= 8 and desk.approvals.get(numbers[0]).content_sm3.startswith(digest.lower())):
            raise NotAllowed("SEC-CONTENT", f"第{numbers[0]}号的内容不是摘要为{digest}的那一份，请重新查看")
    if len(numbers) == 1:
        with told(as_json), security_desk(found, outside.now, outside.entropy) as desk:
            one = desk.approvals.approve(person, numbers[0])
        _tell([_carry_out(found, outside, one, as_json)], as_json)
        return
    outcomes = []
    for number in dict.fromkeys(numbers):
        try:
            with told(as_json, but=NotAllowed), security_desk(found, outside.now, outside.entropy) as desk:
                one = desk.approvals.approve(person, number)
        except NotAllowed as cause:  # one that may not be approved keeps no other from it
            outcomes.append(Outcome({"id": number, "ok": False}, "", f"第{number}号：{cause}"))
        else:
            outcomes.append(_carry_out(found, outside, one, as_json))
    _tell(outcomes, as_json)


@approvals.command(help="再次执行已批准但执行失败的事项；限经办人和复核人")
@_CONFIG
@_NUMBER
@acting
@_JSON
@click.pass_obj
def execute(outside: Outside, config: str, number: int, as_json: bool, credentials: Credentials) -> None:
    found = load(config, as_json)
    with told(as_json), security_desk(found, outside.now, outside.entropy) as desk:
        person = credentials.person(desk)
        one = desk.approvals.get(number)
        if person.name not in (one.maker, one.checker):
            raise NotAllowed("SEC-RIGHT", f"只有经办人和复核人可以执行第{number}号")
        if one.state != "APPROVED":
            raise NotAllowed("SEC-NOT-APPROVED", f"第{number}号{STATES[one.state]}，不能执行")
        desk.trail.record(person.name, "approval.execute", f"approval:{number}", approval=number)
    _tell([_carry_out(found, outside, one, as_json)], as_json)


@approvals.command(help="退回，须写理由")
@_CONFIG
@_NUMBER
@click.option("--reason", required=True, help="退回的理由，记入审计")
@acting
@_JSON
@click.pass_obj
def refuse(outside: Outside, config: str, number: int, reason: str, as_json: bool, credentials: Credentials) -> None:
    found = load(config, as_json)
    with told(as_json), security_desk(found, outside.now, outside.entropy) as desk:
        one = desk.approvals.refuse(credentials.person(desk), number, reason)
    show({"ok": True, **_row(one)}, [f"已退回第{number}号"], as_json)


@approvals.command(help="撤回本人提出的事项")
@_CONFIG
@_NUMBER
@acting
@_JSON
@click.pass_obj
def withdraw(outside: Outside, config: str, number: int, as_json: bool, credentials: Credentials) -> None:
    found = load(config, as_json)
    with told(as_json), security_desk(found, outside.now, outside.entropy) as desk:
        one = desk.approvals.withdraw(credentials.person(desk), number)
    show({"ok": True, **_row(one)}, [f"已撤回第{number}号"], as_json)


def _carry_out(config: Config, outside: Outside, one: Approval, as_json: bool) -> Outcome:
    """Do what was approved, if it is done here, and note that it was."""
    done = executor(one.kind)
    if done is None:
        return Outcome({"ok": True, **_row(one), "done": False}, f"已批准第{one.id}号，由提出的一方执行")
    line, failure = _attempt(config, outside, one, done)
    with told(as_json), security_desk(config, outside.now, outside.entropy) as desk:
        if failure:
            desk.trail.record(one.checker, "approval.done", f"approval:{one.id}", approval=one.id, result="failed")
        else:
            one = desk.approvals.use_up(one.id)
    if failure:
        again = command(config, "approvals", "execute", one.id, who="经办人或复核人")
        hours = f"{config.security.use_h:g}小时内"
        todo = f"原因排除后{hours}再次执行：{again}；要求重新提出的，重新提出，原批准随之作废"
        text = f"[SEC-EXECUTE] 第{one.id}号已批准，但没有执行成：{failure}。{todo}"
        return Outcome({**_row(one), "ok": False}, "", text)
    return Outcome({"ok": True, **_row(one), "done": True, "text": line}, f"已批准并执行第{one.id}号：{line}")


def _tell(outcomes: list[Outcome], as_json: bool) -> None:
    """Say what became of each; ends with exit code 1 when something failed."""
    failures = [one.failure for one in outcomes if one.failure]
    if len(outcomes) == 1 and failures:
        end(FAILED, *failures, as_json=as_json)
    rows = [one.row for one in outcomes]
    plain = rows[0] if len(rows) == 1 else {"ok": not failures, "rows": rows, "count": len(rows)}
    show(plain, [one.line for one in outcomes if one.line], as_json)
    if failures:
        end(FAILED, *failures)


def _attempt(config: Config, outside: Outside, one: Approval, done: CarryOut) -> tuple[str, str]:
    """Return (what was done, what failed); one of the two is empty."""
    with told(False), security_desk(config, outside.now, outside.entropy) as desk:
        content = desk.approvals.content(one.id)
    try:
        return done(config, one, content, outside) or "", ""
    except Exception as cause:  # boundary: whatever stops a room, the approval stays and its two people are told
        return "", why(cause)


def _row(one: Approval) -> dict[str, Any]:
    return {
        "id": one.id, "kind": one.kind, "subject": one.subject, "content_sm3": one.content_sm3, "maker": one.maker,
        "checker": one.checker, "state": one.state, "state_text": STATES[one.state],
        "proposed_at": _time(one.proposed_ms), "decided_at": _time(one.decided_ms) if one.decided_ms else "",
    }  # fmt: skip


def _time(at_ms: int) -> str:
    return shanghai(at_ms / 1000).strftime("%Y-%m-%d %H:%M:%S")


def _readable(content: bytes) -> str:
    """Return a content as people read it: JSON indented, its `summary` (Chinese lines) first; nothing in it moves the
    terminal's cursor."""
    try:
        tree = json.loads(content)
    except (ValueError, RecursionError):
        text = content.decode("utf-8", "replace")
    else:
        summary = tree.get("summary", []) if isinstance(tree, dict) else []
        lines = [str(one) for one in summary] if isinstance(summary, list) else [str(summary)]
        text = "\n".join([*lines, json.dumps(tree, ensure_ascii=False, indent=2)])
    lines = [escape_controls(line) for line in text[:_SHOWN_CHARS].split("\n")]
    if len(text) > _SHOWN_CHARS:
        lines.append(f"……（共{len(text)}字，其余从略，摘要覆盖全部）")
    return "\n".join(lines)
