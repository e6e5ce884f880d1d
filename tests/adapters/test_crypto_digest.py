"""SM3, HMAC-SM3, derived keys and the self-test, against the standards and a second implementation."""

import hashlib
import hmac
import subprocess

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from adapters.crypto import digest

SM3_ABC = "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
LENGTHS = (0, 1, 55, 56, 63, 64, 65, 1000)


@pytest.mark.parametrize("one_sm3", [digest.sm3, digest.sm3_by_hashlib, digest.sm3_by_cryptography])
def test_every_sm3_gives_the_standards_digest_of_abc(one_sm3) -> None:
    assert one_sm3(b"abc").hex() == SM3_ABC  # GB/T 32905 A.1


def test_both_libraries_agree_on_every_block_boundary() -> None:
    for length in LENGTHS:
        data = bytes(index % 251 for index in range(length))
        assert digest.sm3_by_hashlib(data) == digest.sm3_by_cryptography(data)
        assert digest.hmac_sm3_by_hashlib(b"key", data) == digest.hmac_sm3_by_cryptography(b"key", data)


def test_hmac_sm3_is_what_the_openssl_command_computes() -> None:
    told = subprocess.run(
        ["openssl", "dgst", "-sm3", "-hmac", "0123456789abcdef"], input=b"liangding", capture_output=True, check=True
    )
    assert digest.hmac_sm3(b"0123456789abcdef", b"liangding").hex() == told.stdout.split()[-1].decode()


def test_a_derived_key_is_the_first_block_of_hkdf_expand() -> None:
    expected = hmac.new(b"k" * 32, b"purpose\x01", lambda data=b"": hashlib.new("sm3", data)).digest()
    assert digest.derive(b"k" * 32, "purpose") == expected
    assert digest.derive(b"k" * 32, "purpose", 16) == expected[:16]
    assert digest.derive(b"k" * 32, "another") != expected


def test_the_self_test_passes_on_this_machine() -> None:
    digest.self_test()


def test_the_sm4_chain_is_the_block_encrypted_again_and_again() -> None:
    block = key = bytes.fromhex("0123456789abcdeffedcba9876543210")
    step = Cipher(algorithms.SM4(key), modes.ECB()).encryptor()
    for _ in range(8000):
        block = step.update(block)
    assert digest.sm4_chain(8000) == block


def test_the_self_test_covers_every_algorithm_in_use() -> None:
    names = [name for name, _, _ in digest.VECTORS]
    assert names == ["SM3 abc", "SM3 64 bytes", "SM4", "SM4 a million times", "SM4-GCM", "AES-256-GCM"]


@pytest.mark.parametrize("index", range(len(digest.VECTORS)))
def test_the_self_test_names_the_algorithm_that_is_wrong(index: int) -> None:
    name, _, expected = digest.VECTORS[index]
    with pytest.raises(digest.SelfTestError, match=f"{name} 结果与标准不符"):
        digest.self_test(((name, lambda: b"\0" + bytes.fromhex(expected)[1:], expected),))


def test_an_algorithm_that_cannot_run_fails_the_self_test() -> None:
    def broken() -> bytes:
        raise ValueError("unsupported")

    with pytest.raises(digest.SelfTestError, match="SM3"):
        digest.self_test((("SM3", broken, SM3_ABC),))
