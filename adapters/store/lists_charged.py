"""What was charged in visits, kept in the lists' store so that nobody searches the journal for one visit."""

import sqlite3

_ADD = """
    INSERT INTO charged VALUES (?,?,?,?,?) ON CONFLICT DO UPDATE SET
    kinds = excluded.kinds, first_day = excluded.first_day, last_day = excluded.last_day
"""


def charged_to(connection: sqlite3.Connection) -> tuple[int, str]:
    """Return (id, msgid) of the journal's row up to which everything was taken."""
    row = connection.execute("SELECT journal_id, msgid FROM charged_to").fetchone()
    return (0, "") if row is None else (int(row[0]), str(row[1]))


def move_to(connection: sqlite3.Connection, journal_id: int, msgid: str) -> None:
    """Note up to which row everything was taken, within the transaction that took it."""
    connection.execute("INSERT OR REPLACE INTO charged_to VALUES (1, ?, ?)", (journal_id, msgid))


def forget(connection: sqlite3.Connection) -> None:
    """Forget everything: the journal is another one than it was."""
    connection.execute("DELETE FROM charged")
    connection.execute("DELETE FROM charged_to")


def charged(connection: sqlite3.Connection, institution: str, mdtrt_id: str) -> tuple[str, str, str] | None:
    """Return (kinds with commas between, first day, last day) of a visit."""
    query = "SELECT kinds, first_day, last_day FROM charged WHERE fixmedins_code = ? AND mdtrt_id = ?"
    row = connection.execute(query, (institution, mdtrt_id)).fetchone()
    return None if row is None else (str(row[0]), str(row[1]), str(row[2]))


def keep(connection: sqlite3.Connection, institution: str, mdtrt_id: str, facts: tuple[str, str, str]) -> None:
    """Put what was charged in a visit in the place of what was known."""
    connection.execute(_ADD, (institution, mdtrt_id, *facts))
