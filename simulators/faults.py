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


Weather = Callable[[str, str], Fault | None]
"""(infno, msgid) -> what happens to this request."""


def calm(infno: str, msgid: str) -> Fault | None:
    """Nothing ever goes wrong."""
    return None
