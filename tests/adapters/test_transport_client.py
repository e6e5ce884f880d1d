"""Calls to a platform on a fake wire: every ending, and how sure it is (annex X5, X25; style, errors)."""

from __future__ import annotations

import pytest
from OpenSSL import SSL
from transport_road import ANSWERED, CLEAN, OK, REFUSED, RESET, Ear, Road
from twisted.internet.error import DNSLookupError
from twisted.python.failure import Failure


def test_a_request_is_written_when_the_connection_is_open() -> None:
    road = Road()
    ear = Ear()
    road.pool.send(b"/call", b"x-tif-nonce: 1\r\n", b'{"a":1}', ear, 20.0)
    assert road.counts() == (0, 0, 1) and not ear.heard
    far = road.open()
    assert far.heard() == (
        b"POST /call HTTP/1.1\r\nHost: p:9000\r\nx-tif-nonce: 1\r\n"
        b"Content-Type: application/json; charset=utf-8\r\nContent-Length: 7\r\n\r\n" + b'{"a":1}'
    )
    assert road.counts() == (1, 0, 0)
    far.says(OK)
    assert ear.heard == [ANSWERED] and road.counts() == (0, 1, 0)


def test_a_content_type_of_the_caller_stands() -> None:
    road = Road()
    road.pool.send(b"/", b"A: content-type: x\r\n", b"", Ear(), 20.0)
    assert road.open().heard().count(b"Content-Type: application/json") == 1
    road = Road()
    road.pool.send(b"/", b"A: b\r\ncontent-type: text/plain\r\n", b"", Ear(), 20.0)
    assert road.open().heard().lower().count(b"content-type:") == 1


@pytest.mark.parametrize("step", [1, 2, 5, 40])
def test_answers_are_read_in_pieces_of_any_size(step: int) -> None:
    road = Road()
    ear = road.send()
    far = road.open()
    far.says(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\nContent-Type: no\r\n\r\n" + OK, step)
    assert ear.heard == [ANSWERED] and road.counts() == (0, 1, 0)
    chunked = (
        b'HTTP/1.1 500 Oh\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{"\r\n3;x\r\na"}\r\n0\r\nContent-Type: t\r\n\r\n'
    )
    ear = road.send()
    far.says(chunked, step)
    assert ear.heard == [("answered", 500, b"", b'{"a"}', True)] and road.counts() == (0, 1, 0)


@pytest.mark.parametrize(
    ("head", "status"),
    [(b"204 No", 204), (b"304 Not\r\nContent-Length: 5", 304), (b"200 OK\r\nContent-Length: 0", 200)],
)
def test_answers_without_body_are_whole(head: bytes, status: int) -> None:
    road = Road()
    ear = road.send()
    road.open().says(b"HTTP/1.1 " + head + b"\r\n\r\n")
    assert ear.heard == [("answered", status, b"", b"", True)] and road.counts() == (0, 1, 0)


def test_a_sink_takes_the_body_piece_by_piece_and_the_answer_has_none() -> None:
    road = Road()
    ear, pieces = Ear(), list[bytes]()
    road.pool.send(b"/file", b"", b"{}", ear, 20.0, sink=pieces.append)
    far = road.open()
    far.says(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc")
    assert (b"".join(pieces), ear.heard) == (b"abc", [])
    far.says(b"def")
    assert (b"".join(pieces), ear.heard) == (b"abcdef", [("answered", 200, b"", b"", True)])
    road.send()
    far.says(OK)
    assert b"".join(pieces) == b"abcdef"  # the next answer on the same connection is not its


def test_only_what_goes_to_a_sink_is_hung_up() -> None:
    road = Road()
    file, query = Ear(), Ear()
    road.pool.send(b"/file", b"", b"{}", file, 20.0, sink=lambda piece: None)
    road.open()
    road.pool.send(b"/", b"", b"{}", query, 20.0)
    far = road.open()
    road.pool.hang_up()
    assert file.heard == [("lost", "no answer in time")]
    far.says(OK)
    assert query.heard == [ANSWERED]


# -- certainly not sent -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (REFUSED, "connection refused"),
        (DNSLookupError("host"), "name not found"),
        (SSL.Error([("", "", "certificate verify failed")]), "tls handshake failed"),
        (ValueError("10.1.1.1 secret"), "connect failed: ValueError"),
    ],
)
@pytest.mark.parametrize("at_once", [False, True])
def test_what_cannot_connect_was_not_sent(error: BaseException, reason: str, at_once: bool) -> None:
    road = Road()
    if at_once:
        road.refuse_with = error
        ear = road.send()
    else:
        ear = road.send()
        road.fail(error)
    assert ear.heard == [("not_sent", reason)] and road.counts() == (0, 0, 0)
    assert not road.clock.getDelayedCalls()


