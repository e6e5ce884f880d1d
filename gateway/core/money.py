"""Numbers of messages: exact, from their own text, never float. Money is int fen (yuan with two decimals).

Text accepted: `-?[0-9]+(\\.[0-9]+)?` (annex X18); "len p,s" = at most p-s digits before the point and s behind it.
"""

import re
from collections.abc import Callable
from functools import cache
from typing import Any, NewType

from gateway.core.jsontext import Raw, number_text

Fen = NewType("Fen", int)

_FORM = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?", re.ASCII)
_MEMO_MAX = 20_000
_MEMO_TEXT_MAX = 32  # longer texts are padding, not amounts that repeat
_WHOLE_MAX = 64  # far beyond any field; Python itself refuses to make an int of more than 4,300 digits


def scaled(text: str, decimals: int) -> int | None:
    """Return the number x 10**decimals, or None when text is not a number, or has more decimals or digits than fit."""
    form = _FORM.fullmatch(text)
    if form is None:
        return None
    fraction = form[3] or ""
    whole = form[2].lstrip("0")
    if len(fraction) > decimals or len(whole) > _WHOLE_MAX:
        return None
    value = int((whole or "0") + fraction.ljust(decimals, "0"))
    return -value if form[1] else value


def number_fault(text: str, whole: int, decimals: int) -> str:
    """Return the rule a number's text breaks: "type", "scale", or '' when it is fine."""
    form = _FORM.fullmatch(text)
    if form is None:
        return "type"
    too_big = len(form[2].lstrip("0")) > whole
    return "scale" if too_big or len(form[3] or "") > decimals else ""


def fen_of(value: Any) -> Fen | None:
    """Return a message's amount in fen; None when absent or not an amount with at most two decimals."""
    text = number_text(value)
    amount = None if text is None else scaled(text, 2)
    return None if amount is None else Fen(amount)


def yuan(fen: int) -> str:
    """Return fen as yuan text with two decimals."""
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100}.{abs(fen) % 100:02d}"


@cache
def reader(whole: int, decimals: int) -> Callable[[Any], int | None]:
    """Return a fast reader of one number field: value -> number x 10**decimals, None for anything the field refuses.

    Amounts, prices and counts repeat, so parsed texts are remembered (bounded), once for all fields of one form.
    """
    memo: dict[bytes | str, int] = {}
    limit = 10**whole
    factor = 10**decimals

    def read(value: Any) -> int | None:
        kind = type(value)
        if kind is Raw:
            value = bytes(value)
        elif kind is int:
            return value * factor if -limit < value < limit else None
        elif kind is not str:
            return None
        found = memo.get(value)
        if found is None:
            text = value if kind is str else value.decode("ascii")
            if number_fault(text, whole, decimals):
                return None
            found = scaled(text, decimals)
            assert found is not None
            if len(memo) >= _MEMO_MAX:
                memo.clear()
            if len(value) <= _MEMO_TEXT_MAX:
                memo[value] = found
        return found

    return read
