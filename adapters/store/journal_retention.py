"""What of the journal may go after its time: the sealed answers, which alone hold a person's data (annex X34).
Ids, amounts, states and the chain over them stay; the chain does not cover the answers.

For a stopped node: the caller opens the journal, and with it its lock.
"""

import sqlite3

import attrs

from adapters.store.transaction import transaction

ROWS_MAX = 2_000  # of one transaction
# What is still open may need its answer; whoever waits for a person keeps everything.
_DUE = """
    FROM outcome JOIN journal ON journal.id = outcome.journal_id
    WHERE sealed IS NOT NULL AND created_ms < ?
    AND state NOT IN ('JOURNALED', 'SENT', 'IN_DOUBT', 'REVERSING', 'MANUAL')
"""


@attrs.frozen
class SealedAnswers:
    """Answers older than a moment: how many, their bytes, and when the oldest was made (ms, 0 = none)."""

    count: int
    size: int
    oldest_ms: int


def sealed_before(connection: sqlite3.Connection, before_ms: int) -> SealedAnswers:
    """Count what may go. Raises sqlite3.Error."""
    query = f"SELECT count(*), coalesce(sum(length(sealed)), 0), coalesce(min(created_ms), 0) {_DUE}"
    return SealedAnswers(*connection.execute(query, (before_ms,)).fetchone())


def forget_answers(connection: sqlite3.Connection, before_ms: int) -> int:
    """Take the answers away, overwriting their place in the file; return how many. Done again, it goes on where it
    stopped. Raises sqlite3.Error."""
    connection.execute("PRAGMA secure_delete = ON")
    forget = (
        f"UPDATE outcome SET sealed = NULL WHERE journal_id IN "  # noqa: S608
        f"(SELECT outcome.journal_id {_DUE} ORDER BY outcome.journal_id LIMIT {ROWS_MAX})"
    )
    total = 0
    while True:
        with transaction(connection):
            gone = connection.execute(forget, (before_ms,)).rowcount
        total += gone
        if gone < ROWS_MAX:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # nor may they stay in the log
            return total
