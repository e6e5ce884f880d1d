"""Writing frozen days (reconciliation §6.5): in bounded transactions; one last row brings a freeze into force."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import attrs

from adapters.store.books_freeze import BATCH, GROUP, Consent, FreezeReader, FreezeRow, NotInForce, frozen
from adapters.store.transaction import transaction
from gateway.core.ledgers import COMPONENTS

_FEE_MARKS = ",".join("?" * (14 + len(COMPONENTS)))
_SUM_MARKS = ",".join("?" * (4 + len(GROUP) + len(COMPONENTS)))


@attrs.define(eq=False)
class FreezeWriter(FreezeReader):
    """The only writer of the store while it is open (see `adapters.store.books_writing`)."""

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what is done inside, or take it back when that raises."""
        with transaction(self.connection):
            yield

    def begin(self, role: str, scope: str, date: str, at_ms: int) -> int:
        """Take a number for a freeze to come; what was begun and never came into force is cleared away."""
        old = "SELECT id FROM freeze_begun WHERE id NOT IN (SELECT id FROM freeze)"
        for number in [row[0] for row in self.connection.execute(old)]:
            self._clear(number)
        with self.transaction():
            statement = "INSERT INTO freeze_begun (role, scope, biz_date, at_ms) VALUES (?,?,?,?)"
            return int(self.connection.execute(statement, (role, scope, date, at_ms)).lastrowid or 0)

    def _clear(self, number: int) -> None:
        for table in ("frozen_row", "frozen_fee", "freeze_sum"):
            statement = (
                f"DELETE FROM {table} WHERE (freeze, n) IN (SELECT freeze, n FROM {table} WHERE freeze = ? LIMIT ?)"
            )
            if table == "freeze_sum":
                statement = "DELETE FROM freeze_sum WHERE freeze = ? AND ?"
            while True:
                with self.transaction():
                    gone = self.connection.execute(statement, (number, BATCH)).rowcount
                if gone < BATCH:
                    break
        with self.transaction():
            self.connection.execute("DELETE FROM freeze_begun WHERE id = ?", (number,))

    def add(self, number: int, lines: Sequence[tuple[int, str]], fees: Iterable[tuple[int, tuple[Any, ...]]]) -> None:
        """Add lines and fees with their numbers, in transactions of at most BATCH rows."""
        texts, found = iter(lines), iter(fees)
        while batch := list(islice(texts, BATCH)):
            with self.transaction():
                rows = ((number, n, line) for n, line in batch)
                self.connection.executemany("INSERT INTO frozen_row VALUES (?,?,?)", rows)
        while some := list(islice(found, BATCH)):
            with self.transaction():
                values = ((number, n, *fee[:10], *fee[10], *fee[11]) for n, fee in some)
                self.connection.executemany(f"INSERT INTO frozen_fee VALUES ({_FEE_MARKS})", values)

    def enforce(self, row: FreezeRow, sums: Iterable[tuple[Any, ...]]) -> None:
        """Bring a freeze into force by its last row, and the day with it. Raises NotInForce."""
        with self.transaction():
            where = (row.role, row.scope, row.biz_date)
            if self.last_sm3() != row.prev_sm3 or self.day(*where) is not None:
                raise NotInForce
            newest = self.run(row.role, row.biz_date)  # runs go on beside a freeze; its reading may take minutes
            judged = newest is not None and newest[0] == json.loads(row.header)["run_id"]
            unread = newest is not None and self.unread(*where, newest[0])
            if not judged or unread or not self.state(*where).startswith("AGREED") or any(self.open_work(*where)):
                raise NotInForce
            self.connection.executemany(
                f"INSERT INTO freeze_sum VALUES ({_SUM_MARKS})", ((row.id, *one) for one in sums)
            )
            values = attrs.astuple(row)[:-1]
            self.connection.execute(f"INSERT INTO freeze VALUES ({','.join('?' * len(values))})", values)
            self._move(row.role, row.scope, row.biz_date, "FROZEN", row.at_ms)

    def consent(self, number: int, one: Consent) -> bool:
        """Record one party's consent; False when it is recorded already."""
        with self.transaction():
            statement = "INSERT INTO freeze_consent VALUES (?,?,?,?,?,?) ON CONFLICT DO NOTHING"
            return self.connection.execute(statement, (number, *attrs.astuple(one))).rowcount == 1

    def reopen(self, row: FreezeRow, reason: str, people: tuple[str, str, int], at_ms: int) -> None:
        """Take a freeze out of force; its rows stay. people: maker, checker, approval. Raises NotInForce."""
        with self.transaction():
            current = self.day(row.role, row.scope, row.biz_date)
            if current is None or current.id != row.id:
                raise NotInForce
            values = (row.id, reason, *people, at_ms)
            self.connection.execute("INSERT INTO freeze_reopening VALUES (?,?,?,?,?,?)", values)
            self._move(row.role, row.scope, row.biz_date, "REOPENED", at_ms)

    def adjust(
        self, day: tuple[str, str, str], lines: Sequence[str], reason: str, people: tuple[str, str, int], at_ms: int
    ) -> None:
        """Add corrections to an open day. day: role, scope, date. Raises NotInForce when that day is frozen."""
        with self.transaction():
            if frozen(self.connection, *day):
                raise NotInForce
            statement = (
                "INSERT INTO adjustment (role, scope, biz_date, line, reason, maker, checker, approval, at_ms) "
                "VALUES (?,?,?,?,?,?,?,?,?)"
            )
            rows = [(*day, line, reason, *people, at_ms) for line in lines]
            self.connection.executemany(statement, rows)

    def _move(self, role: str, scope: str, date: str, state: str, at_ms: int) -> None:
        statement = "UPDATE recon_day SET state = ?, changed_ms = ? WHERE role = ? AND scope = ? AND biz_date = ?"
        self.connection.execute(statement, (state, at_ms, role, scope, date))
