"""Back-translation: national codes of an answer become the institution's own, both kept (annex X14, X39).

Only fields with a code system, only where the local code is certain: the one the same visit was sent with, else the
only local code in force. Everything else stays national; a body in which nothing changed goes on byte for byte.
"""

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from gateway.core.catalogue import Node, Transaction
from gateway.core.codes import SLOTS, Entry, Snapshot
from gateway.core.jsontext import Raw, decode_exact, encode, minus_zero
from gateway.core.ports import Reply
from gateway.core.translation import ITEM

Sent = Callable[[str, str], str]  # (slot, national) -> local code this visit was sent with, ''


@attrs.frozen
class Backward:
    """How the answers of one transaction are translated back: coded fields by output node."""

    nodes: Mapping[str, tuple[tuple[str, str], ...]]
    slots: frozenset[str]

    def wanted(self, snapshot: Snapshot) -> bool:
        """Say whether anything could be translated, so that queries without codes need no deep decode."""
        return any(snapshot.reverse.get(slot) for slot in self.slots)


def compile_backward(transaction: Transaction) -> Backward:
    """Gather the coded output fields of a transaction."""
    found: dict[str, tuple[tuple[str, str], ...]] = {}
    for node in transaction.output:
        fields = tuple((f.name, f.system) for f in node.fields if f.system in SLOTS and _ours(node, f.system))
        if fields:
            found[node.name] = fields
    return Backward(found, frozenset(slot for fields in found.values() for _, slot in fields))


def _ours(node: Node, system: str) -> bool:
    """A line that carries the local slot beside the national one needs no back-translation."""
    return system != ITEM or not any(field.system == "local_item" for field in node.fields)


def translate_back(backward: Backward, tree: dict[str, Any], snapshot: Snapshot, day: str, sent: Sent) -> bytes | None:
    """Translate an answer in place; return its new bytes with `gw_codes`, or None when nothing changed."""
    output = tree.get("output")
    codes: list[dict[str, str]] = []
    if type(output) is dict:
        for name, fields in backward.nodes.items():
            if name == "_root":
                _row(fields, output, "output", snapshot, day, sent, codes)
                if "data" not in backward.nodes:
                    _node(fields, output.get("data"), "output.data", snapshot, day, sent, codes)
            else:
                _node(fields, output.get(name), f"output.{name}", snapshot, day, sent, codes)
    elif type(output) is list:
        # Once per field, though several nodes have it: what was translated is not to be looked up again.
        every = tuple(dict.fromkeys(field for fields in backward.nodes.values() for field in fields))
        _node(every, output, "output", snapshot, day, sent, codes)
    if not codes:
        return None
    tree["gw_codes"] = codes
    return encode(tree)


def rewritten(reply: Reply, body: bytes, new: bytes | None) -> bytes:
    """Return an answer's bytes after `translate_back` gave new for its envelope: in its wrapper, if it has one, and
    with -0 where `decode` read 0 (X14: all else keeps its text). reply was read from body.
    """
    if new is None or reply.outer is None:
        return body
    if minus_zero(body):
        _keep_minus(reply.outer, decode_exact(body))
        return encode(reply.outer)
    return new if reply.outer is reply.tree else encode(reply.outer)


def _keep_minus(here: Any, exact: Any) -> None:
    """Put -0 back. here: the tree of an answer, exact: the same with every number's text."""
    for at, value in exact.items() if type(exact) is dict else enumerate(exact):
        if type(value) is Raw and bytes(value) == b"-0":
            here[at] = value
        elif type(value) in (dict, list) and at != "gw_codes":  # that is our own by now
            _keep_minus(here[at], value)


def _node(
    fields: tuple[tuple[str, str], ...],
    value: Any,
    path: str,
    snapshot: Snapshot,
    day: str,
    sent: Sent,
    codes: list[dict[str, str]],
) -> None:
    if type(value) is dict:
        _row(fields, value, path, snapshot, day, sent, codes)
    elif type(value) is list:
        for index, row in enumerate(value):
            if type(row) is dict:
                _row(fields, row, f"{path}[{index}]", snapshot, day, sent, codes)


def _row(
    fields: tuple[tuple[str, str], ...],
    row: dict[str, Any],
    path: str,
    snapshot: Snapshot,
    day: str,
    sent: Sent,
    codes: list[dict[str, str]],
) -> None:
    for name, slot in fields:
        national = row.get(name)
        if type(national) is not str or not national:
            continue
        local = sent(slot, national) or only_local(snapshot, slot, national, day)
        if local and local != national:
            row[name] = local
            codes.append({"path": f"{path}.{name}", "national": national, "local": local})


def only_local(snapshot: Snapshot, slot: str, national: str, day: str) -> str:
    """Return the only local code in force for a national one on a day, '' when there is none or several."""
    found = ""
    for local in snapshot.reverse.get(slot, {}).get(national, ()):
        entry = snapshot.tables[slot][local]
        rows: list[Entry] = entry if isinstance(entry, list) else [entry]
        if any(row[0] == national and row[1] <= day <= row[2] for row in rows):
            if found:
                return ""
            found = local
    return found
