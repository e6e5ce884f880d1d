"""A month for people: its days, its clearing applications and what became of the money, what has a deadline. Pure.

Applications that were returned or withdrawn are listed and count in no total: a later revision stands in their place.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import attrs

from gateway.books.deductions import OPEN
from gateway.core.booked import DayRow, FreezeRow

Look = Literal["none", "wait", "diff", "agreed", "frozen"]
GONE = ("RETURNED", "WITHDRAWN")
TROUBLED = ("IN_DOUBT", "RETURNED", "DISPUTED")  # a person has to look
UNSENT = ("DRAFT", "CHECKED", "APPROVED")
_AUDITED = ("AUDITED", "DISPUTED", "CONFIRMED", "DISBURSED", "CLOSED")
_AGREED = ("AGREED", "AGREED_WITH_CARRY", "FROZEN")


@attrs.frozen(kw_only=True)
class MonthDay:
    """One date. states: state -> containers in it; open: differences open or waiting; frozen: freezes in force."""

    date: str
    look: Look
    states: Mapping[str, int]
    open: int
    frozen: int


@attrs.frozen(kw_only=True)
class DeductionLine:
    """One audit deduction. counts: fen it takes as things stand; until: last day of an appeal, '' when none is open."""

    application: str
    deduction_id: str
    setl_id: str
    fund: str
    kind: str
    state: str
    amount: int
    counts: int
    reason: str
    until: str
    late: bool

    @property
    def open(self) -> bool:
        return self.state in OPEN


@attrs.frozen(kw_only=True)
class Application:
    """One clearing application; amounts fen. due: (working days, date, overdue) of its payment."""

    name: str
    scope: str
    clr_type: str
    insutype: str
    clr_optins: str
    clr_pay_loc: str
    revision: int
    state: str
    settlements: int
    refunds: int
    applied: int
    approved: int
    deducted: int
    withheld: int
    deposit: int
    paid: int | None
    earlier: int
    maker: str
    checker: str
    event_id: str
    submitted_ms: int
    due: tuple[tuple[int, str, bool], ...] = ()
    deductions: tuple[DeductionLine, ...] = ()

    @property
    def gone(self) -> bool:
        return self.state in GONE

    @property
    def unexplained(self) -> int | None:
        """What applied lacks to approved + deducted + withheld + deposit (annex B19); None before the audit."""
        if self.state not in _AUDITED:
            return None
        return self.applied - self.approved - self.deducted - self.withheld - self.deposit

    @property
    def overdue(self) -> bool:
        return any(late for *_, late in self.due)


@attrs.define
class Money:
    """Applications together; amounts fen."""

    count: int = 0
    applied: int = 0
    approved: int = 0
    deducted: int = 0
    withheld: int = 0
    deposit: int = 0
    paid: int = 0

    def add(self, one: Application) -> None:
        self.count += 1
        self.applied += one.applied
        self.approved += one.approved
        self.deducted += one.deducted
        self.withheld += one.withheld
        self.deposit += one.deposit
        self.paid += one.paid or 0


@attrs.frozen(kw_only=True)
class MonthReport:
    """A month (yyyy-MM). scope: fixmedins_code or ''; now_ms: when it was made."""

    role: str
    month: str
    scope: str
    now_ms: int
    days: Sequence[MonthDay]
    applications: Sequence[Application]
    by_state: Mapping[str, Money]
    total: Money

    @property
    def deductions(self) -> list[DeductionLine]:
        """Return those that wait for a word, an appeal's end, or nothing more: open ones first."""
        found = [line for one in self.applications if not one.gone for line in one.deductions]
        return sorted(found, key=lambda line: (not line.open, line.until or "9", line.application, line.deduction_id))

    @property
    def open_deductions(self) -> int:
        return sum(line.open for line in self.deductions)

    @property
    def overdue(self) -> int:
        return sum(one.overdue for one in self.applications)

    @property
    def unfrozen(self) -> int:
        return sum(day.look != "frozen" for day in self.days)

    @property
    def quiet(self) -> bool:
        """Whether nobody has to do anything: all days frozen and applied for, nothing overdue, open, in doubt or
        unexplained."""
        busy = any(one.state in (*TROUBLED, *UNSENT) or one.unexplained for one in self.applications)
        return bool(self.applications) and not (self.unfrozen or self.overdue or self.open_deductions or busy)


def month_report(
    head: tuple[str, str, str, int],
    dates: Iterable[str],
    rows: Iterable[DayRow],
    freezes: Iterable[FreezeRow],
    open_counts: Mapping[str, int],
    applications: Sequence[Application],
) -> MonthReport:
    """Return the month. head: role, month, scope, now in ms; dates: of the month; rows, freezes: of its days."""
    role, month, scope, now_ms = head
    states: dict[str, dict[str, int]] = {}
    for row in rows:
        own = states.setdefault(row.biz_date, {})
        own[row.state] = own.get(row.state, 0) + 1
    frozen: dict[str, int] = {}
    for one in freezes:
        frozen[one.biz_date] = frozen.get(one.biz_date, 0) + (not one.reopened)
    days = [
        MonthDay(
            date=date, states=states.get(date, {}), look=_look(states.get(date, {})), open=open_counts.get(date, 0),
            frozen=frozen.get(date, 0),
        )
        for date in dates
    ]  # fmt: skip
    by_state: dict[str, Money] = {}
    total = Money()
    for application in applications:
        by_state.setdefault(application.state, Money()).add(application)
        if not application.gone:
            total.add(application)
    return MonthReport(
        role=role, month=month, scope=scope, now_ms=now_ms, days=days, applications=applications, by_state=by_state,
        total=total,
    )  # fmt: skip


def _look(states: Mapping[str, int]) -> Look:
    """How a date is drawn: by the worst of its containers."""
    if not states:
        return "none"
    if any(state.endswith("_DIFF") for state in states):
        return "diff"
    if not all(state in _AGREED for state in states):
        return "wait"
    return "frozen" if set(states) == {"FROZEN"} else "agreed"
