"""TLS between a real client and a real server on 127.0.0.1: who is believed (annex X36; security §2, T6, T26)."""

# pytest-twisted has no annotations.
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

import datetime
import hashlib
import shutil
import socket
from pathlib import Path

import pytest
import pytest_twisted
from transport_pki import LONG_AGO, Authority, Issued
from transport_town import ANSWERED, Town, dial
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from adapters.transport.client import LinkPool
from adapters.transport.tls import ClientTls, ClientTlsContext, ServerTls, TlsConfigError, link_endpoint


@pytest_twisted.ensureDeferred
async def test_a_client_is_known_by_its_certificate(town: Town) -> None:
    await town.open()
    pool = town.client(town.hospital)
    assert await town.ask(pool) == ANSWERED
    assert await town.ask(pool) == ANSWERED
    assert town.peers == [town.hospital.sha256] * 2
    assert town.factory.connections == 1


@pytest_twisted.ensureDeferred
async def test_an_address_is_verified_too(town: Town) -> None:
    await town.open()
    assert await town.ask(town.client(town.hospital, host="127.0.0.1")) == ANSWERED


def bad_certificate(town: Town, kind: str, folder: Path) -> Issued | None:
    if kind == "expired":
        return town.authority.issue("expired", LONG_AGO + datetime.timedelta(days=1))
    if kind == "revoked":
        return town.revoked
    if kind == "foreign":
        return Authority(folder, "another ca").issue("foreign")
    return Authority(folder).issue("forged") if kind == "forged" else None


@pytest.mark.parametrize("kind", ["none", "expired", "revoked", "foreign", "forged"])
@pytest_twisted.ensureDeferred
async def test_a_bad_client_certificate_fails_the_handshake(town: Town, kind: str, tmp_path: Path) -> None:
    await town.open()
    (tmp_path / "foreign").mkdir()
    who = bad_certificate(town, kind, tmp_path / "foreign")
    assert await town.ask(town.client(who)) == ("not_sent", "certificate refused")
    assert not town.peers
    assert await town.ask(town.client(town.hospital)) == ANSWERED


WHY = {
    "none": "peer_did_not_return_a_certificate",
    "expired": "certificate_expired",
    "revoked": "certificate_revoked",
    "foreign": "unknown_ca",
    "forged": "signature_invalid",
}


@pytest.mark.parametrize("kind", WHY)
@pytest_twisted.ensureDeferred
async def test_a_failed_handshake_is_told_with_its_reason(town: Town, kind: str, tmp_path: Path) -> None:
    told: list[tuple[str, str]] = []
    town.factory.on_handshake_failed = lambda address, why: told.append((address, why))
    await town.open()
    (tmp_path / "foreign").mkdir()
    await town.ask(town.client(bad_certificate(town, kind, tmp_path / "foreign")))
    while not told:
        await deferLater(town.reactor, 0.01, lambda: None)
    assert told == [("127.0.0.1", WHY[kind])]
    assert await town.ask(town.client(town.hospital)) == ANSWERED
    assert len(told) == 1


@pytest.mark.parametrize(
    ("says", "why"), [(b"", "closed"), (b"GET / HTTP/1.1\r\n\r\n", "http_request"), (b"\x16\x03\x01", "closed")]
)
@pytest_twisted.ensureDeferred
async def test_who_never_meant_tls_is_told_too(town: Town, says: bytes, why: str) -> None:
    told: list[tuple[str, str]] = []
    town.factory.on_handshake_failed = lambda address, why: told.append((address, why))
    await town.open()

    def knock() -> None:
        with socket.create_connection(("127.0.0.1", town.ports[-1].getHost().port), timeout=10) as tcp:
            tcp.sendall(says)

    await deferToThread(knock)
    while not told:
        await deferLater(town.reactor, 0.01, lambda: None)
    assert told == [("127.0.0.1", why)]


@pytest_twisted.ensureDeferred
async def test_a_revocation_list_that_has_ended_is_told_as_such(town: Town) -> None:
    told: list[str] = []
    town.factory.on_handshake_failed = lambda address, why: told.append(why)
    town.authority.revoke(until=LONG_AGO + datetime.timedelta(days=1))
    await town.open()
    assert await town.ask(town.client(town.hospital)) != ANSWERED
    while not told:
        await deferLater(town.reactor, 0.01, lambda: None)
    assert told == ["crl_expired"]


@pytest_twisted.ensureDeferred
async def test_a_platform_that_cannot_prove_itself_is_sent_nothing(town: Town, tmp_path: Path) -> None:
    await town.open()
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other")
    untrusted = town.client(town.hospital, ca_file=other.file)
    assert await town.ask(untrusted) == ("not_sent", "tls handshake failed")
    misnamed = town.client(town.hospital, server_name="platform.example")
    assert await town.ask(misnamed) == ("not_sent", "certificate names another host")
    assert not town.peers
    assert await town.ask(town.client(town.hospital, host="127.0.0.1", server_name="localhost")) == ANSWERED


@pytest_twisted.ensureDeferred
async def test_without_a_client_ca_nobody_is_asked(town: Town) -> None:
    plain = ServerTls(certificate_file=town.gateway.certificate_file, key_file=town.gateway.key_file)
    await town.open(plain)
    assert await town.ask(town.client(None)) == ANSWERED
    assert town.peers == [""]


@pytest_twisted.ensureDeferred
async def test_reload_serves_new_handshakes_and_leaves_open_connections(town: Town) -> None:
    context = await town.open()
    old = town.client(town.hospital)
    assert await town.ask(old) == ANSWERED
    assert context.reload() is False
    town.authority.revoke(town.revoked, town.hospital)
    renewed = town.authority.issue("renewed")
    shutil.copy(renewed.certificate_file, town.gateway.certificate_file)
    with pytest.raises(TlsConfigError, match="私钥与证书不匹配"):
        context.reload()
    assert await town.ask(town.client(town.hospital)) == ANSWERED  # half a change is no change
    shutil.copy(renewed.key_file, town.gateway.key_file)
    assert context.reload() is True
    assert await town.ask(old) == ANSWERED
    assert await town.ask(town.client(town.hospital)) == ("not_sent", "certificate refused")
    other = town.authority.issue("pharmacy")
    assert await town.ask(town.client(other)) == ANSWERED
    served = await deferToThread(shown_certificate, town, other)
    assert served == renewed.sha256


@pytest_twisted.ensureDeferred
async def test_a_client_reloads_its_own_certificate(town: Town) -> None:
    await town.open()
    settings = ClientTls(
        ca_file=town.authority.file, certificate_file=town.hospital.certificate_file, key_file=town.hospital.key_file
    )
    context = ClientTlsContext(settings, "localhost")
    make, host, _ = link_endpoint(town.reactor, f"https://localhost:{town.ports[-1].getHost().port}/", context)
    first, second = LinkPool(town.reactor, make, host), LinkPool(town.reactor, make, host)
    town.pools += [first, second]
    old = town.hospital.sha256
    assert await town.ask(first) == ANSWERED
    renewed = town.authority.issue("hospital")  # writes the same files
    assert context.reload() is True and context.reload() is False
    assert await town.ask(second) == ANSWERED
    assert town.peers == [old, renewed.sha256]


def shown_certificate(town: Town, who: Issued) -> str:
    _, tls = dial(town, who)
    with tls:
        return hashlib.sha256(tls.getpeercert(binary_form=True)).hexdigest()
