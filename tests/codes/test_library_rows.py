"""The rows of national library files, and when a record is usable (code systems, common lifecycle)."""

import json
import re

import pytest

from gateway.app.codes_files import code_systems
from gateway.codes.faults import Faults
from gateway.codes.library import LibraryRow, day_text, parse, record_of
from gateway.codes.systems import library_titles

FORM = re.compile(r"^[DN][0-9]{12}$")
HEADER = ("dr_code", "psn_name", "certno", "begndate", "enddate", "vali_flag", "gray", "dept")
AT = {"code": 0, "name": 1, "begndate": 3, "enddate": 4, "vali_flag": 5, "gray": 6}


def read(*cells: str) -> tuple[list[LibraryRow], list[tuple[int, str, str]]]:
    faults = Faults()
    found = list(parse([(2, cells)], HEADER, AT, FORM, faults))
    return found, [(fault.line, fault.column, fault.rule) for fault in faults]


def test_a_row_is_kept_with_its_other_columns_but_without_identity_numbers() -> None:
    (row,), faults = read("D990101000001", "某医师", "999000190001010000", "2021-01-01 00:00:00", "", "", "", "A26")
    assert faults == []
    assert (row.begndate, row.enddate, row.vali_flag, row.gray) == ("2021-01-01", "", "1", "0")
    kept = json.loads(row.raw)
    assert kept["dept"] == "A26"
    assert "999000190001010000" not in row.raw


@pytest.mark.parametrize(
    ("number", "cell", "fault"),
    [
        (0, "", ("code", "MF07")),
        (0, "d990101000001", ("code", "MF09")),
        (0, "D" * 51, ("code", "MF07")),
        (1, "名" * 501, ("name", "MF05")),
        (3, "2021-13-01", ("begndate", "MF08")),
        (4, "明年", ("enddate", "MF08")),
        (5, "2", ("vali_flag", "MF07")),
        (6, "是", ("gray", "MF07")),
    ],
)
def test_each_fault(number: int, cell: str, fault: tuple[str, str]) -> None:
    cells = ["D990101000001", "某医师", "", "", "", "1", "0", ""]
    cells[number] = cell
    rows, faults = read(*cells)
    assert rows == []
    assert faults == [(2, *fault)]


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("", ""), ("2021-01-01", "2021-01-01"), ("2021-01-01 08:00:00", "2021-01-01"), ("20210101", "2021-01-01"),
        ("2021/1/9", "2021-01-09"), ("2021-02-30", None), ("20211301", None), ("x", None),
    ],
)  # fmt: skip
def test_days_as_downloads_write_them(text: str, day: str | None) -> None:
    assert day_text(text) == day


def usable(record: tuple[str, str, str], day: str) -> bool:
    return record[1] <= day <= record[2]


def test_a_record_is_usable_when_valid_begun_not_ended_and_not_grey() -> None:
    assert usable(record_of("", "", "", "1", "0"), "2026-11-21")
    span = record_of("", "2021-01-01", "2021-12-31", "1", "0")
    assert [usable(span, day) for day in ("2020-12-31", "2021-01-01", "2021-12-31", "2022-01-01")] == [0, 1, 1, 0]
    for never in (record_of("", "", "", "0", "0"), record_of("", "", "", "1", "1")):
        assert not any(usable(never, day) for day in ("0001-01-01", "2026-11-21", "9999-12-31"))


def test_titles_of_files_and_of_downloads() -> None:
    specs = code_systems()
    assert library_titles(specs["diagnosis"])["code"][:2] == ("diag_code", "诊断代码")
    assert "医疗目录编码" in library_titles(specs["drug"])["code"]
    assert library_titles(specs["drug"])["name"][:3] == ("generic_name", "drug_genname", "药品通用名")
    assert library_titles(specs["insurance_unit"])["code"] == ("code", "单位编码")
