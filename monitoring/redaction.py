"""Taking persons out of free text before it is written anywhere (security.md §7). Pure.

Only one kind of free text reaches a log: the platform's `err_msg`. Patterns catch what has a shape (numbers, tokens,
a value behind the word 姓名). A bare name in the middle of a sentence has none, so whoever holds the message passes
the values it knows as `known`.
"""

import re
from collections.abc import Iterable

TEXT_CHARS_MAX = 200  # length of err_msg by the envelope; platforms exceed it
_READ_CHARS_MAX = 2_000  # what is looked at; bounds the work, whatever arrives

# １３８… is a telephone number as well.
_FULL_WIDTH = {0xFF10 + digit: str(digit) for digit in range(10)} | {ord("Ｘ"): "X", ord("ｘ"): "x"}
_CUT_TAIL = re.compile(r"[\w+/=-]+\Z")
# Runs without a dot, so that `com.example.SomeException` stays; web tokens have dots, and always begin with eyJ.
_TOKEN = re.compile(r"eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_.-]{5,}|[A-Za-z0-9+/=_-]{32,}")
_NAMED = re.compile(
    r"((?:psn_name|姓名)(?:[\"'\s]{0,3}[:：=]?[\"'\s\[【(（「]{1,4}|[:：=]))[^\s,，;；。\"'\]】)）」}]{1,40}"
)
_IDENTITY = re.compile(r"(?<!\d)\d{17}[\dXx](?!\d)")
_LONG = re.compile(r"\d(?:[ -]?\d){14,}")
# H or P before eleven digits is an institution's code, and half the provinces' begin with 13, 14 or 15.
_MOBILE = re.compile(r"(?<![\dHP])(?:(?:\+|00)?86[ -]?)?1[3-9]\d[ -]?\d{4}[ -]?\d{4}(?!\d)")
# Controls, invisible and direction-changing characters, line separators, lone surrogates: visible or nothing.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK_DIGITS = "10X98765432"


def is_identity_number(text: str) -> bool:
    """Say whether 18 characters are an identity number with the right check digit (GB 11643-1999, 2.2)."""
    if len(text) != 18 or not (text[:17].isascii() and text[:17].isdigit()):
        return False
    total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, text, strict=False))
    return text[17].upper() == _CHECK_DIGITS[total % 11]


def escape_controls(text: str) -> str:
    """Return text with every control or invisible character written as `\\uXXXX` (log injection, T16)."""
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _identity(found: re.Match[str]) -> str:
    return "[身份证号]" if is_identity_number(found[0]) else found[0]


def _long(found: re.Match[str]) -> str:
    digits = sum(char.isdecimal() for char in found[0])
    return "[卡号]" if digits <= 19 else "[长编号]"


def redact(text: str, known: Iterable[str] = ()) -> str:
    """Return at most 200 characters of text without identity numbers, telephones, cards, tokens or `known` values.

    known: values of this message that must not come out (name, certificate number, psn_no, ...); those shorter than
    two characters are ignored. Numbers of 15 digits and more go, also in groups; so do runs of 32 and more letters
    and digits, and web tokens. Redacting twice changes nothing more. Runs in linear time.
    """
    if len(text) > _READ_CHARS_MAX:
        # Do not leave the head of a number whose tail was cut away.
        edge = _READ_CHARS_MAX - 64
        text = text[:edge] + _CUT_TAIL.sub("", text[edge:_READ_CHARS_MAX]) + "…"
    text = text.translate(_FULL_WIDTH)
    for value in sorted((one for one in known if len(one) >= 2), key=len, reverse=True):
        text = text.replace(value, "***")
    text = _NAMED.sub(r"\1***", text)
    text = _IDENTITY.sub(_identity, text)
    text = _LONG.sub(_long, text)
    text = _MOBILE.sub("[手机号]", text)
    text = _TOKEN.sub("[令牌]", text)
    text = escape_controls(text)
    return text if len(text) <= TEXT_CHARS_MAX else text[: TEXT_CHARS_MAX - 1] + "…"
