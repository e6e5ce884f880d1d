"""Look-ups answered from the libraries, on a real store filled by the real commands (contract §4)."""

import csv
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from configured import NOW_S, configured, institution
from twisted.internet.task import Clock

from adapters.store.codes import CodesStore
from gateway.app.cli import cli
from gateway.app.codes_files import SCRIPTS
from gateway.app.codes_serving import Libraries, serving_of
from gateway.app.facts import read_files
from gateway.app.say import Outside
from gateway.core.ports import Found

DATA = Path(__file__).parents[1] / "data" / "codes"
CONFIG = configured(institution("H99010300001"))
CAPS = """hilist_code,hilist_lmtpric_type,overlmt_dspo_way,insu_admdvs,begndate,enddate,hilist_pric_uplmt_amt,\
vali_flag,rid,updt_time,ver
A1,103,1,990100,2025-01-01,,12.50,1,R1,2025-01-02 08:00:00,V1
A1,103,1,990100,2023-01-01,2024-12-31,11.00,1,R2,2023-01-02 08:00:00,V1
B2,103,1,990100,2025-01-01,,99.00,1,R3,2026-05-02 08:00:00,V1
"""
WORDS = """type,label,value,parentValue,sort,valiFlag,createUser,createDate,version
INSUTYPE,职工基本医疗保险,310,0,1,1,1,2021-01-01 00:00:00,1
INSUTYPE,城乡居民基本医疗保险,390,0,2,1,1,2021-01-01 00:00:00,1
INSUTYPE,公务员医疗补助,320,0,3,0,1,2021-01-01 00:00:00,1
"""


class Desk:
    """A codes store, the commands that fill it, and the look-ups on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "g.toml").write_text(CONFIG, "utf-8")
        clock = Clock()
        clock.advance(NOW_S)
        self.failures: list[Exception] = []
        store = CodesStore.open(folder / "var" / "liangding-codes.sqlite", SCRIPTS)
        self.libraries = Libraries(store, serving_of(read_files()), clock, self._now, self.failures.append)

    @staticmethod
    def _now(call: Callable[[], Any], done: Callable[[Any], None], failed: Callable[[Exception], None]) -> None:
        try:
            result = call()
        except Exception as cause:  # as the thread does
            failed(cause)
        else:
            done(result)

    def fill(self, system: str, file: Path | str, ver: str = "") -> None:
        if isinstance(file, str):
            path = self.folder / f"{system}.csv"
            path.write_text(file, "utf-8")
            file = path
        outside = Outside(run_node=lambda c: 7, simulate=lambda w: 8, now=lambda: NOW_S, entropy=bytes)
        words = ["codes", "import", str(self.folder / "g.toml"), system, str(file), *(["--ver", ver] if ver else [])]
        result = CliRunner().invoke(cli, words, obj=outside)
        assert result.exit_code == 0, result.stderr

    def ask(self, infno: str, **data: Any) -> Any:
        """Return the output, a file's bytes, or None where the platform is asked."""
        node = "fsDownloadIn" if infno == "9102" else "data"
        told: list[Found | None] = []
        if not self.libraries.serves(infno, {node: data}):
            return "not served"
        self.libraries.look_up(infno, "H99010300001", {node: data}, "2026-11-18", told.append)
        (found,) = told
        if found is None:
            return None
        return found.content if found.content_type else found.output


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def rows_of(content: bytes) -> list[list[str]]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        (name,) = archive.namelist()
        return [line.split("\t") for line in archive.read(name).decode().splitlines()]


def file_of(desk: Desk, infno: str, ver: str = "0") -> list[list[str]]:
    told = desk.ask(infno, ver=ver)
    content = desk.ask("9102", file_qury_no=told["file_qury_no"], filename=told["filename"], fixmedins_code="plc")
    found = rows_of(content)
    assert told["data_cnt"] == len(found)
    assert len(told["file_qury_no"]) <= 30
    return found


# --- 13xx and 9102 ----------------------------------------------------------------------------------------------------


def test_a_catalogue_comes_as_the_platform_sends_it_and_can_be_imported_again(desk: Desk, tmp_path: Path) -> None:
    desk.fill("drug", DATA / "national_drugs.csv")
    western, pieces = file_of(desk, "1301"), file_of(desk, "1302")
    columns = read_files().transactions["1301"].output["_root"].file_columns
    assert {len(row) for row in western} == {len(columns)}
    assert (len(western) + len(pieces), {row[0][0] for row in western}, len(pieces)) == (415, {"X", "Z"}, 60)
    first = dict(zip(columns, next(row for row in western if row[0] == "XJ01CAA900E001020299007"), strict=True))
    assert first["批准文号"] == "国药准字H20057567"
    assert first["药品通用名"] == "阿莫西林胶囊"
    assert first["英文名称"] == "null"
    told = desk.ask("1301", ver="0")
    packed = desk.ask("9102", file_qury_no=told["file_qury_no"], filename=told["filename"], fixmedins_code="plc")
    assert len(packed) < sum(len("\t".join(row).encode()) for row in western) / 3  # packed indeed
    assert desk.ask("1301", ver="0")["dld_end_time"] == "2026-11-25 19:06:40"

    other = Desk(tmp_path / "other") if (tmp_path / "other").mkdir() is None else desk
    told = desk.ask("1301", ver="0")
    (tmp_path / "x.zip").write_bytes(desk.ask("9102", **{name: told[name] for name in ("file_qury_no", "filename")}))
    other.fill("drug", tmp_path / "x.zip")
    assert file_of(other, "1301") == western


