"""A month frozen and cleared: `python -m bench.month [SETTLEMENTS]`, 100,000 in each of three ledgers unless told.

Invented settlements of one institution over the days of a month, seeded: four groups, a refund in fifty, a carried
record in two thousand. Measures freezing every day, verifying all of it, and building the applications; the sums are
compared with what was invented, per fund, to the fen.
"""

import csv
import json
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

from adapters.crypto.digest import sm3
from adapters.crypto.sm2 import Sm2Signer
from adapters.store.books import BooksStore
from adapters.store.books_freeze_writer import FreezeWriter
from adapters.store.books_month import MonthWriter
from gateway.app.books_freezing import carry_out, content, plan, read_through, verify
from gateway.app.books_month_work import build
from gateway.app.books_shelf import SCRIPTS
from gateway.books.month import Content, days_of
from gateway.core.ledgers import COMPONENTS
from gateway.core.money import yuan

SETTLEMENTS = 100_000
MONTH, CODE = "2026-03", "H51080200001"
LEDGERS = ("AGY", "GW", "INST")
HEAD = (
    "fixmedins_code", "setl_id", "mdtrt_id", "psn_no", "msgid", "direction", "insutype", "clr_type", "clr_optins",
    "clr_pay_loc", "setl_time", *COMPONENTS,
)  # fmt: skip


def day_files(folder: Path, day: str, first: int, count: int, dice: random.Random, truth: Counter[str]) -> list[Path]:
    """Write the three ledgers of a day; add what must be cleared to truth. Every 2,000th is carried, later."""
    files = [folder / f"{name}-{day}.csv" for name in LEDGERS]
    streams = [path.open("w", encoding="utf-8", newline="") for path in files]
    writers = [csv.writer(stream) for stream in streams]
    for writer in writers:
        writer.writerow(HEAD)
    for number in range(first, first + count):
        fee = dice.randrange(100, 200_000)
        hifp, hifes = fee * dice.randrange(30, 80) // 100, fee // 20
        fees = {"medfee_sumamt": fee, "fund_pay_sumamt": hifp + hifes, "hifp_pay": hifp, "hifes_pay": hifes,
                "psn_part_amt": fee - hifp - hifes, "psn_cash_pay": fee - hifp - hifes}  # fmt: skip
        clr_type = "21" if number % 4 else "11"
        words = (CODE, f"5100{number:014d}", f"51{number:012d}", f"51{number:014d}", f"{CODE}{number:018d}")
        group = ("390" if number % 3 else "310", clr_type, "510800", "2", f"{day} 09:00:00")
        for direction in (0, 1) if number % 50 == 7 else (0,):
            sign = -1 if direction else 1
            cells = [yuan(sign * fees[name]) if name in fees else "" for name in COMPONENTS]
            for writer in writers:
                writer.writerow((*words, direction, *group, *cells))
            if number % 2000:
                for name, fen in fees.items():
                    truth[f"{clr_type}/{group[0]}/{name}"] += sign * fen
    for stream in streams:
        stream.close()
    return files


def hand_in(writer: FreezeWriter, folder: Path, day: str, files: list[Path], count: int, first: int) -> None:
    """Say what a run of the day would have left, the carried records included."""
    base = writer.connection
    with writer.transaction():
        run = sm3(day.encode()).hex()
        base.execute("INSERT INTO recon_run VALUES (?,'care',?,1,0,1,0,'{}')", (run, day))
        base.execute("INSERT INTO recon_day VALUES ('care',?,?,'AGREED_WITH_CARRY',1,0,'')", (CODE, day))
        for name, path in zip(LEDGERS, files, strict=True):
            values = (name, CODE, day, "file", sm3(path.read_bytes()).hex(), count, 1, "{}", path.name, "bench", 0)
            number = base.execute(
                "INSERT INTO input (ledger, scope, biz_date, source, sm3, rows, complete, sums, path, who, at_ms) "
                "VALUES (?,?,?,?,?,?,?,?,?,?,?)",
                values,
            ).lastrowid
            base.execute("INSERT INTO run_input VALUES (?,?)", (run, number))
        for number in range(first - first % -2000, first + count, 2000):
            key = f"5100{number:014d}"
            row = (f"d{key}", "care", CODE, day, "L1", "AMOUNT", "", "TWO", "CASE", "AGY", key, "", CODE, "", None,
                   None, "", 0, 1, 1, "CARRIED", 0, None)  # fmt: skip
            base.execute(f"INSERT INTO diff VALUES ({','.join('?' * len(row))})", row)


def measure(folder: Path, how_many: int = SETTLEMENTS, busy_days: int = 31) -> dict[str, float]:
    """Seconds of each step, rows and applications, the store's size and the peak of the memory in MB.

    busy_days: the settlements are of so many days. Raises ValueError where the sums are not what was invented.
    """
    dice, truth, signer = random.Random(20260301), Counter[str](), Sm2Signer.of(b"b" * 32)
    days = days_of(MONTH)
    took = {"freeze_s": 0.0, "verify_s": 0.0, "build_s": 0.0}
    with closing(BooksStore.open(folder / "bench-books.sqlite", SCRIPTS)) as store:
        writer = FreezeWriter(store.connection)
        done = rows = 0
        for at, day in enumerate(days):
            count = how_many * min(at + 1, busy_days) // busy_days - done
            files = day_files(folder, day, done, count, dice, truth)
            hand_in(writer, folder, day, files, count, done)
            began = time.perf_counter()
            planned = plan(writer, folder, "care", CODE, day, province=False)
            approved = content(planned, read_through(planned))
            rows += carry_out(writer, planned, approved, ("li", "wang", 1), signer, 1, True).rows
            took["freeze_s"] += time.perf_counter() - began
            done += count
            for path in files:
                path.unlink()
        began = time.perf_counter()
        findings = verify(writer, signer)
        took["verify_s"] = time.perf_counter() - began
        began = time.perf_counter()
        made = build(MonthWriter(store.connection), ("care", CODE, MONTH), "qian", 1).applications
        took["build_s"] = time.perf_counter() - began
    found = Counter[str]()
    for row in made:
        for name, fen in Content.read(row.content).sums.items():
            found[f"{row.clr_type}/{row.insutype}/{name}"] += fen
    if findings or +found != +truth:
        raise ValueError(f"固化{len(findings)}处不成立，或清算合计与明细不符")
    size = (folder / "bench-books.sqlite").stat().st_size
    return {
        "settlements": how_many, "rows": rows, "applications": len(made),
        **{name: round(seconds, 1) for name, seconds in took.items()},
        "store_mb": round(size / 1e6), "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }  # fmt: skip


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(Path(folder), *map(int, sys.argv[1:2]))))


if __name__ == "__main__":
    main()
