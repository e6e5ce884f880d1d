"""A catalogue that comes by pages (1304, 1312, 1316, 1318, 1319): what a page says, and whether the pages fit together.

Rows stand in output.data beside pageNum, pages and recordCounts, or are the output itself (pitfall 7). Pages are no
snapshot: a platform whose rows change between two of them may show a row twice and another not at all. So its counts
must stay the same from page to page and be right at the end; without counts the pages go on until one is empty.

`updt_time` asks for what changed since a day (a hypothesis: the interface only names the field), and a version is named
after the newest `updt_time` it holds, because most of these rows have no version of their own. Pure.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

import attrs

FIRST_DAY = "2000-01-01"  # required, and everything was changed since
PAGES_MAX = 50_000
_VERSION = re.compile(r"U([0-9]{4})([0-9]{2})([0-9]{2})[0-9]{6}")
_MOMENT = re.compile(r"([0-9]{4})-?([0-9]{2})-?([0-9]{2})(?:[ T]?([0-9]{2}):?([0-9]{2}):?([0-9]{2}))?")

Row = Mapping[str, str]


@attrs.frozen
class Page:
    """One answer. total, pages: rows and pages in all, None = it did not say."""

    rows: tuple[Row, ...]
    total: int | None = None
    pages: int | None = None


def words(node: str, page: int, size: int, since: str) -> dict[str, object]:
    """Return the input that asks for one page of what changed since a day, yyyy-MM-dd."""
    return {node: {"updt_time": since, "page_num": page, "page_size": size}}


def read_page(output: object, columns: Sequence[str]) -> Page | None:
    """Read an answer's output; None when it is no page. columns: the fields that are kept, as text, '' = not given."""
    total = pages = None
    rows = output
    if isinstance(output, Mapping):
        rows = output.get("data")
        total, pages = _count(output.get("recordCounts")), _count(output.get("pages"))
    if rows is None or rows == "":
        rows = []
    if not isinstance(rows, list):
        return None
    kept = []
    for row in rows:
        if not isinstance(row, Mapping):
            return None
        cells = {name: row.get(name) for name in columns}
        if any(isinstance(cell, Mapping | list | bool) for cell in cells.values()):
            return None
        kept.append({name: str(cell) for name, cell in cells.items() if cell is not None and cell != ""})
    return Page(tuple(kept), total, pages)


def _count(value: object) -> int | None:
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 10 else None


@attrs.define(eq=False)
class Walk:
    """Goes through the pages and says when they do not fit together. size: rows asked for a page."""

    size: int
    number: int = 0  # pages taken
    seen: int = 0  # rows of them
    over: bool = False
    _first: Page | None = None
    _last: Page | None = None

    def take(self, page: Page) -> str:
        """Take the next page; return why it does not fit, '' when it does. `over` says whether it was the last."""
        why = self._counts_differ(page)
        if why:
            return why
        first = self._first if self._first is not None else page
        self.number, self.seen = self.number + 1, self.seen + len(page.rows)
        if page.total is not None:
            self.over = self.seen >= page.total
            if self.seen > page.total or (not self.over and not page.rows):
                return f"称共{page.total}行，到第{self.number}页得到{self.seen}行"
        elif page.rows and page == self._last:
            if len(page.rows) >= self.size:
                return f"第{self.number}页与上一页相同"
            self.over, self.seen = True, self.seen - len(page.rows)  # asked past the end, it shows the end again
            self.number -= 1
        else:
            self.over = not page.rows
        self._first, self._last = first, page
        return "" if self.over or self.number < PAGES_MAX else f"超过{PAGES_MAX}页"

    def _counts_differ(self, page: Page) -> str:
        if self._first is None:
            return ""
        told = ((self._first.total, page.total, "行"), (self._first.pages, page.pages, "页"))
        for before, now, unit in told:
            if before != now:
                return f"第1页称共{_said(before)}{unit}，第{self.number + 1}页称共{_said(now)}{unit}"
        return ""


def _said(count: int | None) -> str:
    return "（未说明）" if count is None else str(count)


def version_of(rows: Iterable[Row], today: str) -> str:
    """Return the version's name: U and the newest updt_time, yyyyMMddHHmmss; with none, that of today."""
    newest = ""
    for row in rows:
        if found := _MOMENT.fullmatch(row.get("updt_time", "")[:19]):
            newest = max(newest, "".join(part or "00" for part in found.groups()))
    return f"U{newest or today.replace('-', '') + '000000'}"


def day_after(version: str) -> str:
    """Return the day to ask from when this version is held: its own, for more may have changed that day."""
    found = _VERSION.fullmatch(version)
    return "-".join(found.groups()) if found else FIRST_DAY
