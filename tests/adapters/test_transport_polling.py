"""The node's reactor does what Twisted's does with every event; held to Twisted's own names (real sockets)."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.epollreactor import EPollReactor

from adapters.transport.polling import PlainEPollReactor


class Reader:
    """A socket that is read; what it does then is up to the test."""

    def __init__(self, do: Any) -> None:
        self.ours, self.theirs = socket.socketpair()
        self.do = do
        self.lost: list[Any] = []
        OPEN.append(self)

    def fileno(self) -> int:
        return self.ours.fileno()

    def doRead(self) -> Any:
        self.ours.recv(100)
        return self.do()

    def connectionLost(self, reason: Any) -> None:
        self.lost.append(type(reason.value))

    def logPrefix(self) -> str:
        return "reader"


OPEN: list[Reader] = []


@pytest.fixture(params=[PlainEPollReactor, EPollReactor])
def turning(request: pytest.FixtureRequest) -> Iterator[Any]:
    reactor = request.param()
    yield reactor
    for one in OPEN:
        one.ours.close()
        one.theirs.close()
    OPEN.clear()
    for one in list(reactor._internalReaders):
        one.connectionLost(None)
    reactor._poller.close()


def test_a_readable_socket_reads(turning: Any) -> None:
    read: list[str] = []
    one = Reader(lambda: read.append("read"))
    turning.addReader(one)
    one.theirs.send(b"x")
    turning.doPoll(1)
    assert read == ["read"] and not one.lost
    turning.doIteration(0)
    assert read == ["read"]


def test_a_socket_that_an_earlier_event_closed_is_left_alone(turning: Any) -> None:
    called: list[str] = []

    def close_both() -> None:
        called.append("one of them")
        turning.removeReader(first)
        turning.removeReader(second)

    first, second = Reader(close_both), Reader(close_both)
    for one in (first, second):
        turning.addReader(one)
        one.theirs.send(b"x")
    turning.doPoll(1)
    assert called == ["one of them"]


def test_a_fault_of_a_protocol_costs_its_own_connection_alone(turning: Any, caplog: pytest.LogCaptureFixture) -> None:
    read: list[str] = []

    def stumble() -> None:
        raise ValueError("a fault of ours")

    bad, good = Reader(stumble), Reader(lambda: read.append("read"))
    for one in (bad, good):
        turning.addReader(one)
        one.theirs.send(b"x")
    turning.doPoll(1)
    assert bad.lost == [ValueError] and read == ["read"]
    assert bad not in turning.getReaders() and good in turning.getReaders()
