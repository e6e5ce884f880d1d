"""`liangding audit verify|list|key`: the trail, computed again and read (contract §2; security requirements T23)."""

import json
import sys
from datetime import datetime
from typing import Any

import click

from adapters.crypto.sm2 import pem_of
from adapters.store.security import AuditFilter, SecurityStore
from gateway.app.acting import told
from gateway.app.audit_verify import Verified, keys_of, verify_audit
from gateway.app.config import Config
from gateway.app.say import DONE, FAILED, USAGE, Outside, end, load, show
from gateway.app.security_room import looking
from gateway.app.security_trail import SecurityBox, reason_of
from gateway.core.approval import NoSecurityRoom
from gateway.core.dates import SHANGHAI, shanghai
from gateway.core.trail import Row
from monitoring.redaction import redact

_CONFIG = click.argument("config", type=click.Path())
_JSON = click.option("--json", "as_json", is_flag=True, help="输出一个JSON对象")


@click.group(help="审计记录：只增不改，逐条成链，签名留存")
def audit() -> None:
    """`liangding audit`."""


@audit.command(help="逐条重算审计链，核对签名、库外检查点和各记录的状态；发现问题退出码为1")
@_CONFIG
@_JSON
def verify(config: str, as_json: bool) -> None:
    found = load(config, as_json)
    with told(as_json):
        result = verify_audit(found)
    if as_json:
        click.echo(json.dumps(_plain(result), ensure_ascii=False))
    else:
        for line in result.notices:
            click.echo(line)
        if not result.findings:
            text = f"审计记录完整：{result.entries}条，已签名至第{result.signed}条"
            click.echo(f"{text}，库内检查点{result.inside}个，库外检查点{result.outside}个")
    for line in result.findings:
        click.echo(line, err=True)
    sys.exit(FAILED if result.findings else DONE)


def _plain(result: Verified) -> dict[str, Any]:
    return {
        "ok": not result.findings, "entries": result.entries, "signed": result.signed, "row": result.row,
        "checkpoints": result.inside, "outside": result.outside, "findings": result.findings,
        "notices": result.notices,
    }  # fmt: skip


@audit.command("list", help="查看审计记录；理由中的个人信息已遮盖")
@_CONFIG
@click.option("--who", default="", help="某个用户")
@click.option("--action", default="", help="某类操作及其下各类，如login、approval、account")
@click.option("--subject", default="", help="某个对象，如account:zhang、approval:17")
@click.option("--since", default="", help="起始时间（ISO）")
@click.option("--limit", type=click.IntRange(1, 100_000), default=1000, show_default=True)
@_JSON
@click.pass_obj
def list_rows(
    outside: Outside, config: str, who: str, action: str, subject: str, since: str, limit: int, as_json: bool
) -> None:
    settings = load(config, as_json)
    wanted = AuditFilter(who=who, action=action, subject=subject, since_ms=_since_ms(since, as_json))
    with told(as_json), looking(settings) as store:
        if store is None:
            raise NoSecurityRoom(settings.room("security"), settings.file)
        rows = _rows(outside, settings, store, wanted, limit)
    lines = [_line(row) for row in rows]
    show({"rows": rows, "count": len(rows)}, [*lines, f"共{len(rows)}条"], as_json)


@audit.command(help="输出验证签名用的现用SM2公钥（PEM），可交给审计方保存；以前的见security key list")
@_CONFIG
def key(config: str) -> None:
    with told(False):
        settings = load(config)
        click.echo(pem_of(keys_of(settings).keys[-1].public), nl=False)


def _rows(
    outside: Outside, config: Config, store: SecurityStore, wanted: AuditFilter, limit: int
) -> list[dict[str, Any]]:
    found = store.found(wanted, limit)
    box = SecurityBox.open(config, outside.entropy, store)
    return [_row(row, redact(reason_of(box, row))) for row in found]


def _row(row: Row, reason: str) -> dict[str, Any]:
    return {
        "id": row.id, "at": shanghai(row.at_ms / 1000).isoformat(timespec="milliseconds"), "who": row.who,
        "roles": row.roles.split(",") if row.roles else [], "source": row.source, "request": row.request,
        "action": row.action, "subject": row.subject, "before": row.before, "after": row.after, "reason": reason,
        "approval": row.approval, "result": row.result,
    }  # fmt: skip


def _line(row: dict[str, Any]) -> str:
    words = [str(row["id"]), row["at"][:19].replace("T", " "), row["who"], row["action"], row["subject"]]
    words += [row["result"]] if row["result"] != "ok" else []
    words += [row["reason"]] if row["reason"] else []
    return "  ".join(words)


def _since_ms(text: str, as_json: bool) -> int:
    if not text:
        return 0
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        end(USAGE, f"--since应为ISO时间，例如2026-11-21T08:00:00：{text}", as_json=as_json)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=SHANGHAI)).timestamp() * 1000)
