"""`liangding lists import|status`: collecting settlement lists, and what is still missing, by department and doctor."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import attrs
import click

import schemas
from adapters.crypto.keyfile import KeyFileError
from adapters.crypto.vault import VaultError
from adapters.files import list_xml
from adapters.files.excel import is_workbook
from adapters.files.export import write_table
from adapters.store import lists_compared
from adapters.store.lists import Filter, OtherLists, Summary, reading
from gateway.app.bars import progress
from gateway.app.codes_say import explained, operator_of, say_faults
from gateway.app.config import Config
from gateway.app.lists_desk import SCRIPTS, Desk, codes_of, desk
from gateway.app.lists_files import NotAList, Unreadable, lists_of
from gateway.app.lists_rules import FOLDER, rule_set
from gateway.app.lists_tables import BadMapping, TitleMapping, read_mapping, sheets_of, table_of, trees_of
from gateway.app.say import DONE, FAILED, FINDINGS, USAGE, Outside, end, load, show
from gateway.codes.faults import Faults
from gateway.lists.collecting import KINDS, PieceRefused
from gateway.lists.reading import HEAD
from gateway.lists.rules import RulesError
from gateway.lists.xsd import NAMESPACE

_PATH = click.Path(path_type=Path)
_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
LACKS_MAX = 100_000
BATCH = 100
_SHOWN = 20
_STATES = {
    "sending": "正在上传",
    "uploaded": "已上传未提交",
    "submitted": "已提交",
    "returned": "质控退回",
    "refused": "平台拒绝",
    "unknown": "结果未知",
    "not_sent": "没有送达",
}
_COMPARED = {"same": "一致", "differs": "有差异", "absent": "平台没有"}
COLUMNS = ("fixmedins_code", "dept", "doctor", "rule", "path", "message", "lists")


@attrs.define
class _Tally:
    """What an import came to."""

    lists: int = 0
    fresh: int = 0
    clean: int = 0
    errors: int = 0
    refused: list[dict[str, Any]] = attrs.Factory(list)
    rules: Counter[str] = attrs.Factory(Counter)


@click.command(
    "import",
    help="采集清单：JSON、XML，一个文件夹的表格（setlinfo.csv、diseinfo.xlsx、.dbf等），或各工作表为表格的Excel；按就诊合并、译码、检查",
)
@click.argument("config", type=click.Path())
@click.argument("institution")
@click.argument("file", type=_PATH)
@click.option("--piece", "kind", default="whole", help=f"这是哪一部分：{'、'.join(KINDS)}（默认whole）")
@click.option("--mapping", "mapping", type=_PATH, help="院内列名与值的含义（TOML，用于表格）")
@click.option("--operator", default="", help="经办人；默认为系统账号")
@click.option("--json", "as_json", is_flag=True, help="输出一个JSON对象")
@click.pass_obj
def import_lists(
    outside: Outside, config: str, institution: str, file: Path, kind: str, mapping: Path | None, operator: str,
    as_json: bool,
) -> None:  # fmt: skip
    settings = load(config, as_json)
    _known(settings, institution, as_json)
    if kind not in KINDS:
        end(USAGE, f"没有这种部分：{kind}（可用：{'、'.join(KINDS)}）", as_json=as_json)
    if not file.is_file() and not file.is_dir():
        end(USAGE, f"不是文件或文件夹：{file}", as_json=as_json)
    tally = _Tally()
    with explained(as_json):
        try:
            trees = _trees(file, mapping)
            who = operator or operator_of()
            codes = codes_of(settings, institution)
            opening = partial(desk, settings, institution, who, outside.entropy, outside.now, codes)
            _take(trees, opening, kind, file.name, tally)
        except (Unreadable, BadMapping) as cause:
            end(USAGE, str(cause), as_json=as_json)
        except _Faulty as cause:
            say_faults(tuple(cause.faults), str(file))
            end(FAILED, f"{file}有{cause.faults.count}处问题，没有采集", as_json=as_json)
        except RulesError as cause:
            end(USAGE, *cause.problems, as_json=as_json)
        except (OtherLists, KeyFileError, VaultError) as cause:
            end(FAILED, str(cause), as_json=as_json)
    _told(tally, file, as_json)


class _Faulty(Exception):
    def __init__(self, faults: Faults) -> None:
        super().__init__()
        self.faults = faults


def _trees(file: Path, mapping: Path | None) -> Iterator[Any]:
    nodes = rule_set().nodes
    titles = read_mapping(mapping, nodes) if mapping is not None else TitleMapping()
    if file.suffix.lower() == ".xml":
        schema = (schemas.ROOT / FOLDER / "lists.xsd").read_bytes()
        try:
            for _ in list_xml.lists_of(file, schema, NAMESPACE):
                pass  # nothing is taken of a file that turns out to be broken
            yield from list_xml.lists_of(file, schema, NAMESPACE)
        except list_xml.XmlRefused as cause:
            raise Unreadable(f"{file}：{cause}") from cause
        return
    if file.is_file() and is_workbook(file):
        if HEAD not in sheets_of(file):
            raise Unreadable(f"工作簿{file}中没有名为{HEAD}的工作表")
    elif not file.is_dir():
        with progress(file, "采集") as tick:
            yield from lists_of(file, tick)
        return
    elif table_of(file, HEAD) is None:
        raise Unreadable(f"{file}中没有setlinfo.csv（或.xlsx、.xls、.dbf）")
    faults = Faults()
    found = list(trees_of(file, nodes, titles, faults))
    if faults:
        raise _Faulty(faults)
    yield from found


def _take(
    trees: Iterator[Any], opening: Callable[[], AbstractContextManager[Desk]], kind: str, source: str, tally: _Tally
) -> None:
    """Lists are taken by the hundred: each by itself would wait for the disk, all at once would keep others waiting."""
    numbered = enumerate(trees)
    while batch := list(islice(numbered, BATCH)):
        with opening() as opened, opened.writer.transaction():
            for number, tree in batch:
                _take_one(number, tree, opened, kind, source, tally)


def _take_one(number: int, tree: Any, opened: Desk, kind: str, source: str, tally: _Tally) -> None:
    tally.lists += 1
    try:
        if isinstance(tree, NotAList):
            raise PieceRefused("", tree.why)
        outcome = opened.take(kind, tree, source)
    except PieceRefused as cause:
        tally.refused.append({"list": number, "path": cause.path, "message": cause.message})
        return
    tally.fresh += outcome.fresh
    tally.clean += not outcome.errors
    tally.errors += outcome.errors
    tally.rules.update(one.rule for one in outcome.findings if one.level == "error")


def _told(tally: _Tally, file: Path, as_json: bool) -> None:
    taken = tally.lists - len(tally.refused)
    whole = {
        "lists": tally.lists, "taken": taken, "fresh": tally.fresh, "clean": tally.clean, "errors": tally.errors,
        "refused": tally.refused[:1000], "rules": dict(tally.rules.most_common()),
    }  # fmt: skip
    figures = f"采集{taken}份（新内容{tally.fresh}份），可以上传{tally.clean}份，错误{tally.errors}处"
    lines = [f"{file.name}：{tally.lists}份，{figures}"]
    lines += [f"  {rule} {count}处" for rule, count in tally.rules.most_common(_SHOWN)]
    lines += [f"  第{one['list']}份没有采集：{one['path']} {one['message']}" for one in tally.refused[:_SHOWN]]
    show(whole, lines, as_json)
    raise SystemExit(FINDINGS if tally.refused or tally.errors else DONE)


def _known(config: Config, institution: str, as_json: bool) -> None:
    if institution not in {one.fixmedins_code for one in config.institution}:
        end(USAGE, f"配置中没有机构{institution}", as_json=as_json)


def _month(one: Summary) -> str:
    month = one.month or "出院日期不明"
    rest = f"有错误{one.faulty}份（错误{one.errors}处，提示{one.warnings}处）"
    return f"{one.fixmedins_code} {month}：{one.lists}份，可以上传{one.clean}份，{rest}"


@click.command("status", help="清单采集情况：各机构各月份数，缺什么，由哪个科室、哪位医师补")
@click.argument("config", type=click.Path())
@click.argument("institution", default="")
@click.option("--month", default="", help="出院月份yyyy-MM，默认全部")
@click.option("--out", type=_PATH, help="缺项明细写成CSV或Excel（.xlsx）")
@click.option("--json", "as_json", is_flag=True, help="输出一个JSON对象")
def status(config: str, institution: str, month: str, out: Path | None, as_json: bool) -> None:
    settings = load(config, as_json)
    if institution:
        _known(settings, institution, as_json)
    if month and not _MONTH.fullmatch(month):
        end(USAGE, f"月份应为yyyy-MM：{month}", as_json=as_json)
    wanted = Filter(institution, month)
    with explained(as_json):
        try:
            with reading(settings.room("lists"), len(SCRIPTS)) as look:
                summaries = look.summaries(wanted) if look is not None else []
                lacks = look.lacks(wanted, LACKS_MAX) if look is not None else []
                states = look.states(wanted) if look is not None else []
                compared = lists_compared.compared(look.connection, wanted) if look is not None else []
                counted = lists_compared.counted(look.connection, institution, month) if look is not None else []
        except OtherLists as cause:
            end(FAILED, str(cause), as_json=as_json)
        if out is not None:
            write_table(out, COLUMNS, ([str(cell) for cell in attrs.astuple(one)] for one in lacks))
    lines = [_month(one) for one in summaries] or ["还没有采集清单"]
    lines += [f"  {code} {month}：{_STATES.get(state, state)}{count}份" for code, month, state, count in states]
    lines += [f"  {code} {month}：读回比对{_COMPARED[state]}{count}份" for code, month, state, count in compared]
    lines += [
        f"  {one.fixmedins_code} {one.month}：与平台的数量不一致（4105），见lists counts"
        for one in counted
        if not one.agree
    ]
    for one in lacks[:_SHOWN]:
        lines.append(f"  {one.dept or '科室不明'} {one.doctor or '医师不明'} {one.rule} {one.message}：{one.lists}份")
    if len(lacks) > _SHOWN:
        lines.append(f"  另有{len(lacks) - _SHOWN}项，用--out写出全部")
    plain = {
        "months": [attrs.asdict(one) for one in summaries],
        "uploads": [dict(zip(("fixmedins_code", "month", "state", "lists"), row, strict=True)) for row in states],
        "compared": [dict(zip(("fixmedins_code", "month", "state", "lists"), row, strict=True)) for row in compared],
        "counts": [{**attrs.asdict(one), "agree": one.agree} for one in counted],
        "lacks": [attrs.asdict(one) for one in lacks],
    }
    show(plain, lines, as_json)
    raise SystemExit(FINDINGS if any(one.faulty for one in summaries) else DONE)