def test_a_connect_that_takes_too_long_was_not_sent() -> None:
    road = Road(connect_s=5)
    ear = road.send()
    road.clock.advance(4.9)
    assert not ear.heard
    road.clock.advance(0.1)
    assert ear.heard == [("not_sent", "connect timed out")] and road.cancelled == 1


def test_a_full_queue_refuses() -> None:
    road = Road(queue_max=2)
    ears = [road.send() for _ in range(3)]
    assert [ear.heard for ear in ears] == [[], [], [("not_sent", "queue full")]]


def test_waiting_for_a_busy_pool_ends_in_not_sent() -> None:
    road = Road(connections_max=1, wait_s=8)
    road.send()
    far = road.open()
    ear = road.send()
    assert road.counts() == (1, 0, 1) and len(road.dialled) == 1
    road.clock.advance(8)
    assert ear.heard == [("not_sent", "no free connection")]
    far.heard()
    far.says(OK)
    assert far.heard() == b""


def test_nobody_waits_longer_than_its_own_timeout() -> None:
    road = Road(connections_max=1, wait_s=8)
    road.send()
    road.open()
    ear = Ear()
    road.pool.send(b"/", b"", b"", ear, 2.0, 3.0)
    road.clock.advance(2)
    assert ear.heard == [("not_sent", "no free connection")]


def test_one_refused_connection_ends_one_exchange_and_the_next_is_tried() -> None:
    road = Road(connections_max=1)
    ears = [road.send(), road.send()]
    road.fail(REFUSED)
    assert [len(ear.heard) for ear in ears] == [1, 0] and len(road.dialled) == 2
    road.open().says(OK)
    assert ears[1].heard == [ANSWERED]


def test_a_refused_connection_spares_those_with_a_connection_still_coming() -> None:
    road = Road()
    ears = [road.send() for _ in range(3)]
    far = road.open(0)
    far.says(OK)
    assert len(road.dialled) == 3 and road.counts() == (1, 0, 1)  # the second took the first one's connection
    road.fail(REFUSED, 1)
    assert [ear.heard for ear in ears] == [[ANSWERED], [], []]
    road.open(2).says(OK)
    assert ears[2].heard == [ANSWERED]


def test_a_thousand_refusals_at_once_do_not_recurse() -> None:
    road = Road(connections_max=1, queue_max=2000)
    ears = [road.send() for _ in range(2000)]
    road.refuse_with = REFUSED
    road.fail(REFUSED)
    assert all(ear.heard == [("not_sent", "connection refused")] for ear in ears)


# -- doubt ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", [CLEAN, RESET])
@pytest.mark.parametrize("retry_safe", [False, True])
def test_a_fresh_connection_that_dies_silently_is_doubt(reason: Failure, retry_safe: bool) -> None:
    road = Road()
    ear = road.send(retry_safe)
    road.open().gone(reason)
    assert ear.heard == [("lost", "connection lost")] and len(road.dialled) == 1
    assert road.counts() == (0, 0, 0) and not road.clock.getDelayedCalls()


