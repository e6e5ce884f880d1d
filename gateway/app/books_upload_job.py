"""The city's month to the province, the work behind `month_upload` (reconciliation §7.2; 003 7.6.4.5 b).

Every settlement that passed leg L1 and the three-way check, with its deductions. The key rests in the store before
anything leaves; a lost answer is asked for, and what was booked once is not sent again.
"""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, TypeVar

import attrs

from adapters.crypto.digest import sm3, sm3_hasher
from adapters.store.books_freeze import FreezeReader
from adapters.store.books_month import MonthReader
from adapters.store.books_upload import UploadRow, UploadStore
from gateway.app.books_upload_rows import read_rows, spool
from gateway.app.codes_orders import Ended, GaveUp, Work
from gateway.books.freezing import CITY
from gateway.books.month import missing_days
from gateway.books.month_upload import (
    DONE,
    IN_DOUBT,
    NOT_SENT,
    REFUSED,
    SENDING,
    WHY,
    Content,
    Counted,
    kept_back,
    misfits,
)
from gateway.core import province

T = TypeVar("T")
UPLOAD = "month_upload"
ROLE = "care"  # it is the care locality's month (003 7.6.4.5 b)
NAMED_MAX = 50
_CHUNK = 1 << 20


@attrs.frozen(kw_only=True)
class Prepared:
    """What would be uploaded, its rows in the spool; behind: (setl_id, fixmedins_code, why)."""

    content: Content
    behind: Sequence[tuple[str, str, str]]


@attrs.define(eq=False, kw_only=True)
class UploadJob:
    """One order. folder: where the rows lie while they are sent; doubt_ask_s: pauses before each question."""

    work: Work
    port: province.ProvincialPort
    folder: Path
    doubt_ask_s: Sequence[float]
    alarms: list[str] = attrs.Factory(list)

    @property
    def month(self) -> str:
        return str(self.work.order.arguments["month"])

    def _db(self, call: Callable[[UploadStore], T]) -> Any:
        return self.work.db(lambda books: call(UploadStore(books.orders.connection)))

    async def run(self) -> Ended:
        """Do the order."""
        rows: list[UploadRow] = await self._db(lambda store: store.of_month(ROLE, self.month))
        last = rows[-1] if rows else None
        if last is not None and last.state == SENDING:  # taken up again after a crash: it may have left
            last = await self._move(last, IN_DOUBT, "节点中断")
        if last is not None and last.state == IN_DOUBT:
            return self._ended(await self._asked(last), ())
        if last is not None and last.state == NOT_SENT and await self._ended_before(last):
            return self._ended(last, ())
        return await self._upload(last)

    async def _upload(self, last: UploadRow | None) -> Ended:
        revision = 1 + (last.revision if last is not None else 0)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(prefix=".month-", dir=self.folder) as spooled:
            found: Prepared = await self._db(lambda store: prepare(store, self.month, revision, spooled))
            content = found.content
            if last is not None and last.state == DONE and Content.read(last.content).rows_sm3 == content.rows_sm3:
                return self._ended(last, found.behind, "内容与已上传的相同，没有再次上传")
            row = await self._begun(content)
            await self.work.tell("上传本月明细", 0, content.rows)
            upload = province.MonthUpload(
                upload_key=row.request, month=self.month.replace("-", ""), revision=revision, rows_count=content.rows,
                sums_fen=content.sums, deductions_count=content.deductions, deducted_fen=content.deducted,
                rows=read_rows(spooled),
            )  # fmt: skip
            outcome = await self.port.upload_month(row.request, upload)
        if outcome.value:
            return self._ended(await self._move(row, DONE, "", outcome.value), found.behind)
        told = f"{outcome.text}（{outcome.code}）"
        if outcome.kind == "unknown":
            return self._ended(await self._asked(await self._move(row, IN_DOUBT, told)), found.behind)
        if outcome.kind == "refused":
            self.alarms.append(f"省平台拒绝：{told}")
            return self._ended(await self._move(row, REFUSED, told), found.behind)
        self.alarms.append(f"没有送到省平台：{told}")
        return self._ended(await self._move(row, NOT_SENT, told), found.behind)

    async def _begun(self, content: Content) -> UploadRow:
        row = UploadRow(
            id=0, role=ROLE, month=self.month, revision=content.revision, request=content.key(sm3),
            content=content.text(), state=SENDING, receipt="", who=self.work.order.who,
            changed_ms=self.work.desk.now_ms(),
        )  # fmt: skip
        begun: UploadRow = await self._db(lambda store: store.begin(row, self._mark))
        return begun

    async def _asked(self, row: UploadRow) -> UploadRow:
        """Ask what became of a lost answer; nothing is ever sent again from here."""
        for number, delay in enumerate(self.doubt_ask_s, start=1):
            await self.work.wait(delay, "应答丢失，向省平台查询")
            outcome = await self.port.month_booked(self.work.msgid(), row.request)
            if outcome.value is None:
                continue
            if outcome.value.receipt_no:
                return await self._booked(row, outcome.value)
            if number == len(self.doubt_ask_s):
                self.alarms.append("省平台没有记下这次上传，可再次执行")
                return await self._move(row, NOT_SENT, f"省平台查无此次上传，{self._mark}")
        self.alarms.append("省平台没有答复查询，结果仍未知；请稍后再次执行")
        return row

    async def _booked(self, row: UploadRow, told: province.MonthBooked) -> UploadRow:
        booked = (told.rows_count, told.sums_fen, told.deductions_count, told.deducted_fen)
        self.alarms += misfits(Content.read(row.content), booked)
        return await self._move(row, DONE, "省平台查询", told.receipt_no)

    @property
    def _mark(self) -> str:
        return f"任务{self.work.order.id}"

    async def _ended_before(self, row: UploadRow) -> bool:
        """Say whether this very order began that upload and came to its end: to send again is a new order."""
        events = await self._db(lambda store: store.events(row.id))
        return any(self._mark in note.split("，") for _, _, note, _ in events)

    async def _move(self, row: UploadRow, state: str, note: str, receipt: str = "") -> UploadRow:
        who, now_ms = self.work.order.who, self.work.desk.now_ms()
        moved: UploadRow = await self._db(lambda store: store.move(row, state, who, note, now_ms, receipt))
        return moved

    def _ended(self, row: UploadRow, behind: Sequence[tuple[str, str, str]], message: str = "") -> Ended:
        content = Content.read(row.content)
        result: dict[str, object] = {
            "month": row.month, "revision": row.revision, "state": row.state, "receipt": row.receipt,
            "rows": content.rows, "medfee_fen": content.sums.get("medfee_sumamt", 0), "deductions": content.deductions,
            "deducted_fen": dict(content.deducted), "kept_back": len(behind), "alarms": self.alarms,
            "differences": [f"不上传：结算{setl_id}（{code}）{WHY[why]}" for setl_id, code, why in behind[:NAMED_MAX]],
        }  # fmt: skip
        clean = row.state == DONE and not behind and not self.alarms
        return Ended("done" if clean else "findings", result | ({"message": message} if message else {}))


