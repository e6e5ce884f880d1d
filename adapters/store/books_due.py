"""What the schedule asks of the books' store: days that are known, that got a file or a decision after their run."""

import sqlite3

import attrs

from adapters.store.books import EVERYWHERE

_LATE = """
    WITH day AS (
        SELECT role, biz_date, (SELECT max(at_ms) FROM recon_run WHERE recon_run.role = recon_day.role
        AND recon_run.biz_date = recon_day.biz_date) AS ran_ms FROM recon_day
        WHERE role = ? AND scope = ? AND state <> 'FROZEN'
    )
    SELECT biz_date, max(at_ms) FROM (
        SELECT day.biz_date, input.at_ms FROM day JOIN input ON input.biz_date = day.biz_date
        WHERE input.who <> 'node' AND (input.scope = 'insured') = (day.role = 'insured') AND input.at_ms > ran_ms
        UNION ALL
        SELECT day.biz_date, input.at_ms FROM day JOIN recon_run AS run ON run.role = day.role
        AND run.biz_date = day.biz_date AND run.at_ms = ran_ms JOIN run_back ON run_back.run_id = run.run_id
        JOIN input ON input.biz_date = run_back.biz_date AND input.scope IN (run_back.institution, '*')
        WHERE input.who <> 'node' AND input.ledger IN ('INST', 'AGY') AND input.at_ms > ran_ms
    ) GROUP BY biz_date
"""
_DECIDED = """
    SELECT coalesce(max(recon_case.changed_ms), 0) FROM diff JOIN recon_case ON recon_case.diff_id = diff.diff_id
    WHERE diff.role = ? AND diff.biz_date = ? AND decision <> '' AND recon_case.state IN ('DECIDED', 'CLOSED')
"""


@attrs.frozen
class BooksDue:
    """The tables of one connection, read only."""

    connection: sqlite3.Connection

    def first(self, role: str) -> str:
        """Return the oldest date the city's books know, '' when they know none."""
        query = "SELECT coalesce(min(biz_date), '') FROM recon_day WHERE role = ? AND scope = ?"
        return str(self.connection.execute(query, (role, EVERYWHERE)).fetchone()[0])

    def late(self, role: str) -> dict[str, int]:
        """Return date -> when its newest file came (ms), of every day not frozen whose file came after its last run, or
        one of an older date in which that looked for what a refund cancels."""
        return {str(day): int(at) for day, at in self.connection.execute(_LATE, (role, EVERYWHERE))}

    def decided_ms(self, role: str, biz_date: str) -> int:
        """Return when people last decided a case of a day, 0 = never."""
        return int(self.connection.execute(_DECIDED, (role, biz_date)).fetchone()[0])
