"""`liangding journal list|show|verify` and `liangding recover`: what happened to one msgid, as a readable story."""

import json
import sqlite3
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import click

import schemas
from adapters.crypto.keyfile import KeyFileError, load_key
from adapters.crypto.vault import Vault
from adapters.store.sqlite_batch import COLUMNS, entry_of
from adapters.store.sqlite_journal import SqliteJournal, StoreLocked, WrongKey
from adapters.store.verify import findings
from gateway.app.config import Config
from gateway.core.dates import SHANGHAI, shanghai
from gateway.core.model import Entry, StoreBroken
from gateway.core.money import yuan
from gateway.exchange.recovery import plan_recovery

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


def _open(config: Config) -> sqlite3.Connection:
    if not config.journal.exists():
        click.echo(f"日志库不存在：{config.journal}", err=True)
        sys.exit(1)
    connection = sqlite3.connect(f"file:{config.journal}?mode=ro", uri=True)
    try:
        connection.execute("SELECT 1 FROM journal LIMIT 1")
    except sqlite3.DatabaseError as cause:
        click.echo(f"日志库打不开：{config.journal}：{cause}", err=True)
        sys.exit(1)
    return connection


def _when(ms: int) -> str:
    return f"{shanghai(ms / 1000):%Y-%m-%d %H:%M:%S}.{ms % 1000:03d}"


