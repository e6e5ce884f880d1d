"""A national library file's rows, and which record of a code is usable when (code systems, common lifecycle)."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

import attrs
import msgspec

from gateway.codes.faults import Faults, Title
from gateway.codes.mapping import NATIONAL_MAX
from gateway.codes.systems import UNKEPT_COLUMNS
from gateway.core.code_systems import KEY_JOIN
from gateway.core.codes import LATEST, Record
from gateway.core.dates import is_date

# Days no calendar has: a record with them is known and never usable.
NEVER_FROM, NEVER_TO = "9999-99-99", ""
NAME_MAX = 500
_COMPACT = re.compile(r"[0-9]{8}")
_SLASHES = re.compile(r"([0-9]{4})/([0-9]{1,2})/([0-9]{1,2})")


@attrs.frozen
class LibraryRow:
    """One record of a national library. Dates yyyy-MM-dd, '' = open; raw: all kept columns as JSON.

    code: of a register without codes of its own, the parts of its key joined (`KEY_JOIN`).
    """

    line: int
    code: str
    name: str
    begndate: str
    enddate: str
    vali_flag: str
    gray: str
    ver: str
    raw: str
    replaced_by: str = ""


class Kept(Protocol):
    """What every record of a library says of itself. Dates yyyy-MM-dd, '' = open."""

    @property
    def code(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def begndate(self) -> str: ...
    @property
    def enddate(self) -> str: ...
    @property
    def vali_flag(self) -> str: ...


def day_text(text: str) -> str | None:
    """Return yyyy-MM-dd of a date as downloads write it (with a time, compact, with slashes), None if it is none."""
    if not text:
        return ""
    text = text.split(" ")[0].split("T")[0]
    if _COMPACT.fullmatch(text):
        text = f"{text[:4]}-{text[4:6]}-{text[6:]}"
    elif found := _SLASHES.fullmatch(text):
        text = f"{found[1]}-{int(found[2]):02d}-{int(found[3]):02d}"
    return text if is_date(text) else None


def parse(
    lines: Iterable[tuple[int, Sequence[str]]],
    header: Sequence[str],
    at: Mapping[str, int],
    form: re.Pattern[str],
    faults: Faults,
    key: Sequence[str] = (),
    title: Title = str,
) -> Iterator[LibraryRow]:
    """Yield the rows without fault; add every fault of form to `faults`.

    key: the columns that make up the code; title: what the file calls our columns.
    """
    code_title = title_of_code(key, title)
    kept = [(number, column) for number, column in enumerate(header) if column not in UNKEPT_COLUMNS]
    encode = msgspec.json.Encoder().encode
    for line, cells in lines:
        cell = {name: cells[number] for name, number in at.items()}
        begndate, enddate = _dates(line, cell, faults, title)
        code = _joined(cell, key, begndate) if key else cell["code"]
        flag, gray = cell.get("vali_flag") or "1", cell.get("gray") or "0"
        if fault := _code_fault(code, form):
            faults.add(line, code_title, *fault)
        if flag not in ("0", "1"):
            faults.add(line, title("vali_flag"), "MF07", "有效标志应为0或1")
        if gray not in ("0", "1"):
            faults.add(line, title("gray"), "MF07", "灰码标志应为0或1")
        name = cell.get("name", "")
        if len(name) > NAME_MAX:
            faults.add(line, title("name"), "MF05", f"名称超过{NAME_MAX}个字符")
        if not faults.touch(line):
            raw = encode({column: cells[number] for number, column in kept if cells[number]}).decode()
            ver, replaced_by = cell.get("ver", ""), cell.get("replaced_by", "")
            yield LibraryRow(line, code, name, begndate, enddate, flag, gray, ver, raw, replaced_by)


def _joined(cell: Mapping[str, str], key: Sequence[str], begndate: str) -> str:
    """Return a register's code: the parts of its key. A date among them as we write dates, so that they sort."""
    return KEY_JOIN.join(begndate if part == "begndate" else cell[part] for part in key)


def title_of_code(key: Sequence[str], title: Title) -> str:
    """Return what the file calls the code; of a register without codes of its own, the parts of its key joined."""
    return KEY_JOIN.join(map(title, key or ("code",)))


def _code_fault(code: str, form: re.Pattern[str]) -> tuple[str, str] | None:
    """Return (rule, message) of a code that cannot be one."""
    if not code:
        return "MF07", "国家编码为空"
    if KEY_JOIN not in code and len(code) > NATIONAL_MAX:
        return "MF07", f"国家编码超过{NATIONAL_MAX}个字符"
    if not form.fullmatch(code):
        return "MF09", f"国家编码{code}不符合该标准的编码规则"
    return None


def _dates(line: int, cell: Mapping[str, str], faults: Faults, title: Title) -> tuple[str, str]:
    days = []
    for column in ("begndate", "enddate"):
        day = day_text(cell.get(column, ""))
        if day is None:
            faults.add(line, title(column), "MF08", "不是有效日期")
        days.append(day or "")
    if days[1] and days[0] > days[1]:
        faults.add(line, title("enddate"), "MF08", f"结束日期{days[1]}早于开始日期{days[0]}")
    return days[0], days[1]


@attrs.define(eq=False)
class Order:
    """Watches the codes of a file pass in their order: none may come twice, no two periods of one key overlap.

    periods: the code of a register ends with the day its record begins; column, begins: what the file calls the code
    and that day.
    """

    faults: Faults
    periods: bool = False
    column: str = "code"
    begins: str = "begndate"
    _code: str = ""
    _line: int = 0
    _key: str = ""
    _end: str = ""
    _end_line: int = 0

    def passes(self, code: str, line: int, enddate: str) -> None:
        """Look at the next code."""
        if code == self._code:
            self.faults.add(line, self.column, "MF10", f"国家编码与第{self._line}行重复")
            return
        self._code, self._line = code, line
        if self.periods:
            key, _, begndate = code.rpartition(KEY_JOIN)
            if key == self._key and begndate <= self._end:
                self.faults.add(line, self.begins, "MF08", f"有效期与第{self._end_line}行重叠")
            end = enddate or LATEST
            if key != self._key or end > self._end:
                self._end, self._end_line = end, line
            self._key = key


def record_of(name: str, begndate: str, enddate: str, vali_flag: str, gray: str) -> Record:
    """Return the record as the tables hold it: usable if vali_flag=1 and begndate <= day <= enddate, never if grey."""
    if vali_flag != "1" or gray == "1":
        return name, NEVER_FROM, NEVER_TO
    return name, begndate, enddate or LATEST
