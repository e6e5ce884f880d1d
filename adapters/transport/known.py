"""Heads that were read before. Messages of one peer differ in their body and its length, seldom in anything else.

A head is remembered by its bytes without the digits of its Content-Length, once llhttp and all checks took it.
Another with the same bytes and other digits means the same but for the length, so it need not be read again. Pure.
"""

from typing import Generic, TypeVar

T = TypeVar("T")

HEADS_MAX = 1_000
HEAD_BYTES_MAX = 1_024
_DIGITS_MAX = 9
_LENGTH = b"\r\nContent-Length: "


class KnownHeads(Generic[T]):
    """What heads mean, by their sketch; forgets everything when it is full."""

    __slots__ = ("_known", "get")

    def __init__(self) -> None:
        self._known: dict[bytes, T] = {}
        self.get = self._known.get

    def learn(self, sketch: bytes, meaning: T) -> None:
        """Remember a head that was read with all checks."""
        if len(self._known) >= HEADS_MAX:
            self._known.clear()
        if len(sketch) <= HEAD_BYTES_MAX:
            self._known[sketch] = meaning


def sketch_of(raw: bytes, end: int) -> tuple[bytes, bytes] | None:
    """Return (the head without the digits of its Content-Length, those digits); None when it has no plain length.

    end: where the empty line begins that ends the head. The first such line counts: a head with two is never known.
    """
    at = raw.find(_LENGTH, 0, end)
    if at < 0:
        return None
    start = at + len(_LENGTH)
    stop = raw.find(b"\r\n", start)
    digits = raw[start:stop]
    if not digits.isdigit() or len(digits) > _DIGITS_MAX:
        return None
    return raw[:start] + raw[stop:end], digits
