"""What may go wrong on the platform's side of one request (reversal.md §10, last paragraph)."""

from collections import Counter
from collections.abc import Callable
from typing import Literal

import attrs


@attrs.frozen(kw_only=True)
class Fault:
    """One misbehaviour. Unless `processed` is false the platform has done the work before it misbehaves.

    drop: say nothing ("silent") or break the connection ("reset"). truncate_bytes: send only so many bytes of the body
    that was announced. book_late_s: do the work only after so many seconds, and say nothing. without_effect: answer
    infcode 0 and do nothing (a lie). twice: book a settlement two times. foreign_msgid: answer with another msgid.
    infcode: answer with a code nobody has documented.
    """

    drop: Literal["", "silent", "reset"] = ""
    delay_s: float = 0.0
    book_late_s: float = 0.0
    http_status: int = 0
    truncate_bytes: int = 0
    garbage: bool = False
    business_error: str = ""
    system_error: str = ""
    infcode: int = 0
    without_effect: bool = False
    twice: bool = False
    foreign_msgid: bool = False
    processed: bool = True


_CANCELLATIONS = frozenset({"2103", "2208", "2305"})
_SETTLEMENTS = frozenset({"2102", "2207", "2304"}) | _CANCELLATIONS
_TROUBLES = (
    Fault(drop="reset"),
    Fault(http_status=502),
    Fault(drop="silent"),
    Fault(drop="reset", processed=False),
    Fault(system_error="系统繁忙，请稍后再试"),
    Fault(truncate_bytes=60),
)


@attrs.define
class EveryNth:
    """A Weather for showing: of every institution each n-th answer about money is lost, each time in another way.

    Counted for each by itself (a msgid begins with twelve characters of its sender), so that a cashier who tries again
    is hardly ever hit three times running and the day ends well.
    The fourth way loses the request too, but never that of a cancellation: what it should have undone still stands, and
    that takes ten minutes and then a person (reversal.md §4.3). Of the reversals every third answer is lost.
    """

    n: int
    _settlements: Counter[str] = attrs.Factory(Counter)
    _troubles: int = 0
    _reversals: int = 0

    def __call__(self, infno: str, msgid: str) -> Fault | None:
        if infno == "2601":
            self._reversals += 1
            return Fault(drop="reset") if self._reversals % 3 == 1 else None
        if infno not in _SETTLEMENTS:
            return None
        self._settlements[msgid[:12]] += 1
        if self._settlements[msgid[:12]] % self.n:
            return None
        self._troubles += 1
        trouble = _TROUBLES[(self._troubles - 1) % len(_TROUBLES)]
        return attrs.evolve(trouble, processed=True) if infno in _CANCELLATIONS else trouble


Weather = Callable[[str, str], Fault | None]
"""(infno, msgid) -> what happens to this request."""


def calm(infno: str, msgid: str) -> Fault | None:
    """Nothing ever goes wrong."""
    return None
