"""The vault: nothing but the sealed bytes, for the same row, under the same key, opens; keys are files of mode 0600."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.crypto.keyfile import KeyFileError, load_key, load_or_make_key, read_private
from adapters.crypto.vault import OVERHEAD_BYTES, Vault, VaultError

KEY = bytes(range(32))
ROW = b"H51080200001|H51080200001202611211200000001"
ANSWER = '{"infcode":0,"output":{"setlinfo":{"psn_name":"测试甲"}}}'.encode()
CIPHERS = ("aes-256-gcm", "sm4-gcm")


def counting() -> Callable[[int], bytes]:
    """Entropy that never repeats and can be foretold."""
    calls = iter(range(1, 1_000_000))
    return lambda length: next(calls).to_bytes(length, "big")


@pytest.mark.parametrize("cipher", CIPHERS)
@pytest.mark.parametrize("plain", [b"", b"x", ANSWER, bytes(70_000)])
def test_what_was_sealed_opens_for_its_row(cipher, plain: bytes) -> None:
    vault = Vault(KEY, cipher, counting())
    sealed = vault.seal(plain, ROW)
    assert len(sealed) == len(plain) + OVERHEAD_BYTES
    assert vault.open(sealed, ROW) == plain
    assert "测试甲".encode() not in sealed


@pytest.mark.parametrize("cipher", CIPHERS)
def test_every_changed_byte_is_noticed(cipher) -> None:
    vault = Vault(KEY, cipher, counting())
    sealed = vault.seal(ANSWER, ROW)
    for place in range(len(sealed)):
        spoiled = bytearray(sealed)
        spoiled[place] ^= 1
        with pytest.raises(VaultError):
            vault.open(bytes(spoiled), ROW)


@pytest.mark.parametrize("cipher", CIPHERS)
def test_every_shortened_box_is_refused(cipher) -> None:
    vault = Vault(KEY, cipher, counting())
    sealed = vault.seal(b"ab", ROW)
    for length in range(len(sealed)):
        with pytest.raises(VaultError, match="密文不完整" if length < OVERHEAD_BYTES else "密文校验失败"):
            vault.open(sealed[:length], ROW)


@pytest.mark.parametrize("cipher", CIPHERS)
def test_an_answer_moved_to_another_row_does_not_open(cipher) -> None:
    vault = Vault(KEY, cipher, counting())
    sealed = vault.seal(ANSWER, ROW)
    with pytest.raises(VaultError, match="密文校验失败"):
        vault.open(sealed, ROW.replace(b"0001", b"0002"))


@pytest.mark.parametrize("cipher", CIPHERS)
def test_another_key_does_not_open_and_says_nothing_of_the_content(cipher) -> None:
    sealed = Vault(KEY, cipher, counting()).seal(ANSWER, ROW)
    with pytest.raises(VaultError) as refused:
        Vault(b"\xff" * 32, cipher, counting()).open(sealed, ROW)
    assert "测试" not in str(refused.value)


def test_answers_stay_readable_when_the_configured_cipher_changes() -> None:
    old, new = (Vault(KEY, cipher, counting()) for cipher in CIPHERS)
    assert new.open(old.seal(ANSWER, ROW), ROW) == ANSWER
    assert old.open(new.seal(ANSWER, ROW), ROW) == ANSWER


@pytest.mark.parametrize("cipher", CIPHERS)
def test_equal_answers_never_look_equal(cipher) -> None:
    vault = Vault(KEY, cipher, counting())
    assert len({vault.seal(ANSWER, ROW) for _ in range(200)}) == 200


@pytest.mark.parametrize("cipher", CIPHERS)
def test_a_stuck_generator_stops_sealing_at_its_first_repeat(cipher) -> None:
    vault = Vault(KEY, cipher, lambda length: b"n" * length)
    assert vault.open(vault.seal(ANSWER, ROW), ROW) == ANSWER
    with pytest.raises(VaultError, match="随机数"):
        vault.seal(ANSWER, ROW)


@pytest.mark.parametrize("nonce", [b"", b"n" * 11, b"n" * 13])
def test_a_generator_that_gives_another_length_seals_nothing(nonce: bytes) -> None:
    with pytest.raises(VaultError, match="随机数"):
        Vault(KEY, "aes-256-gcm", lambda _: nonce).seal(ANSWER, ROW)


def test_a_short_key_is_refused() -> None:
    with pytest.raises(VaultError, match="密钥长度"):
        Vault(b"short", "aes-256-gcm", counting())


def test_a_key_is_made_once_and_found_again(tmp_path: Path) -> None:
    path = tmp_path / "answers.key"
    made = load_or_make_key(path, os.urandom)
    assert len(made) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_or_make_key(path, os.urandom) == made == load_key(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["answers.key"]


def test_the_process_that_comes_second_takes_the_first_ones_key(tmp_path: Path) -> None:
    path = tmp_path / "answers.key"

    def while_another_writes(length: int) -> bytes:
        if not path.exists():
            path.write_bytes(KEY)
            path.chmod(0o600)
        return os.urandom(length)

    assert load_or_make_key(path, while_another_writes) == KEY
    assert [entry.name for entry in tmp_path.iterdir()] == ["answers.key"]


def test_a_narrow_umask_does_not_spoil_the_mode(tmp_path: Path) -> None:
    before = os.umask(0o777)
    try:
        load_or_make_key(tmp_path / "answers.key", os.urandom)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "answers.key").stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660, 0o700, 0o604])
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "answers.key"
    load_or_make_key(path, os.urandom)
    path.chmod(mode)
    with pytest.raises(KeyFileError, match="0600"):
        load_or_make_key(path, os.urandom)


@pytest.mark.parametrize("content", [b"", b"k" * 31, b"k" * 33, b"k" * 70_000])
def test_a_key_of_wrong_length_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "answers.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(KeyFileError):
        load_or_make_key(path, os.urandom)
    assert path.read_bytes() == content


def test_a_link_a_folder_or_a_pipe_is_no_key(tmp_path: Path) -> None:
    load_or_make_key(tmp_path / "real.key", os.urandom)
    (tmp_path / "link.key").symlink_to(tmp_path / "real.key")
    (tmp_path / "folder.key").mkdir(mode=0o600)
    os.mkfifo(tmp_path / "pipe.key", 0o600)
    for name in ("link.key", "folder.key", "pipe.key"):
        with pytest.raises(KeyFileError, match=name):
            load_or_make_key(tmp_path / name, os.urandom)


def test_a_missing_key_is_not_made_by_loading(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match=r"absent\.key"):
        load_key(tmp_path / "absent.key")
    with pytest.raises(KeyFileError, match="无法创建"):
        load_or_make_key(tmp_path / "no" / "folder.key", os.urandom)


@pytest.mark.parametrize("entropy", [lambda _: b"", lambda length: b"\0" * length])
def test_no_key_is_made_from_a_failing_generator(tmp_path: Path, entropy: Callable[[int], bytes]) -> None:
    with pytest.raises(KeyFileError, match="随机数"):
        load_or_make_key(tmp_path / "answers.key", entropy)
    assert list(tmp_path.iterdir()) == []


def test_a_secret_file_is_read_whole_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "tif.secret"
    path.write_bytes(b"TOKENEXAMPLE0123\n")
    path.chmod(0o600)
    assert read_private(path) == b"TOKENEXAMPLE0123\n"
    with pytest.raises(KeyFileError, match="超过"):
        read_private(path, size_max=16)
