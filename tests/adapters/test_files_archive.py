"""Damaged zips: every reader of them says so in its own way, and nothing of the libraries below escapes (T10)."""

import errno
import io
import zipfile
from contextlib import ExitStack, suppress
from pathlib import Path
from random import Random  # noqa: TID251 - seeded dice of a test

import pytest
import xlsxwriter

from adapters.files import excel, parcel, spool
from adapters.files.archive import Archive, ArchiveBroken, damage
from adapters.files.tables import Shape, TableRefused, open_table

SHAPE = Shape(titles={"code": ("diag_code",), "name": ("diag_name",)}, key=("code",))
TEXT = "diag_code,diag_name\n" + "".join(f"I{number:05d},高血压{number * 7919 % 1000}\n" for number in range(200))
METHODS = {"deflate": zipfile.ZIP_DEFLATED, "bzip2": zipfile.ZIP_BZIP2, "lzma": zipfile.ZIP_LZMA}


def zipped(method: int = zipfile.ZIP_DEFLATED, name: str = "诊断.csv") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr(name, TEXT)
    return out.getvalue()


def workbook(path: Path) -> bytes:
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ("diag_code", "diag_name"))
        sheet.write_formula(1, 0, "=1+1")
    return path.read_bytes()


def damaged(whole: bytes, dice: Random) -> bytes:
    """Return it with one to four bytes changed, half of them where the names and places stand."""
    raw = bytearray(whole)
    for _ in range(dice.randint(1, 4)):
        first = max(4, len(raw) - 300) if dice.random() < 0.5 else 4
        raw[dice.randrange(first, len(raw))] = dice.choice((0, 255, dice.randrange(256)))
    return bytes(raw)


def read_table(path: Path) -> list[tuple[int, list[str]]]:
    with ExitStack() as stack:
        return list(open_table(path, SHAPE, lambda *_: None, stack).rows())


@pytest.mark.parametrize("method", METHODS)
def test_a_zip_whose_bytes_changed_is_refused_or_read_and_nothing_else(tmp_path: Path, method: str) -> None:
    whole, path, dice = zipped(METHODS[method]), tmp_path / "table.zip", Random(7)
    path.write_bytes(whole)
    assert len(read_table(path)) == 200
    assert parcel.unpack(whole) == TEXT
    refused = 0
    for _ in range(300):
        raw = damaged(whole, dice)
        path.write_bytes(raw)
        parcel.unpack(raw)
        spool.empty_archive(path)
        try:
            rows = read_table(path)
        except TableRefused as cause:
            assert cause.rule in ("MF01", "MF05", "MF12")
            refused += 1
        else:
            assert len(rows) == 200
    assert refused > 50


def test_a_workbook_whose_bytes_changed_is_refused_or_looked_through(tmp_path: Path) -> None:
    whole, path, dice = workbook(tmp_path / "whole.xlsx"), tmp_path / "changed.xlsx", Random(7)
    refused = 0
    for _ in range(300):
        path.write_bytes(damaged(whole, dice))
        if not excel.is_workbook(path):
            refused += 1
            continue
        # The sheet is looked through in this process; reading its values has one of its own and tests of its own.
        with suppress(excel.SheetRefused):
            excel._formulas_new(path, 300, 200)
    assert refused > 20


def test_a_name_that_is_not_what_it_says_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "table.zip"
    path.write_bytes(zipped().replace("诊断".encode(), b"\xff" * 6))
    assert not excel.is_workbook(path)
    assert not spool.empty_archive(path)
    assert parcel.unpack(path.read_bytes()) is None
    with pytest.raises(TableRefused, match="压缩文件已损坏"):
        read_table(path)


@pytest.mark.parametrize("method", ["bzip2", "lzma"])
def test_damage_inside_the_text_is_damage_for_every_method(tmp_path: Path, method: str) -> None:
    whole = zipped(METHODS[method])
    middle = len(whole) // 2
    raw = whole[:middle] + bytes(byte ^ 0xFF for byte in whole[middle : middle + 8]) + whole[middle + 8 :]
    path = tmp_path / "table.zip"
    path.write_bytes(raw)
    assert parcel.unpack(raw) is None
    with pytest.raises(TableRefused, match="压缩文件已损坏"):
        read_table(path)


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EACCES])
def test_a_failing_disk_is_no_damage_of_the_zip(number: int) -> None:
    with pytest.raises(OSError, match="disk"), damage():
        raise OSError(number, "disk")


def test_members_outlive_their_archive_and_know_how_far_they_were_read(tmp_path: Path) -> None:
    path = tmp_path / "table.zip"
    path.write_bytes(zipped())
    with Archive(path) as archive:
        (member,) = archive.files()
        stream = archive.open(member)
    with stream:
        assert stream.read(9) == b"diag_code"
        assert stream.tell() == 9
        assert 9 + len(stream.read()) == len(TEXT.encode()) == stream.tell()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"text"])
def test_what_is_no_zip_is_broken(content: bytes) -> None:
    with pytest.raises(ArchiveBroken):
        Archive(io.BytesIO(content))
