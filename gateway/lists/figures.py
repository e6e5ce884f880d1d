"""The figures of settlement lists: due, late, refused, accepted, by institution, month and department; first-pass rate.

A list is due for every settlement the journal knows that needs one, within some days of the discharge (of a visit, or
where nothing was collected: of the settlement). It is late when those days are over and it has not reached the
platform, or reached it after them. It is accepted when quality control spoke of it since it was last sent and did not
send it back. First-pass rate: of the lists quality control spoke of or the platform refused, those it never refused and
never sent back.
"""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta

import attrs

from gateway.core.dates import day_of, is_date

THERE = ("uploaded", "submitted", "returned")
STAGES = ("missing", "faulty", "ready", "waiting", "accepted", "returned", "refused", "unknown")
STAGES_ZH: Mapping[str, str] = {
    "missing": "没有采集", "faulty": "有错误", "ready": "可以上传", "waiting": "已上传待质控", "accepted": "质控通过",
    "returned": "质控退回", "refused": "平台拒绝", "unknown": "结果未知",
}  # fmt: skip


@attrs.frozen
class Listed:
    """One collected list, as the store tells it.

    errors: when last examined; state: '' = never sent; judged: quality control spoke since the first upload; returned:
    its flag, '' = it did not speak; newer: it spoke since the last change; back: ever refused or sent back; first_ms:
    when it first was at the platform or refused, 0 = never.
    """

    setl_id: str
    discharged: str
    dept: str
    errors: int
    state: str
    judged: int
    returned: str
    newer: int
    back: int
    first_ms: int


@attrs.frozen
class Known:
    """One list that is due or was collected. month: of settlement, else of discharge; '' = not known yet."""

    institution: str
    month: str
    dept: str
    stage: str
    due: bool
    late: bool
    judged: bool
    first: bool


@attrs.frozen
class Figures:
    """Lists by where they stand (STAGES), and of all: due, late, judged, passed at the first upload."""

    stages: tuple[int, ...] = (0,) * len(STAGES)
    due: int = 0
    late: int = 0
    judged: int = 0
    first: int = 0

    def __add__(self, other: "Figures") -> "Figures":
        stages = tuple(one + more for one, more in zip(self.stages, other.stages, strict=True))
        return Figures(
            stages, self.due + other.due, self.late + other.late, self.judged + other.judged, self.first + other.first
        )

    @property
    def lists(self) -> int:
        return sum(self.stages)

    def of(self, stage: str) -> int:
        """Return the lists at one stage."""
        return self.stages[STAGES.index(stage)]


def known_of(
    institution: str, settled_on: Mapping[str, str], rows: Iterable[Listed], today: str, due_days: int
) -> list[Known]:
    """Join the journal's settlements (setl_id -> day) with the collected lists of one institution."""
    left = dict(settled_on)
    found = []
    for row in rows:
        settled = left.pop(row.setl_id, "")
        day = row.discharged if is_date(row.discharged) else settled
        first = day_of(row.first_ms / 1000) if row.first_ms else ""
        judged = bool(row.judged) or row.state == "refused" or bool(row.back)
        found.append(
            Known(
                institution, (settled or row.discharged)[:7], row.dept, stage_of(row), bool(settled),
                bool(settled) and _late(day, first, today, due_days), judged, judged and not row.back,
            )
        )  # fmt: skip
    for day in left.values():
        late = _late(day, "", today, due_days)
        found.append(Known(institution, day[:7], "", "missing", due=True, late=late, judged=False, first=False))
    return found


def stage_of(row: Listed) -> str:
    """Return where a list stands."""
    if row.state in ("uploaded", "submitted"):
        return "waiting" if not row.newer else "returned" if row.returned == "1" else "accepted"
    if row.state in ("returned", "refused"):
        return row.state
    if row.state in ("sending", "unknown"):
        return "unknown"
    return "faulty" if row.errors else "ready"


def _late(day: str, there: str, today: str, due_days: int) -> bool:
    last = str(date.fromisoformat(day) + timedelta(days=due_days))
    return (there or today) > last


def added_up(rows: Iterable[Known], *by: str) -> dict[tuple[str, ...], Figures]:
    """Add up by some of Known's texts, in their order."""
    found: dict[tuple[str, ...], Figures] = {}
    for one in rows:
        key = tuple(str(getattr(one, name)) for name in by)
        found[key] = found.get(key, Figures()) + _one(one)
    return dict(sorted(found.items()))


def _one(known: Known) -> Figures:
    stages = tuple(int(known.stage == stage) for stage in STAGES)
    return Figures(stages, int(known.due), int(known.late), int(known.judged), int(known.first))
