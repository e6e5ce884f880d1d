"""Reconciliation of plain ledgers: `python -m bench.books [SETTLEMENTS]`, 100,000 in each of four unless told.

Invented settlements of remote patients, seeded; one in a thousand is missing somewhere, one in a thousand is a fen off.
Measures the work of `liangding books files` in this process: reading four CSV files, joining, deciding, writing all
four outputs. Beside it: reading a 3202 result of 100,000 rows.
"""

import csv
import json
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.app.books_files import write_all
from gateway.app.books_work import reconciled
from gateway.books.scope import Scope
from gateway.core.ledgers import AGY, COMPONENTS, GW, INST, NAMES, PROV
from gateway.core.money import yuan
from gateway.core.statement import read_result

SETTLEMENTS = 100_000
RESULT_ROWS = 100_000
DAY = "2026-03-15"
LEDGERS = (INST, GW, AGY, PROV)
HEAD = (
    "fixmedins_code", "setl_id", "prov_sn", "mdtrt_id", "psn_no", "msgid", "direction", "insutype", "clr_type",
    "clr_way", "clr_optins", "clr_pay_loc", "setl_time", *COMPONENTS,
)  # fmt: skip


def rows(dice: random.Random, how_many: int) -> Iterator[tuple[tuple[str, ...], int, int]]:
    """Yield (words before the amounts, medfee, fund) of each settlement; amounts in fen."""
    for number in range(how_many):
        code, second = f"H5108020{number % 500:04d}", dice.randrange(80_000)
        clock = f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
        words = (
            code, f"5100{number:014d}", f"A510800{number:012d}", f"5108{number:012d}1", f"51{number:014d}",
            f"{code}20260315{number:010d}", "0", "310", "11", "1", "510800", "3", f"{DAY} {clock}",
        )  # fmt: skip
        fee = dice.randrange(100, 200_000)
        yield words, fee, fee * dice.randrange(30, 90) // 100


def set_up(folder: Path, how_many: int) -> dict[int, Path]:
    """Write the ledgers; every thousandth settlement is missing in one of them or differs by a fen."""
    files = {ledger: folder / f"{NAMES[ledger]}.csv" for ledger in LEDGERS}
    streams = [path.open("w", encoding="utf-8", newline="") for path in files.values()]
    try:
        writers = [csv.writer(stream) for stream in streams]
        for writer in writers:
            writer.writerow(HEAD)
        for number, (words, fee, fund) in enumerate(rows(random.Random(20260315), how_many)):
            for ledger, writer in zip(LEDGERS, writers, strict=True):
                odd = number // 1000 % len(LEDGERS) == ledger
                if number % 1000 == 0 and odd:
                    continue
                told = fund + (number % 1000 == 1 and odd)
                fees = {"medfee_sumamt": fee, "fund_pay_sumamt": told, "hifp_pay": told, "psn_part_amt": fee - fund}
                writer.writerow((*words, *(yuan(fees.get(name, 0)) for name in COMPONENTS)))
    finally:
        for stream in streams:
            stream.close()
    return files


@contextmanager
def _no_bar(file: Path, doing: str) -> Iterator[Callable[[int], None]]:
    yield lambda done: None


def result_s(how_many: int = RESULT_ROWS) -> float:
    """Processor seconds to read a 3202 result (table 201 with its amounts) of so many rows."""
    text = "".join(
        f"51{number:014d}\tnull\tnull\tH5108020000120260315{number:010d}\t101\t0\tnull\t{yuan(number)}\t"
        f"{yuan(number // 2)}\t0.00\n"
        for number in range(how_many)
    )
    began = time.process_time()
    found = read_result(text, rows_max=how_many)
    spent = time.process_time() - began
    if found is None or len(found) != how_many:
        raise ValueError("3202结果没有读完")
    return round(spent, 2)


def measure(folder: Path, how_many: int = SETTLEMENTS) -> dict[str, float]:
    """Processor and clock seconds, rows a second, lines found, and the peak of the memory in MB."""
    files = set_up(folder, how_many)
    out = folder / "out"
    out.mkdir()
    scope = Scope(date=DAY, given=frozenset(files))
    began, clock = time.process_time(), time.perf_counter()
    with reconciled(files, scope, out, _no_bar, lambda text: None) as found:
        write_all(found, out)
    cpu, wall = time.process_time() - began, time.perf_counter() - clock
    if found.summary.keys != how_many:
        raise ValueError(f"对账{found.summary.keys}笔，应为{how_many}笔")
    return {
        "settlements": how_many,
        "cpu_s": round(cpu, 1),
        "wall_s": round(wall, 1),
        "rows_per_s": round(sum(found.counts.values()) / wall),
        "lines": sum(found.summary.classes.values()),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "result_100k_s": result_s(),
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(Path(folder), *map(int, sys.argv[1:2]))))


if __name__ == "__main__":
    main()
