"""What every test has: a failure that nobody handled fails the test that left it."""

import gc
from collections.abc import Iterator

import pytest
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.python.failure import Failure
from zope.interface import implementer


@pytest.fixture(autouse=True)
def no_lost_failures() -> Iterator[None]:
    """Fail a test that leaves a failure nobody handled."""
    lost: list[Failure] = []

    @implementer(ILogObserver)
    def watch(event: LogEvent) -> None:
        if "log_failure" in event:
            lost.append(event["log_failure"])

    globalLogPublisher.addObserver(watch)
    yield
    gc.collect()  # an unhandled Deferred speaks up when it dies
    globalLogPublisher.removeObserver(watch)
    assert not lost, lost[0].getTraceback()
