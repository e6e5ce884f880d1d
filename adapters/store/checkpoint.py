"""Moves the write-ahead log into the journal's file, from a connection of its own, away from the writer thread.

PASSIVE never blocks the writer (design §3).
"""

import sqlite3
from pathlib import Path

WAL_BYTES_MIN = 4 * 1024 * 1024


def checkpoint(path: Path) -> int:
    """Checkpoint once if the log is worth it; return the pages moved. Blocking: call it in a thread."""
    wal = path.with_name(path.name + "-wal")
    if not wal.exists() or wal.stat().st_size < WAL_BYTES_MIN:
        return 0
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        row = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    finally:
        connection.close()
    return int(row[2]) if row is not None else 0
