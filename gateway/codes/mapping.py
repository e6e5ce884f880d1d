"""A mapping file's rows: read, checked in form, and found whole or refused whole (annex C2, contract §7).

Pure: lines of cells in, rows and faults out. What a row says is judged in `gateway.codes.content`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

import attrs

from gateway.codes.faults import Faults, Title
from gateway.codes.local_facts import CHARACTERS_MAX, NO_FACTS, PREFIX, is_identity
from gateway.core.codes import LATEST
from gateway.core.dates import is_date

LOCAL_MAX = 150  # `medins_list_codg` of the interface specification
NATIONAL_MAX = 50  # annex C3
EVIDENCE_MAX = 2000


@attrs.frozen
class Proposed:
    """One row somebody proposes. Dates yyyy-MM-dd, '' = open; national '' = none.

    facts: what the local side says of the item, by the names of `local_facts`.
    """

    line: int
    local: str
    national: str
    valid_from: str
    valid_to: str
    evidence: str
    facts: Mapping[str, str] = NO_FACTS

    @property
    def until(self) -> str:
        """Return the last day, open = the far future."""
        return self.valid_to or LATEST

    def overlaps(self, other: "Proposed") -> bool:
        """Say whether both hold on some day."""
        return self.valid_from <= other.until and other.valid_from <= self.until


def parse(
    lines: Iterable[tuple[int, Sequence[str]]],
    at: Mapping[str, int],
    form: re.Pattern[str] | None,
    faults: Faults,
    title: Title = str,
) -> list[Proposed]:
    """Turn lines of cells into rows; add every fault of form to `faults`.

    at: our column name -> cell number, descriptive columns with `fact:` in front; form: pattern of national codes,
    None = any; title: what the file calls our columns.
    """
    told = [(name.removeprefix(PREFIX), number) for name, number in at.items() if name.startswith(PREFIX)]
    told = [(name, number) for name, number in told if number not in {at[own] for own in at if PREFIX not in own}]
    local, national = at["local_code"], at["national_code"]
    since, until, evidence = at.get("valid_from"), at.get("valid_to"), at.get("evidence")
    key = (title("local_code"), title("national_code"))
    rows, keyed = [], []
    shared: dict[str, str] = {}  # few different dates stand in many rows
    for line, cells in lines:
        valid_from = "" if since is None else cells[since]
        valid_to = "" if until is None else cells[until]
        row = Proposed(
            line,
            cells[local],
            cells[national],
            shared.setdefault(valid_from, valid_from),
            shared.setdefault(valid_to, valid_to),
            "" if evidence is None else cells[evidence],
            {name: cells[number] for name, number in told if cells[number] and not is_identity(cells[number])}
            or NO_FACTS,
        )
        _check(row, form, faults, title)
        rows.append(row)
        if not faults.touch(line, *key):
            keyed.append(row)
    _duplicates(keyed, faults, title("local_code"))
    return rows


def _check(row: Proposed, form: re.Pattern[str] | None, faults: Faults, title: Title) -> None:
    if not row.local:
        faults.add(row.line, title("local_code"), "MF07", "院内编码为空")
    elif len(row.local) > LOCAL_MAX:
        faults.add(row.line, title("local_code"), "MF07", f"院内编码超过{LOCAL_MAX}个字符")
    if len(row.national) > NATIONAL_MAX:
        faults.add(row.line, title("national_code"), "MF07", f"国家编码超过{NATIONAL_MAX}个字符")
    elif row.national and form is not None and not form.fullmatch(row.national):
        faults.add(row.line, title("national_code"), "MF09", f"国家编码{row.national}不符合该标准的编码规则")
    if len(row.evidence) > EVIDENCE_MAX:
        faults.add(row.line, title("evidence"), "MF05", f"依据超过{EVIDENCE_MAX}个字符")
    for name, text in row.facts.items():
        if len(text) > CHARACTERS_MAX:
            faults.add(row.line, title(f"{PREFIX}{name}"), "MF05", f"单元格超过{CHARACTERS_MAX}个字符")
    if row.valid_from or row.valid_to:
        _check_dates(row, faults, title)


def _check_dates(row: Proposed, faults: Faults, title: Title) -> None:
    right = True
    for column, text in (("valid_from", row.valid_from), ("valid_to", row.valid_to)):
        if text and not is_date(text):
            faults.add(row.line, title(column), "MF08", f"日期{text[:20]}应为yyyy-MM-dd的真实日期")
            right = False
    if right and row.valid_from > row.until:
        faults.add(row.line, title("valid_to"), "MF08", f"失效日期{row.valid_to}早于生效日期{row.valid_from}")


def _duplicates(rows: Iterable[Proposed], faults: Faults, column: str) -> None:
    """Report a row whose local code has the same target on some day in an earlier row."""
    groups: dict[tuple[str, str], list[Proposed]] = {}
    lone: dict[tuple[str, str], Proposed] = {}
    for row in rows:
        key = (row.local, row.national)
        first = lone.setdefault(key, row)
        if first is not row:
            groups.setdefault(key, [first]).append(row)
    for group in groups.values():
        # In order of their first day, only the one lasting longest so far can reach into the next.
        group.sort(key=lambda row: (row.valid_from, row.line))
        longest = group[0]
        for row in group[1:]:
            if row.overlaps(longest):
                earlier, later = sorted((row.line, longest.line))
                faults.add(later, column, "MF10", f"院内编码{row.local}与第{earlier}行重复")
            if row.until > longest.until:
                longest = row
