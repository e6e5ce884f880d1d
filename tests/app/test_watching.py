"""What is logged about handshakes: the first at once, then one line in five seconds that counts for all."""

import io
import json
from typing import Any

from twisted.internet.task import Clock

from gateway.app.watching import Handshakes
from monitoring.logs import make_logger


def lines(stream: io.BytesIO, clock: Clock) -> list[dict[str, Any]]:
    clock.advance(0.3)  # lines are written together
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_flood_of_failures_is_counted_and_not_written_out() -> None:
    clock, stream = Clock(), io.BytesIO()
    handshakes = Handshakes(clock, make_logger(stream, clock))
    for _ in range(1000):
        handshakes.failed("10.0.0.9", "unknown_ca")
    assert handshakes.failures == 1000
    (line,) = lines(stream, clock)
    assert (line["event"], line["peer"], line["reason"], line["count"]) == (
        "tls_handshake_failed", "10.0.0.9", "unknown_ca", 1,
    )  # fmt: skip
    clock.advance(5.0)
    handshakes.failed("10.0.0.7", "timeout")
    assert [(line["peer"], line["count"]) for line in lines(stream, clock)] == [("10.0.0.9", 1), ("10.0.0.7", 1000)]


def test_a_clock_set_back_does_not_silence_the_log() -> None:
    clock, stream = Clock(), io.BytesIO()
    handshakes = Handshakes(clock, make_logger(stream, clock))
    clock.advance(1000.0)
    handshakes.failed("10.0.0.9", "closed")
    clock.rightNow = 10.0
    handshakes.failed("10.0.0.9", "closed")
    clock.advance(2000.0)
    assert len(lines(stream, clock)) == 2


def test_what_is_no_address_or_word_is_left_out() -> None:
    clock, stream = Clock(), io.BytesIO()
    handshakes = Handshakes(clock, make_logger(stream, clock))
    handshakes.failed("张三 110101199003070038", "psn_name=张三")
    (line,) = lines(stream, clock)
    assert set(line) == {"ts", "event", "count"}
