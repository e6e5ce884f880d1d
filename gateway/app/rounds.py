"""What a node does again and again. A round that fails is reported and does not end the rounds."""

from collections.abc import Callable

import attrs
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall


@attrs.define(eq=False)
class Rounds:
    """Calls on the reactor's thread at fixed intervals. report: is told what a round raised."""

    clock: IReactorTime
    report: Callable[[Exception], object]
    _loops: list[LoopingCall] = attrs.Factory(list)

    def every(self, seconds: float, call: Callable[[], object]) -> None:
        """Call every so many seconds from now on, whatever becomes of each call. Its result does not count."""

        def once() -> None:
            try:
                call()
            except Exception as cause:  # boundary: one bad minute must not be the last certificate ever read
                self.report(cause)

        loop = LoopingCall(once)
        loop.clock = self.clock
        loop.start(seconds, now=False)
        self._loops.append(loop)

    def stop(self) -> None:
        """End all of them; may be called again."""
        for loop in self._loops:
            if loop.running:
                loop.stop()
