"""Local codes of a collected list become national ones by the institution's mapping, on the day of discharge.

Nothing is guessed: a code is mapped by an approved row in force that day, or is itself a valid national code, or is
told (SL-C005) and left as it is. Sources: contract-annex X11 to X14, X39; the fields' code systems: message 4101.
"""

import copy
from collections.abc import Iterator
from typing import Any

from gateway.core.codes import Hit, Miss, Snapshot
from gateway.lists.reading import HEAD, FieldSpec, Finding, Nodes

_WHY = {
    "unmapped": "没有对码，也不是国家编码",
    "expired": "对应的国家编码在出院当天无效",
    "code_conflict": "对应多个国家编码",
}
WESTERN = "1"  # diag_type: only these are coded by the diagnosis standard


def translated(tree: dict[str, Any], nodes: Nodes, codes: Snapshot, day: str) -> tuple[dict[str, Any], list[Finding]]:
    """Return the list in national codes and names, and what has no translation. day: of discharge, '' = unknown."""
    found: list[Finding] = []
    if not day:
        return tree, found
    tree = copy.deepcopy(tree)
    for place, node, row in _rows(tree):
        for name, spec in nodes.get(node, {}).items():
            value = row.get(name)
            if not spec.slot or type(value) is not str or not value.strip() or value == "-":
                continue
            if node == "diseinfo" and row.get("diag_type") not in (WESTERN, None, ""):
                continue
            hit = codes.one_slot(spec.slot, value, day)
            if isinstance(hit, Miss):
                why = f"【{spec.zh}】{_WHY.get(hit.rule, hit.rule)}"
                found.append(Finding("SL-C005", "error", f"{place}.{name}", why))
            else:
                _put(row, name, spec, hit, codes)
    return tree, found


def _put(row: dict[str, Any], name: str, spec: FieldSpec, hit: Hit, codes: Snapshot) -> None:
    if hit.entry is None:
        return  # it is a national code already: its name is what the institution wrote
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
