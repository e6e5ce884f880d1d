"""One-time codes of an authenticator (RFC 6238: HMAC-SHA-1, 30 s, six digits), each good once. Pure."""

import base64
import hmac
from urllib.parse import quote

STEP_S = 30
DIGITS = 6
SEED_BYTES = 20  # RFC 4226 §4 R6: 160 bits
_AROUND = 1  # steps a clock may be off (RFC 6238 §5.2)


def code_of(seed: bytes, step: int) -> str:
    """Return the code of one step of 30 s (RFC 4226 §5.3)."""
    digest = hmac.digest(seed, step.to_bytes(8), "sha1")
    at = digest[-1] & 15
    number = int.from_bytes(digest[at : at + 4]) & 0x7FFF_FFFF
    return f"{number % 10**DIGITS:0{DIGITS}d}"


def code_at(seed: bytes, epoch_s: float) -> str:
    """Return the code an authenticator shows at a moment."""
    return code_of(seed, int(epoch_s) // STEP_S)


def accepted(seed: bytes, code: str, epoch_s: float, used_step: int) -> int:
    """Return the step whose code this is; 0 when it is none of now's, or of a step that was used before or earlier."""
    now = int(epoch_s) // STEP_S
    found = 0
    for step in range(now - _AROUND, now + _AROUND + 1):
        same = hmac.compare_digest(code_of(seed, step).encode(), code.encode())
        if same and step > used_step:
            found = found or step
    return found


def seed_text(seed: bytes) -> str:
    """Return a seed as people type it into an authenticator."""
    return base64.b32encode(seed).decode()


def seed_uri(seed: bytes, name: str, issuer: str) -> str:
    """Return the address an authenticator reads from a QR code."""
    label = quote(f"{issuer}:{name}")
    return f"otpauth://totp/{label}?secret={seed_text(seed)}&issuer={quote(issuer)}&digits={DIGITS}&period={STEP_S}"
