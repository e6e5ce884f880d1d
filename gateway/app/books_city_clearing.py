"""The city's clearing applications at the province: the same steps as `books_clearing_job`, by `ProvincialPort`.

Uploaded with every row and its deductions under our own number, which the province takes once. A lost answer is asked
for by that number and never sent again; so is a withdrawal. What the audit deducted is downloaded whole and checked
before AUDITED.
"""

import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import attrs

from adapters.store.books_freeze import FreezeReader
from adapters.store.books_month import ClearingRow, DeductionRow, MonthReader
from gateway.app.books_clearing_job import ClearingJob
from gateway.app.books_month_desk import take_deductions
from gateway.app.books_month_work import frozen_facts, group_of
from gateway.app.books_upload_rows import Spooled, read_rows, spool
from gateway.app.codes_orders import GaveUp
from gateway.books.clearing import Audit, Facts, Input, Refused, State, read_status, told_faults
from gateway.books.deductions import NOTIFIED
from gateway.books.month import Content, days_of
from gateway.core import province
from gateway.core.dates import day_of

PAGE_ROWS = 100
PAGES_MAX = 20_000


@attrs.define(eq=False, kw_only=True)
class CityClearing(ClearingJob):
    """One order about the city. folder: where the rows lie while they are sent."""

    port: province.ProvincialPort
    folder: Path

    @property
    def scope(self) -> str:
        return "*"

    @property
    def asks(self) -> bool:
        return True

    # --- sending --------------------------------------------------------------------------------------

    async def _submit(self, row: ClearingRow) -> ClearingRow:
        facts = await self._db(lambda writer: frozen_facts(self.config, writer, row, self.profile))
        facts = attrs.evolve(facts, manual=False)
        key, content = self.work.msgid(), Content.read(row.content)
        row = await self._step(row, Input.SUBMIT, facts, key, {"msgid": key})
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(prefix=".clearing-", dir=self.folder) as spooled:
            found = await self._db(lambda writer: spool_rows(writer, row, spooled))
            if found.sums != {name: fen for name, fen in content.sums.items() if fen}:
                text = "上传明细的合计与申请不符，没有发送；请验证固化（books verify）"
                await self._step(row, Input.NOT_SENT, Facts(), text)
                raise GaveUp(text)
            app = application(row, content, found.rows, read_rows(spooled))
            outcome = await self.port.upload_clearing(key, app)
        if outcome.kind in ("refused", "not_sent"):
            return await self._said_no(row, outcome)
        if outcome.value:
            changes = {"event_id": outcome.value, "submitted_ms": self.work.desk.now_ms()}
            return await self._step(row, Input.ANSWERED, Facts(event_id=outcome.value), "", changes)
        return await self._resolve(await self._step(row, Input.SILENT, Facts(), outcome.text))

    async def _withdraw(self, row: ClearingRow) -> ClearingRow:
        if not self.profile.city_withdraw:
            raise GaveUp("省平台没有撤回接口：请在省平台办理退回后登记（month returned）")
        row = await self._withdrawing(row)
        given = self.work.order.arguments
        what = province.ClearingWithdrawal(
            event_id=row.event_id, reason=str(given.get("reason", "")), maker=str(given.get("maker", "")),
            checker=str(given.get("checker", "")),
        )  # fmt: skip
        outcome = await self.port.withdraw_clearing(row.msgid, what)
        if outcome.value:
            return await self._step(row, Input.ANSWERED, Facts(), f"省平台回执{outcome.value}")
        if outcome.kind == "unknown":
            return await self._resolve(await self._step(row, Input.SILENT, Facts(), outcome.text))
        return await self._said_no(row, outcome)

    async def _said_no(self, row: ClearingRow, outcome: province.Outcome[str]) -> ClearingRow:
        """Nothing happened there: refused, or certainly not sent. Raises GaveUp for what may be ordered again."""
        if outcome.kind == "refused":
            self.alarms.append(f"省平台拒绝：{outcome.text}（{outcome.code}）")
            return await self._step(row, Input.REFUSED, Facts(), outcome.text)
        await self._step(row, Input.NOT_SENT, Facts(), outcome.text)
        raise GaveUp(f"没有送到省平台：{outcome.text}（{outcome.code}）")

    # --- asking ---------------------------------------------------------------------------------------

    async def _resolve(self, row: ClearingRow) -> ClearingRow:
        """Ask by our number what became of a lost answer; nothing is ever sent again from here."""
        steps = self.config.books.doubt_ask_s
        for number, delay in enumerate(steps, start=1):
            await self.work.wait(delay, "应答丢失，向省平台查询")
            outcome = await self.port.clearing_status(self.work.msgid(), app_no=row.idempotency)
            if outcome.value is None:
                continue
            if event_id := outcome.value.event_id:
                return await self._there(row, event_id, "省平台查询")
            if number == len(steps):
                return await self._step(row, Input.ABSENT, Facts(), self._absent)
        return await self._alarmed(row, "省平台没有答复查询，结果仍未知；请稍后再次执行")

    async def _heard(self, row: ClearingRow) -> ClearingRow:
        outcome = await self.port.clearing_status(self.work.msgid(), event_id=row.event_id)
        told = outcome.value
        if told is None or told.event_id != row.event_id:
            return await self._alarmed(row, outcome.text or "省平台查无此申报号的申请，请核实")
        heard = read_status(told.clr_stas, row.clr_stas, self.profile.clr_stas)
        if heard.alarm:
            return await self._alarmed(row, f"{heard.alarm}{told.reason}")
        if heard.input is None or self._known(row, heard):
            return row
        changes: dict[str, Any] = {}
        if heard.number >= self.profile.audited_from and (why := await self._audited(row, told, changes)):
            return await self._alarmed(row, why)
        if heard.input is Input.DISBURSE:
            changes |= {"paid": told.paid_fen, "earlier": told.earlier_fen}
        note = (
            f"省平台状态{heard.number}，核定{told.approved_fen}分，扣款{told.deducted_fen}分，暂扣{told.withheld_fen}分"
        )
        return await self._said(row, heard, note, changes)

    async def _audited(self, row: ClearingRow, told: province.ClearingStatus, changes: dict[str, Any]) -> str:
        """Download the deductions and take them whole, and what was approved by fund where the province tells it;
        return what does not fit, '' when everything does. changes: what is stored with the step."""
        parts = (told.approved_fen, told.deducted_fen, told.withheld_fen, told.deposit_fen)
        if told.applied_fen != sum(parts):
            return f"省平台的审核结果不平：申报{told.applied_fen}分，核定、扣款、暂扣、保证金合计{sum(parts)}分"
        found = await self._deductions(row)
        if isinstance(found, str):
            return found
        held = sum(one.amount_fen for one in found if one.kind == "WITHHOLD")
        taken = sum(one.amount_fen for one in found) - held
        if (len(found), taken, held) != (told.deductions, told.deducted_fen, told.withheld_fen):
            return f"扣款明细{len(found)}条、扣款{taken}分、暂扣{held}分，与省平台状态所示不符，不采用"
        if told.funds and row.state not in _AGREED:
            if faults := told_faults(Content.read(row.content).funds, told.funds, _totals(told), _cut(found)):
                return f"省平台的审核金额不采用：{'；'.join(faults)}"
            approved = {fund: one.approved_fen for fund, one in told.funds.items() if one.approved_fen}
            deposit = {fund: one.deposit_fen for fund, one in told.funds.items() if one.deposit_fen}
            changes["audit"] = json.dumps({"approved": approved, "deposit": deposit}, sort_keys=True)
        now_ms, who = self.work.desk.now_ms(), self.work.order.who
        rows = [_kept(one, day_of(now_ms / 1000)) for one in found]
        try:
            await self._db(lambda writer: take_deductions(writer, row, rows, who, now_ms))
        except Refused as cause:
            return f"扣款明细不采用：{cause}"
        return ""

    async def _deductions(self, row: ClearingRow) -> list[province.Deduction] | str:
        """Read every page; a list is whole when its last page is short and number and sums are the stated ones."""
        found: list[province.Deduction] = []
        for number in range(PAGES_MAX):
            outcome = await self.port.clearing_deductions(self.work.msgid(), row.event_id, 1 + number * PAGE_ROWS)
            page = outcome.value
            if page is None:
                return f"扣款明细没有取到：{outcome.text}（{outcome.code}）"
            found += page.rows
            await self.work.tell("下载审核扣款", len(found), page.total)
            if len(page.rows) < PAGE_ROWS:
                sums: dict[str, int] = {}
                for one in found:
                    sums[one.kind] = sums.get(one.kind, 0) + one.amount_fen
                whole = len(found) == page.total and all(
                    sums.get(kind, 0) == fen for kind, fen in page.sums_fen.items()
                )
                return found if whole else "扣款明细的条数或金额与其合计不符，不采用"
        return "扣款明细没有尽头，不采用"


