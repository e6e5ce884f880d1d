"""A pool of connections to a platform on fake wires, for the tests of the HTTP client."""

from __future__ import annotations

from typing import Any

import attrs
from transport_wire import Wire
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost, ConnectionRefusedError
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

from adapters.transport.client import LinkLimits, LinkPool

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
ANSWERED = ("answered", 200, b"application/json", b"{}", True)


def failure(error: BaseException) -> Failure:
    return Failure(error)  # type: ignore[no-untyped-call]


REFUSED = ConnectionRefusedError()  # type: ignore[no-untyped-call]
CLEAN, RESET = failure(ConnectionDone()), failure(ConnectionLost())


class Ear:
    """A listener that writes down what it hears."""

    def __init__(self, retry_safe: bool = False) -> None:
        self.retry_safe = retry_safe
        self.heard: list[Any] = []

    def answered(self, status: int, content_type: bytes, body: bytes, whole: bool) -> None:
        self.heard.append(("answered", status, content_type, body, whole))

    def not_sent(self, reason: str) -> None:
        self.heard.append(("not_sent", reason))

    def silent(self) -> None:
        self.heard.append("silent")

    def lost(self, reason: str) -> None:
        self.heard.append(("lost", reason))


@attrs.define(eq=False)
class Far:
    """The platform's end of one connection."""

    link: Any
    wire: Any

    def says(self, data: bytes, step: int = 0) -> None:
        for at in range(0, len(data), step or len(data)):
            self.link.dataReceived(data[at : at + (step or len(data))])

    def gone(self, reason: Failure = CLEAN) -> None:
        self.link.connectionLost(reason)

    def heard(self) -> bytes:
        value = bytes(self.wire.value())
        self.wire.clear()
        return value


@implementer(IStreamClientEndpoint)
class Road:
    """A platform link whose connections are opened by the test. `refuse_with` fails a connect at once."""

    def __init__(self, **limits: Any) -> None:
        self.clock = Clock()
        self.pool = LinkPool(self.clock, lambda: self, b"p:9000", LinkLimits(**limits))
        self.dialled: list[tuple[IProtocolFactory, Deferred[Any]]] = []
        self.refuse_with: BaseException | None = None
        self.cancelled = 0

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        def cancel(_: Deferred[Any]) -> None:
            self.cancelled += 1

        done: Deferred[Any] = Deferred(cancel)
        self.dialled.append((protocolFactory, done))
        if self.refuse_with is not None:
            done.errback(failure(self.refuse_with))
        return done

    def open(self, index: int = -1) -> Far:
        protocol_factory, done = self.dialled[index]
        link: Any = protocol_factory.buildProtocol(None)  # type: ignore[arg-type]
        wire: Any = Wire()  # type: ignore[no-untyped-call]
        link.makeConnection(wire)
        done.callback(link)
        return Far(link, wire)

    def fail(self, error: BaseException, index: int = -1) -> None:
        self.dialled[index][1].errback(failure(error))

    def send(self, retry_safe: bool = False, body: bytes = b"{}", late_s: float = 3.0) -> Ear:
        ear = Ear(retry_safe)
        self.pool.send(b"/call", b"", body, ear, 20.0, late_s)
        return ear

    def counts(self) -> tuple[int, int, int]:
        return self.pool.busy, self.pool.idle, self.pool.waiting

    def used(self) -> Far:
        """A connection that has carried one exchange and is idle."""
        self.send()
        far = self.open()
        far.says(OK)
        far.heard()
        return far
