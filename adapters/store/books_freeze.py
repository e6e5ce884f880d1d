"""Frozen days in the books room's file (reconciliation §6.5): written once, chained, never changed (triggers).

Plain values in and out; what a line or a fee means is the business of `gateway.books.freezing`. A freeze is written in
transactions of at most 2,000 rows under a number of its own and comes into force by its one last row (annex X35).
"""

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from gateway.core.ledgers import COMPONENTS

BATCH = 2_000
GROUP = ("fixmedins_code", "insutype", "clr_type", "clr_optins", "clr_pay_loc")
_AMOUNTS = ", ".join(COMPONENTS)
_FEE = (
    "fee_key, setl_id, direction, fixmedins_code, insutype, clr_type, clr_way, clr_optins, clr_pay_loc, held, "
    f"adjusts_freeze, adjusts_n, {_AMOUNTS}"
)
_FREEZE = (
    "SELECT freeze.id, role, scope, biz_date, prev_sm3, header, rows, fees, freeze_sm3, key_id, signature, "
    "freeze.maker, freeze.checker, freeze.approval, reopens, freeze.at_ms, "
    "freeze_reopening.freeze IS NOT NULL FROM freeze LEFT JOIN freeze_reopening ON freeze_reopening.freeze = freeze.id"
)
_IN_FORCE = f"{_FREEZE} WHERE freeze_reopening.freeze IS NULL"
_INPUTS = (
    "SELECT ledger, scope, sm3, rows, path, biz_date, complete, id FROM run_input "
    "JOIN input ON input.id = run_input.input WHERE run_id = ? ORDER BY input.ledger, input.scope, input.id"
)


class NotInForce(Exception):
    """Somebody else froze or opened a day meanwhile; nothing was changed. Look again."""


@attrs.frozen(kw_only=True)
class FreezeRow:
    """One freeze as it is stored. opened: it was opened again since."""

    id: int
    role: str
    scope: str
    biz_date: str
    prev_sm3: str
    header: str
    rows: int
    fees: int
    freeze_sm3: str
    key_id: str
    signature: str
    maker: str
    checker: str
    approval: int
    reopens: int
    at_ms: int
    opened: bool = False


@attrs.frozen
class AdjustmentRow:
    """One adjustment as it is stored. line: as it will be frozen; biz_date: its day."""

    id: int
    scope: str
    biz_date: str
    line: str
    reason: str
    maker: str
    checker: str
    approval: int


@attrs.frozen
class Input:
    """A file of a run. path: below the data directory."""

    ledger: str
    scope: str
    sm3: str
    rows: int
    path: str
    biz_date: str
    complete: bool
    id: int


@attrs.frozen
class Consent:
    party: str
    kind: str
    who: str
    proof: str
    at_ms: int


def frozen(connection: sqlite3.Connection, role: str, scope: str, date: str) -> bool:
    """Say whether a day is frozen: then no run may change it (§6.4); the caller refuses with 409."""
    where = "AND role = ? AND scope = ? AND biz_date = ? LIMIT 1"
    return connection.execute(f"{_IN_FORCE} {where}", (role, scope, date)).fetchone() is not None


