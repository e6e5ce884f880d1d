"""Which codes real requests used, from the journal's evidence rows (annex X34): no person, no body, only codes.

Read-only; a node may be writing the journal meanwhile. Everything streams.
"""

from collections.abc import Iterator

import attrs
import msgspec

from adapters.store.journal_reader import JournalReader

_ROWS = (
    "SELECT p.journal_id, j.fixmedins_code, j.created_ms, p.rows FROM evidence_packed p "
    "JOIN journal j ON j.id = p.journal_id WHERE j.created_ms >= ? ORDER BY p.journal_id"
)


@attrs.frozen
class Use:
    """One code one request used. system '' of an item the institution sent with both codes itself: `item`."""

    request: int
    institution: str
    at_ms: int
    system: str
    local: str
    national: str
    day: str


def uses(journal: JournalReader, since_ms: int) -> Iterator[Use]:
    """Yield every use since a moment, in the order of the requests. Raises NotAJournal inside `reading`."""
    decode = msgspec.json.Decoder(tuple[tuple[str, str, str, str, str, str], ...]).decode
    for request, institution, at_ms, rows in journal.connection.execute(_ROWS, (since_ms,)):
        for _, system, local, national, _, day in decode(rows):
            yield Use(request, institution, at_ms, system, local, national, day)
