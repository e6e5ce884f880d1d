"""The slow, complete walk: every complaint about one message at once, and its translation when there is none.

The compiled plans (`gateway.core.plan`) say yes fast; at their first surprise this walk explains everything. The
two are each other's oracle: a plan may only accept what this walk accepts, with the same translation.
Rules: contract-annex X11-X19, X31, X38, X39; envelope.md §1, §3.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from gateway.core.beside import find_beside
from gateway.core.catalogue import Field, Node, Region, Transaction
from gateway.core.dates import fits
from gateway.core.jsontext import number_text
from gateway.core.money import number_fault
from gateway.core.sums import broken_identities, line_broken, scaled_field, total_nodes
from gateway.core.translation import COMPLAINTS_MAX, Work, blank, translate

SLICE_ROWS = 100
# They reach keys, logs and other systems: no line breaks, no zero bytes, no direction marks (security T16).
IDS = frozenset(
    {"msgid", "infno", "sign_no", "fixmedins_code", "omsgid", "oinfno", "psn_no", "mdtrt_id", "setl_id", "ipt_no"}
)
SERVICE_DAY = ("fee_ocur_time", "diag_time", "begntime")  # annex X13, in this order


def examine(region: Region, transaction: Transaction, envelope: dict[str, Any], work: Work) -> Work:
    """Check and translate one message in place; `work` gains every complaint. envelope is the decoded tree."""
    for _ in examine_slices(region, transaction, envelope, work):
        pass
    return work


def examine_slices(region: Region, transaction: Transaction, envelope: dict[str, Any], work: Work) -> Iterator[None]:
    """As `examine`, with a `yield` after every SLICE_ROWS rows; after COMPLAINTS_MAX complaints it only counts."""
    _fields(region, region.envelope, envelope, "", work, work.day)
    inf_time = envelope.get("inf_time")
    if isinstance(inf_time, str) and fits("datetime", "yyyy-MM-dd HH:mm:ss", inf_time):
        work.day = inf_time[:10]
    message = envelope.get("input")
    if type(message) is not dict:
        return  # the envelope's own field was complained about
    walker = _Walker(region, transaction, work)
    yield from walker.message(message)
    work.foreign = _names_other(transaction, message, work.institution)


def service_day(transaction: Transaction, node: Node, row: Mapping[str, Any], inherited: str) -> str:
    """Return the date of service of a row (X13): its own fee, diagnosis or begin time, else its message's."""
    names = (transaction.service_date, *SERVICE_DAY) if transaction.service_date else SERVICE_DAY
    for name in names:
        value = row.get(name) if node.field(name) is not None else None
        if type(value) is str and len(value) >= 10 and fits("date", "", value[:10]):
            return value[:10]
    return inherited


@attrs.define
class _Walker:
    region: Region
    transaction: Transaction
    work: Work
    rows: int = 0

    def message(self, message: dict[str, Any]) -> Iterator[None]:
        transaction, work = self.transaction, self.work
        day = work.day
        for node in transaction.nodes:
            value = message.get(node.name)
            if type(value) is dict:
                day = service_day(transaction, node, value, day)
                break
        known = {node.name for node in transaction.nodes}
        if transaction.nodes and not transaction.root and message and not known & message.keys():
            for name in message:
                work.complain(f"input.{name}", "unknown_node", f"交易{transaction.infno}没有此节点")
        if transaction.root is not None:
            self.row(transaction.root, message, "input", service_day(transaction, transaction.root, message, day))
        for node in transaction.nodes:
            yield from self.node(node, message, f"input.{node.name}", day)
        if self.rows > transaction.rows_max:
            work.complain("input", "count", f"明细共{self.rows}条，超过上限{transaction.rows_max}条")
        _total(transaction, message, work)

    def node(self, node: Node, holder: dict[str, Any], path: str, day: str) -> Iterator[None]:
        value = holder.get(node.name)
        work = self.work
        if value is None or (value == [] and node.repeated != "one"):
            if node.required:
                work.complain(path, "required", "缺少节点" if value is None else "节点至少应有一条记录")
        elif type(value) is dict:
            if node.repeated == "many":
                work.complain(path, "type", "节点应为数组")
            self.row(node, value, path, service_day(self.transaction, node, value, day))
        elif type(value) is list:
            if node.repeated == "one":
                work.complain(path, "type", "节点应为对象")
            yield from self.rows_of(node, value, path, day)
        elif not blank(value) or node.required:
            work.complain(path, "type", "节点应为对象或数组")

    def rows_of(self, node: Node, rows: list[Any], path: str, day: str) -> Iterator[None]:
        work = self.work
        self.rows += len(rows)
        for index, row in enumerate(rows):
            if index % SLICE_ROWS == SLICE_ROWS - 1:
                yield
            if len(work.complaints) >= COMPLAINTS_MAX:
                return
            if type(row) is dict:
                self.row(node, row, f"{path}[{index}]", service_day(self.transaction, node, row, day))
            else:
                work.complain(f"{path}[{index}]", "type", "数组元素应为对象")

    def row(self, node: Node, row: dict[str, Any], path: str, day: str) -> None:
        (find_beside if self.work.beside else translate)(node, row, path, day, self.work)
        _fields(self.region, node, row, path, self.work, day)
        for field in node.fields:
            if field.child is not None and not blank(row.get(field.name)):
                for _ in self.node(field.child, row, f"{path}.{field.name}", day):
                    pass
        _line(node, row, path, self.work)
        _identities(self.region, row, path, self.work)


