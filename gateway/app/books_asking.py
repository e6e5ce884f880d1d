"""What the agency says of one institution's day: 3201 for every group, then 9101, 3202 and 9102 where it does not agree
or where equal sums may hide two errors (specification §3.1, §3.2). What is fetched rests in the run's workplace.
"""

from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import attrs
from msgspec import Raw
from twisted.internet.defer import Deferred

from adapters.files import parcel
from gateway.app.books_tasks import PACKED_MAX, Answered, Derive, Group
from gateway.app.codes_orders import GaveUp, Work
from gateway.books.agency import Sums
from gateway.core.money import yuan
from gateway.core.statement import read_result
from gateway.core.tables import StatementTable
from gateway.exchange.door import Link
from gateway.exchange.errands import Errands, Fetched, FileErrand, FileExchange, Outcome

FILE_S = 120.0
_READ_MAX, _TEXT_MAX = 256 << 10, 4 << 20  # bytes of a result that is looked into at once, as it travels and unpacked


@attrs.define(eq=False, kw_only=True)
class Asking:
    """One institution's questions, one after the other."""

    institution: str
    link: Link
    files: FileExchange
    errands: Errands
    work: Work
    workplace: Path
    day: date
    patience_s: float

    @property
    def table(self) -> StatementTable:
        return self.link.region.statement

    async def ask(self, groups: list[Group]) -> Derive:
        """Ask about every group; `why` of what comes back says what is missing. Raises Stopped, Fenced."""
        found: list[Answered] = []
        try:
            for group in groups:
                found.append(await self._group(group))
        except GaveUp as cause:
            return Derive(institution=self.institution, columns=self.table.columns, groups=[], why=str(cause))
        return Derive(institution=self.institution, columns=self.table.columns, groups=found)

    async def _group(self, group: Group) -> Answered:
        if not group.optins:
            raise GaveUp(
                f"当日{group.whole.count}笔结算的应答没有清算经办机构或清算类别，无从与经办对账（3201）："
                "请经办导出当日账交来（books hand-in --ledger AGY）"
            )
        balanced = True
        for insutype, sums in group.totals.items():
            balanced = await self._total(group, insutype, sums) and balanced
        if balanced and group.totals and not group.closely:
            return Answered(group=group)
        result = await self._details(group)
        ahead, why = await self._ahead(group, result)
        return Answered(group=group, result=result, unbalanced=not balanced, ahead=ahead, ahead_why=why)

    async def _ahead(self, group: Group, result: str) -> tuple[str, str]:
        """Ask 3202 over two days where the day's result lacks late lines; return the result, or why there is none: the
        day's own answer stands all the same (T3)."""
        if group.ahead is None or not group.ahead.file or not await self.work.db(lambda _: self._lacks(group, result)):
            return "", ""
        try:
            return await self._details(group.ahead), ""
        except GaveUp as cause:
            return "", str(cause)

    def _lacks(self, group: Group, result: str) -> bool:
        """Say whether a result may name a late line. A large one is not read here: others wait for this thread."""
        assert group.ahead is not None
        packed = (self.workplace / result).read_bytes()
        if len(packed) > _READ_MAX:
            return True
        text = parcel.unpack(packed, _READ_MAX, _TEXT_MAX)
        rows = None if text is None else read_result(text, self.table.columns)
        return not {row.setl_id for row in rows or ()}.isdisjoint(group.ahead.late)

    async def _total(self, group: Group, insutype: str, sums: Sums) -> bool:
        """3201: whether it is balanced; no direction is taken from its answer, and silence is no yes."""
        words = self._words(group, sums) | {"insutype": insutype}
        outcome = await self._asked("3201", self._fields(words, self.table.total))
        result = (_word(outcome, "stmtinfo", "stmt_rslt") or "").strip()
        # Nothing said is not "balanced": its zeros must stand there. 3202 tells the rest.
        return bool(result) and result.strip("0") in self.table.balanced

    async def _details(self, group: Group) -> str:
        """9101, 3202, 9102: return the name of the result, below the workplace."""
        if not group.file:
            raise GaveUp(
                f"{group.optins}的清算类别{group.clr_type}当日{group.whole.count}笔，对账明细文件超过上限，不能上传：请经办导出"
                "当日账，用books files核对"
            )
        content = await self.work.db(lambda _: (self.workplace / group.file).read_bytes())
        upload = {"in": Raw(content), "filename": f"{group.stem}.zip", "fixmedins_code": self.institution}
        sent = await self.work.ask(self.link, "9101", {"fsUploadIn": upload}, self.patience_s)
        number = _word(sent, "", "file_qury_no")
        if not number:
            raise GaveUp(f"上传对账明细（9101）未成功：{sent.text}")
        words = self._words(group, group.whole) | {"file_qury_no": number}
        compared = await self._asked("3202", self._fields(words, self.table.detail))
        number, name = _word(compared, "fileinfo", "file_qury_no"), _word(compared, "fileinfo", "filename")
        if not number:
            raise GaveUp("平台对明细账（3202）的应答没有结果文件号")
        packed = await self._fetch({"file_qury_no": number, "filename": name or "", "fixmedins_code": self.institution})
        result = f"{group.stem}.zip"
        await self.work.db(lambda _: (self.workplace / result).write_bytes(packed))
        return result

    async def _asked(self, infno: str, words: Mapping[str, Any]) -> Outcome:
        outcome = await self.work.ask(self.link, infno, {"data": words}, self.patience_s)
        if outcome.kind != "done":
            raise GaveUp(f"平台拒绝对账（{infno}）：{outcome.text}")
        return outcome

    async def _fetch(self, words: Mapping[str, str]) -> bytes:
        pieces: list[bytes] = []
        size = 0

        def take(piece: bytes) -> None:
            nonlocal size
            size += len(piece)
            if size <= PACKED_MAX:
                pieces.append(piece)

        told: Deferred[Fetched] = Deferred()
        callback: Callable[[Fetched], object] = told.callback
        FileErrand(self.errands, self.link, callback).go(
            self.files, self.institution, {"fsDownloadIn": dict(words)}, take, FILE_S
        )
        fetched = await told
        if fetched.kind != "file" or size > PACKED_MAX:
            raise GaveUp(f"对账结果文件没有取回（9102）：{fetched.text or fetched.kind}")
        return b"".join(pieces)

    def _words(self, group: Group, sums: Sums) -> dict[str, Any]:
        """Every field an edition may want, by its name."""
        day = self.day.isoformat()
        return {
            **self.table.fill,
            **({"clr_way": group.clr_way} if group.clr_way else {}),
            "clr_type": group.clr_type,
            "setl_optins": group.optins,
            "clr_optins": group.optins,
            "stmt_begndate": day,
            "stmt_enddate": group.until or day,
            "medfee_sumamt": Raw(yuan(sums.medfee).encode()),
            "fund_pay_sumamt": Raw(yuan(sums.fund).encode()),
            "acct_pay": Raw(yuan(sums.acct).encode()),
            "cash_payamt": Raw(yuan(sums.cash).encode()),
            "fixmedins_setl_cnt": sums.count,
            "refd_setl_flag": "1" if sums.refunds else "0",
            "fixmedins_refd_setl_flag": "1" if sums.refunds else "0",
        }

    @staticmethod
    def _fields(words: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
        if missing := [name for name in names if name not in words]:
            raise GaveUp(f"对账要填写{'、'.join(missing)}，而日志中的记录没有；请在区域档案statement.fill中给出")
        return {name: words[name] for name in names}


def _word(outcome: Outcome, node: str, name: str) -> str | None:
    """Return a text of an answer's node ('': the output itself)."""
    output = outcome.output if isinstance(outcome.output, dict) else {}
    found = output.get(node) if node else output
    row = found[0] if isinstance(found, list) and found else found
    value = row.get(name) if isinstance(row, dict) else None
    return value if isinstance(value, str) else None
