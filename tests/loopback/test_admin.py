"""The admin side over real sockets: a scrape stops nobody, and what is not there is told in our words (contract §6)."""

# pytest-twisted has no annotations.
# mypy: disable-error-code="untyped-decorator"

import http.client
import json
import socket
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import attrs
import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from adapters.store.writer import WriterThread
from gateway.app.admin import CodeLookup, admin_site
from gateway.core.codes import EMPTY_SNAPSHOT
from monitoring.health import Health
from monitoring.metrics import Metrics

HOSPITAL = "H51080200001"
Reply = tuple[int, dict[str, str], bytes]


@attrs.define
class Held:
    """A thread that does nothing until it is told to."""

    jobs: list[tuple[Callable[[], bytes], Callable[[bytes], None], Callable[[Exception], None]]] = attrs.Factory(list)

    def run(
        self, call: Callable[[], bytes], done: Callable[[bytes], None], failed: Callable[[Exception], None]
    ) -> None:
        self.jobs.append((call, done, failed))

    def work(self) -> None:
        call, done, _ = self.jobs.pop(0)
        done(call())


@attrs.define
class Side:
    """An admin listener, and a client to ask it."""

    reactor: Any
    held: Held = attrs.Factory(Held)
    metrics: Metrics = attrs.Factory(lambda: Metrics(["2207"], [HOSPITAL]))
    port: Any = None

    async def open(self, offload: Any = None) -> None:
        lookup = CodeLookup(self.reactor, lambda code: EMPTY_SNAPSHOT)
        site = admin_site(self.metrics, Health({}, {}), lambda: [("节点", "n1")], lookup, offload or self.held.run)
        self.port = await serverFromString(self.reactor, "tcp:0:interface=127.0.0.1").listen(site)

    def ask(self, path: str, method: str = "GET") -> "Deferred[Reply]":
        return deferToThread(self._ask, path, method)

    def _ask(self, path: str, method: str) -> Reply:
        client = http.client.HTTPConnection("127.0.0.1", self.port.getHost().port, timeout=20)
        try:
            client.request(method, path)
            answer = client.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            client.close()

    async def until(self, true: Callable[[], bool]) -> None:
        while not true():
            await deferLater(self.reactor, 0.01, lambda: None)


@pytest_twisted.async_yield_fixture
async def side(reactor: Any) -> AsyncIterator[Side]:
    one = Side(reactor)
    yield one
    await one.port.stopListening()


