"""The access layer before the platform: does the caller's signature hold? A second writing of x-tif and CSB.

Both sign headers only (envelope.md §4.1, §4.2). What the access layer refuses never reached the platform.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping

Gatekeeper = Callable[[Mapping[str, str], str, float], str | None]
"""(headers with lower-case names, infno, epoch seconds) -> why the caller is refused, or None."""

TIF_WINDOW_S = 900
CSB_WINDOW_S = 1800


def open_gate(headers: Mapping[str, str], infno: str, now_s: float) -> str | None:
    """Nobody is refused."""
    return None


def _fresh(text: str, now_ms: float, unit_ms: int, window_s: int) -> bool:
    return text.isascii() and text.isdigit() and abs(int(text) * unit_ms - now_ms) <= window_s * 1000


def tif_gate(paasid: str, secret: bytes) -> Gatekeeper:
    """x-tif-*: timestamps in seconds; a nonce is taken once."""
    seen: dict[str, float] = {}

    def gate(headers: Mapping[str, str], infno: str, now_s: float) -> str | None:
        stamp, nonce = headers.get("x-tif-timestamp", ""), headers.get("x-tif-nonce", "")
        given = headers.get("x-tif-signature", "")
        if headers.get("x-tif-paasid") != paasid or not nonce or not given:
            return "缺少或错误的x-tif headers"
        if not _fresh(stamp, now_s * 1000, 1000, TIF_WINDOW_S):
            return "请求时间戳过期"
        expected = hashlib.sha256(stamp.encode() + secret + nonce.encode() + stamp.encode()).hexdigest()
        if not hmac.compare_digest(expected, given):
            return "签名错误"
        for old in [name for name, at_s in seen.items() if at_s < now_s - 2 * TIF_WINDOW_S][:100]:
            del seen[old]
        if nonce in seen:
            return "签名随机数重复"
        seen[nonce] = now_s
        return None

    return gate


def csb_gate(access_key: str, secret: bytes) -> Gatekeeper:
    """_api_*: timestamps in milliseconds, HMAC-SHA1 over the four headers in key order."""
    names = ("_api_access_key", "_api_name", "_api_timestamp", "_api_version")

    def gate(headers: Mapping[str, str], infno: str, now_s: float) -> str | None:
        values = [headers.get(name, "") for name in names]
        if not all(values):
            return "缺少_api headers"
        if values[0] != access_key:
            return "access_key不存在"
        if not _fresh(values[2], now_s * 1000, 1, CSB_WINDOW_S):
            return "请求时间戳过期"
        text = "&".join(f"{name}={value}" for name, value in zip(names, values, strict=True))
        try:
            given = base64.b64decode(headers.get("_api_signature", ""), validate=True)
        except (binascii.Error, ValueError):
            return "签名错误"
        right = hmac.digest(secret, text.encode(), "sha1")
        return None if hmac.compare_digest(right, given) else "签名错误"

    return gate
