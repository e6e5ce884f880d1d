"""National libraries at full size: `python -m bench.libraries FOLDER [--rows N]`.

A drug file of 300,000 and a consumable file of N rows, in the columns of their downloads (1301, 1306A: zip, TAB, no
header) and in no order of their codes, are imported by the real command in a process of its own; then records are
looked up as the hot path does, searched as a clerk does, and two versions are compared. Invented data.
"""

import io
import json
import random
import resource
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from adapters.store.codes import CodesStore
from adapters.store.codes_library_reader import LibraryLook
from bench import procs
from gateway.app.codes_files import SCRIPTS, code_systems, layouts
from gateway.codes import spelling
from gateway.codes.loading import LookedUp

DRUGS, CONSUMABLES = 300_000, 3_000_000
LOOKS, SEARCHES = 50_000, 20
_PARTS = ("一次性使用", "医用", "无菌", "骨科", "血管内", "可吸收", "自粘", "硅胶", "钛合金", "带线", "介入", "留置")
_THINGS = ("输液器", "注射针", "接骨板", "造影导管", "球囊扩张导管", "缝合线", "敷料", "透析器", "引流袋", "支架系统")
_GENERIC = (
    "阿莫西林",
    "头孢呋辛酯",
    "缬沙坦",
    "二甲双胍",
    "奥美拉唑",
    "布洛芬",
    "左氧氟沙星",
    "氨氯地平",
    "阿托伐他汀",
)
_FORMS = ("胶囊", "片", "注射液", "颗粒", "缓释片", "分散片", "口服溶液", "滴眼液", "软膏", "干混悬剂")


def consumable(number: int) -> str:
    """A code of 27 characters, distinct for every number below ten million."""
    return f"C{number % 1_000_000:06d}{number % 997:03d}{number % 99_991:05d}{number % 9_973:05d}{number:07d}"


def drug(number: int) -> str:
    """A Western drug's code of 23 characters, distinct for every number below a hundred million."""
    return f"XJ01CAA{number % 1000:03d}E{number // 1000 % 1000:03d}{number:09d}"


def _consumable_cells(number: int, ver: str) -> dict[str, str]:
    name = f"{_PARTS[number % 12]}{_PARTS[number // 12 % 12]}{_THINGS[number // 144 % 10]}"
    return {
        "医疗目录编码": consumable(number), "耗材名称": f"{name}{number % 401}型", "医保通用名": name,
        "医疗器械唯一标识码": f"069{number:011d}", "规格": f"{number % 90}mm",
        "规格型号": f"{number % 90}mm×{number % 37}cm", "耗材分类": "一次性使用医用耗材",
        "材质代码": f"{number % 99:02d}", "耗材材质": "聚氯乙烯", "包装规格": "1套/盒",
        "包装数量": "1", "包装单位": "盒", "最小使用单位": "套", "高值耗材标志": "0", "一次性使用标志": "1",
        "注册备案人名称": f"示例医疗器械{number % 5000}有限公司", "医疗器械管理类别": "2",
        "开始日期": "2023-01-01 00:00:00",
        "注册备案号": f"国械注准2023{number % 10_000_000:07d}", "注册备案产品名称": name, "有效标志": "1",
        "注册证有效期结束时间": "2028-12-31 00:00:00", "生产企业编号": f"{number % 9_973:05d}",
        "唯一记录号": f"{number:020d}",
        "生产企业名称": f"示例医疗器械{number % 5000}有限公司", "版本号": ver, "版本名称": f"V{ver}",
    }  # fmt: skip


def _drug_cells(number: int, ver: str) -> dict[str, str]:
    name = f"{_GENERIC[number % 9]}{_FORMS[number // 9 % 10]}"
    return {
        "医疗目录编码": drug(number), "药品通用名": name, "注册名称": name, "药品剂型名称": _FORMS[number // 9 % 10],
        "药品规格": f"0.{number % 90}g", "注册规格": f"0.{number % 90}g", "包装规格": f"{number % 48}粒/盒",
        "包装数量": "24",
        "最小制剂单位": "粒", "最小包装单位": "盒", "转换比": "24", "生产企业名称": f"示例药业{number % 3000}有限公司",
        "批准文号": f"国药准字H{number % 100_000_000:08d}", "开始日期": "2023-01-01 00:00:00", "有效标志": "1",
        "唯一记录号": f"{number:020d}", "版本号": ver, "版本名称": f"V{ver}", "数据更新时间": "2026-01-01 00:00:00",
    }  # fmt: skip


def download(path: Path, system: str, infno: str, rows: int, ver: str, first: int = 0) -> Path:
    """Write a download as the platform packs it: one text in a zip, GB18030, columns in the transaction's order."""
    (columns,) = layouts(code_systems()[system], infno)
    numbers = list(range(first, first + rows))
    random.Random(1).shuffle(numbers)
    cells = _drug_cells if system == "drug" else _consumable_cells
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open(f"{infno}.txt", "w", force_zip64=True) as raw,
        io.TextIOWrapper(raw, encoding="gb18030", newline="") as text,
    ):
        for number in numbers:
            one = cells(number, ver)
            text.write("\t".join([one.get(column, "null") for column in columns]) + "\n")
    return path


