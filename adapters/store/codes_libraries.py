"""National libraries in the codes store, as the one writer fills them.

A version is begun, its records are appended in transactions of at most 2,000, its codes are entered in their order, and
its release is the one last row. Appending keeps three million records to sequential writing; entering sorted codes
does the same for the narrow table by which they are found. Until the release nobody sees any of it.

An import that died leaves its records and how far it was, told with every 2,000 of them in the same transaction, as
long as its file had no fault; the same import goes on from there, any other takes it away. So there is never more than
one.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
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
_STAGE = "INSERT INTO library_staged (library, binding, first, last, count, line, ver) VALUES (?,?,?,?,0,0,'')"
_MOVE = "UPDATE library_staged SET last = ?, count = ?, line = ?, ver = ? WHERE library = ?"
_STAGED = (
    "SELECT l.id, y.id, s.first, s.count, s.line, s.ver FROM library_staged s JOIN library l ON l.id = s.library "
    "JOIN library_system y ON y.system = l.system WHERE s.binding = ? AND l.system = ?"
)
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
    """One version being written. kind: 'import' of a file or one 'record' by hand.

    count: records appended; line, ver: how far an import that goes on was, and the newest version named up to there.
    """

    writer: CodesWriter
    system: str
    source: str
    library: int
    number: int  # of the system, in library_system
    first: int
    following: int
    kind: str
    count: int = 0
    line: int = 0
    ver: str = ""

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
        binding: str = "",
    ) -> "LibraryWriter":
        """Begin a version; its name is told at the end. An interrupted import is taken away.

        whole: it leaves nothing of what came before; binding: what it may only be gone on with, '' = it may not.
        """
        writer.abandon_import()
        with writer.transaction() as connection:
            titles = json.dumps(list(columns), ensure_ascii=False)
            values = (system, source, deed.who, deed.at_ms, kind, int(whole), titles)
            library = int(connection.execute(_BEGIN, values).lastrowid or 0)
            connection.execute("INSERT OR IGNORE INTO library_system (system) VALUES (?)", (system,))
            number = connection.execute("SELECT id FROM library_system WHERE system = ?", (system,)).fetchone()[0]
            first = connection.execute(_NEXT).fetchone()[0]
            if binding:
                connection.execute(_STAGE, (library, binding, first, first - 1))
        return cls(writer, system, source, library, number, first, first, kind)

    @classmethod
    def go_on(cls, writer: CodesWriter, system: str, source: str, deed: Deed, binding: str) -> "LibraryWriter | None":
        """Return the import of this binding that was interrupted, None when there is none.

        Who goes on with it answers for it: the version is theirs.
        """
        found = writer.connection.execute(_STAGED, (binding, system)).fetchone()
        if found is None:
            return None
        library, number, first, count, line, ver = found
        with writer.transaction() as connection:
            values = (source, deed.who, deed.at_ms, library)
            connection.execute("UPDATE library SET source = ?, operator = ?, begun_ms = ? WHERE id = ?", values)
            following = connection.execute(_NEXT).fetchone()[0]  # ids that were swept are not used again
        return cls(writer, system, source, library, number, first, following, "import", count, line, ver)

    def add(self, rows: Iterable[RecordCells], newest: Callable[[], str | None] = lambda: None) -> Iterator[int]:
        """Append records; yield the number of them after each transaction.

        newest: the newest version named so far; None = an import that dies from here on is not gone on with from here,
        because the file has a fault that would not be seen again.
        """
        source = iter(rows)
        while piece := list(islice(source, ROWS_MAX)):
            ids = range(self.following, self.following + len(piece))
            numbered = list(zip(ids, piece, strict=True))
            with self.writer.transaction() as connection:
                connection.executemany(_RECORD, ((number, self.library, *row[:8]) for number, row in numbered))
                connection.executemany(_RAW, ((number, row[8]) for number, row in numbered))
                connection.executemany(_WORDS, ((number, row[9]) for number, row in numbered if row[9]))
                if (ver := newest()) is not None:
                    values = (ids[-1], self.count + len(piece), piece[-1][7], ver, self.library)
                    connection.execute(_MOVE, values)
            self.following += len(piece)
            self.count += len(piece)
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
            connection.execute("DELETE FROM library_staged")
            what = "import_library" if self.kind == "import" else "change_record"
            detail = f"{self.source} ver={ver} rows={self.count} sm3={digest}{f' {why}' if why else ''}"
            self.writer.audit(deed, what, ("", self.system), self.library, detail)
