"""HTTP/1.1 on httptools for the simulators: a server whose answers may be late, cut or missing; a keep-alive client.

Why not twisted.web: it hides exactly the misbehaviour a platform simulator is for (half an answer, a reset), and at
120 µs a request it would be most of what a load run measures.
"""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any
from typing import Protocol as Duty

import attrs
import httptools
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTime, ITCPTransport
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from simulators.platform import Reply

BODY_BYTES_MAX = 40 * 1024 * 1024
_REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 413: "Payload Too Large"}


class Serves(Duty):
    """A platform or a province: one request in, its answer out, now or later. headers with lower-case names."""

    def serve(self, path: str, headers: Mapping[str, str], body: bytes) -> "Reply | Deferred[Any]": ...


class PlatformServer(Protocol):
    """One connection to the platform; requests are answered in order, one at a time."""

    transport: ITCPTransport

    def __init__(self, platform: Serves, clock: IReactorTime) -> None:
        self._platform = platform
        self._clock = clock
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[tuple[str, dict[str, str], bytes, bool]] = deque()
        self._busy = False
        self._gone = False
        self.on_message_begin()

    def on_message_begin(self) -> None:
        self._target = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._size = 0

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if self._headers.get("expect", "").lower() == "100-continue":
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._size > BODY_BYTES_MAX:
            self._refuse(413)
            return
        self._body.append(chunk)

    def on_message_complete(self) -> None:
        path = self._target.partition(b"?")[0].decode("latin-1")
        keep = bool(self._parser.should_keep_alive())
        self._waiting.append((path, self._headers, b"".join(self._body), keep))
        self._next()

    def dataReceived(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refuse(400)
        except httptools.HttpParserError:
            self._refuse(400)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._gone = True

    def _refuse(self, status: int) -> None:
        if not self._gone:
            self.transport.write(_head(status, "text/plain", 0, keep=False))
            self.transport.loseConnection()
            self._gone = True

    def _next(self) -> None:
        if self._busy or self._gone or not self._waiting:
            return
        self._busy = True
        path, headers, body, keep = self._waiting.popleft()
        answer = self._platform.serve(path, headers, body)
        if isinstance(answer, Deferred):
            answer.addCallback(self._ready, keep)
        else:
            self._ready(answer, keep)

    def _ready(self, reply: Reply, keep: bool) -> None:
        if reply.delay_s:
            self._clock.callLater(reply.delay_s, self._answer, reply, keep)
        else:
            self._answer(reply, keep)

    def _answer(self, reply: Reply, keep: bool) -> None:
        if self._gone or reply.drop == "silent":
            return  # and stays busy: this connection never answers again, as a hung platform's would not
        if reply.drop == "reset":
            self.transport.abortConnection()
            return
        cut = 0 <= reply.body_sent < len(reply.body)
        body = reply.body[: reply.body_sent] if cut else reply.body
        self.transport.write(_head(reply.status, reply.content_type, len(reply.body), keep=keep) + body)
        if cut or not keep:
            self.transport.loseConnection()
            return
        self._busy = False
        self._next()


def _head(status: int, kind: str, length: int, *, keep: bool) -> bytes:
    reason = _REASONS.get(status, "Answer")
    connection = "" if keep else "Connection: close\r\n"
    return (
        f"HTTP/1.1 {status} {reason}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n{connection}\r\n".encode()
    )


@attrs.define
class PlatformFactory(Factory):
    """Serves one Platform to any number of connections."""

    platform: Serves
    clock: IReactorTime

    noisy = False

    def buildProtocol(self, addr: IAddress | None) -> PlatformServer:
        return PlatformServer(self.platform, self.clock)


Answered = Callable[[int, bytes], None]
"""(HTTP status, body); status 0: the connection broke before a whole answer."""


class Caller(Protocol):
    """One keep-alive connection of a client; one request at a time."""

    transport: ITCPTransport

    def __init__(self, closed: Callable[["Caller"], None]) -> None:
        self._closed = closed
        self._answered: Answered | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []
        self.open = False

    def connectionMade(self) -> None:
        self.open = True

    def send(self, request: bytes, answered: Answered) -> None:
        """request: head and body. answered is called once."""
        assert self._answered is None and self.open
        self._answered = answered
        self._body = []
        self.transport.write(request)

    def on_body(self, chunk: bytes) -> None:
        self._body.append(chunk)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status == 100:
            return
        if not self._parser.should_keep_alive():
            self.open = False
            self.transport.loseConnection()
        answered, self._answered = self._answered, None
        self._parser = httptools.HttpResponseParser(self)
        if answered is not None:
            answered(status, b"".join(self._body))

    def dataReceived(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.transport.abortConnection()

    def abandon(self) -> None:
        """Give up waiting; the pending answer is reported as broken."""
        self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.open = False
        answered, self._answered = self._answered, None
        self._closed(self)
        if answered is not None:
            answered(0, b"")


class CallerFactory(Factory):
    """Makes Callers."""

    noisy = False

    def __init__(self, closed: Callable[[Caller], None]) -> None:
        self._closed = closed

    def buildProtocol(self, addr: IAddress | None) -> Caller:
        return Caller(self._closed)


def post_bytes(host: str, path: str, body: bytes, headers: str = "") -> bytes:
    """A whole POST of JSON. headers: further lines, each ending CRLF."""
    head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json;charset=utf-8\r\n{headers}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
