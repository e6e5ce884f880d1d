"""One timer for many deadlines."""

from __future__ import annotations

from math import inf

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from adapters.transport.deadlines import Deadlines


class Sleeper:
    """Waits once, and may take others with it."""

    def __init__(self, table: Deadlines, clock: Clock, deadline: float) -> None:
        self.deadline = deadline
        self.woken_at: list[float] = []
        self.takes: list[Sleeper] = []
        self._table = table
        self._clock = clock
        table.add(self)

    def expire(self, now: float) -> None:
        self.woken_at.append(self._clock.seconds())
        for other in (self, *self.takes):
            self._table.discard(other)


@given(
    start=st.floats(0, 2e9),
    delays=st.lists(st.floats(0, 1000), min_size=1, max_size=20),
)
def test_everyone_is_woken_once_and_in_time(start: float, delays: list[float]) -> None:
    clock = Clock()
    clock.advance(start)
    table = Deadlines(clock, slack_s=0.02)
    sleepers = [Sleeper(table, clock, clock.seconds() + delay) for delay in delays]
    while calls := clock.getDelayedCalls():
        assert len(calls) == 1
        clock.advance(max(0.0, calls[0].getTime() - clock.seconds()))
    for sleeper in sleepers:
        (woken_at,) = sleeper.woken_at
        assert 0.0 <= woken_at - sleeper.deadline <= 0.0201
    assert table.wake_at == inf


def test_who_was_taken_away_by_another_is_not_woken() -> None:
    clock = Clock()
    table = Deadlines(clock)
    first, second = Sleeper(table, clock, 1.0), Sleeper(table, clock, 1.0)
    first.takes.append(second)
    clock.advance(1.0)
    assert first.woken_at == [1.0] and second.woken_at == []
    assert not clock.getDelayedCalls()


def test_an_earlier_deadline_moves_the_timer_and_a_later_one_does_not() -> None:
    clock = Clock()
    table = Deadlines(clock)
    Sleeper(table, clock, 10.0)
    timer = clock.getDelayedCalls()[0]
    Sleeper(table, clock, 20.0)
    assert clock.getDelayedCalls() == [timer]
    Sleeper(table, clock, 5.0)
    (timer,) = clock.getDelayedCalls()
    assert timer.getTime() == 5.0