def _since_ms(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as cause:
        raise click.BadParameter("应为ISO时间，例如2026-11-21T08:00:00") from cause
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


_filters = (
    click.option("--institution", default="", help="定点医药机构编号"),
    click.option("--msgid", default="", help="报文ID"),
    click.option("--state", multiple=True, type=click.Choice(sorted(_STATES)), help="状态，可重复"),
    click.option("--since", default="", help="起始时间（ISO）"),
    click.option("--limit", default=1000, show_default=True),
    click.option("--full", is_flag=True, help="附带结算内容（金额以分计）"),
    click.option("--json", "as_json", is_flag=True),
)


def _with_filters(command: Any) -> Any:
    for option in reversed(_filters):
        command = option(command)
    return command


def _select(
    connection: sqlite3.Connection, institution: str, msgid: str, state: tuple[str, ...], since: str, limit: int
) -> Iterator[Entry]:
    wheres, values = ["1 = 1"], []
    if institution:
        wheres.append("fixmedins_code = ?")
        values.append(institution)
    if msgid:
        wheres.append("msgid = ?")
        values.append(msgid)
    if state:
        wheres.append(f"state IN ({','.join('?' * len(state))})")
        values += state
    if since:
        wheres.append("created_ms >= ?")
        values.append(str(_since_ms(since)))
    # Only constants and question marks are put together; every value is a parameter.
    query = f"SELECT {COLUMNS} FROM journal_row WHERE {' AND '.join(wheres)} ORDER BY id DESC LIMIT ?"  # noqa: S608
    for row in connection.execute(query, (*values, limit)):
        yield entry_of(row)


@journal.command("list", help="列出日志")
@click.argument("config", type=click.Path())
@_with_filters
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
    from gateway.app.cli import load

    connection = _open(load(config))
    rows = [_plain(entry, full) for entry in _select(connection, institution, msgid, state, since, limit)]
    if as_json:
        click.echo(json.dumps({"rows": rows, "count": len(rows)}, ensure_ascii=False))
        return
    for row in rows:
        amount = row["medfee_sumamt"] or "-"
        click.echo(
            f"{row['created_at']}  {row['fixmedins_code']}  {row['infno']:6}  {row['msgid']:30}  "
            f"{_STATES.get(row['state'], row['state'])}  {amount:>12}  {row['setl_id']}"
        )
    click.echo(f"共{len(rows)}条")


@journal.command("show", help="一笔交易的经过")
@click.argument("config", type=click.Path())
@click.argument("msgid")
@click.option("--institution", default="")
@click.option("--json", "as_json", is_flag=True)
def show(config: str, msgid: str, institution: str, as_json: bool) -> None:
    from gateway.app.cli import load

    connection = _open(load(config))
    found = list(_select(connection, institution, msgid, (), "", 10))
    if not found:
        click.echo(f"日志中没有报文ID {msgid}", err=True)
        sys.exit(1)
    stories = [_story(connection, entry) for entry in found]
    if as_json:
        click.echo(json.dumps({"rows": stories, "count": len(stories)}, ensure_ascii=False))
        return
    for story in stories:
        _tell(story)


def _story(connection: sqlite3.Connection, entry: Entry) -> dict[str, Any]:
    events = connection.execute(
        "SELECT at_ms, state, reason FROM journal_event WHERE journal_id = ? ORDER BY number", (entry.id,)
    )
    evidence = connection.execute(
        "SELECT path, system, local_code, national_code, version, day FROM evidence WHERE journal_id = ? ORDER BY n",
        (entry.id,),
    )
    names = ("path", "system", "local_code", "national_code", "version", "day")
    return {
        **_plain(entry, full=True),
        "events": [{"at": _when(at), "state": state, "reason": reason} for at, state, reason in events],
        "evidence": [dict(zip(names, row, strict=True)) for row in evidence],
    }


def _tell(story: dict[str, Any]) -> None:
    click.echo(f"报文 {story['msgid']}  交易 {story['infno']}  机构 {story['fixmedins_code']}")
    click.echo(f"  结果：{_STATES.get(story['state'], story['state'])}  结算ID {story['setl_id'] or '-'}")
    click.echo(f"  医疗费总额 {story['medfee_sumamt'] or '-'}  已交付机构：{'是' if story['delivered'] else '否'}")
    for event in story["events"]:
        click.echo(f"  {event['at']}  {_STATES.get(event['state'], event['state'])}（{event['reason']}）")
    for row in story["evidence"]:
        click.echo(
            f"    {row['path']}  {row['system']}  {row['local_code']} → {row['national_code']}  "
            f"{row['day']} {row['version']}"
        )


@journal.command("verify", help="重算日志链")
@click.argument("config", type=click.Path())
@click.option("--json", "as_json", is_flag=True)
def verify(config: str, as_json: bool) -> None:
    from gateway.app.cli import load

    connection = _open(load(config))
    try:
        found = list(findings(connection))
        count = connection.execute("SELECT count(*) FROM journal_event").fetchone()[0]
    except sqlite3.DatabaseError as cause:
        found, count = [f"日志库无法读取：{cause}"], 0
    if as_json:
        click.echo(json.dumps({"ok": not found, "events": count, "findings": found}, ensure_ascii=False))
    elif not found:
        click.echo(f"日志链完整：{count}条事件，每条记录与其事件一致")
    for line in found:
        click.echo(line, err=True)
    sys.exit(1 if found else 0)


@click.command(help="显示重启时将如何恢复；--apply 直接执行")
@click.argument("config", type=click.Path())
@click.option("--apply", "do_it", is_flag=True)
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def recover(outside: Any, config: str, do_it: bool, as_json: bool) -> None:
    from gateway.app.cli import fail, load

    found = load(config, as_json)
    if not found.journal.exists():
        fail([f"日志库不存在：{found.journal}"], as_json, 1)
    try:
        vault = Vault(load_key(found.key_file), found.store.cipher, outside.entropy)
        store = SqliteJournal.open(Path(found.journal), vault, list(schemas.read("migrations/journal", ".sql")))
    except (StoreLocked, StoreBroken, WrongKey, KeyFileError) as cause:
        fail([f"不能打开日志库（节点正在运行？）：{cause}"], as_json)
        return
    infcode = {name: link.infcode or "number" for name, link in found.platform.items()}
    plan = plan_recovery(store.open_entries(), outside.now(), lambda link: infcode.get(link, "number"))
    rows = [{**_plain(op.entry), "was": op.was, "to": op.to} for op in plan.ops]
    if do_it and plan.ops:
        store.commit(list(plan.ops))
    store.close()
    if as_json:
        click.echo(json.dumps({"rows": rows, "count": len(rows), "applied": do_it}, ensure_ascii=False))
        return
    for row in rows:
        click.echo(f"{row['msgid']}  {row['infno']}  {_STATES[row['was']]} → {_STATES[row['to']]}")
    click.echo(f"共{len(rows)}条{'，已恢复' if do_it else '待恢复，加 --apply 执行'}")
