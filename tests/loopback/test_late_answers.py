"""On real sockets: an answer after the late window reaches whoever had given it up, and nobody else."""

# pytest-twisted has no annotations.
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString

from adapters.transport.client import LinkLimits, LinkPool
from adapters.transport.server import HttpRequest, HttpServerFactory
from adapters.transport.tls import link_endpoint


class Ear:
    """Hears everything; each thing heard is also an event to wait for."""

    retry_safe = False

    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []
        self.lost_at: Deferred[None] = Deferred()
        self.answered_at: Deferred[None] = Deferred()

    def answered(self, status: int, content_type: bytes, body: bytes, whole: bool) -> None:
        self.heard.append(("answered", status, body))
        self.answered_at.callback(None)

    def not_sent(self, reason: str) -> None:
        self.heard.append(("not_sent", reason))

    def silent(self) -> None:
        self.heard.append(("silent",))

    def lost(self, reason: str) -> None:
        self.heard.append(("lost", reason))
        self.lost_at.callback(None)


class Place:
    """A platform that answers when it is told to, and a link to it."""

    def __init__(self, reactor: Any) -> None:
        self.reactor = reactor
        self.requests: list[HttpRequest] = []
        self.factory = HttpServerFactory(reactor, self.requests.append, lambda code: (413, code.encode()))
        self.port: Any = None

    async def open(self, **limits: Any) -> LinkPool:
        self.port = await serverFromString(self.reactor, "tcp:0:interface=127.0.0.1").listen(self.factory)
        make, header, _ = link_endpoint(self.reactor, f"http://127.0.0.1:{self.port.getHost().port}/", None)
        return LinkPool(self.reactor, make, header, LinkLimits(**limits))

    async def close(self, pool: LinkPool) -> None:
        await pool.close()
        await self.port.stopListening()
        await self.factory.drain()


@pytest.fixture
def place(reactor: Any) -> Place:
    return Place(reactor)


@pytest_twisted.ensureDeferred
async def test_a_late_answer_is_heard_on_the_connection_that_was_given_up(place: Place) -> None:
    pool = await place.open(listen_s=60.0)
    first, second = Ear(), Ear()
    pool.send(b"/x", b"", b"first", first, 0.05, 0.05)
    await first.lost_at
    pool.send(b"/x", b"", b"second", second, 60.0, 3.0)
    while len(place.requests) < 2:
        await wait(place.reactor)
    late, other = place.requests
    assert (late.body, other.body) == (b"first", b"second")
    other.respond(200, b"[2]")
    late.respond(200, b"[1]")
    await first.answered_at
    await second.answered_at
    assert first.heard == [("silent",), ("lost", "no answer in time"), ("answered", 200, b"[1]")]
    assert second.heard == [("answered", 200, b"[2]")]
    assert not pool.listening
    await place.close(pool)


@pytest_twisted.ensureDeferred
async def test_the_oldest_of_too_many_is_cut_and_the_platform_sees_it(place: Place) -> None:
    pool = await place.open(listen_s=60.0, listen_max=1)
    ears = [Ear(), Ear()]
    for ear in ears:
        pool.send(b"/x", b"", b"x", ear, 0.05, 0.05)
        await ear.lost_at
    while len(place.requests) < 2 or place.requests[0].alive:
        await wait(place.reactor)
    place.requests[0].respond(200, b"[1]")
    place.requests[1].respond(200, b"[2]")
    await ears[1].answered_at
    assert [ear.heard[2:] for ear in ears] == [[], [("answered", 200, b"[2]")]]
    await place.close(pool)


def wait(reactor: Any) -> Deferred[None]:
    """Let the reactor turn."""
    turned: Deferred[None] = Deferred()
    reactor.callLater(0.001, turned.callback, None)
    return turned
