"""Suggestions for 2,000 local drugs among 250,000 national ones: `python -m bench.suggestions`.

Invented names, firms and numbers, seeded, in the shape of the published table: 5,000 substances by 2,500 firms, each
in several strengths and packs, so that a name alone fits dozens of rows, sometimes thousands. The local list is
abbreviated and mistyped. Counts the processor time of the whole command (reading both files, comparing, writing)
and the peak of the memory.
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

from gateway.app.suggest_work import suggest_files

NATIONAL, LOCAL = 250_000, 2_000
MEDICINES, FIRMS = 5_000, 2_500
DAY = "2026-03-15"
SYLLABLES = (
    "阿奥苯比布达地多厄法非氟复格环甲卡克拉利洛美莫奈诺帕普曲瑞沙舒司他坦特托维西辛依扎唑酮酯胺酸钠钙平林定宁星素"
)
FORMS = (
    ("片", "片剂", "片"),
    ("胶囊", "胶囊剂", "粒"),
    ("注射液", "注射液", "支"),
    ("缓释片", "缓释片", "片"),
    ("颗粒", "颗粒剂", "袋"),
)
COLUMNS = (
    "med_list_codg", "generic_name", "alias", "dosform", "spec", "pacspec", "min_unit", "pack_unit", "aprvno",
    "prodentp_name", "begndate", "enddate", "vali_flag", "replaced_by", "ver",
)  # fmt: skip


def national_rows(dice: random.Random, how_many: int) -> Iterator[dict[str, str]]:
    """Rows as the published table has them, one firm's product after the other."""
    firms = sorted(
        {
            "".join(dice.choices(SYLLABLES, k=3)) + dice.choice(["制药有限公司", "药业股份有限公司"])
            for _ in range(FIRMS)
        }
    )
    names = sorted({"".join(dice.choices(SYLLABLES, k=dice.randint(3, 7))) for _ in range(MEDICINES)})
    for number in range(how_many):
        # A few substances are made by hundreds of firms.
        name, (ending, form, unit) = names[int(len(names) * dice.random() ** 3)], dice.choice(FORMS)
        firm = dice.choice(firms)
        count, milligrams = dice.choice([6, 7, 10, 12, 14, 20, 24, 28]), dice.choice([5, 10, 20, 25, 50, 100, 250, 500])
        yield dict(
            med_list_codg=f"XA01AA{number // 1_000_000:01d}001A001{number:09d}",
            generic_name=name + ending, alias="", dosform=form, spec=f"{milligrams}mg", pacspec=f"{count}{unit}/盒",
            min_unit=unit, pack_unit="盒", aprvno=f"国药准字H{dice.randrange(10**8):08d}", prodentp_name=firm,
            begndate="2021-01-01", enddate="", vali_flag="1" if number % 25 else "0", replaced_by="", ver="F20260101",
        )  # fmt: skip


def local_row(dice: random.Random, number: int, row: dict[str, str]) -> dict[str, str]:
    """One row of the hospital: a character wrong now and then, an approval number in two of three."""
    name = row["generic_name"]
    at = dice.randrange(len(name))
    return {
        "local_code": f"YP{number:05d}",
        "local_name": name[:at] + dice.choice(SYLLABLES) + name[at + 1 :] if number % 4 == 0 else name,
        "local_spec": row["spec"] if number % 2 else row["spec"].replace("mg", "毫克"),
        "local_pack": row["pacspec"].replace("/", "*1") if number % 3 else row["pacspec"],
        "local_maker": row["prodentp_name"].replace("有限公司", "").replace("股份", ""),
        "local_aprvno": row["aprvno"][-9:] if number % 3 else "",
    }


def _write(path: Path, names: tuple[str, ...], rows: Iterator[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, names)
        writer.writeheader()
        writer.writerows(rows)


def set_up(folder: Path, national: int, local: int) -> tuple[Path, Path, dict[str, str]]:
    """Write both files; return them and the truth."""
    dice = random.Random(20260315)
    wanted = set(dice.sample([number for number in range(national) if number % 25], local))
    chosen = []

    def noted() -> Iterator[dict[str, str]]:
        for number, row in enumerate(national_rows(dice, national)):
            if number in wanted:
                chosen.append(row)
            yield row

    _write(folder / "national.csv", COLUMNS, noted())
    mine = [local_row(dice, number, row) for number, row in enumerate(chosen)]
    _write(folder / "local.csv", tuple(mine[0]), iter(mine))
    truth = {one["local_code"]: row["med_list_codg"] for one, row in zip(mine, chosen, strict=True)}
    return folder / "national.csv", folder / "local.csv", truth


@contextmanager
def _no_bar(file: Path, doing: str) -> Iterator[Callable[[int], None]]:
    yield lambda done: None


def measure(folder: Path, national: int = NATIONAL, local: int = LOCAL) -> dict[str, float]:
    """Processor seconds, how much of it was right, and the peak of the memory in MB."""
    theirs, mine, truth = set_up(folder, national, local)
    began = time.process_time()
    tally = suggest_files("drug", theirs, mine, folder / "out.csv", DAY, _no_bar)
    took = time.process_time() - began
    with (folder / "out.csv").open(encoding="utf-8", newline="") as stream:
        found = list(csv.DictReader(stream))
    right = sum(row["national_code"] == truth[row["local_code"]] for row in found)
    wrong = sum(row["confidence"] >= "0.95" and row["national_code"] != truth[row["local_code"]] for row in found)
    if len(found) != local:
        raise ValueError(f"建议{len(found)}条，应为{local}条")
    return {
        "national": national,
        "local": local,
        "cpu_s": round(took, 1),
        "right_ratio": right / local,
        "sure_ratio": tally.sure / local,
        "sure_wrong": wrong,
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(Path(folder), *map(int, sys.argv[1:3]))))


if __name__ == "__main__":
    main()
