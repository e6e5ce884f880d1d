"""A month's split (清分, 3260 fetch, 3261 confirm, 3262 roll back): the work behind `month_split|confirm|rollback`.

Pages may shift while they are read: the month is read until two readings in a row are equal. What was confirmed is not
read again; a batch whose answer was lost is not sent again, only rolled back. Source: reconciliation §7.3.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import attrs

from adapters.crypto.digest import sm3
from adapters.store.books_split import CONFIRMED, CONFIRMING, FETCHED, UNPROVEN, Batch, Split, SplitStore
from gateway.app.books_region import profile_of
from gateway.app.codes_orders import Ended, GaveUp, Work
from gateway.app.config import Config
from gateway.books.month import Profile
from gateway.books.splitting import (
    FIELDS,
    MATCH,
    PAGE_ROWS,
    TITLES,
    BadSplit,
    Key,
    SplitRow,
    Union,
    batches,
    read,
    remote_amounts,
    union,
    verdict,
)
from gateway.core.rows import rows_in
from gateway.exchange.door import Link
from gateway.exchange.errands import Outcome

T = TypeVar("T")
SPLIT, CONFIRM, ROLLBACK = "month_split", "month_confirm", "month_rollback"
SPLITS = (SPLIT, CONFIRM, ROLLBACK)
PAGES_MAX = 20_000
NAMED_MAX = 200
_NUMBERS = {"3260": ("3260", "3261", "3262")}


@attrs.define(eq=False, kw_only=True)
class SplitJob:
    """One order of one institution and month."""

    config: Config
    work: Work
    link: Link
    profile: Profile

    @classmethod
    def of(cls, config: Config, work: Work, link: Link) -> "SplitJob":
        return cls(config=config, work=work, link=link, profile=profile_of(config, work.order.institution))

    @property
    def scope(self) -> str:
        return self.work.order.institution

    @property
    def month(self) -> str:
        return str(self.work.order.arguments["month"])

    @property
    def period(self) -> dict[str, str]:
        return {"trt_year": self.month[:4], "trt_month": self.month[5:]}

    def _db(self, call: Callable[[SplitStore], T]) -> Any:
        return self.work.db(lambda books: call(SplitStore(books.orders.connection)))

    async def run(self) -> Ended:
        """Do the order."""
        if self.profile.split not in _NUMBERS:
            raise GaveUp("本地区没有异地清分接口（3260）")
        try:
            known: Split | None = await self._db(lambda store: store.split(self.scope, self.month))
            if self.work.order.kind == SPLIT:
                return await self._fetch(known)
            if known is None:
                raise GaveUp(f"{self.month}还没有下载清分明细（month split）")
            return await (self._confirm(known) if self.work.order.kind == CONFIRM else self._roll_back(known))
        except BadSplit as cause:
            raise GaveUp(str(cause)) from cause

    # --- fetching -------------------------------------------------------------------------------------

    async def _fetch(self, known: Split | None) -> Ended:
        if known is not None and known.state in (CONFIRMING, CONFIRMED):
            raise GaveUp(f"{self.month}的清分已确认（或正在确认），不能重新下载；需要时先回退（month rollback-split）")
        found, reads = await self._steady()
        rows, medfee, optins = found.totals
        given = self.work.order.arguments
        stated = [given.get(name) for name in ("rows", "medfee", "optins")]
        proven = all(isinstance(one, int) for one in stated)
        if proven and stated != [rows, medfee, optins]:
            theirs = f"对账单的{stated[0]}行、{stated[1]}分、{stated[2]}分"
            text = f"下载{rows}行、总金额{medfee}分、统筹{optins}分，与{theirs}不符"
            raise GaveUp(f"{text}：下载不完整，没有保存")
        ours = await self._db(lambda store: remote_amounts(store.lines(self.scope, self.month)))
        judged = [(row, verdict(row, ours)) for row in found.rows]
        one = Split(
            scope=self.scope, month=self.month, state=FETCHED if proven else UNPROVEN, union_sm3=found.digest,
            rows=rows, medfee=medfee, optins=optins, reads=reads, at_ms=self.work.desk.now_ms(),
        )  # fmt: skip
        kept = [(*row.key, row.medfee, row.optins, word) for row, word in judged]
        await self._db(lambda store: store.keep(one, kept))
        odd = [(row, word) for row, word in judged if word != MATCH]
        seen = {row.key for row, _ in judged}
        lacking = [key for key in sorted(ours) if key not in seen]
        named = [{"setl_sn": row.key[0], "mdtrt_id": row.key[1], "why": TITLES[word]} for row, word in odd]
        named += [{"setl_sn": key[0], "mdtrt_id": key[1], "why": "清分中没有"} for key in lacking]
        result = {**attrs.asdict(one), "match": rows - len(odd), "differences": named[:NAMED_MAX], "odd": len(named)}
        return Ended("findings" if named or not proven else "done", result)

    async def _steady(self) -> tuple[Union, int]:
        """Read until two readings in a row are equal; return it and how many there were. Raises GaveUp, BadSplit."""
        before: Union | None = None
        for number in range(1, self.config.books.split_reads_max + 1):
            found = await self._reading(number)
            if before is not None and before.digest == found.digest:
                return found, number
            before = found
        raise GaveUp(f"清分明细读了{self.config.books.split_reads_max}次，每次都不同：平台的数据正在变动，请稍后再试")

    async def _reading(self, number: int) -> Union:
        """Read every page once, up to the first that is short."""
        rows: list[SplitRow] = []
        for page in range(PAGES_MAX):
            words = {**self.period, "startrow": str(1 + page * PAGE_ROWS)}
            outcome = await self.work.ask(self.link, "3260", words, self.config.books.patience_s)
            if outcome.kind != "done":
                raise GaveUp(f"平台没有给出清分明细：{outcome.text}")
            found = [read(one) for one in rows_in(outcome.output, "setl_sn")]
            rows += found
            await self.work.tell(f"第{number}次读取清分明细", len(rows))
            if len(found) < PAGE_ROWS:
                return union(rows, sm3)
        raise GaveUp(f"清分明细超过{PAGES_MAX}页，平台的分页不会结束")

    # --- confirming -----------------------------------------------------------------------------------

    async def _confirm(self, known: Split) -> Ended:
        """Confirm in batches: what matches with cnfm_flag 1, the rest with 0."""
        if known.state == UNPROVEN:
            raise GaveUp("清分明细没有与对账单的行数、金额核对过，不能确认：month split --rows --medfee --optins")
        sent: list[Batch] = await self._db(lambda store: store.batches(self.scope, self.month))
        if doubtful := [one.batch for one in sent if one.state in ("sending", "unknown", "rolling")]:
            raise GaveUp(f"第{doubtful[0]}批的结果未知，不得重发：请回退本月（month rollback-split）后重新下载、确认")
        # Identity numbers are not kept: they are read again, and must come with the same rows.
        found, _ = await self._steady()
        if found.digest != known.union_sm3:
            raise GaveUp("清分明细与下载时不同，请重新下载、核对后再确认")
        stored = await self._db(lambda store: store.verdicts(self.scope, self.month))
        words: dict[Key, str] = {(row[0], row[1]): row[4] for row in stored}
        done = {one.batch for one in sent if one.state == "done"}
        await self._db(lambda store: store.move(self.scope, self.month, CONFIRMING, self.work.desk.now_ms()))
        every = batches(found.rows)
        for number, rows in enumerate(every, start=1):
            if number not in done:
                await self._send(number, rows, words)
            await self.work.tell("确认清分", number, len(every))
        await self._db(lambda store: store.move(self.scope, self.month, CONFIRMED, self.work.desk.now_ms()))
        flags = [words[row.key] == MATCH for row in found.rows]
        result = {"batches": len(every), "confirmed": sum(flags), "refused": len(flags) - sum(flags)}
        return Ended("done" if all(flags) else "findings", {**result, "month": self.month})

    async def _send(self, number: int, rows: Any, words: dict[Key, str]) -> None:
        msgid = self.work.msgid()
        detail = [
            {**{name: row.words.get(name) for name in FIELDS}, "cnfm_flag": "1" if words[row.key] == MATCH else "0"}
            for row in rows
        ]
        message = {"data": {**self.period, "totalrow": str(len(rows))}, "detail": detail}
        await self._note(Batch(batch=number, state="sending", msgid=msgid), [row.key for row in rows])
        try:
            outcome = await self.work.send(self.link, "3261", msgid, message, self.config.books.patience_s)
        except GaveUp as cause:
            await self._note(Batch(batch=number, state="not_sent", msgid=msgid, text=str(cause)))
            raise
        await self._note(_ended(number, msgid, outcome))
        if outcome.kind != "done":
            how = "平台拒绝" if outcome.kind == "refused" else "应答丢失，不得重发，请回退"
            raise GaveUp(f"第{number}批{how}：{outcome.text}")

    async def _note(self, one: Batch, keys: Any = ()) -> None:
        at = attrs.evolve(one, at_ms=self.work.desk.now_ms())
        await self._db(lambda store: store.note(self.scope, self.month, at, keys))

    # --- rolling back ---------------------------------------------------------------------------------

    async def _roll_back(self, known: Split) -> Ended:
        """Take back every batch by its inf_refmsgid; the whole period ("0") where one is in doubt: confirmed or not, or
        already taken back, which a platform refuses to do twice."""
        if known.state not in (CONFIRMING, CONFIRMED):  # nothing was confirmed; what is not proven stays so
            return Ended("done", {"rolled_back": [], "was": known.state})
        sent: list[Batch] = await self._db(lambda store: store.batches(self.scope, self.month))
        live = [one for one in sent if one.state not in ("refused", "not_sent")]
        doubt = [one for one in live if one.state != "done" or not one.refmsgid]
        targets = [("0", [one.batch for one in sent])] if doubt else [(one.refmsgid, [one.batch]) for one in live]
        for target, numbers in targets:
            for one in [each for each in sent if each.batch in numbers]:
                await self._note(attrs.evolve(one, state="rolling"))
            words = {**self.period, "otransid": target}
            outcome = await self.work.send(self.link, "3262", self.work.msgid(), words, self.config.books.patience_s)
            if outcome.kind != "done":
                text = "平台拒绝" if outcome.kind == "refused" else "应答丢失，可再次回退"
                raise GaveUp(f"回退{target}：{text}：{outcome.text}")
            await self._db(lambda store, gone=numbers: store.undone(self.scope, self.month, gone))  # type: ignore[misc]
        await self._db(lambda store: store.move(self.scope, self.month, FETCHED, self.work.desk.now_ms()))
        return Ended("done", {"rolled_back": [target for target, _ in targets], "was": known.state})


def _ended(number: int, msgid: str, outcome: Outcome) -> Batch:
    state = {"done": "done", "refused": "refused"}.get(outcome.kind, "unknown")
    return Batch(batch=number, state=state, msgid=msgid, refmsgid=outcome.refmsgid, text=outcome.text)


__all__ = ["CONFIRM", "ROLLBACK", "SPLIT", "SPLITS", "SplitJob"]
