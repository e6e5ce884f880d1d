"""`liangding journal list|show|verify` and `liangding recover`: what happened to one msgid, as a readable story."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import click

import schemas
from adapters.crypto.keyfile import load_key
from adapters.crypto.vault import Vault
from adapters.store.journal_reader import JournalReader, NotAJournal, reading
from adapters.store.sqlite_journal import SqliteJournal
from gateway.app.config import Config
from gateway.app.explain import explain
from gateway.app.facts import read_files
from gateway.app.say import DONE, FAILED, USAGE, Outside, end, load, show
from gateway.core.dates import SHANGHAI, shanghai
from gateway.core.model import Entry
from gateway.core.money import yuan
from gateway.core.regions import build_region
from gateway.exchange.recovery import Plan, plan_recovery

_STATES = {
    "JOURNALED": "已登记，等待发送",
    "SENT": "已标记发送，等待平台应答",
    "ACKED": "平台确认成功",
    "REJECTED": "平台业务拒绝",
    "NOT_SENT": "未送达平台，交易未发生",
    "IN_DOUBT": "结果未知",
    "REVERSING": "冲正进行中",
    "REVERSED": "已冲正",
    "CONFIRMED": "查询确认成功",
    "ABSENT": "平台无此记录",
    "MANUAL": "待人工处理",
    "DONE": "已答复",
}
_CONFIG = click.argument("config", type=click.Path())
_JSON = click.option("--json", "as_json", is_flag=True, help="输出一个JSON对象")
_EVIDENCE = ("path", "system", "local_code", "national_code", "version", "day")


def _there(config: Config, as_json: bool) -> None:
    if not config.journal.exists():
        end(FAILED, f"日志库不存在：{config.journal}", as_json=as_json)


@contextmanager
def _journal(config: str, as_json: bool) -> Iterator[JournalReader]:
    found = load(config, as_json)
    _there(found, as_json)
    try:
        with reading(found.journal) as reader:
            yield reader
    except NotAJournal as cause:
        end(FAILED, f"日志库打不开（不是交易日志，或已损坏）：{found.journal}：{cause}", as_json=as_json)


def _when(ms: int) -> str:
    return f"{shanghai(ms / 1000):%Y-%m-%d %H:%M:%S}.{ms % 1000:03d}"


def _since_ms(text: str, as_json: bool) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        end(USAGE, f"--since应为ISO时间，例如2026-11-21T08:00:00：{text}", as_json=as_json)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=SHANGHAI)
    return int(moment.timestamp() * 1000)


def _plain(entry: Entry, full: bool = False) -> dict[str, Any]:
    amount = entry.medfee_fen
    more = (
        {"mdtrt_id": entry.mdtrt_id, "klass": entry.klass, "settled": json.loads(entry.settled or "{}")} if full else {}
    )
    return more | {
        "msgid": entry.msgid,
        "infno": entry.infno,
        "fixmedins_code": entry.fixmedins_code,
        "state": entry.state,
        "setl_id": entry.setl_id,
        "omsgid": entry.omsgid,
        "medfee_sumamt": None if amount is None else yuan(amount),
        "created_at": _when(entry.created_ms),
        "delivered": entry.delivered,
    }


@click.group(help="交易日志")
def journal() -> None:
    """`liangding journal`."""


@journal.command("list", help="列出日志")
@_CONFIG
@click.option("--institution", default="", help="定点医药机构编号")
@click.option("--msgid", default="", help="报文ID")
@click.option("--state", multiple=True, type=click.Choice(sorted(_STATES)), help="状态，可重复")
@click.option("--since", default="", help="起始时间（ISO）")
@click.option("--limit", type=click.IntRange(min=1), default=1000, show_default=True)
@click.option("--full", is_flag=True, help="附带结算内容（金额以分计）")
@_JSON
def list_rows(
    config: str,
    institution: str,
    msgid: str,
    state: tuple[str, ...],
    since: str,
    limit: int,
    full: bool,
    as_json: bool,
) -> None:
    since_ms = _since_ms(since, as_json) if since else 0
    with _journal(config, as_json) as reader:
        rows = [_plain(entry, full) for entry in reader.rows(institution, msgid, state, since_ms, limit)]
    lines = [
        f"{row['created_at']}  {row['fixmedins_code']}  {row['infno']:6}  {row['msgid']:30}  "
        f"{_STATES[row['state']]}  {row['medfee_sumamt'] or '-':>12}  {row['setl_id']}"
        for row in rows
    ]
    show({"rows": rows, "count": len(rows)}, [*lines, f"共{len(rows)}条"], as_json)


@journal.command("show", help="一笔交易的经过")
@_CONFIG
@click.argument("msgid")
@click.option("--institution", default="", help="定点医药机构编号")
@_JSON
def show_one(config: str, msgid: str, institution: str, as_json: bool) -> None:
    with _journal(config, as_json) as reader:
        stories = [_story(reader, entry) for entry in reader.rows(institution, msgid)]
    if not stories:
        end(FAILED, f"日志中没有报文ID {msgid}", as_json=as_json)
    lines = [line for story in stories for line in _lines(story)]
    show({"rows": stories, "count": len(stories)}, lines, as_json)


def _story(reader: JournalReader, entry: Entry) -> dict[str, Any]:
    return {
        **_plain(entry, full=True),
        "events": [{"at": _when(at), "state": state, "reason": reason} for at, state, reason in reader.events(entry)],
        "evidence": [dict(zip(_EVIDENCE, row, strict=True)) for row in reader.evidence(entry)],
    }


def _lines(story: dict[str, Any]) -> Iterator[str]:
    yield f"报文 {story['msgid']}  交易 {story['infno']}  机构 {story['fixmedins_code']}"
    yield f"  结果：{_STATES[story['state']]}  结算ID {story['setl_id'] or '-'}"
    yield f"  医疗费总额 {story['medfee_sumamt'] or '-'}  已交付机构：{'是' if story['delivered'] else '否'}"
    for event in story["events"]:
        yield f"  {event['at']}  {_STATES[event['state']]}（{event['reason']}）"
    for row in story["evidence"]:
        yield (
            f"    {row['path']}  {row['system']}  {row['local_code']} → {row['national_code']}  "
            f"{row['day']} {row['version']}"
        )


@journal.command("verify", help="重算日志链")
@_CONFIG
@_JSON
def verify(config: str, as_json: bool) -> None:
    with _journal(config, as_json) as reader:
        events, found = reader.findings()
    if as_json:
        click.echo(json.dumps({"ok": not found, "events": events, "findings": found}, ensure_ascii=False))
    elif not found:
        click.echo(f"日志链完整：{events}条事件，每条记录与其事件一致")
    for line in found:
        click.echo(line, err=True)
    sys.exit(FAILED if found else DONE)


@click.command(help="显示重启时将如何恢复；--apply 直接执行")
@_CONFIG
@click.option("--apply", "do_it", is_flag=True, help="执行恢复（节点须已停止）")
@_JSON
@click.pass_obj
def recover(outside: Outside, config: str, do_it: bool, as_json: bool) -> None:
    found = load(config, as_json)
    _there(found, as_json)
    try:
        plan = _recovered(found, outside, do_it)
    except Exception as cause:  # boundary: whatever the store raises is one sentence and an exit code
        code, text = explain(cause)
        end(code, text, as_json=as_json)
    rows = [{**_plain(op.entry), "was": op.was, "to": op.to} for op in plan.ops]
    lines = [f"{row['msgid']}  {row['infno']}  {_STATES[row['was']]} → {_STATES[row['to']]}" for row in rows]
    lines.append(f"共{len(rows)}条{'，已恢复' if do_it else '待恢复，加 --apply 执行'}")
    show({"rows": rows, "count": len(rows), "applied": do_it}, lines, as_json)


def _recovered(config: Config, outside: Outside, do_it: bool) -> Plan:
    """Plan the recovery as the node would, and do it when asked."""
    files = read_files()
    infcode = {
        name: link.infcode or build_region(files, link.region, tuple(link.extensions)).infcode
        for name, link in config.platform.items()
    }
    vault = Vault(load_key(config.key_file), config.store.cipher, outside.entropy)
    store = SqliteJournal.open(config.journal, vault, list(schemas.read("migrations/journal", ".sql")))
    try:
        plan = plan_recovery(
            store.open_entries(), store.unfinished(), outside.now(), lambda link: infcode.get(link, "number")
        )
        if do_it and plan.ops:
            store.commit(list(plan.ops))
    finally:
        store.close()
    return plan
