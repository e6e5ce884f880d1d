"""`liangding codes import|export|diff|search|show|history|record|analysis` as an analyst runs them."""

import csv
import json
import sqlite3
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from test_codes_cli import HOSPITAL, LIBRARY, NOW_S, Desk

import schemas
from gateway.app.codes_files import code_systems, layouts, registers

SECOND = """opsp_dise_code,opsp_dise_name,begndate,enddate,vali_flag,replaced_by,ver
M03900,高血压,2021-06-01,2026-10-31,1,M03901,F20261101
M01600,2型糖尿病,2021-06-01,,1,,F20261101
M03901,原发性高血压,2026-11-01,,1,,F20261101
M00500,恶性肿瘤,2021-06-01,2025-12-31,1,,F20261101
"""
CAPS = """hilist_code,hilist_lmtpric_type,insu_admdvs,begndate,enddate,hilist_pric_uplmt_amt,vali_flag,ver
A1,101,510800,2024-01-01,2024-12-31,12.50,1,1
A1,101,510800,2025-01-01,,13.50,1,1
A1,102,510800,2024-01-01,,9.00,1,1
"""


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def ready(desk: Desk) -> Desk:
    desk.run("import", desk.config, "chronic_disease", desk.file("lib.csv", LIBRARY))
    return desk


def told(desk: Desk, command: str, *arguments: str, system: str = "chronic_disease", code: int = 0) -> Any:
    return json.loads(desk.run(command, desk.config, system, *arguments, "--json", code=code).stdout)


def journal(desk: Desk, rows: list[tuple[int, float, list[list[str]]]]) -> None:
    """Make a journal with evidence: (request, when, [path, system, local, national, version, day])."""
    connection = sqlite3.connect(desk.folder / "var" / "liangding.sqlite", isolation_level=None)
    for _, script in schemas.read("migrations/journal", ".sql"):
        connection.executescript(script.decode())
    for number, at, evidence in rows:
        connection.execute(
            "INSERT INTO journal (id, fixmedins_code, msgid, infno, klass, link, state, digest, business_key, soft_key,"
            " lane, psn_no, mdtrt_id, omsgid, insuplc_admdvs, created_ms, changed_ms) "
            "VALUES (?, ?, ?, '2207', 'M', 'national', 'ACKED', x'', '', '', '', '', '', '', '', ?, 0)",
            (number, HOSPITAL, f"m{number}", int(at * 1000)),
        )
        packed = msgspec.json.encode(evidence).decode()
        connection.execute("INSERT INTO evidence_packed VALUES (?, ?)", (number, packed))
    connection.close()


def used(national: str, system: str = "chronic_disease", day: str = "2026-11-01") -> list[str]:
    return ["input.data.dise_codg", system, "MB1", national, "m1", day]


def test_a_diff_says_what_changes_and_how_far_it_reaches(ready: Desk) -> None:
    ready.map_import("local_code,national_code\nMB1,M03900\nMB2,M01600\n", "--maker", "甲", "--reviewer", "乙")
    day = 86400.0
    journal(
        ready,
        [
            (1, NOW_S - 40 * day, [used("M03900")]),  # too long ago
            (2, NOW_S - 20 * day, [used("M03900"), used("M03900"), used("M01600")]),
            (3, NOW_S - 10 * day, [used("M01600")]),
            (4, NOW_S - 5 * day, [used("M03900"), used("M03900", system="drug")]),
            (5, NOW_S - 1 * day, [used("高血压", system="chronic_disease:name")]),
        ],
    )
    path = ready.file("second.csv", SECOND)
    before = told(ready, "diff", "--file", path, code=3)
    ready.run("import", ready.config, "chronic_disease", path)
    after = told(ready, "diff", code=3)
    for one in (before, after):
        assert (one["added"], one["removed"], one["changed"], one["dead"]) == (1, 0, 2, 1)
        assert (one["used_codes"], one["uses"]) == (2, 5)
        assert (one["requests_refused"], one["refused_by_institution"]) == (2, {HOSPITAL: 2})
        assert one["mappings_dying"] == [
            {"institution": HOSPITAL, "local_code": "MB1", "national_code": "M03900", "replaced_by": "M03901"}
        ]
    assert (before["from"], before["to"]) == ("F20260101", "second.csv")
    assert (after["from"], after["to"]) == ("F20260101", "F20261101")
    changed = {one["code"]: [column["column"] for column in one["columns"]] for one in after["shown"]}
    assert changed == {"M03900": ["enddate", "replaced_by"], "M03901": [], "M01600": ["name"]}
    text = ready.run("diff", ready.config, "chronic_disease", code=3).stdout
    assert "3个编码有变化：新增1，删除0，修改2；其中1个在2026-11-18不再可用" in text
    assert "2个编码、5次" in text
    assert "将有2笔请求被拒绝" in text
    assert f"{HOSPITAL} MB1 → M03900，可改对M03901" in text