def prepare(store: UploadStore, month: str, revision: int, into: IO[bytes]) -> Prepared:
    """Spool what may go. Raises GaveUp: days are not frozen, there is nothing, or sums do not fit."""
    freezes = FreezeReader(store.connection)
    city = freezes.month(ROLE, CITY, month)
    lacking = [f"全市{day}" for day in missing_days(month, (row.biz_date for row in city))]
    lacking += [f"{code} {day}" for code, day in store.unfrozen(ROLE, month)]
    if lacking:
        more = f"等{len(lacking)}日" if len(lacking) > NAMED_MAX else ""
        raise GaveUp(f"没有固化，不能上传：{'、'.join(lacking[:NAMED_MAX])}{more}")
    behind, sums = _behind(store, month)
    deducted = MonthReader(store.connection).deducted(ROLE, month)
    without = {setl_id for setl_id, _, _ in behind}
    found = spool(freezes, sorted(row.id for row in city), deducted, into, without=without)
    if not found.rows:
        raise GaveUp(f"{month}没有可上传的费用")
    if found.sums != {name: fen for name, fen in sums.items() if fen}:
        raise GaveUp("上传明细的合计与固化的不符，没有发送；请验证固化（books verify）")
    content = Content(
        role=ROLE, month=month, revision=revision, rows=found.rows, rows_sm3=_sm3_of(into), sums=found.sums,
        deductions=found.deductions, deducted=found.deducted, freezes=sorted(row.id for row in city),
        kept_back=len(behind),
    )  # fmt: skip
    return Prepared(content=content, behind=behind)


def _behind(store: UploadStore, month: str) -> tuple[list[tuple[str, str, str]], dict[str, int]]:
    """Return the settlements that passed one check alone, and the sums of those that passed both."""
    behind = []
    sums: dict[str, int] = {}
    for setl_id, code, counts in store.city(ROLE, month):
        own, counted = store.own(ROLE, month, code, setl_id), Counted(*counts)
        if why := kept_back(counted, None if own is None else Counted(*own)):
            behind.append((setl_id, code, why))
            continue
        for name, fen in counted.named().items():
            sums[name] = sums.get(name, 0) + fen
    return behind, sums


def _sm3_of(stream: IO[bytes]) -> str:
    state = sm3_hasher()
    while chunk := stream.read(_CHUNK):
        state.update(chunk)
    stream.seek(0)
    return str(state.digest().hex())
