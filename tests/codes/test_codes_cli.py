"""`liangding codes` as people run it: exit codes, texts, what comes into force, what a running node picks up."""

import csv
import io
import json
import os
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result
from configured import NOW_S, configured, institution
from twisted.internet.task import Clock

import schemas
from adapters.store.codes import CodesStore
from gateway.app.cli_codes import codes
from gateway.codes.loading import CodesWatcher, Loaded, load_snapshots
from gateway.core.codes import Hit, Miss, Snapshot

HOSPITAL = "H99010300001"
CONFIG = configured(institution(HOSPITAL))
LIBRARY = """opsp_dise_code,opsp_dise_name,begndate,enddate,vali_flag,ver
M03900,高血压,2021-06-01,,1,F20260101
M01600,糖尿病,2021-06-01,,1,F20260101
M00500,恶性肿瘤,2021-06-01,2025-12-31,1,F20260101
"""


def modes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in (folder, *folder.iterdir())}


class Desk:
    """A folder with a configuration, and the commands run on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = self.file("liangding.toml", CONFIG)
        self.store = CodesStore.open(
            folder / "var" / "liangding-codes.sqlite", list(schemas.read("migrations/codes", ".sql"))
        )

    def file(self, name: str, content: str | bytes) -> str:
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    def run(self, *arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(codes, list(arguments), obj=SimpleNamespace(now=lambda: NOW_S))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, (result.stdout, result.stderr)
        return result

    def map_import(self, content: str, *options: str, code: int = 0) -> Result:
        path = self.file("map.csv", content)
        return self.run("map", "import", self.config, HOSPITAL, "chronic_disease", path, *options, code=code)

    def approve(self, *options: str, code: int = 0) -> Result:
        return self.run("map", "approve", self.config, HOSPITAL, "chronic_disease", *options, code=code)

    def snapshot(self) -> Snapshot:
        found = load_snapshots(self.store.tables(), {"chronic_disease": re.compile("^M[0-9]{5}$")})
        return found.get(HOSPITAL, found[""])

    def target(self, local: str, day: str = "2026-11-18") -> str:
        found = self.snapshot().one_slot("chronic_disease", local, day)
        return found.national if isinstance(found, Hit) else found.why


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def ready(desk: Desk) -> Desk:
    """A desk with the library imported."""
    desk.run("import", desk.config, "chronic_disease", desk.file("lib.csv", LIBRARY))
    return desk


def test_what_an_import_makes_is_for_its_owner_only(desk: Desk) -> None:
    """A first import comes before the first start: the folder it makes is the one that will hold the journal."""
    before = os.umask(0o022)
    try:
        desk.run("import", desk.config, "chronic_disease", desk.file("library.csv", LIBRARY))
    finally:
        os.umask(before)
    found = modes(desk.folder / "var")
    assert found.pop("var") == 0o700
    assert found
    assert set(found.values()) == {0o600}


def test_a_library_comes_into_force_with_its_own_version(desk: Desk) -> None:
    result = desk.run("import", desk.config, "chronic_disease", desk.file("lib.csv", LIBRARY), "--json")
    assert json.loads(result.stdout)["ver"] == "F20260101"
    (one,) = [
        one
        for one in json.loads(desk.run("libraries", desk.config, "--json").stdout)["libraries"]
        if one["system"] == "chronic_disease"
    ]
    assert (one["rows"], one["usable"], one["ver"], one["versions"]) == (3, 2, "F20260101", 1)
    shown = json.loads(desk.run("show", desk.config, "chronic_disease", "M00500", "--json").stdout)
    assert shown["records"][0]["raw"]["opsp_dise_name"] == "恶性肿瘤"
    found = json.loads(desk.run("search", desk.config, "chronic_disease", "血压", "--json").stdout)
    assert [row["code"] for row in found["rows"]] == ["M03900"]
    assert "有效" in desk.run("show", desk.config, "chronic_disease", "M03900").stdout
    desk.run("show", desk.config, "chronic_disease", "M99999", code=1)


def test_the_fourteen_libraries_are_listed_before_anything_was_imported(desk: Desk) -> None:
    listed = json.loads(desk.run("libraries", desk.config, "--json").stdout)["libraries"]
    assert len(listed) == 15  # diagnosis and operation are one standard
    assert not desk.store.path.exists()


def test_a_download_without_header_is_recognised_by_its_columns(desk: Desk) -> None:
    cells = [f"x{n}" for n in range(16)]
    cells[0], cells[5], cells[9], cells[14] = "M03900", "1", "F20260101", "高血压"
    name = desk.file("1309.txt", "\t".join(cells).encode("gb18030"))
    desk.run("import", desk.config, "chronic_disease", name)
    shown = json.loads(desk.run("show", desk.config, "chronic_disease", "M03900", "--json").stdout)["records"][0]
    assert (shown["name"], shown["ver"]) == ("高血压", "F20260101")


def test_a_bad_library_is_refused_whole_and_the_old_one_stays(ready: Desk) -> None:
    bad = LIBRARY.replace("F20260101", "F20270101") + "M0390X,错,,,1,F20270101\nM01600,重复,,,1,F20270101\nM07700\n"
    path = ready.file("bad.csv", bad)
    result = ready.run("import", ready.config, "chronic_disease", path, code=1)
    lines = result.stderr.splitlines()
    assert lines[0].startswith(f"{path}:5:opsp_dise_code MF09 ")
    assert lines[1].startswith(f"{path}:6:opsp_dise_code MF10 国家编码与第3行重复")
    assert lines[2].startswith(f"{path}:7: MF03 ")
    told = json.loads(ready.run("import", ready.config, "chronic_disease", path, "--json", code=1).stdout)
    assert [(one["row"], one["column"], one["rule"]) for one in told["complaints"]] == [
        (5, "opsp_dise_code", "MF09"), (6, "opsp_dise_code", "MF10"), (7, "", "MF03"),
    ]  # fmt: skip
    records = json.loads(ready.run("show", ready.config, "chronic_disease", "M03900", "--json").stdout)["records"]
    assert [record["ver"] for record in records] == ["F20260101"]
    look = ready.store.tables()
    assert look.connection.execute("SELECT count(*) FROM library_row").fetchone() == (3,)
    look.close()


def test_wrong_usage_of_the_library_import(desk: Desk) -> None:
    unversioned = desk.file("lib.csv", "opsp_dise_code,opsp_dise_name\nM03900,高血压\n")
    assert "--ver" in desk.run("import", desk.config, "chronic_disease", unversioned, code=2).stderr
    blank = desk.file("blank.csv", "opsp_dise_code,ver\nM03900,\n")
    assert "--ver" in desk.run("import", desk.config, "chronic_disease", blank, code=2).stderr
    desk.run("import", desk.config, "chronic_disease", unversioned, "--ver", "V1")
    desk.run("import", desk.config, "nothing", unversioned, code=2)
    desk.run("import", desk.config, "chronic_disease", "no.csv", code=2)
    other = desk.file("other.csv", "diag_name\nx\n")
    assert "opsp_dise_code" in desk.run("import", desk.config, "chronic_disease", other, code=2).stderr
    empty = desk.file("empty.csv", "opsp_dise_code,ver\n")
    assert "MF02" in desk.run("import", desk.config, "chronic_disease", empty, code=1).stderr
    utf16 = desk.file("utf16.csv", LIBRARY.encode("utf-16"))
    assert "MF01" in desk.run("import", desk.config, "chronic_disease", utf16, code=1).stderr
    desk.run("import", desk.file("broken.toml", "= ="), "chronic_disease", unversioned, code=2)


def test_a_first_installation_maps_in_one_command(ready: Desk) -> None:
    result = ready.map_import(
        "local_code,national_code,note\nMB1,M03900,x\nMB2,M01600,\n", "--maker", "甲", "--reviewer", "乙"
    )
    assert "2行已生效" in result.stdout
    assert ready.target("MB1") == "M03900"
    assert ready.target("MB9") == "no_row"


def test_rows_with_findings_stay_out_and_exit_is_3(ready: Desk) -> None:
    content = "local_code,national_code,evidence\nMB1,M03900,\nMB2,,\nMB3,M00500,\nMB4,M77777,\nMB5,,no_code:自费\n"
    result = ready.map_import(content, "--maker", "甲", "--reviewer", "乙", "--json", code=3)
    told = json.loads(result.stdout)
    assert told["approved"] == 2
    assert [(one["row"], one["rule"]) for one in told["findings"]] == [(3, "MA01"), (4, "MA05"), (5, "MA06")]
    assert [re.sub(r"^.*map\.csv:", "", line).split(" ")[0:2] for line in result.stderr.splitlines()] == [
        ["3:national_code", "MA01"], ["4:national_code", "MA05"], ["5:national_code", "MA06"],
    ]  # fmt: skip
    assert [ready.target(local) for local in ("MB1", "MB3", "MB4", "MB5")] == ["M03900", "no_row", "no_row", "no_row"]


def test_a_draft_waits_for_another_person(ready: Desk) -> None:
    assert "待复核" in ready.map_import("local_code,national_code\nMB1,M03900\nMB2,\n", "--maker", "甲").stdout
    assert ready.target("MB1") == "no_row"
    for nobody in ("甲", " 甲 ", ""):
        assert "MA17" in ready.approve("--reviewer", nobody, code=2).stderr
    assert ready.target("MB1") == "no_row"
    result = ready.approve("--reviewer", "乙", code=3)
    assert "map.csv:3:national_code MA01" in result.stderr
    assert ready.target("MB1") == "M03900"
    again = json.loads(ready.approve("--reviewer", "乙", "--json", code=3).stdout)
    assert (again["approvals"][0]["approved"], len(again["approvals"][0]["refused"])) == (0, 1)


def test_maker_and_reviewer_must_differ(ready: Desk) -> None:
    content = "local_code,national_code\nMB1,M03900\n"
    assert "MA17" in ready.map_import(content, "--maker", "甲", "--reviewer", "甲", code=2).stderr
    ready.map_import(content, "--maker", " ", code=2)
    assert (
        json.loads(ready.run("map", "history", ready.config, HOSPITAL, "chronic_disease", "--json").stdout)["count"]
        == 0
    )


def test_a_row_refused_for_the_library_can_be_approved_when_the_library_has_it(ready: Desk) -> None:
    ready.map_import("local_code,national_code\nMB4,M77777\n", "--maker", "甲", "--reviewer", "乙", code=3)
    newer = "opsp_dise_code,opsp_dise_name,ver\nM77777,新病种,F20270101\n"
    ready.run("import", ready.config, "chronic_disease", ready.file("new.csv", newer))
    ready.approve("--reviewer", "乙")
    assert ready.target("MB4") == "M77777"
    assert "没有待复核" in ready.approve("--reviewer", "乙").stdout


def test_all_brings_every_draft_into_force_and_the_newest_file_wins(ready: Desk) -> None:
    ready.map_import("local_code,national_code\nMB1,M03900\nMB2,M01600\n", "--maker", "甲")
    ready.map_import("local_code,national_code\nMB1,M01600\n", "--maker", "甲")
    assert "另有1个更早的文件" in ready.approve("--reviewer", "乙").stdout
    assert (ready.target("MB1"), ready.target("MB2")) == ("M01600", "no_row")
    told = json.loads(ready.approve("--reviewer", "乙", "--all", "--json").stdout)["approvals"]
    assert [(one["version"], one["approved"], one["outdated"]) for one in told] == [("m1", 1, 1)]
    assert (ready.target("MB1"), ready.target("MB2")) == ("M01600", "M01600")


def test_a_bad_row_that_a_newer_file_took_over_is_outdated_and_not_refused(ready: Desk) -> None:
    ready.map_import("local_code,national_code\nMB1,M77777\nMB2,M01600\n", "--maker", "甲")
    ready.map_import("local_code,national_code\nMB1,M03900\n", "--maker", "甲", "--reviewer", "乙")
    (told,) = json.loads(ready.approve("--reviewer", "乙", "--all", "--json").stdout)["approvals"]
    assert (told["approved"], told["refused"], told["outdated"]) == (1, [], 1)
    assert (ready.target("MB1"), ready.target("MB2")) == ("M03900", "M01600")


def test_the_date_of_service_decides_which_row_counts(ready: Desk) -> None:
    content = "local_code,national_code,valid_from,valid_to\nMB1,M00500,,2025-12-31\nMB1,M01600,2026-01-01,\n"
    ready.map_import(content, "--maker", "甲", "--reviewer", "乙")
    assert ready.target("MB1", "2025-12-31") == "M00500"
    assert ready.target("MB1", "2026-01-01") == "M01600"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("local_code,national_code\nMB1,M0390X\n", ":2:national_code MF09 "),
        ("local_code,national_code\nMB1,M03900\nMB1,M03900\n", ":3:local_code MF10 "),
        ("local_code,national_code,note\nMB1,M03900,=1+1\n", ":2:note MF06 "),
        ("local_code,national_code\nMB1,M03900,x\n", ":2: MF03 "),
        ('local_code,national_code\nMB1,"M03900\n', ":2: MF04 "),
        ("local_code,national_code\n", ":0: MF02 "),
        ("local_code,national_code,valid_from\nMB1,M03900,2026-02-30\n", ":2:valid_from MF08 "),
    ],
)
def test_a_file_with_faults_of_form_stores_nothing(ready: Desk, content: str, told: str) -> None:
    ready.map_import("local_code,national_code\nMB1,M03900\n", "--maker", "甲", "--reviewer", "乙")
    result = ready.map_import(content, "--maker", "甲", "--reviewer", "乙", code=1)
    assert told in result.stderr
    assert ready.target("MB1") == "M03900"
    looked = ready.store.tables()
    assert len(looked.batches(HOSPITAL, "chronic_disease")) == 1
    looked.close()


def test_all_that_is_wrong_with_a_row_is_told_at_once_by_the_titles_of_the_file(ready: Desk) -> None:
    header = "院内编码,国家编码,生效日期,失效日期,依据,院内名称"
    rows = ("=1+1,M03900,昨天,明天,ok,@x", "MB1,m03900,2026-02-30,,-2+3,高血压", "MB2,M03900,,,,\x1b[2J",
            "MB2,M03900,,,,", "+A1,=1+1,,,,", "-B1,=2+2,,,,")  # fmt: skip
    path = ready.file("map.csv", "\n".join([header, *rows]) + "\n")
    arguments = (ready.config, HOSPITAL, "chronic_disease", path)
    told = json.loads(ready.run("map", "import", *arguments, "--maker", "甲", "--json", code=1).stdout)
    found = [(one["row"], one["column"], one["rule"]) for one in told["complaints"]]
    assert found == [
        (2, "院内编码", "MF06"), (2, "院内名称", "MF06"), (2, "生效日期", "MF08"), (2, "失效日期", "MF08"),
        (3, "依据", "MF06"), (3, "国家编码", "MF09"), (3, "生效日期", "MF08"),
        (4, "院内名称", "MF11"), (5, "院内编码", "MF10"),
        (6, "院内编码", "MF06"), (6, "国家编码", "MF06"), (7, "院内编码", "MF06"), (7, "国家编码", "MF06"),
    ]  # fmt: skip
    checked = json.loads(ready.run("map", "check", *arguments, "--json", code=3).stdout)["findings"]
    # A check of a file tells of a broken pattern by MA06, and only of rows that are whole.
    assert [(one["row"], one["column"], one["rule"]) for one in checked] == [one for one in found if one[2] != "MF09"]
    stored = ready.store.tables()
    assert stored.batches(HOSPITAL, "chronic_disease") == []


def test_wrong_usage_of_the_mapping_import(ready: Desk) -> None:
    path = ready.file("map.csv", "local_code\nMB1\n")
    place = ("map", "import", ready.config)
    assert "national_code" in ready.run(*place, HOSPITAL, "chronic_disease", path, "--maker", "甲", code=2).stderr
    assert "H00000000000" in ready.run(*place, "H00000000000", "drug", path, "--maker", "甲", code=2).stderr
    assert "drugs" in ready.run(*place, HOSPITAL, "drugs", path, "--maker", "甲", code=2).stderr
    ready.run(*place, HOSPITAL, "chronic_disease", path, code=2)


def test_departments_and_dictionaries_have_no_pattern(ready: Desk) -> None:
    path = ready.file("map.csv", "local_code,national_code\nNK1,A03.04\n")
    for system in ("department", "dictionary:med_type"):
        ready.run("map", "import", ready.config, HOSPITAL, system, path, "--maker", "甲", "--reviewer", "乙")
    assert ready.snapshot().one_slot("department", "NK1", "2026-11-18").national == "A03.04"  # type: ignore[union-attr]
    assert ready.snapshot().dictionary("med_type", "NK1", "2026-11-18").national == "A03.04"  # type: ignore[union-attr]
    assert ready.snapshot().one_slot("department", "NK2", "2026-11-18") == Miss("unmapped", "no_row")


def test_an_export_can_be_imported_again(ready: Desk) -> None:
    content = "local_code,national_code,valid_from,valid_to,evidence\nMB1,M03900,2026-01-01,,甲册第3页\nMB2,M01600,,,\n"
    ready.map_import(content, "--maker", "甲", "--reviewer", "乙")
    place = ("map", "export", ready.config, HOSPITAL, "chronic_disease")
    text = ready.run(*place).stdout
    assert list(csv.reader(io.StringIO(text))) == list(csv.reader(io.StringIO(content)))
    out = ready.folder / "out.csv"
    ready.run(*place, "--out", str(out))
    ready.run("map", "import", ready.config, HOSPITAL, "chronic_disease", str(out), "--maker", "丙", "--reviewer", "丁")
    assert json.loads(ready.run(*place, "--json").stdout)["count"] == 2


def test_history_names_both_people(ready: Desk) -> None:
    ready.map_import("local_code,national_code\nMB1,M03900\n", "--maker", "甲", "--reviewer", "乙")
    place = ("map", "history", ready.config, HOSPITAL, "chronic_disease")
    told: dict[str, Any] = json.loads(ready.run(*place, "--json").stdout)
    assert [(one["who"], one["what"]) for one in told["history"]] == [("甲", "propose"), ("乙", "approve")]
    assert told["history"][0]["at"] == "2026-11-18 19:06:40"
    assert "复核生效" in ready.run(*place).stdout


def test_a_running_node_picks_a_second_import_up_at_its_next_poll(ready: Desk) -> None:
    applied: list[Any] = []
    errors: list[Exception] = []
    clock = Clock()

    def at_once(call: Any, done: Any, failed: Any) -> None:
        result: Loaded | None = call()
        done(result)

    watcher = CodesWatcher(
        clock=clock, read=ready.store.tables, stamp=ready.store.stamp, offload=at_once, apply=applied.append,
        forms={}, report=errors.append,
    )  # fmt: skip
    watcher.load_now()
    watcher.start()
    ready.map_import("local_code,national_code\nMB1,M03900\n", "--maker", "甲")
    clock.advance(2.0)
    assert len(applied) == 1  # a draft changes nothing
    ready.approve("--reviewer", "乙")
    clock.advance(2.0)
    assert len(applied) == 2
    assert applied[-1][HOSPITAL].one_slot("chronic_disease", "MB1", "2026-11-18").national == "M03900"
    watcher.stop()
    assert errors == []
