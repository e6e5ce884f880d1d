"""The slow, complete walk: every complaint about one message at once, and its translation when there is none.

The compiled plans (`gateway.core.plan`) say yes fast; at their first surprise this walk explains everything. The
two are each other's oracle: a plan may only accept what this walk accepts, with the same translation.
Rules: contract-annex X11-X19, X31, X38, X39; envelope.md §1, §3.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from gateway.core.catalogue import Field, Node, Region, Transaction
from gateway.core.codes import SLOTS, Hit, Miss, Snapshot
from gateway.core.dates import fits
from gateway.core.errors import Complaint, Rule
from gateway.core.jsontext import number_text
from gateway.core.money import number_fault
from gateway.core.sums import broken_identities, line_broken, scaled_field, total_nodes

Evidence = tuple[str, str, str, str, str, str]  # path, SYSTEM, local code, national code, mapping version, day

COMPLAINTS_MAX = 2_000
SLICE_ROWS = 100
# They reach keys, logs and other systems: no line breaks, no zero bytes, no direction marks (security T16).
IDS = frozenset(
    {"msgid", "infno", "sign_no", "fixmedins_code", "omsgid", "oinfno", "psn_no", "mdtrt_id", "setl_id", "ipt_no"}
)
ITEM, LOCAL_ITEM = "item", "local_item"
SERVICE_DAY = ("fee_ocur_time", "diag_time", "begntime")  # annex X13, in this order
_TCM_DIAGNOSIS = ("2", "3")  # diag_type: these lines carry 1314/1315 codes, not ICD-10
NAME_OF: Mapping[str, str] = {
    "diag_code": "diag_name",
    "dise_codg": "dise_name",
    "oprn_oprt_code": "oprn_oprt_name",
}
_WHY = {
    "no_row": "未对码",
    "row_not_in_force": "对码在费用发生日未生效或已失效",
    "several_targets": "对应多个国家编码",
    "library_expired": "国家编码在该日无效",
    "not_in_library": "国家编码不在目录中",
    "differs": "国家编码与对码结果不一致，对码结果为",
}


@attrs.define
class Work:
    """What came of one message: complaints, or evidence of what was translated.

    missed: paths whose code has no translation (no second complaint about them). lines_fen, total_fen, rows: what
    a compiled plan added up. changed: the tree was altered, so it must be encoded again. foreign: an inner
    fixmedins_code is another's. unknown: dictionaries in which a forwarded value was not found.
    """

    codes: Snapshot
    day: str
    institution: str
    names: bool = True
    complaints: list[Complaint] = attrs.Factory(list)
    evidence: list[Evidence] = attrs.Factory(list)
    unknown: list[str] = attrs.Factory(list)
    changed: bool = False
    foreign: bool = False
    missed: set[str] = attrs.Factory(set)
    lines_fen: int = 0
    total_fen: int = 0
    rows: int = 0

    def complain(self, path: str, rule: Rule, message: str) -> None:
        if len(self.complaints) < COMPLAINTS_MAX:
            self.complaints.append(Complaint(path, rule, message))


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


def blank(value: Any) -> bool:
    """Say whether a value counts as absent: null, missing, or a text without content."""
    return value is None or (type(value) is str and (not value or value.isspace()))


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
        translate(node, row, path, day, self.work)
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


# --- translation ---------------------------------------------------------------------------------


def translate(node: Node, row: dict[str, Any], path: str, day: str, work: Work) -> None:
    """Resolve every coded field of a row in place; misses become complaints."""
    local_slot = next((field for field in node.fields if field.system == LOCAL_ITEM), None)
    for field in node.fields:
        if field.system == ITEM and local_slot is not None:
            _two_slot(field, local_slot, row, path, day, work)
        elif field.system in SLOTS:
            _one_slot(node, field, row, path, day, work)
        elif field.dictionary and f"dictionary:{field.dictionary}" in work.codes.tables:
            value = row.get(field.name)
            if type(value) is str and value:
                hit = work.codes.dictionary(field.dictionary, value, day)
                if hit is not None:
                    put(row, field.name, f"{path}.{field.name}", value, hit, day, work)


def _two_slot(field: Field, local_slot: Field, row: dict[str, Any], path: str, day: str, work: Work) -> None:
    national, local = row.get(field.name), row.get(local_slot.name)
    if not isinstance(national, str | None) or not isinstance(local, str | None):
        return  # the type complaint says it
    if blank(national) and blank(local):
        return  # the required complaints say it
    local = "" if local is None or blank(local) else local
    national = "" if national is None or blank(national) else national
    found = work.codes.two_slot(local, national, day)
    where = f"{path}.{field.name}"
    if isinstance(found, Hit):
        put(row, field.name, where, local or national, found, day, work)
    else:
        complain_miss(field, where, local or national, found, work, national)


def _one_slot(node: Node, field: Field, row: dict[str, Any], path: str, day: str, work: Work) -> None:
    value = row.get(field.name)
    if type(value) is not str or blank(value):
        return
    if field.system == "diagnosis" and row.get("diag_type") in _TCM_DIAGNOSIS:
        return
    found = work.codes.one_slot(field.system, value, day)
    where = f"{path}.{field.name}"
    if isinstance(found, Miss):
        complain_miss(field, where, value, found, work)
        return
    put(row, field.name, where, value, found, day, work)
    name_field = NAME_OF.get(field.name)
    if work.names and name_field is not None and name_field in row and node.field(name_field) is not None:
        _put_name(field.system, row, path, node.field(name_field), found, day, work)


def put(row: dict[str, Any], name: str, path: str, local: str, hit: Hit, day: str, work: Work) -> None:
    """Write a hit into the row and keep both codes as evidence."""
    if hit.entry is None:
        # A national code in the local slot fills the national one; nothing was translated by a mapping.
        if blank(row.get(name)) and hit.national:
            row[name] = hit.national
            work.changed = True
        if local and local != hit.national:
            # The institution sent both codes by itself and no mapping speaks of them: kept as they came.
            work.evidence.append((path, ITEM, local, hit.national, "", day))
        return
    if row.get(name) != hit.national:
        row[name] = hit.national
        work.changed = True
    work.evidence.append((path, hit.entry[4], local, hit.national, hit.entry[3], day))


def _put_name(slot: str, row: dict[str, Any], path: str, field: Field | None, hit: Hit, day: str, work: Work) -> None:
    """Send the national name; the doctor's words stay in the evidence (X12). One too long for its field stays away."""
    national = work.codes.libraries.name(slot, hit.national)
    if field is None or (field.length and len(national) > field.length):
        return
    words = row.get(field.name)
    if national and words != national:
        work.evidence.append((f"{path}.{field.name}", f"{slot}:name", str(words or ""), national, "", day))
        row[field.name] = national
        work.changed = True


def complain_miss(field: Field, path: str, code: str, miss: Miss, work: Work, national: str = "") -> None:
    """Say which code cannot be used and why; of a line with two slots, both codes."""
    work.missed.add(path)
    beside = f"（报文中的国家编码“{_shown(national)}”）" if national and national != code else ""
    target = f"“{miss.target}”" if miss.target else ""
    work.complain(path, miss.rule, f"{field.zh}“{_shown(code)}”{_WHY[miss.why]}{target}{beside}")


def _shown(code: str) -> str:
    return code if len(code) <= 50 else code[:50] + "…"


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
