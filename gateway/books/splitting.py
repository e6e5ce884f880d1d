"""A month's split (清分, 3260 family; reconciliation §7.3): rows, what says that a download is whole, and the match.

Rows stay as the platform wrote them; the identity number (certno) is read, sent back and never kept.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import attrs

from gateway.books.freezing import OWN, REMOTE, elsewhere_of, ledger_rows, read_back
from gateway.core.jsontext import encode_sorted
from gateway.core.ledgers import COMPONENTS, SETTLED
from gateway.core.money import fen_of

PAGE_ROWS = 100
BATCH_ROWS = 100
FIELDS = ("certno", "mdtrt_id", "mdtrt_setl_time", "setl_sn", "medfee_sumamt", "optins_pay_sumamt")
MATCH, UNKNOWN, MEDFEE, OPTINS = "MATCH", "UNKNOWN", "MEDFEE", "OPTINS"
TITLES = {MATCH: "相符", UNKNOWN: "没有此记录", MEDFEE: "总金额对不上", OPTINS: "统筹对不上"}
_MEDFEE_AT, _FUND_AT = COMPONENTS.index("medfee_sumamt"), COMPONENTS.index("fund_pay_sumamt")
Key = tuple[str, str]  # (setl_sn, mdtrt_id): K4


class BadSplit(Exception):
    """The platform's rows cannot be used. str: Chinese."""


@attrs.frozen
class SplitRow:
    """One row. words: as the platform wrote it, the identity number with it; amounts: fen."""

    key: Key
    words: Mapping[str, Any]
    medfee: int
    optins: int


@attrs.frozen
class Union:
    """Everything one reading gave, each row once and in order. digest: SM3 of the sorted rows."""

    rows: tuple[SplitRow, ...]
    digest: str

    @property
    def totals(self) -> tuple[int, int, int]:
        """(rows, medfee, optins)."""
        return len(self.rows), sum(row.medfee for row in self.rows), sum(row.optins for row in self.rows)


def read(words: Mapping[str, Any]) -> SplitRow:
    """Read one row. Raises BadSplit."""
    medfee, optins = fen_of(words.get("medfee_sumamt")), fen_of(words.get("optins_pay_sumamt"))
    key = str(words.get("setl_sn") or ""), str(words.get("mdtrt_id") or "")
    if medfee is None or optins is None or not key[0]:
        raise BadSplit(f"清分明细的一行没有setl_sn，或金额不正确（mdtrt_id {key[1][:30]}），整份不采用")
    return SplitRow(key, words, int(medfee), int(optins))


def union(rows: Iterable[SplitRow], digest: Callable[[bytes], bytes]) -> Union:
    """Put the pages of one reading together: a row that came twice is one; two that contradict are no statement.

    Raises BadSplit.
    """
    by_key: dict[Key, tuple[bytes, SplitRow]] = {}
    for row in rows:
        # seqno may change with the page a row stands on; what is confirmed does not.
        text = encode_sorted({name: row.words.get(name) for name in FIELDS})
        known = by_key.get(row.key)
        if known is not None and known[0] != text:
            raise BadSplit(f"清分明细中{row.key[0]}有两行内容不同，请向平台核实")
        by_key[row.key] = (text, row)
    ordered = sorted(by_key.items())
    return Union(tuple(row for _, (_, row) in ordered), digest(b"\n".join(text for _, (text, _) in ordered)).hex())


def verdict(row: SplitRow, ours: Mapping[Key, tuple[int, int]]) -> str:
    """Compare a row with our frozen ones, to the fen. ours: (setl_sn or setl_id, mdtrt_id) -> medfee, fund."""
    found = ours.get(row.key)
    if found is None:
        return UNKNOWN
    if row.medfee != found[0]:
        return MEDFEE
    return MATCH if row.optins == found[1] else OPTINS


def batches(rows: Sequence[SplitRow]) -> list[Sequence[SplitRow]]:
    """Return the rows in batches of at most BATCH_ROWS."""
    return [rows[at : at + BATCH_ROWS] for at in range(0, len(rows), BATCH_ROWS)]


def remote_amounts(lines: Iterable[str]) -> dict[tuple[str, str], tuple[int, int]]:
    """Return (provincial serial, else setl_id; mdtrt_id) -> (medfee, fund) of remote patients, net of refunds.

    Of the agency's rows, else the journal's, else the institution's; not what another day counts. Only what is not
    zero: it was taken back.
    """
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for key_lines, _ in read_back(lines, OWN["L1"]):
        apart = {one[0][1] for line in key_lines if (one := elsewhere_of(line)) is not None}
        rows = [row for row, _ in ledger_rows(key_lines) if row.direction not in apart]
        leader = next((ledger for ledger in OWN["L1"] if any(row.ledger == ledger for row in rows)), None)
        place = ("", "")
        medfee = fund = 0
        for row in rows:
            if row.clr_pay_loc in REMOTE and row.mdtrt_id:
                place = row.prov_sn or place[0] or row.setl_id, row.mdtrt_id
            if row.ledger == leader and row.status == SETTLED:
                medfee += row.amounts[_MEDFEE_AT] or 0
                fund += row.amounts[_FUND_AT] or 0
        if place[1]:
            before = found.get(place, (0, 0))
            found[place] = before[0] + medfee, before[1] + fund
    return {place: sums for place, sums in found.items() if sums != (0, 0)}
