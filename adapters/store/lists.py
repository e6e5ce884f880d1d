"""The store of settlement lists: one SQLite file beside the journal; plain rows in and out, contents sealed outside.

Pieces only grow (triggers); what was found is replaced whenever a visit is examined again. One writer at a time, by a
lock on a file of its own that the system lets go of on death.
"""

import fcntl
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import attrs

from adapters.store.looking import look, version_of
from adapters.store.sqlite_journal import NewerStore, migrate
from adapters.store.transaction import transaction

_PIECES = (
    "SELECT kind, digest, sealed FROM piece "
    "WHERE id IN (SELECT max(id) FROM piece WHERE visit = ? GROUP BY kind) ORDER BY id"
)
_SUMMARY = (
    "SELECT fixmedins_code, substr(discharged, 1, 7), count(*), sum(errors = 0), sum(errors > 0), sum(errors), "
    "sum(warnings) FROM examined JOIN visit ON visit.id = examined.visit {where} GROUP BY 1, 2 ORDER BY 1, 2"
)
_MISSING = (
    "SELECT fixmedins_code, dept, doctor, rule, path, message, count(*) FROM finding "
    "JOIN examined ON examined.visit = finding.visit JOIN visit ON visit.id = finding.visit {where} "
    "GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, count(*) DESC, 4, 5 LIMIT ?"
)
_VISITS = (
    "SELECT mdtrt_id, setl_id, discharged, dept, doctor, errors, warnings FROM examined "
    "JOIN visit ON visit.id = examined.visit {where} ORDER BY errors DESC, mdtrt_id LIMIT ?"
)


_UPLOAD = "SELECT visit, mdtrt_id, state, upload.at_ms, msgid, upload.setl_id, digest, setl_list_id, text FROM upload "
_UPLOAD += "JOIN visit ON visit.id = upload.visit"
# The plus keeps the planner from an institution's whole history, here as in the journal; and only with setl_id <> ''
# does it see that the partial index holds all that is wanted.
ELSEWHERE = (
    "SELECT 1 FROM examined JOIN visit ON visit.id = examined.visit "
    "WHERE setl_id = ? AND setl_id <> '' AND +fixmedins_code = ? AND examined.visit <> ? LIMIT 1"
)
# What is at the platform and was not looked at since is no work for anybody.
READY = (
    "SELECT visit.id, mdtrt_id FROM examined JOIN visit ON visit.id = examined.visit "
    "LEFT JOIN upload ON upload.visit = visit.id "
    "WHERE +fixmedins_code = ? AND errors = 0 AND examined.setl_id <> '' AND discharged <> '' AND visit.id > ? "
    "AND (state IS NULL OR state NOT IN ('uploaded', 'submitted') OR examined.at_ms > upload.at_ms) "
    "ORDER BY visit.id LIMIT ?"
)
_QUALITY = (
    "SELECT quality.setl_id, qltctrl_rslt, quality.err_lv, quality.retn_flag, coalesce(exam_data_fld, ''), "
    "coalesce(qltctrl_chk_rslt, ''), coalesce(dept, ''), coalesce(doctor, '') FROM quality "
    "LEFT JOIN quality_detail USING (fixmedins_code, setl_id) LEFT JOIN visit ON visit.fixmedins_code = "
    "quality.fixmedins_code AND visit.id IN (SELECT visit FROM upload WHERE upload.setl_id = quality.setl_id) "
    "LEFT JOIN examined ON examined.visit = visit.id "
    "WHERE quality.fixmedins_code = ? AND (setl_ym = ? OR ? = '') ORDER BY quality.setl_id, n"
)
_STATES = (
    "SELECT fixmedins_code, substr(discharged, 1, 7), state, count(*) FROM upload "
    "JOIN visit ON visit.id = upload.visit JOIN examined ON examined.visit = visit.id {where} GROUP BY 1, 2, 3"
)


class OtherLists(Exception):
    """The store was made by another version of the program."""


@attrs.frozen
class StoredPiece:
    """The newest piece of a kind."""

    kind: str
    digest: str
    sealed: bytes


@attrs.frozen
class Summary:
    """Lists of one institution discharged in one month ('' = not known yet)."""

    fixmedins_code: str
    month: str
    lists: int
    clean: int
    faulty: int
    errors: int
    warnings: int


@attrs.frozen
class Lack:
    """A finding that stands in `lists` lists of one department and doctor."""

    fixmedins_code: str
    dept: str
    doctor: str
    rule: str
    path: str
    message: str
    lists: int


@attrs.frozen
class Examination:
    """What an examination came to. rules: their version."""

    at_ms: int
    rules: str
    setl_id: str
    discharged: str
    dept: str
    doctor: str
    errors: int
    warnings: int


@attrs.frozen
class Upload:
    """Where a visit's list stands at the platform."""

    visit: int
    mdtrt_id: str
    state: str
    at_ms: int
    msgid: str
    setl_id: str
    digest: str
    setl_list_id: str = ""
    text: str = ""


