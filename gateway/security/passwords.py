"""What a password must be, and how it is kept (security.md §4). Pure: the salt is an argument."""

import base64
import hashlib
import hmac
from collections.abc import Sequence

LENGTH_MIN, LENGTH_MAX = 12, 256
CLASSES_MIN = 3
SALT_BYTES = 16
_NAME_MIN = 4  # shorter ones stand in many words
_N, _R, _P = 1 << 15, 8, 1
_MEMORY = 64 * 1024 * 1024  # 32 MiB are needed; OpenSSL's own limit is just below that
# What somebody would try first; compared without case, digits and signs. Not a dictionary: length is the defence.
_OBVIOUS = ("password", "liangding", "administrator", "qwertyuiop", "abcdefghijkl", "yibao")


def faults(password: str, name: str) -> list[str]:
    """Return what is wrong with a new password, in Chinese; nothing when it may be used."""
    found = []
    if not LENGTH_MIN <= len(password) <= LENGTH_MAX:
        found.append(f"长度应为{LENGTH_MIN}至{LENGTH_MAX}个字符")
    kinds = sum(
        any(test(char) for char in password)
        for test in (str.islower, str.isupper, str.isdigit, lambda char: not char.isalnum())
    )
    if kinds < CLASSES_MIN:
        found.append(f"大写字母、小写字母、数字、其他符号中至少要有{CLASSES_MIN}类")
    plain = password.lower()
    letters = "".join(char for char in plain if char.isalpha())
    if (len(name) >= _NAME_MIN and name in plain) or letters in _OBVIOUS:
        found.append("不得包含用户名，不得是常见口令")
    if len(set(password)) < 6:
        found.append("不同的字符太少")
    if any(ord(char) < 32 for char in password):
        found.append("不得含控制字符")
    return found


def hashed(password: str, salt: bytes) -> str:
    """Return `scrypt$n$r$p$salt$hash` (RFC 7914; n = 2^15, 0.1 s and 32 MiB)."""
    return "$".join(("scrypt", str(_N), str(_R), str(_P), _text(salt), _text(_scrypt(password, salt, _N, _R, _P))))


def matches(password: str, kept: str) -> bool:
    """Say whether a kept hash is this password's, in a time that does not depend on where they differ."""
    _, n, r, p, salt, found = kept.split("$")
    return hmac.compare_digest(
        _scrypt(password, base64.b64decode(salt), int(n), int(r), int(p)), base64.b64decode(found)
    )


def used_before(password: str, kept: Sequence[str]) -> bool:
    """Say whether one of the kept hashes is this password's."""
    return any([matches(password, one) for one in kept])


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, maxmem=_MEMORY, dklen=32)


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


# Compared with when there is no such user: it must take as long, and is nobody's.
NOBODY = "$".join(("scrypt", str(_N), str(_R), str(_P), _text(bytes(SALT_BYTES)), _text(bytes(32))))
