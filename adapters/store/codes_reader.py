"""The codes store for readers: nodes and commands that only look. Never makes, migrates or changes the file.

A store that does not exist yet, or is just being made, reads as empty. What is in force:

* library: of every code the row of the latest released version that holds it;
* mapping: of every (institution, system, local code) the approved rows of the latest batch that has any. A row is
  approved when some approval of its batch did not refuse it.
"""

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

import attrs

# local, national, from, to, evidence, line, batch
Chosen = tuple[str, str, str, str, str, int, int]

_LIBRARIES = """
    SELECT library.id, library.system, library.ver, library.source, library.operator, release.count, release.at_ms
    FROM library JOIN release ON release.library = library.id ORDER BY library.id
"""
_BATCHES = """
    SELECT batch.id, batch.institution, batch.system, batch.maker, batch.source, proposal.count, proposal.at_ms,
        (SELECT count(*) FROM review JOIN approval ON approval.review = review.id WHERE review.batch = batch.id)
    FROM batch JOIN proposal ON proposal.batch = batch.id
"""
# Rows refused by every approval of their batch.
_REFUSED = """
    SELECT refusal.line FROM refusal
    JOIN review ON review.id = refusal.review JOIN approval ON approval.review = review.id
    WHERE review.batch = ? GROUP BY refusal.line HAVING count(*) = ?
"""
_ROWS = "SELECT local_code, national_code, valid_from, valid_to, evidence, line, batch FROM mapping WHERE batch = ?"
_STAMPS = """
    SELECT batch.institution, max(approval.review) FROM approval
    JOIN review ON review.id = approval.review JOIN batch ON batch.id = review.batch GROUP BY batch.institution
"""
_AUDIT = """
    SELECT at_ms, who, what, reference, detail FROM audit
    WHERE institution = ? AND (system = ? OR ? = '') ORDER BY id
"""


class OtherVersion(Exception):
    """The store was made by another version of the gateway. Update the node, or run any `codes import` to migrate."""


@attrs.frozen
class CodesStore:
    """Where the store is; what a node needs of it. Each look is a connection of its own, so any thread may take one."""

    path: Path
    version: int

    @classmethod
    def open(cls, path: Path, scripts: Collection[tuple[str, bytes]]) -> "CodesStore":
        """Return the store as migrated by the scripts; the file need not exist yet and is never made here."""
        return cls(path, len(scripts))

    def tables(self) -> "CodesReader":
        """Take a look. Raises OtherVersion, sqlite3.Error."""
        return CodesReader.open(self.path, self.version)

    def stamp(self) -> int:
        """Return a number that changes whenever something comes into force. Raises as `tables`."""
        look = self.tables()
        try:
            return look.stamp()
        finally:
            look.close()


@attrs.frozen
class LibraryVersion:
    """One released version of a national library."""

    id: int
    system: str
    ver: str
    source: str
    operator: str
    count: int
    at_ms: int


@attrs.frozen
class Batch:
    """One whole proposal. approvals: how many reviews brought rows of it into force."""

    id: int
    institution: str
    system: str
    maker: str
    source: str
    count: int
    at_ms: int
    approvals: int


