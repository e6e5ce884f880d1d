"""Files at the institutions' door: one of them may hand in so much (security T30), and faults are told plainly."""

import json
import queue
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import pytest
from test_books_run import CONFIG, DAY, A, B
from twisted.internet.task import Clock

from adapters.store.fair_threads import FairThreads
from gateway.app import books_door
from gateway.app.books_door import BooksDoor
from gateway.app.config import Config, read_config
from gateway.exchange.door import Institution

ROW = b"setl_id,medfee_sumamt,setl_time\nS%d,1.00,2026-03-15 10:00:00\n"


@attrs.define(eq=False)
class Request:
    """An HttpRequest of the institution."""

    body: bytes = b""
    query: bytes = b""
    method: bytes = b"POST"
    path: bytes = f"/api/v1/books/{A}/{DAY}".encode()
    content_type: bytes = b"text/csv"
    said: list[tuple[int, Any]] = attrs.Factory(list)

    def respond(self, status: int, body: bytes, extra: bytes = b"") -> bool:
        self.said.append((status, json.loads(body)))
        return True


class Street:
    """A door whose thread works at once, or not yet."""

    def __init__(self, folder: Path) -> None:
        (folder / "c.toml").write_text(CONFIG, "utf-8")
        self.clock, self.faults, self.queue = Clock(), [], None  # type: ignore[var-annotated]
        self.clock.advance(1_773_700_000)
        config = read_config(folder / "c.toml")
        self.door = BooksDoor(config, self.clock, self.run, self.faults.append)  # type: ignore[arg-type]
        self.bound = {A: Institution(code=A, name="甲", link=SimpleNamespace())}  # type: ignore[arg-type]

    def run(
        self, lane: str, work: Callable[[], Any], done: Callable[[Any], None], failed: Callable[[Exception], None]
    ) -> None:
        if self.queue is not None:
            self.queue.append((lane, work, done, failed))
            return
        try:
            found = work()
        except Exception as cause:  # what the thread's runner does
            failed(cause)
        else:
            done(found)

    def ask(self, **what: Any) -> Request:
        request = Request(**what)
        self.door.receive(request, self.bound)  # type: ignore[arg-type]
        return request


@pytest.fixture
def street(tmp_path: Path) -> Street:
    return Street(tmp_path)


def test_one_institution_cannot_fill_the_disk(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(books_door, "FILES_MAX", 3)
    told = [street.ask(body=ROW % number).said[0] for number in range(5)]
    assert [status for status, _ in told] == [200, 200, 200, 429, 429]
    assert "3次" in told[-1][1]["err_msg"]
    street.clock.advance(86_401)
    assert street.ask(body=ROW % 9).said[0][0] == 200
    monkeypatch.setattr(books_door, "BYTES_MAX", 1)
    assert street.ask(body=ROW % 10).said[0][0] == 429
    assert street.ask(method=b"GET").said[0][0] == 200
    assert street.faults == []


def test_one_institution_cannot_keep_the_others_from_the_thread(street: Street) -> None:
    street.queue = []
    asked = [street.ask(body=ROW % number) for number in range(4)]
    assert [one.said[0][0] if one.said else 0 for one in asked] == [0, 0, 429, 429]
    waiting, street.queue = street.queue, None
    for one in waiting:
        street.run(*one)
    assert [one.said[0][0] for one in asked[:2]] == [200, 200]
    assert street.ask(body=ROW % 5).said[0][0] == 200


@pytest.mark.parametrize("rows", [b"9" * 5_000, "１".encode(), b"1_0", b"-1"])
def test_a_marker_that_is_no_number_is_the_senders_fault(street: Street, rows: bytes) -> None:
    status, told = street.ask(body=ROW % 1, query=b"rows=" + rows).said[0]
    assert (status, told["gw_code"], street.faults) == (400, "GW-INVALID", [])


def test_a_slow_file_of_one_institution_holds_up_no_other(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real threads: while one institution's file is being checked, the other's is taken."""
    back: queue.SimpleQueue[tuple[Callable[..., Any], tuple[Any, ...]]] = queue.SimpleQueue()
    gate, checked = threading.Event(), books_door.hand_in
    threads = FairThreads(lambda what, *words: back.put((what, words)), "d", 2)

    def slowly(config: Config, ledger: int, scope: str, *rest: Any) -> Any:
        if scope == A:
            assert gate.wait(20.0)
        return checked(config, ledger, scope, *rest)

    monkeypatch.setattr(books_door, "hand_in", slowly)
    street.door.run = threads.run
    street.bound[B] = Institution(code=B, name="乙", link=SimpleNamespace())  # type: ignore[arg-type]
    path = f"/api/v1/books/{B}/{DAY}".encode()
    slow = [street.ask(body=ROW % 1), street.ask(body=ROW % 2)]
    quick = [street.ask(body=ROW % 3, path=path), street.ask(method=b"GET", path=path)]
    while not all(one.said for one in quick):
        what, words = back.get(timeout=20.0)
        what(*words)
    assert ([one.said[0][0] for one in quick], [one.said for one in slow]) == ([200, 200], [[], []])
    gate.set()
    while not all(one.said for one in slow):
        what, words = back.get(timeout=20.0)
        what(*words)
    assert [one.said[0][0] for one in slow] == [200, 200]
    threads.stop()
