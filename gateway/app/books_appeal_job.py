"""Deductions and appeals by interface, the work behind `month_deductions` and `month_appeal` (3701-3704, §7.2).

Deductions are taken whole or not at all. An appeal rests in the store before it leaves; one whose answer was lost is
looked for (3701) and never sent again by itself.
"""

import base64
from collections.abc import Callable
from typing import Any, TypeVar

import attrs

from adapters.store.books_appeal import AppealRow, AppealStore
from adapters.store.books_month import ClearingRow, DeductionRow, MonthWriter
from adapters.store.books_split import SplitStore
from gateway.app.books_clearing_job import ClearingJob
from gateway.app.books_month_desk import Decision, decide, judged, take_deductions
from gateway.app.books_month_work import group_of
from gateway.app.books_paged import NotWhole, Paged
from gateway.app.codes_orders import Ended, GaveUp
from gateway.books.appealing import (
    APPEAL,
    BadAppeals,
    Suspect,
    appeal_words,
    refusal_of,
    settlements_by_visit,
    suspects_of,
)
from gateway.books.clearing import Refused
from gateway.books.deductions import APPEALED, NOTIFIED, REVISED
from gateway.books.freezing import Objection
from gateway.books.month import days_of
from gateway.books.workdays import CalendarError
from gateway.core.dates import day_of
from gateway.core.rows import rows_in

T = TypeVar("T")
DEDUCTIONS, APPEALS = "month_deductions", "month_appeal"
PAGE = ("currentPage", "pageSize")
MATERIAL_BYTES_MAX = 2 << 20  # of a file in a message
SENDING, DONE, IN_DOUBT, REFUSED, NOT_SENT = "SENDING", "DONE", "IN_DOUBT", "REFUSED", "NOT_SENT"