def _fields(region: Region, node: Node, row: Mapping[str, Any], prefix: str, work: Work, day: str) -> None:
    for field in node.fields:
        path = f"{prefix}.{field.name}" if prefix else field.name
        value = row.get(field.name)
        if blank(value):
            _absent(field, row, path, work)
        elif field.kind == "text":
            _text(field, value, path, work, day)
        elif field.kind == "number":
            _number(field, value, path, work)
        elif field.kind in ("date", "datetime"):
            _date(field, value, path, work)
        elif field.kind == "list" and type(value) is not list:
            work.complain(path, "type", f"{field.zh}应为数组")
        elif field.kind == "object" and type(value) is not dict:
            work.complain(path, "type", f"{field.zh}应为对象")


def _absent(field: Field, row: Mapping[str, Any], path: str, work: Work) -> None:
    value = row.get(field.name)
    if field.required or (field.when is not None and _holds(field, row)):
        if path not in work.missed:
            work.complain(path, "required", f"{field.zh}不能为空")
    elif type(value) is str and value and field.kind in ("number", "date", "datetime") and not field.number_or_text:
        work.complain(path, "type", f"{field.zh}不能是空白字符")


def _holds(field: Field, row: Mapping[str, Any]) -> bool:
    assert field.when is not None
    value = row.get(field.when.field)
    if field.when.present:
        return not blank(value)
    return value in field.when.equals


def _text(field: Field, value: Any, path: str, work: Work, day: str) -> None:
    if type(value) is not str:
        work.complain(path, "type", f"{field.zh}应为字符串")
        return
    if field.length and len(value) > field.length:
        work.complain(path, "length", f"{field.zh}长度{len(value)}，超过上限{field.length}")
    if field.name in IDS and not value.isprintable():
        work.complain(path, "format", f"{field.zh}不能含有控制字符")
    if field.known and value not in field.known:
        if field.closed:
            work.complain(path, "dictionary", f"{field.zh}的值不在字典{field.dictionary}中")
        elif field.dictionary:
            work.unknown.append(field.dictionary)


def _number(field: Field, value: Any, path: str, work: Work) -> None:
    if field.number_or_text and type(value) is str:
        if len(value) > field.whole:
            work.complain(path, "length", f"{field.zh}长度{len(value)}，超过上限{field.whole}")
        return
    text = number_text(value)
    fault = "type" if text is None else number_fault(text, field.whole, field.decimals)
    if fault == "type":
        work.complain(path, "type", f"{field.zh}应为数字")
    elif not fault and field.not_negative and text is not None and text.startswith("-") and text.strip("-0."):
        work.complain(path, "range", f"{field.zh}不能为负数")
    elif fault:
        work.complain(path, "scale", f"{field.zh}整数位不超过{field.whole}位，小数位不超过{field.decimals}位")


def _date(field: Field, value: Any, path: str, work: Work) -> None:
    if type(value) is not str:
        work.complain(path, "type", f"{field.zh}应为字符串")
    elif not fits(field.kind, field.format, value):
        form = field.format or ("yyyy-MM-dd" if field.kind == "date" else "yyyy-MM-dd HH:mm:ss")
        work.complain(path, "format", f"{field.zh}应为有效日期，格式{form}")


# --- sums ----------------------------------------------------------------------------------------


def _line(node: Node, row: Mapping[str, Any], path: str, work: Work) -> None:
    if node.line_sum and line_broken(row):
        work.complain(f"{path}.det_item_fee_sumamt", "sum", "单价×数量与明细项目费用总额相差超过0.01元")


def _total(transaction: Transaction, message: Mapping[str, Any], work: Work) -> None:
    """Sum of the lines = medfee_sumamt where both are in one message (X38)."""
    found = total_nodes(transaction)
    if found is None:
        return
    head, lines = message.get(found[0].name), message.get(found[1].name)
    if type(head) is not dict or type(lines) is not list:
        return
    total = scaled_field(head, "medfee_sumamt", 2)
    amounts = [scaled_field(row, "det_item_fee_sumamt", 2) if type(row) is dict else None for row in lines]
    if total is None or None in amounts:
        return
    if sum(amount for amount in amounts if amount is not None) != total:
        work.complain(f"input.{found[0].name}.medfee_sumamt", "sum", "医疗费总额不等于明细金额之和")


def _identities(region: Region, row: Mapping[str, Any], path: str, work: Work) -> None:
    for total in broken_identities(region, row):
        work.complain(f"{path}.{total}", "sum", "金额合计关系不成立")


def _names_other(transaction: Transaction, tree: Any, institution: str) -> bool:
    """Say whether any fixmedins_code inside input is not the institution's own (X15)."""
    if transaction.may_name_others:
        return False
    todo = [tree]
    while todo:
        here = todo.pop()
        if type(here) is dict:
            code = here.get("fixmedins_code")
            if not blank(code) and code != institution and not (transaction.infno == "9102" and code == "plc"):
                return True
            todo.extend(here.values())
        elif type(here) is list:
            todo.extend(here)
    return False
