"""The throw-away PKI: what it writes, and that a real TLS handshake takes the good ones and no other."""

import datetime
import json
import os
import ssl
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from certs.city import INSTITUTIONS, CityError, make_city

NOW_S = 1_763_700_000.5
NAMES = {"ca", "gateway", "platform", "province", "operator", *INSTITUTIONS, "expired", "revoked", "foreign"}


@pytest.fixture(scope="module")
def today(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A city made by the command, at the real time."""
    folder = tmp_path_factory.mktemp("pki")
    done = certs("city", str(folder), "--json")
    assert done.returncode == 0, done.stderr
    told = {row["name"]: row["sha256"] for row in json.loads(done.stdout)["certificates"]}
    assert told == {name: digest_by_openssl(folder / f"{name}.pem") for name in NAMES}
    return folder


def certs(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "certs", *words], capture_output=True, text=True, timeout=60)


def digest_by_openssl(path: Path) -> str:
    told = subprocess.run(
        ["openssl", "x509", "-in", str(path), "-noout", "-fingerprint", "-sha256"], capture_output=True, check=True
    )
    return told.stdout.decode().split("=")[1].strip().replace(":", "").lower()


def handshake(folder: Path, server: str, client: str | None, trusted: str = "ca.pem") -> str:
    """Shake hands in memory, mTLS with the revocation list on the server's side; return the client's name as seen."""
    taker = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    taker.load_cert_chain(folder / f"{server}.pem", folder / f"{server}.key")
    taker.load_verify_locations(folder / "ca.pem")
    taker.load_verify_locations(folder / "crl.pem")
    taker.verify_mode = ssl.CERT_REQUIRED
    taker.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF | ssl.VERIFY_X509_STRICT
    asker = ssl.create_default_context(cafile=str(folder / trusted))
    if client is not None:
        asker.load_cert_chain(folder / f"{client}.pem", folder / f"{client}.key")
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    left = asker.wrap_bio(back, there, server_hostname="127.0.0.1")
    right = taker.wrap_bio(there, back, server_side=True)
    for _ in range(4):
        for side in (left, right):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    seen = right.getpeercert()
    assert seen
    return dict(pair for part in seen["subject"] for pair in part)["commonName"]


@pytest.mark.parametrize("name", ["platform", "province", "operator", *INSTITUTIONS])
def test_every_party_shakes_hands_with_the_gateway(today: Path, name: str) -> None:
    assert handshake(today, "gateway", name) == name


def test_the_gateway_is_a_client_of_the_platform(today: Path) -> None:
    assert handshake(today, "platform", "gateway") == "gateway"


@pytest.mark.parametrize(
    ("client", "reason"),
    [("expired", "expired"), ("revoked", "revoked"), ("foreign", "local issuer"), (None, "peer did not return")],
)
def test_the_bad_ones_fail_the_handshake(today: Path, client: str | None, reason: str) -> None:
    with pytest.raises(ssl.SSLError, match=reason):
        handshake(today, "gateway", client)


def test_a_server_of_a_foreign_authority_is_not_trusted(today: Path) -> None:
    with pytest.raises(ssl.SSLError, match="verify failed"):
        handshake(today, "gateway", INSTITUTIONS[0], trusted="foreign-ca.pem")


def test_the_foreign_one_bears_a_name_that_is_not_its_own(today: Path) -> None:
    foreign, real = (load(today / f"{name}.pem") for name in ("foreign", INSTITUTIONS[0]))
    assert foreign.subject == real.subject
    assert foreign.issuer == load(today / "foreign-ca.pem").subject != real.issuer


def load(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_files_modes_and_keys_belong_together(tmp_path: Path) -> None:
    made = make_city(tmp_path, INSTITUTIONS, NOW_S)
    assert {one.name for one in made} == NAMES
    extra = {"crl.pem", "foreign-ca.pem"}
    assert {entry.name for entry in tmp_path.iterdir()} == {f"{n}.{e}" for n in NAMES for e in ("pem", "key")} | extra
    for name in NAMES:
        path = tmp_path / f"{name}.key"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        key = serialization.load_pem_private_key(path.read_bytes(), None)
        assert key.public_key() == load(tmp_path / f"{name}.pem").public_key()


@pytest.mark.parametrize("umask", [0o000, 0o077, 0o277])
def test_modes_do_not_depend_on_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        make_city(tmp_path, [], NOW_S)
    finally:
        os.umask(before)
    modes = {entry.suffix: stat.S_IMODE(entry.stat().st_mode) for entry in tmp_path.iterdir()}
    assert modes == {".key": 0o600, ".pem": 0o644}


def test_validity_follows_the_clock_that_was_given(tmp_path: Path) -> None:
    make_city(tmp_path, INSTITUTIONS[:1], NOW_S)
    now = datetime.datetime.fromtimestamp(NOW_S, datetime.UTC)
    gateway, expired = load(tmp_path / "gateway.pem"), load(tmp_path / "expired.pem")
    assert gateway.not_valid_before_utc < now - datetime.timedelta(hours=23)
    assert gateway.not_valid_after_utc > now + datetime.timedelta(days=800)
    assert expired.not_valid_before_utc < expired.not_valid_after_utc < now
    crl = x509.load_pem_x509_crl((tmp_path / "crl.pem").read_bytes())
    assert crl.is_signature_valid(load(tmp_path / "ca.pem").public_key())
    assert [entry.serial_number for entry in crl] == [load(tmp_path / "revoked.pem").serial_number]
    assert crl.next_update_utc is not None
    assert crl.next_update_utc > now + datetime.timedelta(days=800)


def test_an_existing_authority_is_never_overwritten_by_accident(tmp_path: Path) -> None:
    assert certs("city", str(tmp_path), "--institution", "H99999900001").returncode == 0
    before = (tmp_path / "ca.key").read_bytes()
    again = certs("city", str(tmp_path))
    assert again.returncode == 2
    assert "未改动" in again.stderr
    assert (tmp_path / "ca.key").read_bytes() == before
    assert not (tmp_path / f"{INSTITUTIONS[0]}.pem").exists()
    forced = certs("city", str(tmp_path), "--force")
    assert forced.returncode == 0
    assert (tmp_path / "ca.key").read_bytes() != before


def test_the_table_is_chinese_and_holds_every_digest(tmp_path: Path) -> None:
    done = certs("city", str(tmp_path), "--institution", "P99999900009")
    assert done.returncode == 0
    rows = {line.split()[0]: line.split() for line in done.stdout.splitlines() if ".pem" in line.split(" ")[0]}
    assert rows["P99999900009.pem"][1] == "定点药店"
    for name, cells in rows.items():
        assert cells[-1] == digest_by_openssl(tmp_path / name)


@pytest.mark.parametrize("codes", [["H1"], ["../../etc/x"], ["H5108020000１"], ["X51080200001"], [INSTITUTIONS[0]] * 2])
def test_a_bad_code_writes_nothing(tmp_path: Path, codes: list[str]) -> None:
    with pytest.raises(CityError):
        make_city(tmp_path / "pki", codes, NOW_S)
    assert not (tmp_path / "pki").exists()


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = certs("city", str(tmp_path / "file" / "pki"))
    assert done.returncode == 1
    assert done.stderr.startswith(f"错误：无法写入 {tmp_path / 'file' / 'pki'}：")
    assert len(done.stderr.splitlines()) == 1  # no traceback behind it


def test_people_get_a_second_factor_of_their_own(tmp_path: Path) -> None:
    made = make_city(tmp_path / "pki", INSTITUTIONS[:1], NOW_S, persons=("wang", "li"))
    assert {"wang", "li"} < {one.name for one in made}
    assert stat.S_IMODE((tmp_path / "pki" / "wang.key").stat().st_mode) == 0o600
    assert x509.load_pem_x509_certificate((tmp_path / "pki" / "wang.pem").read_bytes()).subject


@pytest.mark.parametrize("persons", [("gateway",), ("ca",), ("Wang",), ("w/x",), ("wang", "wang")])
def test_an_odd_name_of_a_person_is_refused(tmp_path: Path, persons: tuple[str, ...]) -> None:
    with pytest.raises(CityError):
        make_city(tmp_path / "pki", INSTITUTIONS[:1], NOW_S, persons=persons)
    assert not (tmp_path / "pki").exists()
