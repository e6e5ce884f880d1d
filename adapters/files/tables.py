"""Tables in files: CSV (RFC 4180) and TSV, also inside a zip, read as a stream with limits; and Excel workbooks.

Columns are found by their titles, in any order; unknown ones are ignored; without a recognised header the number of
columns decides among the published layouts (annex C3). What is wrong with a row is reported with its line number and
column and reading goes on, so that a person sees everything at once; what is wrong with the file as a whole is raised.
"""

import csv
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO

import attrs

from adapters.files.archive import Archive, ArchiveBroken
from adapters.files.cells import clean, has_control, is_formula
from adapters.files.encoding import NotText, detect
from adapters.files.excel import SheetRefused, is_workbook, open_sheet

LINE_CHARACTERS = 1 << 21
Report = Callable[[int, str, str, str], None]  # line, column title, rule, Chinese message


@attrs.frozen(kw_only=True)
class Limits:
    """Bounds of one file. Generous against real downloads, firm against a bomb.

    size_bytes: of the text after unpacking; ratio: unpacked to packed.
    """

    size_bytes: int = 4 << 30
    rows: int = 5_000_000
    cell_characters: int = 20_000
    columns: int = 300
    ratio: int = 200


class TableRefused(Exception):
    """The file as a whole cannot be read. Its author is at fault; nothing was taken. line 0 = the file."""

    def __init__(self, line: int, rule: str, message: str) -> None:
        super().__init__(message)
        self.line, self.rule, self.message = line, rule, message


class ColumnMissing(Exception):
    """The table has no column it must have: the wrong file for this command (exit 2)."""

    def __init__(self, titles: Sequence[str]) -> None:
        super().__init__("、".join(titles))
        self.titles = tuple(titles)


@attrs.frozen(kw_only=True)
class Shape:
    """Which columns a table may have. titles: our name -> titles it goes by; key: names that must be there;
    layouts: columns of files without a header; sheet: which of a workbook's, in small letters; '' = the only one.
    """

    titles: Mapping[str, tuple[str, ...]]
    key: tuple[str, ...]
    layouts: tuple[tuple[str, ...], ...] = ()
    sheet: str = ""


@attrs.define(eq=False)
class Table:
    """An opened table. header: all titles; at: our name -> column number. Iterate once over `rows`."""

    header: tuple[str, ...]
    at: Mapping[str, int]
    encoding: str
    limits: Limits
    report: Report
    reader: Iterator[list[str]]
    line: Callable[[], int]
    place: Callable[[], int]
    first: list[str] | None

    def title(self, name: str) -> str:
        """Return what the file calls one of our columns."""
        return self.header[self.at[name]] if name in self.at else name

    def rows(self, as_written: str = "", faulty: bool = False, after: int = 0) -> Iterator[tuple[int, list[str]]]:
        """Yield (line, cleaned cells in the order of the header) of every row without fault; report the others.

        as_written: our name of a column that is handed on byte for byte; faulty: hand on rows with faulty cells too,
        those cells empty, so that a person is told all that is wrong with a row at once; after: pass over the lines up
        to this one unread. Raises TableRefused when the rest cannot be read.
        """
        untouched = self.at.get(as_written, -1)
        for count, (line, cells) in enumerate(self._records(), start=1):
            if count > self.limits.rows:
                raise TableRefused(line, "MF05", f"行数超过上限{self.limits.rows}")
            if line <= after:
                continue
            wrong = self._wrong(line, cells)
            if not wrong or (faulty and len(cells) == len(self.header)):
                for number in wrong:
                    cells[number] = ""
                cleaned = [clean(cell) for cell in cells]
                if untouched >= 0:
                    cleaned[untouched] = cells[untouched]
                yield line, cleaned

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        if self.first is not None:
            yield 1, self.first
        while True:
            start = self.line() + 1
            try:
                cells = next(self.reader)
            except StopIteration:
                return
            except ArchiveBroken as cause:
                raise TableRefused(start, "MF12", "压缩文件已损坏") from cause
            except SheetRefused as cause:
                raise TableRefused(start, cause.rule, cause.message) from cause
            except csv.Error as cause:
                raise TableRefused(start, "MF04", f"引号或单元格格式错误，此后内容无法读取（{cause}）") from cause
            if cells:
                yield start, cells

    def _wrong(self, line: int, cells: list[str]) -> list[int]:
        """Report the faults of a row and return which cells have them."""
        if len(cells) != len(self.header):
            self.report(line, "", "MF03", f"应有{len(self.header)}列，实有{len(cells)}列")
            return [0]
        wrong = []
        for number, cell in enumerate(cells):
            if cell and (fault := self._fault(cell)):
                self.report(line, self.header[number], *fault)
                wrong.append(number)
        return wrong

    def _fault(self, cell: str) -> tuple[str, str] | None:
        if len(cell) > self.limits.cell_characters:
            return "MF05", f"单元格超过{self.limits.cell_characters}个字符"
        # Letters and digits open nearly every cell; only the rest deserves the slow look.
        if not cell[0].isalnum() and is_formula(cell):
            return "MF06", "单元格以公式字符开头，表格软件会当作公式执行，请改为文本"
        if has_control(cell):
            return "MF11", "单元格含控制字符"
        return None


