"""The rows of national library files, and when a record is usable (code systems, common lifecycle)."""

import json
import re

import pytest

from gateway.app.codes_files import code_systems
from gateway.codes.faults import Faults
from gateway.codes.library import LibraryRow, Order, day_text, parse, record_of
from gateway.codes.systems import library_titles, record_form

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


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([("K|2024-01-01", 2, "2024-12-31"), ("K|2025-01-01", 3, "")], []),
        ([("K|2024-01-01", 2, "2025-01-01"), ("K|2025-01-01", 3, "")], [(3, "begndate", "MF08")]),
        ([("K|", 2, ""), ("K|2025-01-01", 3, "")], [(3, "begndate", "MF08")]),
        ([("K|2024-01-01", 2, ""), ("L|2025-01-01", 3, "")], []),
        # The longest period so far decides, not the one before.
        ([("K|2023-01-01", 2, ""), ("K|2024-01-01", 3, "2024-02-01"), ("K|2025-01-01", 4, "")],
         [(3, "begndate", "MF08"), (4, "begndate", "MF08")]),
        ([("K|2024-01-01", 2, ""), ("K|2024-01-01", 5, "")], [(5, "code", "MF10")]),
    ],
)  # fmt: skip
def test_periods_of_one_key_may_not_overlap(
    rows: list[tuple[str, int, str]], found: list[tuple[int, str, str]]
) -> None:
    faults = Faults()
    order = Order(faults, periods=True)
    for code, line, enddate in rows:
        order.passes(code, line, enddate)
    assert [(fault.line, fault.column, fault.rule) for fault in faults] == found


def test_a_code_that_ends_before_it_begins_is_a_fault() -> None:
    rows, faults = read("D990101000001", "某医师", "", "2026-01-02", "2026-01-01", "", "", "")
    assert (rows, faults) == ([], [(2, "enddate", "MF08")])
    assert read("D990101000001", "某医师", "", "2026-01-01", "2026-01-01", "", "", "")[1] == []


def test_a_library_holds_every_kind_of_code_also_those_known_by_hearsay() -> None:
    form = record_form(code_systems()["drug"])
    for code in ("XJ01CAA900E001020299007", "ZD03AAA0043010100166", "T000700200", "J990101000000001"):
        assert form.fullmatch(code), code
    for code in ("XJ01CAA900E00102", "ZD03AAA004301010", "T00070020000000", "xj01caa900e001020299007"):
        assert not form.fullmatch(code), code
