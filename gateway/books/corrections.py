"""What people decided of the gateway's own ledger; it holds from the next reading of the journal on. Pure.

The journal itself is never changed: these are the correcting entries beside it (reconciliation specification §5.1
L1-GW-ONLY, L1-GW-MISSING, §5.3 A2, S2), each the action of a decided case.

VOID     the record counts as nothing (VOIDED_BY_RECON)
BOOK     settled past the gateway: what the agency has stands in for it (EXTERNAL)
CORRECT  its words and amounts are the agency's (GW_CORRECTED)
"""

from collections.abc import Iterable, Iterator, Mapping

from gateway.core.booked import Correction

Cells = dict[str, str]


def _concerns(one: Correction, row: Mapping[str, str]) -> bool:
    """Say whether a row is what was decided of."""
    if row["fixmedins_code"] != one.fixmedins_code:
        return False
    if one.setl_id and row["setl_id"]:
        return row["setl_id"] == one.setl_id
    return bool(one.msgid) and row["msgid"] == one.msgid


def _numbers(one: Correction) -> Mapping[str, str]:
    return {"fixmedins_code": one.fixmedins_code, "setl_id": one.setl_id, "msgid": one.msgid}


class Corrections:
    """All decisions, oldest first; the last one of a record holds."""

    def __init__(self, decided: Iterable[Correction] = ()) -> None:
        self._order = {one: number for number, one in enumerate(decided)}
        self._found: dict[tuple[str, str], list[Correction]] = {}
        for one in self._order:
            for number in {one.setl_id, one.msgid} - {""}:
                self._found.setdefault((one.fixmedins_code, number), []).append(one)
        self._met: set[Correction] = set()

    def corrected(self, row: Cells) -> Cells:
        """Return a row of the journal as it stands after what was decided."""
        last = self._last(row)
        if last is None:
            return row
        if last.kind == "VOID":
            return {**row, "status": "REJECTED"}
        if row["direction"] == "1":
            return row
        self._met.add(last)
        return {**row, **last.record, "status": ""}

    def _last(self, row: Mapping[str, str]) -> Correction | None:
        """Return what was decided last of a record, whichever of its numbers the decisions name."""
        code = row["fixmedins_code"]
        known = [*self._found.get((code, row["setl_id"]), ()), *self._found.get((code, row["msgid"]), ())]
        return max((one for one in known if _concerns(one, row)), key=self._order.__getitem__, default=None)

    def shadows(self, first: str, last: str) -> Iterator[Cells]:
        """Yield what stands in for settlements the journal has no row of, of the dates first to last; asked last."""
        for known in dict.fromkeys(group[-1] for group in self._found.values()):
            if known.kind != "BOOK" or known in self._met or self._last(_numbers(known)) is not known:
                continue
            if first <= known.record["setl_time"][:10] <= last:
                yield {**known.record, "direction": "0", "status": "", "delivered": "1"}
