"""Which day files are needed no more: replaced long ago, and never compared by a run in force. What a run used is
evidence and stays, and so does the newest file of every date."""

import sqlite3
from collections.abc import Sequence

import attrs

from adapters.store.books_trail import BooksTrail
from adapters.store.transaction import transaction

# A file may have been handed in more than once: it goes when every one of its notes is replaced, and none was used.
_NEEDED = """
    EXISTS (SELECT 1 FROM run_input WHERE run_input.input = same.id)
    OR NOT EXISTS (
        SELECT 1 FROM input AS later WHERE later.biz_date = same.biz_date AND later.ledger = same.ledger
        AND later.scope = same.scope AND later.id > same.id AND later.at_ms < :before
    )
"""
_REPLACED = f"""
    SELECT old.id, old.path FROM input AS old WHERE old.ledger = 'INST' AND old.at_ms < :before
    AND NOT EXISTS (SELECT 1 FROM input_pruned WHERE input_pruned.input = old.id)
    AND NOT EXISTS (
        SELECT 1 FROM input AS same WHERE same.biz_date = old.biz_date AND same.ledger = old.ledger
        AND same.scope = old.scope AND same.path = old.path AND ({_NEEDED})
    )
    ORDER BY old.id LIMIT :most
"""


@attrs.frozen
class BooksPruning:
    """The tables of one connection."""

    connection: sqlite3.Connection

    def replaced(self, before_ms: int, most: int) -> list[tuple[int, str]]:
        """Return (input, path below the data directory) of files that were replaced before a moment and that no run
        used; several inputs may name one path."""
        found = self.connection.execute(_REPLACED, {"before": before_ms, "most": most})
        return [(int(number), str(path)) for number, path in found]

    def pruned(self, inputs: Sequence[int], now_ms: int, files: int, size: int) -> None:
        """Note that the bytes of inputs are gone, with one entry for the audit trail. files, size: what went now."""
        with transaction(self.connection):
            self.connection.executemany(
                "INSERT INTO input_pruned VALUES (?,?) ON CONFLICT DO NOTHING", [(one, now_ms) for one in inputs]
            )
            BooksTrail(self.connection).pruned(len(inputs), files, size, now_ms)
