"""Calls to platforms: a bounded pool of kept-alive connections that says exactly how sure it is.

Theory of operation. An exchange waits (bounded in number and time) until a connection is free: an idle one, the most
recently used first, or a new one. From the moment its bytes are handed to a transport the platform may have acted, so
every end but a whole answer is `lost`; before it, every end is `not_sent` (style, errors; annex X5). Nothing is ever
sent twice, except a query (`retry_safe`) that went out on a kept-alive connection which died without a byte of answer.

The connection of money lost by silence is listened on for a while and used for nothing else: an answer that comes then
is evidence (reversal specification §4.4).

One connection's bytes are `link.py`; what an answer means is the platform codec's business.
"""

from collections import deque
from collections.abc import Callable
from math import inf

import attrs
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint

from adapters.transport.deadlines import Deadlines
from adapters.transport.exchange import Exchange, Listener
from adapters.transport.known import KnownHeads
from adapters.transport.link import Dial, Link

__all__ = ["LinkLimits", "LinkPool", "Listener"]


@attrs.frozen(kw_only=True)
class LinkLimits:
    """Bounds of one platform link.

    wait_s: how long an exchange may wait for a connection before it is certainly not sent (never beyond its own
    timeout). connect_s: TCP and TLS together. idle_s: shorter than the platform's, so that we hang up first.
    late_max: how many exchanges with a late window (money) may hold a connection at once; 0 = all. The rest is kept
    free for queries, so that a platform that is slow to settle does not starve them. listen_s: how long an answer is
    still listened for after its exchange was lost by silence, 0 = not at all; listen_max: on how many connections
    beside connections_max; the oldest is dropped first. answer_s: how long an answer may take in all that has begun in
    time and goes on arriving, a file; 0 = no longer than the exchange's own timeout.
    """

    connections_max: int = 64
    late_max: int = 0
    queue_max: int = 1000
    wait_s: float = 10.0
    connect_s: float = 5.0
    idle_s: float = 30.0
    listen_s: float = 0.0
    listen_max: int = 16
    answer_s: float = 0.0
    response_bytes_max: int = 4 * 1024 * 1024
    head_bytes_max: int = 64 * 1024


