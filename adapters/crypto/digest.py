"""SM3 and HMAC-SM3, and the self-test of every algorithm the gateway stores data with.

hashlib is used when the OpenSSL that Python is linked with knows SM3; otherwise `cryptography`. Both give the same
bytes (GB/T 32905); the choice is made once, at import. SM2 is not here: it is slow and lives off the message path.
"""

import hashlib
import hmac
from collections.abc import Callable
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import hmac as library_hmac
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

DIGEST_BYTES = 32


class SelfTestError(Exception):
    """An algorithm of this machine does not give the standard's answer. Nothing may be stored or signed; stop."""


def sm3_by_hashlib(data: bytes) -> bytes:
    """SM3 of data by Python's OpenSSL; raises ValueError where that OpenSSL has no SM3."""
    return hashlib.new("sm3", data).digest()


def _sm3_by_copies() -> Callable[[bytes], bytes]:
    """Return the same, by copies of one empty state: to look an algorithm up by its name costs a third of a digest."""
    copy = hashlib.new("sm3").copy

    def sm3(data: bytes) -> bytes:
        state = copy()
        state.update(data)
        return state.digest()

    return sm3


def sm3_by_cryptography(data: bytes) -> bytes:
    """SM3 of data by the OpenSSL inside `cryptography`."""
    state = hashes.Hash(hashes.SM3())
    state.update(data)
    return state.finalize()


def hmac_sm3_by_hashlib(key: bytes, data: bytes) -> bytes:
    """HMAC-SM3 by Python's OpenSSL; raises ValueError where that OpenSSL has no SM3."""
    return hmac.digest(key, data, "sm3")


def hmac_sm3_by_cryptography(key: bytes, data: bytes) -> bytes:
    """HMAC-SM3 by the OpenSSL inside `cryptography`."""
    state = library_hmac.HMAC(key, hashes.SM3())
    state.update(data)
    return state.finalize()


def _hashlib_has_sm3() -> bool:
    try:
        sm3_by_hashlib(b"")
    except ValueError:
        return False
    return True


_NATIVE = _hashlib_has_sm3()
_sm3 = _sm3_by_copies() if _NATIVE else sm3_by_cryptography
_hmac_sm3 = hmac_sm3_by_hashlib if _NATIVE else hmac_sm3_by_cryptography


def sm3(data: bytes) -> bytes:
    """Return the 32-byte SM3 digest of data (GB/T 32905)."""
    return _sm3(data)


def sm3_hasher() -> Any:
    """Return an SM3 state: `update(bytes)`, then `digest()` once."""
    return hashlib.new("sm3") if _NATIVE else _LibraryState()


class _LibraryState:
    def __init__(self) -> None:
        self._state = hashes.Hash(hashes.SM3())
        self.update = self._state.update
        self.digest = self._state.finalize


def hmac_sm3(key: bytes, data: bytes) -> bytes:
    """Return the 32-byte HMAC (RFC 2104) of data under key with SM3."""
    return _hmac_sm3(key, data)


def derive(key: bytes, purpose: str, length: int = DIGEST_BYTES) -> bytes:
    """Return `length` (1..32) bytes for one purpose: the first block of HKDF-Expand (RFC 5869 §2.3) with SM3.

    key is already uniformly random, so the extract step is not needed. Different purposes give independent keys.
    """
    assert 1 <= length <= DIGEST_BYTES
    return hmac_sm3(key, purpose.encode() + b"\x01")[:length]


_SM4_KEY = bytes.fromhex("0123456789abcdeffedcba9876543210")  # GB/T 32907 annex A: key and plain text alike
_SM4_MILLION = 1_000_000
_CHUNK_BLOCKS = 4_000


def sm4_chain(rounds: int) -> bytes:
    """Return the GB/T 32907 example encrypted `rounds` times over; rounds is 1 or a multiple of 4,000.

    CBC over zeros with the plain text as IV is exactly that chain (each block encrypts the one before), and runs in
    the library instead of in a million Python calls: 0.15 s.
    """
    chain = Cipher(algorithms.SM4(_SM4_KEY), modes.CBC(_SM4_KEY)).encryptor()
    blocks = min(rounds, _CHUNK_BLOCKS)
    assert rounds % blocks == 0
    zeros = bytes(16 * blocks)
    last = b""
    for _ in range(rounds // blocks):
        last = chain.update(zeros)
    return last[-16:]


def _aes_gcm(key: bytes, nonce: bytes, plain: bytes, bound_to: bytes) -> bytes:
    box = AESGCM(key)
    sealed = box.encrypt(nonce, plain, bound_to)
    if box.decrypt(nonce, sealed, bound_to) != plain:
        raise ValueError("does not open what it sealed")
    return sealed


def sm4_gcm(key: bytes, nonce: bytes, plain: bytes, bound_to: bytes) -> bytes:
    """Return cipher text and 16-byte tag of plain under SM4-GCM (RFC 8998); nonce is 12 bytes, key 16."""
    box = Cipher(algorithms.SM4(key), modes.GCM(nonce)).encryptor()
    box.authenticate_additional_data(bound_to)
    return box.update(plain) + box.finalize() + box.tag


_GCM_BOUND = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")

# (name, how to compute it, the standard's answer in hex). Sources: GB/T 32905 A.1, A.2; GB/T 32907 A.1, A.2;
# RFC 8998 A.1 (SM4-GCM); McGrew and Viega, "The Galois/Counter Mode of Operation", test case 16 (AES-256-GCM).
VECTORS: tuple[tuple[str, Callable[[], bytes], str], ...] = (
    ("SM3 abc", lambda: sm3(b"abc"), "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
    ("SM3 64 bytes", lambda: sm3(b"abcd" * 16), "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"),
    ("SM4", lambda: sm4_chain(1), "681edf34d206965e86b3e94f536e4246"),
    ("SM4 a million times", lambda: sm4_chain(_SM4_MILLION), "595298c7c6fd271f0402f804c33d3f66"),
    (
        "SM4-GCM",
        lambda: sm4_gcm(
            _SM4_KEY,
            bytes.fromhex("00001234567800000000abcd"),
            b"".join(bytes([byte]) * 8 for byte in bytes.fromhex("aabbccddeeffeeaa")),
            _GCM_BOUND,
        ),
        "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735"
        "d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d"
        "83de3541e4c2b58177e065a9bf7b62ec",
    ),
    (
        "AES-256-GCM",
        lambda: _aes_gcm(
            bytes.fromhex("feffe9928665731c6d6a8f9467308308") * 2,
            bytes.fromhex("cafebabefacedbaddecaf888"),
            bytes.fromhex(
                "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
                "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
            ),
            _GCM_BOUND,
        ),
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
        "76fc6ece0f4e1768cddf8853bb2d551b",
    ),
)


def self_test(vectors: tuple[tuple[str, Callable[[], bytes], str], ...] = VECTORS) -> None:
    """Compute every standard vector (security.md §3, 0.15 s); raise SelfTestError naming the first that is wrong."""
    for name, compute, expected in vectors:
        try:
            found = compute()
        except (ValueError, InvalidTag) as cause:
            raise SelfTestError(f"密码算法自检失败：{name} 无法计算") from cause
        if found.hex() != expected:
            raise SelfTestError(f"密码算法自检失败：{name} 结果与标准不符")