def test_the_day_decides_what_dies(ready: Desk) -> None:
    ready.run("import", ready.config, "chronic_disease", ready.file("second.csv", SECOND))
    assert told(ready, "diff", "--date", "2026-10-31", code=3)["dead"] == 0
    assert told(ready, "diff", "--date", "2026-11-01", code=3)["dead"] == 1
    ready.run("diff", ready.config, "chronic_disease", "--date", "2026-02-30", code=2)


def test_a_diff_without_differences_is_agreed(ready: Desk) -> None:
    again = ready.file("again.csv", LIBRARY.replace("F20260101", "F20260201"))
    found = told(ready, "diff", "--file", again)
    assert (found["changes"], found["requests_refused"], found["mappings_dying"]) == (0, 0, [])
    ready.run("import", ready.config, "chronic_disease", again)
    assert told(ready, "diff")["changes"] == 0
    assert told(ready, "diff", "--from", "F20260201", "--to", "F20260101")["changes"] == 0
    ready.run("diff", ready.config, "chronic_disease", "--to", "F9", code=2)
    ready.run("diff", ready.config, "chronic_disease", "--file", again, "--to", "F20260101", code=2)


def test_a_diff_can_be_written_whole(ready: Desk) -> None:
    out = ready.folder / "diff.csv"
    path = ready.file("second.csv", SECOND)
    ready.run("diff", ready.config, "chronic_disease", "--file", path, "--out", str(out), "--most", "1", code=3)
    rows = csv.DictReader(out.read_text("utf-8").splitlines())
    assert [(row["change"], row["code"], row["column"], row["before"], row["after"]) for row in rows] == [
        ("changed", "M03900", "enddate", "", "2026-10-31"),
        ("changed", "M03900", "replaced_by", "", "M03901"),
        ("changed", "M01600", "name", "糖尿病", "2型糖尿病"),
        ("added", "M03901", "", "", ""),
    ]


def test_a_bad_file_is_not_compared(ready: Desk) -> None:
    bad = ready.file("bad.csv", SECOND + "m1,错,,,1,,F1\n")
    out = ready.folder / "diff.csv"
    result = ready.run("diff", ready.config, "chronic_disease", "--file", bad, "--out", str(out), code=1)
    assert f"{bad}:6:opsp_dise_code MF09" in result.stderr
    assert "未比较：" in result.stderr and "未导入" not in result.stderr
    assert not out.exists()


def test_a_file_that_could_not_be_imported_is_not_compared(ready: Desk) -> None:
    twice = ready.file("twice.csv", SECOND + "M01600,糖尿病,2021-06-01,,1,,F20261101\nM00500,甲,,,1,,F20261101\n")
    for more in ((), ("--full",)):
        lines = ready.run("diff", ready.config, "chronic_disease", "--file", twice, *more, code=1).stderr.splitlines()
        assert [line.split(" ", 1)[0] for line in lines[:2]] == [f"{twice}:{row}:opsp_dise_code" for row in (6, 7)]
        assert "MF10 国家编码与第3行重复" in lines[0] and "MF10 国家编码与第5行重复" in lines[1]
    empty = ready.file("empty.csv", SECOND.splitlines()[0] + "\n")
    assert "MF02" in ready.run("diff", ready.config, "chronic_disease", "--file", empty, "--full", code=1).stderr


def test_a_full_file_takes_away_what_it_lacks(ready: Desk) -> None:
    only = ready.file("only.csv", SECOND.splitlines()[0] + "\nM01600,糖尿病,2021-06-01,,1,,F20261201\n")
    assert told(ready, "diff", "--file", only)["changes"] == 0
    assert told(ready, "diff", "--file", only, "--full", code=3)["removed"] == 2
    ready.run("import", ready.config, "chronic_disease", only, "--full")
    found = told(ready, "diff", code=3)
    assert (found["removed"], found["changed"], found["added"]) == (2, 0, 0)
    assert ready.target("M03900") == "no_row"
    assert ready.target("M01600") == "M01600"
    shown = told(ready, "show", "M03900")["records"]  # the history keeps it
    assert [(one["ver"], one["in_force"]) for one in shown] == [("F20260101", False)]


