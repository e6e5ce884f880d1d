"""Orders in the codes room's file (annex X35): a command writes one, a running node takes it, one last row ends it.

Whether a node runs is told by a lock on a file beside the store, which the node holds while it takes orders: the system
lets go of it when the process dies, so nothing can be stale (docs/decisions/0007-orders-in-the-rooms-file.md). The lock
makes one node the only taker; the owner in `work_open` fences off one that was thought dead and writes late.

These tables are written without the lock of `CodesWriter`: an import may hold that for ten minutes, and its
transactions are short. Not for several threads: every user opens a connection of its own.
"""

import fcntl
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import attrs
import msgspec

from adapters.store.codes import CodesWriter
from adapters.store.transaction import transaction

LEASE_MS = 30_000
_NEXT = """
    SELECT work_order.id, kind, institution, system, arguments, who, created_ms FROM work_open
    JOIN work_order ON work_order.id = work_open.work_order WHERE lease_ms < ? ORDER BY work_order.id
"""
_TAKE = "UPDATE work_open SET owner = ?, lease_ms = ? WHERE work_order = ? AND lease_ms < ?"
_STATUS = """
    SELECT work_order.id, kind, institution, system, arguments, who, created_ms, coalesce(done, 0), coalesce(total, 0),
        coalesce(note, ''), coalesce(owner, '') <> '', coalesce(outcome, ''), coalesce(result, '{}'),
        coalesce(at_ms, 0)
    FROM work_order LEFT JOIN work_open ON work_open.work_order = work_order.id
    LEFT JOIN work_result ON work_result.work_order = work_order.id
"""


@attrs.frozen
class WorkOrder:
    """What somebody wants done. arguments: plain JSON values."""

    id: int
    kind: str
    institution: str
    system: str
    arguments: dict[str, object]
    who: str
    created_ms: int


@attrs.frozen
class WorkStatus:
    """How far an order is. outcome: '' while it is not at its end, else done, findings or failed."""

    order: WorkOrder
    done: int
    total: int
    note: str
    taken: bool
    outcome: str
    result: dict[str, object]
    ended_ms: int


class Fenced(Exception):
    """The order belongs to another owner by now: stop working on it and write nothing."""


@attrs.define(eq=False)
class OrdersStore:
    """Orders, seen from a command or from the node."""

    connection: sqlite3.Connection

    @classmethod
    def open(cls, path: Path, scripts: Sequence[tuple[str, bytes]]) -> "OrdersStore":
        """Open the store, made or migrated first when need be. Raises OtherVersion, OSError, sqlite3.Error."""
        return cls(connect(path, scripts))

    def close(self) -> None:
        self.connection.close()

    # --- commands ----------------------------------------------------------------------------------

    def place(
        self, kind: str, institution: str, system: str, arguments: dict[str, object], who: str, now_ms: int
    ) -> int:
        """Write an order; return its number."""
        values = (kind, institution, system, msgspec.json.encode(arguments).decode(), who, now_ms)
        with transaction(self.connection):
            cursor = self.connection.execute(
                "INSERT INTO work_order (kind,institution,system,arguments,who,created_ms) VALUES (?,?,?,?,?,?)", values
            )
            self.connection.execute("INSERT INTO work_open (work_order) VALUES (?)", (cursor.lastrowid,))
        return int(cursor.lastrowid or 0)

    def status(self, number: int) -> WorkStatus | None:
        """Return how far an order is; None when there is no such order."""
        row = self.connection.execute(f"{_STATUS} WHERE work_order.id = ?", (number,)).fetchone()
        return None if row is None else _status(row)

    def newest(self, most: int, kind: str = "", who: str = "", institution: str = "") -> list[WorkStatus]:
        """Return the newest orders, newest first; '' = of all."""
        where = "WHERE (kind = ? OR ? = '') AND (who = ? OR ? = '') AND (institution = ? OR ? = '')"
        values = (kind, kind, who, who, institution, institution, most)
        rows = self.connection.execute(f"{_STATUS} {where} ORDER BY work_order.id DESC LIMIT ?", values)
        return [_status(row) for row in rows]

    # --- the node ----------------------------------------------------------------------------------

    def waiting(self, now_ms: int) -> list[WorkOrder]:
        """Return every order that anybody may take, oldest first."""
        return [_order(row) for row in self.connection.execute(_NEXT, (now_ms,))]

    def take(self, number: int, owner: str, now_ms: int) -> bool:
        """Take an order that nobody answers for; False when somebody does."""
        with transaction(self.connection):
            return self.connection.execute(_TAKE, (owner, now_ms + LEASE_MS, number, now_ms)).rowcount == 1

    def progress(self, number: int, owner: str, done: int, total: int, note: str, now_ms: int) -> None:
        """Renew the lease and say how far the work is. Raises Fenced."""
        with transaction(self.connection):
            found = self.connection.execute(
                "UPDATE work_open SET lease_ms = ?, done = ?, total = ?, note = ? WHERE work_order = ? AND owner = ?",
                (now_ms + LEASE_MS, done, total, note, number, owner),
            )
            if found.rowcount != 1:
                raise Fenced(number)

    def finish(self, number: int, owner: str, outcome: str, result: dict[str, object], now_ms: int) -> None:
        """End an order: the one last row. Raises Fenced."""
        with transaction(self.connection):
            check_owner(self.connection, number, owner)
            text = msgspec.json.encode(result).decode()
            self.connection.execute("INSERT INTO work_result VALUES (?,?,?,?)", (number, outcome, text, now_ms))
            self.connection.execute("DELETE FROM work_open WHERE work_order = ?", (number,))

    def let_go(self, owner: str = "") -> None:
        """Let go of an owner's orders, or of everybody's: only whoever holds the node's lock may say so."""
        with transaction(self.connection):
            self.connection.execute("UPDATE work_open SET lease_ms = 0 WHERE owner = ? OR ? = ''", (owner, owner))


