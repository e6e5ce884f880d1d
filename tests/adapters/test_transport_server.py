"""The HTTP server on a fake wire: what clients really send, order and pressure, the door, the end (annex X22, X25)."""

from __future__ import annotations

import sys
from typing import Any, cast

import pytest
from transport_side import GONE, POST, H, Side, post
from twisted.logger import ILogObserver, globalLogPublisher

from adapters.transport.server import HttpRequest, Peer, ServerLimits


def test_a_request_arrives_whole_and_its_answer_keeps_the_connection() -> None:
    side = Side()
    answer = side.send(post(b'{"a":1}').replace(b"/x", b"/x?q=1&r"))
    (request,) = side.requests
    assert (request.method, request.path, request.query) == (b"POST", b"/fsi/api/x", b"q=1&r")
    assert (request.content_type, request.body, request.peer) == (b"application/json", b'{"a":1}', Peer("10.0.0.9"))
    assert request.fields[b"host"] == b"h"
    assert answer == (
        b'HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: 9\r\n\r\n<{"a":1}>'
    )
    assert not side.closed
    assert side.send(post(b"2")).endswith(b"<2>")


@pytest.mark.parametrize("step", [1, 2, 3, 7, 61])
def test_pieces_of_any_size_make_the_same_requests(step: int) -> None:
    side = Side()
    stream = (
        post(b"abc")
        + POST
        + b"Transfer-Encoding: chunked\r\n\r\n2;x=1\r\nde\r\n1\r\nf\r\n0\r\nT: 1\r\n\r\n"
        + post(b"g")
    )
    side.send(stream, step)
    assert [request.body for request in side.requests] == [b"abc", b"def", b"g"]
    assert not side.closed