@attrs.define(eq=False)
class CodesReader:
    """One consistent look at the store (one read transaction). Close it soon: it keeps the WAL from shrinking."""

    connection: sqlite3.Connection

    @classmethod
    def open(cls, path: Path, version: int) -> "CodesReader":
        """Open the store for reading; version: how many migrations it must have. Raises as CodesStore."""
        if not path.exists():
            return cls(_nothing())
        # Not mode=ro: the first reader after a crash must be able to rebuild the shared-memory index.
        uri = f"{path.absolute().as_uri()}?mode=rw"
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA busy_timeout = 2000")
            connection.execute("PRAGMA query_only = ON")
            connection.execute("BEGIN")
            found = connection.execute("PRAGMA user_version").fetchone()[0]
            if found not in (0, version):
                raise OtherVersion(f"编码库版本为{found}，本程序需要{version}")
        except BaseException:
            connection.close()
            raise
        if found:
            return cls(connection)
        connection.close()
        return cls(_nothing())

    def close(self) -> None:
        self.connection.close()

    # --- for the node ------------------------------------------------------------------------------

    def stamp(self) -> int:
        """Return a number that changes whenever something comes into force."""
        return sum(self.stamps().values())

    def stamps(self) -> Mapping[str, int]:
        """Return institution -> number that changes when its mappings do; '' = the libraries."""
        released = self.connection.execute("SELECT coalesce(max(library), 0) FROM release").fetchone()[0]
        return {"": released, **dict(self.connection.execute(_STAMPS).fetchall())}

    def libraries(self) -> Iterator[tuple[str, str, str, str, str, str, str]]:
        """Yield (system, code, name, begndate, enddate, vali_flag, gray) of what is in force."""
        for system in sorted({version.system for version in self.versions()}):
            for row in self.library(system):
                yield (system, *row)

    def library(self, system: str) -> Iterator[tuple[str, str, str, str, str, str]]:
        """Yield (code, name, begndate, enddate, vali_flag, gray) of a library's rows in force."""
        ids = [version.id for version in self.versions() if version.system == system]
        query = "SELECT code, name, begndate, enddate, vali_flag, gray FROM library_row WHERE library = ?"
        seen: set[str] = set()
        for version in reversed(ids):
            oldest = version == ids[0]  # nothing comes after it, so its codes need not be remembered
            for row in self.connection.execute(query, (version,)):
                if row[0] not in seen:
                    if not oldest:
                        seen.add(row[0])
                    yield row

    def mappings(self, institution: str) -> Iterator[tuple[str, str, str, str, str, str]]:
        """Yield (system, local, national, from, to, version) of an institution's rows in force."""
        systems = "SELECT DISTINCT system FROM batch WHERE institution = ? ORDER BY system"
        for (system,) in self.connection.execute(systems, (institution,)).fetchall():
            for local, national, since, until, _, _, batch in self.in_force(institution, system):
                yield system, local, national, since, until, f"m{batch}"

    # --- for people --------------------------------------------------------------------------------

    def versions(self) -> list[LibraryVersion]:
        """Return every released library version, oldest first."""
        return [LibraryVersion(*row) for row in self.connection.execute(_LIBRARIES)]

    def batches(self, institution: str, system: str) -> list[Batch]:
        """Return every proposal of an institution and system, oldest first."""
        query = f"{_BATCHES} WHERE batch.institution = ? AND batch.system = ? ORDER BY batch.id"
        return [Batch(*row) for row in self.connection.execute(query, (institution, system))]

    def in_force(self, institution: str, system: str) -> Iterator[Chosen]:
        """Yield the rows in force. Later batches win by local code, so the newest is read first."""
        batches = [batch for batch in self.batches(institution, system) if batch.approvals]
        taken: set[str] = set()
        for batch in reversed(batches):
            refused = self._refused(batch)
            mine: set[str] = set()
            for row in self.connection.execute(_ROWS, (batch.id,)):
                if row[5] in refused or row[0] in taken:
                    continue
                if batch is not batches[0]:
                    mine.add(row[0])
                yield row
            taken |= mine

    def rows(self, batch: Batch) -> Iterator[Chosen]:
        """Yield every row of a proposal, in or out of force."""
        yield from self.connection.execute(_ROWS, (batch.id,))

    def undecided(self, batch: Batch) -> set[int]:
        """Return the lines of a proposal that no approval took yet; none of one that was given back."""
        if self.connection.execute("SELECT 1 FROM returned WHERE batch = ?", (batch.id,)).fetchone():
            return set()
        if batch.approvals:
            return self._refused(batch)
        return {line for (line,) in self.connection.execute("SELECT line FROM mapping WHERE batch = ?", (batch.id,))}

    def approved(self, batch: Batch) -> set[int]:
        """Return the lines of a proposal that some approval took."""
        lines = self.connection.execute("SELECT line FROM mapping WHERE batch = ?", (batch.id,))
        return {line for (line,) in lines} - self._refused(batch)

    def taken_later(self, batches: Iterable[Batch]) -> set[str]:
        """Return the local codes that came into force by any of these proposals."""
        codes: set[str] = set()
        for batch in batches:
            if batch.approvals:
                refused = self._refused(batch)
                codes.update(row[0] for row in self.rows(batch) if row[5] not in refused)
        return codes

    def _refused(self, batch: Batch) -> set[int]:
        return {line for (line,) in self.connection.execute(_REFUSED, (batch.id, batch.approvals))}

    def show(self, system: str, code: str) -> list[dict[str, object]]:
        """Return every version's row of a code, newest first."""
        query = (
            "SELECT library.ver, code, name, begndate, enddate, vali_flag, gray, raw FROM library_row "
            "JOIN library ON library.id = library_row.library JOIN release ON release.library = library.id "
            "WHERE library.system = ? AND library_row.code = ? ORDER BY library.id DESC"
        )
        names = ("ver", "code", "name", "begndate", "enddate", "vali_flag", "gray", "raw")
        return [dict(zip(names, row, strict=True)) for row in self.connection.execute(query, (system, code))]

    def search(self, system: str, text: str, most: int) -> list[tuple[str, str, str, str, str, str]]:
        """Return up to `most` rows in force whose code starts with, or whose name contains, the text."""
        found = []
        for row in self.library(system):
            if row[0].startswith(text) or text in row[1]:
                found.append(row)
                if len(found) >= most:
                    break
        return found

    def history(self, institution: str, system: str) -> list[tuple[int, str, str, int, str]]:
        """Return (at_ms, who, what, reference, detail), oldest first."""
        return self.connection.execute(_AUDIT, (institution, system, system)).fetchall()


def _nothing() -> sqlite3.Connection:
    """Return an empty store in memory with the tables the queries name."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(
        """
        CREATE TABLE library (id, system, ver, source, operator);
        CREATE TABLE library_row (library, code, name, begndate, enddate, vali_flag, gray, raw);
        CREATE TABLE release (library, count, at_ms);
        CREATE TABLE batch (id, institution, system, maker, source, kind, reason);
        CREATE TABLE proposal (batch, count, at_ms, content); CREATE TABLE returned (batch, reviewer, reason, at_ms);
        CREATE TABLE mapping (batch, line, local_code, national_code, valid_from, valid_to, evidence, facts);
        CREATE TABLE review (id, batch, reviewer); CREATE TABLE refusal (review, line, rule, message);
        CREATE TABLE approval (review, at_ms, catalogue);
        CREATE TABLE audit (id, at_ms, who, what, institution, system, reference, detail);
        """
    )
    return connection
