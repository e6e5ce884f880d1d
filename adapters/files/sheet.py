"""Reads a workbook in a process of its own: `python -P sheet.py FILE [SHEET [names]]`.

Rows as lines of JSON on standard output.

Run by `adapters.files.excel`, never imported. The library that reads workbooks takes counts in damaged files at their
word and then ends the whole process for want of memory; here that costs this process alone.

First line: `{"begins": column of the first cell, from 0}` or `{"rule": .., "message": ..}`; then one line a row,
`[texts, numbers of the columns whose value Excel no longer holds exactly]`; last line `null`. A stream without its last
line is a damaged file.
"""

import json
import resource
import sys
from datetime import date, datetime, time
from decimal import Decimal

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

MEMORY_BYTES_MAX = 4 << 30
SECONDS_MAX = 600
EXACT_MAX = 10**15  # Excel keeps 15 digits of a number


def cell_text(cell: object) -> str:
    """Return a cell as a text file would have it: days yyyy-MM-dd, numbers without exponent, true as 1."""
    if isinstance(cell, bool):
        return "1" if cell else "0"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() else f"{Decimal(repr(cell)):f}"
    if isinstance(cell, datetime):
        return f"{cell:%Y-%m-%d}" if cell.time() == time() else f"{cell:%Y-%m-%d %H:%M:%S}"
    return cell.isoformat() if isinstance(cell, date) else str(cell)


def the_sheet(path: str, wanted: str = "") -> CalamineSheet | dict[str, str]:
    """Return the one visible sheet with content, or that of a name, or why there is none."""
    try:
        workbook = CalamineWorkbook.from_path(path)
        visible = [
            one.name
            for one in workbook.sheets_metadata
            if one.typ == SheetTypeEnum.WorkSheet
            and one.visible == SheetVisibleEnum.Visible
            and wanted in ("", one.name.strip().lower())
        ]
        full = [sheet for name in visible if (sheet := workbook.get_sheet_by_name(name)).start is not None]
    except (CalamineError, ValueError, OSError):
        return {"rule": "MF12", "message": "工作簿已损坏或已加密"}
    if not full:
        return {"rule": "MF02", "message": f"工作簿没有工作表{wanted}，或没有内容" if wanted else "文件没有内容"}
    if len(full) > 1:
        return {"rule": "MF12", "message": f"工作簿有{len(full)}个有内容的工作表，请只保留一个"}
    return full[0]


def names(path: str) -> list[str] | None:
    """Return the names of all sheets, None of what cannot be read."""
    try:
        return [one.name for one in CalamineWorkbook.from_path(path).sheets_metadata]
    except (CalamineError, ValueError, OSError):
        return None


def main() -> None:
    for what, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES_MAX), (resource.RLIMIT_CPU, SECONDS_MAX), (resource.RLIMIT_CORE, 0),
    ):  # fmt: skip
        allowed = resource.getrlimit(what)[1]
        limit = most if allowed == resource.RLIM_INFINITY else min(most, allowed)
        resource.setrlimit(what, (limit, limit))
    write = sys.stdout.write
    if sys.argv[3:]:
        write(json.dumps(names(sys.argv[1])) + "\n")
        return
    sheet = the_sheet(*sys.argv[1:3])
    if isinstance(sheet, dict):
        write(json.dumps(sheet) + "\n")
        return
    write(json.dumps({"begins": (sheet.start or (0, 0))[1]}) + "\n")
    for row in sheet.iter_rows():
        inexact = [number for number, cell in enumerate(row) if isinstance(cell, float) and abs(cell) >= EXACT_MAX]
        write(json.dumps([[cell_text(cell) for cell in row], inexact]) + "\n")
    write("null\n")


if __name__ == "__main__":
    main()
