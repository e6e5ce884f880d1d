"""What was sent to platforms about codes: uploads with their whole history, comparisons, downloads (annex X34, X35).

Written by the node for the order it works on; every write proves in its own transaction that the order still belongs to
the writer. Mapping rows and catalogue files hold no person, so everything rests in clear.
"""

import sqlite3
from collections.abc import Iterable, Sequence

import attrs

from adapters.store.codes_orders import check_owner
from adapters.store.transaction import transaction

# local, list type, national, from, to
KeyCells = tuple[str, str, str, str, str]
# kind, local, list type, ours, theirs
DifferenceCells = tuple[str, str, str, str, str]

_HELD = """
    SELECT local_code, list_type, national_code, begndate, enddate, state, msgid, detail, changed_ms FROM upload
    WHERE institution = ? AND system = ?
"""
_IN_ORDER = "ORDER BY local_code, list_type, national_code, begndate"
_UPSERT = """
    INSERT INTO upload VALUES (?,?,?,?,?,?,?,?,?,?,?,?)
    ON CONFLICT (institution, system, local_code, list_type, national_code, begndate) DO UPDATE SET
    enddate = excluded.enddate, state = excluded.state, msgid = excluded.msgid, work_order = excluded.work_order,
    changed_ms = excluded.changed_ms, detail = excluded.detail
"""
_EVENT = """
    INSERT INTO upload_event (at_ms, work_order, institution, system, local_code, list_type, national_code, begndate,
    enddate, state, infno, msgid, detail) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)
"""
_HISTORY = """
    SELECT at_ms, work_order, local_code, list_type, national_code, begndate, enddate, state, infno, msgid, detail
    FROM upload_event WHERE institution = ? AND system = ? AND (local_code = ? OR ? = '') ORDER BY id
"""
_COMPARED = """
    SELECT work_order, equal, local_only, centre_only, different, at_ms FROM comparison
    WHERE institution = ? AND system = ? ORDER BY work_order DESC LIMIT 1
"""
_DIFFERENCES = """
    SELECT kind, local_code, list_type, ours, theirs FROM comparison_row WHERE work_order = ? ORDER BY number LIMIT ?
"""
DOWNLOAD_COLUMNS = (
    "id, work_order, system, infno, asked_ver, file_qury_no, filename, announced, state, path, bytes, digest, ver, "
    "rows, detail, at_ms"
)
_ROWS_MAX = 2000  # of one transaction, annex X35
_NAMES = """
    SELECT batch, line, json_extract(facts, '$.name') FROM mapping
    WHERE batch IN (SELECT id FROM batch WHERE institution = ? AND system = ?) AND facts LIKE '%"name"%'
"""


@attrs.frozen
class Held:
    """One row of what the platform holds of ours, as far as we know."""

    local: str
    list_type: str
    national: str
    begndate: str
    enddate: str
    state: str
    msgid: str
    detail: str
    changed_ms: int


@attrs.frozen
class Step:
    """What happened to rows: the state they are in now, by which request, and the platform's words."""

    state: str
    infno: str
    msgid: str
    detail: str = ""


@attrs.frozen(kw_only=True)
class Download:
    """One catalogue file and how far it got."""

    id: int
    work_order: int
    system: str
    infno: str
    asked_ver: str
    file_qury_no: str
    filename: str
    announced: int
    state: str
    path: str = ""
    bytes: int = 0
    digest: str = ""
    ver: str = ""
    rows: int = 0
    detail: str = ""
    at_ms: int = 0


def local_names(connection: sqlite3.Connection, institution: str, system: str) -> dict[tuple[int, int], str]:
    """Return (batch, line) -> what the institution calls its item, where its mapping file said so.

    Empty where the store keeps no such facts of mappings.
    """
    if not connection.execute("SELECT 1 FROM pragma_table_info('mapping') WHERE name = 'facts'").fetchone():
        return {}
    rows = connection.execute(_NAMES, (institution, system))
    return {(batch, line): name for batch, line, name in rows if isinstance(name, str) and name}


