"""`make bench` = `python -m bench`: everything in one run, tables on the terminal, numbers in var/bench.json.

`--quick`: fewer rounds (<= 90 s). `--only` runs some parts. Exit 0 when everything that was asked for was measured, 1
when a part failed or a proxy answered wrongly. Missing an aim is no failure: machines differ.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import click
from rich.console import Console

from bench import cpu, idle, openloop, procs, proxying, report
from bench.rounds import Table

# Parts that are a module of their own and need nothing of the others.
CHILDREN = {
    "lookups": "对码查询",
    "suggestions": "对码建议：2,000条院内药品，25万条国家目录",
    "lists": "结算清单检查",
    "books": "对账：10万笔，四方账目",
    "month": "固化与月度清算：10万笔，三方账目",
    "bigbody": "2 MB报文",
}
PARTS = (
    "rows", "openloop", "journal", "lookups", "suggestions", "lists", "books", "month", "bigbody", "idle", "swap",
    "libraries",
)  # fmt: skip


@attrs.frozen
class Size:
    """How much of everything."""

    rounds: int
    journal_s: float
    openloop_s: int
    consumables: int


FULL = Size(rounds=7, journal_s=1.0, openloop_s=15, consumables=300_000)
QUICK = Size(rounds=1, journal_s=0.4, openloop_s=4, consumables=20_000)


@attrs.define
class Run:
    """One run and what it has found so far."""

    folder: Path
    size: Size
    console: Console
    table: Table = attrs.Factory(Table)
    other: dict[str, Any] = attrs.Factory(dict)
    skipped: dict[str, str] = attrs.Factory(dict)
    failed: list[str] = attrs.Factory(list)

    def part(self, name: str, title: str, measure: Callable[[], Any]) -> None:
        """Measure one part; what goes wrong is said and does not stop the others."""
        self.console.print(f"[bold]{title}")
        try:
            found = measure()
        except (procs.DidNotStart, subprocess.SubprocessError, OSError, ValueError) as cause:
            self.failed.append(name)
            self.other.setdefault("skipped", {})[title] = f"失败：{cause}"
            self.console.print(f"[red]{title}失败：{cause}")
        else:
            if found is not None:
                self.other[name] = found

    def requests(self, parts: set[str]) -> None:
        """The request rows, and the open loop on the same node."""
        with self.console.status("准备") as status:
            bench = proxying.set_up(self.folder / "rows", status.update)
            try:
                self.skipped |= bench.skipped
                self.other["import_codes_s"] = bench.import_s
                if "rows" in parts:
                    self.table = proxying.run(bench, self.size.rounds, status.update)
                if "openloop" in parts:
                    status.update("开环")
                    found = openloop.run(
                        bench.proxies["gateway"], bench.admin, self.folder, cpu.cores()[1], self.size.openloop_s
                    )
                    self.other["openloop"] = found
                    self.failed += ["openloop"] if found["void"] else []
            finally:
                bench.stop()

    def idle(self) -> dict[str, Any]:
        core, other = cpu.cores()
        far = procs.start_far_end(self.folder, other)
        try:
            return idle.start_and_weigh(self.folder / "idle", core, far.port, lambda text: None)
        finally:
            far.stop()


def _console() -> Console:
    """The terminal, and never narrower than the tables when the output goes to a file."""
    console = Console()
    return console if console.is_terminal else Console(width=max(120, console.width))


def child(module: str, *arguments: object, wait_s: float = 120) -> dict[str, Any]:
    """A part that needs a process of its own (its own reactor, its own collector)."""
    done = subprocess.run(
        procs.python(module, *arguments), capture_output=True, cwd=procs.ROOT, timeout=wait_s, check=False
    )
    if done.returncode:
        raise procs.DidNotStart(f"{module}：{done.stderr.decode('utf-8', 'replace')[-400:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@click.command(help="性能测试：同一次运行中与 nginx、Node、twisted.web + Agent 裸代理逐轮交替比较。")
@click.option("--quick", is_flag=True, help="少跑几轮（90秒以内），数字较粗")
@click.option("--only", multiple=True, type=click.Choice(PARTS), help="只跑其中几项，可重复")
@click.option("--rounds", type=click.IntRange(1, 100), help="轮数")
@click.option("--consumables", type=click.IntRange(10_000, 9_999_999), help="耗材目录的行数；指标按3000000行")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), default=procs.ROOT / "var" / "bench.json")
def main(quick: bool, only: tuple[str, ...], rounds: int | None, consumables: int | None, out: Path) -> None:
    began = time.monotonic()
    size = QUICK if quick else FULL
    run = Run(procs.ROOT / "var" / "bench", attrs.evolve(size, rounds=rounds or size.rounds), _console())
    run.folder.mkdir(parents=True, exist_ok=True)
    parts = set(only or PARTS)
    if parts & {"rows", "openloop"}:
        run.part("rows", "请求：逐轮交替", lambda: run.requests(parts))
    folder = run.folder / "journal"
    if "journal" in parts:
        for path in folder.glob("journal.sqlite*"):
            path.unlink()
        run.part("journal", "日志", lambda: child("bench.journal", folder, size.journal_s))
    for name, title in CHILDREN.items():
        if name in parts:
            run.part(name, title, partial(child, f"bench.{name}"))
    if "idle" in parts:
        run.part("idle", "空闲节点：30万条对码", run.idle)
    if "swap" in parts:
        run.part("swap", "更换30万条对码", lambda: child("bench.swap", run.folder / "swap"))
    if "libraries" in parts:
        rows = consumables or size.consumables
        run.part(
            "libraries", f"国家目录：药品与耗材{rows}行",
            lambda: child("bench.libraries", run.folder / "libraries", "--rows", rows, wait_s=3600),
        )  # fmt: skip
    run.other["seconds"] = round(time.monotonic() - began, 1)
    report.show(run.console, run.table, run.other, proxying.NAMES, run.skipped)
    report.write(out, run.table, run.other, run.skipped)
    run.console.print(f"用时 {run.other['seconds']:.0f} 秒，结果写入 {out}")
    sys.exit(1 if run.failed or any(map(run.table.void, run.table.cells())) else 0)


if __name__ == "__main__":
    main()
