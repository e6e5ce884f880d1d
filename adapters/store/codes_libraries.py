"""National libraries in the codes store, as the one writer fills them.

A version is begun, its records are appended in transactions of at most 2,000, its codes are entered in their order, and
its release is the one last row. Appending keeps three million records to sequential writing; entering sorted codes
does the same for the narrow table by which they are found. Until the release nobody sees any of it; an import that
died is swept by the next writer and starts again from its file.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import attrs

from adapters.store.codes import ROWS_MAX, CodesWriter, Deed

# code, name, begin, end, valid, gray, replaced by, line, raw JSON, words for the index
RecordCells = tuple[str, str, str, str, str, str, str, int, str, str]

_RECORD = "INSERT INTO library_record VALUES (?,?,?,?,?,?,?,?,?,?)"
_RAW = "INSERT INTO library_raw VALUES (?,?)"
_WORDS = "INSERT INTO library_words (rowid, words) VALUES (?,?)"
_CODE = "INSERT OR IGNORE INTO library_code VALUES (?,?,?,?)"
_NEXT = "SELECT coalesce(max(seq), 0) + 1 FROM sqlite_sequence WHERE name = 'library_record'"
_BEGIN = "INSERT INTO library (system, ver, source, operator, begun_ms, kind, whole, columns) VALUES (?,'',?,?,?,?,?,?)"
_RELEASE = (
    "INSERT INTO release (library, count, digest, at_ms, first, last, worded) VALUES (?,?,?,?,?,?,1)"  # all or nothing
)


@attrs.frozen
class Entered:
    """A code on its way into the table by which it is found."""

    code: str
    line: int
    begndate: str
    enddate: str


@attrs.define(eq=False)
class LibraryWriter:
    """One version being written. kind: 'import' of a file or one 'record' by hand."""

    writer: CodesWriter
    system: str
    source: str
    library: int
    number: int  # of the system, in library_system
    first: int
    following: int
    kind: str

    @classmethod
    def begin(
        cls,
        writer: CodesWriter,
        system: str,
        source: str,
        deed: Deed,
        *,
        whole: bool = False,
        kind: str = "import",
        columns: Sequence[str] = (),
    ) -> "LibraryWriter":
        """Begin a version; its name is told at the end. whole: it leaves nothing of what came before."""
        with writer.transaction() as connection:
            titles = json.dumps(list(columns), ensure_ascii=False)
            values = (system, source, deed.who, deed.at_ms, kind, int(whole), titles)
            library = int(connection.execute(_BEGIN, values).lastrowid or 0)
            connection.execute("INSERT OR IGNORE INTO library_system (system) VALUES (?)", (system,))
            number = connection.execute("SELECT id FROM library_system WHERE system = ?", (system,)).fetchone()[0]
            first = connection.execute(_NEXT).fetchone()[0]
        return cls(writer, system, source, library, number, first, first, kind)

    @property
    def count(self) -> int:
        """Return how many records were appended."""
        return self.following - self.first

    def add(self, rows: Iterable[RecordCells]) -> Iterator[int]:
        """Append records; yield the number of them after each transaction."""
        source = iter(rows)
        while piece := list(islice(source, ROWS_MAX)):
            ids = range(self.following, self.following + len(piece))
            numbered = list(zip(ids, piece, strict=True))
            with self.writer.transaction() as connection:
                connection.executemany(_RECORD, ((number, self.library, *row[:8]) for number, row in numbered))
                connection.executemany(_RAW, ((number, row[8]) for number, row in numbered))
                connection.executemany(_WORDS, ((number, row[9]) for number, row in numbered if row[9]))
            self.following += len(piece)
            yield self.count

    def enter(self) -> Iterator[Entered]:
        """Enter every code, in the order of the codes and then of the lines, and yield it.

        The second of two equal codes is yielded and not entered: the caller refuses the import.
        """
        query = (
            "SELECT code, line, begndate, enddate, id FROM library_record WHERE id BETWEEN ? AND ? ORDER BY code, line"
        )
        found = self.writer.connection.execute(query, (self.first, self.following - 1))
        while piece := found.fetchmany(ROWS_MAX):
            with self.writer.transaction() as connection:
                connection.executemany(_CODE, ((self.number, row[0], self.library, row[4]) for row in piece))
            for row in piece:
                yield Entered(row[0], row[1], row[2], row[3])

    def release(self, ver: str, digest: str, deed: Deed, why: str = "") -> None:
        """Bring the version into force: the one last row."""
        with self.writer.transaction() as connection:
            connection.execute("UPDATE library SET ver = ? WHERE id = ?", (ver, self.library))
            values = (self.library, self.count, digest, deed.at_ms, self.first, self.following - 1)
            connection.execute(_RELEASE, values)
            what = "import_library" if self.kind == "import" else "change_record"
            detail = f"{self.source} ver={ver} rows={self.count} sm3={digest}{f' {why}' if why else ''}"
            self.writer.audit(deed, what, ("", self.system), self.library, detail)
