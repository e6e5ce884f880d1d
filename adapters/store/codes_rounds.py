"""The part of the codes store that holds catalogue rounds (schemas/migrations/codes/0005.sql). Plain rows in and out.

A round is begun, filled in short transactions, and open by its last row; so is a list of prices. What has no last row
is swept by the next writer.
"""

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

import attrs

from adapters.store.codes import CodesWriter, Deed, pieces

# institution, local, national, name, kind, last day, replaced by, detail
ItemCells = tuple[str, str, str, str, str, str, str, str]
VersionCells = tuple[str, str, str, str, str, str]  # name, begndate, enddate, vali_flag, gray, raw

_ROUNDS = """
    SELECT catalogue_round.id, catalogue_round.system, catalogue_round.library, library.ver, due, maker,
        round_opened.at_ms,
        (SELECT reason FROM round_withdrawn WHERE round = catalogue_round.id)
    FROM catalogue_round JOIN round_opened ON round_opened.round = catalogue_round.id
    JOIN library ON library.id = catalogue_round.library ORDER BY catalogue_round.id
"""
_CELLS = (
    "SELECT r.name, r.begndate, r.enddate, r.vali_flag, r.gray, w.raw FROM library l "
    "JOIN library_system s ON s.system = l.system "
    "JOIN library_code c ON c.system = s.id AND c.code = ?2 AND c.library = l.id "
    "JOIN library_record r ON r.id = c.record JOIN library_raw w ON w.record = r.id WHERE l.id = ?1"
)
_VERSION = (
    "SELECT r.code, r.name, r.begndate, r.enddate, r.vali_flag, r.gray, w.raw FROM release "
    "JOIN library_record r ON r.id BETWEEN release.first AND release.last "
    "JOIN library_raw w ON w.record = r.id WHERE release.library = ?"
)
# The lists of the rounds that still stand, oldest first.
_LISTS = """
    SELECT {column} FROM round_opened WHERE {column} <> 0
    AND round NOT IN (SELECT round FROM round_withdrawn) ORDER BY round
"""
_APPROVED = """
    SELECT review.batch, max(approval.at_ms) FROM approval JOIN review ON review.id = approval.review
    JOIN batch ON batch.id = review.batch WHERE batch.institution = ? AND batch.system = ? GROUP BY review.batch
"""
_ITEM = "INSERT INTO round_item VALUES (?,?,?,?,?,?,?,?,?,?)"


@attrs.frozen
class RoundRow:
    """One open round. withdrawn: the reason, None = it stands."""

    id: int
    system: str
    library: int
    ver: str
    due: str
    maker: str
    at_ms: int
    withdrawn: str | None


class RoundsWriter(CodesWriter):
    """The codes store's only writer, for catalogue rounds."""

    @classmethod
    def begin(cls, path: Path, scripts: Iterable[tuple[str, bytes]]) -> "RoundsWriter":
        """Open as CodesWriter.open does, and with what it raises."""
        writer = cls.open(path, scripts)
        assert isinstance(writer, cls)
        return writer

    def begin_list(self, kind: str, source: str, deed: Deed) -> int:
        values = (kind, source, deed.who, deed.at_ms)
        return self._begin("INSERT INTO price_list (kind,source,operator,begun_ms) VALUES (?,?,?,?)", values)

    def add_prices(self, number: int, rows: Iterable[tuple[str, str, str]]) -> int:
        """Add (code, whose, value); return how many."""
        count = 0
        for piece in pieces((number, seq, *row) for seq, row in enumerate(rows)):
            with self.transaction() as connection:
                connection.executemany("INSERT INTO price_row VALUES (?,?,?,?,?)", piece)
            count += len(piece)
        return count

    def close_list(self, number: int, count: int, digest: str, deed: Deed) -> None:
        """Make a list whole: its last row."""
        with self.transaction() as connection:
            connection.execute("INSERT INTO price_listed VALUES (?,?,?,?)", (number, count, digest, deed.at_ms))

    def begin_round(self, system: str, library: int, due: str, deed: Deed) -> int:
        values = (system, library, due, deed.who, deed.at_ms)
        return self._begin("INSERT INTO catalogue_round (system,library,due,maker,begun_ms) VALUES (?,?,?,?,?)", values)

    def add_items(self, number: int, items: Iterable[ItemCells]) -> int:
        """Add the lists of all institutions; return how many lines."""
        count = 0
        for piece in pieces((number, seq, *item) for seq, item in enumerate(items)):
            with self.transaction() as connection:
                connection.executemany(_ITEM, piece)
            count += len(piece)
        return count

    def open_round(self, number: int, count: int, lists: tuple[int, int], deed: Deed) -> None:
        """Open a round: the one last row. lists: of ratios and limits, 0 = none."""
        with self.transaction() as connection:
            connection.execute("INSERT INTO round_opened VALUES (?,?,?,?,?)", (number, count, *lists, deed.at_ms))

    def fetched(self, number: int, institution: str, way: str, deed: Deed) -> None:
        """Keep that an institution was given its list."""
        values = (number, institution, deed.who, way, deed.at_ms)
        self._begin("INSERT INTO round_fetch (round,institution,who,way,at_ms) VALUES (?,?,?,?,?)", values)

    def withdraw(self, number: int, reason: str, deed: Deed) -> None:
        self._begin("INSERT INTO round_withdrawn VALUES (?,?,?,?)", (number, deed.who, reason, deed.at_ms))


