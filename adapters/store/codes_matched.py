"""What the platform holds of an institution's mappings, where that was compared and found equal (1317)."""

import sqlite3

from adapters.store.codes_reader import CodesReader
from adapters.store.codes_uploads import local_names

Cells = tuple[str, str, str, str, str]
# cells (local, list type, national, from, to), system, state, first uploaded ms, changed ms
Row = tuple[Cells, str, str, int, int]

# Every system the institution has mappings or uploads of, and when its rows changed last.
_SYSTEMS = """
    SELECT system, max(changed) FROM (
        SELECT system, changed_ms AS changed FROM upload WHERE institution = :institution
        UNION ALL SELECT system, 0 FROM batch WHERE institution = :institution
    ) GROUP BY system
"""
_COMPARED = """
    SELECT local_only + centre_only + different, at_ms FROM comparison
    WHERE institution = ? AND system = ? ORDER BY work_order DESC LIMIT 1
"""
_ROWS = """
    SELECT local_code, list_type, national_code, begndate, enddate, system, state, changed_ms,
        (SELECT min(at_ms) FROM upload_event AS e WHERE e.institution = upload.institution AND e.system = upload.system
         AND e.local_code = upload.local_code AND e.list_type = upload.list_type
         AND e.national_code = upload.national_code AND e.begndate = upload.begndate AND e.state = 'uploaded')
    FROM upload WHERE institution = ? AND state IN ('uploaded', 'cancelling', 'cancelled')
    ORDER BY system, local_code, list_type, national_code, begndate
"""


def agreed(connection: sqlite3.Connection, institution: str, systems: frozenset[str]) -> bool:
    """Say whether the newest comparison of every system (of those 3301 carries) is whole, equal and newer than its
    uploads."""
    found = connection.execute(_SYSTEMS, {"institution": institution}).fetchall()
    known = [(system, changed) for system, changed in found if system in systems]
    for system, changed in known:
        compared = connection.execute(_COMPARED, (institution, system)).fetchone()
        if compared is None or compared[0] or compared[1] < changed:
            return False
    return bool(known)


def standing_rows(connection: sqlite3.Connection, institution: str) -> list[Row]:
    """Return every row the platform took, also those it gave back since."""
    rows = connection.execute(_ROWS, (institution,)).fetchall()
    return [((*row[:5],), row[5], row[6], row[8] or row[7], row[7]) for row in rows]


def names_in_force(reader: CodesReader, institution: str, system: str) -> dict[str, str]:
    """Return local code -> what the institution calls it, where its mapping file says so."""
    names = local_names(reader.connection, institution, system)
    if not names:
        return {}
    chosen = reader.in_force(institution, system)
    return {row[0]: names[row[6], row[5]] for row in chosen if (row[6], row[5]) in names}
