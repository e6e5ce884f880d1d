"""Translation of one row in place: every coded field resolved, both codes kept, a miss a precise complaint.

Rules: contract-annex X11, X12, X39. The compiled plans write the same by themselves (`gateway.core.plan_writer`).
"""

from collections.abc import Mapping
from typing import Any

import attrs

from gateway.core.catalogue import Field, Node
from gateway.core.codes import SLOTS, Hit, Miss, Snapshot
from gateway.core.errors import Complaint, Rule

Evidence = tuple[str, str, str, str, str, str]  # path, SYSTEM, local code, national code, mapping version, day

COMPLAINTS_MAX = 2_000
ITEM, LOCAL_ITEM = "item", "local_item"
TCM_DIAGNOSIS = ("2", "3")  # diag_type: these lines carry 1314/1315 codes, not ICD-10
NAME_OF: Mapping[str, str] = {
    "diag_code": "diag_name",
    "dise_codg": "dise_name",
    "oprn_oprt_code": "oprn_oprt_name",
}
WHY = {
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
    fixmedins_code is another's. unknown: dictionaries in which a forwarded value was not found. beside: the local
    regime, in which codes are looked up and left as they are.
    """

    codes: Snapshot
    day: str
    institution: str
    names: bool = True
    beside: bool = False
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


def blank(value: Any) -> bool:
    """Say whether a value counts as absent: null, missing, or a text without content."""
    return value is None or (type(value) is str and (not value or value.isspace()))


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
    if field.system == "diagnosis" and row.get("diag_type") in TCM_DIAGNOSIS:
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
    work.complain(path, miss.rule, f"{field.zh}“{_shown(code)}”{WHY[miss.why]}{target}{beside}")


def _shown(code: str) -> str:
    return code if len(code) <= 50 else code[:50] + "…"
