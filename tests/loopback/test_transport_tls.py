"""TLS between a real client and a real server on 127.0.0.1 (annex X36; security §2, T6, T26)."""

# pytest-twisted has no annotations.
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

import datetime
import shutil
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
import pytest_twisted
from transport_pki import LONG_AGO, Authority, Issued
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from adapters.transport.client import LinkLimits, LinkPool
from adapters.transport.server import HttpRequest, HttpServerFactory, Peer, ServerLimits
from adapters.transport.tls import (
    ClientTls,
    ClientTlsContext,
    ServerTls,
    ServerTlsContext,
    TlsConfigError,
    link_endpoint,
    listen_endpoint,
)

REQUEST = b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}"


class Ear:
    """A listener whose one end is a Deferred."""

    retry_safe = False

    def __init__(self) -> None:
        self.end: Deferred[tuple[Any, ...]] = Deferred()

    def answered(self, status: int, content_type: bytes, body: bytes, whole: bool) -> None:
        self.end.callback(("answered", status, body))

    def not_sent(self, reason: str) -> None:
        self.end.callback(("not_sent", reason))

    def silent(self) -> None:
        self.end.callback(("silent",))

    def lost(self, reason: str) -> None:
        self.end.callback(("lost", reason))


class Town:
    """A TLS server that asks for certificates, and clients to call it."""

    def __init__(self, reactor: Any, folder: Path) -> None:
        self.reactor = reactor
        self.authority = Authority(folder)
        self.gateway = self.authority.issue("gateway")
        self.hospital = self.authority.issue("hospital")
        self.revoked = self.authority.issue("revoked")
        self.settings = ServerTls(
            certificate_file=self.gateway.certificate_file,
            key_file=self.gateway.key_file,
            client_ca_file=self.authority.file,
            crl_file=self.authority.revoke(self.revoked),
        )
        self.peers: list[str] = []
        self.factory = HttpServerFactory(reactor, self._handle, lambda code: (413, code.encode()))
        self.pools: list[LinkPool] = []
        self.ports: list[Any] = []

    def _handle(self, request: HttpRequest) -> None:
        self.peers.append(request.peer.certificate_sha256)
        request.respond(200, request.body)

    async def open(self, settings: ServerTls | None = None, handshake_s: float = 5.0) -> ServerTlsContext:
        context = ServerTlsContext(self.reactor, settings or self.settings, handshake_s)
        port = await listen_endpoint(self.reactor, "tls:0:interface=127.0.0.1", context).listen(self.factory)
        self.ports.append(port)
        return context

    def client(self, who: Issued | None, ca_file: str = "", host: str = "localhost", server_name: str = "") -> LinkPool:
        settings = ClientTls(
            ca_file=ca_file or self.authority.file,
            certificate_file=who.certificate_file if who else "",
            key_file=who.key_file if who else "",
            server_name=server_name,
        )
        url = f"https://{host}:{self.ports[-1].getHost().port}/fsi/api/call"
        make, header, _ = link_endpoint(self.reactor, url, ClientTlsContext(settings, host))
        self.pools.append(LinkPool(self.reactor, make, header, LinkLimits(connect_s=5)))
        return self.pools[-1]

    async def ask(self, pool: LinkPool) -> tuple[Any, ...]:
        ear = Ear()
        pool.send(b"/x", b"", b'{"a":1}', ear, 10.0)
        return await ear.end

    async def close(self) -> None:
        for pool in self.pools:
            await pool.close()
        for port in self.ports:
            await port.stopListening()
        await self.factory.drain()


@pytest_twisted.async_yield_fixture
async def town(reactor: Any, tmp_path: Path) -> AsyncIterator[Town]:
    made = Town(reactor, tmp_path)
    yield made
    await made.close()


ANSWERED = ("answered", 200, b'{"a":1}')


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


# -- other clients: Python's ssl in a thread --------------------------------------------------------------------------


def dial(town: Town, who: Issued, setup: Callable[[ssl.SSLContext], None] | None = None, session: Any = None) -> Any:
    context = ssl.create_default_context(cafile=town.authority.file)
    context.load_cert_chain(who.certificate_file, who.key_file)
    if setup is not None:
        setup(context)
    tcp = socket.create_connection(("127.0.0.1", town.ports[-1].getHost().port), timeout=10)
    return context, context.wrap_socket(tcp, server_hostname="localhost", session=session)


def shown_certificate(town: Town, who: Issued) -> str:
    import hashlib

    _, tls = dial(town, who)
    with tls:
        return hashlib.sha256(tls.getpeercert(binary_form=True)).hexdigest()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest_twisted.ensureDeferred
async def test_a_session_is_resumed_and_still_names_the_client(town: Town, version: ssl.TLSVersion) -> None:
    await town.open()

    def twice() -> bool:
        def only(context: ssl.SSLContext) -> None:
            context.maximum_version = version

        context, tls = dial(town, town.hospital, only)
        with tls:
            tls.sendall(REQUEST)
            tls.recv(4096)
            session = tls.session
        tcp = socket.create_connection(("127.0.0.1", town.ports[-1].getHost().port), timeout=10)
        with context.wrap_socket(tcp, server_hostname="localhost", session=session) as again:
            again.sendall(REQUEST)
            again.recv(4096)
            return bool(again.session_reused)

    assert await deferToThread(twice)
    assert town.peers == [town.hospital.sha256] * 2


