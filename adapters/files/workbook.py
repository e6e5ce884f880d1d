"""Excel workbooks for people: plain sheets of texts and numbers, nothing a spreadsheet would run (annex C6)."""

from collections.abc import Sequence
from datetime import datetime
from io import BytesIO
from pathlib import Path

import attrs
import xlsxwriter

from adapters.files.cells import safe
from adapters.files.whole import write_whole

ROWS_MAX = 1_048_000  # Excel's own limit, with the head
TEXT_MAX = 32_767
_WIDTH_MAX = 60


@attrs.frozen
class Percent:
    """Hundredths of a percent: 9899 is 98.99 %."""

    hundredths: int


@attrs.frozen
class Amount:
    """An amount of money in fen."""

    fen: int


Cell = str | int | Percent | Amount


@attrs.frozen
class Sheet:
    """One sheet: a title line, a head, rows."""

    name: str
    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]


def write_workbook(path: Path, sheets: Sequence[Sheet], dated: str = "") -> None:
    """Write the sheets, whole or not at all. Raises OSError.

    dated: a day, yyyy-MM-dd, the workbook bears in place of the moment it is made: equal sheets are then equal bytes.
    """
    content = BytesIO()
    # Cells are typed one by one below; these keep a text from ever becoming a formula, a link or a number.
    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    book = xlsxwriter.Workbook(content, options)
    if dated:
        book.set_properties({"created": datetime.fromisoformat(dated)})
    for sheet in sheets:
        _fill(book, sheet)
    book.close()
    write_whole(path, content.getvalue())


def _fill(book: xlsxwriter.Workbook, sheet: Sheet) -> None:
    page = book.add_worksheet(sheet.name)
    title = book.add_format({"bold": True, "font_size": 14})
    head = book.add_format({"bold": True, "bg_color": "#E4ECF4", "border": 1, "text_wrap": True, "valign": "vcenter"})
    forms = {Percent: book.add_format({"num_format": "0.00%"}), Amount: book.add_format({"num_format": "#,##0.00"})}
    page.write_string(0, 0, sheet.title, title)
    for column, text in enumerate(sheet.head):
        page.write_string(1, column, text, head)
    for number, row in enumerate(sheet.rows[:ROWS_MAX], start=2):
        for column, cell in enumerate(row):
            if isinstance(cell, str):
                page.write_string(number, column, safe(cell)[:TEXT_MAX])
            elif isinstance(cell, int):
                page.write_number(number, column, cell)
            elif isinstance(cell, Percent):
                page.write_number(number, column, cell.hundredths / 10_000, forms[Percent])
            else:
                page.write_number(number, column, cell.fen / 100, forms[Amount])
    for column, width in enumerate(_widths(sheet)):
        page.set_column(column, column, width)
    page.freeze_panes(2, 0)
    page.set_landscape()
    page.set_paper(9)  # A4
    page.fit_to_pages(1, 0)
    page.repeat_rows(1)


def _widths(sheet: Sheet) -> list[int]:
    """Return a width for each column: a Chinese character is two letters wide."""
    rows = [sheet.head, *sheet.rows[:200]]
    columns = range(len(sheet.head))
    texts = [[row[column] if isinstance(row[column], str) else "" for row in rows] for column in columns]
    return [max(10, min(_WIDTH_MAX, max(map(_wide, column)) + 2)) for column in texts]


def _wide(text: object) -> int:
    return sum(2 if ord(character) > 0x2E80 else 1 for character in str(text))
