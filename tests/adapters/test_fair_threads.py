"""Lanes on a few threads: a slow one holds up nobody else, its own calls keep their order."""

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from adapters.store.fair_threads import FairThreads

PATIENCE_S = 20.0  # of a test that goes wrong


class Loop:
    """Stands where the reactor stands: takes what threads hand back, here."""

    def __init__(self) -> None:
        self.back: queue.SimpleQueue[tuple[Callable[..., Any], tuple[Any, ...]]] = queue.SimpleQueue()
        self.heard: list[Any] = []

    def call(self, what: Callable[..., Any], *words: Any) -> None:
        self.back.put((what, words))

    def until(self, count: int) -> None:
        while len(self.heard) < count:
            what, words = self.back.get(timeout=PATIENCE_S)
            what(*words)


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def threads(loop: Loop) -> Iterator[FairThreads]:
    made = FairThreads(loop.call, "t", 2)
    yield made
    made.stop()


def test_a_slow_lane_holds_up_only_itself(loop: Loop, threads: FairThreads) -> None:
    gate = threading.Event()
    threads.run("slow", lambda: gate.wait(PATIENCE_S), lambda _: loop.heard.append("slow"), loop.heard.append)
    for number in range(3):
        threads.run("slow", lambda number=number: number, loop.heard.append, loop.heard.append)  # type: ignore[misc]
        threads.run(f"quick{number}", lambda number=number: f"q{number}", loop.heard.append, loop.heard.append)  # type: ignore[misc]
    loop.until(3)
    assert loop.heard == ["q0", "q1", "q2"]
    gate.set()
    loop.until(7)
    assert loop.heard[3:] == ["slow", 0, 1, 2]


def test_lanes_take_turns(loop: Loop) -> None:
    """One with less to do is not behind all others; one thread, so that the order is the order of taking."""
    one, gate = FairThreads(loop.call, "t", 1), threading.Event()
    one.run("a", lambda: gate.wait(PATIENCE_S) and "a", loop.heard.append, loop.heard.append)
    for lane in ("c", "c", "c", "d"):
        one.run(lane, lambda lane=lane: lane, loop.heard.append, loop.heard.append)  # type: ignore[misc]
    gate.set()
    loop.until(5)
    one.stop()
    assert loop.heard == ["a", "c", "d", "c", "c"]


def test_no_more_threads_than_allowed(loop: Loop, threads: FairThreads) -> None:
    running, most, lock = [0], [0], threading.Lock()

    def work(name: str) -> str:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        with lock:
            running[0] -= 1
        return name

    gate = threading.Event()
    for lane in ("a", "b"):  # both threads are taken
        threads.run(lane, lambda: gate.wait(PATIENCE_S), loop.heard.append, loop.heard.append)
    for lane in ("c", "c", "c", "d"):
        threads.run(lane, lambda lane=lane: work(lane), loop.heard.append, loop.heard.append)  # type: ignore[misc]
    gate.set()
    loop.until(6)
    names = {one.name for one in threading.enumerate() if one.name.startswith("t-")}
    assert (names, most[0] <= 2) == ({"t-1", "t-2"}, True)


def test_a_call_that_fails_is_told_and_the_lane_goes_on(loop: Loop, threads: FairThreads) -> None:
    threads.run("a", lambda: 1 // 0, loop.heard.append, lambda cause: loop.heard.append(type(cause)))
    threads.run("a", lambda: "next", loop.heard.append, loop.heard.append)
    loop.until(2)
    assert loop.heard == [ZeroDivisionError, "next"]
