"""The bench's arithmetic, open loop, journal and report; nothing here looks at a clock."""

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the bench is not part of the installed packages

from bench import (
    cpu,
    journal,
    openloop,
    procs,
    proxying,
    report,
    rounds,
)
from bench.rounds import Measured, Table
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
    grew = (sum(range(100_000)) and cpu.between(before, cpu.spent(os.getpid())).total > 0 for _ in range(1000))
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
        "books": {
            "settlements": 100_000, "wall_s": 1.7, "cpu_s": 2.2, "rows_per_s": 235_294, "peak_rss_mb": 285,
            "result_100k_s": 0.73,
        },
    }  # fmt: skip
    report.show(console, table, other, proxying.NAMES, {"node": "没有安装 node，跳过此行"})
    text = console.export_text()
    for words in ("没有安装 node", "两定网关", "0.26", "压力机超时", "1,000,000", "四方账目", "235,294", "未测"):
        assert words in text, words
    assert "尚无对账" not in text


def test_a_process_that_does_not_listen_is_told_with_its_last_words(tmp_path: Path) -> None:
    command = [procs.python("x")[0], "-c", "raise SystemExit('端口被占用')"]
    with pytest.raises(procs.DidNotStart, match="端口被占用"):
        procs.start("stub", command, free_port(), {next(iter(cpu.cores()[0]))}, tmp_path)
