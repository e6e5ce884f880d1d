"""Local codes of a collected list become national ones by the institution's mapping, on the day of discharge; those of
surgeons and anaesthetists on the day of the operation.

Nothing is guessed: a code is mapped by an approved row in force that day, or is itself a valid national code, or is
told (SL-C005) and left as it is. Sources: contract-annex X11 to X14, X39; the fields' code systems: message 4101.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from gateway.core.codes import Hit, Miss, Snapshot
from gateway.core.dates import is_date
from gateway.lists.reading import HEAD, FieldSpec, Finding, Nodes

_WHY = {
    "unmapped": "没有对码，也不是国家编码",
    "expired": "对应的国家编码在{}当天无效",
    "code_conflict": "对应多个国家编码",
}
STAFF = "doctor"
WESTERN = "1"  # diag_type: only these are coded by the diagnosis standard


Evidence = tuple[str, str, str, str, str, str]  # path, system, local, national, version, day: as the journal keeps them


@attrs.frozen
class Translated:
    """A list in national codes and names, what has no translation, and which mapping translated what (annex X34)."""

    tree: dict[str, Any]
    found: list[Finding]
    evidence: list[Evidence]


def translated(tree: dict[str, Any], nodes: Nodes, codes: Snapshot, day: str) -> Translated:
    """Translate a list; the tree itself stays as it is. day: of discharge, '' = unknown."""
    found: list[Finding] = []
    evidence: list[Evidence] = []
    if not day:
        return Translated(tree, found, evidence)
    tree = {node: _copied(value) for node, value in tree.items()}
    for place, node, row in _rows(tree):
        for name, spec in nodes.get(node, {}).items():
            value = row.get(name)
            if not spec.slot or type(value) is not str or not value.strip() or value == "-":
                continue
            if node == "diseinfo" and row.get("diag_type") not in (WESTERN, None, ""):
                continue
            operated = operated_on(row) if node == "oprninfo" and spec.slot == STAFF else ""
            on = operated or day
            hit = codes.one_slot(spec.slot, value, on)
            if isinstance(hit, Miss):
                why = _WHY.get(hit.rule, hit.rule).format("手术" if operated else "出院")
                found.append(Finding("SL-C005", "error", f"{place}.{name}", f"【{spec.zh}】{why}"))
            elif hit.entry is not None:  # else it is a national code already: its name is what the institution wrote
                evidence.append((f"{place}.{name}", hit.entry[4], value, hit.national, hit.entry[3], on))
                _put(row, name, spec, hit, codes)
    return Translated(tree, found, evidence)


def operated_on(row: Mapping[str, Any]) -> str:
    """The day of an operation's record, '' when it tells none."""
    for name in ("oprn_oprt_date", "oprn_oprt_begntime"):
        day = row.get(name)
        if type(day) is str and is_date(day[:10]):
            return day[:10]
    return ""


def _copied(value: Any) -> Any:
    """Copy a node as deep as codes are put into it."""
    if type(value) is dict:
        return dict(value)
    if type(value) is list:
        return [dict(row) if type(row) is dict else row for row in value]
    return value


def _put(row: dict[str, Any], name: str, spec: FieldSpec, hit: Hit, codes: Snapshot) -> None:
    row[name] = hit.national
    named = codes.libraries.name(spec.slot, hit.national) if spec.name else ""
    if named:
        row[spec.name] = named


def _rows(tree: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for node, value in tree.items():
        if node == HEAD and type(value) is dict:
            yield HEAD, HEAD, value
        elif type(value) is list:
            for index, row in enumerate(value):
                if type(row) is dict:
                    yield f"{node}[{index}]", node, row