@pytest_twisted.ensureDeferred
async def test_while_a_scrape_is_written_everybody_else_is_answered(side: Side) -> None:
    await side.open()
    side.metrics.request("2207", HOSPITAL, "ok", 0.1, "M")
    scrape = side.ask("/metrics")
    await side.until(lambda: bool(side.held.jobs))
    status, _, body = await side.ask("/healthz")
    assert (status, json.loads(body)["ok"]) == (200, True)
    assert not scrape.called
    side.metrics.request("2207", HOSPITAL, "ok", 0.1, "M")  # comes after the numbers were taken
    side.held.work()
    status, headers, body = await scrape
    assert (status, headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert headers["Cache-Control"] == "no-store"
    assert f'requests_total{{infno="2207",institution="{HOSPITAL}",result="ok"}} 1.0'.encode() in body


@pytest_twisted.ensureDeferred
async def test_the_text_is_written_on_another_thread(side: Side) -> None:
    thread, seen = WriterThread(side.reactor.callFromThread, "metrics"), list[str]()

    def offload(call: Callable[[], bytes], *ends: Any) -> None:
        def watched() -> bytes:
            seen.append(threading.current_thread().name)
            return call()

        thread.run(watched, *ends)

    await side.open(offload)
    status, _, body = await side.ask("/metrics")
    assert status == 200 and b"liangding_journal_batch_count" in body
    status, _, body = await side.ask("/metrics", "HEAD")
    assert (status, body) == (200, b"")
    assert seen == ["metrics"] * 2
    thread.stop()


@pytest_twisted.ensureDeferred
async def test_who_asks_meanwhile_gets_the_same_text(side: Side) -> None:
    await side.open()
    asked = [side.ask("/metrics") for _ in range(5)]
    await side.until(lambda: bool(side.held.jobs))
    await side.ask("/healthz")  # by now the others have asked too, or they will get a text of their own
    while not all(one.called for one in asked):
        while side.held.jobs:
            side.held.work()
            assert not side.held.jobs  # one at a time
        await deferLater(side.reactor, 0.01, lambda: None)
    assert [(await one)[0] for one in asked] == [200] * 5


@pytest_twisted.ensureDeferred
async def test_a_client_that_left_is_not_written_to(side: Side) -> None:
    await side.open()
    with socket.create_connection(("127.0.0.1", side.port.getHost().port)) as wire:
        wire.sendall(b"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n")
        await side.until(lambda: bool(side.held.jobs))
    await side.ask("/healthz")  # the reactor has seen the end by now
    side.held.work()
    scrape = side.ask("/metrics")
    await side.until(lambda: bool(side.held.jobs))
    side.held.work()
    assert (await scrape)[0] == 200


@pytest_twisted.ensureDeferred
async def test_a_text_that_cannot_be_written_is_500_and_the_next_is_tried(side: Side) -> None:
    await side.open()
    scrape = side.ask("/metrics")
    await side.until(lambda: bool(side.held.jobs))
    side.held.jobs.pop()[2](ValueError("broken"))
    status, _, body = await scrape
    assert (status, body.decode()) == (500, "指标无法生成，请查看日志\n")
    scrape = side.ask("/metrics")
    await side.until(lambda: bool(side.held.jobs))
    side.held.work()
    assert (await scrape)[0] == 200


@pytest.mark.parametrize("path", ["/nothing", "/api", "/api/", "/api/v1", "/api/v1/nothing/at/all", "/healthy"])
@pytest_twisted.ensureDeferred
async def test_what_is_not_there_is_refused_in_our_words(side: Side, path: str) -> None:
    await side.open()
    status, headers, body = await side.ask(path)
    assert (status, headers["Content-Type"]) == (404, "application/json; charset=utf-8")
    assert headers["X-Content-Type-Options"] == "nosniff"
    told = json.loads(body)
    assert told["gw_code"] == "GW-PATH" and "管理端没有这个页面" in told["err_msg"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "FOO"])
@pytest.mark.parametrize("path", ["/", "/metrics", "/readyz", "/api/v1/codes/drug/X"])
@pytest_twisted.ensureDeferred
async def test_pages_are_only_read(side: Side, method: str, path: str) -> None:
    await side.open()
    status, headers, body = await side.ask(path, method)
    assert (status, headers["Allow"]) == (405, "GET, HEAD")
    assert json.loads(body)["gw_code"] == "GW-METHOD"
    assert not side.held.jobs


@pytest_twisted.ensureDeferred
async def test_the_pages_are_there(side: Side) -> None:
    await side.open()
    assert [(await side.ask(path))[0] for path in ("/", "/healthz", "/readyz")] == [200] * 3
    assert (await side.ask("/healthz", "HEAD"))[::2] == (200, b"")


@pytest.mark.parametrize("date", ["2026-02-31", "2026-13-01", "2026-2-1", "20260201", "0000-00-00", "yesterday"])
@pytest.mark.parametrize("place", ["$translate?code=YP1&", "YP1?"])
@pytest_twisted.ensureDeferred
async def test_a_day_that_never_was_is_no_day_of_service(side: Side, place: str, date: str) -> None:
    await side.open()
    status, _, body = await side.ask(f"/api/v1/codes/drug/{place}date={date}")
    told = json.loads(body)
    assert (status, told["gw_code"]) == (400, "GW-HTTP") and "date" in told["err_msg"]
    status, _, body = await side.ask(f"/api/v1/codes/drug/{place}date=2026-02-28")
    assert (status, json.loads(body)["gw_code"]) == (404, "GW-PATH")
