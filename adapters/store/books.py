"""The store of the books: one SQLite file beside the journal; what was handed in, runs, differences, days.

Written by commands and by the node's workers, in transactions of at most 2,000 rows (annex X35). A run comes into force
by its last row; what one that died wrote is written again by the next, under the same revision. One run at a time, by a
lock on a file of its own that the system lets go of on death. Not for several threads.
"""

import fcntl
import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import attrs

from adapters.store.books_diffs import DIFF, diff_of, write_diff
from adapters.store.books_opening import Opening, open_case
from adapters.store.sqlite_journal import NewerStore, migrate
from adapters.store.transaction import transaction
from gateway.core.booked import VANISHED, DayRow, DiffRow

ROWS_MAX = 2_000
EVERYWHERE = "*"
EARLY = "early"  # begins the source of what was asked for before the day was over
LIVE = ("OPEN", "WAIT", "CARRIED")  # what still concerns somebody
_INPUT = "id, ledger, scope, biz_date, source, sm3, rows, complete, sums, path, who, at_ms"
_NEWEST = (  # the newest of each ledger and scope
    f"SELECT {_INPUT} FROM input WHERE id IN "  # noqa: S608
    "(SELECT max(id) FROM input WHERE biz_date = ? GROUP BY ledger, scope) ORDER BY ledger, scope"
)

BooksError = sqlite3.Error  # what reading and writing a store raise


class OtherBooks(Exception):
    """The store was made by a later version of the program. str: Chinese."""


@attrs.frozen(kw_only=True)
class Input:
    """What a party handed in, or what was derived for it. scope: fixmedins_code or `*`; sums: fen by component; path:
    below the data directory."""

    id: int = 0
    ledger: str
    scope: str
    biz_date: str
    source: str
    sm3: str
    rows: int
    complete: bool
    sums: Mapping[str, int]
    path: str
    who: str
    at_ms: int

    @property
    def early(self) -> bool:
        """Whether a party told it while the day went on."""
        return self.source.startswith(EARLY)


@attrs.frozen(kw_only=True)
class Run:
    run_id: str
    role: str
    biz_date: str
    revision: int
    at_ms: int
    agreed: bool
    keys: int
    summary: Mapping[str, object]


@attrs.frozen(kw_only=True)
class Planned:
    """What goes with an open difference: an action towards `party`, or where kind is '' a case of `mode`.

    action_ids: of each attempt it may have; seen_ms: when the other side was looked at, so that an attempt is called
    in vain only by who looked after it; vain_ms: feedback before it was in vain, 0 = the party still has time;
    until_ms: when a case escalates.
    """

    kind: str = ""
    party: str = ""
    action_ids: tuple[str, ...] = ()
    content: str = "{}"
    seen_ms: int = 0
    vain_ms: int = 0
    mode: str = "TWO"
    until_ms: int = 0


