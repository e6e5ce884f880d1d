"""Two clocks: the wall's, for stamps and business days, and a steady one that no correction of the wall moves.

Twisted counts its timers by the wall, so a clock set forward by an hour would end every deadline at once, and one set
back would let nothing end for an hour (reversal specification §9: timers are monotonic).
"""

from collections.abc import Callable
from typing import Any

import attrs


@attrs.frozen
class WallClock:
    """The clock port: seconds of the wall, calls later by the reactor."""

    seconds: Callable[[], float]
    callLater: Callable[..., Any]  # Twisted's name


def steady(reactor: Any, monotonic: Callable[[], float]) -> None:
    """Let a reactor count its timers by a clock that never jumps."""
    reactor.seconds = monotonic
