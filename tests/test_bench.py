"""The bench's own arithmetic, moulds, far end and report; nothing here looks at a clock."""

import gc
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from contextlib import nullcontext
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console
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
    client,
    cpu,
    farend,
    idle,
    journal,
    lookups,
    openloop,
    procs,
    proxying,
    report,
    rounds,
)
from bench.rounds import Measured, Table
from gateway.core.checks import Work
from gateway.core.codes import NO_LIBRARIES, Row, build_snapshot
from simulators.processes import free_port

AGENT, GATEWAY, NGINX = ("agent", "2207"), ("gateway", "2207"), ("nginx", "2207")


def cell(cpu_us: float, per_s: float = 1000.0, bad: dict[str, int] | None = None) -> Measured:
    return Measured(cpu_us=cpu_us, per_s=per_s, user_share=0.5, done=10, bad=bad or {})


@pytest.fixture
def table() -> Table:
    """Three rounds; the second is a noisy minute that doubles everything."""
    return Table(
        [
            {AGENT: cell(400), GATEWAY: cell(100), NGINX: cell(20)},
            {AGENT: cell(800), GATEWAY: cell(240), NGINX: cell(40)},
            {AGENT: cell(400), GATEWAY: cell(104), NGINX: cell(26)},
        ]
    )


def test_a_ratio_is_made_round_by_round(table: Table) -> None:
    assert table.ratio(GATEWAY, AGENT) == pytest.approx(0.26)  # median of 0.25, 0.30, 0.26
    assert table.ratio(GATEWAY, NGINX) == pytest.approx(5.0)  # median of 5, 6, 4
    assert table.ratio_of_minima(GATEWAY, AGENT) == pytest.approx(0.25)


def test_a_ratio_without_one_side_is_none(table: Table) -> None:
    assert table.ratio(GATEWAY, ("node", "2207")) is None
    assert table.ratio_of_minima(GATEWAY, ("node", "2207")) is None


def test_a_cell_is_summed_up_by_median_and_minimum(table: Table) -> None:
    found = table.summed(GATEWAY)
    assert (found.cpu_us, found.cpu_us_min, found.rounds) == (104, 100, 3)


def test_cost_is_processor_time_by_answers() -> None:
    found = rounds.measured(3_000_000, 2_000_000, 1_000_000, done=20, seconds=0.5, bad={})
    assert (found.cpu_us, found.per_s) == (150.0, 40.0)
    assert found.user_share == pytest.approx(2 / 3)
    nothing = rounds.measured(5, 0, 0, done=0, seconds=0.0, bad={"x": 1})
    assert (nothing.cpu_us, nothing.per_s, nothing.user_share, nothing.bad) == (0.0, 0.0, 0.0, {"x": 1})


def test_the_first_round_is_thrown_away_and_the_order_moves_on() -> None:
    seen: list[tuple[str, int]] = []

    def measure(one: rounds.Cell, number: int) -> Measured:
        seen.append((one[0], number))
        return cell(float(number))

    found = rounds.run([AGENT, GATEWAY], 2, measure)
    assert seen == [("agent", 0), ("gateway", 0), ("gateway", 1), ("agent", 1), ("agent", 2), ("gateway", 2)]
    assert [one[AGENT].cpu_us for one in found.rounds] == [1.0, 2.0]


def test_a_wrong_answer_is_told_by_cell() -> None:
    found = Table([{GATEWAY: cell(1, bad={"GW-RATE": 2})}, {GATEWAY: cell(1, bad={"GW-RATE": 3})}])
    assert found.bad() == {"gateway 2207 GW-RATE": 5}


def test_a_void_cell_meets_no_aim_and_divides_nothing(table: Table) -> None:
    """A proxy that refuses everything, or answers nothing, is fast; it must not look so."""
    nothing = rounds.measured(0, 0, 0, done=0, seconds=0.0, bad={})
    assert nothing.void and nothing.bad
    for broken in (nothing, cell(1.0, bad={"GW-RATE": 2990}), rounds.measured(0, 0, 0, done=10, seconds=1.0, bad={})):
        for upper in (True, False):
            spoilt = GATEWAY if upper else AGENT
            table.rounds[1][spoilt] = broken
            assert table.void(spoilt) and table.ratio(GATEWAY, AGENT) is None
            assert table.ratio_of_minima(GATEWAY, AGENT) is None
            (aim,) = [aim for aim in report.aims(table, {}) if aim.name == "资金：2207，无明细：对 Agent 裸代理"]
            assert (aim.value, aim.met, aim.word) == (None, None, "无效")
            table.rounds[1][spoilt] = cell(200)
    assert not table.void(GATEWAY) and table.ratio(GATEWAY, AGENT) is not None