@attrs.define(eq=False, kw_only=True)
class AppealJob(ClearingJob):
    """One order of an institution whose region has 3701."""

    async def run(self) -> Ended:
        """Do the order."""
        if not self.profile.appeals.query:
            raise GaveUp("本地区没有扣款、申诉接口（3701－3704）：请导入扣款文件，人工登记申诉")
        try:
            row = await self._row()
            if self.work.order.kind == DEDUCTIONS:
                added, moved = await self.take(row)
                result: dict[str, object] = {"id": row.id, "added": added, "outcomes": moved, "alarms": self.alarms}
                return Ended("findings" if self.alarms else "done", result)
            return await self._appeal(row)
        except (Refused, NotWhole, BadAppeals, CalendarError) as cause:
            raise GaveUp(str(cause)) from cause

    def _store(self, call: Callable[[AppealStore], T]) -> Any:
        return self._db(lambda writer: call(AppealStore(writer.connection)))

    # --- deductions (3701) ----------------------------------------------------------------------------

    async def take(self, row: ClearingRow) -> tuple[int, int]:
        """Read the deductions of an application and what became of appeals; return (new ones, outcomes).

        Raises NotWhole, BadAppeals, Refused: nothing was taken.
        """
        found = await self._suspects(row)
        group, now_ms, who = group_of(row), self.work.desk.now_ms(), self.work.order.who
        visits: dict[str, list[str]] = await self._db(
            lambda writer: settlements_by_visit(
                SplitStore(writer.connection).lines(row.scope, row.month), group
            )
        )  # fmt: skip
        own = [one for one in found if one.visit in visits]  # the others are of other applications
        if many := [one for one in own if len(visits[one.visit]) > 1]:
            raise BadAppeals(f"疑点{many[0].deduction_id}的就诊有几笔结算，不能对应，请以文件导入")
        rows = [self._row_of(one, visits[one.visit][0], day_of(now_ms / 1000)) for one in own]
        added: int = await self._db(lambda writer: take_deductions(writer, row, rows, who, now_ms))
        moved: int = await self._db(lambda writer: self._outcomes(writer, row, own, now_ms))
        return added, moved

    async def _suspects(self, row: ClearingRow) -> list[Suspect]:
        names, books = self.profile.appeals, self.config.books
        code, name = self._institution
        words = {
            "startTime": days_of(row.month)[0], "endTime": day_of(self.work.desk.now_ms() / 1000), "medinsCodg": code,
            "medinsName": name, "stage": names.stage,
        }  # fmt: skip
        paged = Paged(
            work=self.work, link=self.link, patience_s=books.patience_s, readings_max=books.split_reads_max
        )  # fmt: skip
        read = await paged.whole(names.query, words, PAGE, names.page_rows, lambda output: rows_in(output, "docId"))
        return suspects_of(read, names)

    @property
    def _institution(self) -> tuple[str, str]:
        known = {one.fixmedins_code: one.name for one in self.config.institution}
        return self.scope, known.get(self.scope, self.scope)

    def _row_of(self, one: Suspect, setl_id: str, today: str) -> DeductionRow:
        return DeductionRow(
            deduction_id=one.deduction_id, setl_id=setl_id, feedetl_sn="", fund=self.profile.appeals.fund,
            amount=one.amount, kind=one.kind, reason_code=one.reason_code, text=one.reason, period="", dept=one.dept,
            doctor=one.doctor, notice=one.document, state=NOTIFIED, revised=None, ended="", notified=today,
            changed_ms=0,
        )  # fmt: skip

    def _outcomes(self, writer: MonthWriter, row: ClearingRow, found: list[Suspect], now_ms: int) -> int:
        """Register what became of appeals that were made here."""
        states = {one.deduction_id: one.state for one in writer.deductions(row.id)}
        moved = 0
        for one in found:
            if one.outcome and states[one.deduction_id] == APPEALED:
                revised = one.confirmed if one.outcome == REVISED else None
                given = Decision(deduction_id=one.deduction_id, state=one.outcome, note="平台结果", revised=revised)
                row = decide(self.config, writer, row, given, self.work.order.who, now_ms)
                moved += 1
            elif one.appealed and states[one.deduction_id] == NOTIFIED:
                self.alarms.append(f"扣款{one.deduction_id}在平台已申诉，本方没有登记，请核实（--by-hand）")
        return moved

    # --- appeals (3702, 3703, 3704) -------------------------------------------------------------------

    async def _appeal(self, row: ClearingRow) -> Ended:
        given = self.work.order.arguments
        kind, number = str(given["what"]), str(given["deduction"])
        last: AppealRow | None = await self._store(lambda store: store.last(row.id, number, kind))
        if last is not None and last.state == SENDING:  # taken up again after a crash: it may have left
            last = await self._moved(last, IN_DOUBT, "节点中断")
        if last is not None and last.state == IN_DOUBT:
            return self._told(await self._looked_for(row, last))
        if last is not None and last.state == DONE:
            return self._told(last)
        if last is not None and last.state == NOT_SENT and f"任务{self.work.order.id}" in last.text:
            return self._told(last)  # this order asked already: to send again is a person's new order
        one = await self._may(row, kind, number, str(given.get("note", "")))
        return self._told(await self._send(row, one, kind))

    async def _may(self, row: ClearingRow, kind: str, number: str, note: str) -> DeductionRow:
        """Return the deduction. Raises Refused when an appeal, or a joint review, is not open to it."""
        stored = {one.deduction_id: one for one in await self._db(lambda writer: writer.deductions(row.id))}
        one: DeductionRow | None = stored.get(number)
        if one is None:
            raise Refused([Objection("BD-ROW", f"申请{row.name}没有扣款{number}")])
        if not one.notice:
            raise Refused([Objection("BD-DOC", f"扣款{number}没有平台的单据号，请先取得扣款（month deductions）")])
        if kind == APPEAL:
            wanted = Decision(deduction_id=number, state=APPEALED, note=note)
            judged(self.config, row, one, wanted, self.work.desk.now_ms())
        elif one.state != APPEALED:
            raise Refused([Objection("BD-STATE", f"扣款{number}处于{one.state}，申诉中才能申请合议")])
        elif not note.strip():
            raise Refused([Objection("BD-NOTE", "申请合议须写明理由（--note）")])
        return one

    async def _send(self, row: ClearingRow, one: DeductionRow, kind: str) -> AppealRow:
        given, names = self.work.order.arguments, self.profile.appeals
        note, file = str(given.get("note", "")), str(given.get("file", ""))
        material = await self._attached(file) if file else ""
        sent = AppealRow(
            id=0, clearing=row.id, deduction_id=one.deduction_id, kind=kind, msgid=self.work.msgid(), note=note,
            file=file, file_sm3=str(given.get("file_sm3", "")), material=material, state=SENDING, text="",
            who=self.work.order.who, sent_ms=self.work.desk.now_ms(),
        )  # fmt: skip
        sent = await self._store(lambda store: store.begin(sent))
        words = appeal_words(self._institution, one.notice, one.deduction_id, one.amount, material, note)
        infno = names.appeal if kind == APPEAL else names.review
        try:
            outcome = await self.work.send(self.link, infno, sent.msgid, words, self.config.books.patience_s)
        except GaveUp as cause:  # certainly not executed
            await self._moved(sent, NOT_SENT, str(cause))
            raise
        results = rows_in(outcome.output, "susptId") if outcome.kind == "done" else []
        why = refusal_of(results, one.deduction_id, names)
        if outcome.kind == "done" and why == "":
            return await self._taken(row, sent)
        if outcome.kind == "refused" or why:
            self.alarms.append(f"平台没有受理：{why or outcome.text}")
            return await self._moved(sent, REFUSED, why or outcome.text)
        return await self._looked_for(row, await self._moved(sent, IN_DOUBT, outcome.text or "应答没有说到这条扣款"))

    async def _attached(self, file: str) -> str:
        """Hand the material in (3704); return the platform's number. One handed in twice decides nothing."""
        path = self.config.path(self.config.node.data_dir) / file
        content: bytes = await self._db(lambda _: path.read_bytes())
        if len(content) > MATERIAL_BYTES_MAX:
            raise GaveUp(f"材料超过接口上限{MATERIAL_BYTES_MAX}字节：请在经办平台提交，以--by-hand登记")
        base64_wanted = self.link.region.file_in == "base64"
        data: object = base64.b64encode(content).decode() if base64_wanted else list(content)
        words = {"fsiAppealFileDTOList": [{"name": path.name, "bytes": data}]}
        infno, patience = self.profile.appeals.attach, self.config.books.patience_s
        outcome = await self.work.send(self.link, infno, self.work.msgid(), words, patience)
        found = [str(one["attUploadId"]) for one in rows_in(outcome.output, "attUploadId")]
        if outcome.kind != "done" or not found:
            raise GaveUp(f"材料没有交到平台（{infno}）：{outcome.text}；申诉没有发出，可再次执行")
        return found[0]

    async def _looked_for(self, row: ClearingRow, sent: AppealRow) -> AppealRow:
        """Ask what became of a lost answer; nothing is ever sent again from here."""
        steps = self.config.books.doubt_ask_s
        for number, delay in enumerate(steps, start=1):
            await self.work.wait(delay, "应答丢失，向平台查询")
            try:
                found = {one.deduction_id: one for one in await self._suspects(row)}
            except NotWhole:
                continue
            one = found.get(sent.deduction_id)
            if one is not None and (one.appealed if sent.kind == APPEAL else one.reviewed):
                return await self._taken(row, sent)
            if one is not None and number == len(steps):
                self.alarms.append("平台没有收到，可再次执行")
                return await self._moved(sent, NOT_SENT, f"平台没有记下（任务{self.work.order.id}）")
        self.alarms.append("平台没有答复查询，结果仍未知；请稍后再次执行")
        return sent

    async def _taken(self, row: ClearingRow, sent: AppealRow) -> AppealRow:
        """The platform has it: the deduction is appealed, or its joint review is noted."""
        now_ms = self.work.desk.now_ms()

        def call(writer: MonthWriter) -> None:
            now = writer.one(row.id)
            one = next(each for each in writer.deductions(row.id) if each.deduction_id == sent.deduction_id)
            explained = (sent.who, sent.note, sent.file, sent.file_sm3)
            if sent.kind != APPEAL:
                writer.settle(row.id, one, one.state, (sent.who, f"申请合议：{sent.note}", *explained[2:]), now_ms)
            elif now is not None and one.state == NOTIFIED:
                given = Decision(
                    deduction_id=one.deduction_id, state=APPEALED, note=sent.note, file=sent.file,
                    file_sm3=sent.file_sm3,
                )  # fmt: skip
                decide(self.config, writer, now, given, sent.who, sent.sent_ms)

        await self._db(call)
        return await self._moved(sent, DONE, "")

    async def _moved(self, sent: AppealRow, state: str, text: str) -> AppealRow:
        moved: AppealRow = await self._store(lambda store: store.move(sent, state, text))
        return moved

    def _told(self, sent: AppealRow) -> Ended:
        result: dict[str, object] = {
            "id": sent.clearing, "deduction": sent.deduction_id, "kind": sent.kind, "state": sent.state,
            "material": sent.material, "alarms": self.alarms,
        }  # fmt: skip
        return Ended("done" if sent.state == DONE and not self.alarms else "findings", result)