@pytest_twisted.ensureDeferred
async def test_old_versions_and_weak_ciphers_are_refused(town: Town) -> None:
    await town.open(attrs.evolve(town.settings, min_version="1.3"))

    def tls12(context: ssl.SSLContext) -> None:
        context.maximum_version = ssl.TLSVersion.TLSv1_2

    def cbc(context: ssl.SSLContext) -> None:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("ECDHE-ECDSA-AES128-SHA")

    with pytest.raises(ssl.SSLError):
        await deferToThread(dial, town, town.hospital, tls12)
    await town.open()
    _, tls = await deferToThread(dial, town, town.hospital, tls12)
    assert tls.version() == "TLSv1.2"
    await deferToThread(tls.close)
    with pytest.raises(ssl.SSLError):
        await deferToThread(dial, town, town.hospital, cbc)


@pytest.mark.parametrize("whose", ["context", "connection"])
@pytest_twisted.ensureDeferred
async def test_a_handshake_that_never_comes_is_cut_and_a_finished_one_is_not(
    town: Town, reactor: Any, whose: str
) -> None:
    opened: list[Peer] = []

    class Door:
        def opened(self, peer: Peer) -> str:
            opened.append(peer)
            return ""

        def closed(self, peer: Peer) -> None:
            opened.append(peer)

    town.factory.gate = Door()
    if whose == "connection":
        town.factory.limits = ServerLimits(handshake_s=0.3)
    await town.open(handshake_s=0.3 if whose == "context" else 60.0)
    pool = town.client(town.hospital)
    assert await town.ask(pool) == ANSWERED

    def silent() -> bytes:
        with socket.create_connection(("127.0.0.1", town.ports[-1].getHost().port), timeout=10) as tcp:
            tcp.sendall(b"\x16\x03\x01")
            try:
                return tcp.recv(100)
            except ConnectionResetError:
                return b""

    told: list[str] = []
    town.factory.on_handshake_failed = lambda address, why: told.append(why)
    # Cut before its own 10 s; what OpenSSL may say on leaving is an alert at most.
    assert len(await deferToThread(silent)) < 10
    await deferLater(reactor, 0.2, lambda: None)
    assert await town.ask(pool) == ANSWERED
    assert told == ["timeout"]
    # One client came in and none has left; the silent one never got as far as the door.
    assert opened == [Peer("127.0.0.1", town.hospital.sha256)]


@pytest.mark.parametrize("secure", [False, True])
@pytest_twisted.ensureDeferred
async def test_a_refused_upload_can_still_read_why(town: Town, secure: bool, reactor: Any) -> None:
    town.factory.limits = ServerLimits(linger_s=1.0)
    if secure:
        await town.open()
    else:
        town.ports.append(await listen_endpoint(reactor, "tcp:0:interface=127.0.0.1").listen(town.factory))

    def upload() -> bytes:
        if secure:
            wire = dial(town, town.hospital)[1]
        else:
            wire = socket.create_connection(("127.0.0.1", town.ports[-1].getHost().port), timeout=10)
        with wire:
            wire.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 8000000\r\n\r\n" + b"x" * 8000000)
            answer = b""
            while part := wire.recv(4096):
                answer += part
            return answer

    answer = await deferToThread(upload)
    assert answer.startswith(b"HTTP/1.1 413 ") and answer.endswith(b"GW-SIZE") and not town.peers


@pytest.mark.parametrize("secure", [False, True])
@pytest_twisted.ensureDeferred
async def test_a_client_that_reads_nothing_is_cut_and_cannot_pile_up_answers(
    town: Town, secure: bool, reactor: Any
) -> None:
    answered: list[int] = []

    def large(request: HttpRequest) -> None:
        answered.append(1)
        request.respond(200, b"x" * 1_000_000)

    town.factory.limits = ServerLimits(write_stall_s=0.5)
    town.factory.handler = large
    if secure:
        await town.open()
    else:
        town.ports.append(await listen_endpoint(reactor, "tcp:0:interface=127.0.0.1").listen(town.factory))

    def greedy() -> Any:
        if secure:
            wire = dial(town, town.hospital)[1]
        else:
            wire = socket.create_connection(("127.0.0.1", town.ports[-1].getHost().port), timeout=10)
        wire.sendall(REQUEST * 200)
        return wire

    wire = await deferToThread(greedy)
    await deferLater(reactor, 1.2, lambda: None)
    assert town.factory.connections == 0 and 0 < len(answered) < 20
    await deferToThread(wire.close)


@pytest_twisted.ensureDeferred
async def test_draining_a_real_server_ends_every_connection(town: Town) -> None:
    held: list[HttpRequest] = []
    await town.open()
    idle, busy = town.client(town.hospital), town.client(town.hospital)
    assert await town.ask(idle) == ANSWERED
    told: list[str] = []
    town.factory.on_handshake_failed = lambda address, why: told.append(why)
    half = socket.create_connection(("127.0.0.1", town.ports[-1].getHost().port), timeout=10)
    while town.factory.connections < 2:  # the second has not finished its handshake
        await deferLater(town.reactor, 0.01, lambda: None)
    town.factory.handler = held.append
    answer = Deferred.fromCoroutine(town.ask(busy))
    while not held:
        await deferLater(town.reactor, 0.01, lambda: None)
    drained = town.factory.drain()
    await deferLater(town.reactor, 0.1, lambda: None)
    assert town.factory.connections == 1 and idle.idle == 0 and not drained.called
    assert held[0].respond(200, b'{"a":1}')
    assert await answer == ANSWERED
    await drained
    assert town.factory.connections == 0
    assert told == []  # we went, not the client
    half.close()
