"""What may go wrong on the platform's side of one request (reversal.md §10, last paragraph)."""

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


_SETTLEMENTS = frozenset({"2102", "2207", "2304", "2103", "2208", "2305"})
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
    """A Weather for showing: the answer of every n-th settlement or cancellation is lost, each time in another way.

    The fourth way loses the request too. Of the reversals that follow every third answer is lost.
    """

    n: int
    _settlements: int = 0
    _troubles: int = 0
    _reversals: int = 0

    def __call__(self, infno: str, msgid: str) -> Fault | None:
        if infno == "2601":
            self._reversals += 1
            return Fault(drop="reset") if self._reversals % 3 == 1 else None
        if infno not in _SETTLEMENTS:
            return None
        self._settlements += 1
        if self._settlements % self.n:
            return None
        self._troubles += 1
        return _TROUBLES[(self._troubles - 1) % len(_TROUBLES)]


Weather = Callable[[str, str], Fault | None]
"""(infno, msgid) -> what happens to this request."""


def calm(infno: str, msgid: str) -> Fault | None:
    """Nothing ever goes wrong."""
    return None
