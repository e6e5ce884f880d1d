"""`liangding security retention list|delete|hold|release`: what is kept how long; deleting what is past it, by two."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from adapters.store.books import BooksError, OtherBooks
from adapters.store.journal_reader import NotAJournal
from adapters.store.sqlite_words import sqlite_words
from gateway.app.acting import Credentials, acting, told, waits
from gateway.app.config import Config
from gateway.app.retention import due, held, hold, propose, the_retention
from gateway.app.say import FAILED, Outside, end, load, show
from gateway.app.security_desk import security_desk
from gateway.core.oswords import words_of
from gateway.security.retention import HELD

_CONFIG = click.argument("config", type=click.Path())
_NAME = click.argument("name", metavar="CLASS")
_REASON = click.option("--reason", required=True, help="理由，记入审计")
_JSON = click.option("--json", "as_json", is_flag=True, help="输出一个JSON对象")
_HOW = {"delete": "两人清除", "node": "节点自行清理", "kept": "不清除"}
_SHOWN = 20


@click.group(help="保存期限：各类数据保存多久、哪些到期；清除到期的须两人")
def retention() -> None:
    """`liangding security retention`."""


@retention.command("list", help="各类数据的保存天数、到期的项数，是否冻结清除；什么也不改")
@_CONFIG
@_JSON
@click.pass_obj
def list_classes(outside: Outside, config: str, as_json: bool) -> None:
    settings = load(config, as_json)
    rows: list[dict[str, Any]] = []
    with told(as_json), security_desk(settings, outside.now, outside.entropy) as desk:
        kept = the_retention(settings)
        for name, one in kept.classes.items():
            before = kept.cutoff(name, outside.now())
            row = {"class": name, "title": one.title, "days": one.days, "how": one.how, "before": before}
            row["held"] = held(desk, name) == HELD
            rows.append(row | (_due(settings, name, before, as_json) if one.how != "kept" else {}))
    lines = [
        f"{row['class']}  {row['title']}：保存{row['days']}天，{_HOW[row['how']]}"
        + (f"；{row['before']}之前到期{row['count']}项，{row['bytes']}字节" if row["how"] != "kept" else "")
        + (f"；{row['left']}天未固化，保留" if row.get("left") else "")
        + ("；已冻结清除" if row["held"] else "")
        for row in rows
    ]
    show({"classes": rows, "count": len(rows)}, lines, as_json)


@contextmanager
def _counting(settings: Config, as_json: bool) -> Iterator[None]:
    """Tell what keeps the due from being counted; nothing was changed then."""
    nothing, config = "到期的没有清点，什么也没有改", settings.file
    try:
        yield
    except NotAJournal as cause:
        text = f"日志库读不出，{nothing}：{settings.journal}（{cause}）；请运行 liangding journal verify {config}"
        end(FAILED, f"[SEC-COUNT] {text}", as_json=as_json)
    except OtherBooks as cause:
        end(FAILED, f"[SEC-COUNT] {cause}，{nothing}：{settings.room('books')}", as_json=as_json)
    except BooksError as cause:
        text = f"对账库读不出，{nothing}：{settings.room('books')}（{sqlite_words(cause)}）"
        end(FAILED, f"[SEC-COUNT] {text}；请运行 liangding books verify {config}", as_json=as_json)
    except OSError as cause:
        text = f"文件读不出，{nothing}：{cause.filename or ''}（{words_of(cause)}）；请核对文件的权限和磁盘"
        end(FAILED, f"[SEC-COUNT] {text}", as_json=as_json)


def _due(settings: Config, name: str, before: str, as_json: bool) -> dict[str, Any]:
    with _counting(settings, as_json):
        found = due(settings, name, before)
    root = settings.path(settings.node.data_dir)
    return {
        "count": found.count, "bytes": found.size, "oldest": found.oldest, "left": found.left,
        "files": [str(one.relative_to(root)) for one in found.files[:_SHOWN]],
    }  # fmt: skip


@retention.command(help="清除一类到期的数据：提出，另一人批准后执行；--dry-run只列出")
@_CONFIG
@_NAME
@click.option("--dry-run", is_flag=True, help="只列出到期的，什么也不改，不需要身份")
@click.option("--reason", default="保存期满", show_default=True, help="理由，记入审计")
@acting
@_JSON
@click.pass_obj
def delete(
    outside: Outside, config: str, name: str, dry_run: bool, reason: str, as_json: bool, credentials: Credentials
) -> None:
    settings, now_s = load(config, as_json), outside.now()
    if dry_run:
        with told(as_json), security_desk(settings, outside.now, outside.entropy) as desk:
            kept = the_retention(settings)
            before = kept.cutoff(name, now_s)
            kept.check(name, before, held(desk, name), now_s)
        row = {"class": name, "before": before, **_due(settings, name, before, as_json)}
        text = (
            f"{kept.of(name).title}：{before}之前到期{row['count']}项，{row['bytes']}字节，最早{row['oldest'] or '无'}"
        )
        rest = [f"  其余{row['count'] - _SHOWN}项从略"] if len(row["files"]) < row["count"] and row["files"] else []
        left = [f"另有{row['left']}天未固化，保留"] if row["left"] else []
        show(row, [text, *(f"  {one}" for one in row["files"]), *rest, *left], as_json)
        return
    with told(as_json), security_desk(settings, outside.now, outside.entropy) as desk:
        person = credentials.person(desk)
        with _counting(settings, as_json):
            one = propose(desk, person, name, reason, now_s)
    _proposed(settings, one.id, as_json)


def _of_class(command: Callable[..., Any]) -> Callable[..., Any]:
    """CONFIG CLASS --reason [who acts] [--json]"""
    for option in (click.pass_obj, _JSON, acting, _REASON, _NAME, _CONFIG):
        command = option(command)
    return command


@retention.command("hold", help="冻结一类数据的清除（司法、审计需要），立即生效")
@_of_class
def hold_class(outside: Outside, config: str, name: str, reason: str, as_json: bool, credentials: Credentials) -> None:
    settings = load(config, as_json)
    with told(as_json), security_desk(settings, outside.now, outside.entropy) as desk:
        hold(desk, credentials.person(desk), name, reason)
    show({"ok": True}, [f"已冻结清除：{name}；解除须两人（retention release）"], as_json)


@retention.command(help="解除冻结清除：提出，另一人批准后生效")
@_of_class
def release(outside: Outside, config: str, name: str, reason: str, as_json: bool, credentials: Credentials) -> None:
    settings = load(config, as_json)
    with told(as_json), security_desk(settings, outside.now, outside.entropy) as desk:
        one = propose(desk, credentials.person(desk), name, reason, outside.now(), lift=True)
    _proposed(settings, one.id, as_json)


def _proposed(settings: Config, number: int, as_json: bool) -> None:
    text = f"已提出，待另一人批准：{waits(settings, number)}"
    show({"ok": True, "approval": number}, [text], as_json)