def open_table(path: Path, shape: Shape, report: Report, stack: ExitStack, limits: Limits | None = None) -> Table:
    """Open a table; `stack` closes it. Raises TableRefused, ColumnMissing, OSError."""
    limits = limits or Limits()
    if is_workbook(path):
        return _workbook(path, shape, report, limits, stack)
    opened = _source(path, limits)
    try:
        encoding = detect(opened)
    except ArchiveBroken as cause:
        raise TableRefused(0, "MF12", "压缩文件已损坏") from cause
    except NotText as cause:
        raise TableRefused(0, "MF01", str(cause)) from cause
    raw = stack.enter_context(opened())
    text = stack.enter_context(TextIOWrapper(raw, encoding=encoding, newline=""))
    start = text.readline(LINE_CHARACTERS)
    if not start.strip():
        raise TableRefused(1, "MF02", "文件没有内容")
    tabbed = "\t" in start
    csv.field_size_limit(max(limits.cell_characters * 2, 1 << 17))
    lines = _lines(text, start)
    if tabbed:
        # Downloads are plain: one record a line, TAB between cells, no quoting.
        reader = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    else:
        reader = csv.reader(lines, strict=True)
    try:
        head = next(reader)
    except csv.Error as cause:
        raise TableRefused(1, "MF04", f"首行格式错误（{cause}）") from cause
    header, at, first = _recognise(head, shape, limits)
    return Table(header, at, encoding, limits, report, reader, lambda: reader.line_num, raw.tell, first)


def _workbook(path: Path, shape: Shape, report: Report, limits: Limits, stack: ExitStack) -> Table:
    """Open an Excel workbook as a table; its first row that is not blank is the header."""
    titles: tuple[str, ...] = ()

    def inexact(line: int, number: int) -> None:
        title = titles[number] if number < len(titles) else ""
        report(line, title, "MF07", "数字超过15位，表格软件已不能准确保存，请把单元格改为文本")

    try:
        rows, formulas, begins = open_sheet(path, limits.columns, limits.ratio, inexact, stack, shape.sheet)
        head = next((row for row in rows if row), [])
    except SheetRefused as cause:
        raise TableRefused(0, cause.rule, cause.message) from cause
    titles, at, first = _recognise(head, shape, limits)
    for line, column in formulas:
        number = column - 1 - begins
        title = titles[number] if 0 <= number < len(titles) and not shape.sheet else ""
        report(line, title, "MF06", "单元格是公式，请改为文本或数值")
    size = path.stat().st_size
    return Table(titles, at, "xlsx", limits, report, rows, lambda: rows.line, lambda: size, first)


def _lines(text: TextIOWrapper, first: str) -> Iterator[str]:
    """Yield the lines, the first of which was read already; a line without end must not fill the memory."""
    count, line = 1, first
    while line:
        if len(line) >= LINE_CHARACTERS and not line.endswith("\n"):
            raise TableRefused(count, "MF05", f"一行超过{LINE_CHARACTERS}个字符")
        yield line
        count += 1
        line = text.readline(LINE_CHARACTERS)


def _recognise(
    head: list[str], shape: Shape, limits: Limits
) -> tuple[tuple[str, ...], dict[str, int], list[str] | None]:
    """Return (titles, our name -> column, first data row when there is no header)."""
    if len(head) > limits.columns:
        raise TableRefused(1, "MF05", f"列数超过上限{limits.columns}")
    titles = tuple(clean(cell) for cell in head)
    at = _places(titles, shape)
    if all(name in at for name in shape.key):
        return titles, at, None
    if not at:
        for layout in shape.layouts:
            if len(layout) == len(head):
                return layout, _places(layout, shape), head
    raise ColumnMissing([shape.titles[name][0] for name in shape.key if name not in at])


def _places(titles: Sequence[str], shape: Shape) -> dict[str, int]:
    """Find each known column; the order of a name's titles is the order of preference."""
    at: dict[str, int] = {}
    for name, accepted in shape.titles.items():
        for title in accepted:
            if title in titles:
                if titles.count(title) > 1:
                    raise TableRefused(1, "MF02", f"列名重复：{title}")
                at[name] = titles.index(title)
                break
    return at


def _source(path: Path, limits: Limits) -> Callable[[], BinaryIO]:
    """Return what opens the text's bytes: the file, or the one text inside a zip. Raises TableRefused, OSError."""
    with path.open("rb") as stream:
        packed = stream.read(4) == b"PK\x03\x04"
    if not packed:
        if path.stat().st_size > limits.size_bytes:
            raise TableRefused(0, "MF05", f"文件超过上限{limits.size_bytes}字节")
        return lambda: path.open("rb")
    return _inside(path, limits)


def _inside(path: Path, limits: Limits) -> Callable[[], BinaryIO]:
    try:
        with Archive(path) as archive:
            members = archive.files()
    except ArchiveBroken as cause:
        raise TableRefused(0, "MF12", "压缩文件已损坏") from cause
    if len(members) != 1:
        raise TableRefused(0, "MF12", f"压缩文件应只含一个数据文件，实有{len(members)}个")
    member = members[0]
    if member.flag_bits & 1:
        raise TableRefused(0, "MF12", "压缩文件已加密")
    if member.file_size > min(limits.size_bytes, max(member.compress_size, 1 << 14) * limits.ratio):
        raise TableRefused(0, "MF05", "压缩文件解开后过大")
    return partial(_opened, path, member)


def _opened(path: Path, member: zipfile.ZipInfo) -> BinaryIO:
    with Archive(path) as archive:
        return archive.open(member)
