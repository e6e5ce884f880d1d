"""Which groups of a daily statement an institution's settlements are listed in: a small table beside the journal.

Written with the settlement that shows a group for the first time on a day; all others cost a look into a set.
Source: reconciliation specification §3.1 (groups seen in the last 400 days), reversal specification §4.1 Q5.
"""

import sqlite3
from collections.abc import Callable, Sequence

import attrs
import msgspec

from gateway.core.model import Advance, Entry, Kind, Kinds

_SEEN_MAX = 50_000  # beyond it a row is written once more, which changes nothing
_DAY_MS = 86_400_000
_COLUMNS = "infno, insuplc_admdvs, med_type, clr_optins, clr_type, last_ms"
_WRITE = (  # names are this module's own, values are parameters
    f"INSERT INTO settled_kind (fixmedins_code, link, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) "  # noqa: S608
    "ON CONFLICT DO UPDATE SET last_ms = max(last_ms, excluded.last_ms)"
)
_FIND = f"SELECT {_COLUMNS} FROM settled_kind WHERE fixmedins_code = ? AND link = ? AND last_ms >= ? LIMIT ?"  # noqa: S608

Row = tuple[str, str, str, str, str, str, str, int]


class _Group(msgspec.Struct):
    clr_optins: str = ""
    clr_type: str = ""


_read = msgspec.json.Decoder(_Group).decode


@attrs.define(eq=False)
class SeenKinds:
    """What the table is known to hold: kinds with the day they were written down."""

    _seen: set[tuple[Row, int]] = attrs.Factory(set)

    def fresh(self, moves: Sequence[Advance], treatment: Callable[[Entry], str]) -> list[Row]:
        """Return the rows to be written for settlements that succeeded.

        treatment: finds the kind of treatment of a discharge (2304), which names none.
        """
        return [row for op in moves if (row := _row_of(op, treatment)) is not None and self._key(row) not in self._seen]

    def written(self, rows: Sequence[Row]) -> None:
        """They are durable."""
        if len(self._seen) > _SEEN_MAX:
            self._seen.clear()
        self._seen.update(map(self._key, rows))

    def _key(self, row: Row) -> tuple[Row, int]:
        return (*row[:7], 0), row[7] // _DAY_MS


def _row_of(op: Advance, treatment: Callable[[Entry], str]) -> Row | None:
    entry = op.entry
    if not op.settled or entry.klass != "M" or op.to not in ("ACKED", "CONFIRMED"):
        return None
    try:
        group = _read(op.settled)
    except msgspec.MsgspecError:
        return None
    if not group.clr_optins or not group.clr_type:
        return None
    med_type = treatment(entry) if entry.infno.startswith("2304") and not entry.med_type else entry.med_type
    kind = (entry.infno, entry.insuplc_admdvs, med_type, group.clr_optins, group.clr_type)
    return entry.fixmedins_code, entry.link, *kind, entry.created_ms


def write_kinds(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """Write them into the transaction that is under way."""
    connection.executemany(_WRITE, rows)


def find_kinds(connection: sqlite3.Connection, op: Kinds) -> tuple[Kind, ...]:
    """Return what the table holds of an institution and a platform."""
    values = (op.fixmedins_code, op.link, op.since_ms, op.rows_max)
    return tuple(Kind(*row) for row in connection.execute(_FIND, values))