def test_the_same_file_again_stores_nothing(ready: Desk) -> None:
    assert told(ready, "import", str(ready.folder / "lib.csv"))["again"] is True
    assert len(told(ready, "history")["history"]) == 1
    assert told(ready, "import", str(ready.folder / "lib.csv"), "--full")["again"] is False


def test_export_of_what_is_in_force_of_a_version_and_of_a_day(ready: Desk) -> None:
    ready.run("import", ready.config, "chronic_disease", ready.file("second.csv", SECOND))
    out = ready.folder / "out.csv"

    def exported(*options: str) -> list[tuple[str, str, str]]:
        ready.run("export", ready.config, "chronic_disease", "--out", str(out), *options)
        rows = csv.DictReader(out.read_text("utf-8").splitlines())
        return [(row["code"], row["name"], row["ver"]) for row in rows]

    assert exported() == [
        ("M00500", "恶性肿瘤", "F20261101"), ("M01600", "2型糖尿病", "F20261101"), ("M03900", "高血压", "F20261101"),
        ("M03901", "原发性高血压", "F20261101"),
    ]  # fmt: skip
    assert [row[0] for row in exported("--date", "2026-11-18")] == ["M01600", "M03901"]
    assert exported("--ver", "F20260101")[1] == ("M01600", "糖尿病", "F20260101")
    assert [row[0] for row in exported("--ver", "F20260101", "--date", "2025-12-31")] == ["M00500", "M01600", "M03900"]
    ready.run("export", ready.config, "chronic_disease", "--out", str(out), "--ver", "F9", code=2)
    exported()
    other = Desk(ready.folder / "other") if (ready.folder / "other").mkdir() is None else ready
    other.run("import", other.config, "chronic_disease", str(out))  # what was exported can be imported
    assert told(other, "show", "M03900")["records"][0]["replaced_by"] == "M03901"


def test_a_record_by_hand_is_a_small_version_with_maker_and_reason(ready: Desk) -> None:
    put = ("record", "put", ready.config, "chronic_disease")
    ready.run(*put, "M01600", "--name", "2型糖尿病", "--set", "备注=更名", "--maker", "甲", "--reason", "文件3号")
    ready.run(*put, "M07700", "--name", "新病种", "--begndate", "2026-01-01", "--maker", "甲", "--reason", "新增")
    shown = told(ready, "show", "M01600")["records"]
    assert [(one["name"], one["ver"], one["in_force"]) for one in shown] == [
        ("2型糖尿病", "F20260101+1", True), ("糖尿病", "F20260101", False),
    ]  # fmt: skip
    assert shown[0]["raw"]["opsp_dise_name"] == "2型糖尿病"
    assert shown[0]["raw"]["备注"] == "更名"
    assert (shown[0]["begndate"], shown[0]["operator"]) == ("2021-06-01", "甲")
    assert ready.target("M07700") == "M07700"
    trail = told(ready, "history")["history"]
    assert [(one["who"], one["what"]) for one in trail][1:] == [("甲", "change_record"), ("甲", "change_record")]
    assert "reason=文件3号" in trail[1]["detail"]
    assert "修改记录" in ready.run("history", ready.config, "chronic_disease").stdout


def test_retiring_ends_a_record_and_leaves_the_past(ready: Desk) -> None:
    retire = ("record", "retire", ready.config, "chronic_disease")
    ready.run(*retire, "M03900", "--date", "2026-10-31", "--replaced-by", "M01600", "--maker", "甲", "--reason", "合并")
    assert ready.target("M03900", "2026-10-31") == "M03900"
    assert ready.target("M03900", "2026-11-01") == "library_expired"
    assert "由M01600替代" in ready.run("show", ready.config, "chronic_disease", "M03900").stdout
    ready.run(*retire, "M99999", "--maker", "甲", "--reason", "x", code=1)
    ready.run(*retire, "M01600", "--maker", " ", "--reason", "x", code=2)


