"""One timer for many deadlines.

A `callLater` and its cancellation cost several microseconds; a request needs at least two of them on each side. Here
a deadline is an attribute of the thing that waits, and one timer per owner wakes at the earliest of them. Deadlines
move almost always later, so the timer is seldom touched: about once per deadline that really passes.

This is not a scheduler: nothing here knows what a deadline means.
"""

from math import inf
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime


class Timed(Protocol):
    """Something that waits. `deadline` is in clock seconds; `inf` means it waits for nothing."""

    deadline: float

    def expire(self, now: float) -> None:
        """Act on the passed deadline; must move `deadline` on, or leave the table."""


class Deadlines:
    """The table of waiting things and their one timer.

    After changing an item's deadline the owner writes `if at < table.wake_at: table.arm(at)`: the comparison is what
    the hot path pays.
    """

    __slots__ = ("_call", "_clock", "_items", "_slack_s", "wake_at")

    def __init__(self, clock: IReactorTime, slack_s: float = 0.02) -> None:
        """`slack_s` is the shortest time between two scans, so that thousands of near deadlines share one."""
        self._clock = clock
        self._slack_s = slack_s
        self._items: dict[Timed, None] = {}  # a dict keeps the order of arrival; a set would not
        self._call: IDelayedCall | None = None
        self.wake_at = inf

    def add(self, item: Timed) -> None:
        """Watch `item` and its present deadline."""
        self._items[item] = None
        if item.deadline < self.wake_at:
            self.arm(item.deadline)

    def discard(self, item: Timed) -> None:
        """Forget `item`; the timer stops with the last one."""
        self._items.pop(item, None)
        if not self._items and self._call is not None:
            self._call.cancel()
            self._call = None
            self.wake_at = inf

    def arm(self, at: float) -> None:
        """Wake at clock second `at`."""
        if self._call is not None:
            self._call.cancel()
        self.wake_at = at
        self._call = self._clock.callLater(max(0.0, at - self._clock.seconds()), self._wake)

    def _wake(self) -> None:
        self._call = None
        self.wake_at = inf
        now = self._clock.seconds()
        for item in [item for item in self._items if item.deadline <= now]:
            if item in self._items:
                item.expire(now)
        earliest = min((item.deadline for item in self._items), default=inf)
        if earliest < self.wake_at:
            self.arm(max(earliest, now + self._slack_s))