@attrs.frozen(eq=False)
class RoundsReader:
    """Looks at rounds through an open look at the codes store; a store without the tables reads as empty."""

    connection: sqlite3.Connection

    def rounds(self) -> list[RoundRow]:
        """Return every open round, withdrawn ones too, oldest first."""
        there = self.connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'catalogue_round'").fetchone()
        return [RoundRow(*row) for row in self.connection.execute(_ROUNDS)] if there else []

    def items(self, number: int, institution: str = "") -> Iterator[ItemCells]:
        """Yield the lines of a round, of one institution or of all, institution by institution."""
        query = (
            "SELECT institution, local_code, national_code, name, kind, last_day, replaced_by, detail FROM round_item "
            "WHERE round = ?1 AND (institution = ?2 OR ?2 = '') ORDER BY seq"
        )
        yield from self.connection.execute(query, (number, institution))

    def fetches(self, number: int) -> dict[str, int]:
        """Return institution -> when it first got its list."""
        query = "SELECT institution, min(at_ms) FROM round_fetch WHERE round = ? GROUP BY institution"
        return dict(self.connection.execute(query, (number,)).fetchall())

    def approved(self, institution: str, system: str) -> dict[int, int]:
        """Return batch -> when its rows last came into force."""
        return dict(self.connection.execute(_APPROVED, (institution, system)).fetchall())

    def version(self, library: int, wanted: Collection[str]) -> Iterator[tuple[str, VersionCells]]:
        """Yield (code, cells) of the wanted codes in one version of a library."""
        for code, *cells in self.connection.execute(_VERSION, (library,)):
            if code in wanted:
                yield code, (cells[0], cells[1], cells[2], cells[3], cells[4], cells[5])

    def newest(self, libraries: Sequence[int], code: str) -> VersionCells | None:
        """Return a code's cells in the newest of some versions that holds it; libraries: newest first."""
        for library in libraries:
            row = self.connection.execute(_CELLS, (library, code)).fetchone()
            if row is not None:
                return (row[0], row[1], row[2], row[3], row[4], row[5])
        return None

    def told_lists(self, kind: str) -> list[int]:
        """Return the lists of ratios or limits that were told with a round, oldest first."""
        column = "ratios" if kind == "ratio" else "limits"
        return [number for (number,) in self.connection.execute(_LISTS.format(column=column))]

    def prices(self, number: int, wanted: Collection[str]) -> Iterator[tuple[str, str, str]]:
        """Yield (code, whose, value) of the wanted codes in one list, in the order of the file."""
        query = "SELECT code, label, value FROM price_row WHERE list = ? ORDER BY seq"
        yield from (row for row in self.connection.execute(query, (number,)) if row[0] in wanted)
