"""Reading one settlement list: typed values of what is filled, and complaints about its structure (annex L3).

A list is a JSON object of nodes: setlinfo is one record, every other node an array of records. Nothing is guessed: a
value that is not of its field's kind is told once (SL-S002), and rules that need the value do not apply.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

import attrs
import msgspec

from gateway.core.jsontext import number_text

HEAD = "setlinfo"
RECORDS_MAX = 50  # of each node (annex L3)
NAME_MAX = 40

Kind = Literal["text", "date", "datetime", "number", "whole", "money", "duration", "weights"]
Level = Literal["error", "warn"]
Value = str | Decimal | datetime

_NUMBER = re.compile(r"-?[0-9]{1,20}(?:\.[0-9]{1,10})?", re.ASCII)
_WHOLE = re.compile(r"-?[0-9]{1,20}", re.ASCII)
_MOMENT = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[ T]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.[0-9]{1,6})?)?)?", re.ASCII
)
_DURATION = re.compile(r"([0-9]{1,4})/([01]?[0-9]|2[0-4])/([0-5]?[0-9]|60)", re.ASCII)
_DIGITS = re.compile(r"[0-9]{6,}")
_STRANGE = re.compile(r"[^A-Za-z0-9_.\-]")

_KIND_ZH: Mapping[Kind, str] = {
    "date": "日期yyyy-MM-dd", "datetime": "时间yyyy-MM-dd HH:mm:ss", "number": "数值", "whole": "整数", "money": "金额",
    "duration": "天/小时/分钟", "text": "文本", "weights": "体重（克，多个用英文逗号隔开）",
}  # fmt: skip


class Empty(Exception):
    """A rule needs a value that is not there, or could not be read: the rule does not apply (annex L3)."""


class _Values(dict[str, Any]):
    """What a record holds; asking for what it does not hold ends the rule."""

    def __missing__(self, name: str) -> Any:
        raise Empty


class FieldSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One field. len: characters (of numbers the digits in all), 0 = open; decimals: -1 = open.

    slot: whose codes it holds; name: the field with the code's name.
    """

    zh: str
    kind: Kind
    len: int = 0
    decimals: int = -1
    slot: str = ""
    name: str = ""


Nodes = Mapping[str, Mapping[str, FieldSpec]]


@attrs.frozen
class Finding:
    """One thing wrong with one list. path starts at the list, 0-based (`diseinfo[1].diag_code`); message is Chinese."""

    rule: str
    level: Level
    path: str
    message: str


@attrs.define
class Record:
    """One record of a node. texts: of everything filled; values: by kind, of what could be read; bad: of no kind;
    strays: texts of fields nobody knows.
    """

    index: int = 0
    texts: dict[str, str] = attrs.Factory(_Values)
    values: dict[str, Value] = attrs.Factory(_Values)
    bad: set[str] = attrs.Factory(set)
    strays: dict[str, str] = attrs.Factory(dict)


@attrs.define
class Reading:
    """A list that was read: records by node, how many were given of each, and what was wrong with its structure."""

    head: Record
    nodes: dict[str, list[Record]]
    given: dict[str, int]
    found: list[Finding]


def unwrapped(tree: Any) -> Any:
    """Return the list within an envelope or an `input` object (annex L1); everything else as it is."""
    if type(tree) is dict and type(tree.get("input")) is dict and HEAD not in tree:
        return tree["input"]
    return tree


def read(tree: Any, nodes: Nodes) -> Reading:
    """Read one list, a JSON object. What nodes do not define is told and left alone."""
    found: list[Finding] = []
    read_nodes: dict[str, list[Record]] = {}
    counts: dict[str, int] = {}
    for name, fields in nodes.items():
        given = tree.get(name)
        if name == HEAD:
            rows = [given] if type(given) is dict else []
            if given is not None and not rows:
                found.append(Finding("SL-S002", "error", HEAD, "setlinfo应为一个对象"))
        elif given is None:
            rows = []
        elif type(given) is list:
            rows = given
            if len(rows) > RECORDS_MAX:
                text = f"{name}有{len(rows)}条，每类子记录最多{RECORDS_MAX}条；只检查前{RECORDS_MAX}条"
                found.append(Finding("SL-S005", "error", name, text))
        else:
            rows = []
            found.append(Finding("SL-S002", "error", name, f"{name}应为数组"))
        counts[name] = len(rows)
        read_nodes[name] = list(_records(name, rows[:RECORDS_MAX], fields, found))
    strange = [shown(name) for name, given in tree.items() if name not in nodes and given not in (None, "", [], {})]
    found += [Finding("SL-S003", "warn", name, f"不认识的节点{name}，未检查") for name in strange[:RECORDS_MAX]]
    head = read_nodes[HEAD][0] if read_nodes[HEAD] else Record()
    return Reading(head, read_nodes, counts, found)


