"""Workbooks: recognised by content, read as texts, one sheet, no formulas, bounded; damage is told and never fatal."""

import datetime
import random  # noqa: TID251
import zipfile
from contextlib import ExitStack
from pathlib import Path

import old_workbook
import pytest
import xlsxwriter

from adapters.files.export import write_table
from adapters.files.tables import ColumnMissing, Limits, Shape, TableRefused, open_table

SHAPE = Shape(
    titles={"code": ("local_code", "院内编码"), "national": ("national_code",)},
    key=("code", "national"),
    layouts=(("院内编码", "national_code", "x", "y"),),
)
Rows = list[tuple[int, list[str]]]
Faults = list[tuple[int, str, str]]


def read(path: Path, limits: Limits | None = None) -> tuple[Rows, Faults]:
    faults: Faults = []
    with ExitStack() as stack:
        table = open_table(
            path, SHAPE, lambda line, column, rule, _: faults.append((line, column, rule)), stack, limits
        )
        return list(table.rows()), faults


def book(path: Path, *rows: list[object], sheet: str = "对码", top: int = 0, left: int = 0) -> Path:
    with xlsxwriter.Workbook(path) as workbook:
        page = workbook.add_worksheet(sheet)
        day = workbook.add_format({"num_format": "yyyy-mm-dd"})
        for row, cells in enumerate(rows, start=top):
            for column, cell in enumerate(cells, start=left):
                if isinstance(cell, datetime.date):
                    page.write_datetime(row, column, cell, day)
                elif isinstance(cell, str) and not cell.startswith("{=}"):
                    page.write_string(row, column, cell)
                elif isinstance(cell, str):
                    page.write_formula(row, column, cell[2:], None, 2)
                elif cell is not None:
                    page.write(row, column, cell)
    return path


HEAD: list[object] = ["local_code", "national_code", "begin", "n"]


def test_cells_become_the_texts_a_text_file_would_have(tmp_path: Path) -> None:
    moment = datetime.date(2026, 1, 2)
    path = book(tmp_path / "a.csv", HEAD, ["A1", "003112010190000", moment, 1.5], ["A2", "M03900", None, 12.0])
    rows, faults = read(path)
    assert faults == []
    assert rows == [(2, ["A1", "003112010190000", "2026-01-02", "1.5"]), (3, ["A2", "M03900", "", "12"])]


def test_lines_are_those_people_see_and_blank_rows_are_none(tmp_path: Path) -> None:
    path = book(tmp_path / "a.xlsx", HEAD, [None], ["A1", "M03900", True, 0.00001], top=3, left=2)
    assert read(path)[0] == [(6, ["A1", "M03900", "1", "0.00001"])]


def test_a_download_without_header_is_known_by_its_columns(tmp_path: Path) -> None:
    assert read(book(tmp_path / "a.xlsx", ["A1", "M03900", "x", "y"]))[0] == [(1, ["A1", "M03900", "x", "y"])]


def test_a_formula_is_refused_where_it_stands_also_when_its_result_looks_right(tmp_path: Path) -> None:
    path = book(tmp_path / "a.xlsx", HEAD, ["A1", "{=}=1+1"], ["=cmd()", "M03900"], left=1)
    assert read(path)[1] == [(2, "national_code", "MF06"), (3, "local_code", "MF06")]


def test_a_number_too_long_to_be_exact_is_refused(tmp_path: Path) -> None:
    path = book(tmp_path / "a.xlsx", HEAD, ["A1", 3112010190000123.0])
    assert read(path)[1] == [(2, "national_code", "MF07")]


def test_one_visible_sheet_may_have_content(tmp_path: Path) -> None:
    for hidden in (True, False):
        with xlsxwriter.Workbook(tmp_path / "a.xlsx") as workbook:
            workbook.add_worksheet("空")
            workbook.add_worksheet("对码").write_row(0, 0, ["local_code", "national_code"])
            other = workbook.add_worksheet("清单")
            other.write(0, 0, "x")
            if hidden:
                other.hide()
        if hidden:
            assert read(tmp_path / "a.xlsx") == ([], [])
        else:
            with pytest.raises(TableRefused, match="2个有内容的工作表"):
                read(tmp_path / "a.xlsx")


