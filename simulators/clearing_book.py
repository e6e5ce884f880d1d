"""What a platform keeps of monthly clearing: applications by number, rows of the month's split, what was confirmed."""

from collections.abc import Callable

import attrs

from simulators.wording import Json

SUMS = ("medfee_sumamt", "med_sumfee", "fund_appy_sum", "cash_payamt", "acct_pay")


@attrs.define(kw_only=True)
class Finding:
    """What the audit found wanting in a settlement. kind: 1 deducted, 2 withheld, 3 penalty; outcome: of an appeal, 1
    upheld, 2 revised (confirmed_fen), 3 revoked."""

    suspt_id: str
    setl_id: str
    fund: str
    amount_fen: int
    kind: str = "1"
    appealed: bool = False
    reviewed: bool = False
    reason: str = ""
    attachment: str = ""
    outcome: str = ""
    confirmed_fen: int = 0

    @property
    def stands_fen(self) -> int:
        return {"2": self.confirmed_fen, "3": 0}.get(self.outcome, self.amount_fen)


@attrs.define
class Application:
    """One application. clr_stas is walked by hand; '' = withdrawn."""

    institution: str
    head: Json
    event_id: str
    at_s: float
    clr_stas: str = "10"
    findings: list[Finding] = attrs.Factory(list)

    @property
    def same(self) -> tuple[str, ...]:
        return (self.institution, *(str(self.head.get(name)) for name in ("clr_type", "setlym", *SUMS)))


@attrs.define
class ClearingBook:
    """All applications by number; rows of splits by (institution, year, month). shift: called before each page is cut,
    may change the rows: pages that move while they are read."""

    applications: dict[str, Application] = attrs.Factory(dict)
    splits: dict[tuple[str, str, str], list[Json]] = attrs.Factory(dict)
    confirmed: dict[str, tuple[tuple[str, str, str], list[Json]]] = attrs.Factory(dict)
    shift: Callable[[list[Json]], object] = lambda rows: None
    deposit: int = 50  # per mille of what is payable that is kept back
    materials: dict[str, list[tuple[str, bytes]]] = attrs.Factory(dict)  # of appeals, by number
    answered: dict[str, str] = attrs.Factory(dict)  # msgid of a 3261 -> inf_refmsgid of its answer
    extra: list[Json] = attrs.Factory(list)  # rows 3205A shows besides: another system's, or a fault

    def standing(self, institution: str) -> list[Application]:
        return [one for one in self.applications.values() if one.institution == institution and one.clr_stas]
