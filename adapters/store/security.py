"""The store of the security room: one SQLite file beside the journal; what its rows mean is decided elsewhere.

Nodes and commands write it side by side, each change in a transaction of its own together with its row of the trail:
a change that leaves no row does not happen. Whatever SQLite refuses is a TrailFailed.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
import msgspec

from adapters.store.sqlite_words import sqlite_words
from gateway.core.approval import OPEN, Approval, Case, TrailFailed
from gateway.core.trail import GENESIS, Checkpoint, HandOver, Row

ATTEMPTS_MAX = 10_000
_DAY_MS = 86_400_000
_ROW = "id, at_ms, who, roles, source, request, action, subject, before, after, reason, approval, result"
_CASE = (
    "id, kind, subject, content_sm3, maker, proposed_ms, state, checker, decided_ms, used_ms, maker_session, "
    "maker_certificate, checker_session, checker_certificate, caused_by, reconcilers"
)
_CHECKPOINT = "entries, chain, at_ms, public, signature"
_HANDED = ("entries", "old", "new", "at_ms", "approval", "by_old", "by_new")


@attrs.frozen
class StoredCase:
    """A proposal with what is sealed of it and its keyed digest."""

    case: Case
    content: bytes
    reason: bytes
    mac: str


@attrs.frozen(kw_only=True)
class AuditFilter:
    """Which rows of the trail are wanted; '' and 0 = all. action: with all below it (`login` has `login.refused`)."""

    who: str = ""
    action: str = ""
    subject: str = ""
    since_ms: int = 0


def facts(case: Case) -> tuple[object, ...]:
    """Return a case as the columns hold it."""
    one = case.approval
    return (
        one.id, one.kind, one.subject, one.content_sm3, one.maker, one.proposed_ms, one.state, one.checker,
        one.decided_ms, case.used_ms, case.maker_session, case.maker_certificate, case.checker_session,
        case.checker_certificate, _names(case.caused_by), _names(case.reconcilers),
    )  # fmt: skip


def _names(names: tuple[str, ...]) -> str:
    return msgspec.json.encode(names).decode()


@attrs.define(eq=False)
class SecurityStore:
    """One connection. Only constants are put together; every value is a parameter."""

    path: Path
    connection: sqlite3.Connection

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what is done inside, durable when this ends, or take it back when that raises. Raises TrailFailed."""
        try:
            self.connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as cause:
            raise self._failed(cause) from cause
        try:
            yield
            self.connection.execute("COMMIT")
        except BaseException as cause:
            if self.connection.in_transaction:  # a full disk rolls back by itself
                self.connection.execute("ROLLBACK")
            if isinstance(cause, sqlite3.Error):
                raise self._failed(cause) from cause
            raise

    def _failed(self, cause: sqlite3.Error) -> TrailFailed:
        return TrailFailed(f"审计记录无法写入，操作未执行：{self.path}（{sqlite_words(cause)}）")

    @property
    def id(self) -> str:
        """What tells this store from every other."""
        return str(self.connection.execute("SELECT id FROM store").fetchone()[0])

    # People

    def any_sealed(self) -> bool:
        """Say whether anything is sealed at all: then a new key would be the wrong one."""
        return self.connection.execute("SELECT 1 FROM audit LIMIT 1").fetchone() is not None

    def account(self, name: str) -> bytes | None:
        """Return a sealed account."""
        row = self.connection.execute("SELECT sealed FROM account WHERE name = ?", (name,)).fetchone()
        return None if row is None else bytes(row[0])

    def accounts(self) -> list[tuple[str, bytes]]:
        """Return (name, sealed account) of everybody, by name."""
        return list(self.connection.execute("SELECT name, sealed FROM account ORDER BY name"))

    def put_account(self, name: str, sealed: bytes) -> None:
        """Put a sealed account in place."""
        self.connection.execute("INSERT OR REPLACE INTO account VALUES (?, ?)", (name, sealed))

    def attempts(self, name: str) -> tuple[int, int, int]:
        """Return (failures, when the last was, locked until) under the digest of a name; times in ms."""
        query = "SELECT failures, failed_ms, locked_until_ms FROM attempt WHERE name = ?"
        row = self.connection.execute(query, (name,)).fetchone()
        return (0, 0, 0) if row is None else (int(row[0]), int(row[1]), int(row[2]))

    def put_attempts(self, name: str, failures: int, failed_ms: int, locked_until_ms: int) -> None:
        """Note failures; what is a day old goes, and never more than ATTEMPTS_MAX names are kept."""
        self.connection.execute(
            "INSERT OR REPLACE INTO attempt VALUES (?, ?, ?, ?)",
            (name, failures, failed_ms, locked_until_ms),
        )
        self.connection.execute("DELETE FROM attempt WHERE failed_ms < ?", (failed_ms - _DAY_MS,))
        oldest = "SELECT name FROM attempt ORDER BY failed_ms DESC, name LIMIT -1 OFFSET ?"
        self.connection.execute(f"DELETE FROM attempt WHERE name IN ({oldest})", (ATTEMPTS_MAX,))

    def forget_attempts(self, name: str) -> None:
        """Forget the failures under a name."""
        self.connection.execute("DELETE FROM attempt WHERE name = ?", (name,))

    def put_use(self, name: str, role: str, at_ms: int) -> None:
        """Note when somebody acted by a role."""
        self.connection.execute("INSERT OR REPLACE INTO role_use VALUES (?, ?, ?)", (name, role, at_ms))

    def uses(self) -> dict[tuple[str, str], int]:
        """Return (name, role) -> when somebody last acted by a role."""
        return {(row[0], row[1]): row[2] for row in self.connection.execute("SELECT name, role, at_ms FROM role_use")}

    def acts(self, since_ms: int) -> dict[str, int]:
        """Return name -> how many rows of the trail are of that person's deeds since then, refusals left out."""
        query = "SELECT who, count(*) FROM audit WHERE at_ms >= ? AND result = 'ok' GROUP BY who"
        return dict(self.connection.execute(query, (since_ms,)))

    # Proposals

    def next_case(self) -> int:
        """Return the number of the next proposal; within the transaction that adds it."""
        return int(self.connection.execute("SELECT coalesce(max(id), 0) + 1 FROM approval").fetchone()[0])

    def add_case(self, one: StoredCase) -> None:
        """Add a proposal."""
        marks = ",".join("?" * 19)
        self.connection.execute(
            f"INSERT INTO approval ({_CASE}, content, reason, mac) VALUES ({marks})",
            (*facts(one.case), one.content, one.reason, one.mac),
        )

    def put_case(self, case: Case, mac: str) -> None:
        """Note what became of a proposal."""
        one = case.approval
        self.connection.execute(
            "UPDATE approval SET state=?, checker=?, decided_ms=?, used_ms=?, checker_session=?, "
            "checker_certificate=?, mac=? WHERE id=?",
            (
                one.state, one.checker, one.decided_ms, case.used_ms, case.checker_session, case.checker_certificate,
                mac, one.id,
            ),
        )  # fmt: skip

    def case(self, number: int) -> StoredCase | None:
        """Return one proposal."""
        found = self._cases("WHERE id = ?", number)
        return found[0] if found else None

    def cases(self, kind: str = "", subject: str = "", states: tuple[str, ...] = OPEN) -> list[StoredCase]:
        """Return proposals in some states, oldest first. kind: with all below it."""
        marks = ",".join("?" * len(states))
        where = f"WHERE state IN ({marks}) AND (? = '' OR kind = ? OR kind GLOB ?) AND (? = '' OR subject = ?)"
        return self._cases(where, *states, kind, kind, f"{kind}.*", subject, subject)

    def every_case(self) -> Iterator[StoredCase]:
        """Yield all proposals, one after the other."""
        query = f"SELECT {_CASE}, content, reason, mac FROM approval ORDER BY id"
        return (_case_of(row) for row in self.connection.execute(query))

    def _cases(self, where: str, *values: object) -> list[StoredCase]:
        query = f"SELECT {_CASE}, content, reason, mac FROM approval {where} ORDER BY id"
        return [_case_of(row) for row in self.connection.execute(query, values)]

    # The trail

    def head(self) -> tuple[int, bytes]:
        """Return (number of entries, chain)."""
        row = self.connection.execute("SELECT id, chain FROM audit ORDER BY id DESC LIMIT 1").fetchone()
        return (0, GENESIS) if row is None else (int(row[0]), bytes(row[1]))

    def chain(self, number: int) -> bytes:
        """Return the chain of one entry; empty when there is none such."""
        row = self.connection.execute("SELECT chain FROM audit WHERE id = ?", (number,)).fetchone()
        return b"" if row is None else bytes(row[0])

    def append(self, row: Row, chain: bytes) -> None:
        """Add a row at the end of the trail."""
        marks = ",".join("?" * 14)
        self.connection.execute(f"INSERT INTO audit VALUES ({marks})", (*attrs.astuple(row), chain))

    def rows(self, after: int = 0) -> Iterator[tuple[Row, bytes]]:
        """Yield (row, chain) in order, from behind a number on."""
        query = f"SELECT {_ROW}, chain FROM audit WHERE id > ? ORDER BY id"
        try:
            for values in self.connection.execute(query, (after,)):
                yield _row_of(values[:-1]), values[-1]
        except sqlite3.Error as cause:  # a damaged page: whoever reads counts, and knows after which row
            raise TrailFailed(f"审计记录读不出：{self.path}（{sqlite_words(cause)}）") from cause

    def found(self, wanted: AuditFilter, limit: int) -> list[Row]:
        """Return the newest rows that are wanted, oldest first."""
        query = (
            f"SELECT {_ROW} FROM audit WHERE at_ms >= ? AND (? = '' OR who = ?) AND (? = '' OR subject = ?) "
            "AND (? = '' OR action = ? OR action GLOB ?) ORDER BY id DESC LIMIT ?"
        )
        who, action, subject = wanted.who, wanted.action, wanted.subject
        values = (wanted.since_ms, who, who, subject, subject, action, action, f"{action}.*", limit)
        return [_row_of(row) for row in self.connection.execute(query, values)][::-1]

    def last_after(self, subject: str) -> str:
        """Return the state the trail says a subject is in; '' when it says none."""
        query = "SELECT after FROM audit WHERE subject = ? AND after <> '' ORDER BY id DESC LIMIT 1"
        row = self.connection.execute(query, (subject,)).fetchone()
        return "" if row is None else str(row[0])

    def told_of(self, subject: str, action: str) -> list[tuple[str, str, str]]:
        """Return (who, before, after) of what the trail tells of a subject by one action, oldest first."""
        query = "SELECT who, before, after FROM audit WHERE subject = ? AND after <> '' AND action = ? ORDER BY id"
        return list(self.connection.execute(query, (subject, action)))

    def told(self, subject: str, approval: int = 0) -> list[Row]:
        """Return the rows that tell of a new state of a subject, oldest first; approval: only those by it."""
        query = f"SELECT {_ROW} FROM audit WHERE subject = ? AND after <> '' AND (? = 0 OR approval = ?) ORDER BY id"
        return [_row_of(row) for row in self.connection.execute(query, (subject, approval, approval))]

    def of_action(self, action: str) -> list[Row]:
        """Return every row of an action that tells of a new state, oldest first."""
        query = f"SELECT {_ROW} FROM audit WHERE action = ? AND after <> '' AND result = 'ok' ORDER BY id"
        return [_row_of(row) for row in self.connection.execute(query, (action,))]

    def carried_out(self, subject: str, approval: int) -> bool:
        """Say whether the trail tells of a new state of a subject by this approval."""
        query = "SELECT 1 FROM audit WHERE subject = ? AND after <> '' AND approval = ? AND result = 'ok' LIMIT 1"
        return self.connection.execute(query, (subject, approval)).fetchone() is not None

    def afters(self, prefix: str) -> dict[str, str]:
        """Return subject -> the state the trail says it is in, for all with a prefix."""
        query = (
            "SELECT subject, after FROM audit WHERE id IN "
            "(SELECT max(id) FROM audit WHERE after <> '' AND subject GLOB ? GROUP BY subject)"
        )
        return dict(self.connection.execute(query, (f"{prefix}*",)))

    def triggers(self) -> set[str]:
        """Return the names of the triggers there are."""
        return {row[0] for row in self.connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")}

    def damages(self) -> list[str]:
        """Return what SQLite finds wrong with the file, indexes included, in its own words; at most ten."""
        try:
            found = [str(row[0]) for row in self.connection.execute("PRAGMA integrity_check(10)")]
        except sqlite3.Error as cause:
            return [sqlite_words(cause)]
        return [] if found == ["ok"] else found

    def checkpoints(self, newest: int = -1) -> list[Checkpoint]:
        """Return the signed checkpoints, oldest first; newest: only so many."""
        query = f"SELECT {_CHECKPOINT} FROM checkpoint ORDER BY entries DESC LIMIT ?"
        store = self.id
        return [
            Checkpoint(store=store, entries=row[0], chain=row[1], at_ms=row[2], public=row[3], signature=row[4])
            for row in self.connection.execute(query, (newest,))
        ][::-1]

    def add_checkpoint(self, one: Checkpoint) -> None:
        """Keep a signed checkpoint."""
        values = (one.entries, one.chain, one.at_ms, one.public, one.signature)
        self.connection.execute(f"INSERT INTO checkpoint ({_CHECKPOINT}) VALUES (?,?,?,?,?)", values)

    def hand_overs(self) -> list[HandOver]:
        """Return every change of the signing key, oldest first."""
        store = self.id
        return [
            HandOver(store=store, **dict(zip(_HANDED, row, strict=True)))
            for row in self.connection.execute(f"SELECT {', '.join(_HANDED)} FROM signing_key ORDER BY entries")
        ]

    def add_hand_over(self, one: HandOver) -> None:
        """Keep a change of the signing key."""
        marks = ",".join("?" * len(_HANDED))
        values = [getattr(one, name) for name in _HANDED]
        self.connection.execute(f"INSERT INTO signing_key ({', '.join(_HANDED)}) VALUES ({marks})", values)


def _case_of(row: tuple[object, ...]) -> StoredCase:
    names = [field.strip() for field in _CASE.split(",")]
    plain = dict(zip(names, row, strict=False))
    caused_by, reconcilers = (
        msgspec.json.decode(str(plain[name]), type=tuple[str, ...]) for name in ("caused_by", "reconcilers")
    )
    own = {name: plain[name] for name in attrs.fields_dict(Approval) if name in plain}
    more = {name: plain[name] for name in attrs.fields_dict(Case) if name in plain}
    more |= {"caused_by": caused_by, "reconcilers": reconcilers}
    content, reason, mac = row[len(names) :]
    approval = Approval(**own, reason="")  # type: ignore[arg-type]  # typed by STRICT tables
    case = Case(approval=approval, **more)  # type: ignore[arg-type]
    return StoredCase(case, content, reason, mac)  # type: ignore[arg-type]


def _row_of(values: Iterable[object]) -> Row:
    return Row(**dict(zip(attrs.fields_dict(Row), values, strict=True)))  # type: ignore[arg-type]
