"""The journal in SQLite: WAL, synchronous=FULL, one connection used by one writer thread, prepared statements.

One `commit` is one transaction. Answers are sealed before they rest (annex X34); events are chained with SM3.
"""

import errno
import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path

import attrs

from adapters.crypto.digest import sm3
from adapters.crypto.vault import Vault, VaultError
from gateway.core.checks import Evidence
from gateway.core.model import (
    FAILED,
    Accept,
    Accepted,
    AcceptResult,
    Advance,
    Duplicate,
    Entry,
    Keep,
    Known,
    Op,
    OpResult,
    Recall,
    StoreBroken,
    StoreFull,
)

SOFT_WINDOW_MS = 600_000  # reversal specification §8: a possible duplicate within 10 minutes
COLUMNS = (
    "id, fixmedins_code, msgid, infno, klass, link, state, digest, business_key, soft_key, lane, psn_no, mdtrt_id, "
    "setl_id, omsgid, insuplc_admdvs, medfee_fen, created_ms, delivered, cancelled, settled"
)
_STORED = (
    "id, fixmedins_code, msgid, infno, klass, link, state, digest, business_key, soft_key, lane, psn_no, mdtrt_id, "
    "omsgid, insuplc_admdvs, medfee_fen, created_ms, changed_ms"
)
_INSERT = f"INSERT OR IGNORE INTO journal ({_STORED}) VALUES ({','.join('?' * 18)})"  # noqa: S608
_SELECT = f"SELECT {COLUMNS} FROM journal_row"  # noqa: S608
_BY_MSGID = f"SELECT sealed, {COLUMNS} FROM journal_row WHERE fixmedins_code = ? AND msgid = ?"  # noqa: S608
_BY_BUSINESS = f"{_SELECT} WHERE business_key = ? AND business_key <> '' AND live = 1"
_BY_SOFT = f"{_SELECT} WHERE soft_key = ? AND soft_key <> '' AND created_ms > ? AND live = 1 LIMIT 1"
_EVENT = "INSERT INTO journal_event VALUES (?,?,?,?,?,?)"
_EVIDENCE = "INSERT OR IGNORE INTO evidence VALUES (?,?,?,?,?,?,?,?)"
# What is said later adds to what was said before; delivered is never taken back.
_OUTCOME = (
    "INSERT INTO outcome VALUES (?,?,?,?,?,?) ON CONFLICT (journal_id) DO UPDATE SET "
    "setl_id = CASE WHEN excluded.setl_id = '' THEN setl_id ELSE excluded.setl_id END, "
    "mdtrt_id = CASE WHEN excluded.mdtrt_id = '' THEN mdtrt_id ELSE excluded.mdtrt_id END, "
    "settled = CASE WHEN excluded.settled = '' THEN settled ELSE excluded.settled END, "
    "delivered = max(delivered, excluded.delivered), sealed = coalesce(excluded.sealed, sealed)"
)
_HEAD = "UPDATE chain_head SET number = ?, chain = ?"
_ADVANCE = "UPDATE journal SET state = ?, changed_ms = ? WHERE id = ? AND state = ?"
# What failed gives its business key back. The success path leaves `live`, and so the index, alone.
_ADVANCE_FAILED = "UPDATE journal SET state = ?, changed_ms = ?, live = 0 WHERE id = ? AND state = ?"
_CANCEL = (
    "UPDATE journal SET cancelled = 1, live = 0 WHERE id IN (SELECT journal_id FROM outcome WHERE setl_id = ? AND "
    "setl_id <> '') AND fixmedins_code = ? AND klass IN ('M', 'A') AND id <> ?"
)
# By the range of its business key, so that the index of live keys finds it.
_CANCEL_ADMISSION = (
    "UPDATE journal SET cancelled = 1, live = 0 WHERE business_key > ? AND business_key < ? AND business_key <> '' "
    "AND live = 1 AND id IN (SELECT id FROM journal_row WHERE business_key > ? AND business_key < ? AND mdtrt_id = ?)"
)


class StoreLocked(Exception):
    """Another live node works on this store (annex X27). The operator's fault; exit 2."""


def entry_of(row: tuple[object, ...]) -> Entry:
    """Return the Entry of a row selected by COLUMNS."""
    names = COLUMNS.split(", ")
    fields = dict(zip(names, row, strict=True))
    fields["delivered"], fields["cancelled"] = bool(fields["delivered"]), bool(fields["cancelled"])
    return Entry(**fields)  # type: ignore[arg-type]  # the columns are the fields, in the table's types


