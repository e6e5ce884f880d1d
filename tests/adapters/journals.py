"""Journals for the store's tests: both implementations, and entries of invented requests."""

from pathlib import Path
from typing import Any

import attrs

import schemas
from adapters.crypto.vault import Vault
from adapters.store.memory import MemoryJournal
from adapters.store.sqlite_journal import SqliteJournal
from gateway.core.model import Accept, Advance, Entry, OpResult, Recall, State

HOME = "H51080200001"
T0_MS = 1_772_409_600_000
KEY = bytes(range(32))
SCRIPTS = list(schemas.read("migrations/journal", ".sql"))


@attrs.define
class Counted:
    """Random bytes of a test: a counter, so that no two nonces are equal."""

    n: int = 0

    def __call__(self, size: int) -> bytes:
        self.n += 1
        return self.n.to_bytes(size, "big")


def open_sqlite(folder: Path, key: bytes = KEY) -> SqliteJournal:
    return SqliteJournal.open(folder / "journal.sqlite", Vault(key, "aes-256-gcm", Counted()), SCRIPTS)


Journal = MemoryJournal | SqliteJournal


@attrs.define
class Book:
    """A journal and a counter of ids, as the exchange uses them."""

    journal: Journal
    next_id: int = 1

    def entry(self, msgid: str, state: State = "SENT", **changes: Any) -> Entry:
        facts: dict[str, Any] = {
            "id": self.next_id, "fixmedins_code": HOME, "msgid": msgid, "infno": "2207", "klass": "M",
            "link": "national", "state": state, "digest": b"d" * 32, "created_ms": T0_MS, "lane": "p|1",
            "psn_no": "1", "mdtrt_id": "V1", "medfee_fen": 12345,
        }  # fmt: skip
        self.next_id += 1
        return Entry(**(facts | changes))

    def do(self, op: Any) -> OpResult:
        (result,) = self.journal.commit([op])
        return result

    def accept(self, msgid: str, state: State = "SENT", **changes: Any) -> Entry:
        """Make a new row; it must be taken."""
        entry = self.entry(msgid, state, **changes)
        found = self.do(Accept(entry=entry))
        assert type(found).__name__ == "Accepted", found
        return entry

    def advance(self, entry: Entry, was: State, to: State, **changes: Any) -> OpResult:
        facts: dict[str, Any] = {"entry": entry, "was": was, "to": to, "at_ms": T0_MS + 5, "reason": "test"}
        return self.do(Advance(**(facts | changes)))

    def state(self, msgid: str) -> str:
        found = self.do(Recall(HOME, msgid))
        return found.entry.state if found is not None else ""  # type: ignore[union-attr]

    def events(self) -> list[tuple[int, str, str]]:
        """(journal id, state, reason) of every event, in order."""
        if isinstance(self.journal, MemoryJournal):
            return [(number, state, reason) for number, _, state, reason in self.journal.events]
        query = "SELECT journal_id, state, reason FROM journal_event ORDER BY number"
        return list(self.journal.connection.execute(query))
