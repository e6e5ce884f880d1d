"""Whether the books' store tells of two people: a look from another room, whatever the version of the store."""

import sqlite3
from pathlib import Path

from adapters.store.looking import look

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
        with look(path) as base:
            there = {str(row[0]) for row in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            return any(base.execute(query).fetchone() is not None for name, query in _APPROVED.items() if name in there)
    except sqlite3.Error:
        return False
