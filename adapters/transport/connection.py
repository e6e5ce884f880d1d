"""One client connection of the HTTP server, and the request it hands out. Theory of operation: `server.py`."""

from __future__ import annotations

import traceback
from math import inf
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IHandshakeListener, INegotiated, IPushProducer, ITCPTransport
from twisted.internet.protocol import Protocol
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from adapters.transport.chunks import Chunks, ChunksRefused
from adapters.transport.direct import send_now
from adapters.transport.handshakes import note_timeout, why_failed
from adapters.transport.heads import END_OF_HEAD, FILES_PREFIX, Head, HeadRefused, hopeless
from adapters.transport.request import JSON, HttpRequest, Peer, answer_bytes

if TYPE_CHECKING:
    from adapters.transport.server import HttpServerFactory

# What a connection is waiting for.
HANDSHAKE, IDLE, HEAD, BODY, BUSY, CLOSING = "handshake", "idle", "head", "body", "busy", "closing"

_log = Logger()


@implementer(IHandshakeListener, IPushProducer)
class Connection(Protocol):
    """A client connection. All limits come from the factory's ServerLimits."""

    def __init__(self, factory: HttpServerFactory) -> None:
        self.peer = Peer("")
        self.deadline = inf
        self.request: HttpRequest | None = None
        self._factory = factory
        self._limits = factory.limits
        self._wire: Any = None
        self._secure = False
        self._greeted = False  # the TLS handshake is complete
        self._phase = IDLE
        self._buffer = b""
        self._head: Head | None = None
        self._chunks: Chunks | None = None
        self._parts: list[bytes] = []
        self._received = 0
        self._blank_lines = 0  # since the last head
        self._body_since = 0.0
        self._turned_away = ""
        self._admitted = False
        self._working = False  # inside _work: an answer given there must not start a second loop
        self._paused = False  # we stopped reading
        self._stalled = False  # the client does not read: the transport asked us to stop writing

    # -- opening and ending ---------------------------------------------------------------------------------------

    def connectionMade(self) -> None:
        """Start the first deadline; under TLS the client is unknown until the handshake is complete."""
        self._wire = self.transport
        self._secure = INegotiated.providedBy(self._wire)
        self._wire.registerProducer(self, True)
        no_delay = getattr(self._wire, "setTcpNoDelay", None)
        if no_delay is not None:
            no_delay(True)
        self._factory.deadlines.add(self)
        if self._secure:
            self._wait(HANDSHAKE, self._limits.handshake_s)
        else:
            self._enter("")

    def handshakeCompleted(self) -> None:
        """TLS is up: learn who it is."""
        self._greeted = True
        certificate = self._wire.getPeerCertificate()
        self._enter("" if certificate is None else certificate.digest("sha256").decode().replace(":", "").lower())

    def _enter(self, certificate_sha256: str) -> None:
        self.peer = Peer(getattr(self._wire.getPeer(), "host", ""), certificate_sha256)
        gate = self._factory.gate
        if gate is not None:
            self._turned_away = gate.opened(self.peer)
            self._admitted = not self._turned_away
        # A new client has to say something soon (security T6); one that has already asked may rest for idle_s. Who is
        # turned away gets just the time to send what is refused: its slot is somebody else's.
        self._wait(IDLE, self._limits.linger_s if self._turned_away else self._limits.head_s)

    def connectionLost(self, reason: Failure | None = None) -> None:
        """Forget everything; a request still in flight learns it by `alive` and by the result of `respond`."""
        if self._secure and not self._greeted and not self._factory.draining:
            why = why_failed(reason.value if reason is not None else None, self._wire.getHandle())
            self._factory.on_handshake_failed(getattr(self._wire.getPeer(), "host", ""), why)
        self._phase = CLOSING
        self.request = None
        self._buffer = b""
        self._parts.clear()
        self._chunks = None
        self._factory.deadlines.discard(self)
        if self._admitted and self._factory.gate is not None:
            self._admitted = False
            self._factory.gate.closed(self.peer)
        self._factory.gone(self)

    def drain(self) -> None:
        """Close if nothing is under way; otherwise the next answer closes."""
        if self._phase in (IDLE, HANDSHAKE):
            self._close()

    # -- deadlines ------------------------------------------------------------------------------------------------

    def _wait(self, phase: str, seconds: float) -> None:
        self._phase = phase
        deadlines = self._factory.deadlines
        self.deadline = at = self._factory.clock.seconds() + seconds
        if at < deadlines.wake_at:
            deadlines.arm(at)

    def expire(self, now: float) -> None:
        """A deadline has passed."""
        if self._phase == HANDSHAKE:
            note_timeout(self._wire.getHandle())
        if self._phase == CLOSING or self._stalled or self._phase == HANDSHAKE or self._turned_away:
            self._abort()  # at once: a farewell under TLS waits for the client's
        elif self._phase == IDLE:
            self._close()
        elif self._phase == BODY:
            # Absolute, but it grows with what has really arrived: a steady 64 KiB/s is never cut.
            received = self._received + (self._chunks.received if self._chunks else 0)
            self.deadline = self._body_since + self._limits.body_s + received / self._limits.body_bytes_per_s
            if self.deadline <= now:
                self._refuse("GW-DEADLINE")
        else:
            self._refuse("GW-DEADLINE")

    def pauseProducing(self) -> None:
        """The transport holds more than it likes: the client is not reading its answers."""
        self._stalled = True
        if self._phase != CLOSING:
            self._pause()
            self._wait(self._phase, self._limits.write_stall_s)

    def resumeProducing(self) -> None:
        """The client has read everything."""
        self._stalled = False
        if self._phase == BUSY:
            self.deadline = inf
        elif self._phase != CLOSING:
            self._wait(IDLE, self._limits.idle_s)
            self._work()

    def stopProducing(self) -> None:
        """The transport is gone; connectionLost says the rest."""

    # -- reading --------------------------------------------------------------------------------------------------

    def dataReceived(self, data: bytes) -> None:
        """Use the bytes, or keep them while a request is in flight."""
        if self._phase == CLOSING:
            return
        if self._turned_away:
            self._refuse(self._turned_away)
            return
        self._buffer = self._buffer + data if self._buffer else data
        if self.request is None and not self._stalled:
            self._work()
        elif (
            len(self._buffer) > self._limits.pipeline_bytes_max
            # Blank lines count heads: never fewer than there are.
            or self._buffer.count(END_OF_HEAD) >= self._limits.pipeline_max
        ):
            self._pause()

    def _work(self) -> None:
        """Hand out requests one after the other until bytes are missing or a handler wants time."""
        if self._working:
            return
        self._working = True
        try:
            while self.request is None and self._phase != CLOSING and not self._stalled:
                if self._head is None and not self._take_head():
                    break
                body = self._take_body()
                if body is None:
                    break
                self._dispatch(body)
        finally:
            self._working = False
        if self._paused and self.request is None and not self._stalled:
            self._paused = False
            self._wire.resumeProducing()

    def _take_head(self) -> bool:
        """Move a head from the buffer to `_head`; False when it is not whole yet, or was refused."""
        if self._buffer[:2] == b"\r\n" and not self._skip_blank_lines():
            return False
        buffer = self._buffer
        end = buffer.find(END_OF_HEAD)
        if end < 0:
            return self._await_head(buffer)
        if end + 4 > self._limits.head_bytes_max:
            self._refuse("GW-HTTP")
            return False
        try:
            head = self._factory.heads.read(buffer[: end + 4])
        except HeadRefused as refused:
            self._refuse(refused.code)
            return False
        self._buffer = buffer[end + 4 :]
        self._blank_lines = 0
        return self._accept(head)

    def _skip_blank_lines(self) -> bool:
        """Drop empty lines before a request (RFC 9112 2.2: old clients send one after a body); refuse a stream of them.

        All at once: a megabyte of them, dropped one by one, would be copied half a million times.
        """
        buffer, room = self._buffer, self._limits.blank_lines_max - self._blank_lines
        lines = 0
        while lines <= room and buffer.startswith(b"\r\n", 2 * lines):
            lines += 1
        if lines > room:
            self._refuse("GW-HTTP")
            return False
        self._blank_lines += lines
        self._buffer = buffer[2 * lines :]
        return True

    def _await_head(self, buffer: bytes) -> bool:
        if len(buffer) >= self._limits.head_bytes_max or (buffer != b"\r" and hopeless(buffer)):
            self._refuse("GW-HTTP")
        elif buffer and self._phase != HEAD:
            self._wait(HEAD, self._limits.head_s)
        return False

    def _accept(self, head: Head) -> bool:
        """Prepare for the body of `head`; False when it is refused for its size."""
        limits = self._limits
        bytes_max = limits.upload_body_bytes_max.get(head.path, limits.body_bytes_max)
        if head.path.startswith(FILES_PREFIX.strip()):
            bytes_max = limits.file_body_bytes_max
        if head.length > bytes_max:
            self._refuse("GW-SIZE")
            return False
        self._head = head
        if head.length < 0:
            self._chunks = Chunks(bytes_max)
        if head.expects_continue:
            self._wire.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return True

    def _take_body(self) -> bytes | None:
        """Return the whole body, or None while bytes are missing or after a refusal."""
        head = self._head
        assert head is not None
        buffer = self._buffer
        if self._chunks is not None:
            return self._take_chunks(self._chunks, buffer)
        missing = head.length - self._received
        if len(buffer) < missing:
            self._parts.append(buffer)
            self._received += len(buffer)
            self._buffer = b""
            self._await_body()
            return None
        body = buffer[:missing]
        self._buffer = buffer[missing:]
        if self._parts:
            self._parts.append(body)
            body = b"".join(self._parts)
            self._parts.clear()
        return body

    def _take_chunks(self, chunks: Chunks, buffer: bytes) -> bytes | None:
        self._buffer = b""
        try:
            chunks.feed(buffer)
        except ChunksRefused as refused:
            self._refuse(refused.code)
            return None
        if not chunks.done:
            self._await_body()
            return None
        self._buffer = chunks.rest
        self._chunks = None
        return chunks.body()

    def _await_body(self) -> None:
        if self._phase != BODY:
            self._body_since = self._factory.clock.seconds()
            self._wait(BODY, self._limits.body_s)

    def _dispatch(self, body: bytes) -> None:
        head = self._head
        assert head is not None
        self._head = None
        self._received = 0
        self._phase = BUSY
        self.deadline = inf  # how long an answer may take is the handler's business (X6)
        self.request = request = HttpRequest(self, head, body)
        try:
            self._factory.handler(request)
        except Exception as cause:  # boundary: our own bug; what it had done is unknown, so nothing may be claimed
            # Type and place only: the message may repeat a person's data (security §7).
            place = traceback.extract_tb(cause.__traceback__)[-1]
            _log.error(
                "request handler failed: {kind} at {file}:{line}",
                kind=type(cause).__name__,
                file=place.filename,
                line=place.lineno,
            )
            if self.request is request:
                self._abort()

    # -- writing --------------------------------------------------------------------------------------------------

    def answer(
        self,
        request: HttpRequest,
        head: Head,
        status: int,
        body: bytes,
        content_type: bytes,
        extra: bytes,
        close: bool,
    ) -> bool:
        """See HttpRequest.respond."""
        if self.request is not request:
            if self._phase == CLOSING:
                return False
            raise RuntimeError("a request is answered once")
        self.request = None
        keep = head.keep_alive and not close and not self._factory.draining
        if not keep:
            extra += b"Connection: close\r\n"
        elif head.old:
            extra += b"Connection: keep-alive\r\n"
        # A short answer is one write; Twisted makes it one system call.
        self._wait(IDLE, self._limits.idle_s)
        content = b"" if head.method == b"HEAD" else body
        send_now(self._wire, answer_bytes(status, content, len(body), content_type, extra))
        if not keep:
            self._close()
        elif self._buffer or self._paused:
            self._work()
        return True

    def _refuse(self, code: str) -> None:
        """Answer with the gateway code and close, reading on for a while so that the answer can be read."""
        status, body = self._factory.refuse(code)
        expecting = self._phase == BODY or code in ("GW-SIZE", "GW-ENCODING") or bool(self._turned_away)
        self._buffer = b""
        self._parts.clear()
        self._chunks = None
        self._wire.write(answer_bytes(status, body, len(body), JSON, b"Connection: close\r\n"))
        half_closes = not self._secure and ITCPTransport.providedBy(self.transport)
        if half_closes:
            self._wire.unregisterProducer()
            self._resume_to_drop()
            self._wait(CLOSING, self._limits.linger_s)
            self._wire.loseWriteConnection()
        elif self._secure and expecting:
            self._resume_to_drop()
            self._wait(CLOSING, self._limits.linger_s)
        else:
            self._close()

    def _resume_to_drop(self) -> None:
        if self._paused:
            self._paused = False
            self._wire.resumeProducing()

    def _pause(self) -> None:
        if not self._paused:
            self._paused = True
            self._wire.pauseProducing()

    def _close(self) -> None:
        """Close when what was written has been sent; abort if that takes longer than write_stall_s."""
        self._wait(CLOSING, self._limits.write_stall_s)
        # While a producer is registered Twisted may wait for it for ever.
        self._wire.unregisterProducer()
        self._wire.loseConnection()

    def _abort(self) -> None:
        self._phase = CLOSING
        self.deadline = inf
        self.request = None
        self._wire.abortConnection()
