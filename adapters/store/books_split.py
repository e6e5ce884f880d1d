"""A month's split in the books room's file (reconciliation §7.3): what was fetched, what was confirmed, and how."""

import sqlite3
from collections.abc import Iterable, Iterator

import attrs

from adapters.store.transaction import transaction

FETCHED, UNPROVEN, CONFIRMING, CONFIRMED = "FETCHED", "UNPROVEN", "CONFIRMING", "CONFIRMED"


@attrs.frozen(kw_only=True)
class Split:
    """One month of one institution. state: FETCHED (whole and proven), UNPROVEN (no statement to compare with),
    CONFIRMING, CONFIRMED; amounts fen; reads: how often it was read until two readings were equal."""

    scope: str
    month: str
    state: str
    union_sm3: str
    rows: int
    medfee: int
    optins: int
    reads: int
    at_ms: int


@attrs.frozen(kw_only=True)
class Batch:
    """One confirmation. state: sending, done, refused, unknown, not_sent, rolling (back); refmsgid: inf_refmsgid of its
    answer."""

    batch: int
    state: str
    msgid: str
    refmsgid: str = ""
    text: str = ""
    at_ms: int = 0


@attrs.define(eq=False)
class SplitStore:
    """The split's tables of one connection."""

    connection: sqlite3.Connection

    def split(self, scope: str, month: str) -> Split | None:
        row = self.connection.execute(
            "SELECT scope, month, state, union_sm3, rows, medfee, optins, reads, at_ms FROM split "
            "WHERE scope = ? AND month = ?",
            (scope, month),
        ).fetchone()
        names = [field.name for field in attrs.fields(Split)]
        return None if row is None else Split(**dict(zip(names, row, strict=True)))

    def verdicts(self, scope: str, month: str) -> list[tuple[str, str, int, int, str, int]]:
        """Return (setl_sn, mdtrt_id, medfee, optins, verdict, batch) in order."""
        query = (
            "SELECT setl_sn, mdtrt_id, medfee, optins, verdict, batch FROM split_row WHERE scope = ? AND month = ? "
            "ORDER BY setl_sn, mdtrt_id"
        )
        return list(self.connection.execute(query, (scope, month)))

    def batches(self, scope: str, month: str) -> list[Batch]:
        query = (
            "SELECT batch, state, msgid, refmsgid, text, at_ms FROM split_batch WHERE scope = ? AND month = ? "
            "ORDER BY batch"
        )
        names = [field.name for field in attrs.fields(Batch)]
        found = self.connection.execute(query, (scope, month))
        return [Batch(**dict(zip(names, row, strict=True))) for row in found]

    def lines(self, scope: str, month: str) -> Iterator[str]:
        """Yield the frozen lines of an institution's month, in force, day by day."""
        query = (
            "SELECT line FROM freeze LEFT JOIN freeze_reopening ON freeze_reopening.freeze = freeze.id "
            "JOIN frozen_row ON frozen_row.freeze = freeze.id WHERE freeze_reopening.freeze IS NULL AND role = 'care' "
            "AND scope = ? AND substr(biz_date, 1, 7) = ? ORDER BY biz_date, n"
        )
        for (line,) in self.connection.execute(query, (scope, month)):
            yield line

    def keep(self, one: Split, rows: Iterable[tuple[str, str, int, int, str]]) -> None:
        """Put a reading in the place of the one before. rows: setl_sn, mdtrt_id, medfee, optins, verdict."""
        with transaction(self.connection):
            place = (one.scope, one.month)
            self.connection.execute("DELETE FROM split_row WHERE scope = ? AND month = ?", place)
            self.connection.execute("DELETE FROM split_batch WHERE scope = ? AND month = ?", place)
            self.connection.execute("INSERT OR REPLACE INTO split VALUES (?,?,?,?,?,?,?,?,?)", attrs.astuple(one))
            statement = (
                "INSERT INTO split_row (scope, month, setl_sn, mdtrt_id, medfee, optins, verdict) "
                "VALUES (?,?,?,?,?,?,?)"
            )
            self.connection.executemany(statement, ((*place, *row) for row in rows))

    def note(self, scope: str, month: str, one: Batch, keys: Iterable[tuple[str, str]] = ()) -> None:
        """Note where a batch stands. keys: its rows (setl_sn, mdtrt_id), the first time."""
        with transaction(self.connection):
            values = (scope, month, *attrs.astuple(one))
            self.connection.execute("INSERT OR REPLACE INTO split_batch VALUES (?,?,?,?,?,?,?,?)", values)
            self.connection.executemany(
                "UPDATE split_row SET batch = ? WHERE scope = ? AND month = ? AND setl_sn = ? AND mdtrt_id = ?",
                ((one.batch, scope, month, *key) for key in keys),
            )

    def move(self, scope: str, month: str, state: str, at_ms: int) -> None:
        with transaction(self.connection):
            statement = "UPDATE split SET state = ?, at_ms = ? WHERE scope = ? AND month = ?"
            self.connection.execute(statement, (state, at_ms, scope, month))

    def undone(self, scope: str, month: str, numbers: Iterable[int]) -> None:
        """Take batches away that were rolled back."""
        with transaction(self.connection):
            for number in numbers:
                place = (scope, month, number)
                self.connection.execute(
                    "UPDATE split_row SET batch = 0 WHERE scope = ? AND month = ? AND batch = ?", place
                )
                self.connection.execute("DELETE FROM split_batch WHERE scope = ? AND month = ? AND batch = ?", place)
