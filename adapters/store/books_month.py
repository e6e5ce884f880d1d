"""Clearing applications and deductions in the books room's file (reconciliation §7). Plain rows in and out.

A step is a row of `clearing_event` and the new state in one transaction, by compare-and-set; sums are aggregates over
frozen fees, so memory does not grow with the month.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import attrs

from adapters.store.transaction import transaction
from gateway.core.ledgers import COMPONENTS

_SUMS = ", ".join(f"coalesce(sum({name}), 0)" for name in COMPONENTS)
# A freeze's fees and its own sums, by what an application is about.
_OF_MONTH = (
    "FROM freeze LEFT JOIN freeze_reopening ON freeze_reopening.freeze = freeze.id {join} "
    "WHERE freeze_reopening.freeze IS NULL AND role = ? AND scope = ? AND substr(biz_date, 1, 7) = ? "
)
_GROUP = "clr_type, insutype, clr_optins, clr_pay_loc"
_ROWS = (
    f"SELECT {_GROUP}, sum(direction = 0), sum(direction = 1), {_SUMS}, "
    "CASE WHEN min(clr_way) = max(clr_way) THEN min(clr_way) ELSE '' END "
    + _OF_MONTH.format(join="JOIN frozen_fee ON frozen_fee.freeze = freeze.id")
    + f"AND held = '' GROUP BY {_GROUP} ORDER BY {_GROUP}"
)
_DAYS = (
    f"SELECT {_GROUP}, kind, sum(settlements), sum(refunds), {_SUMS} "
    + _OF_MONTH.format(join="JOIN freeze_sum ON freeze_sum.freeze = freeze.id")
    + f"GROUP BY {_GROUP}, kind ORDER BY {_GROUP}, kind"
)
_HELD = (
    f"SELECT biz_date, setl_id, fee_key, held, {_GROUP}, medfee_sumamt "
    + _OF_MONTH.format(join="JOIN frozen_fee ON frozen_fee.freeze = freeze.id")
    + "AND held <> '' ORDER BY biz_date, fee_key, direction LIMIT ?"
)
_CLEARING = (
    "SELECT id, role, scope, month, clr_type, insutype, clr_optins, clr_pay_loc, revision, idempotency, content, "
    "state, doubt, maker, checker, event_id, msgid, clr_stas, submitted_ms, audit, paid, earlier, changed_ms "
    "FROM clearing"
)
_CHANGING = ("doubt", "checker", "event_id", "msgid", "clr_stas", "submitted_ms", "audit", "paid", "earlier")
_DEDUCTION = (
    "deduction_id, setl_id, feedetl_sn, fund, amount, kind, reason_code, text, period, dept, doctor, notice, state, "
    "revised, ended, notified, changed_ms"
)


class Moved(Exception):
    """The application is no longer in the state it was read in; nothing was changed. Look again."""


@attrs.frozen(kw_only=True)
class ClearingRow:
    """One application as it is stored. content, audit: JSON."""

    id: int
    role: str
    scope: str
    month: str
    clr_type: str
    insutype: str
    clr_optins: str
    clr_pay_loc: str
    revision: int
    idempotency: str
    content: str
    state: str
    doubt: str
    maker: str
    checker: str
    event_id: str
    msgid: str
    clr_stas: int
    submitted_ms: int
    audit: str
    paid: int | None
    earlier: int
    changed_ms: int

    @property
    def name(self) -> str:
        parts = (self.scope, self.month, self.clr_type, self.insutype, self.clr_optins, self.clr_pay_loc)
        return "/".join(part or "-" for part in parts) + f"#{self.revision}"


@attrs.frozen(kw_only=True)
class DeductionRow:
    """One deduction as it is stored. amount, revised: fen; notified: the day it was made known."""

    deduction_id: str
    setl_id: str
    feedetl_sn: str
    fund: str
    amount: int
    kind: str
    reason_code: str
    text: str
    period: str
    dept: str
    doctor: str
    notice: str
    state: str
    revised: int | None
    ended: str
    notified: str
    changed_ms: int


@attrs.frozen
class Sum:
    """One group of a month. kind: '' for rows, else DAY, ADJ, HELD of the days' own sums; sums: in the order of
    COMPONENTS; clr_way: of all rows, or '' where they differ."""

    group: tuple[str, str, str, str]
    kind: str
    settlements: int
    refunds: int
    sums: tuple[int, ...]
    clr_way: str = ""


@attrs.define(eq=False)
class MonthReader:
    """One look at the month."""

    connection: sqlite3.Connection

    def rows(self, role: str, scope: str, month: str) -> list[Sum]:
        """Sum up the frozen fees that count, group by group: one pass over them, whatever their number."""
        found = self.connection.execute(_ROWS, (role, scope, month))
        return [Sum(row[:4], "", row[4], row[5], tuple(row[6:-1]), row[-1]) for row in found]

    def days(self, role: str, scope: str, month: str) -> list[Sum]:
        """Return what the freezes themselves summed up to when they were made, by group and kind."""
        found = self.connection.execute(_DAYS, (role, scope, month))
        return [Sum(row[:4], row[4], row[5], row[6], tuple(row[7:])) for row in found]

    def held(self, role: str, scope: str, month: str, most: int) -> list[tuple[Any, ...]]:
        """Return (date, setl_id, key, why, clr_type, insutype, clr_optins, clr_pay_loc, medfee) of what is held."""
        return list(self.connection.execute(_HELD, (role, scope, month, most)))

    def by_day(self, role: str, scope: str, month: str) -> list[tuple[str, int, int, int, int]]:
        """Return (date, settlements, refunds, medfee, fund) of what each frozen day summed up to, held ones too."""
        query = (
            "SELECT biz_date, coalesce(sum(settlements), 0), coalesce(sum(refunds), 0), "
            "coalesce(sum(medfee_sumamt), 0), coalesce(sum(fund_pay_sumamt), 0) FROM freeze "
            "LEFT JOIN freeze_reopening ON freeze_reopening.freeze = freeze.id "
            "LEFT JOIN freeze_sum ON freeze_sum.freeze = freeze.id AND kind <> 'HELD' "
            "WHERE freeze_reopening.freeze IS NULL AND role = ? AND scope = ? AND substr(biz_date, 1, 7) = ? "
            "GROUP BY biz_date ORDER BY biz_date"
        )
        return list(self.connection.execute(query, (role, scope, month)))

    def one(self, number: int) -> ClearingRow | None:
        row = self.connection.execute(f"{_CLEARING} WHERE id = ?", (number,)).fetchone()
        return None if row is None else _clearing(row)

    def of_month(self, role: str, scope: str, month: str) -> list[ClearingRow]:
        """Return the applications of a month ('' = any scope), by group and revision."""
        where = f"WHERE role = ? AND (scope = ? OR ? = '') AND month = ? ORDER BY scope, {_GROUP}, revision"
        return [_clearing(row) for row in self.connection.execute(f"{_CLEARING} {where}", (role, scope, scope, month))]

    def unended(self, ended: Sequence[str]) -> list[ClearingRow]:
        """Return the applications that are in none of these states, by number."""
        where = f"WHERE state NOT IN ({','.join('?' * len(ended))}) ORDER BY id"
        return [_clearing(row) for row in self.connection.execute(f"{_CLEARING} {where}", tuple(ended))]

    def freezes(self, number: int) -> list[int]:
        query = "SELECT freeze FROM clearing_freeze WHERE clearing = ? ORDER BY freeze"
        return [int(row[0]) for row in self.connection.execute(query, (number,))]

    def containing(self, freeze: int) -> list[tuple[str, str]]:
        """Return (name, state) of the applications that contain a freeze."""
        where = "JOIN clearing_freeze ON clearing_freeze.clearing = clearing.id WHERE freeze = ? ORDER BY id"
        return [
            (row.name, row.state) for row in map(_clearing, self.connection.execute(f"{_CLEARING} {where}", (freeze,)))
        ]

    def events(self, number: int) -> list[tuple[str, str, str, str, str, int]]:
        """Return (input, before, after, who, note, at_ms), oldest first."""
        query = "SELECT input, before, after, who, note, at_ms FROM clearing_event WHERE clearing = ? ORDER BY id"
        return list(self.connection.execute(query, (number,)))

    def deductions(self, number: int) -> list[DeductionRow]:
        query = f"SELECT {_DEDUCTION} FROM deduction WHERE clearing = ? ORDER BY deduction_id"
        names = [field.name for field in attrs.fields(DeductionRow)]
        return [DeductionRow(**dict(zip(names, row, strict=True))) for row in self.connection.execute(query, (number,))]

    def deducted(self, role: str, month: str) -> list[DeductionRow]:
        """Return the deductions of the institutions' applications of a month, of those that stand."""
        columns = ", ".join(f"deduction.{name}" for name in _DEDUCTION.split(", "))
        query = (
            f"SELECT {columns} FROM deduction JOIN clearing ON clearing.id = deduction.clearing WHERE role = ? "
            "AND month = ? AND scope <> '*' AND clearing.state NOT IN ('RETURNED', 'WITHDRAWN') ORDER BY deduction_id"
        )
        names = [field.name for field in attrs.fields(DeductionRow)]
        found = self.connection.execute(query, (role, month))
        return [DeductionRow(**dict(zip(names, row, strict=True))) for row in found]

    def deduction_events(self, number: int) -> list[tuple[str, str, str, str, str, str, int]]:
        """Return (deduction_id, state, who, note, file, file_sm3, at_ms), oldest first."""
        query = (
            "SELECT deduction_id, state, who, note, file, file_sm3, at_ms FROM deduction_event "
            "WHERE clearing = ? ORDER BY deduction_id, id"
        )
        return list(self.connection.execute(query, (number,)))

    def reconcilers(self, month: str) -> frozenset[str]:
        """Return who ever decided or approved cases about days of a month, or has proposed what still waits."""
        query = (
            "WITH people (diff_id, name) AS (SELECT diff_id, maker FROM recon_case UNION SELECT diff_id, maker FROM "
            "recon_decision UNION SELECT diff_id, checker FROM recon_decision) "
            "SELECT DISTINCT name FROM people JOIN diff USING (diff_id) WHERE substr(biz_date, 1, 7) = ? AND name <> ''"
        )
        return frozenset(str(row[0]) for row in self.connection.execute(query, (month,)))

    def funds(self, number: int, setl_ids: Sequence[str]) -> dict[str, list[int]]:
        """Return setl_id -> sums in the order of COMPONENTS, of the frozen fees an application counts."""
        query = (
            f"SELECT setl_id, {_SUMS} FROM frozen_fee JOIN clearing_freeze USING (freeze) JOIN clearing "
            f"ON clearing.id = clearing_freeze.clearing WHERE clearing.id = ? AND setl_id = ? AND held = '' "
            "AND (frozen_fee.clr_type, frozen_fee.insutype, frozen_fee.clr_optins, frozen_fee.clr_pay_loc) = "
            "(clearing.clr_type, clearing.insutype, clearing.clr_optins, clearing.clr_pay_loc) GROUP BY setl_id"
        )
        found = {}
        for setl_id in dict.fromkeys(setl_ids):
            row = self.connection.execute(query, (number, setl_id)).fetchone()
            if row is not None:
                found[setl_id] = list(row[1:])
        return found


