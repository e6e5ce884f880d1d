"""Settlements in the journal that need a settlement list: those of stays and of the kinds of treatment a region names.

Found by the range of their business key, which the index of live keys holds: what failed or was cancelled is not in it.
"""

from collections.abc import Iterator, Sequence

import attrs

from adapters.store.journal_reader import JournalReader

STAY = "2304"
_INFNOS = (STAY, "2207")
_ROWS = """
    SELECT o.setl_id, j.infno, j.med_type, j.created_ms,
        coalesce(json_extract(nullif(o.settled, ''), '$.setl_time'), '') AS setl_time
    FROM journal j JOIN outcome o ON o.journal_id = j.id
    WHERE j.business_key > ? AND j.business_key < ? AND j.business_key <> '' AND j.live = 1 AND j.cancelled = 0
    AND j.state IN ('ACKED', 'CONFIRMED', 'EXTERNAL') AND o.setl_id <> ''
"""


@attrs.frozen
class Settled:
    """A settlement in force. setl_time: as the platform says it, '' = it does not."""

    setl_id: str
    infno: str
    med_type: str
    created_ms: int
    setl_time: str


def settled(journal: JournalReader, institution: str, med_types: Sequence[str]) -> Iterator[Settled]:
    """Yield an institution's settlements that need a list: of these kinds, and stays whose kind nobody told."""
    for infno in _INFNOS:
        prefix = f"{infno}|{institution}|"
        for row in journal.connection.execute(_ROWS, (prefix, prefix + "\U0010ffff")):
            one = Settled(*row)
            if one.med_type in med_types or (infno == STAY and not one.med_type):
                yield one
