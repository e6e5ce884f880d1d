"""The platform's reading of the transaction catalogue: what a message of each kind must look like.

Made from the same fact files as the gateway's plans and by nothing else of it. Provincial extras (`required_base`
false) are optional here; other values of open dictionaries are taken as they come (annex X17, X31).
"""

import functools
import re
from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from typing import Any

import attrs
import msgspec

import schemas
from simulators.wording import Json

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?").fullmatch
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}( [0-9]{2}:[0-9]{2}:[0-9]{2})?").fullmatch
_CLOSED = {"mdtrt_cert_type", "insutype", "opter_type__envelope"}
_NOT_REQUIRED = {("2203", "dise_codg"), ("2203", "dise_name")}  # empty for an ordinary visit (example exchange 3)
_EITHER = {"feedetl_sn"}  # number or text (annex X31)
_SETS = {"medtype_list"}  # 4105: "a set" whose form no table tells; a list or a text with commas is taken
COMPLAINTS_MAX = 5

Complaint = Callable[[Any], str | None]


@attrs.frozen
class Field:
    """One field: complaint(value) says what is wrong with a value that is present."""

    name: str
    required: bool
    complaint: Complaint
    system: str
    when: tuple[str, frozenset[str] | None] | None
    """Required where that other field has one of these values; None: any value at all."""

    def missing(self, record: Json) -> bool:
        """Return whether another field of the record asks for this one, and it is not there."""
        if self.when is None or not _empty(record.get(self.name)):
            return False
        other, values = record.get(self.when[0]), self.when[1]
        return not _empty(other) if values is None else other in values


@attrs.frozen
class Node:
    name: str
    repeated: bool
    fields: Mapping[str, Field]
    required: tuple[str, ...]
    conditional: tuple[Field, ...]
    systems: tuple[tuple[str, str], ...]
    """(field, code system) of the fields the platform looks up."""


@attrs.frozen
class Shape:
    """One transaction. nodes: those directly under input; inner: nodes that stand inside a field of the same name."""

    infno: str
    title: str
    nodes: Mapping[str, Node]
    inner: Mapping[str, Node]


def _text(length: int, closed: frozenset[str] | None) -> Complaint:
    def check(value: Any) -> str | None:
        if not isinstance(value, str):
            return "应为文本"
        if len(value) > length:
            return f"超过长度{length}"
        if closed is not None and value not in closed:
            return "不在字典内"
        return None

    return check


def _number(whole: int, decimals: int) -> Complaint:
    limit = Decimal(10) ** whole

    def check(value: Any) -> str | None:
        if isinstance(value, str):
            if not _NUMBER(value):
                return "应为数值"
            value = Decimal(value)
        elif isinstance(value, bool) or not isinstance(value, int | Decimal):
            return "应为数值"
        if abs(value) >= limit:
            return "数值过大"
        if isinstance(value, Decimal) and value != round(value, decimals):
            return f"小数超过{decimals}位"
        return None

    return check


def _date(value: Any) -> str | None:
    return None if isinstance(value, str) and _DATE(value) else "日期格式应为yyyy-MM-dd[ HH:mm:ss]"


def _anything(value: Any) -> str | None:
    return None


def _scalar(value: Any) -> str | None:
    return None if isinstance(value, int | str | Decimal) else "应为文本或数值"


def _serial(value: Any) -> str | None:
    return None if isinstance(value, int | str) and len(str(value)) <= 30 else "应为30位以内的序号"


@functools.cache
def dictionaries() -> Mapping[str, frozenset[str]]:
    """Name of a dictionary -> its values."""
    found = {}
    for _, raw in schemas.read("dictionaries", ".json"):
        facts = msgspec.json.decode(raw)
        found[facts["name"]] = frozenset(facts.get("values") or {})
    return found


def _closed(dictionary: str) -> frozenset[str] | None:
    values = dictionaries().get(dictionary, frozenset())
    return values if dictionary in _CLOSED or values == {"0", "1"} else None


