"""Whether the books' store tells of two people: a look from another room, whatever the version of the store."""

import sqlite3
from contextlib import closing
from pathlib import Path

# By approval of two people; freezes and corrections know no other way.
_APPROVED = {
    "freeze": "SELECT 1 FROM freeze WHERE approval > 0 LIMIT 1",
    "adjustment": "SELECT 1 FROM adjustment WHERE approval > 0 LIMIT 1",
    "recon_case": "SELECT 1 FROM recon_case WHERE approval > 0 LIMIT 1",
}


def names_approvals(path: Path) -> bool:
    """Say whether a books store holds anything that two people approved; no where there is none, or it is not to be
    read (then the books' own commands say so)."""
    if not path.exists():
        return False
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)) as base:
            base.execute("PRAGMA busy_timeout = 2000")
            base.execute("PRAGMA query_only = ON")
            there = {str(row[0]) for row in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            return any(base.execute(query).fetchone() is not None for name, query in _APPROVED.items() if name in there)
    except sqlite3.Error:
        return False
