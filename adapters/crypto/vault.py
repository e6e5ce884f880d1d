"""The box for stored answers (annex X34): authenticated encryption, bound to the row it belongs to.

A sealed answer is 1 byte cipher number, 12 bytes nonce, cipher text, 16 bytes tag. The cipher number lets a store
whose configured cipher changed still open what it sealed before. Nonces are random: one key is good for 2^32
answers before a repeated nonce becomes likelier than 2^-32 (NIST SP 800-38D §8.3), which is years of a province.
"""

from collections.abc import Callable
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters.crypto.digest import derive, sm4_gcm
from adapters.crypto.keyfile import KEY_BYTES, KeyFileError, load_key, load_or_make_key

__all__ = ["CipherName", "KeyFileError", "OVERHEAD_BYTES", "Vault", "VaultError", "load_key", "load_or_make_key"]

CipherName = Literal["aes-256-gcm", "sm4-gcm"]

_NONCE_BYTES = 12
_TAG_BYTES = 16
OVERHEAD_BYTES = 1 + _NONCE_BYTES + _TAG_BYTES
_AES, _SM4 = b"\x01", b"\x02"
_NUMBERS: dict[str, bytes] = {"aes-256-gcm": _AES, "sm4-gcm": _SM4}


class VaultError(Exception):
    """A sealed answer cannot be opened (changed, moved to another row, or sealed under another key), or the random
    generator fails. Nothing of the content is in the text."""


class Vault:
    """Seals and opens answers under one 32-byte key.

    cipher decides how new answers are sealed; both ciphers are opened. entropy(n) returns n fresh random bytes (the
    operating system's in production).
    """

    def __init__(self, key: bytes, cipher: CipherName, entropy: Callable[[int], bytes]) -> None:
        if len(key) != KEY_BYTES:
            raise VaultError(f"密钥长度应为{KEY_BYTES}字节")
        self._number = _NUMBERS[cipher]
        self._entropy = entropy
        self._last_nonce = b""
        # Each cipher has a key of its own: a weakness of one must not open what the other sealed.
        self._aes = AESGCM(derive(key, "liangding vault aes-256-gcm"))
        self._aes_encrypt = self._aes.encrypt
        self._sm4_key = derive(key, "liangding vault sm4-gcm", 16)

    def seal(self, plain: bytes, bound_to: bytes) -> bytes:
        """Return plain sealed; it opens only with the same bound_to (for example the row's institution and msgid).

        Raises VaultError when the random generator repeats itself: a repeated nonce would give the key stream away.
        """
        nonce = self._entropy(_NONCE_BYTES)
        if nonce == self._last_nonce or len(nonce) != _NONCE_BYTES:
            raise VaultError("随机数发生器异常，停止加密")
        self._last_nonce = nonce
        if self._number is _AES:
            return _AES + nonce + self._aes_encrypt(nonce, plain, bound_to)
        return _SM4 + nonce + sm4_gcm(self._sm4_key, nonce, plain, bound_to)

    def open(self, sealed: bytes, bound_to: bytes) -> bytes:
        """Return the plain bytes; raises VaultError when they are not exactly what was sealed for bound_to."""
        if len(sealed) < OVERHEAD_BYTES:
            raise VaultError("密文不完整")
        number, nonce, body = sealed[:1], sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            if number == _AES:
                return self._aes.decrypt(nonce, body, bound_to)
            if number == _SM4:
                return self._open_sm4(nonce, body, bound_to)
        except InvalidTag as cause:
            raise VaultError("密文校验失败：内容被改动、换了位置，或密钥不同") from cause
        raise VaultError("密文使用了未知的算法编号")

    def _open_sm4(self, nonce: bytes, body: bytes, bound_to: bytes) -> bytes:
        mode = modes.GCM(nonce, body[-_TAG_BYTES:])
        box = Cipher(algorithms.SM4(self._sm4_key), mode).decryptor()
        box.authenticate_additional_data(bound_to)
        plain = box.update(body[:-_TAG_BYTES])
        return plain + box.finalize()
