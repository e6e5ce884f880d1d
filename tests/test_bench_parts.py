"""The parts of the bench: moulds, far end, client, yardstick, look-ups, idle node; nothing here looks at a clock."""

import gc
import json
import os
import re
import socket
import sys
import threading
from contextlib import nullcontext
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.defer import succeed
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import LogEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http_headers import Headers

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the bench is not part of the installed packages

from bench import (
    agent_proxy,
    answers,
    bodies,
    books,
    client,
    cpu,
    farend,
    idle,
    lists,
    lookups,
    month,
    procs,
    proxying,
    suggestions,
)
from gateway.core.codes import NO_LIBRARIES, Row, build_snapshot
from gateway.core.translation import Work

# --- moulds


def test_every_variant_of_a_sale_has_numbers_of_its_own() -> None:
    found = bodies.sales(3)
    texts = [one.cast(variant) for one in found for variant in (0, 1, 2)]
    assert len({re.search(rb'"msgid":"([^"]+)"', text)[1] for text in texts}) == 9  # type: ignore[index]
    assert len({re.search(rb'"invono":"([^"]+)"', text)[1] for text in texts}) == 9  # type: ignore[index]
    assert len({len(text) for text in texts[:3]}) == 1
    for text in texts:
        envelope = json.loads(text)
        assert len(envelope["msgid"]) == 30 and envelope["msgid"].startswith(bodies.PHARMACY)
        assert len(envelope["input"]["drugdetail"]) == bodies.DRUG_LINES


def test_the_mix_has_no_number_twice() -> None:
    found = bodies.mixed("mix", 400)
    texts = [one.cast(variant) for variant in (0, 7) for one in found]
    assert len({json.loads(text)["msgid"] for text in texts}) == 800
    keys = [
        (infno, json.loads(text)["input"]["data"][field])
        for text in texts
        for infno, field in (("2207", "chrg_bchno"), ("2304", "invono"), ("2208", "setl_id"))
        if json.loads(text)["infno"] == infno
    ]
    assert len(keys) == len(set(keys)) > 40


def test_kinds_do_not_share_numbers() -> None:
    settlements, mixed = bodies.mixed("2207", 50), bodies.mixed("mix", 300)
    assert not {json.loads(one.cast(1))["msgid"] for one in settlements} & {
        json.loads(one.cast(1))["msgid"] for one in mixed
    }


def test_a_message_without_room_for_a_variant_is_refused() -> None:
    with pytest.raises(ValueError, match="no room in invono"):
        bodies.mould("2102", b'{"msgid":"H51080200001202603150930001234","invono":"FP1234567890"}')
    with pytest.raises(ValueError, match="variant 1000"):
        bodies.Mould([b"a", b"b"], "n").cast(1000)


def test_moulds_survive_their_file(tmp_path: Path) -> None:
    found = bodies.sales(2)
    bodies.write_moulds(tmp_path / "2102.moulds", found)
    assert bodies.read_moulds(tmp_path / "2102.moulds") == found


# --- far end and client


def test_the_far_end_echoes_what_a_gateway_checks() -> None:
    body = bodies.sales(1)[0].cast(3)
    asked, told = json.loads(body), json.loads(answers.answer(body))
    found = told["output"]["setlinfo"]
    assert told["infcode"] == 0
    assert found["medins_setl_id"] == asked["msgid"]
    assert found["psn_no"] == asked["input"]["druginfo"]["psn_no"]
    assert found["medfee_sumamt"] == asked["input"]["druginfo"]["medfee_sumamt"] == found["psn_cash_pay"]
    assert b"@" not in answers.answer(body)


def test_the_far_end_answers_a_row_a_line() -> None:
    rows = [{"feedetl_sn": str(number)} for number in range(5)]
    body = json.dumps({"infno": "2204", "msgid": "1", "input": {"feedetail": rows}}).encode()
    assert len(json.loads(answers.answer(body))["output"]["result"]) == 5
    assert json.loads(answers.answer(b'{"infno":"0000"}'))["output"] == {}


