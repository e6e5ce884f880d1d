"""The codes store for writers: one SQLite file beside the journal, changed only by commands (annex X35).

Plain rows in and out; what they mean is decided in the codes room. Each thing is begun, filled in transactions of at
most 2,000 rows, and comes into force by one last row; a command that dies before leaves a rest that counts for nothing
and is swept by the next writer, all but the one library import that may be gone on with. One writer at a time: a lock
on a file of its own, let go of by the system on death.
"""

import fcntl
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import islice
from pathlib import Path

import attrs

from adapters.store.codes_reader import CodesReader, CodesStore, OtherVersion
from adapters.store.sqlite_journal import NewerStore, migrate
from adapters.store.transaction import transaction

ROWS_MAX = 2000  # of one transaction, annex X35

# line, local, national, from, to, evidence, and what the local side says of the item as JSON (may be left out)
MappingCells = tuple[int, str, str, str, str, str] | tuple[int, str, str, str, str, str, str]
RefusalCells = tuple[int, str, str]  # line, rule, message

_MAPPING = (
    "INSERT INTO mapping (batch,line,local_code,national_code,valid_from,valid_to,evidence,facts) "
    "VALUES (?,?,?,?,?,?,?,?)"
)
_REFUSAL = "INSERT INTO refusal VALUES (?,?,?,?)"
_AUDIT = "INSERT INTO audit (at_ms, who, what, institution, system, reference, detail) VALUES (?,?,?,?,?,?,?)"
_UNRELEASED = (
    "SELECT library_record.id, library_system.id, code, library FROM library_record "
    "JOIN library ON library.id = library_record.library JOIN library_system ON library_system.system = library.system "
    "WHERE library_record.id > ? ORDER BY library_record.id LIMIT ?"
)
_LAST = "SELECT coalesce(max(last), 0) FROM (SELECT last FROM release UNION ALL SELECT last FROM library_staged)"
# (rows, the thing they belong to, its last row): what has no last row is swept.
_SWEEPS = (
    ("mapping", "batch", "batch", "proposal", "line"),
    ("refusal", "review", "review", "approval", "line"),
    ("price_row", "list", "price_list", "price_listed", "seq"),
    ("round_item", "round", "catalogue_round", "round_opened", "seq"),
)


@attrs.frozen
class Deed:
    """Who does something, and when (milliseconds since the epoch)."""

    who: str
    at_ms: int


def pieces(rows: Iterable[tuple[object, ...]]) -> Iterator[list[tuple[object, ...]]]:
    """Yield the rows in lists that fit one transaction."""
    source = iter(rows)
    while piece := list(islice(source, ROWS_MAX)):
        yield piece