def test_only_what_is_newer_comes_with_the_next_version(desk: Desk) -> None:
    desk.fill("chronic_disease", "opsp_dise_code,opsp_dise_name,ver\nM03900,高血压,V1\nM01600,糖尿病,V1\n")
    desk.fill("chronic_disease", "opsp_dise_code,opsp_dise_name,ver\nM01600,糖尿病(新),V2\n")
    assert [row[0] for row in file_of(desk, "1309")] == ["M01600", "M03900"]
    assert [row[0] for row in file_of(desk, "1309", "V1")] == ["M01600"]
    assert file_of(desk, "1309", "V2") == []
    assert len(file_of(desk, "1309", "never heard of")) == 2


def test_what_is_not_here_is_the_platforms(desk: Desk) -> None:
    assert desk.ask("1309", ver="0") is None  # never imported
    desk.fill("drug", DATA / "national_drugs.csv")
    assert desk.ask("1320", ver="0") is None  # no granules among them
    assert desk.ask("1303", ver="0") == "not served"  # nobody knows which codes these are
    assert desk.ask("1304", page_num=1, page_size=10) == "not served"
    assert desk.ask("9102", file_qury_no="F2026", filename="x") == "not served"
    assert desk.ask("9102", file_qury_no="GW1301-0-99", filename="x") is None
    assert desk.ask("1101", certno="1") == "not served"


def test_a_number_ends_when_the_library_moves_on(desk: Desk) -> None:
    desk.fill("chronic_disease", "opsp_dise_code,opsp_dise_name,ver\nM03900,高血压,V1\n")
    told = desk.ask("1309", ver="0")
    desk.fill("chronic_disease", "opsp_dise_code,opsp_dise_name,ver\nM01600,糖尿病,V2\n")
    assert desk.ask("9102", file_qury_no=told["file_qury_no"], filename=told["filename"]) is None


# --- pages ------------------------------------------------------------------------------------------------------------


def caps(desk: Desk, **data: Any) -> Any:
    return desk.ask("1318", **{"updt_time": "2020-01-01", "page_num": 1, "page_size": 10} | data)


def test_price_caps_by_pages(desk: Desk) -> None:
    desk.fill("price_cap", CAPS)
    every = caps(desk)
    assert [row["rid"] for row in every["data"]] == ["R2", "R1", "R3"]
    assert {name: every[name] for name in ("recordCounts", "pages", "pageNum", "lastPage")} == {
        "recordCounts": 3, "pages": 1, "pageNum": 1, "lastPage": True,
    }  # fmt: skip
    assert every["data"][1]["hilist_pric_uplmt_amt"] == "12.50"
    fields = {field.name for field in read_files().transactions["1318"].output["_root"].fields}
    assert set(every["data"][0]) == fields
    second = caps(desk, page_num="2", page_size="2")
    assert ([row["rid"] for row in second["data"]], second["firstPage"], second["lastPage"]) == (["R3"], False, True)


@pytest.mark.parametrize(
    ("data", "rids"),
    [
        ({"hilist_code": "A1"}, ["R2", "R1"]),
        ({"hilist_code": "A1", "query_date": "2024-06-01"}, ["R2"]),
        ({"query_date": "2026-06-01"}, ["R1", "R3"]),
        ({"begndate": "2025-01-01"}, ["R1", "R3"]),
        ({"updt_time": "2026-01-01"}, ["R3"]),
        ({"insu_admdvs": "510800"}, []),
        ({"hilist_code": "A"}, []),
        ({"tabname": ""}, ["R2", "R1", "R3"]),
    ],
)
def test_conditions(desk: Desk, data: dict[str, Any], rids: list[str]) -> None:
    desk.fill("price_cap", CAPS)
    assert [row["rid"] for row in caps(desk, **data)["data"]] == rids


@pytest.mark.parametrize(
    "data",
    [
        {"wubi_code": "x"},
        {"page_num": 0},
        {"page_size": "x"},
        {"page_size": 501},
        {"page_num": True},
        {"page_num": "１"},
    ],
)
def test_a_condition_nobody_can_judge_here_is_the_platforms(desk: Desk, data: dict[str, Any]) -> None:
    desk.fill("price_cap", CAPS)
    assert caps(desk, **data) is None


# --- dictionaries, staff ----------------------------------------------------------------------------------------------


def words(desk: Desk, **data: Any) -> Any:
    asked = {"type": "INSUTYPE", "parent_value": "0", "admdvs": "990100", "date": "2026-11-18", "Vali_Flag": "1"}
    return desk.ask("1901", **asked | data)


