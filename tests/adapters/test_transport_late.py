"""Answers that come when nobody waits any more: listened for on a connection of their own, for a while, and bounded."""

from __future__ import annotations

from typing import Any

import pytest
from transport_road import ANSWERED, CLEAN, OK, RESET, Ear, Far, Road

LOST = ["silent", ("lost", "no answer in time")]


def road_of(**limits: Any) -> Road:
    return Road(**{"listen_s": 120.0, **limits})


def lost(road: Road) -> tuple[Ear, Far]:
    """One exchange whose late window has closed."""
    ear = road.send()
    far = road.open()
    road.clock.advance(20)
    road.clock.advance(3)
    assert ear.heard == LOST
    return ear, far


def test_an_answer_after_the_late_window_is_still_heard_and_its_connection_used_no_more() -> None:
    road = road_of()
    ear, far = lost(road)
    assert (road.counts(), len(road.pool.listening)) == ((0, 0, 0), 1)
    other = road.send()
    assert len(road.dialled) == 2 and not other.heard  # what comes next does not wait behind it
    road.clock.advance(119)
    far.says(OK)
    assert ear.heard == [*LOST, ANSWERED]
    assert far.wire.disconnecting and not road.pool.listening
    far.gone()
    assert ear.heard == [*LOST, ANSWERED]


def test_a_late_answer_with_a_known_head_does_not_put_its_connection_back_into_use() -> None:
    road = road_of()
    road.used().gone()
    ear, far = lost(road)
    far.says(OK)
    assert ear.heard == [*LOST, ANSWERED] and far.wire.disconnecting and road.counts() == (0, 0, 0)


def test_it_is_listened_for_only_so_long() -> None:
    road = road_of()
    ear, far = lost(road)
    road.clock.advance(119.9)
    assert not far.wire.aborted
    road.clock.advance(0.1)
    assert far.wire.aborted and not road.pool.listening
    far.says(OK)
    far.gone(RESET)
    assert ear.heard == LOST and not road.clock.getDelayedCalls()


def test_on_so_many_connections_the_oldest_is_dropped_first() -> None:
    road = road_of(listen_max=2)
    pairs = [lost(road) for _ in range(3)]
    assert [far.wire.aborted for _, far in pairs] == [True, False, False]
    assert len(road.pool.listening) == 2
    for _, far in pairs[1:]:
        far.says(OK)
    assert [ear.heard[2:] for ear, _ in pairs] == [[], [ANSWERED], [ANSWERED]]


@pytest.mark.parametrize("end", [CLEAN, RESET])
@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", b"junk\r\n\r\n"])
def test_what_is_no_whole_answer_is_not_heard(said: bytes, end: Any) -> None:
    road = road_of()
    ear, far = lost(road)
    if said:
        far.says(said)
    far.gone(end)
    assert ear.heard == LOST and not road.pool.listening
    assert not road.clock.getDelayedCalls()


def test_a_pool_that_closes_listens_no_more() -> None:
    road = road_of()
    ear, far = lost(road)
    closed = road.pool.close()
    assert far.wire.aborted
    far.gone(RESET)
    assert closed.called and ear.heard == LOST


def test_a_pool_that_is_closing_does_not_begin_to_listen() -> None:
    road = road_of()
    ear = road.send()
    far = road.open()
    road.pool.close()
    road.clock.advance(20)
    road.clock.advance(3)
    assert ear.heard == LOST and far.wire.aborted


def test_a_query_is_not_listened_for() -> None:
    road = road_of()
    road.send(late_s=0.0)
    far = road.open()
    road.clock.advance(20)
    assert far.wire.aborted and not road.pool.listening


def test_those_that_wait_get_the_room_of_one_that_is_only_listened_on() -> None:
    road = road_of(connections_max=1, wait_s=60.0)
    road.send()
    road.open()
    waiting = road.send(late_s=0.0)
    assert len(road.dialled) == 1
    road.clock.advance(19.5)
    second = road.send(late_s=0.0)
    road.clock.advance(0.5)
    road.clock.advance(3)
    assert waiting.heard == [("not_sent", "no free connection")]
    road.open().says(OK)
    assert second.heard == [ANSWERED]
