"""The journal in SQLite: WAL, synchronous=FULL, one connection used by one writer thread, prepared statements.

One `commit` is one transaction. Answers are sealed before they rest (annex X34); events are chained with SM3.
"""

import errno
import fcntl
import os
import sqlite3
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from pathlib import Path

import attrs

from adapters.crypto.vault import Vault, VaultError
from adapters.store.mark import is_behind, write_mark
from adapters.store.sqlite_batch import HEAD, LIVE_SAF, Batch, NotTogether, bound_to, saf_of
from adapters.store.sqlite_kinds import SeenKinds
from adapters.store.sqlite_reads import SELECT, entry_of, overheard
from adapters.store.sqlite_words import primary, sqlite_words
from gateway.core.model import READS, Entry, Op, OpResult, StoreBroken, StoreFull, Unfinished
from gateway.core.oswords import words_of

# The platform must be asked from the last commit's day on (reversal specification §9).
RESTORED = "INSERT OR IGNORE INTO restored SELECT 1, coalesce(max(changed_ms), 0) FROM journal"
BUSY_MS = 5000  # how long a statement waits for somebody else's lock


class WrongKey(Exception):
    """The key file is not the one this journal's answers were sealed with. The operator's fault; exit 2."""


class StoreLocked(Exception):
    """Another live node works on this store (annex X27). The operator's fault; exit 2."""


class NewerStore(Exception):
    """A later version of the gateway made this store; this one does not know what its rows mean. str: Chinese."""


def migrate(connection: sqlite3.Connection, scripts: Iterable[tuple[str, bytes]]) -> None:
    """Bring a database to the newest version; every script is one step, counted by user_version. Raises NewerStore."""
    scripts = list(scripts)
    done = connection.execute("PRAGMA user_version").fetchone()[0]
    if done > len(scripts):
        raise NewerStore(f"由更新的程序建立（库版本{done}，本程序支持到{len(scripts)}），请升级程序")
    for number, (_, script) in enumerate(scripts, start=1):
        if number > done:
            connection.executescript(f"BEGIN IMMEDIATE; {script.decode()}; PRAGMA user_version = {number}; COMMIT;")


def _try_key(connection: sqlite3.Connection, vault: Vault) -> None:
    """Open the newest sealed answer, if there is one; raise VaultError when the key is another's."""
    row = connection.execute(
        "SELECT sealed, fixmedins_code, msgid FROM outcome JOIN journal ON id = journal_id "
        "WHERE sealed IS NOT NULL ORDER BY journal_id DESC LIMIT 1"
    ).fetchone()
    if row is not None:
        vault.open(row[0], bound_to(row[1], row[2]))


