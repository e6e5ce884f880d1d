"""What the books room's file says of the days beside one that is to be frozen. Read only; see `books_freeze`."""

import sqlite3

import attrs

from adapters.store.books_freeze import Input

_NEWEST = (
    "SELECT ledger, scope, sm3, rows, path, biz_date, complete, id FROM input WHERE id IN "
    "(SELECT max(id) FROM input WHERE biz_date = ? GROUP BY ledger, scope) ORDER BY ledger, scope"
)
_HAS_FEE = "SELECT 1 FROM frozen_fee WHERE freeze = ? AND fee_key = ? AND direction = ? AND adjusts_freeze = 0 LIMIT 1"


@attrs.frozen
class Neighbours:
    """The tables of one connection."""

    connection: sqlite3.Connection

    def lines_with(self, freeze: int, part: str) -> list[str]:
        """Return the lines of a freeze that contain a text; looks at all of it."""
        query = "SELECT line FROM frozen_row WHERE freeze = ? AND instr(line, ?) ORDER BY n"
        return [str(row[0]) for row in self.connection.execute(query, (freeze, part))]

    def has_fee(self, freeze: int, key: str, direction: int) -> bool:
        """Say whether a freeze has a fee of its own of an event; looks at all of it, for the few near midnight."""
        return self.connection.execute(_HAS_FEE, (freeze, key, direction)).fetchone() is not None

    def newest_inputs(self, date: str) -> list[Input]:
        """Return the newest input of every ledger and scope of a date."""
        return [Input(*row) for row in self.connection.execute(_NEWEST, (date,))]
