"""The HTTP/1.1 server of the institutions' side: bounded, impatient, one request at a time per connection.

Theory of operation. A connection keeps the bytes it has not used yet in one buffer. While no request is in flight it
takes a head from the buffer (`heads.py`), then a body by count or by chunks (`chunks.py`), and hands the whole request
to the handler. While one is in flight further bytes only wait in the buffer, and when enough wait the socket is
paused: requests that arrive together are answered in order, and a client cannot make us hold more than one body.
Deadlines are attributes watched by one timer (`deadlines.py`).

A client that closes its sending half is taken as gone, as its answer could be proved to nobody.

Paths, methods and JSON are the handler's business; sockets are opened elsewhere (`tls.listen_endpoint`).
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import attrs
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Factory

from adapters.transport.connection import Connection
from adapters.transport.deadlines import Deadlines
from adapters.transport.heads import HeadReader
from adapters.transport.request import HttpRequest, Peer

__all__ = ["Gate", "HttpRequest", "HttpServerFactory", "Peer", "ServerLimits"]

UPLOAD_PATH = b"/fsi/api/fileupload/upload"


@attrs.frozen(kw_only=True)
class ServerLimits:
    """Bounds of the institutions' listener (contract-annex X23, X25; security T5-T7).

    upload_body_bytes_max: path -> its own body limit. Body deadline: body_s + 1 s per body_bytes_per_s received.
    linger_s: how long the rest of a refused request is read and dropped, so that the refusal can be read; and how long
    a connection that is turned away may wait before it says something. blank_lines_max: before one request.
    """

    head_bytes_max: int = 16 * 1024
    headers_max: int = 100
    blank_lines_max: int = 4
    target_bytes_max: int = 2 * 1024
    body_bytes_max: int = 2 * 1024 * 1024
    file_body_bytes_max: int = 32 * 1024 * 1024  # of a day file handed in
    upload_body_bytes_max: Mapping[bytes, int] = attrs.field(factory=lambda: {UPLOAD_PATH: 32 * 1024 * 1024})
    head_s: float = 10.0
    body_s: float = 10.0
    body_bytes_per_s: int = 64 * 1024
    idle_s: float = 75.0
    handshake_s: float = 5.0
    write_stall_s: float = 30.0
    linger_s: float = 2.0
    pipeline_max: int = 16
    pipeline_bytes_max: int = 64 * 1024
    connections_max: int = 2000


class Gate(Protocol):
    """Decides at the door, before any byte is read, e.g. connections per institution."""

    def opened(self, peer: Peer) -> str:
        """Return "" to let the connection in, else the gateway code its first bytes are answered with."""

    def closed(self, peer: Peer) -> None:
        """A connection that had been let in is gone."""


class HttpServerFactory(Factory):
    """Makes connections and knows them all.

    handler: called with each whole request; must call its `respond` once, now or later. If it raises, the connection
    is cut without an answer, because nobody knows what had been done.
    refuse: gateway code -> (HTTP status, JSON body) for what the transport refuses by itself: GW-HTTP, GW-SIZE,
    GW-DEADLINE, GW-ENCODING, and what the gate says.
    on_handshake_failed: is told (address, why in one English word) of each client that did not come through TLS.
    """

    noisy = False

    def __init__(
        self,
        clock: IReactorTime,
        handler: Callable[[HttpRequest], object],
        refuse: Callable[[str], tuple[int, bytes]],
        limits: ServerLimits | None = None,
        gate: Gate | None = None,
        on_handshake_failed: Callable[[str, str], object] = lambda address, why: None,
    ) -> None:
        self.clock = clock
        self.handler = handler
        self.refuse = refuse
        self.limits = limits or ServerLimits()
        self.gate = gate
        self.on_handshake_failed = on_handshake_failed
        self.deadlines = Deadlines(clock)
        self.heads = HeadReader(self.limits.headers_max, self.limits.target_bytes_max)
        self.draining = False
        self._connections: dict[Connection, None] = {}
        self._drained: list[Deferred[None]] = []

    @property
    def connections(self) -> int:
        """Open connections, for metrics."""
        return len(self._connections)

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Make a connection, or None (Twisted closes the socket) past connections_max and while draining."""
        if self.draining or len(self._connections) >= self.limits.connections_max:
            return None
        connection = Connection(self)
        self._connections[connection] = None
        return connection

    def gone(self, connection: Connection) -> None:
        """A connection has ended."""
        self._connections.pop(connection, None)
        if self.draining and not self._connections:
            waiting, self._drained = self._drained, []
            for done in waiting:
                done.callback(None)

    def drain(self) -> Deferred[None]:
        """Close idle connections now and the others after their answer; fires when none is left (X27).

        Stopping the listening port is the caller's part. A request that is still arriving is read and handed to the
        handler, within its deadlines.
        """
        self.draining = True
        for connection in list(self._connections):
            connection.drain()
        if not self._connections:
            return succeed(None)
        done: Deferred[None] = Deferred()
        self._drained.append(done)
        return done