def connect(path: Path, scripts: Sequence[tuple[str, bytes]]) -> sqlite3.Connection:
    """Open the store for short writes beside a running import; it is made and migrated when need be."""
    prepare(path, scripts)
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA busy_timeout = 10000")
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def prepare(path: Path, scripts: Sequence[tuple[str, bytes]]) -> None:
    """Make or migrate the store when need be; waits for no import when it is as it should be."""
    if not path.exists() or _version(path) != len(scripts):
        CodesWriter.open(path, scripts).close()


def _version(path: Path) -> int:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])
    finally:
        connection.close()


def check_owner(connection: sqlite3.Connection, number: int, owner: str) -> None:
    """Raise Fenced unless the order still belongs to this owner; inside the transaction that writes for it."""
    row = connection.execute("SELECT owner FROM work_open WHERE work_order = ?", (number,)).fetchone()
    if row is None or row[0] != owner:
        raise Fenced(number)


def _order(row: Sequence[object]) -> WorkOrder:
    number, kind, institution, system, arguments, who, created_ms = row[:7]
    plain = msgspec.json.decode(str(arguments), type=dict[str, object])
    return WorkOrder(int(str(number)), str(kind), str(institution), str(system), plain, str(who), int(str(created_ms)))


def _status(row: Sequence[object]) -> WorkStatus:
    done, total, note, taken, outcome, result, ended = row[7:]
    plain = msgspec.json.decode(str(result), type=dict[str, object])
    return WorkStatus(
        _order(row), int(str(done)), int(str(total)), str(note), bool(taken), str(outcome), plain, int(str(ended))
    )


# --- is there a node? ----------------------------------------------------------------------------


def _lock_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.node")


@attrs.define(eq=False)
class NodeMark:
    """The lock by which a node says that it takes orders. Let go of by the system when the process dies."""

    handle: int

    @classmethod
    def take(cls, path: Path) -> "NodeMark | None":
        """Take the mark of the store at path; None while somebody looks at it or another node has it."""
        handle = os.open(_lock_file(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        return cls(handle)

    def let_go(self) -> None:
        os.close(self.handle)


def node_runs(path: Path) -> bool:
    """Say whether a node takes the orders of the store at path."""
    try:
        handle = os.open(_lock_file(path), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
