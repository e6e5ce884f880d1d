"""When a difference becomes a case, and when a case that was decided is people's again."""

import sqlite3

import attrs


@attrs.frozen(kw_only=True)
class Opening:
    """A case that is wanted. changed: the difference is another than was decided of; seen_ms: when the other side was
    looked at; vain_ms: what was fed back before it was in vain, 0 = the party still has time; until_ms: T+3."""

    diff_id: str
    mode: str
    at_ms: int
    until_ms: int
    changed: bool
    seen_ms: int
    vain_ms: int


# A case opens again when its difference came back, when it is another than was decided of, or when what was decided was
# in vain: it came to its end, and whoever looked at the other side afterwards found the difference still there. What a
# party puts right by itself (VOID, BOOK, CORRECT) has time until T+3; then it is in vain even if nobody fetched it.
_OPEN = """
    INSERT INTO recon_case (diff_id, mode, state, opened_ms, until_ms, changed_ms)
    VALUES (:diff_id, :mode, 'OPEN', :at_ms, :until_ms, :at_ms)
    ON CONFLICT (diff_id) DO UPDATE SET state = 'OPEN', decision = '', mode = excluded.mode,
    changed_ms = excluded.changed_ms WHERE recon_case.state = 'CLOSED' OR (recon_case.state = 'DECIDED' AND
    (:changed OR coalesce((
        SELECT changed_ms < CASE WHEN kind = 'REVERSE' THEN :seen_ms WHEN kind = 'FEEDBACK' OR :at_ms >= :until_ms
        THEN :vain_ms ELSE 0 END AND (state IN ('DONE', 'FAILED') OR (kind <> 'REVERSE' AND :at_ms >= :until_ms))
        FROM action WHERE action.diff_id = recon_case.diff_id ORDER BY created_ms DESC, attempt DESC LIMIT 1
    ), 0)))
"""
# What takes two now, one may not decide, whoever it was shown to before.
_STRICTER = """
    UPDATE recon_case SET mode = 'TWO', changed_ms = :at_ms
    WHERE diff_id = :diff_id AND mode = 'ONE' AND state IN ('OPEN', 'PROPOSED') AND :mode = 'TWO'
"""


def open_case(connection: sqlite3.Connection, one: Opening) -> None:
    """Open a case, or open it again, in the transaction under way; one that is open may only become stricter."""
    values = attrs.asdict(one)
    connection.execute(_OPEN, values)
    connection.execute(_STRICTER, values)
