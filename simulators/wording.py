"""JSON as the simulators read and write it: decimals keep their value, money leaves as a number with two decimals."""

from decimal import Decimal
from typing import Any, Protocol

import msgspec

Json = dict[str, Any]

_decoder = msgspec.json.Decoder(float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")


class Dice(Protocol):
    """The three chances the simulators take; `random.Random` fits."""

    def random(self) -> float: ...
    def randrange(self, start: int, stop: int, /) -> int: ...
    def choice(self, seq: Any, /) -> Any: ...


def read_object(body: bytes) -> Json | None:
    """The JSON object in body, or None when there is none."""
    try:
        value = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def write(value: Any) -> bytes:
    return _encoder.encode(value)
