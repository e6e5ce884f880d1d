"""The engine on Spark beside the embedded one: the same bytes out of the same files, the same faults of bad ones.

One Spark for the module, in this machine, reachable by itself only; its plans are interpreted, for compiling them takes
far longer than these ledgers.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
import scenarios
import test_books_bad_files
import test_books_engine
import test_books_files
import test_books_guards
import test_books_readings
import test_books_status_first
from desk import DAY, HOSPITAL, Cells, Desk, settled, text
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.ledgers import spark_home
from adapters.ledgers.engine import Engine, Limits
from adapters.ledgers.source import LedgerRefused
from adapters.ledgers.steps import Steps
from gateway.core.ledgers import BLANKS, COMPONENTS, NAMES, STATUSES

pytestmark = [
    pytest.mark.spark,
    pytest.mark.timeout(300),
    pytest.mark.xdist_group("spark"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # Spark's own sockets
]
MODULES = (test_books_readings, test_books_guards, test_books_status_first, test_books_files, test_books_engine)


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A session every run of this module borrows. `make test` installs what it needs; without it nothing is proved."""
    assert not spark_home.missing(), spark_home.missing()
    quick = {
        "spark.sql.codegen.wholeStage": "false", "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m -XX:+UseSerialGC",
    }  # fmt: skip
    limits = Limits(threads=2, memory_mb=1024)
    with spark_home.session(tmp_path_factory.mktemp("spark"), limits, quick) as session:
        yield session


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def both(desk: Desk, ledgers: Any, *options: str) -> dict[str, bytes]:
    """Run both engines; return what the embedded one wrote, which is what the other one wrote."""
    written = []
    for engine in ("duckdb", "spark"):
        desk.out = desk.folder / engine
        desk.run(ledgers, *options, "--engine", engine)
        assert desk.result is not None and desk.result.exit_code in (0, 3), desk.result.stderr
        written.append({path.name: path.read_bytes() for path in desk.out.iterdir()})
    for name, content in written[0].items():
        assert written[1][name] == content, name
    assert len(written[0]) == 4 and written[0].keys() == written[1].keys()
    return written[0]


@pytest.mark.parametrize(
    ("names", "options", "tests"),
    [
        (NAMES, (), 85),
        (("INST", "GW", "AGY"), (), 60),
        (("PROV", "INS"), (), 1),
        (NAMES, ("--incomplete", "INST"), 2),
        (("INST", "GW", "AGY", "PROV"), ("--incomplete", "INST", "--incomplete", "PROV"), 1),
    ],
)
def test_every_scenario_of_this_folder_gives_the_same_bytes(
    desk: Desk, spark: Any, names: tuple[str, ...], options: tuple[str, ...], tests: int
) -> None:
    """Thousands of keys at once: what the other tests lay down, each with keys of its own."""
    ledgers, count = scenarios.gathered(names, options, *MODULES)
    assert count >= tests
    assert both(desk, ledgers, *options)["differences.csv"].count(b"\n") > tests


AMOUNTS = ["", "0", "-0.00", "0.1", "10.00", "10.01", "-10.00", "99999999999999.99", "null", "10.00\u3000"]
TIMES = [
    "", DAY, f"{DAY} 10:00:00", f"{DAY} 10:01:01", f"{DAY} 23:59:59", "2026-03-14 23:50:00", "2026-03-16 00:10:00",
    "2026-03-20 08:00:00", "1969-12-31 23:59:59",
]  # fmt: skip
ODD_KEYS = ["", "", "结算１", "S 1", 'S"1', "S,1", "ſ", "𝄞", "S1\u3000", "\xa0S2", "\tS3 ", "\u200bS4", "S5\x85"]


def row(dice: Any, name: str) -> Cells:
    """A row of few keys, so that many meet, with whatever a cell may hold."""

    def few(letter: str) -> str:
        return dice.choice(["", "", *(f"{letter}{number}" for number in range(12))])

    cells = {
        "setl_id": dice.choice([*(f"S{number}" for number in range(12)), *ODD_KEYS]),
        "fixmedins_code": HOSPITAL, "msgid": few("M"), "prov_sn": few("N"), "mdtrt_id": few("V"), "psn_no": few("P"),
        "insutype": dice.choice(["310", "390", " 310 ", "\u2003310\t"]), "chrg_bchno": few("B"),
        "clr_pay_loc": dice.choice(["2", "3", ""]), "clr_optins": dice.choice(["510800", "", "a/b", "510"]),
        "direction": dice.choice(["", "0", "0", "1"]), "status": dice.choice(STATUSES[: 7 if name == "GW" else 3]),
        "delivered": dice.choice(["", "1", "0"]), "setl_time": dice.choice(TIMES),
        "medfee_sumamt": dice.choice(AMOUNTS), "acct_pay": dice.choice(AMOUNTS), COMPONENTS[-1]: dice.choice(AMOUNTS),
    }  # fmt: skip
    return cells if cells["setl_id"] or cells["msgid"] or cells["prov_sn"] else cells | {"setl_id": "S0"}


@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck), database=None, derandomize=True)
@given(dice=st.randoms(use_true_random=True))
def test_whatever_ledgers_say_both_engines_say_the_same(desk: Desk, spark: Any, dice: Any) -> None:
    ledgers = {name: [row(dice, name) for _ in range(40)] for name in NAMES}
    assert both(desk, ledgers)["differences.csv"].count(b"\n") > 5


