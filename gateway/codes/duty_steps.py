"""The way of an entry: filed, reviewed, given its code, exported, reported up, or returned; what is due when.

Nothing stores a state: it is computed from the steps, which are only ever added. Every step but the first is another
person's than the maker's, or nobody's (exports and reports are clerical). Source: mapping rules §7; the division table.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Literal

import attrs

from gateway.codes.duties import Days, Duties
from gateway.codes.duty_entries import Action
from gateway.core.dates import day_of

State = Literal["filed", "reviewed", "assigned", "exported", "reported", "returned"]
STATES: Mapping[State, str] = {
    "filed": "待审核",
    "reviewed": "审核通过",
    "assigned": "已赋码",
    "exported": "已导出",
    "reported": "已上报",
    "returned": "已退回",
}
StepName = Literal["viewed", "reviewed", "returned", "assigned", "exported", "reported"]
STEPS: Mapping[str, str] = {
    "filed": "申报",
    "viewed": "查看内容",
    "reviewed": "审核通过",
    "returned": "退回",
    "assigned": "赋码",
    "exported": "导出",
    "reported": "上报",
}
TASKS: Mapping[str, str] = {"review": "审核", "assign": "赋码", "report": "上报", "correct": "退回更正"}


@attrs.frozen
class Step:
    """One thing done to an entry."""

    entry: int
    step: StepName
    who: str
    at_ms: int
    code: str = ""
    note: str = ""
    day: str = ""
    export: int = 0


@attrs.frozen(kw_only=True)
class Known:
    """An entry and everything done to it, oldest first. corrected_ms: when the same owner filed it
    again after its return, 0 = not yet."""

    id: int
    filing: int
    line: int
    owner: str
    system: str
    action: Action
    maker: str
    at_ms: int
    code: str
    division: str
    corrects: int
    digest: str
    keys: tuple[str, ...]
    steps: tuple[Step, ...] = ()
    corrected_ms: int = 0

    @property
    def state(self) -> State:
        for step in reversed(self.steps):
            if step.step != "viewed":
                return step.step
        return "filed"

    def last(self, name: StepName) -> Step | None:
        return next((step for step in reversed(self.steps) if step.step == name), None)

    @property
    def new_code(self) -> str:
        """Return the code the entry is about: the assigned one, else the one it came with."""
        found = self.last("assigned")
        return found.code if found else self.code


def needs_code(entry: Known, assigns: bool) -> bool:
    """Say whether this agency gives the entry its code: only new entries of registers it numbers."""
    return assigns and entry.action == "add"


def allowed(entry: Known, name: StepName, assigns: bool) -> str:
    """Return why a step cannot be done to an entry now, '' when it can."""
    state = entry.state
    ready: State = "assigned" if needs_code(entry, assigns) else "reviewed"
    right = {
        "viewed": True,
        "reviewed": state == "filed",
        "returned": state not in ("returned", "reported"),
        "assigned": state == "reviewed" and needs_code(entry, assigns),
        "exported": state in (ready, "exported"),
        "reported": state == "exported",
    }[name]
    if right:
        return ""
    if name == "assigned" and not needs_code(entry, assigns):
        return f"{entry.id}号不需要本机构赋码"
    return f"{entry.id}号现为“{STATES[state]}”，不能{STEPS[name]}"


@attrs.frozen
class Task:
    """One step an entry has to take. due, done: yyyy-MM-dd; done '' = open."""

    name: str
    due: str
    done: str

    def late(self, today: str) -> bool:
        return (self.done or today) > self.due


def tasks(entry: Known, assigns: bool, days: Days) -> list[Task]:
    """Return the tasks of an entry's life so far, in order, the last of them perhaps open."""
    filed = day_of(entry.at_ms / 1000)
    reviewed, assigned = entry.last("reviewed"), entry.last("assigned")
    reported, returned = entry.last("reported"), entry.last("returned")
    stop = returned.at_ms if returned else 0
    found = [_task("review", filed, days.review, reviewed.at_ms if reviewed else stop)]
    since = reviewed
    if reviewed and needs_code(entry, assigns):
        found.append(_task("assign", day_of(reviewed.at_ms / 1000), days.assign, assigned.at_ms if assigned else stop))
        since = assigned
    if since:
        task = _task("report", day_of(since.at_ms / 1000), days.report, stop)
        found.append(attrs.evolve(task, done=reported.day) if reported else task)
    if returned:
        found.append(_task("correct", day_of(returned.at_ms / 1000), days.correct, entry.corrected_ms))
    return found


