"""How connections to a platform are kept, reused, given up and closed (annex X25; design §3)."""

from __future__ import annotations

import pytest
from OpenSSL import SSL
from transport_road import ANSWERED, CLEAN, OK, REFUSED, RESET, Ear, Road, failure

# -- keeping connections ----------------------------------------------------------------------------------------------


def test_the_most_recently_used_connection_is_used_first() -> None:
    road = Road()
    road.send()
    one = road.open()
    road.send()
    two = road.open()
    two.says(OK)
    one.says(OK)
    one.heard(), two.heard()
    road.send()
    assert one.heard() and not two.heard() and len(road.dialled) == 2


def test_waiting_exchanges_get_the_first_free_connection_in_order() -> None:
    road = Road(connections_max=1)
    ears = [road.send(body=b"%d" % n) for n in range(3)]
    far = road.open()
    for n in range(3):
        assert far.heard().endswith(b"\r\n\r\n%d" % n)
        far.says(OK)
        assert ears[n].heard == [ANSWERED]
    assert road.counts() == (0, 1, 0)


def test_what_a_listener_sends_from_its_answer_uses_the_same_connection() -> None:
    road = Road()
    second = Ear()

    class Chain(Ear):
        def answered(self, status: int, content_type: bytes, body: bytes, whole: bool) -> None:
            road.pool.send(b"/next", b"", b"", second, 20.0)

    road.pool.send(b"/", b"", b"", Chain(), 20.0)
    far = road.open()
    far.heard()
    far.says(OK)
    assert far.heard().startswith(b"POST /next ")
    far.says(OK)
    assert second.heard == [ANSWERED] and len(road.dialled) == 1


def test_an_idle_connection_is_closed_before_the_platform_does() -> None:
    road = Road(idle_s=30)
    far = road.used()
    road.clock.advance(29.9)
    assert not far.wire.disconnecting
    road.clock.advance(0.1)
    assert far.wire.disconnecting and not far.wire.aborted and road.counts() == (0, 0, 0)
    far.gone()
    assert not road.clock.getDelayedCalls()


def test_a_hang_up_that_is_not_completed_is_aborted() -> None:
    road = Road(idle_s=30, connect_s=5)
    far = road.used()
    road.clock.advance(30)
    road.clock.advance(5)
    assert far.wire.aborted


def test_bytes_nobody_asked_for_close_an_idle_connection() -> None:
    road = Road()
    far = road.used()
    far.says(b"\r\n")
    assert far.wire.aborted and road.counts() == (0, 0, 0)
    ear = road.send()
    assert not ear.heard and len(road.dialled) == 2


@pytest.mark.parametrize("behind", [b"HTTP/1.1 200 OK\r\n", b"junk", b"\r\n", b"H", OK])
def test_bytes_behind_an_answer_close_the_connection_and_the_answer_stands(behind: bytes) -> None:
    road = Road()
    ear = road.send()
    far = road.open()
    far.says(OK + behind)
    assert ear.heard == [ANSWERED] and far.wire.disconnecting and road.counts() == (0, 0, 0)


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nConnection: close\r\n", b"HTTP/1.0 200 OK\r\n"])
def test_a_connection_the_platform_closes_is_not_used_again(head: bytes) -> None:
    road = Road()
    ear = road.send()
    far = road.open()
    far.says(head + b"Content-Length: 2\r\n\r\n{}")
    assert ear.heard == [("answered", 200, b"", b"{}", True)] and far.wire.disconnecting
    assert road.counts() == (0, 0, 0)


def test_a_body_without_length_ends_with_a_clean_close_and_says_so() -> None:
    for reason, heard in ((CLEAN, ("answered", 200, b"", b"{}", False)), (RESET, ("lost", "answer truncated"))):
        road = Road()
        ear = road.send()
        far = road.open()
        far.says(b"HTTP/1.1 200 OK\r\n\r\n{}")
        assert not ear.heard
        far.gone(reason)
        assert ear.heard == [heard]


