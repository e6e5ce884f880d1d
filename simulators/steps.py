"""A stepped clock that is cheap: a city makes tens of thousands of calls later. Same order for the same seed."""

import heapq
from collections.abc import Callable
from typing import Any


class Later:
    """A call that is due. As Twisted's IDelayedCall, as far as anybody needs it."""

    __slots__ = ("arguments", "at", "call")

    def __init__(self, at: float, call: Callable[..., object], arguments: tuple[object, ...]) -> None:
        self.at = at
        self.call: Callable[..., object] | None = call
        self.arguments = arguments

    def active(self) -> bool:
        return self.call is not None

    def cancel(self) -> None:
        self.call = None

    def getTime(self) -> float:  # Twisted's name
        return self.at


class StepClock:
    """Time that moves only when it is told to; calls at one moment come in the order they were made."""

    def __init__(self, now_s: float = 0.0) -> None:
        self.now_s = now_s
        self._due: list[tuple[float, int, Later]] = []
        self._count = 0

    def seconds(self) -> float:
        return self.now_s

    def callLater(self, delay: float, call: Callable[..., object], /, *arguments: object) -> Any:
        later = Later(self.now_s + delay, call, arguments)
        self._count += 1
        heapq.heappush(self._due, (later.at, self._count, later))
        return later

    def run_until(self, end_s: float) -> None:
        """Do everything that is due until then, in order."""
        due = self._due
        while due and due[0][0] <= end_s:
            at, _, later = heapq.heappop(due)
            call = later.call
            if call is not None:
                self.now_s = max(self.now_s, at)
                later.call = None
                call(*later.arguments)
        self.now_s = end_s


class LifeClock:
    """What a process sees of a stepped clock: its calls end with it; its wall clock may jump, its timers do not.

    Seconds are the wall's; callLater counts the stepped clock's.
    """

    def __init__(self, clock: StepClock, jump_s: float) -> None:
        self._clock = clock
        self.jump_s = jump_s
        self.alive = True

    def seconds(self) -> float:
        return self._clock.now_s + self.jump_s

    def jump(self, by_s: float) -> None:
        """Somebody sets the wall clock."""
        self.jump_s += by_s

    def callLater(self, delay: float, call: Callable[..., object], /, *arguments: object) -> Any:
        return self._clock.callLater(delay, self._if_alive, call, *arguments)

    def _if_alive(self, call: Callable[..., object], *arguments: object) -> None:
        if self.alive:
            call(*arguments)