CONFIG = """
[node]
name = "bench"
data_dir = "{folder}"
[listen]
institutions = "tcp:1:interface=127.0.0.1"
[store]
url = "sqlite:{folder}/liangding.sqlite"
[platform.national]
url = "http://127.0.0.1:9/x"
[[institution]]
fixmedins_code = "H99010100001"
name = "示例医院"
link = "national"
allow_from = ["127.0.0.1/32"]
"""


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    began = time.perf_counter()
    return call(), time.perf_counter() - began


def imported(config: Path, system: str, infno: str, file: Path, rows: int) -> dict[str, float]:
    """Import by the command; seconds, and the most memory it had. Raises ValueError when rows are missing."""
    program = (
        "import json, resource, subprocess, sys; done = subprocess.run(sys.argv[1:], capture_output=True, text=True); "
        "print(json.dumps([done.returncode, done.stdout, done.stderr, "
        "resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss]))"
    )
    command = procs.python("gateway", "codes", "import", config, system, file, "--transaction", infno, "--json")
    child = [sys.executable, "-c", program, *command]
    done, took = timed(lambda: subprocess.run(child, capture_output=True, text=True, cwd=procs.ROOT, check=True))
    code, out, error, memory_kb = json.loads(done.stdout)
    if code or json.loads(out)["rows"] != rows:
        raise ValueError(f"导入{system}未完成：{error[-400:]}{out[-200:]}")
    return {"rows": rows, "seconds": took, "peak_mb": memory_kb / 1024, "us_per_row": took / rows * 1e6}


def looks(store: CodesStore, rows: int) -> dict[str, float]:
    """Look consumables up as a node does: one by one, in no order, after the system has the file's pages."""
    reader = store.tables()
    shelf = LookedUp(reader.shelf("consumable"))
    reader.close()
    dice = random.Random(2)
    wanted = [consumable(dice.randrange(rows)) for _ in range(LOOKS)]
    first = _each(shelf.get, wanted)
    again = _each(shelf.get, wanted)
    missing = _each(shelf.get, [f"C{n:026d}9" for n in range(LOOKS // 10)], found=False)
    return {
        "first_us": first[len(first) // 2], "median_us": again[len(again) // 2],
        "p99_us": again[len(again) * 99 // 100],
        "mean_us": sum(again) / len(again), "missing_us": missing[len(missing) // 2],
    }  # fmt: skip


def _each(get: Callable[[str], object], codes: Sequence[str], found: bool = True) -> list[float]:
    spent = []
    for code in codes:
        began = time.perf_counter_ns()
        record = get(code)
        spent.append((time.perf_counter_ns() - began) / 1000)
        if (record is not None) is not found:
            raise ValueError(f"目录查询不正确：{code}")
    return sorted(spent)


def searches(store: CodesStore) -> dict[str, float]:
    """Search as a clerk does; the slowest of each kind, ms."""
    questions = {"name": "球囊扩张", "two": "敷料", "one": "敷", "initials": "ycxsy", "code": consumable(77)[:12]}
    found = {}
    for kind, text in questions.items():
        reader = store.tables()
        look = LibraryLook.of(reader, "consumable")
        rows, took = timed(lambda text=text, look=look: _search(look, text))  # type: ignore[misc]
        reader.close()
        if not rows:
            raise ValueError(f"没有找到：{text}")
        found[f"{kind}_ms"] = took * 1000
    return found


def _search(look: LibraryLook, text: str) -> list[Any]:
    return look.search(text, spelling.question(text), lambda record: spelling.fits(text, record.name), 50)


def measure(folder: Path, rows: int) -> dict[str, Any]:
    """Everything, in a new folder that is taken away again. Raises ValueError, subprocess.SubprocessError, OSError."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        return dict(_measured(folder, rows))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _measured(folder: Path, rows: int) -> Iterator[tuple[str, Any]]:
    config = folder / "liangding.toml"
    config.write_text(CONFIG.format(folder=folder.absolute()), "utf-8")
    drugs = download(folder / "1301.zip", "drug", "1301", min(DRUGS, rows), "F1")
    yield "drug", imported(config, "drug", "1301", drugs, min(DRUGS, rows))
    file = download(folder / "1306A.zip", "consumable", "1306A", rows, "F1")
    yield "consumable", imported(config, "consumable", "1306A", file, rows)
    few = rows // 1000
    file = download(folder / "1306A-2.zip", "consumable", "1306A", few, "F2", first=rows - few // 2)
    yield "increment", imported(config, "consumable", "1306A", file, few)
    store = CodesStore.open(folder / "liangding-codes.sqlite", SCRIPTS)
    yield "store_mb", store.path.stat().st_size / 1e6
    yield "look", looks(store, rows)
    yield "search", searches(store)
    command = procs.python("gateway", "codes", "diff", config, "consumable", "--json", "--most", "0")
    done, took = timed(lambda: subprocess.run(command, capture_output=True, text=True, cwd=procs.ROOT, check=False))
    if done.returncode != 3 or json.loads(done.stdout)["changes"] != few - few // 2:
        raise ValueError(f"版本比较不正确：{done.stderr[-400:]}{done.stdout[-400:]}")
    yield "diff_s", took
    yield "own_peak_mb", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--rows", default=CONSUMABLES, type=click.IntRange(10_000, 9_999_999))
def main(folder: Path, rows: int) -> None:
    print(json.dumps(measure(folder, rows)))


if __name__ == "__main__":
    main()
