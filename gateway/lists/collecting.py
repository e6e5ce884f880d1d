"""A settlement list grows of pieces: admission, diagnoses, operations, ... as they become known, keyed by visit.

Of one kind the newest piece counts: it replaces the one before. Pieces of different kinds that say different things of
the same item contradict each other; nobody can say which is right, so it is told and the list is not sent.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import attrs

from gateway.core.jsontext import number_text
from gateway.lists.reading import HEAD, RECORDS_MAX, FieldSpec, Finding, Nodes, shown, value_of

KINDS: Mapping[str, str] = {
    "admission": "入院登记", "diagnosis": "诊断", "operation": "手术", "icu": "重症监护", "blood": "输血",
    "fees": "费用", "discharge": "出院", "settlement": "结算", "whole": "整份清单",
}  # fmt: skip
VISIT = "mdtrt_id"
ID_MAX = 30
NODES_MAX = 20
FIELDS_MAX = 200
RECORDS_KEPT_MAX = 2_000  # of one node of a piece: more than the rules take, so that they can say so

Tree = dict[str, Any]


class PieceRefused(Exception):
    """A piece cannot be taken; path is where, the text is Chinese and shows nothing of a person."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(message)
        self.path, self.message = path, message


@attrs.frozen
class Piece:
    """One piece of a visit's list: nodes as in the message."""

    kind: str
    tree: Tree


@attrs.frozen
class Collected:
    """What the pieces of a visit come to, and where they contradict each other."""

    tree: Tree
    conflicts: tuple[Finding, ...]


def visit_of(tree: Any, institution: str) -> str:
    """Return the visit a piece belongs to. Raises PieceRefused for what nobody can keep under a visit."""
    if type(tree) is not dict:
        raise PieceRefused("", "应为一个JSON对象")
    head = tree.get(HEAD)
    if type(head) is not dict:
        raise PieceRefused(HEAD, "缺少setlinfo")
    visit = head.get(VISIT)
    if type(visit) is not str or not visit.strip() or len(visit) > ID_MAX or not visit.isprintable():
        raise PieceRefused(f"{HEAD}.{VISIT}", f"就诊ID没有填写，或不是{ID_MAX}个以内的字符：不知道属于哪次就诊")
    whose = head.get("fixmedins_code")
    if whose not in (None, "", institution):
        raise PieceRefused(f"{HEAD}.fixmedins_code", "是另一家机构的清单")
    if len(tree) > NODES_MAX:
        raise PieceRefused("", f"节点超过{NODES_MAX}个")
    for name, node in tree.items():
        _bounded(shown(name), node)
    return visit


def _bounded(name: str, node: Any) -> None:
    rows = node if type(node) is list else [node]
    if len(rows) > RECORDS_KEPT_MAX:
        raise PieceRefused(name, f"记录超过{RECORDS_KEPT_MAX}条（清单每类最多{RECORDS_MAX}条）")
    if any(type(row) is dict and len(row) > FIELDS_MAX for row in rows):
        raise PieceRefused(name, f"字段超过{FIELDS_MAX}个")


def merged(pieces: Iterable[Piece], nodes: Nodes) -> Collected:
    """Put pieces together, oldest first. Of contradicting values the newest stands in the tree, and is not sent."""
    newest: dict[str, Piece] = {}
    for piece in pieces:
        newest.pop(piece.kind, None)
        newest[piece.kind] = piece  # in the order in which they were last said
    head: dict[str, Any] = {}
    tree: Tree = {HEAD: head}
    said: dict[str, str] = {}
    found: list[Finding] = []
    for piece in newest.values():
        for place, holder, name, value in _members(piece.tree, tree, head):
            spec = nodes[HEAD].get(name) if holder is head else None
            if place in said and not _same(holder.get(name), value, spec):
                who = f"{KINDS[said[place]]}与{KINDS[piece.kind]}"
                found.append(Finding("SL-C001", "error", place, f"{who}所说不一致，请核对后更正其中一方"))
            holder[name] = value
            said[place] = piece.kind
    return Collected(tree, tuple(found))


def _same(one: Any, other: Any, spec: FieldSpec | None) -> bool:
    """Two ways of writing one value are no contradiction."""
    if one == other:
        return True
    texts = (number_text(one), number_text(other))
    if spec is None or texts[0] is None or texts[1] is None:
        return False
    values = (value_of(texts[0], spec.kind), value_of(texts[1], spec.kind))
    return values[0] is not None and values[0] == values[1]


def _members(piece: Tree, tree: Tree, head: Tree) -> Iterator[tuple[str, Tree, str, Any]]:
    """Yield (path, holder, name, value) of all a piece says; what it leaves empty it does not say."""
    for node, value in piece.items():
        if node == HEAD and type(value) is dict:
            for name, field in value.items():
                if not _nothing(field):
                    yield f"{HEAD}.{shown(name)}", head, name, field
        elif node != HEAD and not _nothing(value):
            yield shown(node), tree, node, value


def _nothing(value: Any) -> bool:
    return value is None or value in ("", "-", [], {}) or (type(value) is str and not value.strip())
