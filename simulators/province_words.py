"""What is said at a province's door: the requests it takes and its refusals (docs/province.md)."""

import json
import zlib

import attrs

from simulators.wording import Json, write

PREFIX = "/province/v1/"


class No(Exception):
    """The province says no; nothing was changed. code: of docs/province.md."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@attrs.frozen
class Ask:
    """One request that may be answered. op: what the path names; facts: its body."""

    account: str
    op: str
    request_id: str
    facts: Json


ANSWERS_MAX = 1_000


@attrs.define
class Answered:
    """The newest answers to questions, packed: a page of a statement is large."""

    _kept: dict[tuple[str, str], tuple[str, bytes, bytes]] = attrs.Factory(dict)

    def get(self, account: str, request_id: str) -> tuple[str, bytes, Json] | None:
        """Return (op, digest of the request, the answer's data)."""
        found = self._kept.get((account, request_id))
        return None if found is None else (found[0], found[1], json.loads(zlib.decompress(found[2])))

    def keep(self, account: str, request_id: str, op: str, digest: bytes, data: Json) -> None:
        self._kept[account, request_id] = op, digest, zlib.compress(write(data), 1)
        if len(self._kept) > ANSWERS_MAX:
            del self._kept[next(iter(self._kept))]
