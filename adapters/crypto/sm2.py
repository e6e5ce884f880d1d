"""SM2 signatures (GB/T 32918.2, curve of GB/T 32918.5, digest SM3), by GmSSL; off every hot path (3 ms each).

Keys are raw, as GmSSL takes them: 32 bytes private, 64 bytes public (x, y). Signatures are DER, as OpenSSL and
certificates have them; `pair_of` and `der_of` turn them into r‖s and back where a party wants that. GmSSL derives no
public key from a private one, and a key file holds nothing but its seed, so that one multiplication is done here: of
our own key, once a start (20 ms).
"""

import base64
from collections.abc import Callable
from pathlib import Path

import attrs
from gmssl_pyx import GmsslInnerError, sm2_sign, sm2_verify

from adapters.crypto.digest import SelfTestError, derive
from adapters.crypto.keyfile import load_key, load_or_make_key

USER_ID = b"1234567812345678"  # GB/T 35276; what certificates and OpenSSL's `distid` use
_P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
_A = _P - 3
_B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
_N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
_G = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)
# SubjectPublicKeyInfo of an SM2 key up to the point (GB/T 35276: id-ecPublicKey, curve 1.2.156.10197.1.301).
_SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d03420004")

Point = tuple[int, int, int]  # Jacobian: x / z², y / z³; one inversion in all instead of one a step


class SignatureFormError(ValueError):
    """Bytes are no signature in the form that was asked for."""


def _doubled(point: Point) -> Point:
    x, y, z = point
    squared = y * y % _P
    slope = 3 * (x - z * z) * (x + z * z) % _P  # a = -3
    shift = 4 * x * squared % _P
    found = (slope * slope - 2 * shift) % _P
    return found, (slope * (shift - found) - 8 * squared * squared) % _P, 2 * y * z % _P


def _with_base(point: Point) -> Point:
    """Return the sum of a point and G; they are neither equal nor opposite."""
    x, y, z = point
    squared = z * z % _P
    across, up = _G[0] * squared - x, _G[1] * squared * z - y
    square = across * across % _P
    cube, shift = across * square % _P, x * square % _P
    found = (up * up - cube - 2 * shift) % _P
    return found, (up * (shift - found) - y * cube) % _P, across * z % _P


def public_of(private: bytes) -> bytes:
    """Return the 64 bytes of the public key of a private one."""
    number = int.from_bytes(private)
    assert 1 <= number < _N - 1
    point: Point = (*_G, 1)
    for bit in bin(number)[3:]:  # from the second highest on: what is there is a multiple of G from 1 to (n - 3) / 2
        point = _doubled(point)
        if bit == "1":
            point = _with_base(point)
    inverse = pow(point[2], -1, _P)
    square = inverse * inverse % _P
    return (point[0] * square % _P).to_bytes(32) + (point[1] * square * inverse % _P).to_bytes(32)


def on_curve(public: bytes) -> bool:
    """Say whether 64 bytes are a point of the curve."""
    x, y = int.from_bytes(public[:32]), int.from_bytes(public[32:])
    return len(public) == 64 and x < _P and y < _P and (y * y - (x * x * x + _A * x + _B)) % _P == 0


def private_of(seed: bytes) -> bytes:
    """Return the private key of a 32-byte seed: 512 derived bits reduced, so that no value is likelier than another
    (FIPS 186-5 A.2.1)."""
    wide = derive(seed, "liangding sm2 signing, high") + derive(seed, "liangding sm2 signing, low")
    return (int.from_bytes(wide) % (_N - 2) + 1).to_bytes(32)


def pair_of(der: bytes) -> bytes:
    """Return r‖s (64 bytes) of a DER signature. Raises SignatureFormError unless it is the one strict encoding."""
    try:
        r, s = _integers(der)
    except IndexError as cause:
        raise SignatureFormError("签名不完整") from cause
    if not (1 <= r < _N and 1 <= s < _N):
        raise SignatureFormError("签名的r、s超出范围")
    pair = r.to_bytes(32) + s.to_bytes(32)
    if der_of(pair) != der:  # trailing bytes, negative or padded integers, other lengths: never the same again
        raise SignatureFormError("签名不是规范的DER编码")
    return pair


def der_of(pair: bytes) -> bytes:
    """Return the DER signature of r‖s (64 bytes). Raises SignatureFormError."""
    if len(pair) != 64:
        raise SignatureFormError("签名应为64字节")
    body = b"".join(_integer(int.from_bytes(half)) for half in (pair[:32], pair[32:]))
    return bytes((0x30, len(body))) + body


def _integer(number: int) -> bytes:
    raw = number.to_bytes(number.bit_length() // 8 + 1)
    return bytes((2, len(raw))) + raw


def _integers(der: bytes) -> tuple[int, int]:
    first = der[3]
    second = der[5 + first]
    return int.from_bytes(der[4 : 4 + first]), int.from_bytes(der[6 + first : 6 + first + second])


@attrs.frozen
class Sm2Verifier:
    """Knows whether a signature is of one public key."""

    public: bytes

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Say whether a DER signature of message is this key's."""
        try:
            pair_of(signature)
            return bool(on_curve(self.public) and sm2_verify(self.public, message, signature, USER_ID))
        except (SignatureFormError, GmsslInnerError):
            return False

    def pem(self) -> str:
        """Return the public key as OpenSSL reads it."""
        return pem_of(self.public)


@attrs.frozen
class Sm2Signer(Sm2Verifier):
    """Signs with one private key."""

    _private: bytes = attrs.field(repr=False, kw_only=True)

    @classmethod
    def of(cls, seed: bytes) -> "Sm2Signer":
        """Return the signer of a key file's 32 bytes."""
        private = private_of(seed)
        return cls(public_of(private), private=private)

    def sign(self, message: bytes) -> bytes:
        """Return the DER signature of message."""
        return bytes(sm2_sign(self._private, self.public, message, USER_ID))


def pem_of(public: bytes) -> str:
    """Return a public key in PEM."""
    text = base64.b64encode(_SPKI + public).decode()
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join(("-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""))


def open_signer(path: Path, entropy: Callable[[int], bytes], fresh: bool) -> Sm2Signer:
    """Return the signer of a key file (mode 0600). fresh: nothing was ever signed, so the file may be made.

    Raises KeyFileError; SelfTestError where this machine computes SM2 wrongly.
    """
    self_test()
    if fresh:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Sm2Signer.of(load_or_make_key(path, entropy) if fresh else load_key(path))


# GB/T 32918.5 annex A: private key, message, and the signature for the random number given there.
_VECTOR_KEY = bytes.fromhex("3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8")
_VECTOR_MESSAGE = b"message digest"
_VECTOR_PAIR = bytes.fromhex(
    "F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3"
    "B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA"
)


def self_test(pair: bytes = _VECTOR_PAIR) -> None:
    """Verify the standard's signature, and one of our own under its key (security.md §3). Raises SelfTestError."""
    signer = Sm2Signer(public_of(_VECTOR_KEY), private=_VECTOR_KEY)
    if not signer.verify(_VECTOR_MESSAGE, der_of(pair)):
        raise SelfTestError("密码算法自检失败：SM2验签 结果与标准不符")
    if not signer.verify(_VECTOR_MESSAGE, signer.sign(_VECTOR_MESSAGE)):
        raise SelfTestError("密码算法自检失败：SM2签名 自己不能验证")
