"""Settlement lists of average size, checked by all rules: `python -m bench.lists`.

Counts the processor time of the whole command's work (reading the file of one list a line, checking, writing what was
found) and the peak of the memory. The lists are the delivered example, with more diagnoses and operations and one in
fifty faulty.
"""

import copy
import json
import resource
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


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(Path(folder), *map(int, sys.argv[1:2]))))


if __name__ == "__main__":
    main()
