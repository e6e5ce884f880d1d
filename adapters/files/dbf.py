"""DBF tables of older hospital systems: every value as the text that stands in the file, dates as yyyy-MM-dd.

Numbers are never turned into floats: `dbfread` is asked for raw bytes. Encoding: GBK/GB18030, what these systems write.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

import dbfread

ENCODING = "gb18030"
RECORDS_MAX = 2_000_000
FIELDS_MAX = 300


class DbfRefused(Exception):
    """The file is no DBF table, or damaged. line: of the record, from 1, 0 = the file. The text is Chinese."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line, self.message = line, message


def rows_of(file: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (number of the record from 1, field in lower case -> text). Raises DbfRefused, OSError."""
    number = 0
    try:
        table = dbfread.DBF(str(file), raw=True, encoding=ENCODING, lowernames=True, ignore_missing_memofile=True)
        kinds = {field.name: field.type for field in table.fields}
        if len(kinds) > FIELDS_MAX or table.header.numrecords > RECORDS_MAX:
            raise DbfRefused(0, f"超过{FIELDS_MAX}列或{RECORDS_MAX}行")
        _whole(file, table)
        for number, record in enumerate(table, start=1):
            yield number, {name: _text(kinds[name], value, number) for name, value in record.items()}
    except DbfRefused:
        raise
    except (ValueError, LookupError, struct.error, TypeError, dbfread.DBFNotFound, dbfread.MissingMemoFile) as cause:
        raise DbfRefused(number, "不是DBF文件，或文件已损坏") from cause


def _whole(file: Path, table: "dbfread.DBF") -> None:
    """A table cut short would otherwise simply have fewer rows."""
    wanted = table.header.headerlen + table.header.numrecords * table.header.recordlen
    if file.stat().st_size < wanted:
        raise DbfRefused(0, "文件不完整：行数少于文件头所说")


def _text(kind: str, value: object, number: int) -> str:
    if not isinstance(value, bytes):
        raise DbfRefused(number, "不支持这种列（备注等）")
    try:
        text = value.decode(ENCODING).strip(" \x00")
    except UnicodeDecodeError as cause:
        raise DbfRefused(number, "文字不是GBK编码") from cause
    if kind == "D" and len(text) == 8:
        return f"{text[:4]}-{text[4:6]}-{text[6:]}"
    return text
