"""`map check` on the store and on files: what is judged, where it is told, exit codes (annex C1, C2)."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from test_codes_cli import HOSPITAL, LIBRARY, Desk

import schemas
from adapters.store.codes import CodesWriter, Deed
from adapters.store.codes_libraries import LibraryWriter
from gateway.app.codes_coverage import stored_windows
from gateway.app.codes_files import reading

LATER = """opsp_dise_code,opsp_dise_name,begndate,enddate,vali_flag,replaced_by,ver
M01600,糖尿病,2021-06-01,2026-12-01,1,M01601,F20261101
M01601,2型糖尿病,2021-06-01,,1,,F20261101
M03900,高血压,2021-06-01,,0,,F20261101
"""
SYSTEM = "chronic_disease"
SCRIPTS = list(schemas.read("migrations/codes", ".sql"))


@pytest.fixture
def ready(tmp_path: Path) -> Desk:
    desk = Desk(tmp_path)
    desk.run("import", desk.config, SYSTEM, desk.file("lib.csv", LIBRARY))
    return desk


def check(desk: Desk, *arguments: str, code: int) -> list[dict[str, str]]:
    text = desk.run("map", "check", desk.config, HOSPITAL, SYSTEM, *arguments, code=code).stdout
    return list(csv.DictReader(io.StringIO(text)))


def places(found: list[dict[str, str]]) -> list[tuple[str, str, str]]:
    return [(one["row"], one["rule"], one["level"]) for one in found]


def test_a_draft_is_reported_with_the_lines_of_its_file(ready: Desk) -> None:
    ready.map_import("local_code,national_code\nMB1,M03900\nMB2,\nMB3,M77777\n", "--maker", "甲")
    found = check(ready, code=3)
    assert places(found) == [("3", "MA01", "error"), ("4", "MA06", "error")]
    assert found[1]["national_code"] == "M77777"


def test_a_sound_mapping_has_no_finding(ready: Desk) -> None:
    ready.map_import("local_code,national_code\nMB1,M03900\n", "--maker", "甲", "--reviewer", "乙")
    assert check(ready, code=0) == []
    out = ready.folder / "out.csv"
    assert "0处错误" in ready.run("map", "check", ready.config, HOSPITAL, SYSTEM, "--out", str(out)).stdout
    assert out.read_text("utf-8").splitlines() == ["row,column,local_code,national_code,rule,level,message"]


def test_the_newest_word_on_a_local_code_is_judged(ready: Desk) -> None:
    ready.map_import("local_code,national_code\nMB1,M03900\nMB2,M77777\nMB3,M88888\n", "--maker", "甲")
    ready.map_import("local_code,national_code\nMB2,M01600\n", "--maker", "甲", "--reviewer", "乙")
    found = check(ready, code=3)
    assert places(found) == [("4", "MA06", "error")]
    assert "m1 map.csv" in found[0]["message"]
    ready.run("map", "review", ready.config, HOSPITAL, SYSTEM, "--reviewer", "乙", "--return", "重做", code=3)
    assert check(ready, code=0) == []


def test_a_library_that_changes_lists_what_dies_before_it_dies(ready: Desk) -> None:
    ready.map_import("local_code,national_code\nMB1,M03900\nMB2,M01600\n", "--maker", "甲", "--reviewer", "乙")
    assert check(ready, code=0) == []
    path = ready.file("later.csv", LATER)
    told = json.loads(ready.run("import", ready.config, SYSTEM, path, "--json").stdout)
    assert told["affected"] == {HOSPITAL: 2}
    found = check(ready, code=3)
    assert places(found) == [("2", "MA05", "error"), ("3", "MA05", "warn")]
    assert "2026-12-01后停用，替代编码为M01601（2型糖尿病）" in found[1]["message"]
    assert places(check(ready, "--date", "2026-10-30", code=3)) == [("2", "MA05", "error")]
    assert places(check(ready, "--date", "2026-12-02", code=3)) == [("2", "MA05", "error"), ("3", "MA05", "error")]
    assert f"机构{HOSPITAL}有2条" in ready.run("import", ready.config, SYSTEM, path, "--ver", "F20261102").stdout


def test_a_whole_release_that_drops_a_code_lists_who_stands_on_it(ready: Desk) -> None:
    ready.map_import("local_code,national_code\nMB1,M03900\nMB2,M01600\n", "--maker", "甲", "--reviewer", "乙")
    header, *rows = LIBRARY.splitlines(keepends=True)
    whole = header + "".join(row for row in rows if "M01600" not in row)
    told = json.loads(
        ready.run("import", ready.config, SYSTEM, ready.file("whole.csv", whole), "--full", "--json").stdout
    )
    assert told["affected"] == {HOSPITAL: 1}
    ready.map_import("local_code,national_code\nMB3,M77777\nMB4,M01600\n", "--maker", "甲")
    found = check(ready, code=3)
    # What no release ever held is a wrong code; what the national platform took out of use has ended.
    assert [(one["local_code"], one["rule"]) for one in found] == [("MB3", "MA06"), ("MB2", "MA05"), ("MB4", "MA05")]
    assert "最新的全量目录不再列出" in found[1]["message"]
    writer = CodesWriter.open(ready.store.path, SCRIPTS)
    begun = LibraryWriter.begin(writer, SYSTEM, "f", Deed("甲", 1))
    list(begun.add([("M01600", "糖尿病", "", "", "1", "0", "", 2, "{}", "")]))
    list(begun.enter())
    assert check(ready, code=3) == found  # what is only being imported changes nothing
    writer.close()
    before = places(check(ready, "--date", "2026-11-17", code=3))
    assert before == [("2", "MA06", "error"), ("3", "MA05", "warn"), ("3", "MA05", "warn")]
    with reading(ready.store.path) as reader:
        days = stored_windows(reader, [SYSTEM])  # and coverage says the same
    assert (days(SYSTEM, "M01600"), days(SYSTEM, "M77777")) == (("2021-06-01", "2026-11-17"), None)


def test_a_findings_file_in_no_folder_names_the_folder(ready: Desk) -> None:
    ready.map_import("local_code,national_code\nMB1,M03900\n", "--maker", "甲", "--reviewer", "乙")
    for name in ("out.csv", "out.xlsx"):
        out = ready.folder / "nowhere" / name
        told = ready.run("map", "check", ready.config, HOSPITAL, SYSTEM, "--out", str(out), code=2).stderr
        assert "nowhere" in told and ".part" not in told


def test_a_file_is_judged_before_it_is_imported(ready: Desk) -> None:
    path = ready.file("map.csv", "local_code,national_code,local_name\nMB1,M03900,血压高\nMB2,M0390O,高血压\n")
    assert places(check(ready, path, code=3)) == [("2", "MA16", "warn"), ("3", "MA06", "error")]
    told = json.loads(ready.run("map", "check", ready.config, HOSPITAL, SYSTEM, path, "--json", code=3).stdout)
    assert (told["errors"], told["count"], told["findings"][0]["row"]) == (1, 2, 2)
    looked = ready.store.tables()
    assert looked.batches(HOSPITAL, SYSTEM) == []
    looked.close()


def test_faults_of_form_are_findings_and_their_rows_are_judged_no_further(ready: Desk) -> None:
    content = (
        "local_code,national_code,valid_from,note\nMB1,M03900,2026-02-30,\nMB2,M03900,,=1+1\nMB3,,,\n,M03900,,\nMB5,x\n"
    )
    found = check(ready, ready.file("map.csv", content), code=3)
    assert places(found) == [
        ("2", "MF08", "error"), ("3", "MF06", "error"), ("4", "MA01", "error"), ("5", "MF07", "error"),
        ("6", "MF03", "error"),
    ]  # fmt: skip
    assert (found[0]["local_code"], found[0]["column"]) == ("MB1", "valid_from")


def test_what_cannot_be_read_at_all_fails(ready: Desk) -> None:
    for content, rule in (("local_code,national_code\nMB1,M03900\n".encode("utf-16"), "MF01"), (b"", "MF02")):
        path = ready.file("map.csv", content)
        place = ("map", "check", ready.config, HOSPITAL, SYSTEM, path)
        assert f"{rule} " in ready.run(*place, code=1).stderr
        told = json.loads(ready.run(*place, "--json", code=1).stdout.splitlines()[0])
        assert [one["rule"] for one in told["complaints"]] == [rule]
    header_only = ready.file("map.csv", "local_code,national_code\n")
    assert "MF02" in ready.run("map", "check", ready.config, HOSPITAL, SYSTEM, header_only, code=1).stderr


def test_without_a_database_two_files_are_enough(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    national, path = desk.file("lib.csv", LIBRARY), desk.file("map.csv", "local_code,national_code\nMB1,M00500\n")
    arguments = ("map", "check", "--system", SYSTEM, "--national", national, "--mapping", path)
    out = str(tmp_path / "out.csv")
    assert "1处错误" in desk.run(*arguments, "--out", out, code=3).stdout
    assert desk.run(*arguments, "--out", out, "--date", "2025-06-01").exit_code == 0
    assert not desk.store.path.exists()
    bad = desk.file("lib.csv", LIBRARY + "M0390X,错,,,1,\n")
    assert f"{bad}:5:opsp_dise_code MF09" in desk.run(*arguments, code=1).stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("--system", SYSTEM, "--national", "lib.csv"),
        ("--system", "drugs", "--national", "lib.csv", "--mapping", "lib.csv"),
        ("--system", SYSTEM, "--national", "no.csv", "--mapping", "lib.csv"),
        ("--system", SYSTEM, "--national", "lib.csv", "--mapping", "lib.csv"),
        ("CONFIG",),
        ("CONFIG", HOSPITAL, SYSTEM, "--system", SYSTEM),
        ("CONFIG", "H00000000000", SYSTEM),
        ("CONFIG", HOSPITAL, "drugs"),
        ("CONFIG", HOSPITAL, SYSTEM, "no.csv"),
        ("CONFIG", HOSPITAL, SYSTEM, "--date", "2026-02-30"),
    ],
)
def test_wrong_usage(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    desk = Desk(tmp_path)
    desk.file("lib.csv", LIBRARY)
    names = {"CONFIG": desk.config, "lib.csv": str(tmp_path / "lib.csv")}
    assert desk.run("map", "check", *(names.get(one, one) for one in arguments), code=2).stderr


def test_a_workbook_is_as_good_as_a_text_file(ready: Desk) -> None:
    path = ready.folder / "map.dat"
    with xlsxwriter.Workbook(path) as workbook:
        page = workbook.add_worksheet()
        for number, row in enumerate([("院内编码", "国家编码", "名称"), ("MB1", "M03900", "高血压"), ("MB2", "", "")]):
            page.write_row(number, 0, row)
    assert places(check(ready, str(path), code=3)) == [("3", "MA01", "error")]
    people = ("--maker", "甲", "--reviewer", "乙")
    ready.run("map", "import", ready.config, HOSPITAL, SYSTEM, str(path), *people, code=3)
    assert ready.target("MB1") == "M03900"
    out = ready.folder / "out.xlsx"
    ready.run("map", "export", ready.config, HOSPITAL, SYSTEM, "--out", str(out))
    ready.run("map", "import", ready.config, HOSPITAL, SYSTEM, str(out), *people)


def test_a_library_may_be_a_workbook_too(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    path = tmp_path / "库.xlsx"
    with xlsxwriter.Workbook(path) as workbook:
        page = workbook.add_worksheet()
        for number, line in enumerate(LIBRARY.splitlines()):
            page.write_row(number, 0, line.split(","))
    told = json.loads(desk.run("import", desk.config, SYSTEM, str(path), "--json").stdout)
    assert (told["rows"], told["ver"]) == (3, "F20260101")


def test_what_the_local_side_says_is_kept_and_judged_again_at_approval(ready: Desk) -> None:
    """The drug's approval number came with the draft; the national record that contradicts it came later."""
    library = "med_list_codg,generic_name,aprvno,begndate,enddate,vali_flag,ver\n"
    code = "XJ01CAA900E001020299007"
    path = ready.file(
        "map.csv", f"local_code,national_code,local_aprvno,local_certno\nYP1,{code},国药准字H19990001,1\n"
    )
    place = (ready.config, HOSPITAL, "drug")
    ready.run("map", "import", *place, path, "--maker", "甲")
    sound = library + f"{code},药,国药准字H19990001,,,1,F1\n"
    other = library + f"{code},药,国药准字H20200002,,,1,F2\n"
    ready.run("import", ready.config, "drug", ready.file("drug.csv", other))
    assert "MA02" in ready.run("map", "approve", *place, "--reviewer", "乙", code=3).stderr
    ready.run("import", ready.config, "drug", ready.file("drug.csv", sound.replace("F1", "F3")))
    ready.run("map", "approve", *place, "--reviewer", "乙")


