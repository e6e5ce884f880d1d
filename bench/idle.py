"""What a node costs that does nothing: memory and start with 300,000 mappings."""

import csv
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import cpu, node, procs
from bench.bodies import HOSPITAL

MAPPINGS = 300_000
READY_S = 30.0
DAY = "2026-03-15"


def national(number: int) -> str:
    """A drug code of national form (23 characters); invented, distinct for 0..999,999."""
    return f"XN02BEY{number // 1000:03d}A001{number % 1000:03d}010101"


def write_mapping(path: Path, how_many: int) -> None:
    """A mapping CSV (contract §7)."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("local_code", "national_code", "valid_from", "valid_to", "evidence"))
        for number in range(how_many):
            writer.writerow((f"YP{number:07d}", national(number), "2024-01-01", "", "bench"))


def start_and_weigh(folder: Path, core: set[int], target: int, say: Callable[[str], object]) -> dict[str, Any]:
    """In a new folder: import, start, wait until ready, let it idle, weigh. Raises DidNotStart, OSError.

    A store of an earlier run would be imported into a second time, and weigh twice as much.
    """
    shutil.rmtree(folder, ignore_errors=True)
    config, port, admin = node.write_config(folder, target, None)
    file = folder / "mapping.csv"
    write_mapping(file, MAPPINGS)
    say(f"导入 {MAPPINGS} 条对码")
    began = time.perf_counter()
    people = ["--maker", "bench-maker", "--reviewer", "bench-reviewer"]
    node.liangding(["codes", "map", "import", str(config), HOSPITAL, "drug", str(file), *people])
    imported = time.perf_counter() - began
    began = time.perf_counter()
    one = procs.start("idle", procs.python("gateway", "run", config), 0, core, folder)
    try:
        one.port = port
        procs.wait_listening(one, READY_S)
        _wait_ready(admin, began)
        ready = time.perf_counter() - began
        used = cpu.between({}, one.spent()).total / 1e9
        check_in_force(admin)
        time.sleep(3)
        found = {
            "mappings": MAPPINGS, "import_s": imported, "start_s": ready, "start_cpu_s": used,
            "rss_mb": cpu.memory_kb(one.process.pid) / 1024,
            "peak_mb": cpu.memory_kb(one.process.pid, "VmHWM") / 1024,
        }  # fmt: skip
    finally:
        one.stop()
    return found


def _wait_ready(admin: int, began: float) -> None:
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{admin}/readyz", timeout=2).close()
            return
        except (urllib.error.URLError, OSError):
            if time.perf_counter() - began > READY_S:
                raise
            time.sleep(0.02)


def check_in_force(admin: int) -> None:
    """Ask the node for the last mapping: one that weighs nothing because it has none is no result."""
    last = MAPPINGS - 1
    query = f"institution={HOSPITAL}&code=YP{last:07d}&date={DAY}"
    with urllib.request.urlopen(f"http://127.0.0.1:{admin}/api/v1/codes/drug/$translate?{query}", timeout=5) as answer:
        if national(last).encode() not in answer.read():
            raise procs.DidNotStart("节点没有装入全部对码")
