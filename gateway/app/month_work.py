"""A month's report put together from the books store: days, freezes, clearing applications, deductions. Reads only."""

from collections.abc import Iterator

import attrs

from adapters.store.books_month import ClearingRow, MonthReader
from adapters.store.books_report import books_reading
from gateway.app.books_month_desk import Standing, appeal_until, standing
from gateway.app.books_region import reading
from gateway.app.books_upload_look import Uploaded, uploads_of
from gateway.app.config import Config
from gateway.app.day_work import NoSuchDay
from gateway.books.deductions import NOTIFIED
from gateway.books.month import days_of
from gateway.books.month_report import Application, DeductionLine, MonthReport, month_report
from gateway.books.workdays import CalendarError
from gateway.core.dates import day_of

ROLES = ("care", "insured")


@attrs.frozen
class MonthGathered:
    """A month. lost: why deadlines are not told, or ''; uploads: of the city's month to the province."""

    report: MonthReport
    names: dict[str, str]
    lost: str = ""
    uploads: tuple[Uploaded, ...] = ()


def gather_month(config: Config, role: str, month: str, scope: str, now_ms: int) -> MonthGathered:
    """Return a month. role '': care where it has days, else insured. Raises NoSuchDay, NotABooksStore, OtherBooks,
    ProfileError."""
    dates = days_of(month)
    today = day_of(now_ms / 1000)
    lost: list[str] = []
    with books_reading(config.room("books")) as look:
        chosen = [one for one in (role,) if one] or list(ROLES)
        role, rows = next(
            ((one, days) for one in chosen if (days := look.days(one, dates[0], dates[-1], scope))), ("", [])
        )
        if not rows:
            raise NoSuchDay
        freezes = look.freezes(role, dates[0], dates[-1], scope)
        counts = look.open_counts(role, dates[0], dates[-1], scope)
    with reading(config) as connection:
        reader = MonthReader(connection)
        uploads = tuple(uploads_of(connection, role, month)) if not scope else ()
        applications = [_application(config, reader, row, today, lost) for row in reader.of_month(role, scope, month)]
    head = (role, month, scope, now_ms)
    report = month_report(head, dates, rows, freezes, counts, applications)
    names = {one.fixmedins_code: one.name for one in config.institution}
    return MonthGathered(report, names, lost[0] if lost else "", uploads)


def _application(config: Config, look: MonthReader, row: ClearingRow, today: str, lost: list[str]) -> Application:
    try:
        found = standing(config, look, row, today)
    except CalendarError as cause:
        lost.append(str(cause))
        found = standing(config, look, attrs.evolve(row, submitted_ms=0), today)
    return Application(
        name=row.name, scope=row.scope, clr_type=row.clr_type, insutype=row.insutype, clr_optins=row.clr_optins,
        clr_pay_loc=row.clr_pay_loc, revision=row.revision, state=row.state, settlements=found.content.settlements,
        refunds=found.content.refunds, applied=found.applied, approved=found.approved, deducted=found.deducted,
        withheld=found.withheld, deposit=found.deposit, paid=row.paid, earlier=row.earlier, maker=row.maker,
        checker=row.checker, event_id=row.event_id, submitted_ms=row.submitted_ms, due=found.due,
        deductions=tuple(_deductions(config, look, found, today, lost)),
    )  # fmt: skip


def _deductions(
    config: Config, look: MonthReader, found: Standing, today: str, lost: list[str]
) -> Iterator[DeductionLine]:
    counts = {one.deduction_id: one.counts for one in found.deductions}
    for one in look.deductions(found.row.id):
        until = ""
        if one.state == NOTIFIED:
            try:
                until = appeal_until(config, found.row, one)
            except CalendarError as cause:
                lost.append(str(cause))
        yield DeductionLine(
            application=found.row.name, deduction_id=one.deduction_id, setl_id=one.setl_id, fund=one.fund,
            kind=one.kind, state=one.state, amount=one.amount, counts=counts[one.deduction_id],
            reason=" ".join(text for text in (one.reason_code, one.text) if text), until=until,
            late=bool(until) and today > until,
        )  # fmt: skip
