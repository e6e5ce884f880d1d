"""`liangding codes map review|retire|history`: two persons and the traces they leave (mapping rules §7)."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import click

from adapters.files.export import write_table
from adapters.store.codes_mappings import Stage
from gateway.app.codes_files import reading
from gateway.app.codes_life import NothingWaits, NotInForce, Waiting, retire, review, story
from gateway.app.codes_place import place
from gateway.app.codes_say import explained
from gateway.app.say import DONE, FAILED, FINDINGS, USAGE, Outside, end, show
from gateway.codes.checks.findings import COLUMNS
from gateway.codes.mapping import Proposed
from gateway.core.dates import day_of, is_date, shanghai

_JSON = click.option("--json", "as_json", is_flag=True, help="输出一个JSON对象")
_CONFIG = click.argument("config", type=click.Path())
_INSTITUTION = click.argument("institution")
_SYSTEM = click.argument("system")
_SHOWN = 20  # rows printed for people; --out holds them all
_ROW = ("row", "local_code", "national_code", "valid_from", "valid_to", "evidence")
_WORDS: Mapping[str, str] = {
    "propose": "导入草稿", "retire": "提出停用", "check": "核对", "return": "退回", "approve": "复核生效",
}  # fmt: skip
# To look, or to approve whatever waits, is done when nothing does (exit code 0); a batch or content asked for by name
# that waits no longer is a failure (1).
NOTHING_SAID = "没有待复核的对码"
NOTHING: Mapping[str, Any] = {"version": "", "rows": [], "findings": [], "count": 0}


@contextmanager
def _told(as_json: bool) -> Iterator[None]:
    try:
        yield
    except NothingWaits as cause:
        end(FAILED, f"{NOTHING_SAID}{cause}", as_json=as_json)
    except NotInForce as cause:
        end(FAILED, f"没有生效中的对码，未作改变：{cause}", as_json=as_json)


def _cells(row: Proposed) -> tuple[str, ...]:
    return str(row.line), row.local, row.national, row.valid_from, row.valid_to, row.evidence


@click.command("review", help="看待复核的对码、内容摘要和问题；给出--reviewer时记为已核对，加--return退回给经办人")
@_CONFIG
@_INSTITUTION
@_SYSTEM
@click.option("--version", "version", default="", help="哪一批，如m3；不给时为最近一批")
@click.option("--reviewer", default="", help="复核人，须与经办人不同")
@click.option("--return", "returned_for", default="", help="退回的原因")
@click.option("--out", type=click.Path(path_type=Path), help="把这批对码写成CSV")
@_JSON
@click.pass_obj
def review_command(
    outside: Outside,
    config: str,
    institution: str,
    system: str,
    version: str,
    reviewer: str,
    returned_for: str,
    out: Path | None,
    as_json: bool,
) -> None:
    store = place(config, institution, system, as_json).store
    if returned_for and not reviewer:
        end(USAGE, "退回须用--reviewer给出复核人", as_json=as_json)
    with explained(as_json), _told(as_json):
        try:
            found = review(store, institution, system, version, reviewer, returned_for, outside.now())
        except NothingWaits:
            if version or returned_for:
                raise  # what was asked for by name is not there
            show(NOTHING, [NOTHING_SAID], as_json)
            sys.exit(DONE)
        if out is not None:
            write_table(out, _ROW, (_cells(row) for row in found.rows if row.line in found.lines))
    show(_plain(found), _lines(found, bool(reviewer), returned_for), as_json)
    sys.exit(FINDINGS if found.findings else DONE)


def _plain(found: Waiting) -> dict[str, Any]:
    return {
        "version": f"m{found.batch.id}",
        "kind": found.kind,
        "source": found.batch.source,
        "maker": found.batch.maker,
        "reason": found.reason,
        "content": found.content,
        "catalogue": found.catalogue,
        "rows": [dict(zip(_ROW, _cells(row), strict=True)) for row in found.rows if row.line in found.lines],
        "findings": [dict(zip(COLUMNS, one.cells(), strict=True)) for one in found.findings],
        "count": len(found.lines),
    }


def _lines(found: Waiting, noted: bool, returned_for: str) -> Iterator[str]:
    what = "停用" if found.kind == "retire" else "对码"
    yield f"m{found.batch.id} {found.batch.source}：{len(found.lines)}行{what}待复核，经办人{found.batch.maker}"
    yield f"内容摘要（SM3） {found.content}"
    if found.reason:
        yield f"原因 {found.reason}"
    rows = [row for row in found.rows if row.line in found.lines]
    for row in rows[:_SHOWN]:
        span = f"{row.valid_from or '不限'}至{row.valid_to or '不限'}"
        yield f"  {row.line}  {row.local} → {row.national or '（无）'}  {span}  {row.evidence}"
    if len(rows) > _SHOWN:
        yield f"  其余{len(rows) - _SHOWN}行用--out看"
    for one in found.findings:
        yield f"{found.batch.source}:{one.line}:{one.column} {one.rule} {one.level} {one.message}"
    if returned_for:
        yield f"已退回：{returned_for}"
    elif noted:
        yield f"已记为核对；生效用 map approve --hash {found.content}"


@click.command("retire", help="停用院内编码的对码：给出最后一天，旧行保留在历史中")
@_CONFIG
@_INSTITUTION
@_SYSTEM
@click.argument("local", nargs=-1, required=True)
@click.option("--maker", required=True, help="经办人")
@click.option("--reviewer", default="", help="复核人，须与经办人不同；不给时为待复核")
@click.option("--date", "day", default="", help="最后有效日，yyyy-MM-dd；不给时为当天")
@click.option("--reason", required=True, help="原因")
@_JSON
@click.pass_obj
def retire_command(
    outside: Outside,
    config: str,
    institution: str,
    system: str,
    local: tuple[str, ...],
    maker: str,
    reviewer: str,
    day: str,
    reason: str,
    as_json: bool,
) -> None:
    store = place(config, institution, system, as_json).store
    last = day or day_of(outside.now())
    if not is_date(last):
        end(USAGE, f"--date不是yyyy-MM-dd的真实日期：{day}", as_json=as_json)
    if not reason.strip():
        end(USAGE, "停用须说明原因（--reason）", as_json=as_json)
    with explained(as_json), _told(as_json):
        done = retire(store, institution, system, local, maker, reviewer, last, reason.strip(), outside.now())
    plain = {
        "version": f"m{done.batch}",
        "rows": [dict(zip(_ROW, _cells(row), strict=True)) for row in done.rows],
        "content": done.content,
        "in_force": done.in_force,
    }
    state = "已停用" if done.in_force else "待复核"
    show(plain, [f"m{done.batch}：{len(set(local))}个院内编码{state}，最后有效日{last}"], as_json)


@click.command("history", help="谁在何时对什么做了什么；--local看一个院内编码的全部经过")
@_CONFIG
@_INSTITUTION
@_SYSTEM
@click.option("--local", "local", default="", help="院内编码")
@_JSON
def history_command(config: str, institution: str, system: str, local: str, as_json: bool) -> None:
    store = place(config, institution, system, as_json).store
    with explained(as_json):
        if local:
            stages = story(store, institution, system, local)
            plain = [_stage(one) for one in stages]
            lines = [line for one in stages for line in _stage_lines(one)]
            show({"local_code": local, "stages": plain, "count": len(plain)}, lines or ["没有记录"], as_json)
            return
        with reading(store) as reader:
            deeds = reader.history(institution, system)
    told = [
        {"at": _moment(at_ms), "who": who, "what": what, "id": number, "detail": detail}
        for at_ms, who, what, number, detail in deeds
    ]
    lines = [f"{one['at']}  {one['who']}  {_WORDS.get(str(one['what']), one['what'])}  {one['detail']}" for one in told]
    show({"history": told, "count": len(told)}, lines or ["没有记录"], as_json)


def _moment(at_ms: int) -> str:
    return f"{shanghai(at_ms / 1000):%Y-%m-%d %H:%M:%S}" if at_ms else ""


def _stage(one: Stage) -> dict[str, Any]:
    plain = attrs.asdict(one, recurse=True) | {"version": f"m{one.batch}", "at": _moment(one.at_ms)}
    plain["returned_at"] = _moment(plain.pop("returned_ms"))
    plain["reviews"] = [
        {**attrs.asdict(review), "at": _moment(review.at_ms), "approved": not review.rule} for review in one.reviews
    ]
    return plain


def _stage_lines(one: Stage) -> Iterator[str]:
    what = "提出停用" if one.kind == "retire" else "提出对码"
    span = f"{one.valid_from or '不限'}至{one.valid_to or '不限'}"
    why = one.reason or one.evidence or "未写依据"
    row = f"m{one.batch}第{one.line}行：{one.national or '（无）'}  {span}  {why}"
    yield f"{_moment(one.at_ms)}  {one.maker}  {what} {row}"
    for done in one.reviews:
        catalogue = f"（目录版本{done.catalogue}）" if done.catalogue else ""
        result = f"未生效：{done.rule} {done.message}" if done.rule else "生效"
        yield f"{_moment(done.at_ms)}  {done.reviewer}  复核{result}{catalogue}"
    if one.returned_by:
        yield f"{_moment(one.returned_ms)}  {one.returned_by}  退回：{one.returned_for}"
