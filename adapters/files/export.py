"""Tables as CSV files for people and spreadsheets: UTF-8, RFC 4180, formula cells made harmless (annex C6)."""

import csv
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TextIO

from adapters.files.cells import safe


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
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as stream:
            count = write_rows(stream, header, rows)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return count