def _clearing(row: Sequence[Any]) -> ClearingRow:
    names = [field.name for field in attrs.fields(ClearingRow)]
    return ClearingRow(**dict(zip(names, row, strict=True)))


@attrs.frozen(kw_only=True)
class NewClearing:
    """An application to be written as DRAFT."""

    group: tuple[str, str, str, str]
    revision: int
    idempotency: str
    content: str


@attrs.define(eq=False)
class MonthWriter(MonthReader):
    """The only writer of the store while it is open."""

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what is done inside, or take it back when that raises."""
        with transaction(self.connection):
            yield

    def build(
        self, where: tuple[str, str, str], new: Iterable[NewClearing], freezes: Sequence[int], who: str, at_ms: int
    ) -> list[int]:
        """Write applications of (role, scope, month) with their frozen days; return their numbers."""
        numbers = []
        with self.transaction():
            for one in new:
                values = (*where, *one.group, one.revision, one.idempotency, one.content, "DRAFT", who, at_ms)
                cursor = self.connection.execute(
                    "INSERT INTO clearing (role, scope, month, clr_type, insutype, clr_optins, clr_pay_loc, revision, "
                    "idempotency, content, state, maker, changed_ms) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
                    values,
                )
                number = int(cursor.lastrowid or 0)
                rows = [(number, freeze) for freeze in freezes]
                self.connection.executemany("INSERT INTO clearing_freeze VALUES (?,?)", rows)
                self._event(number, "build", "", "DRAFT", who, "", at_ms)
                numbers.append(number)
        return numbers

    def move(
        self, row: ClearingRow, given: str, state: str, who: str, at_ms: int, note: str = "",
        changes: Mapping[str, Any] | None = None, settled: Sequence[tuple[DeductionRow, str]] = (),
    ) -> ClearingRow:  # fmt: skip
        """Store one step: durable when this returns. changes: of _CHANGING; settled: (deduction in its new state, its
        state before) of those that move with it, or nothing does. Raises Moved."""
        new = attrs.evolve(row, state=state, changed_ms=at_ms, **(changes or {}))
        with self.transaction():
            names = ", ".join(f"{name} = ?" for name in _CHANGING)
            values = [getattr(new, name) for name in _CHANGING]
            found = self.connection.execute(
                f"UPDATE clearing SET state = ?, changed_ms = ?, {names} WHERE id = ? AND state = ? AND changed_ms = ? "
                "AND doubt = ?",
                (state, at_ms, *values, row.id, row.state, row.changed_ms, row.doubt),
            )
            if found.rowcount != 1:
                raise Moved(row.name)
            self._event(row.id, given, row.state, state, who, note, at_ms)
            for one, before in settled:
                self._settle(row.id, one, before, (who, "", "", ""), at_ms)
        return new

    def alarm(self, row: ClearingRow, note: str, at_ms: int) -> bool:
        """Note what a person must look at; False when it is the last thing noted already."""
        last = [event for event in self.events(row.id) if event[0] == "alarm"][-1:]
        if last and last[0][4] == note:
            return False
        with self.transaction():
            self._event(row.id, "alarm", row.state, row.state, "node", note, at_ms)
        return True

    def _event(self, number: int, given: str, before: str, after: str, who: str, note: str, at_ms: int) -> None:
        statement = (
            "INSERT INTO clearing_event (clearing, input, before, after, who, note, at_ms) VALUES (?,?,?,?,?,?,?)"
        )
        self.connection.execute(statement, (number, given, before, after, who, note, at_ms))

    def deduct(self, number: int, rows: Iterable[DeductionRow], who: str, at_ms: int) -> int:
        """Add deductions that are new; return how many."""
        added = 0
        with self.transaction():
            for one in rows:
                marks = ",".join("?" * 18)
                statement = f"INSERT INTO deduction (clearing, {_DEDUCTION}) VALUES ({marks}) ON CONFLICT DO NOTHING"
                fresh = self.connection.execute(statement, (number, *attrs.astuple(one))).rowcount
                if fresh:
                    self._deduction_event(number, one.deduction_id, one.state, (who, one.text, one.notice, ""), at_ms)
                added += fresh
        return added

    def settle(
        self, number: int, one: DeductionRow, before: str, explained: tuple[str, str, str, str], at_ms: int
    ) -> None:
        """Store a deduction's new state. explained: who, note, file, SM3 of the file. Raises Moved."""
        with self.transaction():
            self._settle(number, one, before, explained, at_ms)

    def _settle(
        self, number: int, one: DeductionRow, before: str, explained: tuple[str, str, str, str], at_ms: int
    ) -> None:
        found = self.connection.execute(
            "UPDATE deduction SET state = ?, revised = ?, ended = ?, changed_ms = ? "
            "WHERE clearing = ? AND deduction_id = ? AND state = ?",
            (one.state, one.revised, one.ended, at_ms, number, one.deduction_id, before),
        )
        if found.rowcount != 1:
            raise Moved(one.deduction_id)
        self._deduction_event(number, one.deduction_id, one.state, explained, at_ms)

    def _deduction_event(
        self, number: int, name: str, state: str, explained: tuple[str, str, str, str], at_ms: int
    ) -> None:
        statement = (
            "INSERT INTO deduction_event (clearing, deduction_id, state, who, note, file, file_sm3, at_ms) "
            "VALUES (?,?,?,?,?,?,?,?)"
        )
        self.connection.execute(statement, (number, name, state, *explained, at_ms))