def test_a_void_cell_is_shown_and_written_as_such(table: Table, tmp_path: Path) -> None:
    table.rounds[1][GATEWAY] = cell(1.0, bad={"GW-RATE": 2990})
    console = Console(record=True, width=160, file=io.StringIO())
    report.show(console, table, {}, proxying.NAMES, {})
    (line,) = [line for line in console.export_text().splitlines() if line.startswith("│ 两定网关 ")]
    assert "无效" in line and "2." not in line
    report.write(tmp_path / "bench.json", table, {}, {})
    rows = {row["proxy"]: row for row in json.loads((tmp_path / "bench.json").read_text("utf-8"))["rows"]}
    assert rows["gateway"]["void"] and "cpu_us" not in rows["gateway"] and len(rows["gateway"]["cpu_us_each"]) == 3
    assert not rows["agent"]["void"] and rows["agent"]["cpu_us"] == 400


def test_stat_is_read_past_a_name_with_brackets() -> None:
    fields = " ".join(str(number) for number in range(4, 40))
    tick_ns = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    assert cpu.parse_stat(f"77 (a ) b) S {fields}") == (14 * tick_ns, 15 * tick_ns)


def test_own_processor_time_grows() -> None:
    before = cpu.spent(os.getpid())
    # The scheduler's account lags by a tick or two; a thousand rounds of work are far more.
    grew = (sum(range(100_000)) and cpu.spent(os.getpid()).total > before.total for _ in range(1000))
    assert any(grew)
    assert os.getpid() in cpu.family(os.getpid())
    assert cpu.memory_kb(os.getpid()) > 1000


def test_who_came_meanwhile_counts_whole_and_who_went_not_at_all() -> None:
    earlier = {1: cpu.Cpu(100, 10, 20), 2: cpu.Cpu(900, 90, 90)}
    later = {1: cpu.Cpu(150, 15, 30), 3: cpu.Cpu(7, 1, 2)}
    assert cpu.between(earlier, later) == cpu.Cpu(57, 6, 12)


@pytest.mark.processes
def test_a_child_that_comes_later_is_looked_at(tmp_path: Path) -> None:
    """A proxy's workers may be there only after it listens."""
    text = "import subprocess, sys; sys.stdin.readline(); subprocess.run(['sleep', '60'])"
    command = [sys.executable, "-c", text]
    pipe = subprocess.PIPE
    one = procs.start("parent", command, 0, cpu.cores()[0], tmp_path, stdin=pipe, stdout=pipe)
    try:
        before = one.spent()
        assert list(before) == [one.process.pid]
        to_parent, _ = procs.pipe_of(one)
        to_parent.write(b"go\n")
        to_parent.flush()
        while len(one.spent()) == 1:
            pass
        (child,) = set(one.spent()) - set(before)
        os.kill(child, signal.SIGTERM)
    finally:
        one.stop()
    assert cpu.spent(one.process.pid) == {}


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


def test_the_far_ends_share_is_read_from_the_exposition() -> None:
    """Of the loop alone: what the gateway had exchanged before, in another part of the run, is not in it."""

    def look(seconds: float, count: int) -> openloop.Totals:
        lines = (
            f'sum{{link="a"}} {seconds}', f'count{{link="a"}} {count}', 'sum{link="b"} 1.0', 'count{link="b"} 500',
            'bucket{link="a",le="+Inf"} 7',
        )  # fmt: skip
        return openloop.platform_totals("\n".join(f"liangding_platform_seconds_{line}" for line in lines))

    assert look(3.0, 1000) == (4.0, 1500.0)
    assert openloop.mean_ms(look(30.0, 1000), look(33.0, 2000)) == pytest.approx(3.0)
    assert openloop.mean_ms(look(3.0, 1000), look(3.0, 1000)) is None
    assert openloop.platform_totals("") == (0.0, 0.0)


OPENLOOP = {
    "rate": 1000, "sent": 4000, "done": 4000, "dropped": 0, "failed": {}, "void": False, "p50_ms": 3.0, "p99_ms": 9.0,
    "p999_ms": 12.0, "platform_mean_ms": 2.0, "gateway_cpu_us": 250.0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "word", "words"),
    [
        ({}, "达到", ("4000 / 4000", "3.0 / 9.0 / 12.0", "平台往返")),
        ({"p99_ms": 26.0}, "未达到", ("3.0 / 26.0 / 12.0",)),
        ({"done": 3999, "void": True, "failed": {"1101 GW-BUSY": 1}}, "无效", ("3999 / 4000，无效", "1101 GW-BUSY")),
        ({"done": 3000, "void": True, "p99_ms": None, "p999_ms": None}, "无效", ("3.0 / — / —",)),
    ],
)
def test_an_open_loop_with_failures_meets_no_aim(change: dict[str, Any], word: str, words: tuple[str, ...]) -> None:
    other = {"openloop": OPENLOOP | change}
    (aim,) = [aim for aim in report.aims(Table(), other) if aim.name.startswith("开环")]
    assert aim.word == word
    console = Console(record=True, width=160, file=io.StringIO())
    console.print(report.others_table(other))
    text = console.export_text()
    assert all(one in text for one in words), text