def test_a_replacement_must_be_in_force(ready: Desk) -> None:
    place = (ready.config, "chronic_disease", "M03900", "--maker", "甲", "--reason", "合并")
    for code, why in (("M99999", "不在在用目录中"), ("M03900", "就是原编码"), ("M00500", "已停用")):
        text = ready.run("record", "retire", *place, "--replaced-by", code, code=1).stderr
        assert f"M03900:1:replaced_by MF07 替代编码{code}{why}" in text and "未写入" in text
        assert why in ready.run("record", "put", *place, "--set", f"替代编码={code}", code=1).stderr
    assert len(told(ready, "show", "M03900")["records"]) == 1
    ready.run("record", "retire", *place, "--replaced-by", "M01600")
    ready.run("record", "put", *place, "--enddate", "2027-01-01")  # what stands already is not judged again
    assert told(ready, "show", "M03900")["records"][0]["replaced_by"] == "M01600"


def test_a_bad_record_by_hand_is_refused_with_its_column(ready: Desk) -> None:
    put = ("record", "put", ready.config, "chronic_disease")
    assert "MF09" in ready.run(*put, "m1", "--name", "错", "--reason", "x", code=1).stderr
    assert "MF08" in ready.run(*put, "M01600", "--enddate", "明年", "--reason", "x", code=1).stderr
    assert "MF08" in ready.run(*put, "M01600", "--enddate", "2000-01-01", "--reason", "x", code=1).stderr
    assert "MF11" in ready.run(*put, "M01600", "--name", "a\x07", "--reason", "x", code=1).stderr
    ready.run(*put, "M01600", "--set", "备注", "--reason", "x", code=2)
    assert len(told(ready, "show", "M01600")["records"]) == 1


def test_search_by_initials_shows_what_is_in_force(ready: Desk) -> None:
    ready.run("import", ready.config, "chronic_disease", ready.file("second.csv", SECOND))
    assert [row["code"] for row in told(ready, "search", "gxy")["rows"]] == ["M03900"]
    assert [row["code"] for row in told(ready, "search", "尿病")["rows"]] == ["M01600"]
    assert told(ready, "search", "m039")["rows"] == []  # a code is written as it is written
    assert len(told(ready, "search", "M039")["rows"]) == 2


def test_analysis_counts_rows_validity_months_use_and_what_is_unmapped(ready: Desk) -> None:
    ready.run("import", ready.config, "chronic_disease", ready.file("second.csv", SECOND))
    mapping = "local_code,national_code,evidence\nMB1,M01600,\nMB2,,\nMB3,,no_code:自费\n"
    ready.map_import(mapping, "--maker", "甲", "--reviewer", "乙", code=3)
    journal(
        ready, [(1, NOW_S - 86400, [used("M01600"), used("M01600")]), (2, NOW_S - 86400, [used("X", system="drug")])]
    )
    found = told(ready, "analysis")
    assert (found["rows"], found["validity"]["usable"], found["validity"]["ended"]) == (4, 2, 2)
    assert found["months"] == [{"month": "2026-11", "added": 4, "again": 3, "versions": ["F20260101", "F20261101"]}]
    assert found["use"] == [{"institution": HOSPITAL, "uses": 2, "codes": 1}]
    (one,) = found["mapped"]
    assert (one["local_codes"], one["mapped"], one["decided_none"], one["unmapped"]) == (3, 1, 1, 1)
    assert "未对码1" in ready.run("analysis", ready.config, "chronic_disease").stdout


def test_libraries_say_what_ends_soon(ready: Desk) -> None:
    soon = LIBRARY.replace("2025-12-31", "2026-12-01").replace("F20260101", "F20260102")
    ready.run("import", ready.config, "chronic_disease", ready.file("soon.csv", soon))
    listed = json.loads(ready.run("libraries", ready.config, "--json").stdout)["libraries"]
    (one,) = [one for one in listed if one["system"] == "chronic_disease"]
    assert (one["usable"], one["ends_soon"], one["versions"]) == (3, 1, 2)


# --- files of every library --------------------------------------------------------------------------


# The standards that have no example of their own, or more than one kind of code.
CODES = {
    "1301": "XJ01CAA900E001020299007", "1302": "T000700200", "1303": "J990101000000001", "1320": "T0007002000010010123",
    "1310": "BZ0001", "1311": "RJ0001",
}  # fmt: skip
DOWNLOADS = [
    (system, supply.transaction)
    for system, spec in sorted(code_systems().items())
    for supply in spec.supply
    if supply.by == "file"
]


