"""Every list of an institution with where it stands, for the figures: numbers and states, no person."""

import sqlite3
from typing import Any

_LISTED = """
    SELECT examined.setl_id, discharged, dept, errors, coalesce(upload.state, ''),
        coalesce(quality.at_ms >= first.at_ms, 0),
        coalesce(quality.retn_flag, ''), coalesce(quality.at_ms >= upload.at_ms, 0), coalesce(first.back, 0),
        coalesce(first.at_ms, 0)
    FROM visit JOIN examined ON examined.visit = visit.id
    LEFT JOIN upload ON upload.visit = visit.id
    LEFT JOIN (
        SELECT visit, min(CASE WHEN state IN ('uploaded', 'refused') THEN at_ms END) AS at_ms,
            max(state IN ('refused', 'returned')) AS back FROM upload_step GROUP BY visit
    ) AS first ON first.visit = visit.id
    LEFT JOIN quality ON quality.fixmedins_code = visit.fixmedins_code AND quality.setl_id = examined.setl_id
    WHERE visit.fixmedins_code = ?
"""


def listed(connection: sqlite3.Connection, institution: str) -> list[tuple[Any, ...]]:
    """Return all lists of an institution, as gateway.lists.figures.Listed has them."""
    return list(connection.execute(_LISTED, (institution,)))