def read_head(tree: Any, nodes: Nodes) -> Record:
    """Read a list's head alone."""
    return read({HEAD: tree.get(HEAD)}, {HEAD: nodes[HEAD]}).head


def day_of(head: Record) -> str:
    """The day whose codes and rules count: of discharge, else the settlement's last; '' before either is known."""
    return next((head.texts[name][:10] for name in ("dscg_time", "setl_end_date") if name in head.values), "")


def _records(node: str, rows: list[Any], fields: Mapping[str, FieldSpec], found: list[Finding]) -> Iterator[Record]:
    for index, row in enumerate(rows):
        place = node if node == HEAD else f"{node}[{index}]"
        record = Record(index)
        if type(row) is not dict:
            found.append(Finding("SL-S002", "error", place, "记录应为一个对象"))
        else:
            _fill(record, row, fields, place, found)
        yield record


def _fill(
    record: Record, row: dict[str, Any], fields: Mapping[str, FieldSpec], place: str, found: list[Finding]
) -> None:
    strange = 0
    for name, given in row.items():
        if given is None or given == "":
            continue
        spec = fields.get(name)
        if spec is None:
            strange += 1
            if type(given) is str:
                record.strays[shown(name)] = given
            if strange <= RECORDS_MAX:
                found.append(Finding("SL-S003", "warn", f"{place}.{shown(name)}", f"不认识的字段{shown(name)}，未检查"))
            continue
        text = _text_of(given, spec.kind)
        if text is None:
            record.bad.add(name)
            found.append(Finding("SL-S002", "error", f"{place}.{name}", f"【{spec.zh}】{_wrong(spec.kind, given)}"))
            continue
        if text.isspace() or text == "-":
            continue  # the form writes "-" where there is nothing
        record.texts[name] = text
        value = value_of(text, spec.kind)
        if value is None:
            found.append(Finding("SL-S002", "error", f"{place}.{name}", f"【{spec.zh}】不是{_KIND_ZH[spec.kind]}"))
        else:
            record.values[name] = value
        if spec.len and _too_long(text, value, spec):
            found.append(Finding("SL-S004", "error", f"{place}.{name}", _long(text, spec)))


def _text_of(given: Any, kind: Kind) -> str | None:
    """Return the text of a member, None when a field of this kind cannot be written so."""
    if type(given) is str:
        return given
    if kind in ("number", "whole", "money", "weights"):
        return number_text(given)
    return None


def _wrong(kind: Kind, given: Any) -> str:
    written = {"dict": "对象", "list": "数组", "bool": "布尔值"}.get(type(given).__name__, "数字")
    return f"应写成{'字符串' if kind not in ('number', 'whole', 'money') else '数字'}，不是{written}"


def value_of(text: str, kind: Kind) -> Value | None:
    """Return a text's value by its kind, None when it is not of that kind."""
    if kind in ("text", "weights"):
        return text
    if kind in ("date", "datetime"):
        return moment(text)
    if kind == "duration":
        return minutes(text)
    return Decimal(text) if (_WHOLE if kind == "whole" else _NUMBER).fullmatch(text) else None


def moment(text: str) -> datetime | None:
    """Return a date (midnight) or a time of Asia/Shanghai, naive; None when it is neither."""
    found = _MOMENT.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups())
    try:
        return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001  # all of one zone, compared only
    except ValueError:
        return None


def minutes(text: str) -> Decimal | None:
    """Return d/h/m as minutes (annex L4)."""
    found = _DURATION.fullmatch(text)
    if found is None:
        return None
    days, hours, rest = map(int, found.groups())
    return Decimal((days * 24 + hours) * 60 + rest)


def _too_long(text: str, value: Value | None, spec: FieldSpec) -> bool:
    if spec.kind in ("number", "whole", "money") and isinstance(value, Decimal):
        whole, _, decimals = text.lstrip("-").partition(".")
        if spec.decimals >= 0 and len(decimals) > spec.decimals:
            return True
        return len(whole.lstrip("0")) > spec.len - (2 if spec.kind == "money" else max(spec.decimals, 0))
    return len(text) > spec.len


def _long(text: str, spec: FieldSpec) -> str:
    if spec.kind in ("number", "whole", "money"):
        places = f"、小数{spec.decimals}位" if spec.decimals >= 0 else ""
        return f"【{spec.zh}】超过数值长度{spec.len}位{places}"
    return f"【{spec.zh}】超长：{len(text)}个字符，最多{spec.len}个"


def shown(name: str) -> str:
    """Return a name somebody else chose, harmless and short: not even a name may carry somebody's number."""
    return _DIGITS.sub("?", _STRANGE.sub("?", name[:NAME_MAX]))