def _complaint_of(facts: Json) -> Complaint:
    kind, length = facts["type"], str(facts.get("len") or "")
    if facts["name"] in _EITHER:
        return _serial
    if facts["name"] in _SETS:
        return _anything
    if kind in ("date", "datetime"):
        return _date
    if kind in ("number", "integer"):
        digits, _, decimals = length.partition(",")
        places = int(decimals or 0) if length else 6
        return _number(int(digits or 22) - places, places)
    if kind in ("string", "text"):
        return _text(int(length) if length.isdigit() else 4000, _closed(facts.get("dict") or ""))
    return _anything


def _field(infno: str, facts: Json, inner: bool) -> Field:
    name, when = facts["name"], facts.get("required_when") or {}
    required = bool(facts.get("required")) and facts.get("required_base", True) is not False
    condition: tuple[str, frozenset[str] | None] | None = None
    if "equals" in when:
        condition = (when["field"], frozenset(when["equals"]))
    elif when.get("present"):
        required, condition = False, (when["field"], None)
    complaint = _anything if inner else _complaint_of(facts)
    if infno == "4101A" and facts.get("unverified"):  # seen at one implementer, without types
        complaint = _scalar
    return Field(
        name,
        required and (infno, name) not in _NOT_REQUIRED,
        complaint,
        facts.get("code_system", ""),
        condition,
    )


def _node(infno: str, name: str, facts: Json, names: Collection[str]) -> Node:
    """names: those of all nodes; a field of such a name holds that node."""
    fields = {item["name"]: _field(infno, item, item["name"] in names) for item in facts["fields"]}
    return Node(
        name,
        bool(facts["repeated"]),
        fields,
        tuple(field.name for field in fields.values() if field.required),
        tuple(field for field in fields.values() if field.when),
        tuple((field.name, field.system) for field in fields.values() if field.system),
    )


@functools.cache
def shapes() -> Mapping[str, Shape]:
    """infno -> shape, of the whole catalogue."""
    found = {}
    for _, raw in schemas.read("transactions", ".json"):
        facts = msgspec.json.decode(raw)
        infno = facts["infno"]
        nodes = {
            name: _node(infno, name, node, facts["input"].keys())
            for name, node in facts["input"].items()
            if name != "_file"
        }
        fields = {field for node in nodes.values() for field in node.fields}
        found[infno] = Shape(
            infno,
            facts["name_zh"],
            {name: node for name, node in nodes.items() if name not in fields},
            {name: node for name, node in nodes.items() if name in fields},
        )
    return found


def _empty(value: Any) -> bool:
    return value is None or value == ""


def record_complaints(node: Node, record: Json) -> list[str]:
    """What is wrong with the fields of one record, as `name complaint`."""
    found = [f"{name}不能为空" for name in node.required if _empty(record.get(name))]
    for name, value in record.items():
        field = node.fields.get(name)
        if field is not None and not _empty(value):
            wrong = field.complaint(value)
            if wrong:
                found.append(f"{name}{wrong}")
    found += [f"{field.name}不能为空" for field in node.conditional if field.missing(record)]
    return found


_INNER = {
    "3701": "FsiIntlgSupnApplEvtCQueryDTO", "3702": "FsiIntlgSupnApplSaveDTO", "3703": "FsiIntlgSupnApplDiscussDTO",
    "3704": "FsiAttFileUploadDTO",
}  # fmt: skip


def unwrapped(infno: str, body: Any) -> Any:
    """`input` with its nodes at the top; the rows of 4102 stand in a node `data` on some wires (pitfalls §3.16); what
    the only field lists of the split (3260-3262) and of appeals (3701-3704) call the node `input` is the message's own
    `input`."""
    if infno in ("3260", "3261", "3262") and isinstance(body, dict) and "input" not in body:
        return {"input": body}
    if infno in _INNER and isinstance(body, dict) and _INNER[infno] not in body:
        return {_INNER[infno]: [{"input": body}] if infno in ("3702", "3703") else {"input": body}}
    inner = body.get("data") if infno == "4102" and isinstance(body, dict) else None
    return inner if isinstance(inner, dict) else body
