"""What every test has: a failure that nobody handled fails the test that left it."""

import gc
from collections.abc import Iterator

import pytest
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.python.failure import Failure
from zope.interface import implementer


@pytest.fixture(scope="session", autouse=True)
def unhandled_failures() -> Iterator[list[Failure]]:
    """The failures nobody handled that no test answered for yet; what is left at the very end fails the last test."""
    lost: list[Failure] = []

    @implementer(ILogObserver)
    def watch(event: LogEvent) -> None:
        if "log_failure" in event:
            lost.append(event["log_failure"])

    globalLogPublisher.addObserver(watch)
    yield lost
    gc.unfreeze()
    gc.collect()
    globalLogPublisher.removeObserver(watch)
    assert not lost, lost[0].getTraceback()


@pytest.fixture(scope="module", autouse=True)
def settled_heap(unhandled_failures: list[Failure]) -> None:
    """Keep what outlived the modules before out of this one's collections; the end of the session looks at it again.

    Late in a session every collection would take a third of a second otherwise.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def no_lost_failures(unhandled_failures: list[Failure]) -> Iterator[None]:
    """Fail a test that leaves a failure nobody handled."""
    yield
    gc.collect()  # an unhandled Deferred speaks up when it dies
    found = unhandled_failures.copy()
    unhandled_failures.clear()
    assert not found, found[0].getTraceback()
