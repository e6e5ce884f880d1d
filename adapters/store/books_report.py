"""The books store for reports: a day's containers, newest run, inputs, and differences with what is done about them.

Opened read-only; a store that does not exist yet reads as empty. Rows come out plain, in an order of their own (by
settlement, as differences.csv has them), one at a time: a day may have very many.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import attrs

from adapters.store.books_evidence import inquiry_of
from gateway.core.booked import ActionRow, CaseRow, DayRow, DiffRow, FreezeRow, InputRow, InquiryRow, Item, RunRow

_DAYS = "SELECT role, scope, biz_date, state, revision, changed_ms, note FROM recon_day"
_RUN = "SELECT run_id, revision, at_ms, agreed, keys, summary FROM recon_run WHERE role = ? AND biz_date = ?"
_INPUTS = """
    SELECT input.id, ledger, scope, biz_date, source, sm3, rows, complete, sums, path, who, at_ms
    FROM input JOIN run_input ON run_input.input = input.id WHERE run_input.run_id = ? ORDER BY ledger, scope, input.id
"""
_DIFF = (
    "diff_id", "role", "scope", "biz_date", "leg", "class", "row", "mode", "action", "prevails", "setl_id", "msgid",
    "fixmedins_code", "component", "left_fen", "right_fen", "note", "agreed", "first_revision", "last_revision",
    "state", "changed_ms",
)  # fmt: skip
_CASE = (
    "id", "diff_id", "mode", "state", "decision", "reason", "maker", "approval", "opened_ms", "until_ms", "changed_ms",
)  # fmt: skip
_ACTION = (
    "action_id", "diff_id", "kind", "attempt", "party", "state", "receipt", "approval", "created_ms", "changed_ms",
)  # fmt: skip
_ITEMS = (
    "SELECT "
    + ", ".join(
        [f'diff."{name}"' for name in _DIFF]
        + [f"recon_case.{name}" for name in _CASE]
        + [f"action.{name}" for name in _ACTION]
    )
    + """
    FROM diff LEFT JOIN recon_case ON recon_case.diff_id = diff.diff_id
    LEFT JOIN action ON action.diff_id = diff.diff_id
    WHERE diff.role = ? AND diff.biz_date = ? AND (? = '' OR diff.scope = ?)
    ORDER BY diff.setl_id, diff.msgid, diff.leg, diff.diff_id, action.attempt, action.created_ms, action.action_id
"""
)
_FREEZES = """
    SELECT freeze.id, scope, biz_date, rows, freeze_sm3, freeze.maker, freeze.checker, freeze.approval, freeze.at_ms,
        EXISTS (SELECT 1 FROM freeze_reopening WHERE freeze_reopening.freeze = freeze.id)
    FROM freeze WHERE role = ? AND biz_date BETWEEN ? AND ? AND (? = '' OR scope = ?) ORDER BY freeze.id
"""
_INQUIRIES = """
    SELECT inquiry.diff_id, inquiry.revision, asked_ms, answered_ms, finding, facts, answer_sm3 FROM inquiry
    JOIN diff ON diff.diff_id = inquiry.diff_id
    WHERE diff.role = ? AND diff.biz_date = ? AND (? = '' OR diff.scope = ?) ORDER BY inquiry.revision
