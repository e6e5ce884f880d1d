"""The message that is sent of a collected list: what its form carries, nothing else (settlement_list.yaml, scope)."""

from collections.abc import Iterable, Mapping
from typing import Any

from gateway.core.catalogue import Node
from gateway.core.jsontext import number_text
from gateway.lists.reading import HEAD, Record

# Rows that name the visit again (bldinfo) get it from the head.
_OF_HEAD = ("psn_no", "mdtrt_id", "setl_id")


def message_of(tree: Mapping[str, Any], nodes: Iterable[Node]) -> dict[str, Any]:
    """Return the input of 4101 in the form of a region. Numbers are sent as they were written."""
    head = tree.get(HEAD, {})
    found: dict[str, Any] = {}
    for node in nodes:
        given = tree.get(node.name)
        names = [field.name for field in node.fields]
        if node.name == HEAD:
            found[HEAD] = _cut(given if type(given) is dict else {}, names)
        elif type(given) is list and given:
            rows = [_cut(row, names) for row in given if type(row) is dict]
            for row in rows:
                row |= {name: head[name] for name in _OF_HEAD if name in names and name not in row and name in head}
            found[node.name] = rows[0] if node.repeated == "one" else rows
    return found


def _cut(row: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: row[name] for name in names if row.get(name) not in (None, "", "-")}


def listed(output: Any) -> Record | None:
    """Return the head of a 4103 answer, None when the platform has no list of that settlement."""
    head = output.get(HEAD) if type(output) is dict else None
    rows = head if type(head) is list else [head]
    for row in rows:
        if type(row) is dict and row.get("setl_id"):
            return Record(0, {name: text for name, value in row.items() if (text := number_text(value))})
    return None
