"""The part of the codes store that holds entry requests and what was done to them (schemas/migrations/codes/0005.sql).

Plain rows in and out; what they mean is decided in the codes room. Contents are sealed before they come here and
opened after they left: no name and no number of a person is readable in the file. Every change is one transaction.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import attrs

from adapters.store.codes import CodesReader, CodesWriter
from adapters.store.codes_library_reader import LibraryLook
from adapters.store.codes_reader import standing

ENTRIES_MAX = 1500  # of one filing or one command: with their steps they fit a transaction of 2,000 rows, annex X35

_ENTRY = """
    SELECT duty_entry.id, filing, line, owner, system, action, maker, at_ms, code, division, corrects,
        digest, key_a, key_b
    FROM duty_entry JOIN duty_filing ON duty_filing.id = filing
"""
_STEP = "SELECT entry, step, who, at_ms, code, note, day, export FROM duty_step"
_SAME = f"""
    {_ENTRY} WHERE system = ? AND (key_a <> '' AND key_a IN (?, ?) OR key_b <> '' AND key_b IN (?, ?)
        OR code <> '' AND code = ?)
    ORDER BY duty_entry.id
"""
_CODES = """
    SELECT duty_step.code FROM duty_step JOIN duty_entry ON duty_entry.id = entry
    JOIN duty_filing ON duty_filing.id = filing WHERE duty_step.code <> '' AND system = ?
"""
_RETIRED = """
    SELECT duty_entry.code FROM duty_entry JOIN duty_filing ON duty_filing.id = filing
    JOIN duty_step ON duty_step.entry = duty_entry.id AND step = 'reported' WHERE system = ? AND action = 'retire'
"""


@attrs.frozen
class EntryRow:
    """One entry without its content."""

    id: int
    filing: int
    line: int
    owner: str
    system: str
    action: str
    maker: str
    at_ms: int
    code: str
    division: str
    corrects: int
    digest: str
    key_a: str
    key_b: str


@attrs.frozen
class StepRow:
    """One step of one entry."""

    entry: int
    step: str
    who: str
    at_ms: int
    code: str = ""
    note: str = ""
    day: str = ""
    export: int = 0


@attrs.frozen
class NewEntry:
    """What a filing adds: all but the numbers, and the sealed content."""

    line: int
    code: str
    division: str
    corrects: int
    digest: str
    key_a: str
    key_b: str
    sealed: bytes


@attrs.frozen
class Filing:
    """Who files what."""

    owner: str
    system: str
    action: str
    maker: str
    at_ms: int


class StepRefused(Exception):
    """An entry got another step while this one was being prepared. Look again and decide again; nothing was stored."""


class DutiesWriter(CodesWriter):
    """The codes store's only writer, for entry requests."""

    @classmethod
    def begin(cls, path: Path, scripts: Iterable[tuple[str, bytes]]) -> "DutiesWriter":
        """Open as CodesWriter.open does, and with what it raises."""
        writer = cls.open(path, scripts)
        assert isinstance(writer, cls)
        return writer

    def file(self, filing: Filing, entries: Iterable[NewEntry]) -> tuple[int, list[int]]:
        """Store a filing whole or not at all; return its number and those of its entries."""
        with self.transaction() as connection:
            number = _insert(connection, "duty_filing (owner,system,action,maker,at_ms)", attrs.astuple(filing))
            places = "duty_entry (filing,line,code,division,corrects,digest,key_a,key_b,sealed)"
            return number, [_insert(connection, places, (number, *attrs.astuple(entry))) for entry in entries]

    def add_steps(self, steps: Sequence[StepRow], seen: dict[int, int]) -> None:
        """Add all the steps or none. seen: entry -> how many steps it had when this was decided.

        Raises StepRefused when an entry has other steps by now, or a code to be assigned was assigned before.
        """
        assert len(steps) <= ENTRIES_MAX
        with self.transaction() as connection:
            for entry, count in seen.items():
                found = connection.execute("SELECT count(*) FROM duty_step WHERE entry=?", (entry,)).fetchone()[0]
                if found != count:
                    raise StepRefused(str(entry))
            for step in steps:
                if step.code and connection.execute("SELECT 1 FROM duty_step WHERE code=?", (step.code,)).fetchone():
                    raise StepRefused(str(step.entry))
                _insert(connection, "duty_step (entry,step,who,at_ms,code,note,day,export)", attrs.astuple(step))

    def next_export(self) -> int:
        """Return the number of the next export."""
        return int(self.connection.execute("SELECT coalesce(max(export), 0) + 1 FROM duty_step").fetchone()[0])


