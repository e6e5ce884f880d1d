"""The daily statement's files: what is uploaded before 3202, and what its result says. Pure text in, records out.

Columns and their order: reconciliation specification §3.2 (tables 200 and 201). A result is used whole or not at all.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from heapq import merge
from typing import Any

import attrs

from gateway.core.dates import shanghai
from gateway.core.facts import undone_setl_id
from gateway.core.jsontext import decode
from gateway.core.ledgers import clean
from gateway.core.model import Entry
from gateway.core.money import fen_of, yuan

FILE_ROWS_MAX = 50_000  # of one file, ours or theirs: the day of a large hospital in one group
_SLICE = 1_000
# Columns of a result, by how many there are (§3.2): the official table, before 2021 without amounts, with exp_content.
_KEYS = ("psn_no", "mdtrt_id", "setl_id", "msgid", "stmt_rslt", "refd_setl_flag", "memo")
_AMOUNTS = ("medfee_sumamt", "fund_pay_sumamt", "acct_pay")
RESULT_COLUMNS = (_KEYS, (*_KEYS, *_AMOUNTS), (*_KEYS, *_AMOUNTS, "exp_content"))


@attrs.frozen(kw_only=True)
class Line:
    """One settlement or refund of ours, as the statement lists it. Amounts in fen, of a refund negative."""

    setl_id: str
    mdtrt_id: str
    psn_no: str
    day: date
    group: tuple[str, str]
    refund: bool
    medfee_fen: int
    fund_fen: int
    acct_fen: int
    cash_fen: int


@attrs.frozen(kw_only=True)
class Differing:
    """One row of a result: what the agency has and we have not (setl_id and mdtrt_id empty), or the other way round."""

    psn_no: str
    mdtrt_id: str
    setl_id: str
    msgid: str
    refund: bool
    medfee_fen: int | None
    fund_fen: int | None
    acct_fen: int | None


def lines_of(entries: Iterable[Entry], refunded: set[str]) -> list[Line]:
    """Return the statement's lines of settled rows: a refunded settlement is two of them, a reversed one none.

    Newest first, a page at a time. refunded: the setl_ids whose refund was among them so far; those of this page are
    added.
    """
    rows = [entry for entry in entries if entry.setl_id and entry.settled]
    refunded.update(undone_setl_id(entry.business_key) for entry in rows)
    found = (_line(entry) for entry in rows if not entry.cancelled or entry.setl_id in refunded)
    return [line for line in found if line is not None]


def in_order(lines: Sequence[Line]) -> list[Line]:
    """Return lines as a file lists them: by setl_id, the settlement before its refund.

    In slices: one big sort would keep every other thread waiting until it is over.
    """
    slices = [sorted(lines[at : at + _SLICE], key=_place) for at in range(0, len(lines), _SLICE)]
    return list(merge(*slices, key=_place))


def _place(line: Line) -> tuple[str, bool]:
    return line.setl_id, line.refund


def _line(entry: Entry) -> Line | None:
    told: Mapping[str, Any] = decode(entry.settled.encode())
    medfee_fen = told.get("medfee_sumamt")
    if type(medfee_fen) is not int or not told.get("clr_type") or not told.get("clr_optins"):
        return None
    return Line(
        setl_id=entry.setl_id,
        mdtrt_id=entry.mdtrt_id,
        psn_no=entry.psn_no,
        day=_day(told.get("setl_time"), entry.created_ms),
        group=(told["clr_optins"], told["clr_type"]),
        refund=medfee_fen < 0,
        medfee_fen=medfee_fen,
        fund_fen=told.get("fund_pay_sumamt", 0),
        acct_fen=told.get("acct_pay", 0),
        cash_fen=told.get("psn_cash_pay", 0),
    )


def _day(setl_time: Any, created_ms: int) -> date:
    """The platform's own day decides (§3.1)."""
    try:
        return date.fromisoformat(str(setl_time)[:10])
    except ValueError:
        return shanghai(created_ms / 1000).date()


def upload_text(lines: Iterable[Line]) -> str:
    """Return the text that is uploaded: TAB, LF, no header, `null` for what is empty."""
    return "".join(
        "\t".join(
            (
                line.setl_id,
                line.mdtrt_id or "null",
                line.psn_no or "null",
                *(yuan(amount) for amount in (line.medfee_fen, line.fund_fen, line.acct_fen)),
                "1" if line.refund else "0",
            )
        )
        + "\n"
        for line in lines
    )


def read_result(
    text: str, columns: Sequence[Sequence[str]] = RESULT_COLUMNS, rows_max: int = 0
) -> list[Differing] | None:
    """Return the rows of a result; None when one of them does not fit, so that nothing of it is used.

    columns: the profile's, one list of names for each number of columns that is right. rows_max: 0 = FILE_ROWS_MAX.
    """
    found: list[Differing] = []
    known = {len(names): names for names in columns}
    for line in text.split("\n"):
        if not line.strip("\r"):
            continue
        row = _read_row(line.rstrip("\r").split("\t"), known)
        if row is None or len(found) >= (rows_max or FILE_ROWS_MAX):
            return None
        found.append(row)
    return found


def _read_row(cells: list[str], columns: Mapping[int, Sequence[str]]) -> Differing | None:
    names = columns.get(len(cells))
    if names is None:
        return None
    values = {name: clean(cell) for name, cell in zip(names, cells, strict=True)}
    amounts = [fen_of(values[name]) if values.get(name) else None for name in _AMOUNTS]
    if any(values.get(name) and amount is None for name, amount in zip(_AMOUNTS, amounts, strict=True)):
        return None
    return Differing(
        psn_no=values.get("psn_no", ""),
        mdtrt_id=values.get("mdtrt_id", ""),
        setl_id=values.get("setl_id", ""),
        msgid=values.get("msgid", ""),
        refund=values.get("refd_setl_flag") == "1",
        medfee_fen=amounts[0],
        fund_fen=amounts[1],
        acct_fen=amounts[2],
    )
