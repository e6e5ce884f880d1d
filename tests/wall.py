"""The clock of a town that reconciles the day it lives in: midnight in Shanghai must never fall inside a test, and the
day before is of the same month (what lies a day late in another month is told otherwise).

A town chooses once how far ahead it lives, and all of it lives there: its processes (tests/forked.py), its simulators,
the codes of its people, and what it calls today.
"""

import time
from collections.abc import Callable
from typing import Any

import attrs

from gateway.core.dates import shanghai

HOUR_S, DAY_S = 3600.0, 86_400.0


def ahead_at(real_s: float) -> float:
    """Seconds a town that opens then lives ahead: an hour near midnight, a day on a month's first, else nothing."""
    here = shanghai(real_s)
    ahead_s = 0.0 if (0, 30) <= (here.hour, here.minute) < (23, 30) else HOUR_S
    return ahead_s + DAY_S if shanghai(real_s + ahead_s).day == 1 else ahead_s


def chosen() -> float:
    """The same for a town that opens now."""
    return ahead_at(time.clock_gettime(time.CLOCK_REALTIME))


@attrs.frozen
class Wall:
    """The wall's clock of a town; calls later by the reactor."""

    ahead_s: float = attrs.field(factory=chosen)
    reactor: Any = None

    def seconds(self) -> float:
        return time.clock_gettime(time.CLOCK_REALTIME) + self.ahead_s

    def callLater(self, delay: float, call: Callable[..., object], /, *args: object) -> Any:
        return self.reactor.callLater(delay, call, *args)
