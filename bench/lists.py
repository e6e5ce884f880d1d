"""Settlement lists of average size, checked by all rules, and imported: `python -m bench.lists [LISTS]`.

Checking counts the processor time of the whole command's work (reading the file of one list a line, checking, writing
what was found) and the peak of the memory. Importing is the real command in a process of its own, from the file to the
sealed pieces and the findings on disk: its seconds, its processor time, its peak. The lists are the delivered example,
with more diagnoses and operations and one in fifty faulty.
"""

import copy
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import schemas
from adapters.files.whole import written_whole
from gateway.app.lists_form import Sheet
from gateway.app.lists_work import check_file, line_of, means_for
from gateway.lists.reading import Finding

LISTS = 20_000
FAULTY_EVERY = 50
DIAGNOSES, OPERATIONS = 30, 8
_CONFIG = """
[node]
name = "bench"
data_dir = "data"
[listen]
institutions = "tcp:8080:interface=127.0.0.1"
[store]
url = "sqlite:data/journal.sqlite"
[platform.national]
url = "http://127.0.0.1:9000/x"
[[institution]]
fixmedins_code = "{hospital}"
name = "bench"
link = "national"
allow_from = ["127.0.0.1/32"]
"""


def average() -> dict[str, Any]:
    """A list of about 9 kB."""
    tree: dict[str, Any] = copy.deepcopy(
        json.loads((schemas.ROOT / "settlement_list" / "examples.json").read_bytes())["good"]
    )
    other = tree["diseinfo"].pop()
    tree["diseinfo"] += [{**other, "diag_code": f"I10.x00x{number:03}"} for number in range(DIAGNOSES - 1)]
    first = tree["oprninfo"][0]
    tree["oprninfo"] += [
        {**first, "oprn_oprt_type": "2", "oprn_oprt_code": f"51.23{number:02}"} for number in range(1, OPERATIONS)
    ]
    tree["setlinfo"] |= {"diag_code_cnt": str(DIAGNOSES), "oprn_oprt_code_cnt": str(OPERATIONS)}
    return tree


def set_up(file: Path, lists: int) -> int:
    """Write the file; return how many bytes an average list has."""
    tree = average()
    with file.open("w", encoding="utf-8") as stream:
        for number in range(lists):
            tree["setlinfo"] |= {"mdtrt_id": f"M{number}"}
            tree["setlinfo"] |= {"setl_id": f"S{number}", "bill_no": "" if number % FAULTY_EVERY == 0 else "0012345678"}
            stream.write(json.dumps(tree, ensure_ascii=False) + "\n")
    return file.stat().st_size // lists


def measure(folder: Path, lists: int = LISTS) -> dict[str, float]:
    """Milliseconds of processor a list, and the peak of the memory in MB. Raises ValueError when findings are wrong."""
    size = set_up(folder / "lists.jsonl", lists)
    means = means_for("collected", {})
    sheets: list[Sheet] = []
    began = time.process_time()
    with written_whole(folder / "found.jsonl") as out:

        def tell(number: int, one: Finding) -> None:
            out.write(line_of(number, one) + b"\n")

        tally = check_file(folder / "lists.jsonl", means, tell, sheets, lambda done: None)
    took = time.process_time() - began
    if (tally.lists, tally.errors) != (lists, -(-lists // FAULTY_EVERY)):
        raise ValueError(f"清单{tally.lists}份，问题{tally.errors}处")
    return {
        "lists": lists,
        "bytes": size,
        "list_ms": round(took * 1000 / lists, 3),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def measure_import(folder: Path, lists: int = LISTS) -> dict[str, float]:
    """Seconds, seconds of processor and peak memory of `liangding lists import`. Raises ValueError for wrong counts."""
    set_up(folder / "lists.jsonl", lists)
    config = folder / "gateway.toml"
    config.write_text(_CONFIG.format(hospital=average()["setlinfo"]["fixmedins_code"]), "utf-8")
    words = [
        "lists",
        "import",
        str(config),
        average()["setlinfo"]["fixmedins_code"],
        str(folder / "lists.jsonl"),
        "--json",
    ]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run([sys.executable, "-m", "gateway", *words], capture_output=True, check=False)
    took, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    told = json.loads(done.stdout or b"{}")
    if (told.get("taken"), told.get("errors")) != (lists, -(-lists // FAULTY_EVERY)):
        raise ValueError(f"清单{told}，{done.stderr.decode()[-500:]}")
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "import_s": round(took, 1),
        "import_cpu_s": round(cpu_s, 1),
        "import_list_cpu_ms": round(cpu_s * 1000 / lists, 3),
        "import_peak_rss_mb": round(after.ru_maxrss / 1024),
    }


def main() -> None:
    lists = int(sys.argv[1]) if sys.argv[1:] else LISTS
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(Path(folder), lists) | measure_import(Path(folder), lists)))


if __name__ == "__main__":
    main()
