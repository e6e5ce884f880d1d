"""One run of the books: the day's files of the city reconciled, its lines kept, its days set. In a child process.

The same inputs are the same run: nothing is written twice. A run comes into force by its last row; until then what it
wrote counts for nothing, and the next one writes it again (specification §6.4).
"""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
import msgspec

from adapters.crypto.digest import sm3
from adapters.store.books import EVERYWHERE, BooksStore, Planned, Run, locked
from adapters.store.books_trail import BooksTrail, RunNote
from gateway.app.books_shelf import SCRIPTS
from gateway.app.books_snapshot import Snapshot, looking_back, put_together, snapshot
from gateway.app.books_tasks import Ran, RunTask
from gateway.app.books_work import reconciled
from gateway.books.lines import Line, identity
from gateway.books.plans import (
    CITY,
    COLLECTING,
    FEEDBACK,
    Plan,
    city_state,
    day_state,
    escalates_ms,
    plan_of,
    standing_of,
    state_of,
    vain_ms,
)
from gateway.books.scope import Scope
from gateway.core.booked import DayRow, DiffRow
from gateway.core.ledgers import NAMES
from gateway.core.province import LEDGERS

_SETTLED = ("OPEN", "WAIT", "CARRIED", "RESOLVED")


def run(task: RunTask) -> Ran:
    """Run. Raises LedgerRefused, EngineFailed, OSError, sqlite3.Error."""
    path = Path(task.store)
    workplace = Path(task.data) / "books" / task.date / "work"
    workplace.mkdir(mode=0o700, parents=True, exist_ok=True)
    with locked(path.with_name(f"{path.name}.run")):
        store = BooksStore.open(path, SCRIPTS)
        try:
            chosen = snapshot(
                store, task.role, task.date, task.institutions, task.now_ms, task.provisional, task.province
            )
            chosen = looking_back(store, chosen, task.date, Path(task.data))
            task = msgspec.structs.replace(task, by_hand=[*task.by_hand, *_signed_early(task, chosen)])
            last = store.last_run(task.role, task.date)
            if last is not None and _same(store, chosen, last):
                return _again(task, store, chosen, last)
            revision = 1 if last is None else last.revision + 1
            # A party may hand in again what it replaced: the same inputs as long ago, and a run of their own now.
            own = f"{chosen.run_id}-{revision}" if store.is_run(chosen.run_id) else chosen.run_id
            return _run(task, store, attrs.evolve(chosen, run_id=own), workplace, revision)
        finally:
            store.close()


def _same(store: BooksStore, chosen: Snapshot, last: Run) -> bool:
    """Say whether a run was over these very inputs. What came again after something else was no input of it."""
    return last.run_id.partition("-")[0] == chosen.run_id and store.run_inputs(last.run_id).issuperset(chosen.inputs)


def _run(task: RunTask, store: BooksStore, chosen: Snapshot, workplace: Path, revision: int) -> Ran:
    scope = Scope(
        date=task.date, given=chosen.given, incomplete=chosen.short, role=task.role, incomplete_at=chosen.missing,
        later_at=chosen.later,
    )  # fmt: skip
    scope.check()
    frozen = frozen_scopes(store, task)
    files = put_together(store, chosen, Path(task.data), workplace)
    with reconciled(files, scope, workplace, _no_bar, lambda text: None) as found:
        beyond: dict[str, int] = {}
        store.write_lines(_open_lines(task, store, found.lines(), revision, frozen, beyond), task.now_ms)
        early = {"provisional": True} if task.provisional else {}
        summary = {**found.summary.record(), **({"frozen": beyond} if beyond else {}), **early}
        ran = Run(
            run_id=chosen.run_id, role=task.role, biz_date=task.date, revision=revision, at_ms=task.now_ms,
            agreed=found.summary.agreed and not task.provisional, keys=found.summary.keys, summary=summary,
        )  # fmt: skip
    days = _days(task, store, chosen, revision)
    store.bring_into_force(ran, chosen.inputs, days, _noting(task, store, ran), chosen.back)
    return _told(ran, days, frozen, same=False)


def _signed_early(task: RunTask, chosen: Snapshot) -> Iterator[str]:
    """Yield whose day file came before the day was over: that what was settled after it is not in it says nothing, so
    nothing undelivered is reversed by itself (§5.3, guard 2)."""
    return (one.scope for one in chosen.day if one.ledger == "INST" and one.at_ms < task.closes_ms)


