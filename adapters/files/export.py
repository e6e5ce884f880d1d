"""Tables as files for people and spreadsheets: CSV (UTF-8, RFC 4180) or an Excel workbook, by the file's name.

Formula cells are made harmless (annex C6).
"""

import csv
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TextIO

import xlsxwriter
from xlsxwriter.exceptions import FileCreateError

from adapters.files.cells import safe
from adapters.files.whole import target_of

WORKBOOK_ROWS_MAX = 1_048_575  # below the header


def write_rows(stream: TextIO, header: Sequence[str], rows: Iterable[Sequence[str]]) -> int:
    """Write a table to an open text stream; return the number of rows."""
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(header)
    count = 0
    for row in rows:
        writer.writerow([safe(cell) for cell in row])
        count += 1
    return count


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> int:
    """Write a file whole or not at all; return the number of rows. Raises OSError."""
    target = target_of(path)
    part = target.with_name(f".{target.name}.part")
    try:
        if path.suffix.lower() == ".xlsx":
            count = _write_workbook(part, header, rows)
        else:
            with part.open("w", encoding="utf-8", newline="") as stream:
                count = write_rows(stream, header, rows)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    return count


def _write_workbook(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> int:
    """Write every cell as text: a code must keep its leading zeros and all its digits."""
    count = 0
    try:
        with xlsxwriter.Workbook(path, {"constant_memory": True, "in_memory": False}) as workbook:
            sheet = workbook.add_worksheet()
            for column, title in enumerate(header):
                sheet.write_string(0, column, title)
            for count, row in enumerate(rows, start=1):
                if count > WORKBOOK_ROWS_MAX:
                    raise OSError(f"超过Excel的{WORKBOOK_ROWS_MAX}行，请导出为CSV")
                for column, cell in enumerate(row):
                    sheet.write_string(count, column, safe(cell))
    except FileCreateError as cause:
        raise OSError(f"不能写入{path.name}：{cause}") from cause
    return count