def test_no_identity_number_is_kept_in_whatever_column(ready: Desk) -> None:
    number = "11010119900307123X"
    content = (
        "local_code,national_code,local_name,local_certno,local_prac_cert_no,local_dept\n"
        f"D1,D990101000001,某医师,{number},{number},A26\nD2,D990101000002,{number},,110000677105956,110101****1234\n"
    )
    path = ready.file("map.csv", content)
    ready.run("map", "import", ready.config, HOSPITAL, "doctor", path, "--maker", "甲")
    looked = ready.store.tables()
    kept: list[Any] = [json.loads(text) for (text,) in looked.connection.execute("SELECT facts FROM mapping")]
    looked.close()
    assert kept == [{"name": "某医师", "dept": "A26"}, {"licence": "110000677105956"}]
    assert number.encode() not in b"".join(one.read_bytes() for one in (ready.folder / "var").iterdir())


def test_an_export_holds_what_the_local_side_says(ready: Desk) -> None:
    content = "local_code,national_code,valid_from,valid_to,evidence,local_name,old_city_code\n"
    content += "MB1,M03900,,,甲册,高血压,17\nMB2,M01600,,,,,\n"
    ready.map_import(content, "--maker", "甲", "--reviewer", "乙")
    text = ready.run("map", "export", ready.config, HOSPITAL, SYSTEM).stdout
    assert list(csv.reader(io.StringIO(text))) == list(csv.reader(io.StringIO(content)))