# -- once more --------------------------------------------------------------------------------------------------------


def test_a_query_on_a_dead_kept_connection_is_sent_once_more_on_a_fresh_one() -> None:
    road = Road()
    far = road.used()
    ear = road.send(retry_safe=True, body=b"q")
    assert far.heard().endswith(b"q")
    far.gone(RESET)
    assert not ear.heard and len(road.dialled) == 2
    again = road.open()
    assert again.heard().endswith(b"\r\n\r\nq")
    again.gone(RESET)
    assert ear.heard == [("lost", "connection lost")] and len(road.dialled) == 2


def test_money_on_a_dead_kept_connection_is_doubt() -> None:
    road = Road()
    far = road.used()
    ear = road.send(retry_safe=False)
    far.gone(CLEAN)
    assert ear.heard == [("lost", "connection lost")] and len(road.dialled) == 1


def test_a_query_is_not_repeated_once_an_answer_has_begun() -> None:
    road = Road()
    far = road.used()
    ear = road.send(retry_safe=True)
    far.says(b"H")
    far.gone(RESET)
    assert ear.heard == [("lost", "answer truncated")] and len(road.dialled) == 1


def test_a_query_that_cannot_be_repeated_is_doubt_not_certainty() -> None:
    road = Road()
    far = road.used()
    ear = road.send(retry_safe=True)
    far.gone(RESET)
    road.fail(REFUSED)
    assert ear.heard == [("lost", "connection lost, then connection refused")]


def test_a_repeated_query_keeps_its_first_deadline() -> None:
    road = Road(connect_s=50)
    far = road.used()
    ear = road.send(retry_safe=True)
    road.clock.advance(5)
    far.gone(RESET)
    road.clock.advance(15)
    assert ear.heard == ["silent"]
    road.clock.advance(3)
    assert ear.heard == ["silent", ("lost", "no answer in time")]
    assert road.open().heard() == b"" and road.counts() == (0, 1, 0)


def test_a_client_certificate_the_platform_refused_means_not_sent() -> None:
    alert = failure(SSL.Error([("SSL routines", "", "tlsv13 alert certificate required")]))
    road = Road()
    ear = road.send()
    road.open().gone(alert)
    assert ear.heard == [("not_sent", "certificate refused")]
    far = road.used()
    ear = road.send()
    far.gone(alert)  # never on a connection that has already carried something
    assert ear.heard == [("lost", "connection lost")]
    road = Road()
    ear = road.send()
    road.open().gone(failure(SSL.Error([("SSL routines", "", "sslv3 alert bad record mac")])))
    assert ear.heard == [("lost", "connection lost")]


# -- closing ----------------------------------------------------------------------------------------------------------


def test_close_refuses_what_waits_and_lets_the_sent_finish() -> None:
    road = Road(connections_max=2)
    idle = road.used()
    busy_ear = road.send()
    road.send()
    other = road.open()
    waiting = road.send()
    other.says(OK)
    assert not waiting.heard and road.counts() == (2, 0, 0)
    queued = road.send()
    done: list[None] = []
    road.pool.close().addCallback(done.append)
    assert queued.heard == [("not_sent", "link closed")] and not busy_ear.heard
    assert road.send().heard == [("not_sent", "link closed")]
    idle.says(OK)
    other.says(OK)
    assert busy_ear.heard == [ANSWERED] and waiting.heard == [ANSWERED]
    assert idle.wire.disconnecting and other.wire.disconnecting and not done
    idle.gone()
    other.gone()
    assert done == [None] and not road.clock.getDelayedCalls()


def test_close_stops_connecting_and_hangs_up_idle_connections() -> None:
    road = Road()
    far = road.used()
    road.send()
    pending = road.send()
    done: list[None] = []
    road.pool.close().addCallback(done.append)
    assert pending.heard == [("not_sent", "link closed")] and road.cancelled == 1
    far.says(OK)
    far.gone()
    assert done == [None]