def frozen_scopes(store: BooksStore, task: RunTask) -> set[str]:
    return {one.scope for one in store.days(task.date, task.date, task.role) if one.state == "FROZEN"}


def _open_lines(
    task: RunTask, store: BooksStore, lines: Iterable[Line], revision: int, frozen: set[str], beyond: dict[str, int]
) -> Iterator[tuple[DiffRow, list[Planned]]]:
    """Yield what is written. A frozen day's differences and actions stay as they are (§6.5); beyond: scope -> how many
    there are now that it did not have: people correct them by an adjustment."""
    known: dict[str, set[str]] = {}
    for line in lines:
        one = _diff(task, line, revision)
        if one.scope not in frozen:
            yield one, _plans(task, line, one.diff_id)
            continue
        if one.scope not in known:
            found = store.diffs(task.date, task.role, one.scope, most=10_000_000)
            known[one.scope] = {each.diff_id for each in found}
        if one.diff_id not in known[one.scope] and not one.agreed:
            beyond[one.scope] = beyond.get(one.scope, 0) + 1


def _again(task: RunTask, store: BooksStore, chosen: Snapshot, last: Run) -> Ran:
    """Nothing new came in; but a reversal that has no effect is tried again by who looked after it (S3), and what
    feedback did not cure or what waited too long becomes a case (T+3)."""
    frozen = frozen_scopes(store, task)
    if task.provisional:
        return _told(last, _days(task, store, chosen, last.revision), frozen, same=True)
    waiting = [one for one in store.diffs(task.date, task.role, states=("OPEN", "WAIT")) if one.scope not in frozen]
    again = ((diff, _planned_again(task, diff)) for diff in waiting)
    store.write_lines(((diff, plans) for diff, plans in again if plans), task.now_ms)
    days = _days(task, store, chosen, last.revision)
    store.set_days(days, _noting(task, store, last)())
    return _told(last, days, frozen, same=True)


def _noting(task: RunTask, store: BooksStore, ran: Run) -> Callable[[], Callable[[], None]]:
    """Return what leaves a run's entry for the audit trail: first it takes the digest of what the run wrote, however
    long that is, then what it returned writes the entry in the transaction that moves the days."""
    trail = BooksTrail(store.connection)

    def days() -> list[DayRow]:
        return store.days(task.date, task.date, task.role)

    note = RunNote(
        role=task.role, biz_date=task.date, revision=ran.revision, run=ran.run_id, at_ms=task.now_ms, before=days()
    )  # fmt: skip

    def changes() -> Callable[[], None]:
        found = trail.changes(note)
        return lambda: trail.ran(note, found, days())

    return changes


def _told(ran: Run, days: list[DayRow], frozen: set[str], same: bool) -> Ran:
    return Ran(
        run_id=ran.run_id, revision=ran.revision, same=same, agreed=ran.agreed, keys=ran.keys,
        summary=dict(ran.summary), days={one.scope: "FROZEN" if one.scope in frozen else one.state for one in days},
    )  # fmt: skip


@contextmanager
def _no_bar(path: Path, text: str) -> Iterator[Callable[[int], None]]:
    yield lambda done: None


def _diff(task: RunTask, line: Line, revision: int) -> DiffRow:
    return DiffRow(
        diff_id=identity(line, task.date, sm3), role=task.role,
        scope=line.fixmedins_code if line.leg == "L1" else EVERYWHERE, biz_date=task.date, leg=line.leg, name=line.name,
        row=line.row, mode=line.mode, action=line.action, prevails=line.prevails, setl_id=line.setl_id,
        msgid=line.msgid, fixmedins_code=line.fixmedins_code, component=line.component, left_fen=line.left,
        right_fen=line.right, note="; ".join(line.notes), agreed=line.agreed, first_revision=revision,
        last_revision=revision, state=state_of(line), changed_ms=task.now_ms,
        said_sm3=sm3(line.said.encode()).hex(),
    )  # fmt: skip


