"""A server with one client on a fake wire, for the tests of the HTTP server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from transport_wire import Wire
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from adapters.transport.server import HttpRequest, HttpServerFactory, ServerLimits
from gateway.core.errors import CODES

POST = b"POST /fsi/api/x HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
H = b"POST / HTTP/1.1\r\nHost: h\r\n"
CHUNKED = H + b"Transfer-Encoding: chunked\r\n\r\n"
GONE = Failure(ConnectionDone())  # type: ignore[no-untyped-call]
Handler = Callable[[HttpRequest], object]


def refuse(code: str) -> tuple[int, bytes]:
    return CODES[code].status, b'{"gw_code":"%b"}' % code.encode()


def post(body: bytes = b"{}", extra: bytes = b"") -> bytes:
    return POST + extra + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def echo(request: HttpRequest) -> None:
    request.respond(200, b"<" + request.body + b">")


class Side:
    """A server with one client on a string transport; `requests` are those handed to the handler."""

    def __init__(
        self,
        answer: Handler | None = echo,
        limits: ServerLimits | None = None,
        gate: Any = None,
        address: str = "10.0.0.9",
    ) -> None:
        self.clock = Clock()
        self.requests: list[HttpRequest] = []
        self.answer = answer
        self.factory = HttpServerFactory(self.clock, self._handle, refuse, limits, gate)
        self.address = address
        self.wire, self.connection = self.connect()

    def connect(self) -> tuple[Any, Any]:
        wire: Any = Wire(peerAddress=IPv4Address("TCP", self.address, 4711))  # type: ignore[no-untyped-call]
        connection = self.factory.buildProtocol(None)
        assert connection is not None
        connection.makeConnection(wire)
        return wire, connection

    def _handle(self, request: HttpRequest) -> None:
        self.requests.append(request)
        if self.answer is not None:
            self.answer(request)

    def send(self, data: bytes, step: int = 0) -> bytes:
        """Deliver `data`, in pieces of `step` bytes when given; return what was answered."""
        before = len(self.wire.value())
        for at in range(0, len(data), step or len(data)):
            self.connection.dataReceived(data[at : at + (step or len(data))])
        return bytes(self.wire.value()[before:])

    def hang_up(self) -> None:
        self.connection.connectionLost(GONE)

    @property
    def closed(self) -> bool:
        return bool(self.wire.disconnecting)

    def refused_with(self, status: int, code: bytes) -> bool:
        value = self.wire.value()
        last = value[value.rindex(b"HTTP/1.1 ") :]
        return (
            last.startswith(b"HTTP/1.1 %d " % status) and code in last and b"Connection: close" in last and self.closed
        )


def pump(side: Side, seconds: float, step: float = 0.5) -> None:
    for _ in range(round(seconds / step)):
        side.clock.advance(step)
