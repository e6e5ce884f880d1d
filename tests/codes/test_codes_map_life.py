"""The life of a mapping between two persons: looked through, given back, in force, ended, told (mapping rules §7)."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from test_codes_cli import HOSPITAL, LIBRARY, Desk

import schemas
from adapters.store.codes import CodesReader, CodesWriter
from gateway.app.codes_checks import dying_mappings
from gateway.app.codes_files import code_systems

SYSTEM = "chronic_disease"
TWO = "local_code,national_code,evidence\nMB1,M03900,病种目录第3页\nMB2,M01600,\n"
BOTH = ("--maker", "甲", "--reviewer", "乙")


@pytest.fixture
def ready(tmp_path: Path) -> Desk:
    desk = Desk(tmp_path)
    desk.run("import", desk.config, SYSTEM, desk.file("lib.csv", LIBRARY))
    return desk


def life(desk: Desk, command: str, *arguments: str, code: int = 0) -> Any:
    place = ("map", command, desk.config, HOSPITAL, SYSTEM)
    return json.loads(desk.run(*place, *arguments, "--json", code=code).stdout)


def say(desk: Desk, command: str, *arguments: str, code: int = 0) -> str:
    result = desk.run("map", command, desk.config, HOSPITAL, SYSTEM, *arguments, code=code)
    return result.stdout + result.stderr


# --- looking through --------------------------------------------------------------------------------


def test_the_second_person_sees_what_the_first_wrote_and_approves_just_that(ready: Desk) -> None:
    ready.map_import(TWO, "--maker", "甲")
    seen = life(ready, "review", "--reviewer", "乙")
    assert (seen["maker"], seen["count"], seen["catalogue"], seen["findings"]) == ("甲", 2, "F20260101", [])
    assert [row["local_code"] for row in seen["rows"]] == ["MB1", "MB2"]
    assert len(seen["content"]) == 64
    wrong = "0" * 64
    assert "未生效" in say(ready, "approve", "--reviewer", "乙", "--hash", wrong, code=1)
    assert ready.target("MB1") == "no_row"
    say(ready, "approve", "--reviewer", "乙", "--hash", seen["content"].upper())
    assert ready.target("MB1") == "M03900"
    assert [one["what"] for one in life(ready, "history")["history"]] == ["propose", "check", "approve"]


def test_the_hash_covers_every_cell_that_is_kept(ready: Desk) -> None:
    seen = set()
    for content in (
        TWO, TWO.replace("MB1", "MB9"), TWO.replace("第3页", "第4页"), TWO.replace("M03900", "M01600"),
        TWO.replace("evidence\n", "evidence,valid_from\n").replace("页\n", "页,2026-01-01\n").replace(",\n", ",,\n"),
        TWO.replace("evidence\n", "evidence,local_name\n").replace("页\n", "页,高血压\n").replace(",\n", ",,\n"),
    ):  # fmt: skip
        ready.map_import(content, "--maker", "甲")
        seen.add(life(ready, "review")["content"])
    assert len(seen) == 6
    ready.map_import(TWO, "--maker", "丙")
    assert life(ready, "review")["content"] in seen  # the same content by another hand


def test_rows_altered_in_the_file_are_not_approved(ready: Desk) -> None:
    ready.map_import(TWO, "--maker", "甲")
    connection = sqlite3.connect(ready.store.path)
    connection.executescript(
        "DROP TRIGGER mapping_no_update; UPDATE mapping SET national_code = 'M01600' WHERE local_code = 'MB1';"
    )
    connection.close()
    assert "未生效" in say(ready, "approve", "--reviewer", "乙", code=1)
    assert ready.target("MB1") == "no_row"


def test_findings_are_shown_with_the_draft(ready: Desk) -> None:
    ready.map_import("local_code,national_code\nMB1,M03900\nMB2,\n", "--maker", "甲")
    text = say(ready, "review", code=3)
    assert "map.csv:3:national_code MA01 error" in text
    out = ready.folder / "review.csv"
    assert life(ready, "review", "--version", "m1", "--out", str(out), code=3)["count"] == 2
    assert out.read_text("utf-8").startswith("row,local_code,national_code")


def test_nobody_looks_through_or_gives_back_what_is_his_own(ready: Desk) -> None:
    ready.map_import(TWO, "--maker", "甲")
    assert "MA17" in say(ready, "review", "--reviewer", " 甲", code=2)
    assert "MA17" in say(ready, "review", "--reviewer", "甲", "--return", "x", code=2)
    assert "--reviewer" in say(ready, "review", "--return", "x", code=2)
    assert [one["what"] for one in life(ready, "history")["history"]] == ["propose"]


def test_what_was_given_back_waits_no_longer(ready: Desk) -> None:
    ready.map_import(TWO, "--maker", "甲")
    assert "已退回：第2行依据不足" in say(ready, "review", "--reviewer", "乙", "--return", "第2行依据不足")
    # Nothing to do is done; what was asked for by name and waits no longer is a failure.
    assert "没有待复核" in say(ready, "review")
    assert life(ready, "review", "--reviewer", "乙")["count"] == 0
    assert "没有待复核" in say(ready, "approve", "--reviewer", "乙")
    assert "没有生效" in say(ready, "approve", "--reviewer", "乙", "--hash", "0" * 64, code=1)
    assert "没有待复核" in say(ready, "review", "--reviewer", "乙", "--return", "再看", code=1)
    assert ready.target("MB1") == "no_row"
    ready.map_import(TWO, "--maker", "甲")
    assert "没有待复核的对码m9" in say(ready, "review", "--version", "m9", code=1)
    say(ready, "approve", "--reviewer", "乙")
    assert ready.target("MB1") == "M03900"
    stages = life(ready, "history", "--local", "MB1")["stages"]
    assert [(one["returned_by"], one["returned_for"]) for one in stages] == [("乙", "第2行依据不足"), ("", "")]


def test_one_hash_is_not_for_all(ready: Desk) -> None:
    assert "--all" in say(ready, "approve", "--reviewer", "乙", "--all", "--hash", "0", code=2)


# --- the end of a mapping ------------------------------------------------------------------------------


def test_retiring_closes_the_row_and_keeps_its_past(ready: Desk) -> None:
    ready.map_import(TWO, *BOTH)
    told = life(ready, "retire", "MB1", *BOTH, "--date", "2026-11-20", "--reason", "院内停用")
    assert (told["in_force"], [row["valid_to"] for row in told["rows"]]) == (True, ["2026-11-20"])
    assert ready.target("MB1", "2026-11-20") == "M03900"
    assert ready.target("MB1", "2026-11-21") == "row_not_in_force"
    assert ready.target("MB2") == "M01600"
    assert life(ready, "check") == {"findings": [], "errors": 0, "count": 0}  # closed on purpose is no MA05
    assert "院内停用" in say(ready, "history")


def test_retiring_needs_two_persons_too(ready: Desk) -> None:
    ready.map_import(TWO, *BOTH)
    for people in (("--maker", "甲", "--reviewer", "甲"), ("--maker", " ")):
        assert "MA17" in say(ready, "retire", "MB1", *people, "--reason", "x", code=2)
    assert "待复核" in say(ready, "retire", "MB1", "MB1", "--maker", "甲", "--date", "2026-11-01", "--reason", "x")
    assert ready.target("MB1") == "M03900"
    seen = life(ready, "review")
    assert (seen["kind"], seen["reason"], seen["count"]) == ("retire", "x", 1)
    assert "MA17" in say(ready, "approve", "--reviewer", "甲", code=2)
    say(ready, "approve", "--reviewer", "乙", "--hash", seen["content"])
    assert ready.target("MB1") == "row_not_in_force"


def test_a_mapping_whose_code_died_can_be_retired(ready: Desk) -> None:
    ready.map_import(TWO, *BOTH)
    dead = "opsp_dise_code,opsp_dise_name,vali_flag,ver\nM03900,高血压,0,F2\n"
    ready.run("import", ready.config, SYSTEM, ready.file("dead.csv", dead))
    say(ready, "retire", "MB1", "--maker", "甲", "--reason", "国家停用")
    say(ready, "approve", "--reviewer", "乙")
    assert life(ready, "check")["count"] == 0


def test_a_row_that_would_only_begin_later_is_dropped(ready: Desk) -> None:
    content = "local_code,national_code,valid_from,valid_to\nMB1,M03900,,2026-12-31\nMB1,M01600,2027-01-01,\n"
    ready.map_import(content + "MB2,M01600,2027-01-01,\n", *BOTH)
    say(ready, "retire", "MB1", "MB2", *BOTH, "--date", "2026-11-30", "--reason", "不再使用")
    say(ready, "retire", "MB1", *BOTH, "--date", "2027-06-30", "--reason", "不把已写的最后一天推后")
    days = ("2026-11-30", "2026-12-01", "2027-02-01")
    assert [ready.target("MB1", day) for day in days] == ["M03900", "row_not_in_force", "row_not_in_force"]
    assert ready.target("MB2", "2027-02-01") == "no_row"
    assert life(ready, "check")["count"] == 0
    assert "MB2" in say(ready, "retire", "MB2", *BOTH, "--reason", "x", code=1)


def test_only_what_is_in_force_can_be_retired(ready: Desk) -> None:
    ready.map_import(TWO, *BOTH)
    assert "MB9" in say(ready, "retire", "MB1", "MB9", *BOTH, "--reason", "x", code=1)
    assert ready.target("MB1") == "M03900"
    assert "--date" in say(ready, "retire", "MB1", *BOTH, "--reason", "x", "--date", "明天", code=2)
    assert "--reason" in say(ready, "retire", "MB1", *BOTH, "--reason", " ", code=2)


def test_an_ended_code_can_be_mapped_anew(ready: Desk) -> None:
    ready.map_import(TWO, *BOTH)
    say(ready, "retire", "MB1", *BOTH, "--reason", "x")
    ready.map_import("local_code,national_code,valid_from\nMB1,M01600,2026-12-01\n", *BOTH)
    assert ready.target("MB1", "2026-12-01") == "M01600"


# --- what is told -----------------------------------------------------------------------------------------


def test_the_story_of_one_code_says_who_when_why_and_by_which_catalogue(ready: Desk) -> None:
    ready.map_import("local_code,national_code,evidence\nMB1,M77777,旧表\n", *BOTH, code=3)
    ready.map_import(TWO, *BOTH)
    say(ready, "retire", "MB1", *BOTH, "--reason", "院内停用")
    stages = life(ready, "history", "--local", "MB1")["stages"]
    assert [(one["kind"], one["maker"], one["evidence"], one["reason"]) for one in stages] == [
        ("import", "甲", "旧表", ""),
        ("import", "甲", "病种目录第3页", ""),
        ("retire", "甲", "病种目录第3页", "院内停用"),
    ]
    reviews = [(one["reviewer"], one["catalogue"], one["rule"]) for stage in stages for one in stage["reviews"]]
    assert reviews == [("乙", "F20260101", "MA06"), ("乙", "F20260101", ""), ("乙", "F20260101", "")]
    assert all(one["at"] == "2026-11-18 19:06:40" for one in stages)
    text = say(ready, "history", "--local", "MB1")
    assert "复核未生效：MA06" in text
    assert "目录版本F20260101" in text
    assert "没有记录" in say(ready, "history", "--local", "MB7")


def test_mappings_that_die_between_two_days(ready: Desk) -> None:
    ready.map_import(TWO + "MB3,M00500,\n", *BOTH, code=3)
    ready.map_import("local_code,national_code,valid_to\nMB4,M00500,2025-06-30\nMB5,M03900,2026-12-15\n", *BOTH)
    ending = "opsp_dise_code,opsp_dise_name,enddate,replaced_by,ver\nM03900,高血压,2026-12-31,M01600,F2\n"
    ready.run("import", ready.config, SYSTEM, ready.file("ending.csv", ending))
    reader = ready.store.tables()

    def dying(since: str, until: str) -> list[tuple[str, str, str]]:
        found = dying_mappings(reader, code_systems(), SYSTEM, since, until)
        return [(one.local, one.last_day, one.replaced_by) for one in found]

    assert dying("2026-11-22", "2026-12-31") == []
    assert dying("2026-11-22", "2027-01-01") == [("MB1", "2026-12-31", "M01600")]
    assert dying("2027-06-01", "2027-06-02") == [("MB1", "2026-12-31", "M01600")]
    reader.close()


# --- the store -----------------------------------------------------------------------------------------------


def test_a_store_of_the_first_version_keeps_what_it_holds(tmp_path: Path) -> None:
    """0002 only adds: rows, proposals and approvals of before stand, wait and count as they did."""
    path = tmp_path / "codes.sqlite"
    scripts = list(schemas.read("migrations/codes", ".sql"))
    old = sqlite3.connect(path)
    old.executescript(f"{scripts[0][1].decode()}; PRAGMA user_version = 1;")
    old.executescript(
        f"""
        INSERT INTO batch VALUES (1, '{HOSPITAL}', 'drug', '甲', 'a.csv', 1);
        INSERT INTO batch VALUES (2, '{HOSPITAL}', 'drug', '甲', 'b.csv', 2);
        INSERT INTO mapping VALUES (1, 2, 'L1', 'N1', '', '', ''), (2, 2, 'L2', 'N2', '', '', '');
        INSERT INTO proposal VALUES (1, 1, '00', 1), (2, 1, '00', 2);
        INSERT INTO review VALUES (1, 1, '乙', 3); INSERT INTO approval VALUES (1, 1, 0, 3);
        """
    )
    old.close()
    CodesWriter.open(path, scripts).close()
    look = CodesReader.open(path, len(scripts))
    assert [row[:2] for row in look.in_force(HOSPITAL, "drug")] == [("L1", "N1")]
    assert [look.undecided(batch) for batch in look.batches(HOSPITAL, "drug")] == [set(), {2}]
    look.close()