def test_a_dictionary(desk: Desk) -> None:
    assert words(desk) is None
    desk.fill("dictionary_entry", WORDS)
    assert [(row["value"], row["label"]) for row in words(desk)["list"]] == [
        ("310", "职工基本医疗保险"),
        ("390", "城乡居民基本医疗保险"),
    ]
    assert [row["value"] for row in words(desk, Vali_Flag="0")["list"]] == ["320"]
    assert [row["value"] for row in words(desk, parent_value="")["list"]] == ["310", "390"]
    assert words(desk, type="NATY") is None


def staff(desk: Desk, **data: Any) -> Any:
    asked = {"prac_psn_type": "1", "psn_cert_type": "", "certno": "", "prac_psn_name": "", "prac_psn_code": ""}
    return desk.ask("5102", **asked | data)


def test_a_doctor_by_code_and_never_by_identity_number(desk: Desk) -> None:
    code = "D990101000001"
    assert staff(desk, prac_psn_code=code) is None
    desk.fill("doctor", DATA / "doctors.csv")
    (row,) = staff(desk, prac_psn_code=code)["feedetail"]
    assert (row["prac_psn_code"], row["prac_psn_name"], row["begntime"], row["certno"]) == (
        code,
        "冯磊",
        "2021-01-01",
        "",
    )
    assert staff(desk, prac_psn_code=code, prac_psn_name="别人") == {"feedetail": []}
    assert staff(desk, prac_psn_code=code, certno="99903619900621155X") is None
    assert staff(desk, prac_psn_code="D000000000000") is None


def test_staff_by_name_among_those_of_their_kind(desk: Desk) -> None:
    assert staff(desk, prac_psn_name="冯磊") is None  # nothing imported
    desk.fill("doctor", DATA / "doctors.csv")
    found = staff(desk, prac_psn_name="冯磊")["feedetail"]
    assert {row["prac_psn_name"] for row in found} == {"冯磊"}
    assert "D990101000001" in {row["prac_psn_code"] for row in found}
    assert staff(desk, prac_psn_name="冯") is None  # no part of a name, and nobody is not an answer
    assert staff(desk, prac_psn_name="冯磊", prac_psn_type="2") is None  # nurses were never imported
    assert staff(desk, prac_psn_name="冯磊", prac_psn_type="4") == "not served"
    assert staff(desk, prac_psn_name="冯磊", certno="99903619900621155X") is None
    assert staff(desk) == "not served"


def place(desk: Desk, **asked: str) -> Any:
    told: list[Found | None] = []
    message = {"medinsinfo": {"fixmedins_type": "", "fixmedins_name": "", "fixmedins_code": ""} | asked}
    if not desk.libraries.serves("1201", message):
        return "not served"
    desk.libraries.look_up("1201", "H99010300001", message, "2026-11-18", told.append)
    return None if told[0] is None else told[0].output["medinsinfo"]


def test_an_institution_or_a_pharmacy_by_code(desk: Desk) -> None:
    desk.fill("medical_institution", DATA / "institutions.csv", "V1")
    hospital, pharmacy = (line_of(name)["code"] for name in ("institutions", "pharmacies"))
    (row,) = place(desk, fixmedins_code=hospital)
    assert row["fixmedins_name"] == line_of("institutions")["name"]
    assert row["uscc"] == line_of("institutions")["uscc"]
    assert place(desk, fixmedins_code=hospital, fixmedins_name="别家") == []
    assert place(desk, fixmedins_code=pharmacy) is None  # never imported
    desk.fill("retail_pharmacy", DATA / "pharmacies.csv", "V1")
    assert place(desk, fixmedins_code=pharmacy)[0]["fixmedins_code"] == pharmacy
    assert place(desk, fixmedins_name="某医院") == "not served"


def test_institutions_by_a_part_of_their_name(desk: Desk) -> None:
    name = line_of("institutions")["name"]
    asked = {"fixmedins_name": name[:4], "fixmedins_type": "1"}
    assert place(desk, **asked) is None
    desk.fill("medical_institution", DATA / "institutions.csv", "V1")
    found = place(desk, **asked)
    assert name in {row["fixmedins_name"] for row in found}
    assert all(name[:4] in row["fixmedins_name"] and row["fixmedins_type"] == "1" for row in found)
    assert place(desk, fixmedins_name="没有这样的医院", fixmedins_type="1") is None


def line_of(stem: str) -> dict[str, str]:
    """The first row of a sample table, its code and name by these names."""
    row = next(csv.DictReader((DATA / f"{stem}.csv").read_text("utf-8").splitlines()))
    return row | {
        short: value for name, value in row.items() for short in ("code", "name") if name.endswith(f"_{short}")
    }


def test_a_store_that_cannot_be_read_is_reported_and_the_platform_asked(desk: Desk) -> None:
    desk.fill("dictionary_entry", WORDS)
    (desk.folder / "var" / "liangding-codes.sqlite").write_bytes(b"not a database" * 100)
    assert words(desk) is None
    assert len(desk.failures) == 1
