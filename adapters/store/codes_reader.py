"""The codes store for readers: nodes and commands that only look. Never makes, migrates or changes the file.

A store that does not exist yet, or is just being made, reads as empty. What is in force:

* library: of every code the record of the latest released version that holds it, from the last whole version on;
* mapping: of every (institution, system, local code) the approved rows of the latest batch that has any. A row is
  approved when some approval of its batch did not refuse it.
"""

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import attrs

from adapters.store.codes_shelf import Shelf, Shelves

# local, national, from, to, evidence, line, batch
Chosen = tuple[str, str, str, str, str, int, int]

_LIBRARIES = """
    SELECT library.id, library.system, library.ver, library.source, library.operator, release.count, release.at_ms,
        library.kind, library.whole, release.first, release.last, release.worded, library.columns, release.digest
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
    shelves: Shelves

    @classmethod
    def open(cls, path: Path, scripts: Collection[tuple[str, bytes]]) -> "CodesStore":
        """Return the store as migrated by the scripts; the file need not exist yet and is never made here."""
        return cls(path, len(scripts), Shelves(path))

    def tables(self) -> "CodesReader":
        """Take a look. Raises OtherVersion, sqlite3.Error."""
        return CodesReader.open(self.path, self.version, self.shelves)

    def stamp(self) -> int:
        """Return a number that changes whenever something comes into force. Raises as `tables`."""
        look = self.tables()
        try:
            return look.stamp()
        finally:
            look.close()


@attrs.frozen
class LibraryVersion:
    """One released version of a national library.

    kind: "import" of a file, or one "record" by hand; whole: nothing of what came before it counts any more; first,
    last: ids of its records; worded: its names can be searched by words; columns: titles the file had, a JSON list.
    """

    id: int
    system: str
    ver: str
    source: str
    operator: str
    count: int
    at_ms: int
    kind: str = "import"
    whole: int = 0
    first: int = 0
    last: int = 0
    worded: int = 0
    columns: str = "[]"
    digest: str = ""


def standing(versions: Sequence[LibraryVersion]) -> list[LibraryVersion]:
    """Return the versions of one system that count, oldest first: from the last whole one on."""
    whole = max((number for number, version in enumerate(versions) if version.whole), default=0)
    return list(versions[whole:])


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
    shelves: Shelves | None = None  # None: this look has no file of its own to look records up in later

    @classmethod
    def open(cls, path: Path, version: int, shelves: Shelves | None = None) -> "CodesReader":
        """Open the store for reading; version: how many migrations it must have. Raises as CodesStore."""
        shelves = shelves or Shelves(path)
        if not path.exists():
            return cls(_nothing(), shelves)
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
            return cls(connection, shelves)
        connection.close()
        return cls(_nothing(), shelves)

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

    def sizes(self) -> Mapping[str, int]:
        """Return system -> how many records its library holds at most."""
        found: dict[str, int] = {}
        for version in self.versions():
            found[version.system] = version.count + (0 if version.whole else found.get(version.system, 0))
        return found

    def libraries(self, systems: Collection[str]) -> Iterator[tuple[str, str, str, str, str, str, str]]:
        """Yield (system, code, name, begndate, enddate, vali_flag, gray) of what is in force in some systems."""
        for system in sorted({version.system for version in self.versions()}.intersection(systems)):
            for row in self.library(system):
                yield (system, *row)

    def shelf(self, system: str) -> Shelf:
        """Return how to find one record of a library without holding it; it goes on when this look is closed."""
        assert self.shelves is not None
        number = self.connection.execute("SELECT id FROM library_system WHERE system = ?", (system,)).fetchone()
        return self.shelves.shelf(number[0] if number else 0, [version.id for version in standing(self.of(system))])

    def of(self, system: str) -> list[LibraryVersion]:
        """Return a system's released versions, oldest first."""
        return [version for version in self.versions() if version.system == system]

    def library(self, system: str) -> Iterator[tuple[str, str, str, str, str, str]]:
        """Yield (code, name, begndate, enddate, vali_flag, gray) of a library's records in force."""
        versions = standing(self.of(system))
        query = "SELECT code, name, begndate, enddate, vali_flag, gray FROM library_record WHERE id BETWEEN ? AND ?"
        seen: set[str] = set()
        for version in reversed(versions):
            oldest = version is versions[0]  # nothing comes after it, so its codes need not be remembered
            for row in self.connection.execute(query, (version.first, version.last)):
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
        taken: dict[str, int] = {}
        for batch in reversed(batches):
            refused, oldest = self._refused(batch), batch is batches[0]  # nothing comes after the oldest
            for row in self.connection.execute(_ROWS, (batch.id,)):
                if row[5] in refused:
                    continue
                owner = taken.get(row[0], batch.id) if oldest else taken.setdefault(row[0], batch.id)
                if owner == batch.id:
                    yield row

    def rows(self, batch: Batch) -> Iterator[Chosen]:
        """Yield every row of a proposal, in or out of force."""
        yield from self.connection.execute(_ROWS, (batch.id,))

    def undecided(self, batch: Batch) -> set[int]:
        """Return the lines of a proposal that no approval took yet."""
        if batch.approvals:
            return self._refused(batch)
        return {line for (line,) in self.connection.execute("SELECT line FROM mapping WHERE batch = ?", (batch.id,))}

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

    def history(self, institution: str, system: str) -> list[tuple[int, str, str, int, str]]:
        """Return (at_ms, who, what, reference, detail), oldest first."""
        return self.connection.execute(_AUDIT, (institution, system, system)).fetchall()


def _nothing() -> sqlite3.Connection:
    """Return an empty store in memory with the tables the queries name."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(
        """
        CREATE TABLE library (id, system, ver, source, operator, kind, whole, columns);
        CREATE TABLE library_system (id, system);
        CREATE TABLE library_record (id, library, code, name, begndate, enddate, vali_flag, gray, replaced_by, line);
        CREATE TABLE library_raw (record, raw);
        CREATE TABLE library_code (system, code, library, record);
        CREATE TABLE release (library, count, at_ms, first, last, worded, digest);
        CREATE TABLE batch (id, institution, system, maker, source);
        CREATE TABLE proposal (batch, count, at_ms);
        CREATE TABLE mapping (batch, line, local_code, national_code, valid_from, valid_to, evidence);
        CREATE TABLE review (id, batch); CREATE TABLE refusal (review, line); CREATE TABLE approval (review);
        CREATE TABLE audit (id, at_ms, who, what, institution, system, reference, detail);
        """
    )
    return connection