def _planned_again(task: RunTask, diff: DiffRow) -> list[Planned]:
    """The plans of a kept difference: those of its line, where it was planned already. A case that waits, or was closed
    by people, stays; feedback is not begun here (who is fed back to, the line alone knew), only found to be in vain."""
    line = Line(
        key="", setl_id=diff.setl_id, msgid=diff.msgid, fixmedins_code=diff.fixmedins_code, leg=diff.leg,
        name=diff.name, row=diff.row, mode=diff.mode, action=diff.action, prevails=diff.prevails,
        biz_date=diff.biz_date, agreed=diff.agreed, component=diff.component, left=diff.left_fen, right=diff.right_fen,
    )  # fmt: skip
    plans = _plans(task, line, diff.diff_id)
    return [attrs.evolve(one, action_ids=()) if one.kind == FEEDBACK else one for one in plans]


def _plans(task: RunTask, line: Line, diff_id: str) -> list[Planned]:
    """Plan for one line: nothing while the day is not over. Where the institution's profile says so, people decide
    (§5.3, guard 4)."""
    if task.provisional:
        return []
    plan = plan_of(line)
    if state_of(line) == "WAIT" and task.now_ms >= escalates_ms(task.date):
        plan = Plan(mode="TWO")
    undelivered = line.name == "L1-INST-MISSING" and not {line.fixmedins_code, EVERYWHERE}.isdisjoint(task.by_hand)
    if plan.kind and undelivered:
        plan = Plan(mode="TWO")
    until = escalates_ms(task.date)
    found = []
    looked = task.asked_ms.get(line.fixmedins_code if line.leg == "L1" else CITY, 0)
    vain = vain_ms(line.row, task.date, looked, task.now_ms)
    if plan.kind:
        content = {
            "leg": line.leg, "class": line.name, "row": line.row, "setl_id": line.setl_id, "msgid": line.msgid,
            "fixmedins_code": line.fixmedins_code, "component": line.component, "left_fen": line.left,
            "right_fen": line.right, "prevails": line.prevails,
        }  # fmt: skip
        found.append(
            Planned(
                kind=plan.kind, party=plan.party, content=json.dumps(content, ensure_ascii=False, sort_keys=True),
                action_ids=tuple(action_id(diff_id, plan.kind, n) for n in range(1, plan.attempts + 1)),
                seen_ms=looked, vain_ms=vain, mode="TWO", until_ms=until,
            )
        )  # fmt: skip
    if plan.mode:
        found.append(Planned(mode=plan.mode, until_ms=until, seen_ms=looked, vain_ms=vain))
    return found


def action_id(diff_id: str, kind: str, attempt: int) -> str:
    """Return the identity of one attempt at one difference (§4.1)."""
    return sm3(f"{diff_id}|{kind}|{attempt}".encode()).hex()[:32]


def _days(task: RunTask, store: BooksStore, chosen: Snapshot, revision: int) -> list[DayRow]:
    """Return where every institution's day and the city's stand."""
    told: dict[str, list[tuple[str, str, bool]]] = {}
    frozen = frozen_scopes(store, task)
    for diff in store.diffs(task.date, task.role, states=_SETTLED, most=10_000_000):
        if diff.last_revision == revision or diff.scope in frozen:
            told.setdefault(diff.scope, []).append((diff.leg, diff.state, diff.agreed))
    days = []
    if task.provisional:
        scopes = [*(chosen.institutions if task.role == "care" else ()), CITY]
        return [_day(task, one, COLLECTING, revision, []) for one in scopes]
    if task.role == "care":
        for code in chosen.institutions:
            # What is frozen was complete; its row is not moved by this (`BooksStore.set_days`).
            lacking = sorted(NAMES[ledger] for ledger, one in chosen.missing if one == code and code not in frozen)
            days.append(_day(task, code, day_state(standing_of(told.get(code, ())), lacking), revision, lacking))
    own = standing_of(told.get(EVERYWHERE, ()))
    short = sorted(NAMES[ledger] for ledger in chosen.short)
    there = {one.ledger for one in chosen.day}
    owed = [name for name in LEDGERS["care"] if task.province and task.role == "care" and name not in there]
    waits = "PROV" in owed
    short += [name for name in owed if not waits]  # leg 2 was compared, leg 4 was not
    state = "WAIT_INPUT" if short else city_state([one.state for one in days], own, waits)
    days.append(_day(task, CITY, state, revision, [*short, *(["PROV"] if waits else [])]))
    return days


def _day(task: RunTask, scope: str, state: str, revision: int, lacking: list[str]) -> DayRow:
    return DayRow(
        role=task.role, scope=scope, biz_date=task.date, state=state, revision=revision, changed_ms=task.now_ms,
        note="、".join(lacking),
    )  # fmt: skip