def migrate(connection: sqlite3.Connection, scripts: Iterable[tuple[str, bytes]]) -> None:
    """Bring a database to the newest version; every script is one step, counted by user_version."""
    done = connection.execute("PRAGMA user_version").fetchone()[0]
    for number, (_, script) in enumerate(scripts, start=1):
        if number > done:
            connection.executescript(f"BEGIN IMMEDIATE; {script.decode()}; PRAGMA user_version = {number}; COMMIT;")


def bound_to(fixmedins_code: str, msgid: str) -> bytes:
    """Return what a sealed answer is tied to, so that it cannot be moved to another row."""
    return f"{fixmedins_code}|{msgid}".encode()


def event_chain(before: bytes, journal_id: int, at_ms: int, state: str, reason: str) -> bytes:
    """Return the chain value of an event row."""
    return sm3(before + f"|{journal_id}|{at_ms}|{state}|{reason}".encode())


@attrs.define(eq=False)
class SqliteJournal:
    """The store port on one SQLite file. Not for several threads: the writer thread owns it after `open`."""

    path: Path
    connection: sqlite3.Connection
    vault: Vault
    lock: int
    number: int
    chain: bytes
    last_id: int

    @classmethod
    def open(cls, path: Path, vault: Vault, scripts: Iterable[tuple[str, bytes]]) -> "SqliteJournal":
        """Open or make the journal, take its lock, migrate it. Raises StoreLocked, StoreBroken."""
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as cause:
            os.close(lock)
            if cause.errno in (errno.EWOULDBLOCK, errno.EACCES):
                raise StoreLocked(str(path)) from cause
            raise
        try:
            connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=64)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA busy_timeout = 5000")
            connection.execute("PRAGMA wal_autocheckpoint = 0")
            connection.execute("PRAGMA cache_size = -65536")
            migrate(connection, scripts)
            number, chain = connection.execute("SELECT number, chain FROM chain_head").fetchone()
            last = connection.execute("SELECT coalesce(max(id), 0) FROM journal").fetchone()[0]
        except sqlite3.Error as cause:
            os.close(lock)
            raise StoreBroken(f"{path}: {type(cause).__name__} {getattr(cause, 'sqlite_errorname', '')}") from cause
        return cls(path, connection, vault, lock, number, chain, last)

    def close(self) -> None:
        """Checkpoint, close and let go of the lock."""
        self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.connection.close()
        os.close(self.lock)

    def open_entries(self) -> list[Entry]:
        """Return every row that is not at its end, oldest first."""
        where = "state IN ('JOURNALED', 'SENT', 'IN_DOUBT', 'REVERSING', 'MANUAL')"
        return [entry_of(row) for row in self.connection.execute(f"{_SELECT} WHERE {where} ORDER BY id")]

    def commit(self, ops: list[Op]) -> list[OpResult]:
        """Do one batch in one durable transaction. Only look-ups cost no transaction."""
        number, chain = self.number, self.chain
        writes = not ops or any(type(op) is not Recall for op in ops)
        try:
            if writes:
                self.connection.execute("BEGIN IMMEDIATE")
            batch = _Batch(self)
            results = [batch.do(op) for op in ops]
            batch.flush()
            if writes:
                self.connection.execute(_HEAD, (self.number, self.chain))
                self.connection.execute("COMMIT")
        except sqlite3.Error as cause:
            self.number, self.chain = number, chain
            raise self._rolled_back(cause) from cause
        return results

    def _rolled_back(self, cause: sqlite3.Error) -> Exception:
        code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
        try:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
        except sqlite3.Error as again:
            return StoreBroken(f"{type(again).__name__} {getattr(again, 'sqlite_errorname', '')}")
        if code == sqlite3.SQLITE_FULL:
            return StoreFull()
        return StoreBroken(f"{type(cause).__name__} {getattr(cause, 'sqlite_errorname', '')}")


