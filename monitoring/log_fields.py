"""What may stand in a log line: every field by name, with the shape its value must have (security.md §7).

An allow-list: a field that is not here, or a value of another shape, is not written. Names, identity numbers, bodies
and vouchers have no field. Pure.
"""

import re
from collections.abc import Callable

from monitoring.redaction import is_identity_number, redact

Value = str | int | float | bool
Check = Callable[[object], Value | None]
"""value -> what is written, or None when the value may not be."""


_KNOWN_MAX = 2_000


def _text(pattern: str) -> Check:
    """Text that matches the whole pattern, as it is.

    These fields take few values, so those that passed are remembered (a bounded number): a look-up costs a third of
    a match, and an access line has ten of them.
    """
    matches = re.compile(pattern).fullmatch
    known: set[str] = set()

    def check(value: object) -> Value | None:
        if not isinstance(value, str):
            return None
        if value in known:
            return value
        if not matches(value):
            return None
        if len(known) < _KNOWN_MAX:
            known.add(value)
        return value

    return check


def _identifier(pattern: str) -> Check:
    """Text made by an institution or a platform: of the pattern, and not an identity number put in its place."""
    matches = re.compile(pattern).fullmatch

    def check(value: object) -> Value | None:
        if not isinstance(value, str) or not matches(value):
            return None
        return None if len(value) == 18 and is_identity_number(value) else value

    return check


def _whole(value: object) -> Value | None:
    """A whole number within what JSON readers keep exactly; True is not 1."""
    return value if type(value) is int and -(2**53) < value < 2**53 else None


def _flag(value: object) -> Value | None:
    return value if type(value) is bool else None


def _seconds(value: object) -> Value | None:
    """A duration, written to the microsecond; NaN and infinities are not."""
    if type(value) is float and -1e9 < value < 1e9:
        return round(value, 6)
    return value if type(value) is int and -(10**9) < value < 10**9 else None


def _free(value: object) -> Value | None:
    return redact(value) if isinstance(value, str) else None


def _template(value: object) -> Value | None:
    """A message template of Twisted's: English, so anything else was filled in by somebody and is not written."""
    return redact(value) if isinstance(value, str) and value.isascii() else None


# No run of nine digits: an identity number, a card or a telephone in the place of a name does not pass.
_PLAIN = r"(?!.*[0-9]{9})"
_DOTTED = _PLAIN + r"[a-z_][a-z0-9_]{0,40}(?:\.[A-Za-z_<>][A-Za-z0-9_<>]{0,40}){0,8}"

_WORD = _text(r"[a-z][a-z0-9_]{0,39}")
_UPPER = _text(r"[A-Z][A-Z_-]{0,39}")
_ID = _identifier(r"[0-9A-Za-z_.-]{1,30}")
_NAME = _text(_PLAIN + r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,30}")  # tokens begin at 32 characters
_PATH = _text(_PLAIN + r"[a-z_]{2,20}(?:\[[0-9]{1,5}\]|\.[A-Za-z][A-Za-z0-9_]{0,29}){0,6}")
_PEER = _text(r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}|[0-9a-fA-F]{0,4}:[0-9a-fA-F:.]{1,40}")
_FRAME = r"[A-Za-z0-9_.<>/-]{1,80}:[0-9]{1,6}"
_PLACE = _text(_PLAIN + rf"{_FRAME}(?: < {_FRAME}){{0,4}}")

FIELDS: dict[str, Check] = {
    # Which message. The ids of a message are allowed (security.md §6) although an institution chooses them.
    "infno": _text(r"[0-9A-Za-z]{1,8}"),
    "institution": _text(r"[HP][0-9]{11}"),
    "msgid": _ID,
    "omsgid": _ID,
    "setl_id": _ID,
    "mdtrt_id": _ID,
    "psn_tail": _text(r"[0-9A-Za-z]{1,4}"),  # at most the last four of psn_no (security.md §6)
    "diff_id": _text(r"[0-9a-f]{32}"),
    "request_id": _text(r"[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    # What became of it
    "result": _WORD,
    "klass": _text(r"[A-Z]"),
    "state": _UPPER,
    "gw_code": _text(r"GW-[A-Z-]{2,30}"),
    "infcode": _whole,
    "status": _whole,
    "rule": _WORD,
    "path": _PATH,
    "complaints": _whole,
    "err_msg": _free,
    "reason": _WORD,
    "attempt": _whole,
    # Sizes and durations
    "request_bytes": _whole,
    "answer_bytes": _whole,
    "seconds": _seconds,
    "platform_seconds": _seconds,
    "own_seconds": _seconds,
    "delay_s": _seconds,
    "count": _whole,
    "batch": _whole,
    "rows": _whole,
    "medfee_fen": _whole,
    # Where and with whom
    "node": _NAME,
    "link": _NAME,
    "region": _NAME,
    "dialect": _NAME,
    "system": _text(_PLAIN + r"(?:dictionary:)?[a-z][a-z0-9_]{0,40}"),
    "dictionary": _text(_PLAIN + r"[a-z][a-z0-9_]{0,40}"),
    "version": _NAME,
    "check": _NAME,
    "channel": _WORD,
    "peer": _PEER,
    "listen": _text(r"(?:tcp|tls|unix):[A-Za-z0-9_.:=/\\-]{1,120}"),
    "certificate_sha256": _text(r"[0-9a-f]{64}"),
    "pid": _whole,
    "ready": _flag,
    "signal": _UPPER,
    # Our own failures: type and place, never an argument's value
    "error": _text(_DOTTED),
    "place": _PLACE,
    "namespace": _text(_DOTTED),
    "level": _WORD,
    "template": _template,
    # The log about itself
    "dropped": _whole,
    "lost": _whole,
}
"""The whole list; a new field is one line here, with the reason in review why it cannot hold a person."""