def test_the_client_and_the_far_end_understand_each_other() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=farend.serve, args=(listener, None), daemon=True).start()
    moulds = {"2207": bodies.mixed("2207", 20)}
    order = {"kind": "2207", "variant": 1, "count": 50, "port": listener.getsockname()[1], "connections": 4}
    assert client.command(moulds, order) | {"seconds": 0} == {"done": 50, "seconds": 0, "bad": {}}


def test_the_client_counts_what_is_not_a_success() -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def refuse() -> None:
        wire, _ = listener.accept()
        listener.close()
        body = '{"infcode":-1,"err_msg":"[GW-RATE] 太快"}'.encode()
        for _ in range(2):
            wire.recv(65536)
            wire.sendall(b"HTTP/1.1 429 Too Many\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
        wire.close()

    threading.Thread(target=refuse, daemon=True).start()
    order = {"kind": "x", "variant": 0, "count": 2, "port": listener.getsockname()[1], "connections": 1}
    found = client.command({"x": [bodies.Mould([b"{}"], "")]}, order)
    assert found["done"] == 0 and found["bad"] == {"HTTP/1.1 429 Too Many [GW-RATE] 太快 ": 2}


def test_laps_take_the_next_variant() -> None:
    mould = bodies.Mould([b'{"a":"', b'"}'], "n")
    found = [one.rsplit(b"\r\n\r\n", 1)[1] for one in client.requests_of([mould], 4, 3)]
    assert found == [b'{"a":"004"}', b'{"a":"005"}', b'{"a":"006"}']


# --- the yardstick


class Answered:
    """An answer as Agent gives it, with its body there at once."""

    code, phrase = 200, b"OK"
    headers = Headers({b"content-type": [b"application/json"]})

    def deliverBody(self, reader: Protocol) -> None:  # Twisted's name
        reader.dataReceived(b"told")
        reader.connectionLost(Failure(ResponseDone()))  # type: ignore[no-untyped-call]


class Asked:
    """Agent, for one answer."""

    def __init__(self) -> None:
        self.asked: list[tuple[bytes, bytes]] = []

    def request(self, method: bytes, url: bytes, headers: Headers, body: agent_proxy.BytesProducer) -> object:
        self.asked.append((url, body.body))
        return succeed(Answered())


def test_the_yardstick_forwards_and_writes_no_access_line() -> None:
    agent, written = Asked(), list[LogEvent]()
    site = agent_proxy.make_site(agent, b"http://far", reactor=Clock())
    site.startFactory()
    talk: Any = site.buildProtocol(IPv4Address("TCP", "127.0.0.1", 1))
    wire: Any = StringTransport()  # type: ignore[no-untyped-call]
    globalLogPublisher.addObserver(written.append)
    try:
        talk.makeConnection(wire)
        talk.dataReceived(b"POST /call HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nasked")
    finally:
        globalLogPublisher.removeObserver(written.append)
        site.stopFactory()
    assert agent.asked == [(b"http://far/call", b"asked")]
    assert wire.value().startswith(b"HTTP/1.1 200 OK\r\n") and wire.value().endswith(b"\r\n\r\ntold")
    assert written == []


class Script:
    """A client's two ends: keeps what it is asked and answers the same each time."""

    def __init__(self) -> None:
        self.orders: list[dict[str, Any]] = []

    def write(self, line: bytes) -> None:
        self.orders.append(json.loads(line))

    def flush(self) -> None:
        """Nothing is held back."""

    def readline(self) -> bytes:
        return b'{"done": 1, "seconds": 1.0, "bad": {}}\n'


def test_every_proxy_gets_the_same_number_of_requests(tmp_path: Path) -> None:
    talk: Any = Script()
    process: Any = SimpleNamespace(pid=os.getpid(), stdin=talk, stdout=talk)
    one = procs.Running("x", process, 1, tmp_path / "x.log")
    bench = proxying.Bench(tmp_path, proxies=dict.fromkeys(proxying.NAMES, one), client=one, settle_s=0.0)
    for cell_ in proxying.cells(bench):
        bench.measure(cell_, 1)
    assert {order["count"] for order in talk.orders} == {proxying.REQUESTS}
    assert len(talk.orders) == 4 * len(bodies.KINDS) + 1


# --- look-ups and the idle node


def test_the_look_up_row_times_the_products_own_plan() -> None:
    """The check is the plan's: it replaces the code in the line, with evidence, and stops at what is unmapped."""
    row = Row("drug", "YP0000001", idle.national(1), "2024-01-01", "", "m1")
    work = Work(build_snapshot([row], NO_LIBRARIES), lookups.DAY, bodies.HOSPITAL)
    check = lookups.line_check()
    line, other = lookups._lines(["YP0000001", "YP0000002"])
    assert check(line, work, "p", lookups.DAY) == 2
    assert line["med_list_codg"] == idle.national(1)
    assert work.evidence == [("p.med_list_codg", "drug", "YP0000001", idle.national(1), "m1", lookups.DAY)]
    assert check(other, work, "p", lookups.DAY) == -1


def test_look_ups_are_counted() -> None:
    found = lookups.lookups(mappings=50, how_many=100)
    gc.unfreeze()
    assert set(found) == {"look_up_per_s", "plan_lines_per_s"}
    with pytest.raises(ValueError, match="0/100"):
        lookups._timed(100, lambda: 0)


class _Admin(BaseHTTPRequestHandler):
    """A node's admin that has some mapping."""

    code = b""

    def do_GET(self) -> None:  # the standard library's name
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.code)

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


