"""TLS with clients that are not ours, slow, greedy or silent (annex X36; security §2, T6)."""

# pytest-twisted has no annotations.
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

import socket
import ssl
from typing import Any

import attrs
import pytest
import pytest_twisted
from transport_town import ANSWERED, REQUEST, Town, dial
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from adapters.transport.server import HttpRequest, Peer, ServerLimits
from adapters.transport.tls import listen_endpoint


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
