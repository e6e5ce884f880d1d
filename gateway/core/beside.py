"""The local regime: a message goes out in its own codes, and the national ones are found beside them (design §5).

Nothing is changed and nothing is refused because of a code. What the national regime would send stands in the evidence,
and so does what it would refuse: such a row has no national code, and the rule of the refusal in place of a version.
Source: founding document 001 (四), "settle with the original codes, show the national ones"; mapping rules §9.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.core.catalogue import Field, Node
from gateway.core.codes import SLOTS, Hit, Miss, Snapshot
from gateway.core.jsontext import encode
from gateway.core.translation import ITEM, LOCAL_ITEM, TCM_DIAGNOSIS, Evidence, Work, blank


def coded(node: Node) -> bool:
    """Say whether a node has a field with a code system or a dictionary."""
    return any(field.system in SLOTS or field.dictionary for field in node.fields)


def relaxed(node: Node, field: Field) -> bool:
    """Say whether a field may be empty here though the national regime wants it: the slot the gateway would fill."""
    return field.system == ITEM and any(one.system == LOCAL_ITEM for one in node.fields)


def find_beside(node: Node, row: Mapping[str, Any], path: str, day: str, work: Work) -> None:
    """Add to the evidence what every code of a row means nationally, or why it would be refused."""
    local_slot = next((field.name for field in node.fields if field.system == LOCAL_ITEM), "")
    codes = work.codes
    for field in node.fields:
        where = f"{path}.{field.name}"
        value = _text(row, field.name)
        if field.system == ITEM and local_slot:
            own = _text(row, local_slot)
            if not value:
                work.missed.add(where)  # empty here, filled in the national regime: not a complaint
            if own or value:
                _note(field, where, own or value, _item(codes, own, value, day), day, work)
        elif field.system in SLOTS:
            if value and not (field.system == "diagnosis" and row.get("diag_type") in TCM_DIAGNOSIS):
                _note(field, where, value, codes.one_slot(field.system, value, day), day, work)
        elif field.dictionary and value and f"dictionary:{field.dictionary}" in codes.tables:
            hit = codes.dictionary(field.dictionary, value, day)
            if hit is not None:
                _note(field, where, value, hit, day, work)


def _item(codes: Snapshot, own: str, centre: str, day: str) -> Hit | Miss:
    """Resolve an item by the institution's code, else by what stands in the other slot: the city centre's code."""
    found = codes.look_up(ITEM, own, day) if own else None
    return codes.one_slot(ITEM, centre or own, day) if found is None else found


def _note(field: Field, where: str, local: str, found: Hit | Miss, day: str, work: Work) -> None:
    if isinstance(found, Miss):
        work.evidence.append((where, field.system, local, "", found.rule, day))
    elif found.entry is not None:
        work.evidence.append((where, found.entry[4], local, found.entry[0], found.entry[3], day))
    elif found.national != local:
        work.evidence.append((where, field.system, local, found.national, "", day))


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    return value if type(value) is str and not blank(value) else ""


def missed(evidence: Sequence[Evidence]) -> list[str]:
    """Return the code system of every code the national regime would refuse."""
    return [system for _, system, _, national, _, _ in evidence if not national]


def attach(body: bytes, evidence: Sequence[Evidence]) -> bytes:
    """Return an answer with `gw_codes`: the national codes of what was asked, for display; its other bytes stay.

    body: a JSON object. A code without a national one has `national` "" and the `rule` that would refuse it.
    """
    if not evidence or b'"gw_codes"' in body:
        return body
    rows = [
        {"path": path, "national": national, "local": local} | ({} if national else {"rule": version})
        for path, _, local, national, version, _ in evidence
    ]
    return body.rstrip()[:-1] + b',"gw_codes":' + encode(rows) + b"}"
