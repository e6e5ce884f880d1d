"""What waits in the books' store for the audit trail (reconciliation §6.6), and what a run changed, as one digest."""

import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from adapters.crypto.digest import sm3_hasher
from adapters.store.transaction import transaction
from gateway.core.booked import DayRow

_ENTRY = "id, action, subject, was, became, what, who, at_ms"
# Everything of a day that one run wrote bears the run's moment.
_CHANGED = (
    "SELECT 'diff', diff_id, state, \"row\", component, coalesce(left_fen, ''), coalesce(right_fen, '') FROM diff "
    "WHERE role = :role AND biz_date = :day AND changed_ms = :at UNION ALL "
    "SELECT 'case', diff_id, recon_case.state, decision, recon_case.mode, '', '' FROM recon_case JOIN diff "
    "USING (diff_id) WHERE role = :role AND biz_date = :day AND recon_case.changed_ms = :at UNION ALL "
    "SELECT 'action', action_id, action.state, kind, party, attempt, '' FROM action JOIN diff USING (diff_id) "
    "WHERE role = :role AND biz_date = :day AND action.changed_ms = :at ORDER BY 1, 2"
)


@attrs.frozen(kw_only=True)
class Entry:
    """One change on its way. who: the party or person it is about; at_ms: when it happened."""

    id: int
    action: str
    subject: str
    was: str
    became: str
    what: str
    who: str
    at_ms: int


@attrs.frozen(kw_only=True)
class RunNote:
    """A run that is to be noted. before: the days as they were; run: its run_id."""

    role: str
    biz_date: str
    revision: int
    run: str
    at_ms: int
    before: Sequence[DayRow]


@attrs.frozen
class Changes:
    """What a run wrote. counts: rows by kind (diff, case, action); state: of SM3, over their lines."""

    counts: Counter[str]
    state: Any


@attrs.frozen
class BooksTrail:
    """The waiting entries of one connection."""

    connection: sqlite3.Connection

    def waiting(self, most: int) -> list[Entry]:
        """Return the oldest entries."""
        found = self.connection.execute(f"SELECT {_ENTRY} FROM trail_entry ORDER BY id LIMIT ?", (most,))
        names = [one.name for one in attrs.fields(Entry)]
        return [Entry(**dict(zip(names, row, strict=True))) for row in found]

    def told(self, number: int) -> None:
        """Take away what the trail has, up to an entry. Numbers are given in the order of commits."""
        with transaction(self.connection):
            self.connection.execute("DELETE FROM trail_entry WHERE id <= ?", (number,))

    def changes(self, note: RunNote) -> Changes:
        """Return what a run wrote: SM3 over a line of each action, case and difference, in order of kind and identity;
        cells set apart by TAB, lines ended by LF. The days follow in `ran`."""
        counts: Counter[str] = Counter()
        state = sm3_hasher()
        named = {"role": note.role, "day": note.biz_date, "at": note.at_ms}
        for cells in self.connection.execute(_CHANGED, named):
            counts[str(cells[0])] += 1
            state.update(_line(cells))
        return Changes(counts, state)

    def ran(self, note: RunNote, found: Changes, days: Sequence[DayRow]) -> None:
        """Leave a run's entry in the transaction under way, once: the days before and after, how many rows it wrote,
        and the SM3 over them and a line of each day."""
        for one in days:
            found.state.update(_line(("day", one.scope, one.state, one.revision)))
        whole = found.state.digest().hex()
        written = " ".join(f"{name} {found.counts[name]}" for name in ("diff", "case", "action"))
        moved = len(_moved(note.before, days))
        values = (
            "books.run", f"{note.role}:{note.biz_date}", _summed(note.before),
            f"revision {note.revision} run {note.run} {_summed(days)} {written} sm3 {whole}",
            f"{note.revision} {moved} {found.counts['diff']} {found.counts['case']}", "", note.at_ms,
        )  # fmt: skip
        self._leave(values)

    def pruned(self, inputs: int, files: int, size: int, at_ms: int) -> None:
        """Leave a pruning's entry in the transaction under way: how many inputs it noted, how many files of how many
        bytes it removed."""
        became = f"DELETED {files} bytes {size} inputs {inputs}"
        self._leave(("books.prune", "deleted:replaced", "", became, f"{files} {size}", "", at_ms))

    def _leave(self, values: Sequence[object]) -> None:
        self.connection.execute(f"INSERT INTO trail_entry ({_ENTRY[4:]}) VALUES (?,?,?,?,?,?,?)", values)


def _line(cells: Sequence[object]) -> bytes:
    return ("\t".join(str(cell) for cell in cells) + "\n").encode()


def _states(days: Sequence[DayRow]) -> Mapping[str, str]:
    return {one.scope: one.state for one in days}


def _moved(before: Sequence[DayRow], after: Sequence[DayRow]) -> set[str]:
    old, new = _states(before), _states(after)
    return {scope for scope, state in new.items() if state != old.get(scope)}


def _summed(days: Sequence[DayRow]) -> str:
    """Return `*=OPEN INST AGREED=3 WAIT_INPUT=1`: the city's state, and how many institutions are in which."""
    states = _states(days)
    counts = Counter(state for scope, state in states.items() if scope != "*")
    own = " ".join(f"{state}={count}" for state, count in sorted(counts.items()))
    return f"*={states.get('*', '-')}" + (f" INST {own}" if own else "")
