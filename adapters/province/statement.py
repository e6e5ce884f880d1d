"""Pages of a statement, read and checked: the head that all pages share, rows as lines of a ledger CSV. Pure.

docs/province.md §3. A row with one bad cell makes the whole statement unreadable: no part of it is used.
"""

import re
from collections.abc import Mapping
from typing import Any

import attrs

from adapters.province import codec
from adapters.province.codec import Data, Unreadable
from adapters.province.shelf import line_of
from gateway.core.ledgers import COLUMNS, COMPONENTS, NAMES, row_faults
from gateway.core.money import yuan
from gateway.core.province import Role

COLUMNS_SENT = tuple(name for name in COLUMNS if name != "delivered")
AMOUNTS = frozenset(COMPONENTS)
DETAIL_COLUMNS = (
    "setl_sn", "mdtrt_id", "medins_no", "mdtrtarea", "mdtrt_setl_time", "fulamt_advpay_flag", "medfee_sumamt",
    "optins_pay_sumamt", "seqno",
)  # fmt: skip
DETAIL_AMOUNTS = frozenset({"medfee_sumamt", "optins_pay_sumamt"})
_WRITTEN = re.compile(r"-?(?:0|[1-9][0-9]{0,13})\.[0-9]{2}", re.ASCII).fullmatch
_TOTALLED = ("medfee_sumamt", "fund_pay_sumamt", "acct_pay")


@attrs.frozen(kw_only=True)
class Head:
    """What every page says of the whole list; equal on all pages unless it changed meanwhile. size: rows of a full
    page, which may be fewer than were asked for."""

    size: int
    statement_no: str
    complete: bool
    total: int
    sums_fen: Mapping[str, int]


@attrs.frozen(kw_only=True)
class PageRead:
    """One page. lines: its rows as lines of the CSV."""

    head: Head
    lines: list[bytes]


def statement_page(data: Data, role: Role, date: str, ledger: str, number: int, size: int) -> PageRead:
    """Read the answer to `statement`. Raises Unreadable."""
    asked = {"role": role, "date": date, "ledger": ledger, "page_num": number}
    if any(data.get(name) != value for name, value in asked.items()):
        raise Unreadable("不是所要的对账单或页")
    sums = codec.sums(data)
    if not sums.keys() <= AMOUNTS or not sums.keys() >= set(_TOTALLED):
        raise Unreadable("总金额的项目不符合规定")
    given = codec.whole_number(data, "page_size")
    if not 1 <= given <= size:
        raise Unreadable("页的行数不是所要的")
    head = Head(
        size=given,
        statement_no=codec.text(data, "statement_no", required=True),
        complete=codec.flag(data, "complete"),
        total=codec.whole_number(data, "rows_total"),
        sums_fen=sums,
    )
    party = NAMES.index(ledger)
    return PageRead(head=head, lines=[_line(row, party, date) for row in codec.rows(data, given)])


def _line(row: Mapping[str, Any], party: int, date: str) -> bytes:
    cells = {}
    for name in COLUMNS_SENT:
        if name in AMOUNTS:
            cells[name] = _amount(row, name)
        else:
            cells[name] = codec.text(row, name)
    if faults := row_faults(party, cells):
        raise Unreadable(f"{faults[0].column}{faults[0].message}")
    if cells["setl_time"][:10] != date:
        raise Unreadable("有一行的结算日期不是对账单的日期")
    return line_of([cells[name] for name in COLUMNS_SENT])


def _amount(row: Mapping[str, Any], name: str) -> str:
    """Return an amount as this file writes it, '' when it is absent; nearly all come so written."""
    value = row.get(name)
    if type(value) is str and _WRITTEN(value) and value != "-0.00":
        return value
    fen = codec.amount_or_none(row, name)
    return "" if fen is None else yuan(fen)


def detail_page(data: Data, year: str, month: str, start: int) -> PageRead:
    """Read the answer to `clearing/detail` for a whole month's file. Raises Unreadable."""
    page = codec.details(data, start)
    if not page.sums_fen.keys() >= DETAIL_AMOUNTS:
        raise Unreadable("缺少总金额")
    lines = []
    for row in page.rows:
        if row.mdtrt_setl_time[:7] != f"{year}-{month}":
            raise Unreadable("有一行的结算日期不在所要的月份")
        texts = attrs.asdict(row) | {
            "medfee_sumamt": yuan(row.medfee_sumamt_fen),
            "optins_pay_sumamt": yuan(row.optins_pay_sumamt_fen),
        }
        lines.append(line_of([str(texts[name]) for name in DETAIL_COLUMNS]))
    sums = {name: page.sums_fen[name] for name in DETAIL_AMOUNTS}
    head = Head(size=codec.PAGE_ROWS, statement_no="", complete=True, total=page.total, sums_fen=sums)
    return PageRead(head=head, lines=lines)
