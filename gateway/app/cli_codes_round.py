"""`liangding codes round`: a new catalogue announced to the institutions it concerns, and who is how far (7.3.14)."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import click

from adapters.files.worksheet import write_sheet
from adapters.store.codes_rounds import RoundRow, RoundsReader
from gateway.app.codes_files import code_systems, downloads, reading
from gateway.app.codes_say import explained, refuse
from gateway.app.duty_say import moment
from gateway.app.round_work import (
    FileFaults,
    RoundRefused,
    find_round,
    list_of,
    mark_fetched,
    open_round,
    standings,
    withdraw,
)
from gateway.app.say import DONE, FAILED, FINDINGS, USAGE, Outside, end, load, show
from gateway.codes.catalogue_rounds import KINDS, Item, Standing
from gateway.core.dates import day_of, is_date

COLUMNS = ("机构编号", "院内编码", "国家编码", "国家名称", "变化", "最后可用日", "替代编码", "变化内容")
_NAMES = ("institution", "local_code", "national_code", "name", "kind", "last_day", "replaced_by", "detail")
SHOWN_MAX = 50

_JSON = click.option("--json", "as_json", is_flag=True, help="输出一个JSON对象")
_CONFIG = click.argument("config", type=click.Path())
_ROUND = click.argument("number", metavar="ROUND")
_FETCHER = click.option("--fetcher", default="", help="机构的领取人；给出时登记该机构已领取")


@click.group("round", help="目录更新：发布到涉及的机构，跟踪领取和重新对码（7.3.14）")
def round_group() -> None:
    """`liangding codes round`."""


@contextmanager
def _explained(as_json: bool) -> Iterator[None]:
    with explained(as_json):
        try:
            yield
        except RoundRefused as cause:
            end(FAILED, str(cause), as_json=as_json)
        except FileFaults as cause:
            refuse(cause.faults, str(cause.file), as_json, "未发布")


@round_group.command("open", help="发布一轮：SYSTEM的已导入版本，逐家算出受影响的对码")
@_CONFIG
@click.argument("system")
@click.option("--ver", required=True, help="已导入的版本号")
@click.option("--due", required=True, help="完成期限yyyy-MM-dd（含当日）")
@click.option("--maker", required=True, help="发布人")
@click.option("--ratios", type=click.Path(path_type=Path), help="同时下发的先自付比例（1319）文件")
@click.option("--limits", type=click.Path(path_type=Path), help="同时下发的限价（1318）文件")
@_JSON
@click.pass_obj
def open_one(
    outside: Outside,
    config: str,
    system: str,
    ver: str,
    due: str,
    maker: str,
    ratios: Path | None,
    limits: Path | None,
    as_json: bool,
) -> None:
    store = load(config, as_json).room("codes")
    issued = sorted(code_systems().keys() & set(downloads().values()))
    if system not in issued:
        end(USAGE, f"{system}不是下发的目录（可用：{'、'.join(issued)}）", as_json=as_json)
    if not is_date(due) or due < day_of(outside.now()):
        end(USAGE, "期限应为yyyy-MM-dd，不早于今天", as_json=as_json)
    if not maker.strip():
        end(USAGE, "发布人不能为空", as_json=as_json)
    files = {kind: file for kind, file in (("ratio", ratios), ("limit", limits)) if file is not None}
    with _explained(as_json):
        done = open_round(store, system, ver, due, maker, files, outside.now())
    kinds = "，".join(f"{word}{done.kinds.get(kind, 0)}条" for kind, word in KINDS.items() if kind != "none")
    text = f"已发布r{done.number}：{system} 版本{ver}，涉及{done.institutions}家机构；{kinds}；期限{due}"
    show({"round": done.number, "institutions": done.institutions, "kinds": dict(done.kinds)}, [text], as_json)


@round_group.command("list", help="各轮目录更新和完成情况；有逾期时退出码为3")
@_CONFIG
@_JSON
@click.pass_obj
def list_rounds(outside: Outside, config: str, as_json: bool) -> None:
    store = load(config, as_json).room("codes")
    today = day_of(outside.now())
    with _explained(as_json), reading(store) as reader:
        found = []
        for one in RoundsReader(reader.connection).rounds():
            progress = [] if one.withdrawn is not None else standings(reader, one, today)
            found.append(_summary(one, progress))
    lines = [
        f"r{one['round']}\t{one['system']}\t{one['ver']}\t期限{one['due']}\t"
        + (
            f"已撤回：{one['withdrawn']}"
            if one["withdrawn"] is not None
            else f"{one['institutions']}家：已领取{one['fetched']}，已完成{one['done']}，逾期{one['late']}"
        )
        for one in found
    ]
    show({"rounds": found, "count": len(found)}, lines or ["没有发布过目录更新"], as_json)
    sys.exit(FINDINGS if any(one["late"] for one in found) else DONE)


def _summary(one: RoundRow, progress: Sequence[Standing]) -> dict[str, Any]:
    return {
        "round": one.id,
        "system": one.system,
        "ver": one.ver,
        "due": one.due,
        "maker": one.maker,
        "opened_at": moment(one.at_ms),
        "withdrawn": one.withdrawn,
        "institutions": len(progress),
        "fetched": sum(bool(place.fetched) for place in progress),
        "done": sum(place.done for place in progress),
        "late": sum(place.overdue for place in progress),
    }


@round_group.command("show", help="一轮的各机构进度；给出机构时列出它的清单（加--fetcher登记领取）")
@_CONFIG
@_ROUND
@click.argument("institution", default="")
@_FETCHER
@_JSON
@click.pass_obj
def show_round(outside: Outside, config: str, number: str, institution: str, fetcher: str, as_json: bool) -> None:
    store = load(config, as_json).room("codes")
    today = day_of(outside.now())
    with _explained(as_json), reading(store) as reader:
        one = find_round(RoundsReader(reader.connection), number)
        if not institution:
            progress = standings(reader, one, today)
            _show_progress(one, progress, as_json)
            sys.exit(FINDINGS if any(place.overdue for place in progress) else DONE)
        items = list_of(reader, one, institution)
        (mine,) = [place for place in standings(reader, one, today) if place.institution == institution]
    if fetcher:
        with _explained(as_json):
            mark_fetched(store, one, institution, fetcher, "show", outside.now())
    pending = {item.local for item in mine.pending}
    plain = [{**_record(item), "pending": item.local in pending} for item in items]
    lines = [
        f"{item.local}\t{item.national} {item.name}\t{_words(item)}{'，待重新对码' if item.local in pending else ''}"
        for item in items[:SHOWN_MAX]
    ]
    if len(items) > SHOWN_MAX:
        lines.append(f"另有{len(items) - SHOWN_MAX}条，请用 round export 导出")
    lines.append(f"共{len(items)}条，{len(pending)}条待重新对码；期限{one.due}")
    show({"round": one.id, "items": plain, "count": len(items)}, lines, as_json)


def _show_progress(one: RoundRow, progress: Sequence[Standing], as_json: bool) -> None:
    plain = [
        {
            **attrs.asdict(place, filter=attrs.filters.exclude("pending")),
            "pending": len(place.pending),
            "state": place.state,
        }
        for place in progress
    ]
    lines = [
        f"{place.institution}\t停用{place.ended}条\t变化{place.changed}条\t待重新对码{len(place.pending)}条\t"
        f"领取{place.fetched or '—'}\t{place.state}"
        for place in progress
    ]
    show({**_summary(one, progress), "progress": plain}, lines, as_json)


def _record(item: Item) -> dict[str, str]:
    return dict(zip(_NAMES, attrs.astuple(item), strict=True))


def _words(item: Item) -> str:
    words = [KINDS[item.kind]]
    if item.kind != "changed":
        words.append(f"最后可用日{item.last_day}" if item.last_day else "已不可用")
    if item.replaced_by:
        words.append(f"替代为{item.replaced_by}")
    return "，".join([*words, *([item.detail] if item.detail else [])])


@round_group.command("export", help="导出清单（.csv或.xlsx）；给出机构时只导出它的，并登记已领取")
@_CONFIG
@_ROUND
@click.argument("institution", default="")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="输出文件")
@_FETCHER
@click.option("--look", is_flag=True, help="经办机构自己查看，不登记领取")
@_JSON
@click.pass_obj
def export_round(
    outside: Outside, config: str, number: str, institution: str, out: Path, fetcher: str, look: bool, as_json: bool
) -> None:
    store = load(config, as_json).room("codes")
    with _explained(as_json):
        with reading(store) as reader:
            one = find_round(RoundsReader(reader.connection), number)
            items = list_of(reader, one, institution)
        rows = [(*attrs.astuple(item)[:4], KINDS[item.kind], *attrs.astuple(item)[5:]) for item in items]
        write_sheet(out, COLUMNS, rows, private=False)
        marked = bool(institution) and not look
        if marked:
            mark_fetched(store, one, institution, fetcher or institution, "export", outside.now())
    text = f"已导出{len(rows)}条到{out}" + ("，已登记领取" if marked else "")
    show({"round": one.id, "count": len(rows), "fetched": marked}, [text], as_json)


@round_group.command("withdraw", help="撤回一轮（发布有误时），记录保留")
@_CONFIG
@_ROUND
@click.option("--maker", required=True, help="撤回人")
@click.option("--reason", required=True, help="撤回原因")
@_JSON
@click.pass_obj
def withdraw_round(outside: Outside, config: str, number: str, maker: str, reason: str, as_json: bool) -> None:
    store = load(config, as_json).room("codes")
    if not maker.strip() or not reason.strip():
        end(USAGE, "撤回人和撤回原因不能为空", as_json=as_json)
    with _explained(as_json):
        with reading(store) as reader:
            one = find_round(RoundsReader(reader.connection), number)
        withdraw(store, one, maker, reason, outside.now())
    show({"withdrawn": one.id}, [f"已撤回r{one.id}"], as_json)