@pytest.mark.parametrize("said", [OK[:9], OK[:40], OK[:-1]])
@pytest.mark.parametrize("reason", [CLEAN, RESET])
def test_a_cut_answer_is_doubt(said: bytes, reason: Failure) -> None:
    road = Road()
    ear = road.send(retry_safe=True)
    far = road.open()
    far.says(said)
    far.gone(reason)
    assert ear.heard == [("lost", "answer truncated")] and len(road.dialled) == 1


CUT_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"


def test_a_chunked_answer_without_its_end_is_doubt() -> None:
    road = Road()
    ear = road.send()
    far = road.open()
    far.says(CUT_CHUNKED)
    far.gone(CLEAN)
    assert ear.heard == [("lost", "answer truncated")]


def test_an_interim_answer_and_a_clean_close_are_no_answer() -> None:
    road = Road()
    ear = road.send()
    far = road.open()
    far.says(b"HTTP/1.1 100 Continue\r\n\r\n")
    far.gone(CLEAN)
    assert ear.heard == [("lost", "answer truncated")]


@pytest.mark.parametrize(
    "said",
    [
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nxx",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 20,
    ],
)
@pytest.mark.parametrize("step", [0, 1])
def test_an_unreadable_answer_is_doubt_and_ends_the_connection(said: bytes, step: int) -> None:
    road = Road()
    ear = road.send(retry_safe=True)
    far = road.open()
    for at in range(0, len(said), step or len(said)):
        if not far.wire.aborted:
            far.says(said[at : at + (step or len(said))])
    assert ear.heard == [("lost", "answer unreadable")] and far.wire.aborted
    far.gone(RESET)
    assert len(ear.heard) == 1 and road.counts() == (0, 0, 0)


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 101,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n" + b"x" * 64 + b"\r\n40\r\n" + b"x" * 64,
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 300,
    ],
)
def test_an_oversize_answer_is_doubt(said: bytes) -> None:
    road = Road(response_bytes_max=100, head_bytes_max=256)
    ear = road.send()
    far = road.open()
    far.says(said)
    assert ear.heard == [("lost", "answer too large")] and far.wire.aborted


def test_an_answer_of_exactly_the_limit_is_taken() -> None:
    road = Road(response_bytes_max=100)
    ear = road.send()
    road.open().says(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"x" * 100)
    assert ear.heard == [("answered", 200, b"", b"x" * 100, True)]


# -- silence ----------------------------------------------------------------------------------------------------------


def test_silence_opens_the_late_window_and_then_is_doubt() -> None:
    road = Road()
    ear = road.send()
    far = road.open()
    road.clock.advance(19.9)
    assert not ear.heard
    road.clock.advance(0.1)
    assert ear.heard == ["silent"] and not far.wire.aborted
    road.clock.advance(2.9)
    assert ear.heard == ["silent"]
    road.clock.advance(0.2)
    assert ear.heard == ["silent", ("lost", "no answer in time")] and far.wire.aborted
    far.says(OK)
    far.gone(RESET)
    assert len(ear.heard) == 2


def test_a_late_answer_is_heard() -> None:
    road = Road()
    ear = road.send()
    far = road.open()
    road.clock.advance(21)
    far.says(OK)
    assert ear.heard == ["silent", ANSWERED] and road.counts() == (0, 1, 0)


def test_the_timeout_counts_from_the_call_of_send() -> None:
    road = Road()
    ear = road.send()
    road.clock.advance(4)
    road.open()
    road.clock.advance(16)
    assert ear.heard == ["silent"]


def test_without_a_late_window_silence_is_doubt_at_once() -> None:
    road = Road()
    ear = road.send(late_s=0.0)
    road.open()
    road.clock.advance(20)
    assert ear.heard == [("lost", "no answer in time")]


def test_many_exchanges_share_one_timer_and_each_keeps_its_deadline() -> None:
    road = Road()
    ears = []
    for _ in range(10):
        ears.append(road.send())
        road.open()
        road.clock.advance(1)
    assert len(road.clock.getDelayedCalls()) == 1
    for n in range(10):
        road.clock.advance(10 if n == 0 else 1)
        assert [bool(ear.heard) for ear in ears] == [True] * (n + 1) + [False] * (9 - n)