def loaded(engine: Steps, path: Path) -> tuple[Any, ...]:
    """What an engine makes of one file: its rows in order, or the faults."""
    try:
        count = engine.load(2, path, lambda done: None)
    except LedgerRefused as cause:
        return cause.faults, cause.more
    columns = (
        "k, named, t_fixmedins_code, t_msgid, t_invono, direction, status, delivered, day, second, a_medfee_sumamt"
    )
    rows = engine._fetched(f"SELECT {columns} FROM ledger_rows")
    return count, sorted(map(tuple, rows), key=str)


HEAD = test_books_bad_files.HEAD
GOOD = test_books_bad_files.GOOD
# Of the cases of `test_books_bad_files`, those a reader could see differently, and some only this one could.
ODD = [
    HEAD + GOOD.replace("S1", "S1,"),
    HEAD + GOOD + "\n" + GOOD,
    HEAD + GOOD.replace("1.00", "1e3"),
    HEAD + GOOD.replace("1.00", "１２"),
    HEAD + GOOD.replace("2026-03-15 10:00:00", "2026-02-30 10:00:00"),
    HEAD + GOOD.replace("2026-03-15 10:00:00", "0000-01-01"),
    HEAD + GOOD.replace("S1", "null").replace("H1", '"null"'),
    HEAD + GOOD.replace("S1", "S" * 1001),
    HEAD + GOOD.replace("S1", '"S1"x').replace("H1", '"H1"'),
    HEAD + GOOD.replace("S1", 'S"1').replace("H1", 'H"1'),
    (HEAD + GOOD).encode() + "H1,西,1.00,,0,\n".encode("gb18030"),
    (HEAD + GOOD).replace("\n", "\r\n")[:-2],
    "\ufeff" + HEAD + GOOD + GOOD.replace("H1", "\ufeffH1"),
    HEAD + "".join(GOOD.replace("S1", f"{one} S{ord(one)}{one}").replace("H1", f"H1{one}") for one in BLANKS),
    HEAD + GOOD.replace("1.00", "1.00\u3000").replace("S1", "\xa0S1\t").replace("SETTLED", "\u2003null"),
    HEAD + GOOD.replace("1.00", " 1.00 ").replace("S1", ' " S1 " ').replace('" ', '"').replace(' "', '"'),
    '"setl_id",fixmedins_code,"setl_time","medfee_sumamt",status,direction\n"S1","H1",2026-03-15,"1",,\n',
    HEAD.replace("fixmedins_code", "invono") + GOOD.replace("H1", '"a ""quoted"",\n\\name\t"'),
    "setl_id,msgid\nsetl_id,msgid\nS1,a\\\n",
    "setl_id\n\n",
    "setl_id\n",
]


@pytest.mark.parametrize("content", ODD, ids=range(len(ODD)))
def test_files_are_understood_and_refused_alike(desk: Desk, spark: Any, content: str | bytes) -> None:
    from adapters.ledgers.spark import SparkEngine

    path = desk.file("AGY.csv", content)
    folders = [desk.folder / name for name in ("one", "other")]
    for folder in folders:
        folder.mkdir()
    told = loaded(Engine(folders[0], DAY, 0), path)
    assert loaded(SparkEngine(folders[1], DAY, spark), path) == told


def test_parquet_is_read_and_refused_alike(desk: Desk, spark: Any) -> None:
    source, path = desk.file("a.csv", text([settled(1), settled(2)])), desk.folder / "a.parquet"
    kinds = "medfee_sumamt::DECIMAL(16, 2) AS medfee_sumamt, setl_time::TIMESTAMP AS setl_time"
    query = f"SELECT * REPLACE ({kinds}) FROM read_csv('{source}', all_varchar = true)"
    duckdb.execute(f"COPY ({query}) TO '{path}'")
    ledgers = {"INST": [settled(1), settled(2, medfee_sumamt="99.99")]}
    assert b"99.99" in both(desk, ledgers, "--ledger", f"AGY={path}")["differences.csv"]
    duckdb.execute(f"COPY (SELECT * REPLACE ('soon' AS setl_time) FROM read_csv('{source}', all_varchar = true)) "
                   f"TO '{path}'")  # fmt: skip
    desk.run(ledgers, "--ledger", f"AGY={path}", "--engine", "spark", code=1)
    assert desk.result is not None and "a.parquet:2:setl_time LB08" in desk.result.stderr
    duckdb.execute(f"COPY (SELECT 'S1' AS setl_id, now() AS setl_time) TO '{path}'")
    desk.run(ledgers, "--ledger", f"AGY={path}", "--engine", "spark", code=1)
    assert "a.parquet:0:setl_time LB17" in desk.result.stderr


@pytest.mark.parametrize("java", ["", "exit 1", "echo 'openjdk version \"11.0.2\"' >&2"])
def test_without_java_17_it_is_said_what_to_install(desk: Desk, java: str) -> None:
    if java:
        desk.file("java", f"#!/bin/sh\n{java}\n").chmod(0o755)
    path = desk.file("a.csv", text([settled(1)]))
    words = ["books", "files", "--ledger", f"INST={path}", f"GW={path}", "--date", DAY, "--out", str(desk.out)]
    environment = {name: value for name, value in os.environ.items() if name != "JAVA_HOME"} | {
        "PATH": str(desk.folder)
    }
    done = subprocess.run(
        [sys.executable, "-m", "gateway", *words, "--engine", "spark"],
        env=environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2 and "openjdk-17-jre-headless" in done.stderr and "pyspark：" not in done.stderr
    assert not desk.out.exists()
