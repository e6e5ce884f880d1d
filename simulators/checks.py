"""The platform's own checks of a request: envelope, shape, national codes, arithmetic of the lines."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from simulators import national, shapes
from simulators.wording import Json

_ENVELOPE = {
    "infno": 6,
    "msgid": 30,
    "mdtrtarea_admvs": 6,
    "recer_sys_code": 10,
    "infver": 6,
    "opter_type": 3,
    "opter": 30,
    "opter_name": 50,
    "inf_time": 19,
    "fixmedins_code": 30,
    "fixmedins_name": 200,
}
"""Required envelope fields and their lengths (envelope.md §1, the larger lengths of pitfall 11)."""

_SERVICE_DAY = ("fee_ocur_time", "diag_time", "begntime", "endtime")
_CENT = Decimal("0.01")
_LINE = ("pric", "cnt", "det_item_fee_sumamt")
Known = Callable[[str, str, str], str | None]


def envelope_complaints(envelope: Json) -> list[str]:
    found = []
    for name, length in _ENVELOPE.items():
        value = envelope.get(name)
        if not isinstance(value, str) or not value:
            found.append(f"{name}不能为空")
        elif len(value) > length:
            found.append(f"{name}超过长度{length}")
    if envelope.get("opter_type") not in ("1", "2", "3"):
        found.append("opter_type不在字典内")
    if not isinstance(envelope.get("input"), dict):
        found.append("input应为对象")
    return found


def _records(node: shapes.Node, value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _walk(shape: shapes.Shape, node: shapes.Node, value: Any, path: str, day: str, known: Known) -> Iterator[str]:
    for index, record in enumerate(_records(node, value)):
        where = f"{path}[{index}]" if isinstance(value, list) else path
        if not isinstance(record, dict):
            yield f"{where}应为对象"
            continue
        for wrong in shapes.record_complaints(node, record):
            yield f"{where}.{wrong}"
        today = next(
            (record[name][:10] for name in _SERVICE_DAY if isinstance(record.get(name), str) and record[name]), day
        )
        yield from _code_complaints(node, record, where, today, known)
        if "pric" in node.fields and "det_item_fee_sumamt" in node.fields:
            yield from _line_complaints(record, where)
        for name, inner in shape.inner.items():
            if record.get(name):
                yield from _walk(shape, inner, record[name], f"{where}.{name}", today, known)


def _code_complaints(node: shapes.Node, record: Json, where: str, day: str, known: Known) -> Iterator[str]:
    for name, system in node.systems:
        code = record.get(name)
        if isinstance(code, str) and code:
            wrong = known(system, code, day)
            if wrong:
                yield f"{where}.{name}[{code}]{wrong}"


def _line_complaints(record: Json, where: str) -> Iterator[str]:
    try:
        price, count, amount = (Decimal(record[name]) for name in _LINE)
    except (KeyError, TypeError, ArithmeticError):
        return  # already named as missing or not a number
    if abs(price * count - amount) > _CENT:
        yield f"{where}单价乘数量与金额不符"


def service_day(infno: str, body: Any) -> str:
    """Return the day on which codes without a date of their own count: a list's is the discharge (annex L4)."""
    head = body.get("setlinfo") if infno in ("4101", "4101A") else None
    left = head.get("dscg_time") if isinstance(head, dict) else None
    return left[:10] if isinstance(left, str) else ""


def input_complaints(infno: str, body: Json, day: str, known: Known = national.complaint) -> list[str]:
    """Everything wrong with `input`, at most COMPLAINTS_MAX; day (yyyy-MM-dd): for codes without a date.

    known: what is wrong with a code of a code system on a day, None = nothing.
    """
    shape = shapes.shapes()[infno]
    found: list[str] = []
    for position, node in enumerate(shape.nodes.values()):
        value = body if node.name == "_root" else body.get(node.name)
        if value in (None, "", []) and node.name != "_root":
            if position == 0:
                found.append(f"缺少节点{node.name}")
            continue
        if isinstance(value, list) and not node.repeated and infno != "3301":
            found.append(f"{node.name}应为单个对象")
            continue
        for wrong in _walk(shape, node, value, node.name, day, known):
            found.append(wrong)
            if len(found) >= shapes.COMPLAINTS_MAX:
                return found
    return found