def _task(name: str, since: str, days: int, done_ms: int) -> Task:
    due = (date.fromisoformat(since) + timedelta(days=days)).isoformat()
    return Task(name, due, day_of(done_ms / 1000) if done_ms else "")


@attrs.define
class Progress:
    """One register and owner in one month: tasks due in it, of them done, late, open; how often what happened."""

    system: str
    owner: str
    due: int = 0
    done: int = 0
    late: int = 0
    open: int = 0
    by_task: dict[str, Counter[str]] = attrs.Factory(dict)
    events: Counter[str] = attrs.Factory(Counter)


def progress(entries: Iterable[Known], duties: Duties, month: str, today: str) -> list[Progress]:
    """Count the month (yyyy-MM) per register and owner. late: done after the due day, or open and past it today."""
    found: dict[tuple[str, str], Progress] = {}
    for entry in entries:
        register = duties.register.get(entry.system)
        if register is None:
            continue  # no longer kept here
        row = found.setdefault((entry.system, entry.owner), Progress(entry.system, entry.owner))
        for task in tasks(entry, register.assigns, duties.days_of(entry.system)):
            if task.due.startswith(month):
                _count(row, task, today)
        row.events["filed"] += day_of(entry.at_ms / 1000).startswith(month)
        for step in entry.steps:
            day = step.day or day_of(step.at_ms / 1000)
            row.events[step.step] += day.startswith(month)
    return [found[key] for key in sorted(found) if found[key].due or +found[key].events]


def _count(row: Progress, task: Task, today: str) -> None:
    counts = row.by_task.setdefault(task.name, Counter())
    late = task.late(today)
    for name, yes in (("due", True), ("done", bool(task.done)), ("late", late), ("open", not task.done)):
        counts[name] += yes
    row.due += 1
    row.done += bool(task.done)
    row.late += late
    row.open += not task.done


def finding(
    entry: Known, same: Sequence[Known], listed: str, in_force: bool | None, gone: Collection[str]
) -> tuple[str, str] | None:
    """Return why an entry may not pass the review as things stand, (rule, message), or None.

    same: other entries of one key or code, any state; listed: the code under which the national library holds the same;
    in_force: whether the code that changes or retires is, None = nobody here can know (no library was imported);
    gone: codes whose retirement was reported up.
    """
    # Of two that wait, the earlier has the right of way; whatever has passed the review is in the way of all others.
    others = [one for one in same if one.id < entry.id or (one.id > entry.id and one.state != "filed")]
    living = [one for one in others if one.state != "returned"]
    if entry.action != "add":
        if in_force is False:
            return "DU09", f"编码{entry.code}不在国家目录中，或已停用"
        busy = [one for one in living if one.code == entry.code and one.action != "add" and one.state != "reported"]
        return ("DU08", f"编码{entry.code}另有办理中的申报{busy[0].id}号") if busy else None
    there = [one for one in living if one.action == "add" and (one.new_code or "-") not in gone]
    if there:
        first = there[0]
        return "DU08", f"同一条信息已由{first.owner}申报（{first.id}号，{STATES[first.state]}）；已有编码的请用“变更”"
    if listed and listed not in gone:
        return "DU08", f"国家目录中已有同一条信息，编码{listed}；请用“变更”"
    return None
