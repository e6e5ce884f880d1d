"""`liangding journal list|show|verify` and `liangding recover`: what happened to one msgid, as a readable story."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import click

import schemas
from adapters.crypto.keyfile import load_key
from adapters.crypto.vault import Vault
from adapters.store.journal_reader import JournalReader, NotAJournal, reading
from adapters.store.sqlite_journal import SqliteJournal
from gateway.app.config import Config
from gateway.app.explain import explain
from gateway.app.facts import read_files
from gateway.app.journal_words import STATES
from gateway.app.lazily import Lazy
from gateway.app.say import DONE, FAILED, USAGE, Outside, end, load, show
from gateway.app.story import comparison, comparison_line, lines_of, more_of, plain, queue_row, story_of
from gateway.core.dates import SHANGHAI
from gateway.core.model import DOUBT, Reopen
from gateway.core.regions import build_region
from gateway.exchange.recovery import Plan, plan_recovery
from gateway.exchange.restoration import plan_restoration

_CONFIG = click.argument("config", type=click.Path())
_JSON = click.option("--json", "as_json", is_flag=True, help="输出一个JSON对象")


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


def _since_ms(text: str, as_json: bool) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        end(USAGE, f"--since应为ISO时间，例如2026-11-21T08:00:00：{text}", as_json=as_json)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=SHANGHAI)
    return int(moment.timestamp() * 1000)


# It needs the security room, which looking at the journal does not.
_ELSEWHERE = {"decide": "gateway.app.cli_journal_decide:decide_command"}


@click.group(cls=Lazy, elsewhere=_ELSEWHERE, help="交易日志")
def journal() -> None:
    """`liangding journal`."""


@journal.command("list", help="列出日志")
@_CONFIG
@click.option("--institution", default="", help="定点医药机构编号")
@click.option("--msgid", default="", help="报文ID")
@click.option("--state", multiple=True, type=click.Choice(sorted(STATES)), help="状态，可重复")
@click.option("--since", default="", help="起始时间（ISO）")
@click.option("--limit", type=click.IntRange(min=1), default=1000, show_default=True)
@click.option("--full", is_flag=True, help="附带结算内容（金额以分计）和经过")
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
        found = reader.rows(institution, msgid, state, since_ms, limit)
        rows = [plain(one) | (more_of(reader, one) if full else {}) for one in found]
    lines = [
        f"{row['created_at']}  {row['fixmedins_code']}  {row['infno']:6}  {row['msgid']:30}  "
        f"{STATES[row['state']]}  {row['medfee_sumamt'] or '-':>12}  {row['setl_id']}"
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
        stories = [story_of(reader, entry) for entry in reader.rows(institution, msgid)]
    if not stories:
        end(FAILED, f"日志中没有报文ID {msgid}", as_json=as_json)
    lines = [line for story in stories for line in lines_of(story)]
    show({"rows": stories, "count": len(stories)}, lines, as_json)


@journal.command("recovered", help="由备份恢复后向平台核对了什么")
@_CONFIG
@_JSON
def recovered(config: str, as_json: bool) -> None:
    with _journal(config, as_json) as reader:
        found = reader.compared()
    rows = [comparison(one) for one in found]
    lines = [comparison_line(row) for row in rows]
    if rows:
        lines.append(
            "没有列出的经办机构和清算类别没有问过：备份前400天里没有在那里结算过；在那里新发生的交易须另行核对"
        )
    else:
        lines.append("没有由备份恢复后的核对")
    show({"rows": rows, "count": len(rows)}, lines, as_json)


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
@click.option("--restored", is_flag=True, help="日志由备份恢复：下次启动先向平台核对，再受理（节点须已停止）")
@click.option("--open", "open_it", is_flag=True, help="由备份恢复的日志已由人核对：下次启动直接受理（节点须已停止）")
@_JSON
@click.pass_obj
def recover(outside: Outside, config: str, do_it: bool, restored: bool, open_it: bool, as_json: bool) -> None:
    if do_it + restored + open_it > 1:
        end(USAGE, "--apply、--restored、--open只能选一个", as_json=as_json)
    found = load(config, as_json)
    _there(found, as_json)
    try:
        plan = _recovered(found, outside, do_it, restored, open_it)
    except Exception as cause:  # boundary: whatever the store raises is one sentence and an exit code
        code, text = explain(cause)
        end(code, text, as_json=as_json)
    rows = [{**plain(op.entry), "was": op.was, "to": op.to} for op in plan.ops]
    queue = [{**plain(one.original), "queue": queue_row(one.saf)} for one in plan.queued]
    known = {one.record.id for one in plan.queued}
    doubts = [plain(one) for one in plan.holders if one.state in DOUBT and one.id not in known]
    lines = [f"{row['msgid']}  {row['infno']}  {STATES[row['was']]} → {STATES[row['to']]}" for row in rows]
    if restored:
        lines.append("已记下：日志由备份恢复，下次启动先向平台核对其后的交易，核对完才受理")
    elif open_it:
        lines.append(f"由备份恢复的日志已开放，其中{len(rows)}笔未了结的转人工")
    else:
        lines.append(f"共{len(rows)}条{'，已恢复' if do_it else '待恢复，加 --apply 执行'}")
    for row in queue:
        times, since = row["queue"]["attempt"], row["queue"]["opened_at"]
        lines.append(f"{row['msgid']}  {row['infno']}  冲正已发送{times}次，自 {since}")
    if queue:
        lines.append(f"冲正队列{len(queue)}笔，节点启动后继续发送")
    lines += [f"{row['msgid']}  {row['infno']}  结果未知，节点启动后查询或冲正" for row in doubts]
    show(
        {"rows": rows, "count": len(rows), "applied": do_it or open_it, "queue": queue, "doubts": doubts},
        lines,
        as_json,
    )


def _recovered(config: Config, outside: Outside, do_it: bool, restored: bool, open_it: bool) -> Plan:
    """Plan the recovery as the node would, and do it when asked; of a restored backup what a person says of it."""
    files = read_files()
    infcode = {
        name: link.infcode or build_region(files, link.region, tuple(link.extensions)).infcode
        for name, link in config.platform.items()
    }
    vault = Vault(load_key(config.key_file), config.store.cipher, outside.entropy)
    store = SqliteJournal.open(config.journal, vault, list(schemas.read("migrations/journal", ".sql")))
    try:
        if restored:
            store.restore()
            return Plan((), (), ())
        if open_it:
            ops = plan_restoration(store, outside.now())
            store.commit([*ops, Reopen()])
            return Plan(tuple(op for op in ops if op.was != op.to), (), ())
        if store.restored_ms is not None:
            raise ValueError("日志由备份恢复，尚未与平台核对：启动节点即开始核对，或由人核对后用 --open")
        plan = plan_recovery(
            store.open_entries(), store.unfinished(), outside.now(), lambda link: infcode.get(link, "number")
        )
        if do_it and plan.ops:
            store.commit(list(plan.ops))
    finally:
        store.close()
    return plan
