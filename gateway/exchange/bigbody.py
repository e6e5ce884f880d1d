"""A big message, worked on in slices between other requests: nobody waits more than some milliseconds for it.

Reading, hashing, checking and proving its shape are the same rules as for a small one; only the steps are small.
"""

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import attrs

from gateway.core.checks import SLICE_ROWS
from gateway.core.errors import BadJson
from gateway.core.facts import content_slices
from gateway.core.jsontext import Raw, crowded, decode, decode_items, decode_shallow, skeleton_slices
from gateway.core.translation import Work
from gateway.exchange.job import Job

BIG_BYTES = 262_144
HASH_BYTES = 1 << 20


class Hasher(Protocol):
    """A digest that grows."""

    def update(self, data: bytes) -> object: ...

    def digest(self) -> bytes: ...


def shallow(raw: bytes) -> Any:
    """Read a big message's envelope and leave its input undecoded; anything but an object is read whole."""
    if crowded(raw):
        raise BadJson("键、字符串或数组元素过多")
    members = decode_shallow(raw)
    if members is None:
        return decode(raw)
    return {name: value if name == "input" else decode(bytes(value)) for name, value in members.items()}


@attrs.define(eq=False)
class BigBody:
    """One big message's way through the desk. done(tree, keys, skeleton): keys is -1 when the slow walk must look."""

    job: Job
    tree: dict[str, Any]
    work: Work
    hasher: Callable[[], Hasher]
    done: Callable[[dict[str, Any], int, bytes], None]

    def steps(self) -> Iterator[None]:
        """Do it all; every `yield` is a place where others may go first."""
        yield from self._read()
        message = self.tree.get("input")
        if type(message) is not dict:
            self.done(self.tree, -1, b"")
            return
        if self.job.klass != "Q":
            yield from self._hash(message)
        keys = -1
        for found in self.job.plan.slices(self.tree, self.work, SLICE_ROWS):
            keys = found
            yield
        bones = []
        for part in skeleton_slices(self.job.incoming.body) if keys >= 0 else ():
            bones.append(part)
            yield
        self.done(self.tree, keys, b"".join(bones))

    def _read(self) -> Iterator[None]:
        """Decode input node by node, and a list of rows row by row."""
        raw = self.tree.get("input")
        if type(raw) is not Raw:
            return
        members = decode_shallow(bytes(raw))
        yield
        if members is None:
            self.tree["input"] = decode(bytes(raw))
            return
        message: dict[str, Any] = {}
        for name, value in members.items():
            items = decode_items(value)
            yield
            if items is None:
                message[name] = decode(bytes(value))
                continue
            rows: list[Any] = []
            for start in range(0, len(items), SLICE_ROWS):
                rows += [decode(bytes(item)) for item in items[start : start + SLICE_ROWS]]
                yield
            message[name] = rows
        self.tree["input"] = message

    def _hash(self, message: dict[str, Any]) -> Iterator[None]:
        state = self.hasher()
        for part in content_slices(self.job.infno, self.job.institution.code, message, SLICE_ROWS):
            for start in range(0, len(part), HASH_BYTES):
                state.update(part[start : start + HASH_BYTES])
                yield
        self.job.digest = state.digest()