def _insert(connection: sqlite3.Connection, place: str, values: Sequence[object]) -> int:
    marks = ",".join("?" * len(values))
    return int(connection.execute(f"INSERT INTO {place} VALUES ({marks})", values).lastrowid or 0)  # noqa: S608


@attrs.frozen(eq=False)
class DutiesReader:
    """Looks at entries through an open look at the codes store; a store without the tables reads as empty."""

    connection: sqlite3.Connection

    @property
    def there(self) -> bool:
        query = "SELECT count(*) FROM sqlite_master WHERE name = 'duty_entry'"
        return bool(self.connection.execute(query).fetchone()[0])

    def entries(self, system: str = "", owner: str = "") -> list[EntryRow]:
        """Return the entries of a register and an owner ('' = all), oldest first."""
        if not self.there:
            return []
        query = f"{_ENTRY} WHERE (system = ?1 OR ?1 = '') AND (owner = ?2 OR ?2 = '') ORDER BY duty_entry.id"
        return [EntryRow(*row) for row in self.connection.execute(query, (system, owner))]

    def by_number(self, first: int, last: int) -> list[EntryRow]:
        """Return the entries numbered first to last."""
        return self._found("duty_entry.id BETWEEN ? AND ?", first, last)

    def of_filing(self, filing: int) -> list[EntryRow]:
        return self._found("filing = ?", filing)

    def of_export(self, export: int) -> list[EntryRow]:
        return self._found("duty_entry.id IN (SELECT entry FROM duty_step WHERE export = ?)", export)

    def _found(self, condition: str, *values: int) -> list[EntryRow]:
        if not self.there:
            return []
        query = f"{_ENTRY} WHERE {condition} ORDER BY duty_entry.id LIMIT {ENTRIES_MAX + 1}"
        return [EntryRow(*row) for row in self.connection.execute(query, values)]

    def same_as(self, system: str, keys: Sequence[str], code: str) -> list[EntryRow]:
        """Return the entries of a register that share a key or are about the code."""
        two = [*keys, "", ""][:2]
        return [EntryRow(*row) for row in self.connection.execute(_SAME, (system, *two, *two, code))]

    def steps(self, entries: Iterable[int]) -> dict[int, list[StepRow]]:
        """Return entry -> its steps, oldest first."""
        wanted = list(entries)
        found: dict[int, list[StepRow]] = {entry: [] for entry in wanted}
        if len(wanted) > ENTRIES_MAX:  # one pass over the table is cheaper than so many looks
            rows = self.connection.execute(f"{_STEP} ORDER BY id")
            for row in rows:
                if row[0] in found:
                    found[row[0]].append(StepRow(*row))
            return found
        for entry in wanted:
            rows = self.connection.execute(f"{_STEP} WHERE entry = ? ORDER BY id", (entry,))
            found[entry] = [StepRow(*row) for row in rows]
        return found

    def records(self, system: str) -> Iterator[tuple[str, str, str, str, str, str, str]]:
        """Yield (code, name, begndate, enddate, vali_flag, gray, raw) of a library's rows in force."""
        look = LibraryLook.of(CodesReader(self.connection), system)
        for one in look.records(standing(look.versions)):
            yield one.code, one.name, one.begndate, one.enddate, one.vali_flag, one.gray, one.raw

    def sealed(self, entry: int) -> bytes:
        """Return the sealed content of an entry."""
        row = self.connection.execute("SELECT sealed FROM duty_entry WHERE id = ?", (entry,)).fetchone()
        return bytes(row[0])

    def any_sealed(self) -> bool:
        """Say whether anything is sealed at all: then a new key would be the wrong one."""
        return self.there and self.connection.execute("SELECT 1 FROM duty_entry LIMIT 1").fetchone() is not None

    def assigned(self, system: str) -> set[str]:
        """Return every code ever assigned here, to entries returned later too."""
        return {code for (code,) in self.connection.execute(_CODES, (system,))} if self.there else set()

    def retired(self, system: str) -> set[str]:
        """Return the codes whose retirement was reported up."""
        return {code for (code,) in self.connection.execute(_RETIRED, (system,))} if self.there else set()