@attrs.define(eq=False)
class BooksStore:
    """A books store, opened."""

    connection: sqlite3.Connection

    @classmethod
    def open(cls, path: Path, scripts: Sequence[tuple[str, bytes]]) -> "BooksStore":
        """Open the store, made or migrated first when need be. Raises OtherBooks, OSError, sqlite3.Error."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with ExitStack() as opened:
            with suppress(FileExistsError):
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            opened.callback(connection.close)
            for setting in ("busy_timeout = 10000", "synchronous = FULL", "foreign_keys = ON"):
                connection.execute(f"PRAGMA {setting}")
            # Two that make it at once: who changes to WAL beside another is told at once that it is locked.
            with locked(path.with_name(f"{path.name}.lock")):
                connection.execute("PRAGMA journal_mode = WAL")
                try:
                    migrate(connection, scripts)
                except NewerStore as cause:
                    raise OtherBooks(f"对账库{cause}") from cause
            opened.pop_all()
        return cls(connection)

    def close(self) -> None:
        self.connection.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        with transaction(self.connection):
            yield self.connection

    # --- what was handed in ---

    def add_input(self, one: Input, closes_ms: int = 0) -> int:
        """Note an input; what is there already with the same content and word of completeness keeps its number, unless
        the day was over (closes_ms) for the one and not for the other: then it says more."""
        sums = json.dumps(dict(sorted(one.sums.items())))
        with self.transaction():
            known = next((old for old in self.inputs(one.biz_date) if _same(old, one, closes_ms)), None)
            if known is not None:
                return known.id
            values = (
                one.ledger, one.scope, one.biz_date, one.source, one.sm3, one.rows, int(one.complete), sums, one.path,
                one.who, one.at_ms,
            )  # fmt: skip
            marks = ",".join("?" * len(values))
            statement = f"INSERT INTO input ({_INPUT[4:]}) VALUES ({marks})"  # noqa: S608
            return int(self.connection.execute(statement, values).lastrowid or 0)

    def inputs(self, biz_date: str) -> list[Input]:
        """Return the newest input of every ledger and scope."""
        return [_input(row) for row in self.connection.execute(_NEWEST, (biz_date,))]

    def handed_in(self, who: str, since_ms: int, most: int) -> list[str]:
        """Return the paths of what somebody handed in since a moment."""
        query = "SELECT path FROM input WHERE who = ? AND at_ms >= ? LIMIT ?"
        return [str(row[0]) for row in self.connection.execute(query, (who, since_ms, most))]

    def see_groups(self, groups: Iterable[tuple[str, str, str, str]], biz_date: str) -> None:
        """Remember (institution, clr_optins, clr_type, insutype) that had rows on a date."""
        with self.transaction():
            self.connection.executemany(
                "INSERT INTO seen_group VALUES (?,?,?,?,?) ON CONFLICT DO UPDATE SET "
                "last_date = max(last_date, excluded.last_date)",
                [(*group, biz_date) for group in groups],
            )

    def groups(self, since: str) -> list[tuple[str, str, str, str]]:
        """Return every group with rows since a date."""
        query = (
            "SELECT institution, clr_optins, clr_type, insutype FROM seen_group WHERE last_date >= ? ORDER BY 1,2,3,4"
        )
        found = self.connection.execute(query, (since,))
        return [(str(one), str(two), str(three), str(four)) for one, two, three, four in found]

    # --- runs ---

    def last_run(self, role: str, biz_date: str) -> Run | None:
        row = self.connection.execute(
            "SELECT run_id, role, biz_date, revision, at_ms, agreed, keys, summary FROM recon_run "
            "WHERE role = ? AND biz_date = ? ORDER BY revision DESC LIMIT 1",
            (role, biz_date),
        ).fetchone()
        if row is None:
            return None
        run_id, role, biz_date, revision, at_ms, agreed, keys, summary = row
        return Run(
            run_id=run_id, role=role, biz_date=biz_date, revision=revision, at_ms=at_ms, agreed=bool(agreed),
            keys=keys, summary=json.loads(summary),
        )  # fmt: skip

    def is_run(self, run_id: str) -> bool:
        return self.connection.execute("SELECT 1 FROM recon_run WHERE run_id = ?", (run_id,)).fetchone() is not None

    def run_inputs(self, run_id: str) -> set[int]:
        found = self.connection.execute("SELECT input FROM run_input WHERE run_id = ?", (run_id,))
        return {int(row[0]) for row in found}

    def write_lines(self, lines: Iterable[tuple[DiffRow, Sequence[Planned]]], at_ms: int) -> None:
        """Write the lines of a run that is not in force yet, each with what is planned because of it, together."""
        batch: list[tuple[DiffRow, Sequence[Planned]]] = []
        for line in lines:
            batch.append(line)
            if len(batch) >= ROWS_MAX // 4:
                self._write(batch, at_ms)
                batch = []
        self._write(batch, at_ms)

    def _write(self, batch: list[tuple[DiffRow, Sequence[Planned]]], at_ms: int) -> None:
        with self.transaction() as connection:
            for diff, planned in batch:
                changed = write_diff(connection, diff)
                if all(one.kind != "REVERSE" for one in planned):  # its guards hold no more; people's stays
                    self._fail_planned(diff.diff_id, at_ms, " AND kind = 'REVERSE' AND approval = 0")
                for one in planned:
                    self._plan(diff, one, at_ms, changed)

    def _plan(self, diff: DiffRow, one: Planned, at_ms: int, changed: bool) -> None:
        state = self.connection.execute("SELECT state FROM diff WHERE diff_id = ?", (diff.diff_id,)).fetchone()[0]
        if state != "OPEN" and not (state == "WAIT" and not one.kind):  # what waits too long is people's, too
            return
        before = self.connection.execute(
            "SELECT attempt, state, changed_ms, receipt FROM action WHERE diff_id = ? AND kind = ? "
            "ORDER BY attempt DESC LIMIT 1",
            (diff.diff_id, one.kind),
        ).fetchone()
        if before is not None and before[3] == VANISHED:  # it was planned, never sent, and is back
            self.connection.execute(
                "UPDATE action SET state = 'PLANNED', receipt = '', changed_ms = ? WHERE diff_id = ? AND kind = ? "
                "AND attempt = ? AND state = 'FAILED'",
                (at_ms, diff.diff_id, one.kind, before[0]),
            )
            return
        attempt, in_vain = 1, False
        if one.kind and before is not None:
            attempt, in_vain = before[0] + 1, _in_vain(one, before[1], before[2], at_ms)
            if not in_vain:
                return  # under way, or nobody has looked since
        if one.kind and attempt <= len(one.action_ids):
            self.connection.execute(
                "INSERT INTO action (action_id, diff_id, kind, attempt, party, state, content, created_ms, changed_ms) "
                "VALUES (?,?,?,?,?,'PLANNED',?,?,?) ON CONFLICT DO NOTHING",
                (one.action_ids[attempt - 1], diff.diff_id, one.kind, attempt, one.party, one.content, at_ms, at_ms),
            )
        elif not one.kind or in_vain:
            case = Opening(
                diff_id=diff.diff_id, mode=one.mode, at_ms=at_ms, until_ms=one.until_ms, changed=changed,
                seen_ms=one.seen_ms, vain_ms=one.vain_ms,
            )  # fmt: skip
            open_case(self.connection, case)

    def bring_into_force(
        self, run: Run, inputs: Sequence[int], days: Sequence[DayRow],
        noted: Callable[[], Callable[[], object]] = lambda: lambda: None, back: Iterable[tuple[str, str]] = (),
    ) -> None:  # fmt: skip
        """End a run: what it no longer found has vanished; then the last row. noted: called before that, its result
        within the transaction; back: (date, institution) of older files it looked into. Raises sqlite3.Error."""
        while self._vanish(run):
            pass
        told = noted()
        with self.transaction() as connection:
            values = (
                run.run_id, run.role, run.biz_date, run.revision, run.at_ms, int(run.agreed), run.keys,
                json.dumps(run.summary, ensure_ascii=False),
            )  # fmt: skip
            connection.execute("INSERT INTO recon_run VALUES (?,?,?,?,?,?,?,?)", values)
            connection.executemany("INSERT INTO run_input VALUES (?,?)", [(run.run_id, one) for one in inputs])
            connection.executemany("INSERT INTO run_back VALUES (?,?,?)", [(run.run_id, *one) for one in back])
            self._days(days)
            told()

    def _vanish(self, run: Run) -> int:
        """Close some differences this run did not find; return how many (a case without decision closes with its)."""
        with self.transaction() as connection:
            query = (
                "SELECT diff_id FROM diff WHERE role = ? AND biz_date = ? AND last_revision < ? "
                "AND state <> 'VANISHED' AND (role, scope, biz_date) NOT IN "
                "(SELECT role, scope, biz_date FROM recon_day WHERE state = 'FROZEN') LIMIT ?"
            )
            values = (run.role, run.biz_date, run.revision, ROWS_MAX // 4)
            gone = [row[0] for row in connection.execute(query, values)]
            vanish = "UPDATE diff SET state = 'VANISHED', changed_ms = ?, note = note || ? WHERE diff_id = ?"
            for diff_id in gone:
                connection.execute(vanish, (run.at_ms, f"; VANISHED {run.revision}", diff_id))
                connection.execute(
                    "UPDATE recon_case SET state = 'CLOSED', changed_ms = ? WHERE diff_id = ? AND state <> 'CLOSED'",
                    (run.at_ms, diff_id),
                )
                self._fail_planned(diff_id, run.at_ms)
            return len(gone)

    def _fail_planned(self, diff_id: str, at_ms: int, which: str = "") -> None:
        update = f"UPDATE action SET state = 'FAILED', receipt = ?, changed_ms = ? WHERE diff_id = ? AND state = 'PLANNED'{which}"  # noqa: E501, S608
        self.connection.execute(update, (VANISHED, at_ms, diff_id))

    def set_days(self, days: Sequence[DayRow], noted: Callable[[], object] = lambda: None) -> None:
        with self.transaction():
            self._days(days)
            noted()

    def _days(self, days: Sequence[DayRow]) -> None:
        """A frozen day is nobody's to move but the freezing's."""
        self.connection.executemany(
            "INSERT INTO recon_day (role, scope, biz_date, state, revision, changed_ms, note) VALUES (?,?,?,?,?,?,?) "
            "ON CONFLICT DO UPDATE SET state = excluded.state, revision = excluded.revision, "
            "changed_ms = excluded.changed_ms, note = excluded.note WHERE recon_day.state <> 'FROZEN'",
            [attrs.astuple(day) for day in days],
        )

    # --- looking ---

    def days(self, since: str, until: str, role: str = "") -> list[DayRow]:
        """Return the days of dates from since to until, both inclusive."""
        found = self.connection.execute(
            "SELECT role, scope, biz_date, state, revision, changed_ms, note FROM recon_day "
            "WHERE biz_date BETWEEN ? AND ? AND (role = ? OR ? = '') ORDER BY biz_date, role, scope",
            (since, until, role, role),
        )
        names = [one.name for one in attrs.fields(DayRow)]
        return [DayRow(**dict(zip(names, row, strict=True))) for row in found]

    def diffs(
        self, biz_date: str, role: str = "care", scope: str = "", states: Sequence[str] = LIVE, most: int = 100_000,
        after: str = "",
    ) -> list[DiffRow]:  # fmt: skip
        """Return differences of a date. scope '': of all; after: the diff_id they come after, of any state."""
        marks = ",".join("?" * len(states))
        order = "setl_id, msgid, leg, diff_id"
        beyond = f"AND ({order}) > (SELECT {order} FROM diff WHERE diff_id = ?)" if after else ""  # noqa: S608
        found = self.connection.execute(
            f"SELECT {DIFF} FROM diff WHERE role = ? AND biz_date = ? AND (scope = ? OR ? = '') "  # noqa: S608
            f"AND state IN ({marks}) {beyond} ORDER BY {order} LIMIT ?",
            (role, biz_date, scope, scope, *states, *([after] if after else []), most),
        )
        return [diff_of(row) for row in found]

    def is_diff(self, diff_id: str, biz_date: str, role: str, scope: str) -> bool:
        query = "SELECT 1 FROM diff WHERE diff_id = ? AND biz_date = ? AND role = ? AND scope = ?"
        return self.connection.execute(query, (diff_id, biz_date, role, scope)).fetchone() is not None

    def open_counts(self) -> dict[tuple[str, str], int]:
        """Return (leg, class) -> differences that are open, for the metric; of days that are over."""
        query = (
            "SELECT leg, class, count(*) FROM diff WHERE state = 'OPEN' AND agreed = 0 AND NOT EXISTS "
            "(SELECT 1 FROM recon_day WHERE recon_day.role = diff.role AND recon_day.biz_date = diff.biz_date "
            "AND recon_day.scope = diff.scope AND recon_day.state = 'COLLECTING') GROUP BY 1, 2"
        )
        return {(leg, name): count for leg, name, count in self.connection.execute(query)}


def _input(row: Sequence[object]) -> Input:
    values = dict(zip(_INPUT.split(", "), row, strict=True))
    values["complete"], values["sums"] = bool(values["complete"]), json.loads(str(values["sums"]))
    return Input(**values)  # type: ignore[arg-type]  # the columns are the fields, in the table's types


def _in_vain(one: Planned, state: str, changed_ms: int, at_ms: int) -> bool:
    """Say whether what was last done is known to have had no effect. Feedback nobody took by T+3 is no better."""
    ended = state in ("DONE", "FAILED")
    if one.kind == "FEEDBACK":
        return changed_ms < one.vain_ms and (ended or at_ms >= one.until_ms)
    return ended and changed_ms < one.seen_ms


def _same(old: Input, new: Input, closes_ms: int) -> bool:
    one, other = (
        (each.ledger, each.scope, each.sm3, each.complete, each.early, each.at_ms < closes_ms) for each in (old, new)
    )
    return one == other


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a run; waits for another to end."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