def test_a_get_needs_no_length_and_a_head_gets_no_body() -> None:
    side = Side()
    assert side.send(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n").endswith(b"<>")
    answer = side.send(b"HEAD /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
    assert b"Content-Length: 2\r\n" in answer and answer.endswith(b"\r\n\r\n")


def test_absolute_targets_are_read_as_their_path() -> None:
    side = Side()
    side.send(post().replace(b"/fsi/api/x", b"http://gw:8080/fsi/api/y?z=1"))
    assert (side.requests[0].path, side.requests[0].query) == (b"/fsi/api/y", b"z=1")


def test_one_leading_bom_is_dropped() -> None:
    side = Side()
    side.send(post(b"\xef\xbb\xbf\xef\xbb\xbf{}"))
    assert side.requests[0].body == b"\xef\xbb\xbf{}"


# -- what clients really do -------------------------------------------------------------------------------------------


def test_expect_100_is_answered_at_once_and_the_body_read() -> None:
    side = Side()
    assert side.send(POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert side.send(b"{}").endswith(b"<{}>")


def test_a_pipelined_100_continue_waits_for_the_answer_before_it() -> None:
    side = Side(answer=None)
    side.send(post(b"1") + POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    assert side.wire.value() == b""
    side.requests[0].respond(200, b"first")
    assert side.wire.value().endswith(b"firstHTTP/1.1 100 Continue\r\n\r\n")


def test_expect_100_with_a_refused_length_is_refused_without_continue() -> None:
    side = Side()
    answer = side.send(POST + b"Expect: 100-continue\r\nContent-Length: 3000000\r\n\r\n")
    assert side.refused_with(413, b"GW-SIZE") and b"100 Continue" not in answer


def test_no_100_continue_without_a_body_or_to_http_1_0() -> None:
    for raw in (
        b"GET / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\n",
        POST + b"Expect: 100-continue\r\nContent-Length: 0\r\n\r\n",
        POST.replace(b"1.1", b"1.0") + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n",
        POST + b"Expect: something\r\nContent-Length: 2\r\n\r\n",
    ):
        assert b"100 Continue" not in Side().send(raw)


@pytest.mark.parametrize("step", [0, 1])
def test_an_offer_of_h2c_is_ignored_and_the_body_read(step: int) -> None:
    side = Side()
    upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
    side.send(post(b'{"infno":"1101"}', upgrade) + post(b"next"), step)
    assert [request.body for request in side.requests] == [b'{"infno":"1101"}', b"next"]
    assert b"Switching" not in side.wire.value()


def test_http_1_0_closes_unless_it_asks_to_stay() -> None:
    side = Side()
    answer = side.send(post().replace(b"HTTP/1.1\r\nHost: h", b"HTTP/1.0\r\nX: y"))
    assert b"Connection: close\r\n" in answer and side.closed
    side = Side()
    answer = side.send(post(extra=b"Connection: Keep-Alive\r\n").replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert b"Connection: keep-alive\r\n" in answer and not side.closed


@pytest.mark.parametrize("value", [b"close", b"Close", b"x, close"])
def test_connection_close_is_honoured(value: bytes) -> None:
    side = Side()
    answer = side.send(post(extra=b"Connection: " + value + b"\r\n"))
    assert b"Connection: close\r\n" in answer and side.closed
    side = Side()
    answer = side.send(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: " + value + b"\r\n\r\n")
    assert b"Connection: close\r\n" in answer and side.closed


def test_an_empty_line_before_a_request_is_forgiven() -> None:
    side = Side()
    side.send(post(b"1") + b"\r\n" + post(b"2"))
    assert [request.body for request in side.requests] == [b"1", b"2"]
    side = Side()
    side.send(b"\r\n" + post(b"1"), 1)
    assert [request.body for request in side.requests] == [b"1"]


@pytest.mark.parametrize("step", [0, 1, 2, 3])
def test_a_few_empty_lines_are_forgiven_before_each_request_and_no_more(step: int) -> None:
    side = Side()
    side.send((b"\r\n" * 4 + post(b"1")) * 3, step)
    assert len(side.requests) == 3 and not side.closed
    side.send(b"\r\n" * 5 + post(b"2"), step)
    assert side.refused_with(400, b"GW-HTTP") and len(side.requests) == 3


def test_a_stream_of_empty_lines_is_refused_with_the_fifth() -> None:
    side = Side()
    for _ in range(4):
        assert side.send(b"\r\n") == b"" and not side.closed
    side.send(b"\r\n")
    assert side.refused_with(400, b"GW-HTTP")


def test_empty_lines_behind_a_request_in_flight_wait_like_requests() -> None:
    side = Side(answer=None)
    side.send(post(b"1") + b"\r\n" * 100_000)
    side.requests[0].respond(200, b"one")
    first, _, second = side.wire.value().partition(b"one")
    assert first.startswith(b"HTTP/1.1 200") and second.startswith(b"HTTP/1.1 400") and side.closed


@pytest.mark.parametrize(
    "lines",
    [
        b"",
        b"Content-Type: text/plain\r\n",
        b"Content-Type: application/json;charset=UTF-8\r\n",
        b'Content-Type: application/json ; charset="utf-8"\r\n',
        b"Content-Type: Application/JSON; profile=x; Charset=Utf-8\r\nContent-Encoding: identity\r\n",
    ],
)
def test_content_types_of_x22_pass(lines: bytes) -> None:
    side = Side()
    side.send(b"POST / HTTP/1.1\r\nHost: h\r\n" + lines + b"Content-Length: 2\r\n\r\n{}")
    assert [request.body for request in side.requests] == [b"{}"]


@pytest.mark.parametrize(
    "lines",
    [
        b"Content-Type: application/xml\r\n",
        b"Content-Type: application/x-www-form-urlencoded\r\n",
        b"Content-Type: application/json; charset=gbk\r\n",
        b"Content-Type: application/json; charset=utf-16\r\n",
        b"Content-Type: application/json\r\nContent-Encoding: gzip\r\n",
        b"Content-Type: application/json\r\nContent-Encoding: identity, gzip\r\n",
    ],
)
def test_other_contents_are_415_before_their_body(lines: bytes) -> None:
    side = Side()
    side.send(b"POST / HTTP/1.1\r\nHost: h\r\n" + lines + b"Content-Length: 500\r\n\r\n")
    assert side.refused_with(415, b"GW-ENCODING") and not side.requests


# -- order and pressure -----------------------------------------------------------------------------------------------


def test_pipelined_requests_are_answered_in_order_one_at_a_time() -> None:
    side = Side(answer=None)
    side.send(b"".join(post(b"%d" % n) for n in range(5)))
    for n in range(5):
        assert len(side.requests) == n + 1
        side.requests[n].respond(200, b"<%d>" % n)
    positions = [side.wire.value().index(b"<%d>" % n) for n in range(5)]
    assert positions == sorted(positions)


def test_more_than_sixteen_waiting_requests_pause_the_socket() -> None:
    side = Side(answer=None)
    side.send(post(b"0"))
    for n in range(1, 16):
        side.send(post(b"%d" % n))
    assert side.wire.producerState == "producing"
    side.send(post(b"16"))
    assert side.wire.producerState == "paused"
    for n in range(17):
        side.requests[n].respond(200, b"")
    assert side.wire.producerState == "producing" and len(side.requests) == 17


def test_a_large_body_behind_a_request_in_flight_pauses_the_socket() -> None:
    side = Side(answer=None)
    side.send(post(b"0"))
    side.send(H + b"Content-Length: 200000\r\n\r\n" + b"x" * 70000)
    assert side.wire.producerState == "paused"
    side.requests[0].respond(200, b"")
    assert side.wire.producerState == "producing"
    side.send(b"x" * 130000)
    assert len(side.requests[1].body) == 200000


def test_thousands_of_pipelined_requests_do_not_recurse() -> None:
    depths: set[int] = set()

    def measure(request: HttpRequest) -> None:
        frame, depth = sys._getframe(), 0
        while frame.f_back is not None:
            frame, depth = frame.f_back, depth + 1
        depths.add(depth)
        request.respond(200, b"")

    side = Side(answer=measure)
    side.send(post(b"") * 5000)
    assert len(side.requests) == 5000 and len(depths) == 1


def test_an_answer_to_a_client_that_left_is_reported_as_not_given() -> None:
    side = Side(answer=None)
    side.send(post())
    side.hang_up()
    assert not side.requests[0].alive
    assert side.requests[0].respond(200, b"x") is False
    assert side.wire.value() == b""


def test_answering_twice_is_a_mistake_of_ours() -> None:
    side = Side(answer=None)
    side.send(post())
    side.requests[0].respond(200, b"x")
    with pytest.raises(RuntimeError):
        side.requests[0].respond(200, b"x")


def test_a_handler_may_ask_for_close_and_add_lines() -> None:
    side = Side(answer=lambda request: request.respond(503, b"z", b"text/plain", b"Retry-After: 1\r\n", close=True))
    assert side.send(post()) == (
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n"
        b"Retry-After: 1\r\nConnection: close\r\n\r\nz"
    )
    assert side.closed


def test_a_handler_that_fails_claims_nothing_and_cuts() -> None:
    def fail(request: HttpRequest) -> None:
        raise ZeroDivisionError("13800000000")

    seen: list[Any] = []
    globalLogPublisher.addObserver(cast(ILogObserver, seen.append))
    try:
        side = Side(answer=fail)
        side.send(post() + post())
    finally:
        globalLogPublisher.removeObserver(cast(ILogObserver, seen.append))
    assert side.wire.aborted and side.wire.value() == b"" and len(side.requests) == 1
    (event,) = [event for event in seen if "kind" in event]
    assert event["kind"] == "ZeroDivisionError" and "13800000000" not in str(event)


# -- the door ---------------------------------------------------------------------------------------------------------


class Door:
    def __init__(self, code: str = "") -> None:
        self.code = code
        self.log: list[tuple[str, Peer]] = []

    def opened(self, peer: Peer) -> str:
        self.log.append(("opened", peer))
        return self.code

    def closed(self, peer: Peer) -> None:
        self.log.append(("closed", peer))


def test_the_gate_hears_of_every_connection_it_let_in() -> None:
    door = Door()
    side = Side(gate=door)
    side.send(post())
    side.hang_up()
    assert door.log == [("opened", Peer("10.0.0.9")), ("closed", Peer("10.0.0.9"))]


def test_a_connection_turned_away_is_told_at_its_first_bytes() -> None:
    door = Door("GW-RATE")
    side = Side(gate=door)
    assert side.wire.value() == b""
    side.send(post())
    assert side.refused_with(429, b"GW-RATE") and not side.requests
    side.hang_up()
    assert [what for what, _ in door.log] == ["opened"]


def test_a_connection_turned_away_that_says_nothing_gives_its_slot_back_soon() -> None:
    side = Side(gate=Door("GW-RATE"), limits=ServerLimits(linger_s=2.0, head_s=10.0))
    side.clock.advance(1.9)
    assert not side.closed
    side.clock.advance(0.2)
    assert side.wire.aborted and side.wire.value() == b""
    side = Side(gate=Door(), limits=ServerLimits(linger_s=2.0, head_s=10.0))
    side.clock.advance(9.9)
    assert not side.closed


def test_connections_are_bounded() -> None:
    side = Side(limits=ServerLimits(connections_max=2))
    side.connect()
    assert side.factory.connections == 2 and side.factory.buildProtocol(None) is None
    side.hang_up()
    assert side.factory.buildProtocol(None) is not None


# -- the end ----------------------------------------------------------------------------------------------------------


def test_draining_closes_the_idle_and_lets_the_busy_finish() -> None:
    side = Side(answer=None)
    side.send(post())
    idle_wire, idle = side.connect()
    done: list[None] = []
    side.factory.drain().addCallback(done.append)
    assert idle_wire.disconnecting and not side.closed
    assert side.factory.buildProtocol(None) is None
    idle.connectionLost(GONE)
    assert side.requests[0].respond(200, b"last")
    assert b"Connection: close\r\n" in side.wire.value() and side.closed and not done
    side.hang_up()
    assert done == [None]


def test_draining_a_server_without_clients_is_done_at_once() -> None:
    side = Side()
    side.hang_up()
    done: list[None] = []
    side.factory.drain().addCallback(done.append)
    assert done == [None]


def test_draining_reads_a_request_that_had_begun() -> None:
    side = Side()
    side.send(post()[:40])
    side.factory.drain()
    assert not side.closed
    assert b"Connection: close" in side.send(post()[40:]) and side.closed