@attrs.define(eq=False)
class UploadsStore:
    """One connection of `codes_orders.connect`; owner: who writes, and must own the order it writes for."""

    connection: sqlite3.Connection
    owner: str = ""

    # --- uploads -----------------------------------------------------------------------------------

    def held(self, institution: str, system: str, local: str = "", states: Sequence[str] = ()) -> list[Held]:
        """Return what was ever sent for an institution and system, in its present state: all, or of one local code, or
        what is in one of some states.
        """
        query, values = _HELD, [institution, system]
        if local:
            query += " AND local_code = ?"
            values.append(local)
        if states:
            query += f" AND state IN ({','.join('?' * len(states))})"
            values += states
        return [Held(*row) for row in self.connection.execute(f"{query} {_IN_ORDER}", values)]

    def mark(
        self, order: int, institution: str, system: str, rows: Sequence[KeyCells], step: Step, now_ms: int
    ) -> None:
        """Bring rows to a state, with their history; durable when it returns. Raises Fenced, sqlite3.Error."""
        for start in range(0, len(rows), _ROWS_MAX):
            piece = rows[start : start + _ROWS_MAX]
            place = (institution, system)
            with transaction(self.connection):
                check_owner(self.connection, order, self.owner)
                last = (step.state, step.msgid, order, now_ms, step.detail)
                self.connection.executemany(_UPSERT, [(*place, *row, *last) for row in piece])
                events = [
                    (now_ms, order, *place, *row, step.state, step.infno, step.msgid, step.detail) for row in piece
                ]
                self.connection.executemany(_EVENT, events)

    def history(self, institution: str, system: str, local: str = "") -> list[tuple[object, ...]]:
        """Return every step, oldest first, of one local code or of all."""
        return self.connection.execute(_HISTORY, (institution, system, local, local)).fetchall()

    # --- comparisons -------------------------------------------------------------------------------

    def keep_comparison(
        self,
        order: int,
        place: tuple[str, str],
        counts: tuple[int, int, int, int],
        rows: Iterable[DifferenceCells],
        now_ms: int,
    ) -> None:
        """Store a comparison; counts: equal, local only, centre only, different. It counts by its one last row."""
        numbered = [(order, number, *row) for number, row in enumerate(rows, start=1)]
        for start in range(0, len(numbered), _ROWS_MAX):
            with transaction(self.connection):
                check_owner(self.connection, order, self.owner)
                self.connection.executemany(
                    "INSERT OR REPLACE INTO comparison_row VALUES (?,?,?,?,?,?,?)", numbered[start : start + _ROWS_MAX]
                )
        with transaction(self.connection):
            check_owner(self.connection, order, self.owner)
            # An earlier try of the same order may have found more rows than this one.
            self.connection.execute(
                "DELETE FROM comparison_row WHERE work_order = ? AND number > ?", (order, len(numbered))
            )
            self.connection.execute(
                "INSERT OR REPLACE INTO comparison VALUES (?,?,?,?,?,?,?,?)", (order, *place, *counts, now_ms)
            )

    def compared(self, institution: str, system: str) -> tuple[int, int, int, int, int, int] | None:
        """Return (order, equal, local only, centre only, different, at_ms) of the newest whole comparison."""
        found = self.connection.execute(_COMPARED, (institution, system)).fetchone()
        return None if found is None else tuple(found)

    def differences(self, order: int, most: int) -> list[DifferenceCells]:
        """Return the rows in which a comparison found a difference, at most so many."""
        return self.connection.execute(_DIFFERENCES, (order, most)).fetchall()

    # --- downloads ---------------------------------------------------------------------------------

    def keep_download(self, found: Download, now_ms: int) -> Download:
        """Write a download, new (id 0) or further than before; return it with its id."""
        values = attrs.astuple(attrs.evolve(found, at_ms=now_ms))
        with transaction(self.connection):
            check_owner(self.connection, found.work_order, self.owner)
            if found.id:
                marks = ",".join("?" * len(values))
                self.connection.execute(f"INSERT OR REPLACE INTO download VALUES ({marks})", values)  # noqa: S608
                return found
            marks = ",".join("?" * (len(values) - 1))
            columns = DOWNLOAD_COLUMNS.removeprefix("id, ")
            cursor = self.connection.execute(f"INSERT INTO download ({columns}) VALUES ({marks})", values[1:])  # noqa: S608
        return attrs.evolve(found, id=int(cursor.lastrowid or 0), at_ms=now_ms)

    def downloads(self, infno: str, most: int = 1, state: str = "") -> list[Download]:
        """Return the newest downloads of a transaction ('' = any), newest first."""
        query = (
            f"SELECT {DOWNLOAD_COLUMNS} FROM download WHERE (infno = ? OR ? = '') AND (state = ? OR ? = '') "  # noqa: S608
            "ORDER BY id DESC LIMIT ?"
        )
        names = DOWNLOAD_COLUMNS.split(", ")
        rows = self.connection.execute(query, (infno, infno, state, state, most))
        return [Download(**dict(zip(names, row, strict=True))) for row in rows]

    def unfinished(self, order: int) -> list[Download]:
        """Return the downloads of an order that are asked for or fetched and not yet imported or refused."""
        return [one for one in reversed(self.downloads("", 1000)) if one.work_order == order and one.state == "fetched"]

    def released(self, system: str, digest: str) -> tuple[str, int] | None:
        """Return (ver, rows) of the library version made from a file of this digest; None when there is none."""
        query = (
            "SELECT library.ver, release.count FROM release JOIN library ON library.id = release.library "
            "WHERE library.system = ? AND release.digest = ? ORDER BY library.id DESC LIMIT 1"
        )
        found = self.connection.execute(query, (system, digest)).fetchone()
        return None if found is None else (str(found[0]), int(found[1]))