FindingRow = tuple[str, str, str, str]  # rule, level, path, message


@attrs.frozen
class Filter:
    """Which lists are wanted. institution, month ('2026-10'): '' = all."""

    institution: str = ""
    month: str = ""

    def where(self) -> tuple[str, list[str]]:
        wheres, values = [], []
        if self.institution:
            wheres.append("fixmedins_code = ?")
            values.append(self.institution)
        if self.month:
            wheres.append("substr(discharged, 1, 7) = ?")
            values.append(self.month)
        return ("WHERE " + " AND ".join(wheres) if wheres else "", values)


@attrs.define(eq=False)
class ListsReader:
    """One look at the store. Only constants and question marks are put together; every value is a parameter."""

    connection: sqlite3.Connection

    def any_sealed(self) -> bool:
        """Say whether anything is sealed at all: then a new key would be the wrong one."""
        return self.connection.execute("SELECT 1 FROM piece LIMIT 1").fetchone() is not None

    def any_list(self, institution: str) -> bool:
        """Say whether anything was collected of an institution."""
        return (
            self.connection.execute("SELECT 1 FROM visit WHERE fixmedins_code = ? LIMIT 1", (institution,)).fetchone()
            is not None
        )

    def visit(self, institution: str, mdtrt_id: str) -> int | None:
        """Return the number of a visit, None before its first piece."""
        query = "SELECT id FROM visit WHERE fixmedins_code = ? AND mdtrt_id = ?"
        row = self.connection.execute(query, (institution, mdtrt_id)).fetchone()
        return None if row is None else int(row[0])

    def pieces(self, visit: int) -> list[StoredPiece]:
        """Return the newest piece of each kind, oldest first."""
        return [StoredPiece(*row) for row in self.connection.execute(_PIECES, (visit,))]

    def elsewhere(self, institution: str, setl_id: str, visit: int) -> bool:
        """Say whether another visit's list names the same settlement."""
        if not setl_id:
            return False
        return self.connection.execute(ELSEWHERE, (setl_id, institution, visit)).fetchone() is not None

    def summaries(self, wanted: Filter) -> list[Summary]:
        """Return figures by institution and month of discharge."""
        where, values = wanted.where()
        return [Summary(*row) for row in self.connection.execute(_SUMMARY.format(where=where), values)]

    def lacks(self, wanted: Filter, limit: int) -> list[Lack]:
        """Return what is wrong by department and doctor, the most frequent first."""
        where, values = wanted.where()
        return [Lack(*row) for row in self.connection.execute(_MISSING.format(where=where), (*values, limit))]

    def places(self, setl_ids: Iterable[str]) -> dict[str, tuple[str, str]]:
        """Return setl_id -> (dept, doctor) of the lists that name one; codes."""
        query = "SELECT dept, doctor FROM examined WHERE setl_id = ? AND (dept <> '' OR doctor <> '') LIMIT 1"
        found = {}
        for setl_id in {*setl_ids} - {""}:
            row = self.connection.execute(query, (setl_id,)).fetchone()
            if row is not None:
                found[setl_id] = (str(row[0]), str(row[1]))
        return found

    def visits(self, wanted: Filter, limit: int) -> list[tuple[str, str, str, str, str, int, int]]:
        """Return (mdtrt_id, setl_id, day of discharge, dept, doctor, errors, warnings), the worst first."""
        where, values = wanted.where()
        return list(self.connection.execute(_VISITS.format(where=where), (*values, limit)))

    def ready(self, institution: str, after: int, limit: int) -> list[tuple[int, str]]:
        """Return (visit, mdtrt_id) of lists that may have to be sent, in order of their numbers."""
        return list(self.connection.execute(READY, (institution, after, limit)))

    def upload(self, visit: int) -> Upload | None:
        """Return where a visit's list stands, None before its first sending."""
        row = self.connection.execute(f"{_UPLOAD} WHERE visit = ?", (visit,)).fetchone()
        return None if row is None else Upload(*row)

    def uploads(self, institution: str, *states: str) -> list[Upload]:
        """Return the lists of an institution in some states, oldest change first."""
        marks = ",".join("?" * len(states))
        query = f"{_UPLOAD} WHERE fixmedins_code = ? AND state IN ({marks}) ORDER BY upload.at_ms, visit"
        return [Upload(*row) for row in self.connection.execute(query, (institution, *states))]

    def quality(self, institution: str, month: str) -> list[tuple[str, ...]]:
        """Return (setl_id, rslt, err_lv, retn_flag, field, text, dept, doctor) of a month ('202610'), by settlement."""
        return list(self.connection.execute(_QUALITY, (institution, month, month)))

    def states(self, wanted: Filter) -> list[tuple[str, str, str, int]]:
        """Return (institution, month of discharge, state, lists)."""
        where, values = wanted.where()
        return list(self.connection.execute(_STATES.format(where=where), values))

    def evidence(self, visit: int) -> str:
        """Return what was translated in a visit's list, packed as in the journal; '' = nothing."""
        row = self.connection.execute("SELECT rows FROM evidence WHERE visit = ?", (visit,)).fetchone()
        return "" if row is None else str(row[0])

    def findings(self, visit: int) -> list[FindingRow]:
        """Return what was found in a visit's list."""
        query = "SELECT rule, level, path, message FROM finding WHERE visit = ? ORDER BY n"
        return list(self.connection.execute(query, (visit,)))


