"""What a node costs that does nothing: memory and start with 300,000 mappings; and translation look-ups alone."""

import csv
import gc
import json
import random
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import cpu, node, procs
from bench.bodies import HOSPITAL
from gateway.core.codes import NO_LIBRARIES, Row, Snapshot, build_snapshot

MAPPINGS = 300_000
READY_S = 30.0
LOOKUPS = 400_000
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
    """Import, start, wait until ready, let it idle, weigh."""
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
        time.sleep(3)
        found = {
            "mappings": MAPPINGS, "import_s": imported, "start_s": ready, "start_cpu_s": used,
            "rss_mb": cpu.memory_kb(one.process.pid) / 1024,
            "peak_mb": cpu.memory_kb(one.process.pid, "VmHWM") / 1024,
            "rows_in_force": _rows(admin),
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


def _rows(admin: int) -> bool:
    """Whether the last mapping is really in force: the node is asked for it."""
    last = MAPPINGS - 1
    query = f"institution={HOSPITAL}&code=YP{last:07d}&date={DAY}"
    with urllib.request.urlopen(f"http://127.0.0.1:{admin}/api/v1/codes/drug/$translate?{query}", timeout=5) as answer:
        return national(last).encode() in answer.read()


def lookups(how_many: int = LOOKUPS) -> dict[str, float]:
    """Look-ups a second among 300,000 rows, hits in random order: as the plans do them, and by the full rules."""
    rows = (Row("drug", f"YP{n:07d}", national(n), "2024-01-01", "", "m1") for n in range(MAPPINGS))
    snapshot = build_snapshot(rows, NO_LIBRARIES)
    gc.collect()
    gc.freeze()
    dice = random.Random(1)
    wanted = [f"YP{dice.randrange(MAPPINGS):07d}" for _ in range(how_many)]
    found = {"look_up_per_s": _timed(how_many, lambda: _exact(snapshot, wanted))}
    found["in_plan_per_s"] = _timed(how_many, lambda: _as_plans_do(snapshot, wanted))
    return found


def _timed(how_many: int, call: Callable[[], int]) -> float:
    call()
    began = time.process_time()
    hits = call()
    took = time.process_time() - began
    assert hits == how_many
    return how_many / took


def _exact(snapshot: Snapshot, wanted: list[str]) -> int:
    look_up = snapshot.look_up
    return sum(1 for code in wanted if look_up("item", code, DAY) is not None)


def _as_plans_do(snapshot: Snapshot, wanted: list[str]) -> int:
    get = snapshot.tables["item"].get
    hits = 0
    for code in wanted:
        entry = get(code)
        if type(entry) is tuple and entry[1] <= DAY <= entry[2]:
            hits += 1
    return hits


if __name__ == "__main__":
    print(json.dumps(lookups()))