@attrs.define(eq=False)
class FreezeReader:
    """One look at frozen days."""

    connection: sqlite3.Connection

    def day(self, role: str, scope: str, date: str) -> FreezeRow | None:
        """Return the freeze in force of a day."""
        row = self.connection.execute(
            f"{_IN_FORCE} AND role = ? AND scope = ? AND biz_date = ?", (role, scope, date)
        ).fetchone()
        return None if row is None else _freeze(row)

    def newest(self, role: str, scope: str, date: str) -> FreezeRow | None:
        """Return the last freeze of a day, opened again or not."""
        where = "WHERE role = ? AND scope = ? AND biz_date = ? ORDER BY freeze.id DESC LIMIT 1"
        row = self.connection.execute(f"{_FREEZE} {where}", (role, scope, date)).fetchone()
        return None if row is None else _freeze(row)

    def one(self, number: int) -> FreezeRow | None:
        row = self.connection.execute(f"{_FREEZE} WHERE freeze.id = ?", (number,)).fetchone()
        return None if row is None else _freeze(row)

    def all(self) -> Iterator[FreezeRow]:
        """Yield every freeze, oldest first, opened ones too."""
        # Fetched whole: a few hundred rows a month, and the caller reads others meanwhile.
        yield from [_freeze(row) for row in self.connection.execute(f"{_FREEZE} ORDER BY freeze.id")]

    def month(self, role: str, scope: str, month: str) -> list[FreezeRow]:
        """Return the freezes in force of a month (yyyy-MM), by date."""
        query = f"{_IN_FORCE} AND role = ? AND scope = ? AND substr(biz_date, 1, 7) = ? ORDER BY biz_date"
        return [_freeze(row) for row in self.connection.execute(query, (role, scope, month))]

    def lines(self, number: int) -> Iterator[str]:
        for (line,) in self.connection.execute("SELECT line FROM frozen_row WHERE freeze = ? ORDER BY n", (number,)):
            yield line

    def lines_of_key(self, number: int, key: str) -> list[str]:
        """Return the lines of one key; looks at all of the freeze, for the few that adjustments ask about."""
        query = "SELECT line FROM frozen_row WHERE freeze = ? AND substr(line, 1, ?) = ? ORDER BY n"
        return [str(row[0]) for row in self.connection.execute(query, (number, len(key) + 1, f"{key}\t"))]

    def fees(self, number: int) -> Iterator[tuple[Any, ...]]:
        """Yield fees in the order of `Fee`, without their numbers."""
        for row in self.connection.execute(f"SELECT {_FEE} FROM frozen_fee WHERE freeze = ? ORDER BY n", (number,)):
            yield _fee(row)

    def fees_of(self, setl_id: str) -> list[tuple[int, int, tuple[Any, ...]]]:
        """Return (freeze, n, fee) of a settlement in freezes in force, oldest first."""
        query = (
            f"SELECT frozen_fee.freeze, n, {_FEE} FROM frozen_fee LEFT JOIN freeze_reopening USING (freeze) "
            "JOIN freeze ON freeze.id = frozen_fee.freeze WHERE setl_id = ? AND reason IS NULL ORDER BY 1, 2"
        )
        return [(row[0], row[1], _fee(row[2:])) for row in self.connection.execute(query, (setl_id,))]

    def sums(self, number: int) -> list[tuple[Any, ...]]:
        """Return (kind, *GROUP, settlements, refunds, *COMPONENTS)."""
        names = f"kind, {', '.join(GROUP)}, settlements, refunds, {_AMOUNTS}"
        query = f"SELECT {names} FROM freeze_sum WHERE freeze = ? ORDER BY 1, 2, 3, 4, 5, 6"
        return list(self.connection.execute(query, (number,)))

    def consents(self, number: int) -> list[Consent]:
        query = "SELECT party, kind, who, proof, at_ms FROM freeze_consent WHERE freeze = ? ORDER BY party"
        return [Consent(*row) for row in self.connection.execute(query, (number,))]

    def of_settlement(self, role: str, scope: str, setl_id: str) -> list[tuple[int, int, str, tuple[Any, ...]]]:
        """Return (freeze, n, date, fee) of a settlement in the freezes in force of a scope, oldest first."""
        query = (
            f"SELECT frozen_fee.freeze, n, biz_date, {_FEE} FROM frozen_fee LEFT JOIN freeze_reopening USING (freeze) "
            "JOIN freeze ON freeze.id = frozen_fee.freeze "
            "WHERE setl_id = ? AND role = ? AND scope = ? AND reason IS NULL ORDER BY 1, 2"
        )
        found = self.connection.execute(query, (setl_id, role, scope))
        return [(row[0], row[1], row[2], _fee(row[3:])) for row in found]

    def adjusted(self, role: str, scope: str) -> list[AdjustmentRow]:
        """Return every adjustment of a scope ('' = any), oldest first."""
        names = ", ".join(field.name for field in attrs.fields(AdjustmentRow))
        query = f"SELECT {names} FROM adjustment WHERE role = ? AND (scope = ? OR ? = '') ORDER BY id"
        return [AdjustmentRow(*row) for row in self.connection.execute(query, (role, scope, scope))]

    def held_fees(self, role: str, scope: str) -> list[tuple[str, str, int, int, str]]:
        """Return (date, setl_id, freeze, n, why) of what is held in the freezes in force and was not adjusted."""
        query = (
            "SELECT biz_date, setl_id, frozen_fee.freeze, n, held FROM frozen_fee "
            "LEFT JOIN freeze_reopening USING (freeze) JOIN freeze ON freeze.id = frozen_fee.freeze "
            "WHERE held <> '' AND role = ? AND scope = ? AND reason IS NULL AND NOT EXISTS (SELECT 1 FROM frozen_fee "
            "AS later WHERE later.adjusts_freeze = frozen_fee.freeze AND later.adjusts_n = frozen_fee.n "
            "AND later.setl_id = frozen_fee.setl_id) ORDER BY biz_date, setl_id, n"
        )
        return list(self.connection.execute(query, (role, scope)))

    def open_days(self, role: str, scope: str) -> list[str]:
        """Return the reconciled days of a scope that are not frozen, in order."""
        query = "SELECT biz_date FROM recon_day WHERE role = ? AND scope = ? AND state <> 'FROZEN' ORDER BY biz_date"
        return [str(row[0]) for row in self.connection.execute(query, (role, scope))]

    def adjustments(self, role: str, scope: str, date: str) -> list[str]:
        """Return the lines of corrections dated a day, in order."""
        query = "SELECT line FROM adjustment WHERE role = ? AND scope = ? AND biz_date = ? ORDER BY line, id"
        return [row[0] for row in self.connection.execute(query, (role, scope, date))]

    def last_sm3(self) -> str:
        row = self.connection.execute("SELECT freeze_sm3 FROM freeze ORDER BY id DESC LIMIT 1").fetchone()
        return "" if row is None else str(row[0])

    def last_ms(self) -> int:
        """Return when the last freeze came into force; 0 when there is none."""
        row = self.connection.execute("SELECT at_ms FROM freeze ORDER BY id DESC LIMIT 1").fetchone()
        return 0 if row is None else int(row[0])

    # --- what the run left (tables of 0001) ---------------------------------------------------------

    def state(self, role: str, scope: str, date: str) -> str:
        query = "SELECT state FROM recon_day WHERE role = ? AND scope = ? AND biz_date = ?"
        row = self.connection.execute(query, (role, scope, date)).fetchone()
        return "" if row is None else str(row[0])

    def scopes(self, role: str, date: str) -> list[str]:
        """Return the scopes that have a day, in order."""
        query = "SELECT scope FROM recon_day WHERE role = ? AND biz_date = ? ORDER BY scope"
        return [str(row[0]) for row in self.connection.execute(query, (role, date))]

    def run(self, role: str, date: str) -> tuple[str, int] | None:
        """Return (run_id, revision) of the newest run of a day."""
        query = "SELECT run_id, revision FROM recon_run WHERE role = ? AND biz_date = ? ORDER BY revision DESC LIMIT 1"
        row = self.connection.execute(query, (role, date)).fetchone()
        return None if row is None else (str(row[0]), int(row[1]))

    def inputs(self, run_id: str) -> list[Input]:
        return [Input(*row) for row in self.connection.execute(_INPUTS, (run_id,))]

    def unread(self, role: str, scope: str, date: str, run_id: str) -> list[tuple[str, str]]:
        """Return (ledger, scope) of the newest inputs of a day that a run was not over: of a scope and of the whole
        city; of the city's day any."""
        found = self.connection.execute(_UNREAD, (date, run_id, role, scope, scope))
        return [(str(ledger), str(of)) for ledger, of in found]

    def open_work(self, role: str, scope: str, date: str) -> tuple[int, int, int]:
        """Return (actions not at their end, differences PENDING_GW, other differences that are open) of a day.

        An institution's day has the differences of its records on the city's legs, too: only what passed all legs is
        cleared (003 7.6.4.5 b).
        """
        actions = (
            f"SELECT count(*) FROM action JOIN diff USING (diff_id) WHERE {_OF_DAY} "
            "AND action.state NOT IN ('DONE', 'FAILED')"
        )
        still = f"SELECT count(*) FROM diff WHERE {_OF_DAY} AND state IN ('OPEN', 'WAIT')"
        pending = f"{still} AND class = 'PENDING_GW'"
        rest = f"{still} AND NOT agreed AND class NOT IN ('PENDING_GW', 'WITHHELD')"
        values = (role, date, scope, scope)
        found = [int(self.connection.execute(query, values).fetchone()[0]) for query in (actions, pending, rest)]
        return found[0], found[1], found[2]

    def held(self, role: str, scope: str, date: str) -> dict[str, str]:
        """Return key of a row -> CARRIED or WITHHELD, on any leg: what clearing may not count yet."""
        query = (
            f'SELECT setl_id, fixmedins_code, msgid, note, "row", state FROM diff WHERE {_OF_DAY} '
            "AND (state = 'CARRIED' OR (class = 'WITHHELD' AND state IN ('OPEN', 'WAIT')))"
        )
        found = {}
        for setl_id, institution, msgid, note, row, state in self.connection.execute(query, (role, date, scope, scope)):
            key = setl_id or (f" m:{institution}|{msgid}" if msgid else f" p:{str(note).partition('prov_sn=')[2]}")
            for one in (key, *(_twins(str(note)) if row in _DOUBLES else ())):
                found[one] = "CARRIED" if state == "CARRIED" else "WITHHELD"
        return found


