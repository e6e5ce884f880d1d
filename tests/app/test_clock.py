"""Timers do not hear of the wall's corrections (reversal specification §9: clock jump)."""

from typing import Any

from twisted.internet.epollreactor import EPollReactor

from gateway.app.clock import WallClock, steady


class Hand:
    """A clock moved by hand."""

    def __init__(self, now_s: float) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s


def test_a_wall_that_jumps_ends_no_deadline_and_holds_up_none() -> None:
    reactor: Any = EPollReactor()
    wall, engine = Hand(1_772_409_600.0), Hand(50.0)
    steady(reactor, engine)
    clock = WallClock(wall, reactor.callLater)
    ended: list[str] = []
    clock.callLater(20.0, ended.append, "deadline")
    wall.now_s += 3600.0
    reactor.runUntilCurrent()
    assert ended == []
    wall.now_s -= 7200.0
    engine.now_s += 20.0
    reactor.runUntilCurrent()
    assert ended == ["deadline"]
    assert clock.seconds() == wall.now_s
    for reader in reactor.removeAll():
        reader.connectionLost(None)