@attrs.define(eq=False)
class ListsWriter(ListsReader):
    """The only writer of the store while it is open."""

    lock: int = -1

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what is done inside, or take it back when that raises."""
        with transaction(self.connection):
            yield

    def take_visit(self, institution: str, mdtrt_id: str) -> int:
        """Return a visit's number; it is made when it is new."""
        statement = "INSERT INTO visit (fixmedins_code, mdtrt_id) VALUES (?, ?) ON CONFLICT DO NOTHING"
        self.connection.execute(statement, (institution, mdtrt_id))
        found = self.visit(institution, mdtrt_id)
        assert found is not None
        return found

    def add_piece(self, visit: int, piece: StoredPiece, at_ms: int, who: str, source: str) -> None:
        """Add a piece; the newest of its kind counts."""
        statement = "INSERT INTO piece (visit, kind, at_ms, who, source, digest, sealed) VALUES (?,?,?,?,?,?,?)"
        self.connection.execute(statement, (visit, piece.kind, at_ms, who, source, piece.digest, piece.sealed))

    def examined(self, visit: int, found: Examination, findings: Iterable[FindingRow]) -> None:
        """Put a visit's examination in the place of the one before."""
        self.connection.execute("DELETE FROM finding WHERE visit = ?", (visit,))
        rows = ((visit, n, *one) for n, one in enumerate(findings))
        self.connection.executemany("INSERT INTO finding VALUES (?,?,?,?,?,?)", rows)
        self.connection.execute(
            "INSERT OR REPLACE INTO examined VALUES (?,?,?,?,?,?,?,?,?)", (visit, *attrs.astuple(found))
        )

    def keep_evidence(self, visit: int, rows: str) -> None:
        """Put what was translated (packed, '' = nothing) in the place of what was known."""
        if rows:
            self.connection.execute("INSERT OR REPLACE INTO evidence VALUES (?,?)", (visit, rows))
        else:
            self.connection.execute("DELETE FROM evidence WHERE visit = ?", (visit,))

    def step(self, one: Upload) -> None:
        """Note where a list stands from now on."""
        values = (one.visit, one.state, one.at_ms, one.msgid, one.setl_id, one.digest, one.setl_list_id, one.text)
        self.connection.execute("INSERT OR REPLACE INTO upload VALUES (?,?,?,?,?,?,?,?)", values)
        statement = "INSERT INTO upload_step (visit, state, at_ms, msgid, text) VALUES (?,?,?,?,?)"
        self.connection.execute(statement, (one.visit, one.state, one.at_ms, one.msgid, one.text))

    def keep_quality(
        self, institution: str, row: Sequence[str], details: Iterable[tuple[str, ...]], at_ms: int
    ) -> None:
        """Put what quality control says of a list in the place of what it said before. row: from setl_id on."""
        self.connection.execute("INSERT OR REPLACE INTO quality VALUES (?,?,?,?,?,?,?,?,?)", (institution, *row, at_ms))
        place = (institution, row[0])
        self.connection.execute("DELETE FROM quality_detail WHERE fixmedins_code = ? AND setl_id = ?", place)
        rows = ((*place, n, *detail) for n, detail in enumerate(details))
        self.connection.executemany("INSERT INTO quality_detail VALUES (?,?,?,?,?,?,?)", rows)


@contextmanager
def writing(path: Path, scripts: Iterable[tuple[str, bytes]]) -> Iterator[ListsWriter]:
    """Open or make the store, migrate it. Waits for another writer. Raises OtherLists, OSError, sqlite3.Error."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with ExitStack() as opened:
        lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        opened.callback(os.close, lock)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():  # closing a descriptor of a store in use would let go of the process's locks on it
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # -wal and -shm take its mode
        connection = sqlite3.connect(path, isolation_level=None)
        opened.callback(connection.close)
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "busy_timeout = 10000", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}")
        try:
            migrate(connection, scripts)
        except NewerStore as cause:
            raise OtherLists(f"清单库{cause}") from cause
        os.chmod(path, 0o600)
        yield ListsWriter(connection, lock)


@contextmanager
def reading(path: Path, version: int) -> Iterator[ListsReader | None]:
    """Open the store for reading; None when there is none. Raises OtherLists, sqlite3.Error."""
    if not path.exists():
        yield None
        return
    with look(path) as connection:
        connection.execute("BEGIN")
        if (found := version_of(connection)) != version:
            raise OtherLists(f"清单库版本为{found}，本程序需要{version}")
        yield ListsReader(connection)
