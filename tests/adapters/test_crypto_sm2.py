"""SM2: the standard's vector, OpenSSL as a second opinion both ways, and encodings nobody else may choose."""

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.crypto.digest import SelfTestError
from adapters.crypto.keyfile import KeyFileError
from adapters.crypto.sm2 import (
    SignatureFormError,
    Sm2Signer,
    Sm2Verifier,
    der_of,
    on_curve,
    open_signer,
    pair_of,
    pem_of,
    public_of,
    self_test,
)

# GB/T 32918.5 annex A
PRIVATE = bytes.fromhex("3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8")
PUBLIC = bytes.fromhex(
    "09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020"
    "CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13"
)
PAIR = bytes.fromhex(
    "F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3"
    "B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA"
)
ORDER = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123


def openssl(*words: str) -> str:
    done = subprocess.run(["openssl", *words], capture_output=True, text=True, timeout=30)
    return done.stdout + done.stderr


def test_the_standards_example_has_its_public_key_and_its_signature() -> None:
    assert public_of(PRIVATE) == PUBLIC
    assert Sm2Verifier(PUBLIC).verify(b"message digest", der_of(PAIR))
    self_test()


@pytest.mark.parametrize("number", [1, 2, 3, ORDER - 2])
def test_the_least_and_the_greatest_private_keys_have_their_public_keys(number: int) -> None:
    private = number.to_bytes(32)
    signer = Sm2Signer(public_of(private), private=private)
    assert signer.verify(b"m", signer.sign(b"m"))


@pytest.mark.parametrize("at", [0, 31, 32, 63])
def test_a_machine_that_computes_otherwise_does_not_start(at: int) -> None:
    with pytest.raises(SelfTestError, match="SM2"):
        self_test(PAIR[:at] + bytes([PAIR[at] ^ 1]) + PAIR[at + 1 :])


def test_openssl_accepts_our_signature_and_we_accept_openssls(tmp_path: Path) -> None:
    signer, message = Sm2Signer.of(b"\x17" * 32), tmp_path / "message"
    message.write_bytes(b"two people\n" * 20)
    (tmp_path / "ours.sig").write_bytes(signer.sign(message.read_bytes()))
    (tmp_path / "ours.pem").write_text(signer.pem())
    identity = ("-sm3", "-sigopt", "distid:1234567812345678")
    ours, ours_key = str(tmp_path / "ours.sig"), str(tmp_path / "ours.pem")
    assert "Verified OK" in openssl("dgst", *identity, "-verify", ours_key, "-signature", ours, str(message))
    message.write_bytes(message.read_bytes() + b".")
    assert "Verified OK" not in openssl("dgst", *identity, "-verify", ours_key, "-signature", ours, str(message))

    theirs, sig, der = str(tmp_path / "theirs.pem"), str(tmp_path / "theirs.sig"), str(tmp_path / "theirs.der")
    openssl("genpkey", "-algorithm", "SM2", "-out", theirs)
    openssl("pkey", "-in", theirs, "-pubout", "-outform", "DER", "-out", der)
    openssl("dgst", *identity, "-sign", theirs, "-out", sig, str(message))
    public = Path(der).read_bytes()[-64:]
    assert Sm2Verifier(public).verify(message.read_bytes(), Path(sig).read_bytes())
    pem = openssl("pkey", "-in", theirs, "-pubout")
    assert pem_of(public) == pem


def test_a_signature_is_of_one_message_and_one_key() -> None:
    signer = Sm2Signer.of(b"\x01" * 32)
    signature = signer.sign(b"m")
    assert signer.verify(b"m", signature)
    assert not signer.verify(b"n", signature)
    assert not Sm2Signer.of(b"\x02" * 32).verify(b"m", signature)
    assert not Sm2Verifier(bytes(64)).verify(b"m", signature)
    assert not Sm2Verifier(PUBLIC[:63]).verify(b"m", signature)
    assert not signer.verify(b"m", b"")
    assert on_curve(signer.public)


def test_a_private_key_does_not_show() -> None:
    signer = Sm2Signer.of(b"\x05" * 32)
    assert signer._private.hex() not in repr(signer).encode().hex() + repr(signer)
    assert "_private" not in repr(signer)


@given(st.integers(1, ORDER - 1), st.integers(1, ORDER - 1))
def test_der_and_pairs_are_the_same_numbers(r: int, s: int) -> None:
    pair = r.to_bytes(32) + s.to_bytes(32)
    assert pair_of(der_of(pair)) == pair


@given(st.binary(max_size=80))
def test_whatever_is_taken_as_der_is_the_one_encoding_of_its_numbers(raw: bytes) -> None:
    try:
        pair = pair_of(raw)
    except SignatureFormError:
        return
    assert der_of(pair) == raw


GOOD = der_of(PAIR)


@pytest.mark.parametrize(
    "raw",
    [
        GOOD + b"\0",
        GOOD[:-1],
        b"",
        b"\x30",
        der_of(bytes(64)),
        der_of(ORDER.to_bytes(32) + PAIR[32:]),
        b"\x30\x07\x02\x02\x00\x01\x02\x01\x01",  # 1 with a needless zero before it
        b"\x30\x06\x02\x01\x81\x02\x01\x01",  # negative
        b"\x31" + GOOD[1:],
    ],
)
def test_other_encodings_are_refused(raw: bytes) -> None:
    with pytest.raises(SignatureFormError):
        pair_of(raw)


def test_the_key_is_made_once_and_never_anew_for_what_was_signed(tmp_path: Path) -> None:
    path = tmp_path / "var" / "signing-sm2.key"
    first = open_signer(path, os.urandom, fresh=True)
    assert path.stat().st_mode & 0o777 == 0o600
    assert open_signer(path, os.urandom, fresh=False).public == first.public
    path.unlink()
    with pytest.raises(KeyFileError, match="无法打开"):
        open_signer(path, os.urandom, fresh=False)
