"""Excel workbooks as rows of texts, for the same `Table` as text files: recognised by content, never by name.

A workbook's size, its extent and its formulas are looked at here: a cell far out would make the library that reads
values fill all memory in between, and a formula's last result would pass for typed text. The values themselves are read
by `adapters.files.sheet` in a process of its own.
"""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, BinaryIO
from xml.parsers import expat

import msgspec

from adapters.files.archive import Archive, ArchiveBroken
from adapters.files.biff import MAGIC, NotWorkbook, formulas

BYTES_MAX = 256 << 20  # of a workbook's parts unpacked, and of an .xls: it is held in memory whole
CELLS_MAX = 20_000_000  # of the rectangle all cells lie in
_SHEET = re.compile(r"xl/worksheets/[^/]+\.xml")
_PLACE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
Formula = tuple[int, int]  # row, column, both from 1


class SheetRefused(Exception):
    """The workbook cannot be read. Its author is at fault; nothing was taken. rule: MF05 or MF12."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule, self.message = rule, message


def is_workbook(path: Path) -> bool:
    """Say whether a file is an Excel workbook. Raises OSError."""
    with path.open("rb") as stream:
        start = stream.read(8)
    if start == MAGIC:
        return True
    if not start.startswith(b"PK\x03\x04"):
        return False
    try:
        with Archive(path) as archive:
            return any(member.filename.startswith("xl/workbook.") for member in archive.files())
    except ArchiveBroken:
        return False  # the reader of packed texts says what is wrong with it


class SheetRows(Iterator[list[str]]):
    """The rows of a workbook's one sheet as texts; blank rows are empty lists. line: rows given so far.

    inexact: is told (row, column number from 0) of numbers Excel no longer holds exactly. Raises SheetRefused when the
    rows end before their end.
    """

    def __init__(self, lines: IO[bytes], inexact: Callable[[int, int], None]) -> None:
        self.line = 0
        self._lines, self._inexact = lines, inexact

    def __next__(self) -> list[str]:
        line = self._lines.readline()
        if not line.endswith(b"\n"):
            raise SheetRefused("MF12", "工作簿已损坏或过大")
        row = msgspec.json.decode(line, type=tuple[list[str], list[int]] | None)
        if row is None:
            raise StopIteration
        self.line += 1
        for number in row[1]:
            self._inexact(self.line, number)
        return row[0] if any(row[0]) else []


class _Head(msgspec.Struct):
    """The first line of the reading process."""

    begins: int = 0
    rule: str = ""
    message: str = ""


def open_sheet(
    path: Path, columns_max: int, ratio_max: int, inexact: Callable[[int, int], None], stack: ExitStack, sheet: str = ""
) -> tuple[SheetRows, list[Formula], int]:
    """Return the rows of the one visible sheet with content, its formulas, and the column it begins in (from 0).

    sheet: the name, in small letters, of the one that is wanted of several; the formulas are then the whole workbook's.

    `stack` ends the reading process. Raises SheetRefused, OSError.
    """
    with path.open("rb") as stream:
        old = stream.read(8) == MAGIC
    try:
        found = _formulas_old(path) if old else _formulas_new(path, columns_max, ratio_max)
    except NotWorkbook as cause:
        raise SheetRefused("MF12", str(cause)) from cause
    reader = [sys.executable, "-P", str(Path(__file__).with_name("sheet.py")), str(path.absolute()), sheet]
    process = subprocess.Popen(reader, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)  # noqa: S603
    stack.enter_context(process)
    stack.callback(process.kill)
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.endswith(b"\n"):
        raise SheetRefused("MF12", "工作簿已损坏或过大")
    head = msgspec.json.decode(line, type=_Head)
    if head.rule:
        raise SheetRefused(head.rule, head.message)
    return SheetRows(process.stdout, inexact), found, head.begins


def sheet_names(path: Path) -> list[str]:
    """Return the names of a workbook's sheets. Raises SheetRefused, OSError."""
    reader = [sys.executable, "-P", str(Path(__file__).with_name("sheet.py")), str(path.absolute()), "", "names"]
    done = subprocess.run(reader, stdin=subprocess.DEVNULL, capture_output=True, check=False)  # noqa: S603
    try:
        return msgspec.json.decode(done.stdout, type=list[str])
    except msgspec.DecodeError as cause:
        raise SheetRefused("MF12", "工作簿已损坏或已加密") from cause


def _formulas_old(path: Path) -> list[Formula]:
    if path.stat().st_size > BYTES_MAX:
        raise SheetRefused("MF05", f"文件超过上限{BYTES_MAX}字节，请改用CSV")
    return list(formulas(path.read_bytes()))


def _formulas_new(path: Path, columns_max: int, ratio_max: int) -> list[Formula]:
    """Look through the sheets of an .xlsx: bounds first, then formulas."""
    found: list[Formula] = []
    try:
        with Archive(path) as archive:
            members = archive.files()
            if any(member.flag_bits & 1 for member in members):
                raise SheetRefused("MF12", "压缩文件已加密")
            packed = sum(max(member.compress_size, 1 << 14) for member in members)
            if sum(member.file_size for member in members) > min(BYTES_MAX, packed * ratio_max):
                raise SheetRefused("MF05", "工作簿解开后过大，请改用CSV")
            for member in members:
                if _SHEET.fullmatch(member.filename):
                    found += _Sheet(columns_max).look(archive.open(member))
    except (ArchiveBroken, expat.ExpatError, UnicodeError) as cause:
        raise SheetRefused("MF12", "工作簿已损坏") from cause
    return found


class _Sheet:
    """Reads a sheet's XML for its extent and formulas only. Positions may be left out; then cells follow each other."""

    def __init__(self, columns_max: int) -> None:
        self.columns_max = columns_max
        self.row = self.column = self.rows = self.columns = 0
        self.found: list[Formula] = []

    def look(self, sheet: BinaryIO) -> list[Formula]:
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.StartElementHandler = self._element
        parser.StartDoctypeDeclHandler = self._declaration
        with sheet as stream:
            parser.ParseFile(stream)
        return self.found

    def _declaration(self, *_: object) -> None:
        raise SheetRefused("MF12", "工作簿含文档类型声明")

    def _element(self, name: str, attributes: dict[str, str]) -> None:
        kind = name.rpartition(" ")[2]
        if kind == "row":
            self.row = int(attributes["r"]) if attributes.get("r", "").isdigit() else self.row + 1
            self.column = 0
        elif kind == "c":
            self._cell(attributes.get("r", ""))
        elif kind == "f":
            self.found.append((self.row, self.column))

    def _cell(self, place: str) -> None:
        self.column += 1
        if found := _PLACE.fullmatch(place):
            self.column = 0
            for letter in found[1]:
                self.column = self.column * 26 + ord(letter) - 64
            self.row = int(found[2])
        self.rows, self.columns = max(self.rows, self.row), max(self.columns, self.column)
        if self.columns > self.columns_max or self.rows * self.columns > CELLS_MAX:
            raise SheetRefused("MF05", f"第{self.row}行第{self.column}列超出范围：列数上限{self.columns_max}")
