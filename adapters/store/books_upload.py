"""The month's upload in the books room's file: what was sent, where it stands, and what of the month may go (§7.2)."""

import sqlite3
from collections.abc import Iterator

import attrs

from adapters.store.transaction import transaction
from gateway.core.ledgers import COMPONENTS

_SUMS = ", ".join(f"sum({name})" for name in COMPONENTS)
_ROW = "id, role, month, revision, request, content, state, receipt, who, changed_ms"
# What counts of each settlement in the month, in the city's frozen days and in those of its institution.
_COUNTED = (
    f"SELECT setl_id, fixmedins_code, sum(direction = 0), sum(direction = 1), {_SUMS} FROM freeze "
    "LEFT JOIN freeze_reopening ON freeze_reopening.freeze = freeze.id "
    "JOIN frozen_fee ON frozen_fee.freeze = freeze.id "
    "WHERE freeze_reopening.freeze IS NULL AND role = ? AND substr(biz_date, 1, 7) = ? AND held = '' "
)


Counts = tuple[tuple[int, int], tuple[int | None, ...]]  # (settlements, refunds), sums in the order of COMPONENTS


class Moved(Exception):
    """The upload is no longer in the state it was read in; nothing was changed."""


@attrs.frozen(kw_only=True)
class UploadRow:
    """One upload as it is stored. content: JSON of `gateway.books.month_upload.Content`."""

    id: int
    role: str
    month: str
    revision: int
    request: str
    content: str
    state: str
    receipt: str
    who: str
    changed_ms: int


@attrs.frozen
class UploadStore:
    """The upload's tables of one connection."""

    connection: sqlite3.Connection

    def of_month(self, role: str, month: str) -> list[UploadRow]:
        """Return the uploads of a month, oldest first."""
        query = f"SELECT {_ROW} FROM month_upload WHERE role = ? AND month = ? ORDER BY revision"
        return [_row(values) for values in self.connection.execute(query, (role, month))]

    def unended(self) -> list[UploadRow]:
        query = f"SELECT {_ROW} FROM month_upload WHERE state IN ('SENDING', 'IN_DOUBT') ORDER BY id"
        return [_row(values) for values in self.connection.execute(query)]

    def events(self, number: int) -> list[tuple[str, str, str, int]]:
        """Return (state, who, note, at_ms), oldest first."""
        query = "SELECT state, who, note, at_ms FROM month_upload_event WHERE upload = ? ORDER BY id"
        return list(self.connection.execute(query, (number,)))

    def city(self, role: str, month: str) -> Iterator[tuple[str, str, Counts]]:
        """Yield (setl_id, fixmedins_code, what counts) of the city's frozen days, in order."""
        query = f"{_COUNTED} AND scope = '*' GROUP BY setl_id, fixmedins_code ORDER BY setl_id"
        for setl_id, code, settled, back, *sums in self.connection.execute(query, (role, month)):
            yield setl_id, code, ((settled, back), tuple(sums))

    def own(self, role: str, month: str, code: str, setl_id: str) -> Counts | None:
        """Return what counts of a settlement in its institution's frozen days; None when nothing does."""
        query = f"{_COUNTED} AND setl_id = ? AND scope = ? GROUP BY setl_id"
        row = self.connection.execute(query, (role, month, setl_id, code)).fetchone()
        return None if row is None else ((row[2], row[3]), tuple(row[4:]))

    def unfrozen(self, role: str, month: str) -> list[tuple[str, str]]:
        """Return (fixmedins_code, date) of institutions' days that are not frozen though the city's frozen day of the
        date counts a record of theirs."""
        query = (
            "SELECT DISTINCT fixmedins_code, biz_date FROM freeze AS city "
            "LEFT JOIN freeze_reopening ON freeze_reopening.freeze = city.id JOIN frozen_fee ON "
            "frozen_fee.freeze = city.id WHERE freeze_reopening.freeze IS NULL AND city.role = ? AND city.scope = '*' "
            "AND substr(biz_date, 1, 7) = ? AND held = '' AND NOT EXISTS (SELECT 1 FROM freeze AS own LEFT JOIN "
            "freeze_reopening AS open ON open.freeze = own.id WHERE open.freeze IS NULL AND own.role = city.role AND "
            "own.scope = fixmedins_code AND own.biz_date = city.biz_date) ORDER BY fixmedins_code, biz_date"
        )
        return [(str(code), str(date)) for code, date in self.connection.execute(query, (role, month))]

    def begin(self, one: UploadRow, note: str) -> UploadRow:
        """Write an upload before it leaves: durable when this returns."""
        with transaction(self.connection):
            values = attrs.astuple(one)[1:]
            cursor = self.connection.execute(
                f"INSERT INTO month_upload ({_ROW.removeprefix('id, ')}) VALUES (?,?,?,?,?,?,?,?,?)", values
            )
            number = int(cursor.lastrowid or 0)
            self._event(number, one.state, one.who, note, one.changed_ms)
        return attrs.evolve(one, id=number)

    def move(self, one: UploadRow, state: str, who: str, note: str, at_ms: int, receipt: str = "") -> UploadRow:
        """Store where it stands. Raises Moved."""
        with transaction(self.connection):
            found = self.connection.execute(
                "UPDATE month_upload SET state = ?, receipt = ?, changed_ms = ? WHERE id = ? AND state = ?",
                (state, receipt, at_ms, one.id, one.state),
            )
            if found.rowcount != 1:
                raise Moved(f"{one.month}#{one.revision}")
            self._event(one.id, state, who, note, at_ms)
        return attrs.evolve(one, state=state, receipt=receipt, changed_ms=at_ms)

    def _event(self, number: int, state: str, who: str, note: str, at_ms: int) -> None:
        statement = "INSERT INTO month_upload_event (upload, state, who, note, at_ms) VALUES (?,?,?,?,?)"
        self.connection.execute(statement, (number, state, who, note, at_ms))


def _row(values: tuple[object, ...]) -> UploadRow:
    names = [field.name for field in attrs.fields(UploadRow)]
    return UploadRow(**dict(zip(names, values, strict=True)))  # type: ignore[arg-type]
