"""The load generator at a fixed rate (open loop), through a gateway on its own core to the bench's far end.

The latency is what the client sees, from the due time of a request: it holds the client's and the far end's time too.
Beside it stands the way to the platform and back as the gateway measured it (far end, two sockets and the gateway's own
reactor between). CPU and that mean are of the loop alone: looked at when it begins, after preparation.
"""

import json
import re
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

from bench import cpu, procs
from bench.bodies import HOSPITAL, PERSONS, PHARMACY
from bench.procs import Running

RATE = 1000
PREPARE_S = 120.0
BEGUN = "开始：".encode()  # what the load generator says when its loop begins
_sum = re.compile(r"^liangding_platform_seconds_(sum|count)(?:\{[^}]*\})? (\S+)$", re.MULTILINE)


Totals = tuple[float, float]
"""Seconds and number of exchanges with the platform since the gateway's start."""


def platform_totals(metrics: str) -> Totals:
    """Out of the exposition text; all links together."""
    total = {"sum": 0.0, "count": 0.0}
    for name, value in _sum.findall(metrics):
        total[name] += float(value)
    return total["sum"], total["count"]


def mean_ms(before: Totals, after: Totals) -> float | None:
    """Mean of the exchanges between two looks; None when there were none."""
    count = after[1] - before[1]
    return (after[0] - before[0]) / count * 1000 if count else None


def _look(admin: int) -> Totals:
    with urllib.request.urlopen(f"http://127.0.0.1:{admin}/metrics", timeout=5) as answer:
        return platform_totals(answer.read().decode())


def wait_begun(load: Running, seconds: float = PREPARE_S) -> None:
    """Wait until the load generator says that its loop begins, or ends before that; raises DidNotStart."""
    until = time.monotonic() + seconds
    while BEGUN not in load.log.read_bytes() and load.process.poll() is None:
        if time.monotonic() > until:
            raise procs.DidNotStart("压力机没有准备好")
        time.sleep(0.02)


def run(gateway: Running, admin: int, folder: Path, core: set[int], seconds: int, rate: int = RATE) -> dict[str, Any]:
    """Run it; raises DidNotStart when the load generator fails."""
    report = folder / "load.json"
    command = procs.python(
        "simulators", "load", "--gateway", f"http://127.0.0.1:{gateway.port}", "--rate", rate, "--seconds", seconds,
        "--connections", 64, "--persons", PERSONS, "--institution", HOSPITAL, "--institution", PHARMACY,
        "--json", report,
    )  # fmt: skip
    load = procs.start("load", command, 0, core, folder)
    try:
        wait_begun(load)
        before, seen = gateway.spent(), _look(admin)
        load.process.wait(seconds + 120)
    except subprocess.TimeoutExpired as cause:
        raise procs.DidNotStart("压力机超时") from cause
    finally:
        load.stop()
    used = cpu.between(before, gateway.spent())
    if load.process.returncode != 0 or not report.exists():
        raise procs.DidNotStart(f"压力机失败：{load.log.read_text('utf-8', 'replace')[-400:]}")
    found: dict[str, Any] = json.loads(report.read_text("utf-8"))
    return found | {
        "rate": rate,
        "platform_mean_ms": mean_ms(seen, _look(admin)),
        "gateway_cpu_us": used.total / 1000 / found["sent"],
        "void": found["done"] != found["sent"],
    }
