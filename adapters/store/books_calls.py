"""What was told to the province, kept as it left: the key of a call, its exact content, and the actions it carries.

An interrupted call is sent again with its key and its content, whatever the books would say by now (specification §6.4:
the same key with other content is a conflict at the party). Kept in the transaction that makes its actions SENT.
"""

import sqlite3
from collections.abc import Sequence

import attrs

from adapters.store.transaction import transaction


class Moved(Exception):
    """Somebody else moved one of the actions meanwhile; nothing was written."""


@attrs.frozen
class Call:
    """A call that left, or may have. content: JSON text."""

    key: str
    content: str
    action_ids: tuple[str, ...]


@attrs.frozen
class BooksCalls:
    """The tables of one connection."""

    connection: sqlite3.Connection

    def send(self, call: Call, now_ms: int) -> None:
        """Keep a call and make its actions SENT, durably, before anything leaves. Raises Moved."""
        with transaction(self.connection):
            self.connection.execute("INSERT INTO province_call VALUES (?,?,?)", (call.key, call.content, now_ms))
            for one in call.action_ids:
                self.connection.execute("INSERT INTO province_call_action VALUES (?,?)", (one, call.key))
                moved = self.connection.execute(
                    "UPDATE action SET state = 'SENT', receipt = ?, changed_ms = ? WHERE action_id = ? "
                    "AND state IN ('PLANNED', 'SENT', 'IN_DOUBT')",
                    (call.key, now_ms, one),
                )
                if moved.rowcount != 1:
                    raise Moved(one)

    def carrying(self, action_ids: Sequence[str]) -> list[Call]:
        """Return the calls that carry any of some actions, oldest first, each whole."""
        keys: dict[str, None] = {}
        for one in action_ids:
            row = self.connection.execute(
                "SELECT call_key FROM province_call_action WHERE action_id = ?", (one,)
            ).fetchone()
            if row is not None:
                keys[str(row[0])] = None
        return [self._call(key) for key in keys]

    def _call(self, key: str) -> Call:
        content = self.connection.execute("SELECT content FROM province_call WHERE call_key = ?", (key,)).fetchone()[0]
        query = "SELECT action_id FROM province_call_action WHERE call_key = ? ORDER BY action_id"
        return Call(key, str(content), tuple(str(one) for (one,) in self.connection.execute(query, (key,))))
