"""How long the HTTP server waits for a client: absolute deadlines (security T6)."""

from __future__ import annotations

import pytest
from transport_side import CHUNKED, POST, H, Side, post, pump


def test_a_client_that_says_nothing_is_closed_without_a_word() -> None:
    side = Side()
    pump(side, 9.5)
    assert not side.closed
    pump(side, 0.5)
    assert side.closed and side.wire.value() == b""


def test_a_slow_head_is_cut_after_ten_seconds_whatever_arrives() -> None:
    side = Side()
    for byte in post()[:9]:
        side.send(bytes([byte]))
        pump(side, 1)
    assert not side.closed
    pump(side, 1)
    assert side.refused_with(408, b"GW-DEADLINE")


def test_a_slow_body_is_cut_ten_seconds_after_its_head() -> None:
    side = Side()
    side.send(POST + b"Content-Length: 1000\r\n\r\n")
    for _ in range(19):
        side.send(b"x")
        pump(side, 0.5)
    assert not side.closed
    side.send(b"x")
    pump(side, 1)
    assert side.refused_with(408, b"GW-DEADLINE") and not side.requests


@pytest.mark.parametrize("chunked", [False, True])
def test_a_steady_64_kib_a_second_is_never_cut(chunked: bool) -> None:
    side = Side()
    side.send(CHUNKED if chunked else H + b"Content-Length: 1966080\r\n\r\n")
    for _ in range(30):
        pump(side, 1)
        assert not side.closed
        side.send(b"10000\r\n" + b"x" * 65536 + b"\r\n" if chunked else b"x" * 65536)
    side.send(b"0\r\n\r\n" if chunked else b"x")
    assert len(side.requests[0].body) == 1966080


def test_a_body_that_stops_is_cut_for_what_really_arrived() -> None:
    side = Side()
    side.send(H + b"Content-Length: 1966080\r\n\r\n" + b"x" * 131072)
    pump(side, 11.5)
    assert not side.closed
    pump(side, 1)
    assert side.refused_with(408, b"GW-DEADLINE")


def test_an_idle_connection_is_closed_after_75_seconds() -> None:
    side = Side()
    side.send(post())
    pump(side, 74.5)
    assert not side.closed
    pump(side, 1)
    assert side.closed and side.wire.value().count(b"HTTP/1.1") == 1


def test_an_answer_may_take_any_time() -> None:
    side = Side(answer=None)
    side.send(post())
    pump(side, 300, 10)
    assert not side.closed and side.requests[0].alive
    assert side.requests[0].respond(200, b"late")
    assert side.wire.value().endswith(b"late")


def test_a_client_that_does_not_read_is_aborted_after_30_seconds() -> None:
    side = Side()
    side.send(post())
    side.wire.producer.pauseProducing()
    side.send(post(b"2"))
    assert len(side.requests) == 1 and side.wire.producerState == "paused"
    pump(side, 29.5)
    assert not side.closed
    pump(side, 0.5)
    assert side.wire.aborted


def test_a_client_that_reads_again_goes_on() -> None:
    side = Side()
    side.send(post())
    producer = side.wire.producer
    producer.pauseProducing()
    side.send(post(b"2"))
    pump(side, 20)
    producer.resumeProducing()
    assert side.wire.value().endswith(b"<2>") and side.wire.producerState == "producing"
    pump(side, 60)
    assert not side.closed


def test_a_close_that_cannot_be_flushed_becomes_an_abort() -> None:
    side = Side()
    side.send(post(extra=b"Connection: close\r\n"))
    assert side.closed and not side.wire.aborted and side.wire.producer is None
    pump(side, 30.5)
    assert side.wire.aborted


def test_no_timer_is_left_when_the_last_client_is_gone() -> None:
    side = Side()
    side.send(post())
    side.hang_up()
    assert not side.clock.getDelayedCalls() and side.factory.connections == 0