def test_closing_an_unused_pool_is_done_at_once() -> None:
    done: list[None] = []
    Road().pool.close().addCallback(done.append)
    assert done == [None]


# -- a platform that is slow to settle --------------------------------------------------------------------------------


def test_money_leaves_connections_for_queries() -> None:
    road = Road(connections_max=3, late_max=2)
    ears = [road.send(body=b"money %d" % number) for number in range(4)]
    first, second = road.open(0), road.open(1)
    assert first.heard().endswith(b"money 0")
    assert second.heard().endswith(b"money 1")
    assert len(road.dialled) == 2 and road.pool.waiting == 2
    road.send(body=b"query", late_s=0.0)
    third = road.open()
    assert third.heard().endswith(b"query")
    third.says(OK)
    assert not third.heard(), "money must not take the connection that is kept for queries"
    first.says(OK)
    assert [ear.heard for ear in ears] == [[ANSWERED], [], [], []]
    assert (first.heard() + third.heard()).endswith(b"money 2"), "the longest held goes next"
    second.says(OK)
    assert (first.heard() + second.heard() + third.heard()).endswith(b"money 3")


def test_held_money_is_given_up_certainly_not_sent() -> None:
    road = Road(connections_max=2, late_max=1, wait_s=10)
    road.send()
    far = road.open()
    held = road.send()
    road.clock.advance(10)
    assert [name for name, *_ in held.heard] == ["not_sent"]
    far.says(OK)
    later = road.send()
    far.heard()
    far.says(OK)
    assert later.heard == [ANSWERED]


def test_a_closing_pool_refuses_held_money() -> None:
    road = Road(connections_max=2, late_max=1)
    road.send()
    road.open()
    held = road.send()
    road.pool.close()
    assert [name for name, *_ in held.heard] == ["not_sent"]


# -- answers that take their time: files ------------------------------------------------------------------------------

BEGUN = b"HTTP/1.1 200 OK\r\nContent-Type: application/zip\r\nContent-Length: 4\r\n\r\n"
NO_ANSWER = ("lost", "no answer in time")


def test_a_file_that_goes_on_arriving_is_waited_for_until_answer_s() -> None:
    road = Road(answer_s=70)
    ear = road.send(late_s=0.0)
    far = road.open()
    far.says(BEGUN)
    for part in (b"P", b"K", b"1"):
        road.clock.advance(19.9)
        far.says(part)
    assert not ear.heard
    road.clock.advance(70 - 3 * 19.9)
    assert ear.heard == [NO_ANSWER] and far.wire.aborted


def test_a_file_that_is_whole_in_the_end_is_an_answer() -> None:
    road = Road(answer_s=120)
    ear = road.send(late_s=0.0)
    far = road.open()
    far.says(BEGUN)
    road.clock.advance(19)
    far.says(b"PK")
    road.clock.advance(19)
    far.says(b"\x03\x04")
    assert ear.heard == [("answered", 200, b"application/zip", b"PK\x03\x04", True)]


@pytest.mark.parametrize("begun", [b"", BEGUN], ids=["never began", "stopped"])
def test_a_file_that_does_not_go_on_is_lost_like_any_answer(begun: bytes) -> None:
    """X6: that a file may be big gives a silent platform no more time."""
    road = Road(answer_s=120)
    ear = road.send(late_s=0.0)
    far = road.open()
    if begun:
        far.says(begun)
        road.clock.advance(20)
        assert not ear.heard
    road.clock.advance(20)
    assert ear.heard == [NO_ANSWER]


@pytest.mark.parametrize("close", [False, True])
def test_who_stops_waits_for_a_file_no_longer_than_for_anything_else(close: bool) -> None:
    """X27"""
    road = Road(answer_s=120)
    ear = road.send(late_s=0.0)
    far = road.open()
    far.says(BEGUN)
    if close:
        road.pool.close()
    else:
        road.pool.hurry()
    road.clock.advance(20)
    assert ear.heard == [NO_ANSWER]
