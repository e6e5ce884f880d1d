"""Who reads the log is no business of the money's: a pipe that is full, or shut, makes nobody wait."""

import json
import os
from pathlib import Path

from twisted.internet.task import Clock

from monitoring.logs import make_logger


def test_a_reader_that_sleeps_costs_lines_and_nothing_else() -> None:
    """Whoever starts a node with a pipe and forgets to read it must not stop the money."""
    clock = Clock()
    reading, writing = os.pipe()
    with open(reading, "rb", buffering=0) as reader, open(writing, "wb") as writer:
        log = make_logger(writer, clock)
        for number in range(20_000):  # 1.4 MB
            log.event("request", infno="2207", msgid=f"{number:026d}")
        clock.advance(1)
        lost = log.losses.lines
        assert 0 < lost < 20_000
        os.set_blocking(reading, False)
        heard = b""
        while True:  # it wakes up: what was kept arrives, in whole lines
            part = reader.read(1 << 20)
            if not part:
                break
            heard += part
            clock.advance(1)
        told = [int(json.loads(line)["msgid"]) for line in heard.splitlines()]
        assert told == list(range(20_000 - lost))
        log.event("request", infno="1101")
        clock.advance(1)
        assert json.loads(reader.read(1 << 16) or b"")["infno"] == "1101"
    assert log.losses.lines == lost


def test_a_reader_that_is_gone_costs_lines_and_nothing_else() -> None:
    clock = Clock()
    reading, writing = os.pipe()
    with open(writing, "wb") as writer:
        log = make_logger(writer, clock)
        os.close(reading)
        log.event("request", infno="2207")
        clock.advance(1)
    assert log.losses.lines == 1


def test_a_file_gets_every_line(tmp_path: Path) -> None:
    clock = Clock()
    with open(tmp_path / "log", "wb") as file:
        log = make_logger(file, clock)
        for number in range(20_000):
            log.event("request", infno="2207", msgid=f"{number:026d}")
        log.sink.flush()
    assert len((tmp_path / "log").read_bytes().splitlines()) == 20_000
    assert log.losses.lines == 0
