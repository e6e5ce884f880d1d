"""Looking into a journal without touching it: `liangding journal`. A node may be writing it meanwhile."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import attrs

from adapters.store.sqlite_batch import LIVE_SAF, saf_of
from adapters.store.sqlite_reads import SELECT, entry_of, first_since, look_up
from adapters.store.verify import findings
from gateway.core.model import Compared, Entry, Numbered, Page, Saf

PAGE_IDS = 5_000  # journal rows one look passes over
_QUEUE = f"{LIVE_SAF.partition(' WHERE ')[0]} WHERE id = ? OR original_id = ? ORDER BY opened_ms DESC LIMIT 1"
# The states are those of the index.
ASKED_BACK = (
    f"{SELECT} WHERE state IN ('JOURNALED', 'SENT', 'IN_DOUBT', 'REVERSING', 'MANUAL') AND klass = 'R' "
    "AND business_key = '2601|' || fixmedins_code || '|' || omsgid ORDER BY id"
)


class NotAJournal(Exception):
    """The file is not a journal, or is damaged. str: why, as SQLite says it."""


@attrs.frozen
class JournalReader:
    """A journal opened read-only. What cannot be read raises NotAJournal."""

    connection: sqlite3.Connection

    def rows(
        self, institution: str = "", msgid: str = "", states: Sequence[str] = (), since_ms: int = 0, limit: int = 1000
    ) -> list[Entry]:
        """Return the newest rows that fit every filter given."""
        wheres, values = ["created_ms >= ?"], [str(since_ms)]
        for column, value in (("fixmedins_code", institution), ("msgid", msgid)):
            if value:
                wheres.append(f"{column} = ?")
                values.append(value)
        if states:
            wheres.append(f"state IN ({','.join('?' * len(states))})")
            values += states
        # Only constants and question marks are put together; every value is a parameter.
        query = f"{SELECT} WHERE {' AND '.join(wheres)} ORDER BY id DESC LIMIT ?"
        return [entry_of(row) for row in self.connection.execute(query, (*values, limit))]

    def events(self, entry: Entry) -> list[tuple[int, int, str, str]]:
        """Return (number in the chain, at_ms, state, reason) of everything that happened to a row."""
        query = "SELECT number, at_ms, state, reason FROM journal_event WHERE journal_id = ? ORDER BY number"
        return list(self.connection.execute(query, (entry.id,)))

    def evidence(self, entry: Entry) -> list[tuple[str, str, str, str, str, str]]:
        """Return what was translated in a row's request."""
        columns = "path, system, local_code, national_code, version, day"
        query = f"SELECT {columns} FROM evidence WHERE journal_id = ? ORDER BY n"  # noqa: S608
        return list(self.connection.execute(query, (entry.id,)))

    def settlements(self, since_ms: int, until_ms: int, pages: int = PAGE_IDS) -> Iterator[list[Entry]]:
        """Yield the settlements and refunds (class M) made from since_ms to before until_ms, a page at a time.

        Each page is one short look (design §3: at most 250 ms): nothing holds the journal's log between them.
        """
        first, last = first_since(self.connection, since_ms), first_since(self.connection, until_ms)
        for low in range(first, last, pages):
            query = f"{SELECT} WHERE id >= ? AND id < ? AND klass = 'M' ORDER BY id"
            found = self.connection.execute(query, (low, min(last, low + pages))).fetchall()
            yield [entry_of(row) for row in found]

    def numbered(self, institution: str, setl_id: str) -> list[Entry]:
        """Return an institution's settlements and refunds with a setl_id, newest first."""
        op = Numbered(fixmedins_code=institution, setl_id=setl_id)
        found = look_up(self.connection, op)
        return list(found.rows) if isinstance(found, Page) else []

    def keyed(self, business_key: str) -> Entry | None:
        """Return the live row with a business key: what a refund that names no settlement gives back."""
        query = f"{SELECT} WHERE business_key = ? AND business_key <> '' AND live = 1"
        row = self.connection.execute(query, (business_key,)).fetchone()
        return None if row is None else entry_of(row)

    def groups(self, since_ms: int) -> list[tuple[str, str, str]]:
        """Return (institution, clr_optins, clr_type) that had settlements since then (§3.1: 400 days)."""
        query = (
            "SELECT DISTINCT fixmedins_code, clr_optins, clr_type FROM settled_kind WHERE last_ms >= ? ORDER BY 1, 2, 3"
        )
        return [
            (str(code), str(optins), str(kind)) for code, optins, kind in self.connection.execute(query, (since_ms,))
        ]

    def reversals(self, entry: Entry) -> list[Entry]:
        """Return every 2601 that names a row as its original: the gateway's sendings and the institution's own."""
        query = f"{SELECT} WHERE fixmedins_code = ? AND omsgid = ? AND omsgid <> '' AND klass = 'R' ORDER BY id"
        return [entry_of(row) for row in self.connection.execute(query, (entry.fixmedins_code, entry.msgid))]

    def taken_back_by(self, record: Entry) -> Entry:
        """Return what a record takes back: what a 2601 names and the journal has, else the record itself."""
        named = self.rows(record.fixmedins_code, record.omsgid, limit=1) if record.omsgid else []
        return named[0] if named else record

    def asked_back(self) -> list[Entry]:
        """Return the institutions' own 2601 that have not come to an end. Orders of the books have another key, and
        sendings none.
        """
        return [entry_of(row) for row in self.connection.execute(ASKED_BACK)]

    def queue(self, entry: Entry) -> Saf | None:
        """Return the newest row of the queue of reversals that ends with a row or reverses it."""
        row = self.connection.execute(_QUEUE, (entry.id, entry.id)).fetchone()
        return None if row is None else saf_of(row)

    def compared(self) -> list[Compared]:
        """Return what a recovery from a backup asked of every platform, by institution."""
        query = "SELECT * FROM restored_asked ORDER BY fixmedins_code, link"
        return [
            Compared(
                fixmedins_code=code, link=link, at_ms=at_ms, theirs=theirs, unnamed=unnamed,
                days=(date.fromisoformat(first), date.fromisoformat(last)),
                groups=tuple((optins, clr_type) for optins, clr_type in json.loads(groups)),
            )
            for code, link, at_ms, first, last, groups, theirs, unnamed in self.connection.execute(query)
        ]  # fmt: skip

    def findings(self) -> tuple[int, list[str]]:
        """Recompute the chain: return (events, one Chinese sentence a fault)."""
        found = list(findings(self.connection))
        return self.connection.execute("SELECT count(*) FROM journal_event").fetchone()[0], found


@contextmanager
def reading(path: Path) -> Iterator[JournalReader]:
    """Open a journal for reading; whatever SQLite raises meanwhile becomes NotAJournal."""
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    except sqlite3.Error as cause:
        raise NotAJournal(str(cause)) from cause
    try:
        yield JournalReader(connection)
    except sqlite3.Error as cause:
        raise NotAJournal(str(cause)) from cause
    finally:
        connection.close()
