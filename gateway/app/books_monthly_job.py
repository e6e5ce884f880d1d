"""Clearing where the region tells the month by a provincial clearing platform (2172-2174, reconciliation §3.3).

Where an application stands comes from 2172; once it is audited, 2173 and 2174 are read whole and compared with the
frozen rows, what was applied for and the deductions, and only when all fits are the amounts of each fund taken.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from adapters.store.books_month import ClearingRow
from adapters.store.books_split import SplitStore
from gateway.app.books_appeal_job import AppealJob
from gateway.app.books_clearing_job import ClearingJob
from gateway.app.books_month_work import audit_facts, deduction_of
from gateway.app.books_paged import NotWhole, Paged, Rows
from gateway.books.appealing import BadAppeals
from gateway.books.clearing import Input, Refused, State, read_status
from gateway.books.deductions import totals
from gateway.books.month import Content
from gateway.books.monthly import (
    BadMonthly,
    Lines,
    audit_faults,
    lines_of,
    sum_faults,
    visit_faults,
    visits_of,
)
from gateway.core.rows import rows_in

PAGE = ("page_num", "page_size")
NAMED_MAX = 20
_BEFORE = (State.SUBMITTED, State.ACCEPTED)
_READ = (*_BEFORE, State.AUDITED)  # what appeals came to changes the audited amounts


@attrs.define(eq=False, kw_only=True)
class MonthlyJob(ClearingJob):
    """One order of an institution whose region has 2172."""

    @property
    def asks(self) -> bool:
        return True

    @property
    def _paged(self) -> Paged:
        books = self.config.books
        return Paged(
            work=self.work, link=self.link, patience_s=books.patience_s, readings_max=books.split_reads_max
        )  # fmt: skip

    def _words(self, row: ClearingRow) -> dict[str, str]:
        month = row.month.replace("-", "")
        return {
            "fixmedins_code": row.scope, "clr_type": row.clr_type, "start_clrym": month, "end_clrym": month,
            "clr_optins": row.clr_optins, "clr_stas": self.profile.monthly.asked_stas,
        }  # fmt: skip

    async def _list(self, infno: str, row: ClearingRow, field: str) -> Rows:
        size = self.profile.monthly.page_rows
        return await self._paged.whole(infno, self._words(row), PAGE, size, lambda output: rows_in(output, field))

    async def _asked(self, row: ClearingRow) -> list[Mapping[str, Any]] | None:
        """Return the applications of the month and kind in the words of 3205A; None when the list was not whole."""
        try:
            rows = await self._list(self.profile.monthly.sums, row, "setl_dcla_no")
        except NotWhole as cause:
            self.alarms.append(f"{row.name}：{cause}")
            return None
        return [
            {
                **one, "clr_appy_evt_id": str(one["setl_dcla_no"]), "clr_ym": one.get("start_clrym", ""),
                "medfee_sumamt": one.get("sumamt"), "fund_appy_sum": one.get("fund_pay_sumamt"),
                "acct_pay": one.get("acct_pay_sumamt"),
            }
            for one in rows
        ]  # fmt: skip

    async def _follow(self, row: ClearingRow, stas: str, rows: Sequence[Mapping[str, Any]]) -> ClearingRow:
        """Take the audited amounts before what the state says is believed."""
        heard = read_status(stas, row.clr_stas, self.profile.clr_stas)
        if not heard.alarm and heard.number >= self.profile.audited_from and State(row.state) in _READ:
            try:
                row = await self._audited(row, rows)
            except (NotWhole, BadMonthly, BadAppeals, Refused) as cause:
                return await self._alarmed(row, str(cause))
            if State(row.state) in _BEFORE:
                return row
        return await super()._follow(row, stas, rows)

    async def _audited(self, row: ClearingRow, rows: Sequence[Mapping[str, Any]]) -> ClearingRow:
        """Come to AUDITED with the amounts of each fund; stay where it is when anything does not fit.

        Raises NotWhole, BadMonthly, BadAppeals, Refused.
        """
        names = self.profile.monthly
        details = await self._list(names.details, row, names.visit) if names.details else []
        funds = await self._list(names.funds, row, names.fund_type) if names.funds else []
        faults = sum_faults(rows, details, funds, names)
        if names.details and not faults:
            ours = await self._db(
                lambda writer: visits_of(
                    SplitStore(writer.connection).lines(row.scope, row.month), row.clr_type, row.clr_optins
                )
            )
            faults = visit_faults(details, ours, names)
        if faults:
            more = f"，共{len(faults)}处" if len(faults) > NAMED_MAX else ""
            return await self._alarmed(row, "；".join(faults[:NAMED_MAX]) + more)
        if self.profile.appeals.query:
            await AppealJob(config=self.config, work=self.work, link=self.link, profile=self.profile).take(row)
        facts = await self._db(lambda writer: audit_facts(writer, row, self.profile))
        facts = attrs.evolve(facts, event_id=row.event_id)
        changes: dict[str, Any] = {"clr_stas": max(row.clr_stas, self.profile.audited_from)}
        if names.funds:
            found = lines_of(funds, row.insutype, names)
            if texts := audit_faults(Content.read(row.content).funds, found, *await self._taken(row)):
                return await self._alarmed(row, "；".join(texts))
            changes["audit"] = _stored(found)
        if State(row.state) is State.AUDITED and changes.get("audit", row.audit) == row.audit:
            return row
        return await self._step(row, Input.AUDIT, facts, f"{names.sums}、{names.details}、{names.funds}", changes)

    async def _taken(self, row: ClearingRow) -> tuple[dict[str, int], dict[str, int]]:
        stored = await self._db(lambda writer: writer.deductions(row.id))
        return totals(deduction_of(one) for one in stored)


def _stored(found: Lines) -> str:
    audit = found.audit
    return json.dumps({"approved": dict(audit.approved), "deposit": dict(audit.deposit)}, sort_keys=True)


__all__ = ["MonthlyJob"]