class LinkPool:
    """All connections to one platform.

    endpoint_factory: makes the endpoint of each new connection (`tls.link_endpoint`). host: the Host header.
    """

    def __init__(
        self,
        clock: IReactorTime,
        endpoint_factory: Callable[[], IStreamClientEndpoint],
        host: bytes,
        limits: LinkLimits | None = None,
    ) -> None:
        self.clock = clock
        self.limits = limits or LinkLimits()
        self.deadlines = Deadlines(clock)
        self.heads: KnownHeads[tuple[int, bytes]] = KnownHeads()  # status and content type of answers
        self._endpoint_factory = endpoint_factory
        self._tail = b" HTTP/1.1\r\nHost: " + host + b"\r\n"
        self._idle: list[Link] = []
        self._links: dict[Link, None] = {}  # idle and busy
        self.listening: dict[Link, None] = {}  # only for an answer nobody waits for, the oldest first
        self._retired: dict[Link, None] = {}  # closing; they carry nothing any more
        self._dials: dict[Dial, None] = {}
        self._waiting: deque[Exchange] = deque()
        self._held: deque[Exchange] = deque()
        self._late = 0  # exchanges with a late window that wait for a connection or are on one
        self._dialling = False
        self._closed: list[Deferred[None]] | None = None

    @property
    def busy(self) -> int:
        """Connections with an exchange on them."""
        return len(self._links) - len(self._idle)

    @property
    def idle(self) -> int:
        """Connections ready for use."""
        return len(self._idle)

    @property
    def waiting(self) -> int:
        """Exchanges without a connection."""
        return len(self._waiting) + len(self._held)

    def send(
        self,
        path: bytes,
        headers: bytes,
        body: bytes,
        listener: Listener,
        timeout_s: float,
        late_s: float = 0.0,
        sink: Callable[[bytes], object] | None = None,
    ) -> None:
        """POST `body` to `path`; the outcome goes to `listener`, perhaps before this returns.

        headers: ready lines, each ending in CRLF; Content-Type is added unless they hold one. timeout_s and late_s
        count from now. With late_s 0 the exchange is lost at timeout_s without `silent`. sink: takes the answer's body
        piece by piece, whatever its status, and `answered` gets none: a catalogue file need not lie in memory.
        """
        if not headers:
            headers = b"Content-Type: application/json; charset=utf-8\r\n"
        elif b"\r\ncontent-type:" not in b"\r\n" + headers.lower():
            headers += b"Content-Type: application/json; charset=utf-8\r\n"
        raw = b"POST %b%b%bContent-Length: %d\r\n\r\n%b" % (path, self._tail, headers, len(body), body)
        now = self.clock.seconds()
        wait_s = min(self.limits.wait_s, timeout_s)
        exchange = Exchange(self, raw, listener, now + timeout_s, late_s, now + wait_s)
        exchange.sink = sink
        if self.limits.answer_s > 0:
            exchange.patience_s, exchange.whole_at = timeout_s, now + self.limits.answer_s
        held = late_s > 0 and 0 < self.limits.late_max <= self._late
        if self._idle and not held:
            self._late += late_s > 0
            self._carry(self._idle.pop(), exchange)
        elif self._closed is not None:
            listener.not_sent("link closed")
        elif self.waiting >= self.limits.queue_max:
            listener.not_sent("queue full")
        elif held:
            exchange.held = True
            self._held.append(exchange)
            self.deadlines.add(exchange)
        else:
            self._late += late_s > 0
            self._waiting.append(exchange)
            self.deadlines.add(exchange)
            self._dial_for_waiting()

    def close(self) -> Deferred[None]:
        """Refuse what waits and what comes, let what was sent end by itself; fires when no connection is left."""
        self.hurry()
        if self._closed is None:
            self._closed = []
            waiting = [*self._waiting, *self._held]
            self._waiting, self._held = deque(), deque()
            for dial in list(self._dials):
                dial.stop("link closed")
            for exchange in waiting:
                self._end(exchange).not_sent("link closed")
            for link in list(self._idle):
                link.retire()
            for link in list(self.listening):
                link.abandon()
        if not (self._links or self._retired or self._dials):
            return succeed(None)
        done: Deferred[None] = Deferred()
        self._closed.append(done)
        return done

    def hang_up(self) -> None:
        """Cut every exchange whose answer goes to a sink: a file may take ten minutes, a stop may not."""
        for exchange in [one.carrying for one in self._links if one.carrying is not None]:
            if exchange.sink is not None:
                self.cut(exchange)

    def hurry(self) -> None:
        """Wait no longer for what goes on arriving than for anything else (X27)."""
        for exchange in [one.carrying for one in self._links if one.carrying is not None]:
            exchange.whole_at = 0.0

    # -- what exchanges ask for -----------------------------------------------------------------------------------

    def give_up(self, exchange: Exchange) -> None:
        """`exchange` has waited long enough for a connection."""
        (self._held if exchange.held else self._waiting).remove(exchange)
        self._end(exchange).not_sent("no free connection")

    def cut(self, exchange: Exchange) -> None:
        """The answer of `exchange` has not come in time."""
        link, exchange.carrier = exchange.carrier, None
        listener = self._end(exchange)
        exchange.lost = True
        if link is None:
            self._forget_dial(exchange)
        elif self.limits.listen_s > 0 and exchange.late_s > 0 and self._closed is None:
            self._listen(link)
        else:
            link.abandon()
        listener.lost("no answer in time")

    # -- what links and dials report ------------------------------------------------------------------------------

    def opened(self, dial: Dial, link: Link) -> None:
        """A new connection is ready."""
        del self._dials[dial]
        self._links[link] = None
        if dial.exchange is not None:
            self._carry(link, dial.exchange)
        else:
            self.released(link)

    def unreachable(self, dial: Dial, reason: str) -> None:
        """A connection could not be made; that is the end of one exchange: its own, or the longest waiting."""
        del self._dials[dial]
        if dial.exchange is not None:
            # Its first copy had been written, so certainty is gone.
            self._end(dial.exchange).lost("connection lost, then " + reason)
        elif len(self._waiting) > self._open_dials():
            self._end(self._waiting.popleft()).not_sent(reason)
        self._dial_for_waiting()
        self._check_closed()

    def released(self, link: Link) -> None:
        """`link` is free: give it the longest waiting exchange, or keep it."""
        if link in self.listening:
            link.retire()
        elif self._waiting:
            self._carry(link, self._waiting.popleft())
        elif self._closed is not None:
            self._idle.append(link)
            link.retire()
        else:
            self._idle.append(link)
            link.rest(self.clock.seconds() + self.limits.idle_s)

    def retired(self, link: Link) -> None:
        """`link` is closing and must not be used."""
        self._links.pop(link, None)
        self.listening.pop(link, None)
        if link in self._idle:
            self._idle.remove(link)
        self._retired[link] = None
        self._dial_for_waiting()

    def ended(self, link: Link) -> None:
        """`link` is gone."""
        for links in (self._links, self.listening, self._retired):
            links.pop(link, None)
        if link in self._idle:
            self._idle.remove(link)
        self._dial_for_waiting()
        self._check_closed()

    def is_idle(self, link: Link) -> bool:
        """`link` is kept for use and carries nothing."""
        return link in self._idle

    def answered(self, exchange: Exchange, status: int, content_type: bytes, body: bytes, whole: bool) -> None:
        """An answer was read for `exchange`, in time or not."""
        listener = exchange.listener if exchange.lost else self._end(exchange)
        listener.answered(status, content_type, body, whole)

    def broken(self, exchange: Exchange, reason: str, untouched: bool, refused: bool) -> None:
        """The link of `exchange` failed.

        untouched: a kept-alive connection that died without a byte of answer. refused: the platform's TLS turned our
        certificate away, so it never read a request.
        """
        if exchange.lost:
            pass  # its listener has heard so
        elif refused:
            self._end(exchange).not_sent(reason)
        elif untouched and exchange.listener.retry_safe and self._closed is None:
            exchange.resent = True  # on a connection of its own, which cannot be `untouched` again
            exchange.carrier = None
            self._dial(exchange)
        else:
            self._end(exchange).lost(reason)

    # -- inside ---------------------------------------------------------------------------------------------------

    def _carry(self, link: Link, exchange: Exchange) -> None:
        exchange.carried_by(link)
        self.deadlines.add(exchange)
        link.carry(exchange)

    def _listen(self, link: Link) -> None:
        """Nobody waits for the answer any more; it may still come."""
        del self._links[link]
        self.listening[link] = None
        link.rest(self.clock.seconds() + self.limits.listen_s)
        if len(self.listening) > self.limits.listen_max:
            next(iter(self.listening)).abandon()
        self._dial_for_waiting()

    def _end(self, exchange: Exchange) -> Listener:
        exchange.deadline = inf
        self.deadlines.discard(exchange)
        if exchange.late_s > 0 and not exchange.held:
            self._late -= 1
            if self._held:
                self._let_go(self._held.popleft())
        return exchange.listener

    def _let_go(self, exchange: Exchange) -> None:
        """One with a late window ended: the longest held takes its place."""
        exchange.held = False
        self._late += 1
        if self._idle:
            self._carry(self._idle.pop(), exchange)
        else:
            self._waiting.append(exchange)
            self._dial_for_waiting()

    def _open_dials(self) -> int:
        return sum(1 for dial in self._dials if dial.exchange is None)

    def _dial_for_waiting(self) -> None:
        if not self._waiting or self._dialling:
            return
        self._dialling = True  # an endpoint may fail before it returns: loop, do not recurse
        try:
            while (
                self._closed is None
                and len(self._waiting) > self._open_dials()
                and len(self._links) + len(self._dials) < self.limits.connections_max
            ):
                self._dial(None)
        finally:
            self._dialling = False

    def _dial(self, exchange: Exchange | None) -> None:
        dial = Dial(self, exchange)
        self._dials[dial] = None
        dial.start(self._endpoint_factory)

    def _forget_dial(self, exchange: Exchange) -> None:
        for dial in list(self._dials):
            if dial.exchange is exchange:
                dial.exchange = None

    def _check_closed(self) -> None:
        if self._closed and not (self._links or self._retired or self._dials):
            waiting, self._closed = self._closed, []
            for done in waiting:
                done.callback(None)