@pytest.mark.processes
def test_the_loop_is_looked_at_when_it_begins(tmp_path: Path) -> None:
    def started(text: str) -> procs.Running:
        return procs.start("load", [sys.executable, "-c", text], 0, cpu.cores()[0], tmp_path)

    one = started(
        "import time; print('准备', flush=True); time.sleep(0.2); print('开始：5', flush=True); time.sleep(60)"
    )
    openloop.wait_begun(one)
    assert "开始：5" in one.log.read_text("utf-8") and one.process.poll() is None
    one.stop()
    over = started("pass")
    openloop.wait_begun(over)
    assert over.process.poll() == 0
    slow = started("import time; time.sleep(60)")
    with pytest.raises(procs.DidNotStart, match="没有准备好"):
        openloop.wait_begun(slow, 0.0)
    slow.stop()


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


# --- journal and report


def test_the_journals_summary_divides_round_by_round() -> None:
    rows = [
        {"single": journal.Phase(100, 300), "group": journal.Phase(2000, 30, 64), "pairs": journal.Phase(1500, 35, 60)},
        {"single": journal.Phase(50, 310), "group": journal.Phase(1500, 32, 64), "pairs": journal.Phase(1400, 36, 60)},
        {"single": journal.Phase(100, 305), "group": journal.Phase(2500, 31, 64), "pairs": journal.Phase(1600, 34, 60)},
    ]
    found = journal.summary(rows, [0.02, 0.032, 0.5])
    assert found["times_single"] == 25
    assert found["of_fsync_bound"] == pytest.approx(2000 / (64 / 0.032))
    assert found["group"] == {"per_s": 2000, "cpu_us": 31, "batch": 64}


def test_entries_of_the_journal_bench_are_all_different() -> None:
    found = [journal.entry(number) for number in range(1, 20_000, 7)]
    assert len({one.msgid for one in found}) == len({one.business_key for one in found}) == len(found)
    assert all(len(one.msgid) == 30 for one in found)


def test_an_aim_knows_whether_it_is_met() -> None:
    assert report.Aim("a", 0.4, 0.45).met is True
    assert report.Aim("a", 0.5, 0.45).met is False
    assert report.Aim("a", 25, 20, at_least=True).met is True
    assert (report.Aim("a", None, 1).met, report.Aim("a", None, 1).word) == (None, "未测")


def test_the_report_tells_rows_ratios_and_what_was_skipped(table: Table, tmp_path: Path) -> None:
    other = {"journal": {"times_single": 21.0, "group": {"cpu_us": 25.0}}}
    found = report.write(tmp_path / "deep" / "bench.json", table, other, {"node": "没有安装 node，跳过此行"})
    again = json.loads((tmp_path / "deep" / "bench.json").read_text("utf-8"))
    assert again["rows"] == found["rows"] and {row["proxy"] for row in again["rows"]} == {"agent", "gateway", "nginx"}
    (ratio,) = [row for row in again["ratios"] if row["to"] == "agent"]
    assert ratio["median"] == pytest.approx(0.26) and ratio["of"] == "gateway"
    met = {aim["name"]: aim["met"] for aim in again["aims"]}
    assert met["资金：2207，无明细：对 Agent 裸代理"] is True
    assert met["日志：64个等待 ÷ 逐条提交"] is True
    assert met["查询：1101：对 Agent 裸代理"] is None


def test_tables_name_the_missing_program(table: Table) -> None:
    console = Console(record=True, width=160, file=io.StringIO())
    journal_found = {"per_s": 1.0, "cpu_us": 2.0, "batch": 3.0}
    other = {
        "journal": {"group": journal_found, "pairs": journal_found, "single": journal_found, "fsync_us": 80.0},
        "lookups": {"plan_lines_per_s": 1e6, "look_up_per_s": 5e5},
        "skipped": {"开环": "失败：压力机超时"},
    }
    report.show(console, table, other, proxying.NAMES, {"node": "没有安装 node，跳过此行"})
    text = console.export_text()
    for words in ("没有安装 node", "两定网关", "0.26", "压力机超时", "本版本尚无对账", "1,000,000", "未测"):
        assert words in text, words


def test_a_process_that_does_not_listen_is_told_with_its_last_words(tmp_path: Path) -> None:
    command = [procs.python("x")[0], "-c", "raise SystemExit('端口被占用')"]
    with pytest.raises(procs.DidNotStart, match="端口被占用"):
        procs.start("stub", command, free_port(), {next(iter(cpu.cores()[0]))}, tmp_path)