_AGREED = (State.CONFIRMED.value, State.DISBURSED.value, State.CLOSED.value)  # what was audited is final there


def _totals(told: province.ClearingStatus) -> province.FundStatus:
    return province.FundStatus(
        applied_fen=told.applied_fen, approved_fen=told.approved_fen, deducted_fen=told.deducted_fen,
        withheld_fen=told.withheld_fen, deposit_fen=told.deposit_fen,
    )  # fmt: skip


def _cut(found: Sequence[province.Deduction]) -> Audit:
    """Return the province's deductions by fund."""
    deducted: dict[str, int] = {}
    withheld: dict[str, int] = {}
    for one in found:
        into = withheld if one.kind == "WITHHOLD" else deducted
        into[one.fund] = into.get(one.fund, 0) + one.amount_fen
    return Audit(deducted=deducted, withheld=withheld)


def _kept(one: province.Deduction, today: str) -> DeductionRow:
    return DeductionRow(
        deduction_id=one.deduction_id, setl_id=one.setl_id, feedetl_sn="", fund=one.fund, amount=one.amount_fen,
        kind=one.kind, reason_code=one.reason_code, text=one.reason, period="", dept="", doctor="", notice="",
        state=NOTIFIED, revised=None, ended="", notified=today, changed_ms=0,
    )  # fmt: skip


def application(
    row: ClearingRow, content: Content, count: int, rows: Iterator[province.ClearingRow]
) -> province.ClearingApp:
    """Return what is uploaded of an application; its number is the idempotency key of its revision."""
    days = days_of(row.month)
    return province.ClearingApp(
        app_no=row.idempotency, fixmedins_code=row.scope, month=row.month.replace("-", ""), clr_type=row.clr_type,
        insutype=row.insutype, clr_optins=row.clr_optins, clr_pay_loc=row.clr_pay_loc, clr_way=content.clr_way,
        begndate=days[0], enddate=days[-1], psntime=content.persontime,
        fund_appy_fen=content.sums.get("fund_pay_sumamt", 0), rows_count=count, sums_fen=dict(content.sums), rows=rows,
    )  # fmt: skip


def spool_rows(look: MonthReader, row: ClearingRow, into: IO[bytes]) -> Spooled:
    """Write the rows of an application one a line, with the deductions of its settlements."""
    numbers, deducted = look.freezes(row.id), look.deducted(row.role, row.month)
    return spool(FreezeReader(look.connection), numbers, deducted, into, group=group_of(row))
