"""The agency's ledger of an institution, from what was uploaded for 3202 and what its result says. Pure.

Direction of a result row (§3.2): setl_id and mdtrt_id empty, or a setl_id that is not in our file = the agency has
more; in our file with the same amounts or none = the agency lacks it; with others = the amounts differ, and theirs are
taken. Only what 3202 compares is carried: total, funds, account. Source: docs/decisions/0011.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import starmap

import attrs

from gateway.core.money import yuan
from gateway.core.statement import Differing

COLUMNS = (
    "fixmedins_code", "setl_id", "mdtrt_id", "psn_no", "msgid", "direction", "insutype", "clr_type", "clr_optins",
    "clr_pay_loc", "setl_time", "medfee_sumamt", "fund_pay_sumamt", "acct_pay",
)  # fmt: skip

Cells = dict[str, str]
Count = str  # net, gross, exclude_refunded


@attrs.frozen(kw_only=True)
class Ours:
    """One line of ours as it was uploaded. own_id: its number at the platform, which of a refund is not that of what it
    cancels (cells' setl_id). Amounts in fen, of a refund negative. late: of its day's last half hour (T3)."""

    own_id: str
    optins: str
    clr_type: str
    insutype: str
    medfee: int
    fund: int
    acct: int
    cash: int
    cells: Mapping[str, str]
    late: bool = False

    @property
    def refund(self) -> bool:
        return self.cells["direction"] == "1"

    @property
    def group(self) -> tuple[str, str]:
        return self.optins, self.clr_type

    @property
    def amounts(self) -> tuple[int, int, int]:
        return self.medfee, self.fund, self.acct


@attrs.frozen(kw_only=True)
class Sums:
    """What 3201 and 3202 are told of some lines, in fen; net of refunds."""

    count: int
    medfee: int
    fund: int
    acct: int
    cash: int
    refunds: bool


def counted(lines: Sequence[Ours], how: Count) -> Sums:
    """Sum lines up. how: the profile's count rule (§3.1): a refund is -1 (net), +1 (gross), or takes both away."""
    refunds = sum(one.refund for one in lines)
    undone = {one.cells["setl_id"] for one in lines if one.refund}
    count = {
        "net": len(lines) - 2 * refunds,
        "gross": len(lines),
        "exclude_refunded": sum(one.cells["setl_id"] not in undone for one in lines),
    }[how]
    return Sums(
        count=count,
        medfee=sum(one.medfee for one in lines),
        fund=sum(one.fund for one in lines),
        acct=sum(one.acct for one in lines),
        cash=sum(one.cash for one in lines),
        refunds=refunds > 0,
    )


def uploaded(lines: Sequence[Ours], refund_rows: str) -> list[Ours]:
    """Return the lines a file lists, by (own number, settlement before refund): the same ledger, the same bytes.

    refund_rows: both, or exclude = neither of a settlement and its refund.
    """
    if refund_rows == "exclude":
        undone = {one.cells["setl_id"] for one in lines if one.refund}
        lines = [one for one in lines if one.cells["setl_id"] not in undone]
    return sorted(lines, key=lambda one: (one.own_id, one.refund))


def text_of(lines: Iterable[Ours]) -> str:
    """Return table 200: TAB, LF, no header, `null` for what is empty."""
    return "".join("\t".join(_cells(one)) + "\n" for one in lines)


def _cells(one: Ours) -> tuple[str, ...]:
    ids = (one.own_id, one.cells["mdtrt_id"], one.cells["psn_no"])
    return (*(text or "null" for text in ids), *map(yuan, one.amounts), "1" if one.refund else "0")


def agency_rows(
    group: tuple[str, str], lines: Iterable[Ours], result: Sequence[Differing], institution: str, day: str
) -> Iterator[Cells]:
    """Yield the agency's rows of one group. lines: all of ours in it; result: () where 3201 called it balanced.

    A refund the agency lists under the number of our settlement speaks of its own refund, not of the settlement.
    """
    named = {(row.setl_id, row.refund): row for row in result if row.setl_id}
    own: dict[str, bool] = {}
    for one in lines:
        own[one.own_id] = one.refund
        row = named.get((one.own_id, one.refund)) or (named.get((one.own_id, False)) if one.refund else None)
        theirs = _amounts(row) if row is not None else None
        if theirs is None or (row is not None and not _equal(theirs, one)):
            yield _row(one.cells, theirs or one.amounts)
    for row in result:
        if not row.setl_id or row.setl_id not in own or (row.refund and not own[row.setl_id]):
            yield _foreign(row, institution, day, group, row.setl_id in own)


def ahead_rows(
    lines: Iterable[Ours], today: Iterable[Differing], both: Iterable[Differing], next_day: str
) -> Iterator[Cells]:
    """Yield what the agency has of a day's late lines on the day after: what it lacks on the day and has in the range
    of both (§5.4, T3).

    lines: those late ones that both questions listed; today, both: the results for the day and for the range. What the
    agency has under another number is left to the next day's own ledger: a message with two numbers is no match (§6.1).
    """
    lacking = {row.setl_id: row for row in today if row.setl_id}
    named = {row.setl_id: row for row in both if row.setl_id}
    elsewhere = {row.msgid for row in both if row.msgid and row.setl_id not in named}
    for one in lines:
        known, found = lacking.get(one.own_id), named.get(one.own_id)
        if known is None or not _equal(_amounts(known), one) or one.cells["msgid"] in elsewhere:
            continue
        theirs = _amounts(found) if found is not None else one.amounts
        if found is None or not _equal(theirs, one):
            yield _row({**one.cells, "setl_time": next_day}, theirs)


def _equal(theirs: tuple[int | None, ...], one: Ours) -> bool:
    """A row with our amounts, or without any, is one the agency lacks."""
    return all(fen is None or fen == ours for fen, ours in zip(theirs, one.amounts, strict=True))


def _amounts(row: Differing) -> tuple[int | None, int | None, int | None]:
    return row.medfee_fen, row.fund_fen, row.acct_fen


def _row(cells: Mapping[str, str], amounts: Sequence[int | None]) -> Cells:
    names = ("medfee_sumamt", "fund_pay_sumamt", "acct_pay")
    kept = {name: cells.get(name, "") for name in COLUMNS[:-3]}
    return {**kept, **dict(starmap(_cell, zip(names, amounts, strict=True)))}


def _cell(name: str, fen: int | None) -> tuple[str, str]:
    return name, "" if fen is None else yuan(fen)


def _foreign(row: Differing, institution: str, day: str, group: tuple[str, str], ours: bool) -> Cells:
    """What only the agency has. Of a refund the number is its own and left out, unless it is that of what it cancels
    (ours)."""
    known = {
        "fixmedins_code": institution,
        "setl_id": "" if row.refund and not ours else row.setl_id,
        "mdtrt_id": row.mdtrt_id,
        "psn_no": row.psn_no,
        "msgid": row.msgid,
        "direction": "1" if row.refund else "0",
        "clr_optins": group[0],
        "clr_type": group[1],
        "setl_time": day,
    }
    return _row(known, _amounts(row))
