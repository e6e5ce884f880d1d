"""A node's latency while the books are reconciled beside it: `python -m bench.beside FOLDER [--settlements N]`.

The open loop twice by turns, alone and beside `liangding books files` on N settlements in each of four ledgers, with
one thread, in a process as a node begins its own (`gateway.app.child_process`: niced, let run a quarter of the time)
but for the first seconds. Node on one core, load generator and far end on the other; the reconciliation may use both,
as it would. Ledgers that are in the folder already are used again.
"""

import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import click

from bench import books, cpu, node, openloop, procs
from bench.procs import Running
from gateway.core.ledgers import NAMES

MILLION = 1_200_000
SECONDS, PAIRS = 10, 3
# Paced from its beginning: what is measured is not over when its first seconds are.
_PACED = (
    "import runpy; from gateway.app import child_process; child_process.begin(0.0); "
    "runpy.run_module('gateway', run_name='__main__', alter_sys=True)"
)
SHARES = ("p50_ms", "p99_ms", "p999_ms")


def reconciliation(folder: Path, ledgers: Path) -> Running:
    """Start it; whether it has ended, and how, is seen by its process."""
    files = [f"{NAMES[ledger]}={ledgers / NAMES[ledger]}.csv" for ledger in books.LEDGERS]
    words = ["--date", books.DAY, "--out", folder / "reconciled", "--threads", 1, "--memory-mb", 1200]
    command = [sys.executable, "-c", _PACED, "books", "files", "--ledger", *files, *map(str, words)]
    cores = {core for one in cpu.cores() for core in one}
    return procs.start("books", command, 0, cores, folder, stdin=subprocess.PIPE)


def measure(folder: Path, settlements: int, seconds: int, pairs: int, rate: int) -> dict[str, Any]:
    """Medians of the latencies, alone and beside; void when a request failed or a reconciliation ended before it."""
    ledgers = folder / f"ledgers{settlements}"
    if not ledgers.exists():
        ledgers.mkdir(parents=True)
        books.set_up(ledgers, settlements)
    core, other = cpu.cores()
    far = procs.start_far_end(folder, other)
    prepared = node.prepare(folder / "node", far.port)
    gateway = node.start("gateway", prepared, core)
    found: dict[str, list[dict[str, Any]]] = {"alone": [], "beside": []}
    cut_short = 0
    try:
        for number in range(2 * pairs):
            kind = "beside" if number % 2 else "alone"
            work = reconciliation(folder, ledgers) if kind == "beside" else None
            try:
                found[kind].append(openloop.run(gateway, prepared.admin, folder, other, seconds, rate))
                cut_short += work is not None and work.process.poll() is not None
            finally:
                if work is not None:
                    work.stop()
    finally:
        gateway.stop()
        far.stop()
    told: dict[str, Any] = {
        kind: {share: statistics.median(one[share] for one in runs) for share in SHARES} for kind, runs in found.items()
    }
    ratios = [b["p99_ms"] / a["p99_ms"] for a, b in zip(found["alone"], found["beside"], strict=True)]
    return told | {
        "settlements": settlements,
        "rate": rate,
        "p99_ratio": round(statistics.median(ratios), 2),
        "p99_ratios": [round(ratio, 2) for ratio in ratios],
        "void": bool(cut_short) or any(one["void"] for runs in found.values() for one in runs),
    }


@click.command(help="节点在对账进行时的延迟：开环压力，单独与对账并行交替")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--settlements", type=click.IntRange(1_000), default=MILLION, show_default=True)
@click.option("--seconds", type=click.IntRange(2, 60), default=SECONDS, show_default=True)
@click.option("--rate", type=click.IntRange(1, 5_000), default=openloop.RATE, show_default=True)
@click.option("--pairs", type=click.IntRange(1, 20), default=PAIRS, show_default=True)
def main(folder: Path, settlements: int, seconds: int, pairs: int, rate: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    try:
        found = measure(folder, settlements, seconds, pairs, rate)
    except (procs.DidNotStart, subprocess.SubprocessError, OSError) as cause:
        print(cause, file=sys.stderr)
        sys.exit(1)
    print(json.dumps(found))
    sys.exit(1 if found["void"] else 0)


if __name__ == "__main__":
    main()
