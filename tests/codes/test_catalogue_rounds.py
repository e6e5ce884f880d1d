"""A release announced: each institution gets the list of its own mappings that change, and what it did is followed."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from duty_rig import DAY, HOSPITAL, OTHER, DutyRig

import schemas
from adapters.store.codes import CodesStore, CodesWriter
from gateway.codes.catalogue_rounds import LIMITS, RATIOS, Version, change_of, prices
from gateway.codes.faults import Faults

SYSTEM = "chronic_disease"
HEADER = "opsp_dise_code,opsp_dise_name,dise_cont,replaced_by,begndate,enddate,vali_flag,ver\n"
OLD = HEADER + (
    "M03900,高血压,一,,2021-06-01,,1,V1\n"
    "M01600,糖尿病,一,,2021-06-01,,1,V1\n"
    "M00500,恶性肿瘤,一,,2021-06-01,,1,V1\n"
    "M07800,冠心病,一,,2021-06-01,,1,V1\n"
)
NEW = HEADER + (
    "M03900,高血压,一,M03901,2021-06-01,2026-12-31,1,V2\n"
    "M03901,高血压病,一,,2026-11-01,,1,V2\n"
    "M01600,2型糖尿病,二,,2021-06-01,,1,V2\n"
    "M00500,恶性肿瘤,一,,2021-06-01,,0,V2\n"
    "M07800,冠心病,一,,2021-06-01,,1,V2\n"
)
SCRIPTS = list(schemas.read("migrations/codes", ".sql"))


class RoundRig(DutyRig):
    """The first library, two institutions that map it, and the new release imported."""

    def prepare(self) -> None:
        self.library(OLD)
        self.map(HOSPITAL, "A1,M03900\nA2,M01600\nA3,M00500\nA4,M07800\n")
        self.map(OTHER, "B1,M07800\nB2,M03900\n")
        self.library(NEW)

    def file(self, name: str, content: str) -> str:
        path = self.folder / name
        path.write_text(content, "utf-8")
        return str(path)

    def library(self, content: str) -> None:
        self.run("import", self.config, SYSTEM, self.file("library.csv", content))

    def map(self, place: str, rows: str) -> None:
        header = "local_code,national_code,valid_from,valid_to\n"
        padded = "".join(line + "," * (3 - line.count(",")) + "\n" for line in rows.splitlines())
        path = self.file("map.csv", header + padded)
        self.run("map", "import", self.config, place, SYSTEM, path, "--maker", "甲", "--reviewer", "乙")

    def round(self, command: str, *arguments: str, code: int = 0) -> dict[str, Any]:
        found = self.run("round", command, self.config, *arguments, "--json", code=code).stdout
        told: dict[str, Any] = json.loads(found)
        return told

    def open(self, *options: str, ver: str = "V2", code: int = 0) -> dict[str, Any]:
        return self.round(
            "open", SYSTEM, "--ver", ver, "--due", "2026-11-30", "--maker", "目录管理员", *options, code=code
        )

    def progress(self, code: int = 0) -> dict[str, dict[str, Any]]:
        return {one["institution"]: one for one in self.round("show", "1", code=code)["progress"]}


@pytest.fixture
def rig(tmp_path: Path) -> RoundRig:
    found = RoundRig(tmp_path)
    found.prepare()
    return found


def test_each_institution_gets_the_list_of_its_own_mappings_that_change(rig: RoundRig) -> None:
    assert rig.open() == {"round": 1, "institutions": 2, "kinds": {"replaced": 2, "changed": 1, "ended": 1}}
    items = rig.round("show", "r1", HOSPITAL)["items"]
    assert [(one["local_code"], one["kind"], one["last_day"], one["replaced_by"], one["detail"]) for one in items] == [
        ("A1", "replaced", "2026-12-31", "M03901", ""),
        ("A2", "changed", "", "", "名称：糖尿病→2型糖尿病；dise_cont：一→二"),
        ("A3", "ended", "", "", ""),
    ]
    assert [one["local_code"] for one in rig.round("show", "1", OTHER)["items"]] == ["B2"]


def test_what_a_whole_release_does_not_name_has_ended(rig: RoundRig) -> None:
    whole = HEADER + "M03900,高血压,一,,2021-06-01,,1,V3\nM01600,2型糖尿病,二,,2021-06-01,,1,V3\n"
    rig.run("import", rig.config, SYSTEM, rig.file("whole.csv", whole), "--full")
    assert rig.open(ver="V3")["kinds"] == {"changed": 2, "ended": 2}
    items = rig.round("show", "1", HOSPITAL)["items"]
    assert [(one["local_code"], one["kind"]) for one in items] == [("A1", "changed"), ("A4", "ended")]


def test_one_institution_finishes_and_the_other_is_late(rig: RoundRig) -> None:
    rig.open()
    assert {place: one["state"] for place, one in rig.progress().items()} == {HOSPITAL: "未领取", OTHER: "未领取"}
    out = rig.folder / "mine.csv"
    rig.round("export", "1", HOSPITAL, "--out", str(out), "--fetcher", "医保办")
    rows = list(csv.reader(io.StringIO(out.read_text("utf-8-sig"))))
    assert rows[1][:7] == [HOSPITAL, "A1", "M03900", "高血压", "停用并有替代", "2026-12-31", "M03901"]
    mine = rig.progress()[HOSPITAL]
    assert (mine["fetched"], mine["pending"], mine["state"]) == ("2026-11-18", 2, "待重新对码")
    # A1 goes over to the new code when the old one ends, A3 is mapped to another.
    rig.map(HOSPITAL, "A1,M03900,,2026-12-31\nA1,M03901,2027-01-01,\nA3,M07800\n")
    rig.now += DAY
    mine = rig.progress()[HOSPITAL]
    assert (mine["pending"], mine["mapped"], mine["state"]) == (0, "2026-11-18", "已完成")
    rig.now += 11 * DAY  # 2026-11-30: the last day is in time
    assert not rig.progress()[OTHER]["late"]
    rig.now += DAY
    told = rig.progress(code=3)
    assert (told[HOSPITAL]["late"], told[HOSPITAL]["state"]) == (False, "已完成")
    assert (told[OTHER]["late"], told[OTHER]["state"], told[OTHER]["pending"]) == (True, "未领取，已逾期", 1)
    (one,) = rig.round("list", code=3)["rounds"]
    assert (one["institutions"], one["fetched"], one["done"], one["late"]) == (2, 1, 1, 1)
    # It finishes after all: done, and late all the same.
    rig.map(OTHER, "B2,M03901\n")
    rig.round("show", "1", OTHER, "--fetcher", "药剂科")
    told = rig.progress()
    assert (told[OTHER]["state"], told[OTHER]["late"]) == ("逾期完成", True)
    assert rig.round("list")["rounds"][0]["late"] == 0


def test_closing_a_row_with_its_code_is_as_good_as_mapping_again(rig: RoundRig) -> None:
    rig.open()
    rig.map(OTHER, "B2,M03900,,2027-01-01\n")  # outlives the code by a day
    assert rig.progress()[OTHER]["pending"] == 1
    rig.map(OTHER, "B2,M03900,,2026-12-31\n")
    assert rig.progress()[OTHER]["pending"] == 0
    rig.map(HOSPITAL, "A1,M03901\nA3,M03900\n")  # from one ended code to another
    assert rig.progress()[HOSPITAL]["pending"] == 1


def test_a_code_that_ended_after_it_was_chosen_is_no_way_out(rig: RoundRig) -> None:
    rig.open()
    rig.map(OTHER, "B2,M01600\n")
    assert rig.progress()[OTHER]["pending"] == 0
    rig.library(HEADER + "M01600,2型糖尿病,二,,2021-06-01,2026-11-17,1,V3\n")
    assert rig.progress()[OTHER]["pending"] == 1


def test_looking_at_a_list_is_not_fetching_it(rig: RoundRig) -> None:
    rig.open()
    rig.round("show", "1", HOSPITAL)
    rig.round("export", "1", "--out", str(rig.folder / "all.xlsx"))
    rig.round("export", "1", HOSPITAL, "--look", "--out", str(rig.folder / "mine.csv"))
    assert rig.progress()[HOSPITAL]["fetched"] == ""
    rig.round("export", "1", HOSPITAL, "--out", str(rig.folder / "mine.xlsx"))
    assert rig.progress()[HOSPITAL]["fetched"] == "2026-11-18"


def test_ratios_and_limits_come_with_the_round_and_are_told_when_they_change(rig: RoundRig) -> None:
    ratios = "hilist_code,selfpay_prop_psn_type,insu_admdvs,selfpay_prop,vali_flag\nM07800,11,990100,0.10,1\n"
    limits = "hilist_code,hilist_lmtpric_type,hilist_pric_uplmt_amt\nM07800,101,12.50\n"
    rig.open("--ratios", rig.file("r.csv", ratios), "--limits", rig.file("l.csv", limits))
    (told,) = [one for one in rig.round("show", "1", OTHER)["items"] if one["local_code"] == "B1"]
    assert told["detail"] == "自付比例（990100/11）：无→0.1；限价（101）：无→12.5"
    assert told["kind"] == "changed"
    rig.library(NEW.replace("V2", "V3"))
    again = ratios.replace("0.10", "0.1")
    rig.open(
        "--ratios", rig.file("r.csv", again), "--limits", rig.file("l.csv", limits.replace("12.50", "13")), ver="V3"
    )
    assert [one["detail"] for one in rig.round("show", "2", OTHER)["items"]] == ["限价（101）：12.5→13"]


def test_a_bad_price_file_opens_nothing(rig: RoundRig) -> None:
    bad = rig.file("r.csv", "hilist_code,selfpay_prop\nM07800,十\n,0.1\nM01600,-1\n")
    told = rig.open("--ratios", bad, code=1)
    assert [(one["row"], one["column"]) for one in told["complaints"]] == [
        (2, "selfpay_prop"), (3, "hilist_code"), (4, "selfpay_prop"),
    ]  # fmt: skip
    assert rig.round("list")["count"] == 0
    rig.open("--ratios", rig.file("r.csv", "hilist_code\nM07800\n"), code=2)
    rig.open()  # what was refused left nothing in the way


def test_a_round_is_opened_once_and_can_be_taken_back(rig: RoundRig) -> None:
    rig.open()
    rig.open(code=1)
    rig.round("withdraw", "1", "--maker", "目录管理员", "--reason", "期限有误")
    rig.round("withdraw", "1", "--maker", "目录管理员", "--reason", "再撤", code=1)
    assert rig.open()["round"] == 2
    assert [one["withdrawn"] for one in rig.round("list")["rounds"]] == ["期限有误", None]


def test_wrong_usage_of_rounds(rig: RoundRig) -> None:
    assert "codes import" in rig.open(ver="V9", code=1)["problems"][0]
    rig.round("open", "doctor", "--ver", "V2", "--due", "2026-11-30", "--maker", "甲", code=2)
    for due in ("2026-11-17", "20261130", "2026-02-30"):
        rig.round("open", SYSTEM, "--ver", "V2", "--due", due, "--maker", "甲", code=2)
    rig.round("open", SYSTEM, "--ver", "V2", "--due", "2026-11-30", "--maker", " ", code=2)
    rig.round("show", "7", code=1)
    rig.open()
    rig.round("show", "1", "H00000000000", code=1)


def test_no_round_for_a_library_nobody_maps(tmp_path: Path) -> None:
    rig = RoundRig(tmp_path)
    rig.library(OLD)
    assert "没有机构" in rig.open(ver="V1", code=1)["problems"][0]
    assert rig.round("list")["count"] == 0


@pytest.mark.parametrize(
    ("old", "new", "kind", "last_day"),
    [
        (("名", "", "", "1", "0"), ("名", "", "", "1", "0"), None, ""),
        (("名", "", "", "1", "0"), ("名", "", "2099-12-31", "1", "0"), None, ""),
        (("名", "", "", "1", "0"), ("名", "", "2026-12-31", "1", "0"), "ended", "2026-12-31"),
        (("名", "", "2026-12-31", "1", "0"), ("名", "", "2026-12-31", "1", "0"), None, ""),
        (("名", "", "2026-12-31", "1", "0"), ("名", "", "2026-11-30", "1", "0"), "ended", "2026-11-30"),
        (("名", "", "2026-12-31", "1", "0"), ("名", "", "", "1", "0"), "changed", ""),
        (("名", "", "", "1", "0"), ("名", "", "", "1", "1"), "ended", ""),
        (("名", "", "", "1", "0"), ("名", "", "2026-10-31", "0", "0"), "ended", "2026-10-31"),
        (("名", "", "", "1", "0"), ("新名", "", "", "1", "0"), "changed", ""),
        (None, ("名", "", "", "0", "0"), "ended", ""),
        (None, ("名", "", "", "1", "0"), None, ""),
    ],
)
def test_what_counts_as_a_change(
    old: tuple[str, ...] | None, new: tuple[str, ...], kind: str | None, last_day: str
) -> None:
    found = change_of(Version(*old, raw="{}") if old else None, Version(*new, raw='{"ver":"2"}'))
    assert (found.kind if found else None) == kind
    assert (found.last_day if found else "") == last_day


def test_prices_have_one_spelling_and_carry_their_days() -> None:
    faults = Faults()
    at = {"code": 0, "value": 1, "label0": 2, "begndate": 3, "vali_flag": 4}
    rows = [(2, ["X", "0.50", "990100", "20260101", "1"]), (3, ["X", "", "990100", "", "0"]),
            (4, ["X", "NaN", "", "", "1"]), (5, ["X", "1", "", "2026-13-01", "1"])]  # fmt: skip
    found = list(prices(rows, at, RATIOS, faults))
    assert found == [("X", "990100", "0.5（2026-01-01至不限）"), ("X", "990100", "停用")]
    assert [(one.line, one.rule) for one in faults] == [(4, "MF07"), (5, "MF08")]
    assert list(prices([(2, ["X", "100", "", "", ""])], at, LIMITS, faults)) == [("X", "", "100")]


ROWS = 60_000
PROGRAM = """
import sys
from pathlib import Path
from gateway.app.round_work import open_round
open_round(Path(sys.argv[1]), "chronic_disease", "V2", "2099-01-01", "maker", {}, 1.795e9)
"""


def stored(path: Path) -> int:
    look = CodesStore.open(path, SCRIPTS).tables()
    count: int = look.connection.execute("SELECT count(*) FROM round_item").fetchone()[0]
    look.close()
    return count


@pytest.mark.processes
def test_a_round_killed_while_it_is_written_was_never_opened(tmp_path: Path) -> None:
    rig = RoundRig(tmp_path)
    rig.library(OLD)
    rig.map(HOSPITAL, "".join(f"L{row},M03900\n" for row in range(ROWS)))
    rig.library(NEW)
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(rig.store)], stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not 0 < stored(rig.store) < ROWS:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait(10) == -signal.SIGKILL
    process.communicate()
    assert 0 < stored(rig.store) < ROWS  # in the middle indeed
    assert rig.round("list")["count"] == 0
    CodesWriter.open(rig.store, SCRIPTS).close()
    assert stored(rig.store) == 0
    assert rig.open()["kinds"] == {"replaced": ROWS}
