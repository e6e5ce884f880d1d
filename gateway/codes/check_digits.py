"""Check digits of the numbers an entry carries: identity numbers of persons, unified social credit codes of units."""

import re

from gateway.core.dates import is_date

# GB 11643-1999 (ISO 7064 MOD 11-2): weights of the first 17 digits, and the last character by the remainder.
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_LAST = "10X98765432"
_IDENTITY = re.compile(r"[0-9]{17}[0-9X]")
# GB 32100-2015: 31 characters without I, O, S, V, Z; weights are powers of 3 modulo 31.
_CREDIT_CHARACTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_CREDIT = re.compile(f"[{_CREDIT_CHARACTERS}]{{18}}")


def is_identity_number(text: str) -> bool:
    """Say whether text is an 18-character identity number: a real day of birth and the right check character."""
    if not _IDENTITY.fullmatch(text) or not is_date(f"{text[6:10]}-{text[10:12]}-{text[12:14]}"):
        return False
    total = sum(int(digit) * weight for digit, weight in zip(text, _WEIGHTS, strict=False))
    return text[17] == _LAST[total % 11]


def is_credit_code(text: str) -> bool:
    """Say whether text is an 18-character unified social credit code with the right check character."""
    if not _CREDIT.fullmatch(text):
        return False
    total = sum(_CREDIT_CHARACTERS.index(text[place]) * pow(3, place, 31) for place in range(17))
    return _CREDIT_CHARACTERS[-total % 31] == text[17]