"""
_AT_CASE, _AT_ACTION = len(_DIFF), len(_DIFF) + len(_CASE)


class NotABooksStore(Exception):
    """The file is not a books store of this version, or is damaged. str: why, as SQLite says it."""


@attrs.frozen
class BooksReader:
    """An open store. None: there is none yet."""

    connection: sqlite3.Connection | None

    def roles(self, biz_date: str) -> list[str]:
        """Return the roles a date is known in."""
        query = "SELECT role FROM recon_day WHERE biz_date = ?1 UNION SELECT role FROM recon_run WHERE biz_date = ?1"
        return [role for (role,) in self._rows(query, (biz_date,))]

    def days(self, role: str, first: str, last: str, scope: str = "") -> list[DayRow]:
        """Return the containers from one date to another, both inclusive, by date and scope; scope '': all."""
        query = (
            f"{_DAYS} WHERE role = ? AND biz_date BETWEEN ? AND ? AND (? = '' OR scope = ?) ORDER BY biz_date, scope"
        )
        names = ("role", "scope", "biz_date", "state", "revision", "changed_ms", "note")
        rows = self._rows(query, (role, first, last, scope, scope))
        return [DayRow(**dict(zip(names, row, strict=True))) for row in rows]

    def run(self, role: str, biz_date: str) -> RunRow | None:
        """Return the newest evaluation of a date."""
        for run_id, revision, at_ms, agreed, keys, summary in self._rows(
            f"{_RUN} ORDER BY revision DESC LIMIT 1", (role, biz_date)
        ):
            sums = {ledger: _fen(found) for ledger, found in _table(_table(summary).get("sums_fen", {})).items()}
            return RunRow(
                run_id=run_id, revision=revision, at_ms=at_ms, agreed=bool(agreed), keys=keys, sums=sums
            )  # fmt: skip
        return None

    def inputs(self, run_id: str) -> list[InputRow]:
        """Return the files an evaluation compared."""
        names = [field.name for field in attrs.fields(InputRow)]
        found = []
        for row in self._rows(_INPUTS, (run_id,)):
            plain = dict(zip(names, row, strict=True))
            found.append(
                InputRow(**{**plain, "complete": bool(plain["complete"]), "sums": _fen(_table(plain["sums"]))})
            )
        return found

    def items(self, role: str, biz_date: str, scope: str = "") -> Iterator[Item]:
        """Yield the differences of a date; scope '': of all containers."""
        rows = self._rows(_ITEMS, (role, biz_date, scope, scope))
        asked = self._asked(role, biz_date, scope)
        for _, same in groupby(rows, key=lambda row: row[0]):
            one = _item(list(same))
            yield attrs.evolve(one, inquiry=asked[one.diff.diff_id]) if one.diff.diff_id in asked else one

    def _asked(self, role: str, biz_date: str, scope: str) -> dict[str, InquiryRow]:
        """Return what the agency was asked last, by difference (few a day); nothing in a store of before."""
        if not list(self._rows("SELECT 1 FROM sqlite_master WHERE name = ?", ("inquiry",))):
            return {}
        found = [inquiry_of(row) for row in self._rows(_INQUIRIES, (role, biz_date, scope, scope))]
        return {one.diff_id: one for one in found}

    def freezes(self, role: str, first: str, last: str, scope: str = "") -> list[FreezeRow]:
        """Return what was frozen from one date to another, oldest first; nothing in a store that has no freezes yet."""
        if not list(self._rows("SELECT 1 FROM sqlite_master WHERE name = ?", ("freeze",))):
            return []
        consents: dict[int, dict[str, tuple[str, int]]] = {}
        for freeze, party, who, at_ms in self._rows("SELECT freeze, party, who, at_ms FROM freeze_consent", ()):
            consents.setdefault(freeze, {})[party] = (who, at_ms)
        names = ("id", "scope", "biz_date", "rows", "freeze_sm3", "maker", "checker", "approval", "at_ms")
        return [
            FreezeRow(**dict(zip(names, row, strict=False)), reopened=bool(row[-1]), consents=consents.get(row[0], {}))
            for row in self._rows(_FREEZES, (role, first, last, scope, scope))
        ]

    def open_counts(self, role: str, first: str, last: str, scope: str = "") -> Mapping[str, int]:
        """Return how many differences are open or waiting, by date."""
        query = """
            SELECT biz_date, count(*) FROM diff
            WHERE role = ? AND biz_date BETWEEN ? AND ? AND (? = '' OR scope = ?) AND state IN ('OPEN', 'WAIT')
            AND agreed = 0 GROUP BY biz_date ORDER BY biz_date
        """
        return dict(self._rows(query, (role, first, last, scope, scope)))

    def _rows(self, query: str, values: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
        if self.connection is not None:
            yield from self.connection.execute(query, values)


def _table(value: Any) -> dict[str, Any]:
    """Return an object of the store, as JSON text or decoded. Raises NotABooksStore."""
    try:
        found = json.loads(value or "{}") if isinstance(value, str) else value
    except ValueError as cause:
        raise NotABooksStore(f"JSON: {cause}") from cause
    if not isinstance(found, dict):
        raise NotABooksStore("JSON: 不是对象")
    return found


def _fen(found: Mapping[str, Any]) -> dict[str, int]:
    return {name: int(fen) for name, fen in found.items() if isinstance(fen, int)}


def _item(group: list[tuple[Any, ...]]) -> Item:
    """Make one of the rows of a difference: one a row of `action`, or one alone."""
    first = group[0]
    plain = dict(zip(_DIFF, first, strict=False))
    plain["name"] = plain.pop("class")
    diff = DiffRow(**{**plain, "agreed": bool(plain["agreed"])})
    case = first[_AT_CASE:_AT_ACTION]
    actions = (row[_AT_ACTION:] for row in group)
    return Item(
        diff=diff,
        case=None if case[0] is None else CaseRow(**dict(zip(_CASE, case, strict=True))),
        actions=tuple(ActionRow(**dict(zip(_ACTION, row, strict=True))) for row in actions if row[0] is not None),
    )


@contextmanager
def books_reading(path: Path) -> Iterator[BooksReader]:
    """Open the store for reading, in one look at it (a node may write meanwhile). Raises NotABooksStore."""
    if not path.exists():
        yield BooksReader(None)
        return
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.execute("BEGIN")
            yield BooksReader(connection)
    except sqlite3.Error as cause:
        raise NotABooksStore(str(cause)) from cause
