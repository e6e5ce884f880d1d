"""Tables for people, as CSV or Excel by the file's name, readable by their owner only where a person stands in them."""

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import xlsxwriter
from xlsxwriter.exceptions import XlsxWriterException

from adapters.files.export import write_rows

ROWS_MAX = 1_000_000  # a sheet of Excel ends at 1,048,576


def is_sheet(path: Path) -> bool:
    """Say whether a file name asks for Excel."""
    return path.suffix.lower() == ".xlsx"


def write_sheet(
    path: Path, header: Sequence[str], rows: Iterable[Sequence[str]], *, private: bool, title: str = "明细"
) -> int:
    """Write a table whole or not at all, as Excel when the name ends in .xlsx; return the number of rows.

    private: mode 0600, whatever the umask and the file that stood there before. Every cell is text: codes keep their
    zeros and nothing is a formula. Raises OSError.
    """
    part = path.with_name(f".{path.name}.part")
    with suppress(FileNotFoundError):
        part.unlink()
    mode = 0o600 if private else 0o666
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        if is_sheet(path):
            os.close(handle)
            count = _workbook(part, header, rows, title)
        else:
            # The mark lets Excel open Chinese text; our own reader drops it.
            with os.fdopen(handle, "w", encoding="utf-8-sig", newline="") as stream:
                count = write_rows(stream, header, rows)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return count


def _workbook(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]], title: str) -> int:
    # in_memory: no part of the table is left in a temporary file of the system's.
    book = xlsxwriter.Workbook(str(path), {"in_memory": True})
    sheet = book.add_worksheet(title)
    bold = book.add_format({"bold": True, "bg_color": "#DDEBF7"})
    text = book.add_format({"num_format": "@"})  # what people type below stays as typed: long numbers keep their digits
    widths = [len(name) for name in header]
    for column, name in enumerate(header):
        sheet.write_string(0, column, name, bold)
    count = 0
    for row in rows:
        count += 1
        if count > ROWS_MAX:
            break
        for column, cell in enumerate(row):
            sheet.write_string(count, column, cell)
            widths[column] = min(40, max(widths[column], len(cell)))
    for column, width in enumerate(widths):
        sheet.set_column(column, column, width * 1.6 + 2, text)
    sheet.freeze_panes(1, 0)
    try:
        book.close()
    except XlsxWriterException as cause:
        raise OSError(str(cause)) from cause
    if count > ROWS_MAX:
        raise OSError(f"Excel最多{ROWS_MAX}行，请改用.csv")
    return count
