"""A few threads for many lanes: each lane's calls one after the other, and no lane twice at once, so that a slow one
holds up its own calls and nobody else's until every thread has a slow one."""

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import attrs

from adapters.store.writer import Job, WriterThread

T = TypeVar("T")


@attrs.define(eq=False)
class FairThreads:
    """Runs blocking calls; lanes that wait take turns. Used on the reactor's thread. call_in_loop: its callFromThread.

    Nothing is bounded here: whoever calls says how much of a lane may wait.
    """

    call_in_loop: Callable[..., object]
    name: str
    threads: int
    _idle: list[WriterThread] = attrs.Factory(list)
    _made: int = 0
    _lanes: dict[str, deque[Job]] = attrs.Factory(dict)  # what waits, also empty while one of the lane is running
    _turns: deque[str] = attrs.Factory(deque)  # lanes with something to do and nothing running

    def run(
        self, lane: str, call: Callable[[], T], done: Callable[[T], None], failed: Callable[[Exception], None]
    ) -> None:
        """Run a call on a thread when it is its lane's turn; done or failed hears of it, back in the loop."""
        if lane not in self._lanes:
            self._lanes[lane] = deque()
            self._turns.append(lane)
        self._lanes[lane].append((call, done, failed))
        self._next()

    def _next(self) -> None:
        while self._turns and (thread := self._thread()) is not None:
            lane = self._turns.popleft()
            call, done, failed = self._lanes[lane].popleft()
            thread.run(call, partial(self._over, lane, thread, done), partial(self._over, lane, thread, failed))

    def _thread(self) -> WriterThread | None:
        if self._idle:
            return self._idle.pop()
        if self._made == self.threads:
            return None
        self._made += 1
        return WriterThread(self.call_in_loop, f"{self.name}-{self._made}")

    def _over(self, lane: str, thread: WriterThread, heard: Callable[[Any], None], what: Any) -> None:
        self._idle.append(thread)
        if self._lanes[lane]:
            self._turns.append(lane)
        else:
            del self._lanes[lane]
        try:
            heard(what)
        finally:
            self._next()

    def stop(self) -> None:
        """End the threads that have nothing to do."""
        for thread in self._idle:
            thread.stop()
        self._idle.clear()
