"""Yuan on the wire, fen inside: the simulators' own arithmetic, exact and without floats."""

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

_FEN = Decimal("0.01")


class NotMoney(ValueError):
    """The value is not an amount in yuan with at most two decimals."""


def fen(value: Any) -> int:
    """Amount in fen of a number or number text in yuan; raises NotMoney."""
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise NotMoney(f"{value!r}")
    try:
        amount = Decimal(value)
    except InvalidOperation as cause:
        raise NotMoney(f"{value!r}") from cause
    scaled = amount * 100
    if not amount.is_finite() or scaled != scaled.to_integral_value():
        raise NotMoney(f"{value!r}")
    return int(scaled)


def yuan(amount_fen: int) -> Decimal:
    """Yuan with two decimals, to be written as a JSON number."""
    return Decimal(amount_fen).scaleb(-2)


def share(amount_fen: int, per_mille: int) -> int:
    """per_mille/1000 of the amount, half away from zero, in fen."""
    return int((Decimal(amount_fen) * per_mille / 1000).quantize(Decimal(1), ROUND_HALF_UP))


def times(price: Decimal, count: Decimal) -> int:
    """price x count in fen, rounded half up to the fen (envelope.md §3, line rule)."""
    return int((price * count).quantize(_FEN, ROUND_HALF_UP) * 100)