def test_empty_and_foreign_workbooks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TableRefused, match="没有内容"):
        read(book(tmp_path / "a.xlsx"))
    with pytest.raises(ColumnMissing):
        read(book(tmp_path / "b.xlsx", ["diag_code"]))


@pytest.mark.parametrize("column", [16_383, 200])
def test_a_cell_far_out_does_not_fill_the_memory(tmp_path: Path, column: int) -> None:
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as workbook:
        page = workbook.add_worksheet()
        page.write(0, 0, "local_code")
        page.write(1_048_575, column, "x")
    with pytest.raises(TableRefused) as refused:
        read(path)
    assert refused.value.rule == "MF05"


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
        archive.writestr("xl/worksheets/sheet1.xml", b" " * (50 << 20))
    with pytest.raises(TableRefused) as refused:
        read(path, Limits(ratio=20))
    assert refused.value.rule == "MF05"


def test_a_declaration_of_entities_is_refused(tmp_path: Path) -> None:
    path = book(tmp_path / "a.xlsx", HEAD)
    other = tmp_path / "b.xlsx"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(other, "w") as new:
        for member in old.infolist():
            content = old.read(member)
            if member.filename == "xl/worksheets/sheet1.xml":
                content = content.replace(b"<worksheet", b'<!DOCTYPE x [<!ENTITY a "b">]><worksheet', 1)
            new.writestr(member.filename, content)
    with pytest.raises(TableRefused, match="文档类型声明"):
        read(other)


def test_a_workbook_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    path = book(tmp_path / "a.xlsx", HEAD, ["A1", "M03900"])
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(TableRefused) as refused:
        read(path)
    assert refused.value.rule == "MF12"


def test_old_workbooks_are_read_and_their_formulas_found(tmp_path: Path) -> None:
    path = tmp_path / "a.xls"
    rows: list[list[object]] = [["local_code", "national_code", "n"], ["A1", "M03900", 3.0]]
    path.write_bytes(old_workbook.workbook(old_workbook.stream(rows)))
    assert read(path) == ([(2, ["A1", "M03900", "3"])], [])
    rows.append(["A2", old_workbook.FORMULA, 1.0])
    path.write_bytes(old_workbook.workbook(old_workbook.stream(rows)))
    assert read(path)[1] == [(3, "national_code", "MF06")]


def test_locked_old_workbooks_and_other_compound_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.xls"
    locked = old_workbook.stream([["local_code"]], extra=b"\x2f\x00\x02\x00\x00\x00")
    for content in (old_workbook.workbook(locked), old_workbook.workbook(b"x", "WordDocument")):
        path.write_bytes(content)
        with pytest.raises(TableRefused, match="加密"):
            read(path)


@pytest.mark.parametrize("seed", range(6))
def test_damage_is_told_and_never_fatal(tmp_path: Path, seed: int) -> None:
    """Counts in a damaged file are numbers like any other; some once asked for half a terabyte."""
    dice = random.Random(seed)
    whole = book(tmp_path / "a.xlsx", HEAD, ["A1", "M03900"]).read_bytes()
    if seed % 2:
        whole = old_workbook.workbook(old_workbook.stream([["local_code", "national_code"], ["A1", "M03900"]]))
    for _ in range(4):
        content = bytearray(whole)
        for _ in range(dice.randrange(1, 6)):
            content[dice.randrange(len(content))] = dice.randrange(256)
        (tmp_path / "b").write_bytes(bytes(content))
        try:
            read(tmp_path / "b")
        except (TableRefused, ColumnMissing):
            continue


def test_an_exported_workbook_reads_back_as_it_was(tmp_path: Path) -> None:
    rows = [("000123", "M03900"), ("3112010190000123", "-甲")]
    assert write_table(tmp_path / "a.xlsx", ("local_code", "national_code"), rows) == 2
    assert read(tmp_path / "a.xlsx") == ([(2, list(rows[0])), (3, list(rows[1]))], [])
    assert [path.name for path in tmp_path.iterdir()] == ["a.xlsx"]