@attrs.define(eq=False)
class CodesWriter:
    """The only writer of a codes store while it is open. Not for several threads."""

    connection: sqlite3.Connection
    lock: int

    @classmethod
    def open(cls, path: Path, scripts: Iterable[tuple[str, bytes]]) -> "CodesWriter":
        """Open or make the store, migrate it, sweep what a dead command left. Waits for another writer to finish.

        Raises OtherVersion, OSError, sqlite3.Error; then nothing stays open.
        """
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # it is the journal's folder, whoever comes first
        with ExitStack() as opened:
            lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            opened.callback(os.close, lock)
            fcntl.flock(lock, fcntl.LOCK_EX)
            with suppress(FileExistsError):  # -wal and -shm take its mode
                # Only where it is not there yet: to close a file lets go of all locks this process has on it, those of
                # another connection too; the next process would think itself alone and take that one's log away.
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            connection = sqlite3.connect(path, isolation_level=None)
            opened.callback(connection.close)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA busy_timeout = 10000")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA cache_size = -65536")  # KiB; a big library arrives in no order of its codes
            try:
                migrate(connection, scripts)
            except NewerStore as cause:
                raise OtherVersion(f"编码库{cause}") from cause
            os.chmod(path, 0o600)
            writer = cls(connection, lock)
            writer._sweep()
            opened.pop_all()
        return writer

    def close(self) -> None:
        self.connection.close()
        os.close(self.lock)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit what is done inside, or take it back when that raises."""
        with transaction(self.connection) as connection:
            yield connection

    def _begin(self, statement: str, values: Sequence[object]) -> int:
        with self.transaction() as connection:
            return int(connection.execute(statement, values).lastrowid or 0)

    def audit(self, deed: Deed, what: str, place: tuple[str, str], reference: int, detail: str) -> None:
        """Add a line to the trail, inside a transaction. place: institution, system."""
        self.connection.execute(_AUDIT, (deed.at_ms, deed.who, what, *place, reference, detail))

    # --- mappings ----------------------------------------------------------------------------------

    def begin_batch(
        self, institution: str, system: str, source: str, deed: Deed, kind: str = "import", reason: str = ""
    ) -> int:
        """Begin a batch of mappings (kind import) or of closed ones (kind retire); the maker is who does it."""
        values = (institution, system, deed.who, source, deed.at_ms, kind, reason)
        names = "institution,system,maker,source,begun_ms,kind,reason"
        return self._begin(f"INSERT INTO batch ({names}) VALUES (?,?,?,?,?,?,?)", values)  # noqa: S608

    def add_mappings(self, batch: int, rows: Iterable[MappingCells]) -> Iterator[int]:
        """Add rows; yield the number stored so far after each transaction."""
        done = 0
        for piece in pieces((batch, *row, "")[:8] for row in rows):
            with self.transaction() as connection:
                connection.executemany(_MAPPING, piece)
            done += len(piece)
            yield done

    def propose(self, batch: int, count: int, digest: str, deed: Deed, content: str = "") -> None:
        """Make a batch a whole proposal: its last row. It is not in force by that. content: SM3 of the rows."""
        with self.transaction() as connection:
            values = (batch, count, digest, deed.at_ms, content)
            connection.execute("INSERT INTO proposal (batch,count,digest,at_ms,content) VALUES (?,?,?,?,?)", values)
            kind, reason = connection.execute("SELECT kind, reason FROM batch WHERE id=?", (batch,)).fetchone()
            detail = f"rows={count} sm3={digest} content={content}" + (f" reason={reason}" if reason else "")
            self.audit(deed, "retire" if kind == "retire" else "propose", self._place(batch), batch, detail)

    def give_back(self, batch: int, reason: str, deed: Deed) -> None:
        """Return a proposal to its maker: what is undecided in it waits no longer."""
        with self.transaction() as connection:
            connection.execute("INSERT INTO returned VALUES (?,?,?,?)", (batch, deed.who, reason, deed.at_ms))
            self.audit(deed, "return", self._place(batch), batch, f"batch={batch} reason={reason}")

    def note_check(self, batch: int, content: str, deed: Deed) -> None:
        """Write down that somebody looked through a proposal, and what its content was."""
        with self.transaction():
            self.audit(deed, "check", self._place(batch), batch, f"batch={batch} content={content}")

    def approve(
        self, batch: int, approved: int, refusals: Sequence[RefusalCells], deed: Deed, catalogue: str = ""
    ) -> int:
        """Bring all rows of a batch into force but the refused ones: the one last row. Return the review's id.

        catalogue: the library version the rows were judged against.
        """
        values = (batch, deed.who, deed.at_ms)
        review = self._begin("INSERT INTO review (batch, reviewer, begun_ms) VALUES (?,?,?)", values)
        for piece in pieces((review, *refusal) for refusal in refusals):
            with self.transaction() as connection:
                connection.executemany(_REFUSAL, piece)
        with self.transaction() as connection:
            done = (review, approved, len(refusals), deed.at_ms, catalogue)
            connection.execute("INSERT INTO approval (review,count,refused,at_ms,catalogue) VALUES (?,?,?,?,?)", done)
            detail = f"batch={batch} approved={approved} refused={len(refusals)}"
            detail += f" catalogue={catalogue}" if catalogue else ""
            self.audit(deed, "approve", self._place(batch), review, detail)
        return review

    def _place(self, batch: int) -> tuple[str, str]:
        found = self.connection.execute("SELECT institution, system FROM batch WHERE id=?", (batch,)).fetchone()
        return found[0], found[1]

    # --- what was never finished ---------------------------------------------------------------------

    def abandon(self) -> None:
        """Take back what was begun and not brought to its last row; the interrupted library import stays."""
        self._sweep()

    def abandon_import(self) -> None:
        """Take back the interrupted library import too."""
        with self.transaction() as connection:
            connection.execute("DELETE FROM library_staged")
        self._sweep()

    def _sweep(self) -> None:
        self._sweep_records()
        with self.transaction() as connection:
            kept = "SELECT library FROM release UNION SELECT library FROM library_staged"
            connection.execute(f"DELETE FROM library WHERE id NOT IN ({kept})")  # noqa: S608
        for table, column, parent, last, order in _SWEEPS:
            rest = f"SELECT id FROM {parent} WHERE id NOT IN (SELECT {column} FROM {last})"  # noqa: S608
            for (unfinished,) in self.connection.execute(rest).fetchall():
                self._drop(table, column, order, unfinished)
                with self.transaction() as connection:
                    connection.execute(f"DELETE FROM {parent} WHERE id = ?", (unfinished,))  # noqa: S608

    def _sweep_records(self) -> None:
        """Take away the records of versions never released: all that lie behind the last release, or behind how far the
        interrupted import is. Nothing is released behind that one, since every other import takes it away."""
        last = self.connection.execute(_LAST).fetchone()[0]
        while piece := self.connection.execute(_UNRELEASED, (last, ROWS_MAX)).fetchall():
            with self.transaction() as connection:
                codes = [row[1:] for row in piece]
                connection.executemany("DELETE FROM library_code WHERE system = ? AND code = ? AND library = ?", codes)
                span = (piece[0][0], piece[-1][0])
                connection.execute("DELETE FROM library_raw WHERE record BETWEEN ? AND ?", span)
                connection.execute("DELETE FROM library_record WHERE id BETWEEN ? AND ?", span)

    def _drop(self, table: str, column: str, order: str, unfinished: int) -> None:
        some = f"SELECT {order} FROM {table} WHERE {column} = ? LIMIT {ROWS_MAX}"  # noqa: S608
        delete = f"DELETE FROM {table} WHERE {column} = ? AND {order} IN ({some})"  # noqa: S608
        while True:
            with self.transaction() as connection:
                if connection.execute(delete, (unfinished, unfinished)).rowcount < 1:
                    return


__all__ = ["CodesReader", "CodesStore", "CodesWriter", "Deed"]
