"""What is said at a province's door: the requests it takes and its refusals (docs/province.md)."""

import attrs

from simulators.wording import Json

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
