"""What the platform kept of a list (4103) against what was sent (4101), field by field.

4103 calls several items differently and writes durations apart (`schemas/settlement_list/readback.toml`). Values are
compared by their kind: 1 and 1.00 are one amount, a day and its midnight one moment. A difference names the place in
what was sent; values are a patient's and are not told. What was left empty at the sending may be filled there.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import attrs
import msgspec

from gateway.core.jsontext import number_text
from gateway.lists.reading import HEAD, FieldSpec, Nodes, value_of

DIFFERENCES_MAX = 200  # of one list: more say nothing new
_KEYS = ("setl_id", "psn_no", "mdtrt_id")


class ReadBack(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How 4103 differs from 4101 by name: node -> its field -> ours; durations: ours -> days, hours, minutes; own: not
    compared.
    """

    fields: dict[str, dict[str, str]]
    durations: dict[str, tuple[str, str, str]]
    own: dict[str, list[str]]


@attrs.frozen
class Difference:
    """One place where the platform has something else than was sent. The message is Chinese and shows no value."""

    path: str
    message: str


@attrs.frozen
class Comparer:
    """Compares lists. there: node -> the fields 4103's answer has; what it has no field for cannot be compared."""

    names: ReadBack
    nodes: Nodes
    there: Mapping[str, frozenset[str]]

    def differences(self, sent: Mapping[str, Any], output: Mapping[str, Any]) -> list[Difference]:
        """Return where the answer `output` of 4103 differs from the message `sent`; at most DIFFERENCES_MAX."""
        found: list[Difference] = []
        for node, given in sent.items():
            if node in self.there:
                found += self._node(node, _rows(given), _rows(output.get(node)))
        return found[:DIFFERENCES_MAX]

    def _node(self, node: str, ours: list[Mapping[str, Any]], theirs: list[Mapping[str, Any]]) -> Iterator[Difference]:
        comparable = self._comparable(node)
        if node == HEAD:
            other = self._ours(HEAD, theirs[0]) if theirs else {}
            yield from self._row(HEAD, HEAD, comparable, ours[0] if ours else {}, other)
            return
        if len(ours) != len(theirs):
            yield Difference(node, f"上传{len(ours)}条，平台有{len(theirs)}条")
        left = [self._ours(node, row) for row in theirs]
        rest: list[tuple[int, Mapping[str, Any]]] = []
        for index, row in enumerate(ours):  # the order of records means nothing
            same = next((one for one in left if not any(self._row(node, "", comparable, row, one))), None)
            if same is None:
                rest.append((index, row))
            else:
                left.remove(same)
        for (index, row), other in zip(rest, left, strict=False):
            yield from self._row(node, f"{node}[{index}]", comparable, row, other)
        for index, _ in rest[len(left) :]:
            yield Difference(f"{node}[{index}]", "平台没有这一条")

    def _comparable(self, node: str) -> list[str]:
        names = self.names.fields.get(node, {})
        there = {names.get(name, name) for name in self.there[node]}
        if node == HEAD:
            there |= {ours for ours, parts in self.names.durations.items() if self.there[HEAD].issuperset(parts)}
        own = set(self.names.own.get(node, ())) | ({*_KEYS} if node != HEAD else set())
        return [name for name in self.nodes.get(node, {}) if name in there and name not in own]

    def _row(
        self, node: str, place: str, names: list[str], ours: Mapping[str, Any], theirs: Mapping[str, Any]
    ) -> Iterator[Difference]:
        for name in names:
            spec = self.nodes[node][name]
            sent, kept = (_value(row.get(name), spec) for row in (ours, theirs))
            if sent is None or sent == kept:
                continue
            what = "平台没有这一项" if kept is None else "平台所存与上传的不同"
            yield Difference(f"{place}.{name}", f"【{spec.zh}】{what}")

    def _ours(self, node: str, row: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a record of the answer under the message's names."""
        names = self.names.fields.get(node, {})
        found = {names.get(name, name): value for name, value in row.items()}
        if node == HEAD:
            for name, parts in self.names.durations.items():
                texts = [number_text(row.get(part)) for part in parts]
                if any(text not in (None, "") for text in texts):
                    found[name] = "/".join(text or "0" for text in texts)
        return found


def _rows(given: Any) -> list[Mapping[str, Any]]:
    rows = given if type(given) is list else [given]
    return [row for row in rows if type(row) is dict]


def _value(given: Any, spec: FieldSpec) -> object:
    """Return a value by its kind; of what cannot be read as its kind the text; None for nothing."""
    text = (number_text(given) or "").strip()
    if text in ("", "-"):
        return None
    if spec.kind == "weights":
        parts = text.split(",")
        return [value_of(part, "number") or part for part in parts]
    found = value_of(text, spec.kind)
    return text if found is None else found
