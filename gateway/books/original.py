"""By which transaction something was settled that only the agency has: 2601 wants it (oinfno), 3202 does not say.
Pure.

Evidence is the kind of clearing of the group its row stood in, where the region's table knows of one transaction alone
for it; otherwise two people state it. Nothing is guessed. Source: reconciliation specification §3.2, §5.1
(L1-CENTER-MORE); docs/decisions/0011.
"""

from collections.abc import Mapping, Sequence

import attrs

from gateway.books.decisions import NotPossible

STATED = "stated"


@attrs.frozen(kw_only=True)
class Chosen:
    """oinfno, and why: `clr_type=...` or `stated` (two people say so)."""

    oinfno: str
    basis: str


def choose(stated: str, clr_type: str, reversible: Sequence[str], transactions: Mapping[str, Sequence[str]]) -> Chosen:
    """Return the transaction. stated: by people, '' = not; reversible, transactions: of the region. Raises
    NotPossible."""
    if stated:
        if stated not in reversible:
            raise NotPossible(f"本地区可冲正（2601）的交易只有{'、'.join(reversible)}，--oinfno不能是{stated}")
        return Chosen(oinfno=stated, basis=STATED)
    known = transactions.get(clr_type, ()) if clr_type else ()
    if len(known) == 1 and known[0] in reversible:
        return Chosen(oinfno=known[0], basis=f"clr_type={clr_type}")
    raise NotPossible(
        "本网关日志没有这个原报文，对账结果也不说明它是哪个交易（oinfno），凭清算类别"
        f"{clr_type or '（无）'}不能确定：请与机构核实后由两人以--oinfno写明（{'、'.join(reversible)}），"
        "或决定更正（correct），由经办撤销"
    )
