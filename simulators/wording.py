"""JSON as the simulators read and write it: decimals keep their value, money leaves as a number with two decimals."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Protocol, TypeVar

import msgspec

PAGE_MAX = 100
Json = dict[str, Any]
_Row = TypeVar("_Row")

_decoder = msgspec.json.Decoder(float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")


class Dice(Protocol):
    """The three chances the simulators take; `random.Random` fits."""

    def random(self) -> float: ...
    def randrange(self, start: int, stop: int, /) -> int: ...
    def choice(self, seq: Any, /) -> Any: ...


def paged(rows: Sequence[_Row], shown: Callable[[_Row], Json], facts: Json) -> Json:
    """The page that page_num and page_size of a query name, and what the answer says of pages."""
    number, size = (int(Decimal(facts[name])) for name in ("page_num", "page_size"))
    number, size = max(1, number), min(PAGE_MAX, max(1, size))
    return {
        "data": [shown(row) for row in rows[(number - 1) * size : number * size]],
        "pageNum": number,
        "pageSize": size,
        "pages": -(-len(rows) // size),
        "recordCounts": len(rows),
        "firstPage": number == 1,
        "lastPage": number * size >= len(rows),
    }


def read_object(body: bytes) -> Json | None:
    """The JSON object in body, or None when there is none."""
    try:
        value = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def write(value: Any) -> bytes:
    return _encoder.encode(value)
