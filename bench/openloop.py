"""The load generator at a fixed rate (open loop), through a gateway on its own core to the bench's far end.

The latency is what the client sees, so it holds the client's and the far end's time too; the far end's part is told
beside it, from the gateway's own histogram.
"""

import json
import re
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

from bench import cpu, procs
from bench.bodies import HOSPITAL, PERSONS, PHARMACY
from bench.procs import Running

RATE = 1000
_sum = re.compile(r"^liangding_platform_seconds_(sum|count)(?:\{[^}]*\})? (\S+)$", re.MULTILINE)


def platform_mean_ms(metrics: str) -> float:
    """Mean time between a request leaving and its answer, out of the exposition text."""
    total: dict[str, float] = {"sum": 0.0, "count": 0.0}
    for name, value in _sum.findall(metrics):
        total[name] += float(value)
    return total["sum"] / total["count"] * 1000 if total["count"] else 0.0


def run(gateway: Running, admin: int, folder: Path, core: set[int], seconds: int) -> dict[str, Any]:
    """Run it; raises DidNotStart when the load generator fails."""
    report = folder / "load.json"
    command = procs.python(
        "simulators", "load", "--gateway", f"http://127.0.0.1:{gateway.port}", "--rate", RATE, "--seconds", seconds,
        "--connections", 64, "--persons", PERSONS, "--institution", HOSPITAL, "--institution", PHARMACY,
        "--json", report,
    )  # fmt: skip
    before = gateway.spent()
    load = procs.start("load", command, 0, core, folder)
    try:
        load.process.wait(seconds + 120)
    except subprocess.TimeoutExpired as cause:
        raise procs.DidNotStart("压力机超时") from cause
    finally:
        load.stop()
    if load.process.returncode != 0 or not report.exists():
        raise procs.DidNotStart(f"压力机失败：{load.log.read_text('utf-8', 'replace')[-400:]}")
    used = cpu.between(before, gateway.spent())
    found: dict[str, Any] = json.loads(report.read_text("utf-8"))
    with urllib.request.urlopen(f"http://127.0.0.1:{admin}/metrics", timeout=5) as answer:
        found["platform_mean_ms"] = platform_mean_ms(answer.read().decode())
    found["rate"] = RATE
    found["gateway_cpu_s"] = used.total / 1e9
    return found
