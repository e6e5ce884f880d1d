"""Access headers towards a platform: `plain`, `tif` (x-tif-*) and `csb` (_api_*). Pure; no clock, no dice of its own.

Both schemes authenticate the caller and not the message: neither covers the body (envelope.md §4.1, §4.2), so body
integrity needs TLS. Signing the body (cainfo, signtype) is another matter and not here.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from typing import Literal

import attrs

Signer = Callable[[str, float], bytes]
"""(infno, seconds since the epoch) -> header lines, each ending CRLF, ready to stand in a request head."""

Profile = Literal["plain", "tif", "csb"]

_VISIBLE = re.compile(r"[!-~]+").fullmatch  # visible ASCII without blanks: safe in a header line as it stands
_CONTROL = re.compile(r"[\x00-\x1f\x7f]").search


class SigningError(ValueError):
    """A signing setting or value cannot be used. The text is Chinese and never holds the secret."""


@attrs.frozen(kw_only=True)
class SigningSettings:
    """How one link signs (annex X3). paasid: tif; access_key, api_name, api_version: csb; empty api_name = infno."""

    profile: Profile = "plain"
    paasid: str = ""
    access_key: str = ""
    api_name: str = ""
    api_version: str = "1.0.0"


def make_signer(settings: SigningSettings, secret: bytes, new_id: Callable[[], str]) -> Signer:
    """Return the signer of one link.

    secret: content of its secret file (UTF-8; a line end after it does not count); unused by plain. new_id: unique
    text for the tif nonce. Raises SigningError when a value is missing or could break out of its header line.
    """
    if settings.profile == "plain":
        return _no_headers
    key = _secret_text(secret)
    if settings.profile == "tif":
        return _tif_signer(_header_value("paasid", settings.paasid), key, new_id)
    return _csb_signer(settings, key)


def _no_headers(infno: str, epoch_s: float) -> bytes:
    return b""


def _secret_text(secret: bytes) -> bytes:
    stripped = secret.rstrip(b"\r\n")
    try:
        text = stripped.decode()
    except UnicodeDecodeError as cause:
        raise SigningError("签名密钥文件不是UTF-8文本") from cause
    if not text:
        raise SigningError("签名密钥文件为空")
    if _CONTROL(text):
        raise SigningError("签名密钥含控制字符")
    return stripped


def _header_value(name: str, value: str) -> str:
    if not value:
        raise SigningError(f"签名参数{name}未填写")
    if not _VISIBLE(value):
        raise SigningError(f"签名参数{name}只能是可见的ASCII字符，且不含空格")
    return value


def _tif_signer(paasid: str, secret: bytes, new_id: Callable[[], str]) -> Signer:
    head = b"x-tif-paasid: " + paasid.encode() + b"\r\nx-tif-timestamp: "

    def sign(infno: str, epoch_s: float) -> bytes:
        nonce = new_id()
        if not _VISIBLE(nonce):
            raise SigningError("随机串含不可见字符")
        stamp, mark = b"%d" % epoch_s, nonce.encode()
        signature = hashlib.sha256(stamp + secret + mark + stamp).hexdigest().encode()
        return b"%b%b\r\nx-tif-nonce: %b\r\nx-tif-signature: %b\r\n" % (head, stamp, mark, signature)

    return sign


def csb_text(values: Mapping[str, str]) -> str:
    """Return the text CSB signs: `k=v` joined by `&` in the natural order of the keys (envelope.md §4.2)."""
    return "&".join(f"{key}={values[key]}" for key in sorted(values))


def csb_signature(secret: bytes, text: str) -> str:
    """Return base64 of HMAC-SHA1 over text under secret."""
    return base64.b64encode(hmac.digest(secret, text.encode(), "sha1")).decode()


def _csb_signer(settings: SigningSettings, secret: bytes) -> Signer:
    access_key = _header_value("access_key", settings.access_key)
    version = _header_value("api_version", settings.api_version)
    fixed_name = settings.api_name and _header_value("api_name", settings.api_name)
    # The order of the keys is decided once, by csb_text itself; \0 and \1 hold the two places that change.
    before, rest = csb_text(
        {"_api_access_key": access_key, "_api_name": "\0", "_api_timestamp": "\1", "_api_version": version}
    ).split("\0")
    between, after = (part.encode() for part in rest.split("\1"))
    lead = before.encode()
    head = f"_api_access_key: {access_key}\r\n_api_version: {version}\r\n_api_name: ".encode()
    keyed = hmac.new(secret, digestmod="sha1")  # the key block is hashed once, then copied

    def sign(infno: str, epoch_s: float) -> bytes:
        name_text = fixed_name or infno
        if not _VISIBLE(name_text):
            raise SigningError("交易编号含不可见字符")
        name, stamp = name_text.encode(), b"%d" % (epoch_s * 1000)
        mac = keyed.copy()
        mac.update(lead + name + between + stamp + after)
        signature = base64.b64encode(mac.digest())
        return b"%b%b\r\n_api_timestamp: %b\r\n_api_signature: %b\r\n" % (head, name, stamp, signature)

    return sign
