"""Text tables: encodings, separators, headers, limits; every fault with its line and column."""

import codecs
import zipfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from adapters.files.tables import ColumnMissing, Limits, Shape, TableRefused, open_table

SHAPE = Shape(
    titles={"code": ("diag_code", "诊断代码"), "name": ("diag_name", "诊断名称")},
    key=("code",),
    layouts=(("ID", "诊断代码", "诊断名称"),),
)
Read = Callable[..., tuple[list[tuple[int, list[str]]], list[tuple[int, str, str]], dict[str, int]]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Write bytes to a file and return (rows, faults as (line, column, rule), places of our columns)."""

    def read_bytes(
        content: bytes, shape: Shape = SHAPE, limits: Limits | None = None
    ) -> tuple[list[tuple[int, list[str]]], list[tuple[int, str, str]], dict[str, int]]:
        path = tmp_path / "table.csv"
        path.write_bytes(content)
        faults: list[tuple[int, str, str]] = []
        with ExitStack() as stack:
            table = open_table(path, shape, lambda line, col, rule, _: faults.append((line, col, rule)), stack, limits)
            return list(table.rows()), faults, dict(table.at)

    return read_bytes


TEXT = "diag_code,diag_name\nI10.x00x002,高血压\n"


@pytest.mark.parametrize(
    "content",
    [TEXT.encode(), codecs.BOM_UTF8 + TEXT.encode(), TEXT.encode("gb18030"), TEXT.replace("\n", "\r\n").encode()],
    ids=["utf-8", "bom", "gb18030", "crlf"],
)
def test_three_encodings_read_alike(read: Read, content: bytes) -> None:
    rows, faults, at = read(content)
    assert rows == [(2, ["I10.x00x002", "高血压"])]
    assert faults == []
    assert at == {"code": 0, "name": 1}


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode("utf-16"),
        TEXT.encode("utf-16-le"),
        TEXT.encode() + b"\xff\xfe\xfd",
        codecs.BOM_UTF8 + TEXT.encode("gb18030"),
        b"diag_code,diag_name\nA01.000,\xaa\xa1\n",  # a private-use place of GB18030
    ],
)
def test_other_encodings_are_refused(read: Read, content: bytes) -> None:
    with pytest.raises(TableRefused) as caught:
        read(content)
    assert caught.value.rule == "MF01"


def test_a_fault_beyond_the_first_piece_is_still_found(read: Read) -> None:
    content = TEXT.encode() + b"A01.000,x\n" * 200_000 + "A02.000,\u9ad8".encode()[:-1] + b"\n"
    with pytest.raises(TableRefused) as caught:
        read(content)
    assert caught.value.rule == "MF01"


def test_columns_are_found_by_name_in_any_order_and_unknown_ones_ignored(read: Read) -> None:
    rows, _, at = read("随便,诊断名称,诊断代码\n1,高血压,I10.x00x002\n".encode())
    assert at == {"code": 2, "name": 1}
    assert rows[0][1][at["code"]] == "I10.x00x002"


def test_a_missing_key_column_is_the_wrong_file(read: Read) -> None:
    with pytest.raises(ColumnMissing) as caught:
        read(b"diag_name,x\na,b\n")
    assert caught.value.titles == ("diag_code",)


def test_a_repeated_known_column_is_refused(read: Read) -> None:
    with pytest.raises(TableRefused) as caught:
        read(b"diag_code,diag_name,diag_code\na,b,c\n")
    assert caught.value.rule == "MF02"


def test_without_a_header_the_number_of_columns_names_the_layout(read: Read) -> None:
    rows, faults, at = read("1\tI10.x00x002\t高血压\n2\tE11.900\t2型糖尿病\n".encode())
    assert [row[at["code"]] for _, row in rows] == ["I10.x00x002", "E11.900"]
    assert [line for line, _ in rows] == [1, 2]
    assert faults == []
    with pytest.raises(ColumnMissing):
        read("1\tI10.x00x002\t高血压\tx\n".encode())


def test_tab_files_have_no_quoting(read: Read) -> None:
    rows, faults, _ = read('diag_code\tdiag_name\nA01.000\t"伤寒\nA02.000\t5" 管\n'.encode())
    assert [row for _, row in rows] == [["A01.000", '"伤寒'], ["A02.000", '5" 管']]
    assert faults == []


def test_quoted_cells_may_hold_separators_and_line_ends(read: Read) -> None:
    rows, faults, _ = read('diag_code,diag_name\nA01.000,"甲,\n乙""丙"\nA02.000,丁\n'.encode())
    assert rows == [(2, ["A01.000", '甲,\n乙"丙']), (4, ["A02.000", "丁"])]
    assert faults == []


def test_a_wrong_number_of_cells_is_told_with_its_line_and_the_rest_is_read(read: Read) -> None:
    rows, faults, _ = read(b"diag_code,diag_name\nA,b\nA\nB,c,d\n\nC,e\n")
    assert faults == [(3, "", "MF03"), (4, "", "MF03")]
    assert [line for line, _ in rows] == [2, 6]


@pytest.mark.parametrize("content", [b'diag_code,diag_name\nA,"b"c\n', b'diag_code,diag_name\nA,"b\nC,d\n'])
def test_broken_quoting_ends_the_reading(read: Read, content: bytes) -> None:
    with pytest.raises(TableRefused) as caught:
        read(content)
    assert (caught.value.line, caught.value.rule) == (2, "MF04")


def test_null_and_blanks_are_empty(read: Read) -> None:
    rows, _, _ = read("diag_code,diag_name\n\u3000A01.000 ,null\nnullx,NULL\n".encode())
    assert [row for _, row in rows] == [["A01.000", ""], ["nullx", "NULL"]]


def test_formula_and_control_cells_are_told_with_line_and_column(read: Read) -> None:
    rows, faults, _ = read("diag_code,diag_name\nA,=1+1\nB,＠SUM(A1)\nC,a\x00b\nD,-\n".encode())
    assert faults == [(2, "diag_name", "MF06"), (3, "diag_name", "MF06"), (4, "diag_name", "MF11")]
    assert [row for _, row in rows] == [["D", "-"]]


@pytest.mark.parametrize(
    ("limits", "content"),
    [
        (Limits(size_bytes=10), TEXT.encode()),
        (Limits(rows=1), b"diag_code,diag_name\nA,b\nC,d\n"),
        (Limits(columns=1), TEXT.encode()),
    ],
)
def test_limits_refuse_the_file(read: Read, limits: Limits, content: bytes) -> None:
    with pytest.raises(TableRefused) as caught:
        read(content, limits=limits)
    assert caught.value.rule == "MF05"


def test_a_long_cell_is_a_fault_and_an_endless_line_ends_the_reading(read: Read) -> None:
    _, faults, _ = read(b"diag_code,diag_name\nA," + b"x" * 30 + b"\n", limits=Limits(cell_characters=20))
    assert faults == [(2, "diag_name", "MF05")]
    with pytest.raises(TableRefused) as caught:
        read(b"diag_code\tdiag_name\nA\t" + b"x" * (3 << 20))
    assert (caught.value.line, caught.value.rule) == (2, "MF05")


@pytest.mark.parametrize("content", [b"", b"\n", codecs.BOM_UTF8])
def test_an_empty_file_is_refused(read: Read, content: bytes) -> None:
    with pytest.raises(TableRefused) as caught:
        read(content)
    assert caught.value.rule == "MF02"


def packed(path: Path, members: dict[str, bytes]) -> bytes:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path.read_bytes()


def test_a_download_in_a_zip_is_read(read: Read, tmp_path: Path) -> None:
    content = packed(tmp_path / "a.zip", {"1307.txt": "1\tI10.x00x002\t高血压\n".encode("gb18030")})
    rows, faults, _ = read(content)
    assert rows == [(1, ["1", "I10.x00x002", "高血压"])]
    assert faults == []


def test_bad_zips_are_refused(read: Read, tmp_path: Path) -> None:
    good = packed(tmp_path / "a.zip", {"a.txt": TEXT.encode() * 50})
    two = packed(tmp_path / "b.zip", {"a.txt": TEXT.encode(), "b.txt": TEXT.encode()})
    bomb = packed(tmp_path / "c.zip", {"a.txt": b"0" * (20 << 20)})
    middle = len(good) // 3
    damaged = good[:middle] + bytes([good[middle] ^ 0xFF]) + good[middle + 1 :]
    for content, rule in ((two, "MF12"), (bomb, "MF05"), (good[:-30], "MF12"), (damaged, "MF12")):
        with pytest.raises(TableRefused) as caught:
            read(content)
        assert caught.value.rule == rule
