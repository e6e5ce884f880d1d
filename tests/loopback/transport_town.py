"""A TLS server that asks for certificates, on 127.0.0.1, and clients to call it: our own, and Python's ssl."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transport_pki import Authority, Issued
from twisted.internet.defer import Deferred

from adapters.transport.client import LinkLimits, LinkPool
from adapters.transport.server import HttpRequest, HttpServerFactory
from adapters.transport.tls import (
    ClientTls,
    ClientTlsContext,
    ServerTls,
    ServerTlsContext,
    link_endpoint,
    listen_endpoint,
)

REQUEST = b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}"
ANSWERED = ("answered", 200, b'{"a":1}')


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


# -- another client: Python's ssl, for a thread ------------------------------------------------------------------------


def dial(town: Town, who: Issued, setup: Callable[[ssl.SSLContext], None] | None = None, session: Any = None) -> Any:
    context = ssl.create_default_context(cafile=town.authority.file)
    context.load_cert_chain(who.certificate_file, who.key_file)
    if setup is not None:
        setup(context)
    tcp = socket.create_connection(("127.0.0.1", town.ports[-1].getHost().port), timeout=10)
    return context, context.wrap_socket(tcp, server_hostname="localhost", session=session)
