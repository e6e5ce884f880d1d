"""The codes store as it was: every proposal with its approvals and their times, so that any past day can be judged."""

import sqlite3
from collections.abc import Iterator

PastRow = tuple[str, int, int, str, str, str, str]  # local, batch, line, national, from, to, evidence
PastProposal = tuple[int, int, tuple[tuple[int, frozenset[int]], ...]]  # id, at ms, ((approved ms, lines refused), ...)

_PROPOSALS = """
    SELECT batch.id, proposal.at_ms FROM batch JOIN proposal ON proposal.batch = batch.id
    WHERE batch.institution = ? AND batch.system = ? ORDER BY batch.id
"""
_APPROVALS = """
    SELECT review.id, approval.at_ms FROM review JOIN approval ON approval.review = review.id
    WHERE review.batch = ? ORDER BY review.id
"""
# In the order of the codes, so that all of one code come together and nothing need be held; SQLite sorts them.
_ROWS = """
    SELECT local_code, mapping.batch, line, national_code, valid_from, valid_to, evidence
    FROM batch JOIN proposal ON proposal.batch = batch.id JOIN mapping ON mapping.batch = batch.id
    WHERE batch.institution = ? AND batch.system = ? ORDER BY local_code, mapping.batch, line
"""


def proposed_systems(connection: sqlite3.Connection, institution: str) -> list[str]:
    """Return the systems an institution ever proposed a mapping for."""
    query = "SELECT DISTINCT system FROM batch WHERE institution = ? ORDER BY system"
    return [system for (system,) in connection.execute(query, (institution,))]


def past_proposals(connection: sqlite3.Connection, institution: str, system: str) -> Iterator[PastProposal]:
    """Yield every whole proposal of an institution and system, oldest first."""
    for batch, at_ms in connection.execute(_PROPOSALS, (institution, system)).fetchall():
        approvals = tuple(
            (approved_ms, _refused(connection, review))
            for review, approved_ms in connection.execute(_APPROVALS, (batch,)).fetchall()
        )
        yield batch, at_ms, approvals


def past_rows(connection: sqlite3.Connection, institution: str, system: str) -> Iterator[PastRow]:
    """Yield every row of those proposals, all rows of a local code together."""
    yield from connection.execute(_ROWS, (institution, system))


def targets(connection: sqlite3.Connection, system: str) -> set[str]:
    """Return every national code some institution ever proposed."""
    query = "SELECT DISTINCT national_code FROM mapping JOIN batch ON batch.id = mapping.batch WHERE system = ?"
    return {code for (code,) in connection.execute(query, (system,)) if code}


def newest_proposals(connection: sqlite3.Connection) -> dict[str, int]:
    """Return institution -> id of its newest whole proposal."""
    query = "SELECT institution, max(id) FROM batch JOIN proposal ON proposal.batch = batch.id GROUP BY institution"
    return dict(connection.execute(query).fetchall())


def _refused(connection: sqlite3.Connection, review: int) -> frozenset[int]:
    return frozenset(line for (line,) in connection.execute("SELECT line FROM refusal WHERE review = ?", (review,)))
