"""What a proposed mapping says, judged against the national library: rows with a finding stay drafts (annex C2).

Of the audit list in the mapping rules §6 this module decides MA01 missing, MA03 one to many, MA05 expired, MA06 not in
the library and MA17 one pair of hands.
"""

import unicodedata
from collections.abc import Callable, Iterable

from gateway.codes.faults import Fault
from gateway.codes.mapping import Proposed
from gateway.core.codes import Record

NO_CODE = "no_code:"
Find = Callable[[str], Record | None]


def same_person(one: str, other: str) -> bool:
    """Say whether two names are one person's; an empty one is nobody's second pair of eyes (MA17)."""
    first, second = ("".join(unicodedata.normalize("NFKC", name).split()).casefold() for name in (one, other))
    return not first or not second or first == second


def judge(rows: Iterable[Proposed], find: Find | None, today: str) -> dict[int, Fault]:
    """Return line -> first finding of every row that may not come into force.

    rows: all rows of one proposal; find: national code -> record of the imported library, None = the library was never
    imported; today: yyyy-MM-dd.
    """
    found: dict[int, Fault] = {}
    groups: dict[str, list[Proposed]] = {}
    lone: dict[str, Proposed] = {}
    for row in rows:
        finding = _of_one(row, find, today)
        if finding is not None:
            found[row.line] = finding
        if finding is not None and finding.rule == "MA01":
            continue  # no target cannot be one of several
        # A target that is no good today may be good tomorrow: it still makes two of its local code.
        first = lone.setdefault(row.local, row)
        if first is not row:
            groups.setdefault(row.local, [first]).append(row)
    for group in groups.values():
        for row in _several_targets(group):
            message = f"院内编码{row.local}在同一天对应多个国家编码"
            found.setdefault(row.line, Fault(row.line, "national_code", "MA03", message))
    return found


def _of_one(row: Proposed, find: Find | None, today: str) -> Fault | None:
    if not row.national:
        if row.evidence.startswith(NO_CODE):
            return None
        return Fault(row.line, "national_code", "MA01", f"院内编码{row.local}没有国家编码，依据也未以{NO_CODE}说明")
    if find is None:
        return None
    record = find(row.national)
    if record is None:
        return Fault(row.line, "national_code", "MA06", f"国家编码{row.national}不在已导入的国家目录中")
    # The day that counts is today, or the day of the row's own life nearest to it.
    day = min(max(today, row.valid_from), row.until)
    if record[2] < day or max(record[1], row.valid_from) > min(record[2], row.until):
        return Fault(row.line, "national_code", "MA05", f"国家编码{row.national}已停用、已过期或不可用")
    return None


def _several_targets(group: list[Proposed]) -> list[Proposed]:
    """Return every row that shares a day with a row of another target."""
    found: dict[int, Proposed] = {}
    group.sort(key=lambda row: (row.valid_from, row.line))
    # Forward: who began earlier, with another target, and still lasts? Only the longest of each of two targets matters.
    ends: list[tuple[str, str]] = []  # (last day, target), the two longest of different targets
    for row in group:
        if any(target != row.national and end >= row.valid_from for end, target in ends):
            found[row.line] = row
        ends = _two_best([*ends, (row.until, row.national)], longest=True)
    # Backward: who begins later, with another target, while this row still lasts?
    starts: list[tuple[str, str]] = []
    for row in reversed(group):
        if any(target != row.national and start <= row.until for start, target in starts):
            found[row.line] = row
        starts = _two_best([*starts, (row.valid_from, row.national)], longest=False)
    return list(found.values())


def _two_best(pairs: list[tuple[str, str]], longest: bool) -> list[tuple[str, str]]:
    """Keep the extreme day of each of the two most extreme targets."""
    kept: dict[str, tuple[str, str]] = {}
    for day, target in sorted(pairs, reverse=longest):
        kept.setdefault(target, (day, target))
    return list(kept.values())[:2]
