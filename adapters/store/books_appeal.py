"""Appeals on their way to a platform, in the books room's file (reconciliation §7.2). Plain rows in and out."""

import sqlite3

import attrs

from adapters.store.transaction import transaction

_ROW = "id, clearing, deduction_id, kind, msgid, note, file, file_sm3, material, state, text, who, sent_ms"


@attrs.frozen(kw_only=True)
class AppealRow:
    """One message of an appeal. kind: appeal, review; material: the platform's number of what was handed in."""

    id: int
    clearing: int
    deduction_id: str
    kind: str
    msgid: str
    note: str
    file: str
    file_sm3: str
    material: str
    state: str
    text: str
    who: str
    sent_ms: int


@attrs.frozen
class AppealStore:
    """The table of one connection."""

    connection: sqlite3.Connection

    def last(self, clearing: int, deduction_id: str, kind: str) -> AppealRow | None:
        """Return what was sent last about a deduction."""
        query = f"SELECT {_ROW} FROM appeal_sent WHERE clearing = ? AND deduction_id = ? AND kind = ? ORDER BY id DESC"
        row = self.connection.execute(query, (clearing, deduction_id, kind)).fetchone()
        names = [field.name for field in attrs.fields(AppealRow)]
        return None if row is None else AppealRow(**dict(zip(names, row, strict=True)))

    def unended(self) -> list[AppealRow]:
        """Return those of which nobody knows whether they arrived."""
        query = f"SELECT {_ROW} FROM appeal_sent WHERE state IN ('SENDING', 'IN_DOUBT') ORDER BY id"
        names = [field.name for field in attrs.fields(AppealRow)]
        return [AppealRow(**dict(zip(names, row, strict=True))) for row in self.connection.execute(query)]

    def begin(self, one: AppealRow) -> AppealRow:
        """Write it before it leaves: durable when this returns."""
        with transaction(self.connection):
            cursor = self.connection.execute(
                f"INSERT INTO appeal_sent ({_ROW.removeprefix('id, ')}) VALUES ({','.join('?' * 12)})",
                attrs.astuple(one)[1:],
            )
        return attrs.evolve(one, id=int(cursor.lastrowid or 0))

    def move(self, one: AppealRow, state: str, text: str) -> AppealRow:
        with transaction(self.connection):
            statement = "UPDATE appeal_sent SET state = ?, text = ? WHERE id = ?"
            self.connection.execute(statement, (state, text, one.id))
        return attrs.evolve(one, state=state, text=text)
