"""One connection to a platform, and the making of one. The pool above decides who uses it: `client.py`.

A response is read by llhttp (httptools). Once the link has told the pool an outcome it is either free again or closed;
a link never carries two exchanges at a time, and bytes nobody asked for close it (contract-annex X25).
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, Any

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
from OpenSSL.SSL import Error as TlsError
from service_identity import VerificationError
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.error import (
    ConnectBindError,
    ConnectingCancelledError,
    ConnectionDone,
    ConnectionRefusedError,
    DNSLookupError,
    NoRouteError,
)
from twisted.internet.error import TimeoutError as ConnectTimeoutError
from twisted.internet.interfaces import IDelayedCall, IHandshakeListener, INegotiated, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

from adapters.transport.direct import send_now
from adapters.transport.known import HEAD_BYTES_MAX, sketch_of

if TYPE_CHECKING:
    from adapters.transport.client import LinkPool
    from adapters.transport.exchange import Exchange

_INTERIM_MAX = 16
# Alerts by which a TLS server refuses a client certificate. In TLS 1.3 they arrive after our handshake seemed complete,
# but the server ended its own before it read any request.
_CERTIFICATE_ALERTS = (
    "certificate required",
    "bad certificate",
    "unknown ca",
    "certificate unknown",
    "certificate expired",
    "certificate revoked",
    "unsupported certificate",
    "access denied",
    "decrypt error",  # the certificate's signature is not its authority's
)
_CONNECT_ERRORS: tuple[tuple[type[Exception], str], ...] = (
    (ConnectionRefusedError, "connection refused"),
    (ConnectTimeoutError, "connect timed out"),
    (ConnectingCancelledError, "connect timed out"),
    (CancelledError, "connect timed out"),
    (DNSLookupError, "name not found"),
    (NoRouteError, "no route"),
    (ConnectBindError, "cannot bind"),
    (TlsError, "tls handshake failed"),
    (VerificationError, "certificate names another host"),
)


def connect_reason(failure: Failure) -> str:
    """Name why a connection was not made, in stable words without addresses."""
    for kind, words in _CONNECT_ERRORS:
        if isinstance(failure.value, kind):
            return words
    return "connect failed: " + type(failure.value).__name__


@implementer(IHandshakeListener)
class Link(Protocol):
    """A connection: dialled, then idle or busy by turns, then retired."""

    def __init__(self, pool: LinkPool, dial: Dial) -> None:
        self.deadline = inf
        self._pool = pool
        self._dial: Dial | None = dial
        self._wire: Any = None
        self._exchange: Exchange | None = None
        self._uses = 0
        self._parser: Any = HttpResponseParser(self)
        self._begin_answer()

    # -- opening and ending ---------------------------------------------------------------------------------------

    def connectionMade(self) -> None:
        """TCP is up; over TLS nothing may be written before the platform has proved who it is."""
        self._wire = self.transport
        no_delay = getattr(self._wire, "setTcpNoDelay", None)
        if no_delay is not None:
            no_delay(True)
        if not INegotiated.providedBy(self._wire):
            self._ready()

    def handshakeCompleted(self) -> None:
        """TLS is up."""
        self._ready()

    def _ready(self) -> None:
        dial, self._dial = self._dial, None
        if dial is not None:
            self._pool.deadlines.add(self)
            dial.opened(self)

    def connectionLost(self, reason: Failure | None = None) -> None:
        """Tell whoever is waiting, then the pool."""
        assert reason is not None
        self._pool.deadlines.discard(self)
        self._parser = None  # it holds our methods: a cycle
        if self._dial is not None:
            dial, self._dial = self._dial, None
            dial.failed(connect_reason(reason))
            return
        exchange, self._exchange = self._exchange, None
        self._pool.ended(self)
        if exchange is None:
            return
        clean = isinstance(reason.value, ConnectionDone)
        if self._in_body and not self._bounded and clean:
            self._pool.answered(exchange, self._status, self._content_type, b"".join(self._parts), False)
            return
        seen = self._seen_bytes > 0
        refused = not seen and self._uses == 1 and _certificate_refused(reason)
        words = "certificate refused" if refused else "answer truncated" if seen else "connection lost"
        self._pool.broken(exchange, words, untouched=not seen and self._uses > 1, refused=refused)

    def retire(self) -> None:
        """Hang up in good order."""
        self.deadline = self._pool.clock.seconds() + self._pool.limits.connect_s
        self._pool.deadlines.add(self)
        self._pool.retired(self)
        self._wire.loseConnection()

    def abandon(self) -> None:
        """Cut at once; the exchange has been told."""
        self._exchange = None
        self.deadline = inf
        self._pool.retired(self)
        self._wire.abortConnection()

    def give_up_dialling(self) -> None:
        """TCP may be up, TLS is not; the dial has given up."""
        self._dial = None
        self._pool.retired(self)
        self._wire.abortConnection()

    def expire(self, now: float) -> None:
        """Idle or listened on for long enough, or hanging up takes too long."""
        if self._pool.is_idle(self):
            self.retire()
        elif self._exchange is not None:
            self.abandon()
        else:
            self.deadline = inf
            self._wire.abortConnection()

    @property
    def carrying(self) -> Exchange | None:
        """The exchange on this connection."""
        return self._exchange

    @property
    def heard(self) -> int:
        """How many bytes of the answer came so far."""
        return self._seen_bytes

    # -- use ------------------------------------------------------------------------------------------------------

    def rest(self, until: float) -> None:
        """Be idle, or only listened on, until clock second `until`."""
        self.deadline = until
        if until < self._pool.deadlines.wake_at:
            self._pool.deadlines.arm(until)

    def carry(self, exchange: Exchange) -> None:
        """Send the exchange's bytes. From here on the platform may act."""
        self.deadline = inf
        self._exchange = exchange
        self._uses += 1
        self._begin_answer()
        send_now(self._wire, exchange.raw)

    def _begin_answer(self) -> None:
        self._seen_bytes = 0
        self._interim = 0
        self._parts: list[bytes] = []
        sink = self._exchange.sink if self._exchange is not None else None
        self._take: Callable[[bytes], object] = sink or self._parts.append
        self._fault = ""
        self._extra = False
        self._begin_message()

    def _begin_message(self) -> None:
        self._status = 0
        self._content_type = b""
        self._bounded = False  # the answer says how long it is
        self._chunked = False
        self._in_body = False
        self._complete = False
        self._reusable = False
        self._body_bytes = 0

    # -- reading --------------------------------------------------------------------------------------------------

    def dataReceived(self, data: bytes) -> None:
        """Read some of the answer."""
        exchange = self._exchange
        if exchange is None:
            if self._pool.is_idle(self):
                self._pool.retired(self)
                self._wire.abortConnection()
            return
        if not self._seen_bytes and self._knows(exchange, data):
            return
        self._seen_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            self._fault = "answer unreadable"
        except HttpParserError:
            # After a whole answer this is only junk behind it; the answer stands and the connection goes.
            self._extra = True
            if not self._complete:
                self._fault = self._fault or "answer unreadable"
        if not self._in_body and not self._complete and self._seen_bytes > self._pool.limits.head_bytes_max:
            self._fault = self._fault or "answer too large"
        if self._fault:
            self._fail(exchange, self._fault)
        elif self._complete:
            self._finish(exchange, data)

    def _knows(self, exchange: Exchange, data: bytes) -> bool:
        """Take a whole answer, nothing more or less, whose head was read before; llhttp stays between two messages."""
        end = data.find(b"\r\n\r\n", 0, HEAD_BYTES_MAX)
        sketch = sketch_of(data, end) if end > 0 and exchange.sink is None else None
        known = self._pool.heads.get(sketch[0]) if sketch is not None else None
        if sketch is None or known is None:
            return False
        length = int(sketch[1])
        if len(data) != end + 4 + length or length > self._pool.limits.response_bytes_max:
            return False
        self._exchange = None
        self._pool.released(self)
        self._pool.answered(exchange, *known, data[end + 4 :], True)
        return True

    def _learn(self, data: bytes, body: bytes) -> None:
        """Remember the head of an answer that came in one piece and leaves the connection fit for the next."""
        if not self._bounded or self._chunked or self._interim or self._seen_bytes != len(data):
            return
        end = len(data) - len(body) - 4
        sketch = sketch_of(data, end)
        if sketch is not None and data.find(b"\r\n\r\n") == end and int(sketch[1]) == len(body) > 0:
            self._pool.heads.learn(sketch[0], (self._status, self._content_type))

    def _fail(self, exchange: Exchange, reason: str) -> None:
        self.abandon()
        self._pool.broken(exchange, reason, untouched=False, refused=False)

    def _finish(self, exchange: Exchange, data: bytes) -> None:
        """Hand the link back first, so that what the listener sends next finds it."""
        parts = self._parts
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        # llhttp skips blank lines between messages in silence; whatever stands behind a body shows here.
        behind = bool(parts) and self._bounded and not self._chunked and not data.endswith(parts[-1])
        status, content_type = self._status, self._content_type
        self._exchange = None
        if self._reusable and not self._extra and not behind:
            if exchange.sink is None:
                self._learn(data, body)
            self._pool.released(self)
        else:
            self.retire()
        self._pool.answered(exchange, status, content_type, body, True)

    # -- llhttp's callbacks ---------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """A message starts."""
        if self._complete:
            self._extra = True
            return
        self._begin_message()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; trailers come here too and are ignored."""
        if self._extra or self._in_body:
            return
        name = name.lower()
        if name == b"content-type":
            self._content_type = value
        elif name == b"content-length":
            self._bounded = True
            if int(value) > self._pool.limits.response_bytes_max:
                self._fault = "answer too large"
        elif name == b"transfer-encoding":
            self._bounded = self._chunked = value.strip().lower() == b"chunked"
            if not self._chunked:
                self._fault = "answer unreadable"

    def on_headers_complete(self) -> None:
        """The head is whole."""
        if self._extra:
            return
        parser = self._parser
        self._status = parser.get_status_code()
        self._reusable = parser.should_keep_alive()
        self._in_body = self._status >= 200
        if parser.get_http_version()[0] != "1":
            self._fault = "answer unreadable"

    def on_body(self, part: bytes) -> None:
        """Some of the body."""
        if self._extra:
            return
        self._body_bytes += len(part)
        if self._body_bytes > self._pool.limits.response_bytes_max:
            self._fault = "answer too large"
            self._parts.clear()
        elif not self._fault:
            self._take(part)

    def on_message_complete(self) -> None:
        """A message is whole: the answer, or an interim 1xx before it."""
        if self._extra:
            return
        if self._status >= 200:
            self._complete = True
            return
        self._interim += 1
        if self._status == 101 or self._interim > _INTERIM_MAX:
            self._fault = "answer unreadable"


def _certificate_refused(reason: Failure) -> bool:
    if not isinstance(reason.value, TlsError) or not reason.value.args:
        return False
    return any(alert in str(entry[-1]) for entry in reason.value.args[0] for alert in _CERTIFICATE_ALERTS)


class Dial:
    """The making of one connection: opened or unreachable, exactly once.

    exchange: the one this connection is for, when it may use no other (a query sent a second time).
    """

    def __init__(self, pool: LinkPool, exchange: Exchange | None) -> None:
        self.exchange = exchange
        self._pool = pool
        self._over = False
        self._link: Link | None = None
        self._connecting: Deferred[Any] | None = None
        self._timer: IDelayedCall | None = None

    def start(self, endpoint_factory: Callable[[], IStreamClientEndpoint]) -> None:
        """Connect."""
        self._timer = self._pool.clock.callLater(self._pool.limits.connect_s, self.stop, "connect timed out")
        factory = Factory.forProtocol(self._make_link)
        factory.noisy = False
        self._connecting = connecting = maybeDeferred(lambda: endpoint_factory().connect(factory))
        connecting.addErrback(lambda failure: self.failed(connect_reason(failure)))

    def _make_link(self) -> Link:
        self._link = Link(self._pool, self)
        return self._link

    def opened(self, link: Link) -> None:
        """The connection may be used."""
        if self._end():
            self._pool.opened(self, link)

    def failed(self, reason: str) -> None:
        """The connection was not made."""
        if self._end():
            self._pool.unreachable(self, reason)

    def stop(self, reason: str) -> None:
        """Give up."""
        link = self._link
        if link is not None and link.transport is not None:
            link.give_up_dialling()
        self.failed(reason)
        if self._connecting is not None:
            self._connecting.cancel()

    def _end(self) -> bool:
        if self._over:
            return False
        self._over = True
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        return True