def test_the_provinces_list_of_items_may_be_given(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    code = "001102000010000-110200001"
    library = desk.file("lib.csv", f"med_list_codg,servitem_name,ver\n{code},普通门诊诊查费,F1\n")
    local = ("110200001", "110200001A", "11020000103", "110200002", "1102", "F110200009", "")
    mapping = "local_code,national_code,local_price_code\n" + "".join(f"L{one},{code},{one}\n" for one in local)
    files = ("--national", library, "--mapping", desk.file("map.csv", mapping))
    arguments = ("map", "check", "--system", "service_item", *files, "--json")

    def told(items: str, code: int) -> list[tuple[int, str]]:
        found = json.loads(desk.run(*arguments, "--items", desk.file("items.csv", items), code=code).stdout)["findings"]
        assert all("省价格项目清单" in one["message"] for one in found if one["rule"] == "MA11")
        return [(one["row"], one["level"]) for one in found if one["rule"] == "MA11"]

    assert told("物价编码,名称\n110200001,诊查费\n1102,诊查费\n", 3) == [(5, "error")]
    assert told("物价编码\n11020000101\n110200002\n", 3) == [(4, "error")]  # what a list divides is on it
    assert "没有数据行" in desk.run(*arguments, "--items", desk.file("items.csv", "物价编码\n"), code=1).stderr
    assert "物价编码" in desk.run(*arguments, "--items", desk.file("items.csv", "名称\n甲\n"), code=2).stderr
    found = json.loads(desk.run(*arguments, code=3).stdout)["findings"]
    assert not [one for one in found if one["rule"] == "MA11"]


def test_caps_of_1318_and_the_days_of_warning_may_be_given(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    code = "001101000010000-110100001"
    library = f"med_list_codg,servitem_name,price_lv3,enddate,ver\n{code},挂号费,8.01,2026-12-31,F1\n"
    path = desk.file("map.csv", f"local_code,national_code,local_price\nFW1,{code},8.50\n")
    arguments = ["map", "check", "--system", "service_item", "--national", desk.file("lib.csv", library)]
    arguments += ["--mapping", path]

    def told(*more: str, code: int) -> list[tuple[str, str]]:
        rows = csv.DictReader(io.StringIO(desk.run(*arguments, *more, code=code).stdout))
        return [(row["rule"], row["message"][-4:]) for row in rows]

    assert told(code=3) == [("MA09", "8.01")]
    assert [rule for rule, _ in told("--warn-days", "60", code=3)] == ["MA05", "MA09"]
    caps = f"hilist_code,hilist_pric_uplmt_amt,hilist_lmtpric_type,begndate,enddate\n{code},8.20,3,2026-01-01,\n"
    assert told("--caps", desk.file("caps.csv", caps), code=3) == [("MA09", "8.20")]
    assert told("--caps", desk.file("caps.csv", caps.replace("8.20", "9")), code=0) == []
    for wrong in (caps.replace("8.20", "面议"), caps.replace("2026-01-01", "昨天"), caps.replace(",3,", ",9,")):
        assert "caps.csv:2:" in desk.run(*arguments, "--caps", desk.file("caps.csv", wrong), code=1).stderr
