"""Bytes on the wire: order, delays, cuts, silence, and a client that reports what broke."""

import csv
import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random  # noqa: TID251 - seeded dice of a test
from typing import Any

import pytest
from counter import Counter
from twisted.internet.defer import fail
from twisted.internet.testing import StringTransport

from simulators import mapping, national, tables
from simulators.drive import Pool, run_script
from simulators.faults import Fault
from simulators.his import CALL_PATH
from simulators.hospital import Hospital
from simulators.pharmacy import Pharmacy
from simulators.wire import Caller, PlatformServer, post_bytes
from simulators.wording import write

SIGN_IN = {"signIn": {"opter_no": "1", "mac": "m", "ip": "i"}}


def connected(protocol: Any) -> Any:
    """Give the protocol a transport that keeps what is written."""
    transport: Any = StringTransport()  # type: ignore[no-untyped-call]
    protocol.makeConnection(transport)
    return transport


def connect(counter: Counter) -> tuple[PlatformServer, Any]:
    server = PlatformServer(counter.platform, counter.clock)
    return server, connected(server)


def request(counter: Counter, infno: str = "9001", body: Any = None) -> bytes:
    home = Hospital(counter.clock.seconds, Random(1), "H51080200001", "广元市示例医院")
    return post_bytes("h", CALL_PATH, write(home.envelope(infno, body or SIGN_IN)))


def test_a_request_may_come_byte_by_byte(counter: Counter) -> None:
    server, transport = connect(counter)
    raw = request(counter)
    for position in range(len(raw)):
        assert transport.value() == b""
        server.dataReceived(raw[position : position + 1])
    head, _, body = transport.value().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n") and f"Content-Length: {len(body)}".encode() in head
    assert json.loads(body)["output"]["signinoutb"]["sign_no"]


def test_pipelined_requests_are_answered_in_order_behind_a_slow_one(counter: Counter) -> None:
    server, transport = connect(counter)
    counter.platform.faults = lambda infno, _: Fault(delay_s=2.0) if infno == "9001" else None
    server.dataReceived(request(counter) + b"GET /sim/stats HTTP/1.1\r\nHost: h\r\n\r\n")
    assert transport.value() == b""
    counter.clock.advance(2.0)
    answers = transport.value()
    assert 0 < answers.index(b"signinoutb") < answers.index(b'"counts"')


@pytest.mark.parametrize(
    ("fault", "sent"), [(Fault(drop="silent"), 0), (Fault(drop="reset"), 0), (Fault(truncate_bytes=20), 20)]
)
def test_a_bad_answer_is_bad_on_the_wire(counter: Counter, fault: Fault, sent: int) -> None:
    server, transport = connect(counter)
    counter.platform.faults = lambda infno, msgid: fault
    server.dataReceived(request(counter))
    _, _, body = transport.value().partition(b"\r\n\r\n")
    assert len(body) == sent
    assert transport.disconnecting is (fault.drop != "silent")
    assert counter.platform.counts["9001"]["done"] == 1  # the work was done all the same


def test_expect_100_continue_and_nonsense(counter: Counter) -> None:
    server, transport = connect(counter)
    head, _, body = request(counter).partition(b"\r\n\r\n")
    server.dataReceived(head + b"\r\nExpect: 100-continue\r\n\r\n")
    assert transport.value() == b"HTTP/1.1 100 Continue\r\n\r\n"
    server.dataReceived(body)
    assert b"200 OK" in transport.value()
    other, nonsense = connect(counter)
    other.dataReceived(b"\x16\x03\x01 nonsense\r\n\r\n")
    assert b"400" in nonsense.value() and nonsense.disconnecting


def test_a_caller_reports_a_whole_answer_and_a_broken_one() -> None:
    gone: list[Caller] = []
    caller, got = Caller(gone.append), list[tuple[int, bytes]]()
    connected(caller)
    caller.send(b"x", lambda status, body: got.append((status, body)))
    caller.dataReceived(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
    assert got == []
    caller.dataReceived(b"cd")
    caller.send(b"x", lambda status, body: got.append((status, body)))
    caller.dataReceived(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
    caller.connectionLost()
    assert got == [(200, b"abcd"), (0, b"")] and gone == [caller]


class Unreachable:
    """An endpoint nobody listens on."""

    def connect(self, factory: object) -> Any:
        return fail(ConnectionRefusedError("refused"))


def test_a_refused_connection_reads_as_no_answer(counter: Counter) -> None:
    shop = Pharmacy(counter.clock.seconds, Random(1), "P51080200101", "示例药店")
    pool = Pool(counter.clock, Unreachable(), "h", 2)  # type: ignore[arg-type]
    ends: list[str] = []
    run_script(counter.clock, pool, shop.sign_in()).addCallback(ends.append)
    counter.clock.pump([1.0] * 60)
    assert ends == ["9001 没有回答"]


def test_mappings_hold_only_sure_rows_of_valid_national_codes(tmp_path: Path) -> None:
    files = mapping.write_mappings(tmp_path)
    libraries = mapping.write_libraries(tmp_path / "national")
    assert set(files) == set(libraries) == set(tables.CODE_COLUMN)
    for system, path in files.items():
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert list(rows[0])[:5] == ["local_code", "national_code", "valid_from", "valid_to", "evidence"]
        sure = [row for row in tables.rows(f"truth_{tables.LOCAL_STEM[system]}") if row["match_type"] == "one"]
        # Who has left works here no more (MA14).
        table, column = tables.CODE_COLUMN[system]
        left = {row[column] for row in tables.rows(table) if row.get("prac_stas") == "离职"}
        working = [row for row in sure if row["national_code"] not in left]
        assert [row["local_code"] for row in rows] == [row["local_code"] for row in working]
        for row in rows:
            assert national.library(system)[row["national_code"]].valid_on("2026-11-21"), row


@pytest.fixture
def platform_port() -> Iterator[int]:
    """A platform in a process of its own, on a free port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "simulators", "platform", "--listen", "tcp:0:interface=127.0.0.1"],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        line = process.stderr.readline()
        yield int(line.partition("port=")[2].partition(")")[0])
    finally:
        process.terminate()
        process.communicate(timeout=10)


@pytest.mark.processes
def test_a_vendor_can_start_the_platform_alone(platform_port: int, counter: Counter) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", platform_port, timeout=10)
    body = request(counter).partition(b"\r\n\r\n")[2]
    connection.request("POST", CALL_PATH, body, {"Content-Type": "application/json"})
    assert json.loads(connection.getresponse().read())["infcode"] == 0
    connection.request("GET", "/sim/stats")
    assert json.loads(connection.getresponse().read())["counts"] == {"9001": {"done": 1}}
    connection.close()


@pytest.mark.processes
def test_a_hospital_without_translation_ends_with_exit_1_and_says_why(platform_port: int) -> None:
    url = f"http://127.0.0.1:{platform_port}"
    ended = subprocess.run(
        [sys.executable, "-m", "simulators", "hospital", "--gateway", url, "--patients", "2"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert "不是国家编码" in ended.stdout
