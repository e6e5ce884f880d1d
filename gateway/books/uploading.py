"""The rows of a clearing application as the province gets them: of frozen lines, with their deductions.

Source: 003 7.6.4.5 b).
"""

from collections.abc import Mapping, Sequence

from gateway.books.deductions import Deduction
from gateway.books.freezing import NEITHER, Fee, ledger_rows
from gateway.core import province
from gateway.core.ledgers import COMPONENTS

_KINDS: Mapping[str, province.DeductionKind] = {"DEDUCT": "DEDUCT", "WITHHOLD": "WITHHOLD", "PENALTY": "PENALTY"}


def clearing_row(
    fee: Fee, lines: Sequence[str], order: Sequence[int], deductions: Sequence[Deduction]
) -> province.ClearingRow:
    """Return a fee that counts as a row of an upload.

    lines: of its key, as frozen with the row it is, or adjusts; order: the ledgers by whose word that freeze goes; a
    correction is told as a row of its own, with what it adds.
    """
    direction = 0 if fee.direction == NEITHER else fee.direction
    found = [(row, when) for row, when in ledger_rows(lines) if row.direction == direction]
    found = found or [(row, when) for row, when in ledger_rows(lines)]
    found.sort(key=lambda one: order.index(one[0].ledger) if one[0].ledger in order else len(order))
    texts = {
        name: next((text for row, _ in found if (text := str(getattr(row, name)))), "")
        for name in ("prov_sn", "mdtrt_id")
    }
    return province.ClearingRow(
        setl_id=fee.setl_id, prov_sn=texts["prov_sn"], fixmedins_code=fee.fixmedins_code, mdtrt_id=texts["mdtrt_id"],
        direction="1" if direction else "0", setl_time=next((when for _, when in found if " " in when), found[0][1]),
        values_fen={name: fen for name, fen in zip(COMPONENTS, fee.amounts, strict=True) if fen is not None},
        deductions=tuple(_told(one) for one in deductions if one.counts and fee.direction == 0),
    )  # fmt: skip


def _told(one: Deduction) -> province.Deduction:
    return province.Deduction(
        deduction_id=one.deduction_id, setl_id=one.setl_id, fund=one.fund, amount_fen=one.counts,
        kind=_KINDS[one.kind], reason_code=one.reason_code, reason=one.text, state=one.state,
    )  # fmt: skip