_DOUBLES = ("D3", "D4")  # one line tells of several settlements: the others stand in its note (annex B9)
# A statement of the province for the other role has a scope of its own.
# What a newer or whole file for the city took the place of is looked at by no run (`gateway.app.books_sources`).
_UNREAD = (
    "WITH new AS (SELECT * FROM input WHERE id IN (SELECT max(id) FROM input WHERE biz_date = ? "
    "GROUP BY ledger, scope)) SELECT ledger, scope FROM new "
    "WHERE id NOT IN (SELECT input FROM run_input WHERE run_id = ?) "
    "AND (scope = 'insured') = (? <> 'care') AND (? = '*' OR scope IN (?, '*')) AND NOT EXISTS (SELECT 1 FROM new AS c "
    "WHERE c.scope = '*' AND new.scope <> '*' AND c.ledger = new.ledger AND new.ledger IN ('INST', 'AGY') "
    "AND (c.complete, c.id) > (new.complete, new.id)) ORDER BY ledger, scope"
)
# Of the day itself, or of the institution's records on the city's legs.
_OF_DAY = "role = ? AND biz_date = ? AND (scope = ? OR (scope = '*' AND fixmedins_code = ?))"


def _twins(note: str) -> list[str]:
    """Return the settlements a note names. More than it has room for cannot be carried (`gateway.books.decisions`)."""
    return [part for part in note.split("; ") if part and not part.startswith("+")]


def _freeze(row: Sequence[Any]) -> FreezeRow:
    names = [field.name for field in attrs.fields(FreezeRow)]
    return FreezeRow(**dict(zip(names, (*row[:-1], bool(row[-1])), strict=True)))


def _fee(row: Sequence[Any]) -> tuple[Any, ...]:
    return (*row[:10], (row[10], row[11]), tuple(row[12:]))