@pytest.mark.parametrize(("system", "infno"), DOWNLOADS)
def test_every_download_is_read_by_its_transaction(desk: Desk, system: str, infno: str) -> None:
    """Zip of TAB-separated text in GB18030 without header, columns as published."""
    spec = code_systems()[system]
    (columns,) = layouts(spec, infno)
    code = CODES.get(infno) or code_systems()[system].examples[0].code
    cells = dict.fromkeys(columns, "null")
    cells[next(title for title in spec.titles("code") if title in columns)] = code
    cells[next(title for title in spec.titles("name") if title in columns)] = "名称"
    cells["版本号"] = "F7"
    packed = desk.folder / f"{infno}.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{infno}.txt", ("\t".join(cells.values()) + "\r\n").encode("gb18030"))
    found = told(desk, "import", str(packed), "--transaction", infno, system=system)
    assert (found["ver"], found["rows"]) == ("F7", 1)
    assert told(desk, "show", code, system=system)["records"][0]["name"] == "名称"
    short = desk.file("short.txt", "\t".join(list(cells.values())[:-1]) + "\n")
    desk.run("import", desk.config, system, short, "--transaction", infno, code=2)
    longer = "\t".join(cells.values())
    uneven = desk.file("uneven.txt", f"{longer}\n{longer}\tx\n")
    assert ":2: MF03" in desk.run("import", desk.config, system, uneven, "--transaction", infno, code=1).stderr


def test_a_transaction_that_does_not_fill_a_library_is_wrong_usage(desk: Desk) -> None:
    path = desk.file("lib.csv", LIBRARY)
    for infno in ("1301", "9999"):
        desk.run("import", desk.config, "chronic_disease", path, "--transaction", infno, code=2)


def test_a_register_is_kept_by_the_parts_of_its_key(desk: Desk) -> None:
    desk.run("import", desk.config, "price_cap", desk.file("caps.csv", CAPS))
    (one,) = told(desk, "show", "A1|101|510800|2025-01-01", system="price_cap")["records"]
    assert one["raw"]["hilist_pric_uplmt_amt"] == "13.50"
    assert len(told(desk, "search", "A1|101", system="price_cap")["rows"]) == 2
    listed = json.loads(desk.run("libraries", desk.config, "--json").stdout)["libraries"]
    assert len(listed) == 15
    assert "price_cap" not in {one["system"] for one in listed}


def test_overlapping_days_of_a_register_are_refused(desk: Desk) -> None:
    bad = CAPS.replace("2024-12-31", "2025-01-01").replace("\nA1,102", "\nA1,101,510800,2023-01-01,,1,1,1\nA1,102")
    path = desk.file("caps.csv", bad)
    lines = desk.run("import", desk.config, "price_cap", path, code=1).stderr.splitlines()
    assert lines[0] == f"{path}:2:begndate MF08 有效期与第4行重叠"
    assert lines[1] == f"{path}:3:begndate MF08 有效期与第4行重叠"
    twice = desk.file("twice.csv", CAPS + CAPS.splitlines()[1] + "\n")
    assert (
        ":5:hilist_code|hilist_lmtpric_type|insu_admdvs|begndate MF10 国家编码与第2行重复"
        in desk.run("import", desk.config, "price_cap", twice, code=1).stderr
    )
    assert told(desk, "history", system="price_cap")["history"] == []


def test_every_register_takes_a_file_with_the_names_of_its_transaction(desk: Desk) -> None:
    for system, spec in registers().items():
        titles = [column.accepted[0] for column in spec.record_fields]
        cells = {title: "1" for title in titles} | {"vali_flag": "1", "valiFlag": "1"}
        for column in spec.record_fields:
            if column.role in ("begndate", "enddate"):
                cells[column.accepted[0]] = "2024-01-01"
            if "insu_admdvs" in column.accepted:
                cells[column.accepted[0]] = "510800"
        path = desk.file(f"{system}.csv", ",".join(cells) + "\n" + ",".join(cells.values()) + "\n")
        assert told(desk, "import", path, "--ver", "1", system=system)["rows"] == 1


def test_a_bomb_and_a_broken_archive_are_refused_and_the_old_version_stays(ready: Desk) -> None:
    bomb = ready.folder / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", b"M03900\t" + b"0" * 50_000_000)
    assert "MF05" in ready.run("import", ready.config, "chronic_disease", str(bomb), code=1).stderr
    good = ready.folder / "good.zip"
    with zipfile.ZipFile(good, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", (SECOND * 1).encode())
    torn = bytearray(good.read_bytes())
    torn[60:80] = bytes(20)
    path = ready.file("torn.zip", bytes(torn))
    assert "MF12" in ready.run("import", ready.config, "chronic_disease", path, code=1).stderr
    assert len(told(ready, "history")["history"]) == 1
    ready.run("import", ready.config, "chronic_disease", str(good))
