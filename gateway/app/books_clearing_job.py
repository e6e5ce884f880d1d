"""Clearing applications at the platform (3203, 3204, 3205A): the work behind the orders `month_submit|withdraw|sync`.

A step rests in the store before its message leaves. An answer that was lost is never made up for by sending again: the
platform is asked (3205A); what it certainly does not know may be submitted anew, and where it cannot be asked a person
looks. An order taken up again after a crash finds SUBMITTING or WITHDRAWING and asks, too. Source: reconciliation §7.1.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self, TypeVar

import attrs

from adapters.store.books_month import ClearingRow, MonthWriter
from gateway.app.books_month_work import apply, audit_facts, frozen_facts
from gateway.app.books_region import profile_of
from gateway.app.codes_orders import Ended, GaveUp, Work
from gateway.app.config import Config
from gateway.books.clearing import Facts, Heard, Input, Refused, State, lifts, read_status, unconfirmed
from gateway.books.month import Content, Profile, days_of
from gateway.core.jsontext import Raw
from gateway.core.money import fen_of, yuan
from gateway.core.rows import rows_in
from gateway.exchange.door import Link

T = TypeVar("T")
SUBMIT, WITHDRAW, SYNC = "month_submit", "month_withdraw", "month_sync"
_ASKED = (State.SUBMITTED, State.ACCEPTED, State.AUDITED, State.DISPUTED, State.CONFIRMED, State.DISBURSED)
_SENDING = {State.SUBMITTING.value, State.WITHDRAWING.value}
_UNKNOWN = {State.SUBMITTING.value, State.IN_DOUBT.value}
_SUMS = {"medfee_sumamt": "medfee_sumamt", "fund_appy_sum": "fund_pay_sumamt", "acct_pay": "acct_pay"}


def application_words(content: Content, profile: Profile) -> dict[str, Any]:
    """Return what 3203 says of an application (transactions.yaml)."""
    days = days_of(content.month)

    def amount(name: str) -> Raw:
        return Raw(yuan(content.sums.get(name, 0)).encode())

    words: dict[str, Any] = {"clr_type": content.group[0]}
    if content.clr_way:
        words["clr_way"] = content.clr_way
    return words | {
        "setlym": content.month.replace("-", ""), "psntime": content.persontime,
        "medfee_sumamt": amount("medfee_sumamt"), "med_sumfee": amount(profile.recognised),
        "fund_appy_sum": amount("fund_pay_sumamt"), "cash_payamt": amount("psn_cash_pay"),
        "acct_pay": amount("acct_pay"), "begndate": days[0], "enddate": days[-1],
    }  # fmt: skip


@attrs.define(eq=False, kw_only=True)
class ClearingJob:
    """One order. link: of the institution in whose name it goes."""

    config: Config
    work: Work
    link: Link
    profile: Profile
    alarms: list[str] = attrs.Factory(list)

    @classmethod
    def of(cls, config: Config, work: Work, link: Link) -> Self:
        return cls(config=config, work=work, link=link, profile=profile_of(config, work.order.institution))

    @property
    def scope(self) -> str:
        return self.work.order.institution

    @property
    def asks(self) -> bool:
        """Whether the party can be asked where an application stands."""
        return bool(self.profile.status)

    def _db(self, call: Callable[[MonthWriter], T]) -> Any:
        return self.work.db(lambda books: call(MonthWriter(books.orders.connection)))

    async def _row(self) -> ClearingRow:
        number = int(str(self.work.order.arguments["id"]))
        row: ClearingRow | None = await self._db(lambda writer: writer.one(number))
        if row is None:
            raise GaveUp(f"没有编号为{number}的申请")
        if row.scope != self.scope:
            raise GaveUp(f"申请{row.name}不属于{self.scope}")
        return row

    async def _step(
        self, row: ClearingRow, given: Input, facts: Facts, note: str = "", changes: Mapping[str, Any] | None = None
    ) -> ClearingRow:
        now_ms, who = self.work.desk.now_ms(), self.work.order.who
        found: ClearingRow = await self._db(lambda writer: apply(writer, row, given, facts, who, now_ms, note, changes))
        return found

    def _ended(self, row: ClearingRow) -> Ended:
        result: dict[str, object] = {"id": row.id, "state": row.state, "event_id": row.event_id, "alarms": self.alarms}
        return Ended("findings" if self.alarms or row.state == State.IN_DOUBT.value else "done", result)

    async def run(self) -> Ended:
        """Do the order; what the guards object to is its failure."""
        try:
            if self.work.order.kind == SYNC:
                return await self._sync()
            row = await self._row()
            if row.state in _SENDING:  # taken up again after a crash: it may have left
                row = await self._step(row, Input.SILENT, Facts(), "节点中断")
            if row.state == State.IN_DOUBT.value:
                return self._ended(await self._resolve(row))
            if row.state == State.APPROVED.value and await self._was_absent(row):
                return self._ended(row)
            return self._ended(await (self._submit(row) if self.work.order.kind == SUBMIT else self._withdraw(row)))
        except Refused as cause:
            raise GaveUp(str(cause)) from cause

    async def _was_absent(self, row: ClearingRow) -> bool:
        """Say whether this very order has asked already and found nothing there: only its end was lost in a crash, and
        to send again is a person's new order."""
        events = await self._db(lambda writer: writer.events(row.id))
        return any(given == Input.ABSENT.value and note == self._absent for given, _, _, _, note, _ in events)

    @property
    def _absent(self) -> str:
        """What is noted when nothing is there: the order that asked stands in it."""
        return f"平台查无此申请（任务{self.work.order.id}）"

    # --- sending --------------------------------------------------------------------------------------

    async def _submit(self, row: ClearingRow) -> ClearingRow:
        facts = await self._db(lambda writer: frozen_facts(self.config, writer, row, self.profile))
        msgid, content = self.work.msgid(), Content.read(row.content)
        row = await self._step(row, Input.SUBMIT, facts, msgid, {"msgid": msgid})
        words = {"data": application_words(content, self.profile)}
        return await self._sent(row, self.profile.apply, msgid, words)

    async def _withdraw(self, row: ClearingRow) -> ClearingRow:
        if not self.profile.withdraw:
            raise GaveUp("本地区没有撤回接口：请在经办平台撤回后登记")
        row = await self._withdrawing(row)
        return await self._sent(row, self.profile.withdraw, row.msgid, {"data": {"clr_appy_evt_id": row.event_id}})

    async def _withdrawing(self, row: ClearingRow) -> ClearingRow:
        """Take the step before the message leaves; its number rests in the store."""
        given = self.work.order.arguments
        facts = Facts(
            approved=bool(given.get("approval")), maker=str(given.get("maker", "")),
            checker=str(given.get("checker", "")), clr_stas=row.clr_stas, audited_from=self.profile.audited_from,
        )  # fmt: skip
        changes = {"msgid": self.work.msgid()}
        return await self._step(row, Input.WITHDRAW, facts, f"第{given.get('approval')}号事项", changes)

    async def _sent(self, row: ClearingRow, infno: str, msgid: str, words: Mapping[str, Any]) -> ClearingRow:
        submits = row.state == State.SUBMITTING.value
        try:
            outcome = await self.work.send(self.link, infno, msgid, words, self.config.books.patience_s)
        except GaveUp as cause:  # certainly not executed
            await self._step(row, Input.NOT_SENT, Facts(), str(cause))
            raise
        if outcome.kind == "refused":
            self.alarms.append(f"平台拒绝：{outcome.text}")
            return await self._step(row, Input.REFUSED, Facts(), outcome.text)
        if outcome.kind == "done":
            event_id = _event_id(outcome.output)
            if not submits:
                return await self._step(row, Input.ANSWERED, Facts())
            if event_id:
                changes = {"event_id": event_id, "submitted_ms": self.work.desk.now_ms()}
                return await self._step(row, Input.ANSWERED, Facts(event_id=event_id), "", changes)
        text = outcome.text or "应答中没有清算申请事件号"
        return await self._resolve(await self._step(row, Input.SILENT, Facts(), text))

    # --- asking ---------------------------------------------------------------------------------------

    async def _resolve(self, row: ClearingRow) -> ClearingRow:
        """Ask what became of a lost answer; nothing is ever sent again from here."""
        if not self.asks:
            text = "应答丢失，本地区没有状态查询接口：请在经办平台核实后登记（month resolve），不得重复申报"
            return await self._alarmed(row, text)
        steps = self.config.books.doubt_ask_s
        for number, delay in enumerate(steps, start=1):
            await self.work.wait(delay, "应答丢失，向平台查询")
            rows = await self._asked(row)
            if rows is None:
                continue
            found = await self._theirs(row, rows)
            if len(found) > 1:
                return await self._alarmed(row, "平台上有几份内容相同的申请，请核实后登记（month resolve）")
            if rival := await self._rival(row, found):
                text = f"平台上的申请也可能是同样结果未知的{rival}，平台所示分不清，请核实后登记（month resolve）"
                return await self._alarmed(row, text)
            if found:
                event_id = str(found[0]["clr_appy_evt_id"])
                return await self._there(row, event_id, "平台查询")
            if number == len(steps):
                return await self._step(row, Input.ABSENT, Facts(), self._absent)
        return await self._alarmed(row, "平台没有答复查询，结果仍未知；请稍后再次执行")

    async def _there(self, row: ClearingRow, event_id: str, note: str) -> ClearingRow:
        """It was asked for and found: a submission is done, a withdrawal came to nothing."""
        if row.doubt == "withdraw":
            self.alarms.append(f"{row.name}：撤回没有生效，申请仍在；需要时重新办理撤回")
        changes = {"event_id": event_id, "submitted_ms": row.submitted_ms or self.work.desk.now_ms()}
        return await self._step(row, Input.FOUND, Facts(event_id=event_id), note, changes)

    async def _alarmed(self, row: ClearingRow, text: str) -> ClearingRow:
        self.alarms.append(f"{row.name}：{text}")
        now_ms = self.work.desk.now_ms()
        await self._db(lambda writer: writer.alarm(row, text, now_ms))
        return row

    async def _asked(self, row: ClearingRow) -> list[Mapping[str, Any]] | None:
        """Return the platform's applications of the month and kind; None when it did not say."""
        words = {"clr_ym": row.month.replace("-", ""), "clr_type": row.clr_type, "clr_optins": row.clr_optins}
        if row.event_id:
            words["clr_appy_evt_id"] = row.event_id
        asked = {"data": {name: text for name, text in words.items() if text}}
        outcome = await self.work.ask(self.link, self.profile.status, asked, self.config.books.patience_s)
        if outcome.kind != "done":
            return None
        rows = rows_in(outcome.output, "clr_appy_evt_id")
        return rows if rows or _is_list(outcome.output) else None  # an answer without any list says nothing

    async def _theirs(self, row: ClearingRow, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Return those that are this application: by its number, or by month, group and sums, not known as another."""
        if row.event_id:
            return [one for one in rows if str(one["clr_appy_evt_id"]) == row.event_id]
        known = await self._db(lambda writer: writer.of_month(row.role, "", row.month))
        taken = {one.event_id for one in known if one.event_id}
        return [one for one in rows if str(one["clr_appy_evt_id"]) not in taken and _fits(row, one)]

    async def _rival(self, row: ClearingRow, found: Sequence[Mapping[str, Any]]) -> str:
        """Return another application in doubt that what was found may be just as well, '' = there is none: where the
        platform names no group, equal sums tell no two apart, and their numbers would be swapped."""
        if row.event_id:
            return ""
        known: list[ClearingRow] = await self._db(lambda writer: writer.of_month(row.role, row.scope, row.month))
        others = (one for one in known if one.id != row.id and not one.event_id and one.state in _UNKNOWN)
        return next((other.name for other in others if any(_fits(other, one) for one in found)), "")

    # --- the platform's states ------------------------------------------------------------------------

    async def _sync(self) -> Ended:
        """Ask where every application of the month stands."""
        arguments = self.work.order.arguments
        role, month, scope = str(arguments["role"]), str(arguments["month"]), self.scope
        if not self.asks:
            raise GaveUp("本地区没有状态查询接口：请按经办平台所示登记")
        rows: list[ClearingRow] = await self._db(lambda writer: writer.of_month(role, scope, month))
        states = {}
        for row in rows:
            if row.state == State.IN_DOUBT.value:
                row = await self._resolve(row)
            elif State(row.state) in _ASKED and row.event_id:
                row = await self._heard(row)
            states[row.name] = row.state
            await self.work.tell("查询清算状态", self.work.done + 1, len(rows))
        return Ended("findings" if self.alarms else "done", {"states": states, "alarms": self.alarms})

    async def _heard(self, row: ClearingRow) -> ClearingRow:
        rows = await self._asked(row)
        found = [one for one in rows or [] if str(one["clr_appy_evt_id"]) == row.event_id]
        if len(found) != 1:
            text = "平台没有答复查询" if rows is None else f"平台查询得到{len(found)}份此申报号的申请，请核实"
            return await self._alarmed(row, text)
        return await self._follow(row, str(found[0].get("clr_stas", "")), rows or [])

    async def _follow(self, row: ClearingRow, stas: str, rows: Sequence[Mapping[str, Any]]) -> ClearingRow:
        """Take the step a state of the platform means. rows: what it told of the month."""
        heard = read_status(stas, row.clr_stas, self.profile.clr_stas)
        if heard.alarm:
            return await self._alarmed(row, heard.alarm)
        if heard.input is None or self._known(row, heard):
            return row
        return await self._said(row, heard, f"平台状态{heard.number}")

    @staticmethod
    def _known(row: ClearingRow, heard: Heard) -> bool:
        """Whether this was heard before and everything has followed from it."""
        state, given = State(row.state), heard.input
        same = heard.number == row.clr_stas and heard.number > 0
        return given is not None and same and not lifts(state, given) and not unconfirmed(state, given)

    async def _said(
        self, row: ClearingRow, heard: Heard, note: str, changes: Mapping[str, Any] | None = None
    ) -> ClearingRow:
        """Take the step; what only the institution may say (§7.1) the platform's word does not replace.

        changes: what is stored with the step itself.
        """
        assert heard.input is not None
        said = {"clr_stas": heard.number}
        try:
            if not unconfirmed(State(row.state), heard.input):
                return await self._step(
                    row, heard.input, await self._audit_facts(row, changes), note, {**said, **(changes or {})}
                )
            if lifts(State(row.state), Input.AUDIT):  # who has cleared has audited
                audit = {name: value for name, value in (changes or {}).items() if name == "audit"}
                row = await self._step(row, Input.AUDIT, await self._audit_facts(row, audit), note, audit)
            if heard.number != row.clr_stas:
                row = await self._step(row, Input.CLEARED, Facts(), note, said)
        except Refused as cause:
            return await self._alarmed(row, f"平台状态为{heard.number}：{cause}")
        word = "已拨付" if heard.input is Input.DISBURSE else "已清算"
        text = f"平台状态为{heard.number}（{word}），机构尚未确认审核结果，申请不变：请确认（month confirm）或申诉"
        return await self._alarmed(row, text)

    async def _audit_facts(self, row: ClearingRow, changes: Mapping[str, Any] | None = None) -> Facts:
        facts: Facts = await self._db(lambda writer: audit_facts(writer, row, self.profile))
        return attrs.evolve(facts, event_id=row.event_id, **(changes or {}))


def _fits(row: ClearingRow, one: Mapping[str, Any]) -> bool:
    """Say whether a platform's application may be ours: all sums, and the month and group as far as it names them."""
    sums = Content.read(row.content).sums
    ours = {
        "clr_ym": row.month.replace("-", ""), "clr_type": row.clr_type, "insutype": row.insutype,
        "clr_optins": row.clr_optins, "clr_pay_loc": row.clr_pay_loc,
    }  # fmt: skip
    named = all(not text or str(one.get(name) or text) == text for name, text in ours.items())
    return named and all(fen_of(one.get(name)) == sums.get(mine, 0) for name, mine in _SUMS.items())


def _event_id(output: Any) -> str:
    return next((str(one["clr_appy_evt_id"]) for one in rows_in(output, "clr_appy_evt_id")), "").strip()


def _is_list(output: Any) -> bool:
    """Say whether an answer has a list at all, perhaps an empty one."""
    if isinstance(output, dict):
        return any(_is_list(one) for one in output.values())
    return isinstance(output, list)