@attrs.define(eq=False)
class _Batch:
    """One transaction's work; rows of the append-only tables are gathered and written together."""

    journal: SqliteJournal
    events: list[tuple[int, int, int, str, str, bytes]] = attrs.Factory(list)
    evidence: list[tuple[int, int, str, str, str, str, str, str]] = attrs.Factory(list)
    outcomes: list[tuple[int, str, str, str, int, bytes | None]] = attrs.Factory(list)

    def do(self, op: Op) -> OpResult:
        if type(op) is Accept:
            return self.accept(op)
        if type(op) is Advance:
            return self.advance(op)
        if type(op) is Keep:
            self.keep(op)
            return True
        assert type(op) is Recall
        return self.recall(op.fixmedins_code, op.msgid)

    def accept(self, op: Accept) -> AcceptResult:
        entry = op.entry
        execute = self.journal.connection.execute
        if entry.soft_key:
            soft = execute(_BY_SOFT, (entry.soft_key, entry.created_ms - SOFT_WINDOW_MS)).fetchone()
            if soft is not None and soft[2] != entry.msgid:
                # A late repeat of a known msgid is that msgid first (X7), whatever was sold since.
                return self.recall(entry.fixmedins_code, entry.msgid) or Duplicate(entry_of(soft), soft=True)
        if not self._insert(entry):
            known = self.recall(entry.fixmedins_code, entry.msgid)
            if known is not None:
                return known
            return Duplicate(entry_of(execute(_BY_BUSINESS, (entry.business_key,)).fetchone()))
        if entry.state == "SENT":
            self.event(entry, entry.created_ms, "JOURNALED", op.reason)
        self.event(entry, entry.created_ms, entry.state, "sent" if entry.state == "SENT" else op.reason)
        self._prove(entry, op.evidence)
        return Accepted()

    def advance(self, op: Advance) -> bool:
        entry = op.entry
        statement = _ADVANCE_FAILED if op.to in FAILED else _ADVANCE
        if self.journal.connection.execute(statement, (op.to, op.at_ms, entry.id, op.was)).rowcount != 1:
            return False
        self.event(entry, op.at_ms, op.to, op.reason)
        if op.answer is not None or op.delivered or op.setl_id or op.mdtrt_id:
            sealed = self._sealed(entry, op.answer) if op.answer is not None else None
            self.outcomes.append((entry.id, op.setl_id, op.mdtrt_id, op.settled, int(op.delivered), sealed))
        if op.cancels:
            self.flush()  # the settlement it undoes may have been written in this very batch
            self.journal.connection.execute(_CANCEL, (op.cancels, entry.fixmedins_code, entry.id))
        return True

    def keep(self, op: Keep) -> None:
        if self._insert(op.entry):
            self.event(op.entry, op.entry.created_ms, op.entry.state, "done")
            self._prove(op.entry, op.evidence)
            self.outcomes.append((op.entry.id, "", "", "", 1, self._sealed(op.entry, op.answer)))
        if op.cancels:
            self.flush()
            prefix = f"2401|{op.entry.fixmedins_code}|{op.psn_no}|"
            last = prefix + "\U0010ffff"
            values = (prefix, last, prefix, last, op.cancels)
            self.journal.connection.execute(_CANCEL_ADMISSION, values)

    def recall(self, fixmedins_code: str, msgid: str) -> Known | None:
        self.flush()  # an answer written in this very batch must be found
        row = self.journal.connection.execute(_BY_MSGID, (fixmedins_code, msgid)).fetchone()
        if row is None:
            return None
        sealed, entry = row[0], entry_of(row[1:])
        if sealed is None:
            return Known(entry, None)
        try:
            return Known(entry, self.journal.vault.open(sealed, bound_to(fixmedins_code, msgid)))
        except VaultError:
            # One answer that cannot be opened must not stop the node; the clerk raises the alarm.
            return Known(entry, None)

    def _insert(self, e: Entry) -> bool:
        values = (
            e.id, e.fixmedins_code, e.msgid, e.infno, e.klass, e.link, e.state, e.digest, e.business_key, e.soft_key,
            e.lane, e.psn_no, e.mdtrt_id, e.omsgid, e.insuplc_admdvs, e.medfee_fen, e.created_ms, e.created_ms,
        )  # fmt: skip
        return self.journal.connection.execute(_INSERT, values).rowcount == 1

    def event(self, entry: Entry, at_ms: int, state: str, reason: str) -> None:
        journal = self.journal
        journal.number += 1
        journal.chain = event_chain(journal.chain, entry.id, at_ms, state, reason)
        self.events.append((entry.id, journal.number, at_ms, state, reason, journal.chain))

    def _prove(self, entry: Entry, evidence: tuple[Evidence, ...]) -> None:
        for n, row in enumerate(evidence):
            self.evidence.append((entry.id, n, *row))

    def _sealed(self, entry: Entry, answer: bytes) -> bytes:
        return self.journal.vault.seal(answer, bound_to(entry.fixmedins_code, entry.msgid))

    def flush(self) -> None:
        executemany: Callable[..., object] = self.journal.connection.executemany
        if self.events:
            executemany(_EVENT, self.events)
        if self.evidence:
            executemany(_EVIDENCE, self.evidence)
        if self.outcomes:
            executemany(_OUTCOME, self.outcomes)
        self.events, self.evidence, self.outcomes = [], [], []
