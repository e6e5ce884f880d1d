"""What people ask of the national libraries: one code's history, a search, a whole version, two versions compared.

Plain rows out; what they mean is decided in the codes room. Everything streams: no question holds a library in memory.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

import attrs

from adapters.store.codes_reader import CodesReader, LibraryVersion, standing

_COLUMNS = "r.library, r.code, r.name, r.begndate, r.enddate, r.vali_flag, r.gray, r.replaced_by, r.line, w.raw"
_RECORD = "library_record r JOIN library_raw w ON w.record = r.id"
_BY_CODE = (
    f"SELECT {_COLUMNS} FROM library_code c JOIN {_RECORD} "  # noqa: S608
    "WHERE r.id = c.record AND c.system = ? AND c.code = ? ORDER BY c.library DESC"
)
_BY_WORDS = (
    f"SELECT {_COLUMNS} FROM library_words JOIN {_RECORD} "  # noqa: S608
    "WHERE r.id = library_words.rowid AND library_words MATCH ? AND library_words.rowid BETWEEN ? AND ? "
    "ORDER BY library_words.rowid"
)
_BY_SCAN = f"SELECT {_COLUMNS} FROM {_RECORD} WHERE r.id BETWEEN ? AND ?"  # noqa: S608
_BY_ID = f"SELECT {_COLUMNS} FROM {_RECORD} WHERE r.id = ?"  # noqa: S608
_CODES = "SELECT code, library, record FROM library_code WHERE system = ? ORDER BY code, library"
_FROM = (
    "SELECT code, library, record FROM library_code WHERE system = ? AND code >= ? AND code < ? ORDER BY code, library"
)
_PAST = "\U0010ffff"


@attrs.frozen
class StoredRecord:
    """One record as it was imported. Dates yyyy-MM-dd, '' = open; raw: the file's other columns, JSON."""

    library: int
    code: str
    name: str
    begndate: str
    enddate: str
    vali_flag: str
    gray: str
    replaced_by: str
    line: int
    raw: str


@attrs.define(eq=False)
class LibraryLook:
    """One system's libraries within one consistent look."""

    reader: CodesReader
    system: str
    number: int
    versions: tuple[LibraryVersion, ...]

    @classmethod
    def of(cls, reader: CodesReader, system: str) -> "LibraryLook":
        found = reader.connection.execute("SELECT id FROM library_system WHERE system = ?", (system,)).fetchone()
        return cls(reader, system, found[0] if found else 0, tuple(reader.of(system)))

    def up_to(self, ver: str = "") -> list[LibraryVersion]:
        """Return the versions that count at a version's release, oldest first; '' = now. Raises KeyError."""
        if not ver:
            return standing(self.versions)
        at = [number for number, version in enumerate(self.versions) if version.ver == ver]
        if not at:
            raise KeyError(ver)
        return standing(self.versions[: at[-1] + 1])

    def cursor(self) -> str:
        """Return the version to ask the platform's next download from: that of the last imported file."""
        return next((version.ver for version in reversed(self.versions) if version.kind == "import"), "")

    def history(self, code: str) -> list[StoredRecord]:
        """Return every version's record of a code, newest first."""
        return [StoredRecord(*row) for row in self._execute(_BY_CODE, (self.number, code))]

    def find(self, code: str, versions: Sequence[LibraryVersion]) -> StoredRecord | None:
        """Return a code's record at some versions."""
        known = {version.id for version in versions}
        return next((record for record in self.history(code) if record.library in known), None)

    def records(self, versions: Sequence[LibraryVersion], prefix: str = "") -> Iterator[StoredRecord]:
        """Yield the records at some versions whose code starts with the prefix, in the order of the codes."""
        known = {version.id for version in versions}
        found = self._execute(_FROM, (self.number, prefix, prefix + _PAST))
        for _, rows in groupby(found, key=lambda row: str(row[0])):
            newest = [row[2] for row in rows if row[1] in known]
            if newest:
                yield StoredRecord(*self._execute(_BY_ID, (newest[-1],)).fetchone())

    def search(self, prefix: str, match: str, fits: Callable[[StoredRecord], bool], most: int) -> list[StoredRecord]:
        """Return up to `most` records in force: codes that start with the prefix, then names by the index's question.

        fits: says of a record the index or a scan offers whether it is meant.
        """
        versions = standing(self.versions)
        found: dict[str, StoredRecord] = {}
        if prefix:
            for record in self.records(versions, prefix):
                found[record.code] = record
                if len(found) >= most:
                    return list(found.values())
        for record in self._by_words(versions, match, fits):
            found.setdefault(record.code, record)
            if len(found) >= most:
                break
        return list(found.values())

    def _by_words(
        self, versions: Sequence[LibraryVersion], match: str, fits: Callable[[StoredRecord], bool]
    ) -> Iterator[StoredRecord]:
        known = {version.id for version in versions}
        newest = versions[-1].id if versions else 0
        for version in reversed(versions):
            if version.worded and not match:
                continue
            rows = (
                self._execute(_BY_WORDS, (match, version.first, version.last))
                if version.worded
                else self._execute(_BY_SCAN, (version.first, version.last))  # it came before there was an index
            )
            for row in rows:
                record = StoredRecord(*row)
                if fits(record) and (record.library == newest or self._stands(record, known)):
                    yield record

    def _stands(self, record: StoredRecord, known: set[int]) -> bool:
        """Say whether no later version took over a record's code."""
        query = "SELECT library FROM library_code WHERE system = ? AND code = ? AND library > ?"
        return not any(row[0] in known for row in self._execute(query, (self.number, record.code, record.library)))

    def differing(
        self, before: Sequence[LibraryVersion], after: Sequence[LibraryVersion]
    ) -> Iterator[tuple[StoredRecord | None, StoredRecord | None]]:
        """Yield (old record, new record) of every code that is another record after than before; None = has none."""
        old_ids, new_ids = ({version.id for version in versions} for versions in (before, after))
        for _, rows in groupby(self._execute(_CODES, (self.number,)), key=lambda row: str(row[0])):
            old = new = 0
            for _, library, record in rows:  # later versions win
                old = record if library in old_ids else old
                new = record if library in new_ids else new
            if old != new:
                yield self._by_id(old), self._by_id(new)

    def _by_id(self, record: int) -> StoredRecord | None:
        return StoredRecord(*self._execute(_BY_ID, (record,)).fetchone()) if record else None

    def lives(self) -> Iterator[tuple[str, list[int]]]:
        """Yield every code with the versions that hold it, oldest first."""
        for code, rows in groupby(self._execute(_CODES, (self.number,)), key=lambda row: str(row[0])):
            yield code, [row[1] for row in rows]

    def trail(self) -> list[tuple[int, str, str, int, str]]:
        """Return (at_ms, who, what, reference, detail) of everything done to the library, oldest first."""
        query = (
            "SELECT at_ms, who, what, reference, detail FROM audit WHERE institution = '' AND system = ? ORDER BY id"
        )
        return self._execute(query, (self.system,)).fetchall()

    def _execute(self, query: str, values: Sequence[object]) -> sqlite3.Cursor:
        return self.reader.connection.execute(query, values)


def columns_of(version: LibraryVersion) -> frozenset[str]:
    """Return the titles a version's file had; an empty cell of them is empty, any other is not known."""
    return frozenset(json.loads(version.columns))
