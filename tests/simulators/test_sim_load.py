"""The load generator: its schedule, its mix, and that what it sends succeeds."""

import io
from collections import Counter as Count
from random import Random  # noqa: TID251 - seeded dice of a test
from typing import cast

import pytest
from counter import Counter
from rich.console import Console
from twisted.internet.task import Clock

from simulators.accounts import show_load
from simulators.drive import Pool
from simulators.faults import Fault
from simulators.load import OpenLoop, Tally, percentile
from simulators.mixture import MIXES
from simulators.trial import TooFew, Trial, crowd
from simulators.wire import Answered

OK = b'{"infcode":0,"output":{}}'
CODES = ("H51080200001", "H51080200002", "P51080200101")


class SlowPool:
    """Answers everything after a fixed time, or never."""

    def __init__(self, clock: Clock, delay_s: float | None, body: bytes = OK, status: int = 200) -> None:
        self.clock, self.delay_s, self.body, self.status = clock, delay_s, body, status
        self.sent_at: list[float] = []

    def send(self, request: bytes, answered: Answered) -> None:
        self.sent_at.append(self.clock.seconds())
        if self.delay_s is not None:
            self.clock.callLater(self.delay_s, answered, self.status, self.body)


def run(delay_s: float | None, body: bytes = OK, status: int = 200) -> tuple[SlowPool, list[Tally]]:
    clock = Clock()
    pool = SlowPool(clock, delay_s, body, status)
    loop = OpenLoop(clock, cast(Pool, pool), [("1101", b"x")] * 100, rate_per_s=50)
    ends: list[Tally] = []
    loop.done.addCallback(ends.append)
    loop.start()
    clock.pump([0.001] * 45_000)
    return pool, ends


def test_requests_go_out_on_time_however_slow_the_answers_are() -> None:
    pool, ends = run(5.0)
    assert len(pool.sent_at) == 100
    for number, at_s in enumerate(pool.sent_at):
        assert number * 0.02 <= at_s <= number * 0.02 + 0.005
    report = ends[0].report()
    assert report["done"] == 100 and 5000 <= report["p50_ms"] <= 5010


def test_answers_that_never_come_are_counted() -> None:
    _, ends = run(None)
    assert ends[0].report()["failed"] == {"没有回答": 100} and ends[0].done == 0


@pytest.mark.parametrize(
    ("body", "status", "name"),
    [
        (b'{"infcode":-1,"err_msg":"no"}', 200, "1101 平台拒绝"),
        (b'{"infcode":-1,"err_msg":"[GW-RATE]","gw_code":"GW-RATE"}', 429, "1101 GW-RATE"),
        (b"<html>", 502, "1101 HTTP 502"),
        (b"", 0, "1101 断开"),
    ],
)
def test_failures_are_named(body: bytes, status: int, name: str) -> None:
    _, ends = run(0.1, body, status)
    assert ends[0].report()["failed"] == {name: 100} and ends[0].done == 0


def test_text_zero_is_success_too() -> None:
    _, ends = run(0.1, b'{"infcode":"0"}')
    assert ends[0].done == 100


def test_percentiles_are_nearest_rank() -> None:
    ordered = [float(number) for number in range(1, 1001)]
    assert [percentile(ordered, share) for share in (500, 990, 999, 1000)] == [500.0, 990.0, 999.0, 1000.0]
    assert percentile([], 500) == 0.0 and percentile([7.0], 990) == 7.0


def test_what_was_dropped_is_later_than_everything() -> None:
    ordered = [float(number) for number in range(1, 991)]
    assert [percentile(ordered, share, 10) for share in (500, 990, 991, 1000)] == [500.0, 990.0, None, None]
    assert percentile([], 500, 1) is None


@pytest.mark.parametrize(("status", "delay_s"), [(0, 0.1), (200, None)])
def test_a_run_of_drops_has_no_latency(status: int, delay_s: float | None) -> None:
    """A connection that breaks at once is no fast answer, and an answer that never comes is not left out."""
    _, ends = run(delay_s, b"", status)
    report = ends[0].report()
    assert report["dropped"] == 100 and report["p50_ms"] is None and report["by_infno"]["1101"]["p99_ms"] is None
    console = Console(record=True, width=100, file=io.StringIO())
    show_load(report, console)
    assert console.export_text().count("没有回答") >= 4


def test_the_default_mix_is_the_agreed_one() -> None:
    shares = MIXES["default"]
    assert sum(shares.values()) == 1000
    groups = {
        ("1101",): 180,
        ("2001", "5206", "5301"): 80,
        ("2201",): 90,
        ("2203",): 110,
        ("2204",): 140,
        ("2206",): 120,
        ("2207",): 110,
        ("2101",): 40,
        ("2102",): 40,
        ("2208", "2103"): 10,
        ("2304", "2305", "2401", "2402"): 10,
        ("2301",): 30,
        ("3101",): 30,
        ("4101",): 10,
    }
    assert {names: sum(shares.get(name, 0) for name in names) for names in groups} == groups


@pytest.mark.parametrize("mix", sorted(MIXES))
def test_every_message_of_a_run_succeeds_on_the_platform(mix: str) -> None:
    counter = Counter()
    mixture = crowd(counter.clock.seconds, Random(3), CODES, 50)
    plan = mixture.plan(mix, 600)
    for scripts in (mixture.prepare, mixture.finish):
        assert [why for why in map(counter.play, scripts(plan)) if why] == []
    before = len(counter.seen)
    messages = list(mixture.messages(plan))
    counter.clock.advance(60)
    failed = [(infno, found.text) for infno, path, body in messages if not (found := counter.post(path, body)).done]
    assert failed == []
    assert [envelope["infno"] for envelope in counter.seen[before:]] == plan
    numbers = Count(cast(str, envelope["msgid"]) for envelope in counter.seen)
    assert max(numbers.values()) == 1
    sizes = [len(body) for infno, _, body in messages if infno in ("2102", "2204")]
    assert not sizes or 1500 < sum(sizes) / len(sizes) < 6000


def test_a_run_without_stock_says_why() -> None:
    counter = Counter()
    mixture = crowd(counter.clock.seconds, Random(3), CODES, 50)
    with pytest.raises(IndexError):
        list(mixture.messages(["2207"]))
    with pytest.raises(TooFew, match="一家药店"):
        crowd(counter.clock.seconds, Random(3), CODES[:2], 50)


class Road:
    """Posts go to a platform, whole requests are only kept."""

    def __init__(self, counter: Counter) -> None:
        self.counter = counter
        self.sent: list[bytes] = []

    def post(self, path: str, body: bytes, answered: Answered) -> None:
        found = self.counter.post(path, body)
        self.counter.clock.callLater(0.1, answered, found.status, found.body)

    def send(self, request: bytes, answered: Answered) -> None:
        self.sent.append(request)


def test_a_preparation_that_failed_is_told() -> None:
    counter, said = Counter(), list[str]()
    counter.platform.faults = lambda infno, _: (
        Fault(business_error="停业", processed=False) if infno == "2201" else None
    )
    road = Road(counter)
    mixture = crowd(counter.clock.seconds, Random(3), CODES, 50)
    Trial(counter.clock, cast(Pool, road), "h", mixture, 4).run("1101", 10, 1, said.append)
    counter.clock.pump([0.1] * 60)
    assert any("1 组没有办成" in line and "停业" in line for line in said)
    assert len(road.sent) == 10