@pytest.mark.parametrize("loaded", [True, False])
def test_a_node_without_the_mappings_is_not_weighed(loaded: bool) -> None:
    code = idle.national(idle.MAPPINGS - 1).encode() if loaded else b"{}"
    with HTTPServer(("127.0.0.1", 0), type("_", (_Admin,), {"code": code})) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        with nullcontext() if loaded else pytest.raises(procs.DidNotStart, match="没有装入"):
            idle.check_in_force(server.server_port)


def test_the_idle_node_begins_in_a_new_folder(tmp_path: Path) -> None:
    old = tmp_path / "idle" / "journal-codes.sqlite"
    old.parent.mkdir()
    old.write_text("of an earlier run")
    with pytest.raises(RuntimeError, match="enough"):
        idle.start_and_weigh(old.parent, cpu.cores()[0], 1, _enough)
    assert not old.exists()


def _enough(text: str) -> None:
    raise RuntimeError("enough")


# --- settlement lists


def test_the_lists_of_the_bench_are_of_average_size_and_break_the_rule_they_should(tmp_path: Path) -> None:
    found = lists.measure(tmp_path, 100) | lists.measure_import(tmp_path, 100)
    # The peak of a child counts its parent's before it became itself: here that is the whole run of the tests.
    assert found["import_list_cpu_ms"] > 0 and found["import_peak_rss_mb"] > 0
    assert found["lists"] == 100
    assert 8_500 <= found["bytes"] <= 9_500


# --- month


def test_the_month_part_clears_what_it_invented(tmp_path: Path) -> None:
    found = month.measure(tmp_path, 310, busy_days=2)
    # Three ledgers with seven refunds each; the first record is carried, which takes a line of its own.
    assert (found["settlements"], found["rows"], found["applications"]) == (310, 3 * (310 + 7) + 1, 4)


# --- books


def test_the_books_part_finds_what_it_planted(tmp_path: Path) -> None:
    found = books.measure(tmp_path, 2000)
    # Of two thousands, INST and GW lack one each and have one a fen off: INST-MISSING, GW-MISSING, A1, A2.
    assert found["lines"] == 4 and found["settlements"] == 2000


# --- suggestions


def test_the_drugs_of_the_bench_are_found_again(tmp_path: Path) -> None:
    found = suggestions.measure(tmp_path, 2000, 60)
    assert (found["national"], found["local"], found["sure_wrong"]) == (2000, 60, 0)
    assert found["right_ratio"] >= 0.95
    assert found["sure_ratio"] >= 0.5
