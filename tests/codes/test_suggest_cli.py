"""`liangding codes suggest` as people run it: exit codes, one line for each row, what it never says."""

import csv
import io
import json
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result
from configured import NOW_S
from suggest_noise import DATA

from gateway.app.cli_codes import codes

NATIONAL = """opsp_dise_code,opsp_dise_name,admdvs,begndate,enddate,vali_flag
M03900,高血压,990100,2021-06-01,,1
M01600,糖尿病,990100,2021-06-01,,1
M04600,冠心病,990100,2021-06-01,2026-11-17,1
"""
HEADER = ["local_code", "national_code", "confidence", "rule", "runner_up", "runner_up_confidence", "note"]


class Desk:
    """A folder with two lists, and the command run on them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.out = folder / "out.csv"

    def file(self, name: str, content: str | bytes) -> str:
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    def run(
        self, national: str | bytes, local: str | bytes, *more: str, system: str = "chronic_disease", code: int = 0
    ) -> Result:
        files = ["--national", self.file("national.csv", national), "--local", self.file("local.csv", local)]
        arguments = ["suggest", "--system", system, *files, "--out", str(self.out), *more]
        result = CliRunner().invoke(codes, arguments, obj=SimpleNamespace(now=lambda: NOW_S))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, (result.stdout, result.stderr)
        return result

    def rows(self) -> list[list[str]]:
        return list(csv.reader(io.StringIO(self.out.read_bytes().decode())))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_every_row_has_its_line_in_order_and_its_code_byte_for_byte(desk: Desk) -> None:
    local = 'local_code,local_name\n" 007 ",高血压\n７Ａ,停车费\nmb-1,糖尿病\n007,高血压\nnull,糖尿病\n'
    desk.run(NATIONAL, local)
    header, *rows = desk.rows()
    assert header == HEADER
    assert [row[0] for row in rows] == [" 007 ", "７Ａ", "mb-1", "007", "null"]
    assert [row[1] for row in rows] == ["M03900", "", "M01600", "M03900", "M01600"]
    assert rows[1][2:6] == ["", "", "", ""] and rows[1][6]
    assert all(0 <= float(row[2]) <= 1 for row in rows if row[1])


def test_what_it_did_is_said_and_nothing_is_approved(desk: Desk) -> None:
    local = "local_code,local_name\n1,高血压\n2,停车费\n"
    said = desk.run(NATIONAL, local).stdout
    assert "较确定（置信度≥0.95）1条" in said and "没有建议1条" in said and "两人核对" in said
    told: dict[str, Any] = json.loads(desk.run(NATIONAL, local, "--json").stdout)
    assert (told["rows"], told["sure"], told["none"], told["national"]) == (2, 1, 1, 3)
    assert sorted(path.name for path in desk.folder.iterdir()) == ["local.csv", "national.csv", "out.csv"]


@pytest.mark.parametrize(
    ("more", "code"), [((), ""), (("--date", "2026-11-17"), "M04600"), (("--date", "2021-05-31"), "")]
)
def test_what_is_valid_is_judged_on_the_day_given_or_today(desk: Desk, more: tuple[str, ...], code: str) -> None:
    desk.run(NATIONAL, "local_code,local_name\n1,冠心病\n", *more)
    _, row = desk.rows()
    assert row[1] == code
    assert code or "M04600" in row[6]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_the_usual_encodings_are_read(desk: Desk, encoding: str) -> None:
    local = "院内编码,院内名称,备注\n甲1,高血压,x\n"
    desk.run(NATIONAL.encode(encoding), local.encode(encoding))
    assert desk.rows()[1][:2] == ["甲1", "M03900"]


def test_a_download_in_a_zip_without_header_is_read(desk: Desk) -> None:
    """1309 has sixteen columns: code first, name fifteenth, division fourth, flag sixth."""
    cells = ["M03900", "", "", "990100", "", "1", "r1", "", "", "F1", "", "", "", "", "高血压", "M03900"]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("1309.txt", "\t".join(cells) + "\n")
    desk.run(packed.getvalue(), "local_code,local_name\n1,高血壓\n")
    assert desk.rows()[1][1] == "M03900"


@pytest.mark.parametrize(
    ("national", "local", "missing"),
    [
        (NATIONAL, "local_name\n高血压\n", "local_code"),
        (NATIONAL, "local_code\n1\n", "local_name"),
        ("opsp_dise_name,vali_flag\n高血压,1\n", "local_code,local_name\n1,高血压\n", "opsp_dise_code"),
        ("med_list_codg,vali_flag\nx,1\n", "local_code,local_name\n1,高血压\n", "opsp_dise_code"),
    ],
)
def test_a_missing_key_column_is_wrong_usage(desk: Desk, national: str, local: str, missing: str) -> None:
    assert missing in desk.run(national, local, code=2).stderr
    assert not desk.out.exists()


@pytest.mark.parametrize(
    ("national", "local", "place"),
    [
        (NATIONAL, "local_code,local_name\n1,高血压,多余\n", "local.csv:2: MF03"),
        (NATIONAL, "local_code,local_name\n1,高血压\n2,=1+1\n", "local.csv:3:local_name MF06"),
        (NATIONAL, b"\xff\xfe\x00\x00", "local.csv:0: MF01"),
        (NATIONAL, "", "local.csv:1: MF02"),
        (NATIONAL + "M00500,肝炎\n", "local_code,local_name\n1,高血压\n", "national.csv:5: MF03"),
        (b"PK\x03\x04broken", "local_code,local_name\n1,高血压\n", "national.csv:0: MF12"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_and_nothing_is_written(
    desk: Desk, national: str | bytes, local: str | bytes, place: str
) -> None:
    desk.out.write_text("earlier")
    assert place in desk.run(national, local, code=1).stderr
    assert desk.out.read_text() == "earlier"
    assert sorted(path.name for path in desk.folder.iterdir()) == ["local.csv", "national.csv", "out.csv"]


def test_wrong_usage_is_exit_2(desk: Desk) -> None:
    local = "local_code,local_name\n1,高血压\n"
    assert "nonsense" in desk.run(NATIONAL, local, system="nonsense", code=2).stderr
    assert "yyyy-MM-dd" in desk.run(NATIONAL, local, "--date", "2026-02-30", code=2).stderr
    desk.out = desk.folder / "local.csv"
    assert "输入" in desk.run(NATIONAL, local, code=2).stderr
    assert (desk.folder / "local.csv").read_text() == local
    missing = str(desk.folder / "no.csv")
    run = CliRunner().invoke(
        codes,
        ["suggest", "--system", "drug", "--national", missing, "--local", missing, "--out", str(desk.out)],
        obj=SimpleNamespace(now=lambda: NOW_S),
    )
    assert run.exit_code == 2 and "no.csv" in run.stderr


def test_an_output_that_cannot_be_written_is_told(desk: Desk) -> None:
    local = "local_code,local_name\n1,高血压\n"
    desk.out = desk.folder
    assert "读写失败" in desk.run(NATIONAL, local, code=1).stderr
    desk.out = desk.folder / "nowhere" / "out.csv"
    assert "nowhere" in desk.run(NATIONAL, local, code=2).stderr


def test_an_empty_list_makes_an_empty_answer(desk: Desk) -> None:
    desk.run(NATIONAL, "local_code,local_name\n")
    assert desk.rows() == [HEADER]


@pytest.mark.parametrize("system", ["doctor", "nurse", "pharmacist"])
def test_no_identity_licence_or_name_of_a_person_is_told(desk: Desk, system: str) -> None:
    national, local = ((DATA / f"{prefix}{system}s.csv").read_text("utf-8") for prefix in ("", "local_"))
    said = desk.run(national, local, system=system)
    told = desk.out.read_text("utf-8") + said.stdout + said.stderr
    people = [*csv.DictReader(io.StringIO(national)), *csv.DictReader(io.StringIO(local))]
    fields = ("certno", "prac_cert_no", "psn_name", "local_certno", "local_prac_cert_no", "local_name")
    private = {row[field] for row in people for field in fields if len(row.get(field, "")) > 1}
    assert len(private) > 50
    assert not [word for word in private if word in told]


def test_a_faulty_row_of_a_person_is_complained_about_without_its_content(desk: Desk) -> None:
    national = (DATA / "doctors.csv").read_text("utf-8")
    local = "local_code,local_name,local_certno\n1,王兰,=999456197001102504\n"
    said = desk.run(national, local, system="doctor", code=1)
    assert "999456197001102504" not in said.stderr and "王兰" not in said.stderr


def test_the_same_files_give_the_same_bytes(desk: Desk) -> None:
    national = (DATA / "national_drugs.csv").read_bytes()
    local = (DATA / "local_drugs.csv").read_bytes()
    desk.run(national, local, system="drug")
    first = desk.out.read_bytes()
    desk.run(national, local, system="drug")
    assert desk.out.read_bytes() == first


# --- a city's old codes ---------------------------------------------------------------------------------

TWINS = """opsp_dise_code,opsp_dise_name,admdvs,begndate,enddate,vali_flag,replaced_by
M03900,高血压,990100,2021-06-01,,1,
M03901,高血压,990200,2021-06-01,,1,
M01600,糖尿病,990100,2021-06-01,,1,
M04600,冠心病,990100,2021-06-01,2025-12-31,1,M04601
M04601,冠心病,990100,2026-01-01,,1,
"""
OLD = "local_code,local_name,old_city_code\n"
CROSSWALK = """city_code,kind,city_name,national_code,begndate,enddate
C1,BZ,高血压,M03901,2021-07-01,
C2,BZ,高血压,M03900,2021-07-01,2025-12-31
C2,BZ,高血压,M03901,2026-01-01,
C3,BZ,糖尿病,M03900,2021-07-01,
C4,BZ,高血压,M03900,2021-07-01,
C4,BZ,高血压,M03901,2021-07-01,
C5,BZ,糖尿病,M77777,2021-07-01,
C6,BZ,冠心病,M04600,2021-07-01,
C7,BZ,停车费,,2021-07-01,
"""


def crossed(desk: Desk, rows: str, crosswalk: str = CROSSWALK) -> list[list[str]]:
    desk.run(TWINS, OLD + rows, "--crosswalk", desk.file("crosswalk.csv", crosswalk))
    return desk.rows()[1:]


def test_the_old_code_of_the_city_tells_twins_apart(desk: Desk) -> None:
    desk.run(TWINS, OLD + "L1,高血压,C1\n")
    assert desk.rows()[1][2] == "0.500"
    (row,) = crossed(desk, "L1,高血压,C1\n")
    assert row[:5] == ["L1", "M03901", "0.930", "named.exact", "M03900"]
    assert "另有1条同样相符，城市旧编码只对照到这一条" in row[6] and "城市旧编码C1对照到M03901" in row[6]
    drugs = "med_list_codg,generic_name,spec\nT000000001,甘草片,\nXA01AAA001A001010100001,维生素C片,0.1g\n"
    desk.run(drugs, OLD + "L1,维生素C片,C9\n", system="drug")
    assert float(desk.rows()[1][2]) < 0.93
    named = "city_code,national_code\nC9,XA01AAA001A001010100001\n"
    desk.run(drugs, OLD + "L1,维生素C片,C9\n", "--crosswalk", desk.file("c.csv", named), system="drug")
    assert desk.rows()[1][1:4] == ["XA01AAA001A001010100001", "0.930", "city.crosswalk"]
    assert [row[1] for row in crossed(desk, "L1,高血压,C2\n")] == ["M03901"]  # the row of the day counts


def test_a_crosswalk_makes_nobody_sure_and_one_that_points_elsewhere_nobody_else(desk: Desk) -> None:
    plain, other, nothing, gone = crossed(desk, "L1,糖尿病,\nL2,糖尿病,C3\nL3,糖尿病,C7\nL4,冠心病,C6\n")
    assert float(plain[2]) >= 0.95 and nothing[1:] == plain[1:]
    assert (other[1], other[2]) == ("M01600", "0.900") and "对照到M03900，与建议不同" in other[6]
    assert gone[1] == "M04601" and "城市旧编码C6对照到M04600" in gone[6]  # followed to what replaced it


def test_what_the_crosswalk_cannot_say_is_told_and_not_used(desk: Desk) -> None:
    several, unknown = crossed(desk, "L1,高血压,C4\nL2,糖尿病,C5\n")
    assert several[2] == "0.500" and "对照了2个国家编码，未采用" in several[6]
    assert float(unknown[2]) >= 0.95 and "对照的M77777不在国家目录中" in unknown[6]


def test_a_crosswalk_that_cannot_be_read_writes_nothing(desk: Desk) -> None:
    arguments = (TWINS, OLD + "L1,高血压,C1\n", "--crosswalk")
    bad = desk.file("crosswalk.csv", CROSSWALK.replace("2021-07-01,2025", "昨天,2025").replace("C5", "=C5"))
    told = desk.run(*arguments, bad, code=1).stderr
    assert f"{bad}:3:begndate MF08" in told and f"{bad}:8:city_code MF06" in told
    assert "缺少必需的列" in desk.run(*arguments, desk.file("crosswalk.csv", "a,b\n1,2\n"), code=2).stderr
    assert "不能是输入文件" in desk.run(*arguments, str(desk.out), code=2).stderr
    assert not desk.out.exists()
