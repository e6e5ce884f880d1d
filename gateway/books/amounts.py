"""What differs between ledgers that all have a settlement: amounts to the fen, then attributes (annex B6, §5.3).

A component a ledger does not carry is absent: neither zero nor a difference (§2.1). The tolerance is zero (§6.3).
"""

from collections.abc import Mapping

import attrs

from gateway.core.ledgers import AGY, COMPONENTS, GW, INS, INST, PROV, Row

ATTRIBUTES = ("psn_no", "insutype", "clr_type")
# When only these agree, the whole is right and its parts are not (A5).
TOTALS = frozenset({"medfee_sumamt", "fund_pay_sumamt", "psn_part_amt"})
_PAIRS: Mapping[str, tuple[int, int, str]] = {"L2": (AGY, PROV, "A6"), "L4": (PROV, INS, "A7")}
_ODD = {"A1": INST, "A2": GW, "A3": AGY, "A4": INST}


@attrs.frozen(kw_only=True)
class Difference:
    """row: A1-A7; component: the first that differs; left, right: fen or None (B16); others: further ones; verdict: by
    who differs, A1-A4, who acts and who prevails on A5 too (§5.3)."""

    row: str
    component: str
    left: int | None = None
    right: int | None = None
    others: tuple[str, ...] = ()
    verdict: str = ""


def compare(leg: str, rows: Mapping[int, Row]) -> Difference | None:
    """Return how the amounts of one leg differ. rows: of the ledgers that have it settled."""
    if leg == "L1":
        return _first_leg({ledger: rows[ledger].amounts for ledger in (INST, GW, AGY) if ledger in rows})
    one, other, code = _PAIRS[leg]
    if one not in rows or other not in rows:
        return None
    left, right = rows[one].amounts, rows[other].amounts
    places = [at for at in range(len(COMPONENTS)) if _differ(left[at], right[at])]
    if not places:
        return None
    first, *others = places
    return Difference(
        row=code,
        component=COMPONENTS[first],
        left=left[first],
        right=right[first],
        others=tuple(COMPONENTS[at] for at in others),
    )


def _first_leg(amounts: Mapping[int, tuple[int | None, ...]]) -> Difference | None:
    verdicts = {}
    for at in range(len(COMPONENTS)):
        carried = {ledger: values[at] for ledger, values in amounts.items() if values[at] is not None}
        if len(set(carried.values())) > 1:
            verdicts[at] = _verdict(carried)
    if not verdicts:
        return None
    verdict = next(iter(verdicts.values())) if len(set(verdicts.values())) == 1 else "A4"
    first, *others = verdicts
    names = tuple(COMPONENTS[at] for at in verdicts)
    odd = _ODD[verdict]
    # What prevails: the agency, for A3 the journal; where that one does not carry the component, the other of the two.
    right = next((amounts[side][first] for side in _sides(verdict) if _carries(amounts, side, first)), None)
    return Difference(
        row=verdict if TOTALS & set(names) else "A5",
        component=names[0],
        left=amounts[odd][first] if odd in amounts else None,
        right=right,
        others=tuple(COMPONENTS[at] for at in others),
        verdict=verdict,
    )


def _verdict(carried: Mapping[int, int | None]) -> str:
    """Say who is the odd one out on one component that differs."""
    if len(carried) == 2:
        return "A1" if INST in carried else "A3"
    if carried[GW] == carried[AGY]:
        return "A1"
    if carried[INST] == carried[AGY]:
        return "A2"
    return "A3" if carried[INST] == carried[GW] else "A4"


def _sides(verdict: str) -> tuple[int, ...]:
    return {"A3": (GW, INST), "A4": (AGY,)}.get(verdict, (AGY, GW))


def _carries(amounts: Mapping[int, tuple[int | None, ...]], ledger: int, at: int) -> bool:
    return ledger in amounts and amounts[ledger][at] is not None


def _differ(one: int | None, other: int | None) -> bool:
    return one is not None and other is not None and one != other


def attributes(rows: Mapping[int, Row]) -> tuple[str, ...]:
    """Return the attributes that differ within a leg where both sides name one (A9)."""
    found = []
    for name in ATTRIBUTES:
        if len({value for row in rows.values() if (value := getattr(row, name))}) > 1:
            found.append(name)
    return tuple(found)
