"""Runs scripts over real connections: a pool of keep-alive callers to one gateway."""

from collections import deque
from collections.abc import Callable
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime, IStreamClientEndpoint
from twisted.python.failure import Failure

from simulators.his import Answer, GaveUp, Pause, Script, Send, answer
from simulators.wire import Answered, Caller, CallerFactory, post_bytes

WAIT_S = 90.0  # longer than any layer below: who gives up first makes orphans (pitfalls §4)


class Pool:
    """At most `connections` connections to one endpoint; requests queue for a free one."""

    def __init__(self, clock: IReactorTime, endpoint: IStreamClientEndpoint, host: str, connections: int) -> None:
        self._clock = clock
        self._endpoint = endpoint
        self._host = host
        self._room = connections
        self._idle: list[Caller] = []
        self._waiting: deque[tuple[bytes, Answered]] = deque()
        self._all: set[Caller] = set()

    def post(self, path: str, body: bytes, answered: Answered) -> None:
        self.send(post_bytes(self._host, path, body), answered)

    def send(self, request: bytes, answered: Answered) -> None:
        """A whole request. answered(status, body) comes once; status 0 when nothing whole came back."""
        while self._idle:
            caller = self._idle.pop()
            if caller.open:
                self._on(caller, request, answered)
                return
        self._waiting.append((request, answered))
        if self._room:
            self._room -= 1
            self._endpoint.connect(CallerFactory(self._closed)).addCallbacks(self._connected, self._not_connected)

    def close(self) -> None:
        for caller in list(self._all):
            caller.abandon()

    def _connected(self, caller: object) -> None:
        assert isinstance(caller, Caller)
        self._all.add(caller)
        self._free(caller)

    def _not_connected(self, why: Failure) -> None:
        self._room += 1
        if self._waiting:
            _, answered = self._waiting.popleft()
            answered(0, b"")

    def _closed(self, caller: Caller) -> None:
        self._all.discard(caller)
        self._room += 1
        if self._waiting:
            request, answered = self._waiting.popleft()
            self.send(request, answered)

    def _free(self, caller: Caller) -> None:
        if not caller.open:
            return
        if self._waiting:
            self._on(caller, *self._waiting.popleft())
        else:
            self._idle.append(caller)

    def _on(self, caller: Caller, request: bytes, answered: Answered) -> None:
        alarm: IDelayedCall = self._clock.callLater(WAIT_S, caller.abandon)

        def finished(status: int, body: bytes) -> None:
            if alarm.active():
                alarm.cancel()
            self._free(caller)
            answered(status, body)

        caller.send(request, finished)


class Road(Protocol):
    """What carries a script's messages: a Pool, or a road of the simulated city."""

    def post(self, path: str, body: bytes, answered: Answered, /) -> None:
        """answered(HTTP status, body) is called once, later; status 0 when nothing whole came back."""


class Waits(Protocol):
    """What a driver needs of a reactor."""

    def callLater(self, delay: float, function: Callable[..., object], /, *args: object) -> object: ...


def run_script(clock: Waits, pool: Road, script: Script) -> Deferred[str]:
    """Play one script to its end; fires with "" or with why it ended early. Other errors are the Deferred's failure."""
    done: Deferred[str] = Deferred()
    _advance(clock, pool, script, done, None)
    return done


def _advance(clock: Waits, pool: Road, script: Script, done: Deferred[str], given: Answer | None) -> None:
    try:
        step = script.send(given)
    except StopIteration:
        done.callback("")
        return
    except GaveUp as why:
        done.callback(str(why))
        return
    except Exception:  # a script's own mistake ends its Deferred, not the connection it was called from
        done.errback()
        return
    if isinstance(step, Pause):
        clock.callLater(step.seconds, _advance, clock, pool, script, done, None)
        return
    assert isinstance(step, Send)

    def answered(status: int, body: bytes) -> None:
        _advance(clock, pool, script, done, answer(status, body))

    pool.post(step.path, step.body, answered)


def run_all(clock: Waits, pool: Road, scripts: list[Script], at_once: int) -> Deferred[list[str]]:
    """Play scripts, some side by side. Fires after the last with why scripts gave up; fails with the first error."""
    done: Deferred[list[str]] = Deferred()
    waiting = deque(scripts)
    reasons: list[str] = []
    running = 0

    def start() -> None:
        nonlocal running
        while waiting and running < at_once and not done.called:
            running += 1
            run_script(clock, pool, waiting.popleft()).addCallbacks(finished, failed)
        if not waiting and not running and not done.called:
            done.callback(reasons)

    def finished(reason: str) -> None:
        nonlocal running
        running -= 1
        if reason:
            reasons.append(reason)
        clock.callLater(0, start)

    def failed(why: Failure) -> None:
        if not done.called:
            done.errback(why)

    start()
    return done
