"""A city's core system from before the national codes: the same JSON, in the institutions' own codes (design §5).

It knows every code of the institutions' lists, takes nothing else, and keeps its books like any platform. Inside it
works with the national entry it believes the code to stand for; what has none is the person's own expense. Answers
carry the institutions' codes again.
"""

import functools
from collections.abc import Iterator, Mapping
from typing import Any

from simulators import shapes, tables
from simulators.ledger import Call, Refusal
from simulators.national import PLACES
from simulators.platform import Platform
from simulators.wording import Json

_LOCAL_ITEM, _ITEM = "medins_list_codg", "med_list_codg"


@functools.cache
def register(system: str) -> Mapping[str, str]:
    """Local code -> national one of one SYSTEM, '' where there is none."""
    known = {one.local_code: one.national_code for one in tables.matched(system)}
    return {
        row["local_code"]: known.get(row["local_code"], "") for row in tables.rows(f"local_{tables.LOCAL_STEM[system]}")
    }


def meaning(system: str, code: str) -> str | None:
    """What a local code stands for: a national code, the code itself when it has none, None when nobody knows it."""
    for place in PLACES[system]:
        national = register(place).get(code)
        if national is not None:
            return national or code
    return None


class CityCore(Platform):
    """One city's core."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.locals: dict[str, str] = {}
        self.known = lambda system, code, day: None

    def _call(self, envelope: Json, infno: str) -> Call:
        """The request in national codes, after it was found to be in local ones. Raises Refusal."""
        shape = shapes.shapes().get(infno)
        if shape is None or not isinstance(envelope.get("input"), dict):
            return super()._call(envelope, infno)
        body = _copy(envelope["input"])
        for record, node in _records(shape, body):
            for name, system in node.systems:
                self._resolve(record, name, system)
        return super()._call({**envelope, "input": body}, infno)

    def _resolve(self, record: Json, name: str, system: str) -> None:
        local = record.get(_LOCAL_ITEM if name == _ITEM and _LOCAL_ITEM in record else name)
        if system not in PLACES or not isinstance(local, str) or not local:
            return
        found = meaning(system, local)
        if found is None:
            raise Refusal(f"本市目录没有编码{local}")
        self.locals[found] = local
        record[name] = found

    def _do(self, envelope: Json, infno: str) -> object:
        return self._local(super()._do(envelope, infno))

    def _local(self, value: Any) -> Any:
        """Put the institutions' codes back wherever one of its meanings stands."""
        if isinstance(value, dict):
            return {name: self._local(one) for name, one in value.items()}
        if isinstance(value, list):
            return [self._local(one) for one in value]
        return self.locals.get(value, value) if isinstance(value, str) else value


def _records(shape: shapes.Shape, body: Json) -> Iterator[tuple[Json, shapes.Node]]:
    """Every record of a message with the node it belongs to."""
    for node in shape.nodes.values():
        yield from _under(shape, node, body if node.name == "_root" else body.get(node.name))


def _under(shape: shapes.Shape, node: shapes.Node, value: Any) -> Iterator[tuple[Json, shapes.Node]]:
    for record in value if isinstance(value, list) else [value]:
        if isinstance(record, dict):
            yield record, node
            for name, inner in shape.inner.items():
                yield from _under(shape, inner, record.get(name))


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _copy(one) for name, one in value.items()}
    return [_copy(one) for one in value] if isinstance(value, list) else value