def _lock(path: Path, opened: ExitStack) -> int:
    """Take the store's lock, held until `opened` is closed; raise StoreLocked when another process has it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    opened.callback(os.close, lock)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as cause:
        if cause.errno in (errno.EWOULDBLOCK, errno.EACCES):
            raise StoreLocked(str(path)) from cause
        raise
    return lock


def _connect(path: Path, opened: ExitStack) -> sqlite3.Connection:
    """Connect to the file, made if need be, until `opened` is closed."""
    if not path.is_file():  # closing a descriptor of a store in use would let go of the process's locks on it
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # -wal and -shm take its mode
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=512)
    opened.callback(connection.close)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("PRAGMA cache_size = -65536")
    return connection


def _said(path: Path, cause: sqlite3.Error) -> StoreFull | StoreBroken:
    """Return what a failure at start is to the node."""
    if primary(cause) == sqlite3.SQLITE_FULL:
        return StoreFull()
    return StoreBroken(f"{path}：{sqlite_words(cause)}")


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
    owner: int
    restored_ms: int | None = None  # it was restored from a backup whose last commit was then, and is not open yet
    _marked: int = -1
    _kinds: SeenKinds = attrs.Factory(SeenKinds)

    @classmethod
    def open(cls, path: Path, vault: Vault, scripts: Iterable[tuple[str, bytes]]) -> "SqliteJournal":
        """Open or make the journal, take its lock, migrate it.

        Raises StoreLocked, WrongKey, StoreFull, StoreBroken; whatever is raised, nothing stays open.
        """
        with ExitStack() as opened:
            try:
                lock = _lock(path, opened)
                connection = _connect(path, opened)
                migrate(connection, scripts)
                # Whoever opens last owns the journal: an earlier owner that still lives cannot commit any more (§9).
                connection.execute("UPDATE chain_head SET owner = owner + 1")
                head = connection.execute("SELECT number, chain, owner FROM chain_head").fetchone()
                last = connection.execute("SELECT coalesce(max(id), 0) FROM journal").fetchone()[0]
                _try_key(connection, vault)
                if head is None:
                    raise StoreBroken(f"{path}：链头记录不见了，请从备份恢复")
                number, chain, owner = head
                if is_behind(path, number, chain):
                    connection.execute(RESTORED)
                row = connection.execute("SELECT since_ms FROM restored").fetchone()
                restored = None if row is None else row[0]
            except VaultError as cause:
                raise WrongKey(str(path)) from cause
            except NewerStore as cause:
                raise StoreBroken(f"{path}：{cause}") from cause
            except OSError as cause:
                raise StoreBroken(f"{path}：{words_of(cause)}") from cause
            except sqlite3.Error as cause:
                raise _said(path, cause) from cause
            opened.pop_all()
        return cls(path, connection, vault, lock, number, chain, last, owner, restored)

    def restore(self) -> None:
        """Note that this journal was restored from a backup, though nothing here shows it."""
        self.connection.execute(RESTORED)

    def mark(self) -> None:
        """Write down how far it has come; where `commit` runs."""
        if self.number != self._marked:
            self._marked = self.number
            write_mark(self.path, self.number, self.chain)

    def close(self) -> None:
        """Checkpoint, close and let go of the lock. A log that cannot be moved now is read at the next opening."""
        with ExitStack() as opened:
            opened.callback(os.close, self.lock)
            opened.callback(self.connection.close)
            self.mark()
            with suppress(sqlite3.Error):
                self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def truncate_log(self) -> bool:
        """Move the rest of the log into the file and start it anew at length 0; False when a reader stands in the way.

        Runs where `commit` runs, never inside it. Raises sqlite3.Error; what was committed is safe all the same.
        """
        self.connection.execute("PRAGMA busy_timeout = 0")  # to wait for a reader would stop every settlement
        try:
            busy = self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        finally:
            self.connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        return not busy

    def open_entries(self) -> list[Entry]:
        """Return every row that is not at its end, oldest first. Raises StoreBroken when they cannot be read."""
        where = "state IN ('JOURNALED', 'SENT', 'IN_DOUBT', 'REVERSING', 'MANUAL')"
        try:
            return [entry_of(row) for row in self.connection.execute(f"{SELECT} WHERE {where} ORDER BY id")]
        except sqlite3.Error as cause:
            raise _said(self.path, cause) from cause

    def unfinished(self) -> list[Unfinished]:
        """Return every live reversal with the record that ends with it and its original."""
        found = []
        for row in self.connection.execute(LIVE_SAF).fetchall():
            saf = saf_of(row)
            found.append(Unfinished(saf, self._entry(saf.id), self._entry(saf.original_id)))
        return found

    def overheard(self) -> list[Entry]:
        """Return the settlements a late success came for that are still in doubt, or not followed up yet (§4.4)."""
        return overheard(self.connection)

    def _entry(self, journal_id: int) -> Entry:
        return entry_of(self.connection.execute(f"{SELECT} WHERE id = ?", (journal_id,)).fetchone())

    def heads(self) -> dict[str, str]:
        """Return the envelope head each institution sent last."""
        return dict(self.connection.execute("SELECT fixmedins_code, head FROM envelope_head"))

    def commit(self, ops: list[Op]) -> list[OpResult]:
        """Do one batch in one durable transaction. Only look-ups cost no transaction."""
        number, chain = self.number, self.chain
        writes = not ops or any(type(op) not in READS for op in ops)
        try:
            if writes:
                self.connection.execute("BEGIN IMMEDIATE")
            batch = Batch(self.connection, self.vault, number, chain, self._kinds)
            try:
                results = batch.run(ops)
            except NotTogether:
                self.connection.execute("ROLLBACK")
                self.connection.execute("BEGIN IMMEDIATE")
                batch = Batch(self.connection, self.vault, number, chain, self._kinds)
                results = batch.run(ops, together=False)
            if writes:
                head = self.connection.execute(HEAD, (batch.number, batch.chain, self.owner))
                if head.rowcount != 1:
                    self.connection.execute("ROLLBACK")
                    raise StoreBroken("another node has opened this journal since")
                self.connection.execute("COMMIT")
        except sqlite3.Error as cause:
            raise self._rolled_back(cause) from cause
        self.number, self.chain = batch.number, batch.chain
        self._kinds.written(batch.kinds)
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
