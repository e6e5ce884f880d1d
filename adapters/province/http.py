"""The province adapter: `gateway.core.province.ProvincialPort` over the JSON protocol of docs/province.md.

Questions are asked again when no answer came; what changes something is sent once a call, and the caller repeats it
with the same key or looks it up. Blocking work, reading of answers included, is a helper's.
"""

import itertools
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import attrs
from twisted.internet.defer import Deferred

from adapters.province import codec
from adapters.province.codec import Data, Signer, Unreadable
from adapters.province.reading import Reader, Whole
from adapters.province.statement import (
    AMOUNTS,
    COLUMNS_SENT,
    DETAIL_AMOUNTS,
    DETAIL_COLUMNS,
    PageRead,
    detail_page,
    statement_page,
)
from gateway.core.dates import is_date
from gateway.core.ports import Clock, Exchange, Helper
from gateway.core.province import (
    FEEDBACK_MAX,
    LEDGERS,
    ClearingApp,
    ClearingDetail,
    ClearingRow,
    ClearingStatus,
    ClearingWithdrawal,
    Deduction,
    FeedbackItem,
    FeedbackReceipt,
    Kind,
    MonthBooked,
    MonthUpload,
    Outcome,
    Page,
    Remembered,
    Reversal,
    ReversalAck,
    Role,
    Snapshot,
)

QUESTIONS_MAX = 3
ROWS_A_CALL = 500
KEY_MAX = 44
T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Limits:
    """Bounds of the province. again_s: pause before something is asked again; see `[province]` in docs/province.md."""

    timeout_s: float = 30.0
    page_rows: int = 1000
    rows_max: int = 2_000_000
    readings_max: int = 5
    again_s: float = 2.0


@attrs.frozen(eq=False, kw_only=True)
class HttpProvince:
    """One province. base: path before `/province/v1/`, ending in `/`. nonce: 32 hex digits, each time new."""

    clock: Clock
    exchange: Exchange
    helper: Helper
    signer: Signer
    nonce: Callable[[], str]
    base: bytes
    limits: Limits
    report: Callable[[Exception], object]  # a fault of ours

    # --- the port ---

    def fetch_statement(
        self, key: str, role: Role, date: str, ledger: str, target: Path
    ) -> Deferred[Outcome[Snapshot]]:
        assert is_date(date) and ledger in LEDGERS[role] and len(key) <= KEY_MAX
        size = self.limits.page_rows

        def page_of(reading: int, number: int) -> Awaitable[Outcome[PageRead]]:
            fields = {"role": role, "date": date, "ledger": ledger, "page_num": number, "page_size": size}
            read = partial(statement_page, role=role, date=date, ledger=ledger, number=number, size=size)
            return self._ask("statement", f"{key}-{reading}-{number}", fields, read)

        reader = self._reader(page_of, COLUMNS_SENT, AMOUNTS)
        return self._safely(self._fetch(reader, target, partial(_snapshot, ledger, role, date, target)))

    def send_feedback(self, key: str, items: tuple[FeedbackItem, ...]) -> Deferred[Outcome[FeedbackReceipt]]:
        assert 0 < len(items) <= FEEDBACK_MAX
        return self._tell("feedback", key, codec.feedback(items), lambda data: codec.receipt(data, items))

    def reverse(self, key: str, what: Reversal) -> Deferred[Outcome[ReversalAck]]:
        return self._tell("reversal", key, codec.reversal(what), codec.ack)

    def upload_clearing(self, key: str, app: ClearingApp) -> Deferred[Outcome[str]]:
        return self._safely(self._upload("clearing", key, codec.clearing_head(app), app.rows, "clr_appy_evt_id"))

    def upload_month(self, key: str, upload: MonthUpload) -> Deferred[Outcome[str]]:
        return self._safely(self._upload("monthly", key, codec.month_head(upload), upload.rows, "receipt_no"))

    def month_booked(self, key: str, upload_key: str) -> Deferred[Outcome[MonthBooked]]:
        return self._safely(self._ask("monthly/status", key, {"upload_key": upload_key}, codec.month_booked))

    def withdraw_clearing(self, key: str, what: ClearingWithdrawal) -> Deferred[Outcome[str]]:
        number = partial(codec.text, name="ack_no", required=True)
        return self._tell("clearing/withdraw", key, codec.withdrawal(what), number)

    def clearing_status(self, key: str, event_id: str = "", app_no: str = "") -> Deferred[Outcome[ClearingStatus]]:
        fields = {"clr_appy_evt_id": event_id, "app_no": app_no}
        return self._safely(self._ask("clearing/status", key, fields, codec.status))

    def clearing_deductions(self, key: str, event_id: str, start: int) -> Deferred[Outcome[Page[Deduction]]]:
        fields = {"clr_appy_evt_id": event_id, "startrow": start}
        read = partial(codec.deductions, start=start)
        return self._safely(self._ask("clearing/deductions", key, fields, read))

    def download_clearing_detail(
        self, key: str, year: str, month: str, start: int
    ) -> Deferred[Outcome[Page[ClearingDetail]]]:
        fields = {"trt_year": year, "trt_month": month, "startrow": start}
        return self._safely(self._ask("clearing/detail", key, fields, partial(codec.details, start=start)))

    def download_clearing_details(self, key: str, year: str, month: str, target: Path) -> Deferred[Outcome[Snapshot]]:
        def page_of(reading: int, number: int) -> Awaitable[Outcome[PageRead]]:
            start = 1 + (number - 1) * codec.PAGE_ROWS
            fields = {"trt_year": year, "trt_month": month, "startrow": start}
            read = partial(detail_page, year=year, month=month, start=start)
            return self._ask("clearing/detail", f"{key}-{reading}-{number}", fields, read)

        reader = self._reader(page_of, DETAIL_COLUMNS, DETAIL_AMOUNTS)
        made = partial(_snapshot, "PROV", "care", f"{year}-{month}", target)
        return self._safely(self._fetch(reader, target, made))

    def receipt_of(self, key: str) -> Deferred[Outcome[Remembered]]:
        request_id = f"{key}-?{self.nonce()[:8]}"  # each time a new question: the answer may be another by now
        return self._safely(self._ask("receipt", request_id, {"about": key}, codec.remembered))

    # --- how it is done ---

    def _safely(self, doing: Coroutine[Any, Any, Outcome[T]]) -> Deferred[Outcome[T]]:
        return Deferred.fromCoroutine(self._guarded(doing))

    async def _guarded(self, doing: Coroutine[Any, Any, Outcome[T]]) -> Outcome[T]:
        try:
            return await doing
        except Exception as cause:  # boundary: a fault of ours is doubt towards the party, and told
            self.report(cause)
            return Outcome(kind="unknown", code="INTERNAL", text="网关内部错误，见日志")

    def _reader(
        self, page_of: Callable[[int, int], Awaitable[Outcome[PageRead]]], columns: tuple[str, ...],
        amounts: frozenset[str],
    ) -> Reader:  # fmt: skip
        return Reader(
            page_of=page_of, columns=columns, amounts=amounts, rows_max=self.limits.rows_max,
            readings_max=self.limits.readings_max, pause=self._pause, work=self._work,
        )  # fmt: skip

    async def _fetch(self, reader: Reader, target: Path, made: Callable[[Whole], Snapshot]) -> Outcome[Snapshot]:
        try:
            outcome = await reader.read(target)
        except OSError as cause:
            return Outcome(kind="not_sent", code="DISK", text=f"对账单不能写入磁盘：{type(cause).__name__}")
        if outcome.value is None:
            return Outcome(kind=outcome.kind, code=outcome.code, text=outcome.text)
        return Outcome(kind="done", value=made(outcome.value))

    async def _upload(
        self, what: str, key: str, head: Data, rows_of: Iterable[ClearingRow], answer: str
    ) -> Outcome[str]:
        """Begin, rows by pages, submit: until `submit` nothing is booked, so what fails before is certainly not sent.
        answer: the field of the number that `submit` gives."""
        number = partial(codec.text, name="upload_no", required=True)
        begun = await self._change(f"{what}/begin", f"{key}-b", head, number)
        if begun.value is None:
            return _nothing_yet(begun)
        for seq, rows in enumerate(_batches(iter(rows_of)), 1):
            fields = {"upload_no": begun.value, "seq": seq, "rows": [codec.clearing_row(row) for row in rows]}
            taken = await self._change(
                f"{what}/rows", f"{key}-r{seq}", fields, partial(codec.whole_number, name="received")
            )
            if taken.value is None:
                return _nothing_yet(taken)
        event = partial(codec.text, name=answer, required=True)
        return await self._change(f"{what}/submit", key, {"upload_no": begun.value}, event)

    def _tell(self, op: str, key: str, fields: Data, read: Callable[[Data], T]) -> Deferred[Outcome[T]]:
        return self._safely(self._change(op, key, fields, read))

    async def _ask(self, op: str, request_id: str, fields: Data, read: Callable[[Data], T]) -> Outcome[T]:
        """Ask a question, again when nothing readable came back."""
        outcome = await self._post(op, request_id, fields, read, retry_safe=True)
        for _ in range(QUESTIONS_MAX - 1):
            if outcome.kind in ("done", "refused") or outcome.code == "DENIED":
                break
            await self._pause()
            outcome = await self._post(op, request_id, fields, read, retry_safe=True)
        return outcome

    async def _change(self, op: str, request_id: str, fields: Data, read: Callable[[Data], T]) -> Outcome[T]:
        return await self._post(op, request_id, fields, read, retry_safe=False)

    async def _post(
        self, op: str, request_id: str, fields: Data, read: Callable[[Data], T], *, retry_safe: bool
    ) -> Outcome[T]:
        path = self.base + codec.PREFIX.encode() + op.encode()
        body = codec.request(request_id, fields)
        headers = self.signer.headers(path, body, self.clock.seconds(), self.nonce())
        call = _Call(retry_safe)
        self.exchange.send(path, headers, body, call, self.limits.timeout_s)
        answer = await call.ended
        if isinstance(answer, Outcome):
            return answer
        status, content = answer
        outcome: Outcome[T] = await self._work(lambda: _read(status, content, request_id, read))
        return outcome

    def _work(self, call: Callable[[], Any]) -> Awaitable[Any]:
        done: Deferred[Any] = Deferred()
        self.helper.run(call, done.callback, done.errback)
        return done

    def _pause(self) -> Awaitable[object]:
        done: Deferred[None] = Deferred()
        self.clock.callLater(self.limits.again_s, done.callback, None)
        return done


def _read(status: int, content: bytes, request_id: str, read: Callable[[Data], T]) -> Outcome[T]:
    outcome = codec.read(status, content, request_id)
    if outcome.value is None:
        return Outcome(kind=outcome.kind, code=outcome.code, text=outcome.text)
    try:
        return Outcome(kind="done", value=read(outcome.value))
    except Unreadable as cause:
        return codec.unreadable(str(cause))


def _snapshot(ledger: str, role: Role, date: str, target: Path, whole: Whole) -> Snapshot:
    head, kept = whole.head, whole.kept
    return Snapshot(
        ledger=ledger, role=role, date=date, statement_no=head.statement_no, path=target, rows=kept.rows,
        repeated=kept.repeated, sums_fen=kept.sums_fen, sm3=kept.sm3, complete=head.complete, readings=whole.readings,
    )  # fmt: skip


def _nothing_yet(outcome: Outcome[Any]) -> Outcome[str]:
    kind: Kind = "refused" if outcome.kind == "refused" else "not_sent"
    return Outcome(kind=kind, code=outcome.code, text=outcome.text)


def _batches(rows: Iterator[ClearingRow]) -> Iterator[list[ClearingRow]]:
    while batch := list(itertools.islice(rows, ROWS_A_CALL)):
        yield batch


@attrs.define(eq=False)
class _Call:
    """One request on its way; the exchange's Listener. ended: (status, body), or the Outcome without one."""

    retry_safe: bool
    ended: Deferred[Any] = attrs.Factory(Deferred)

    def answered(self, status: int, content_type: bytes, body: bytes, whole: bool) -> None:
        self.ended.callback((status, body))  # whole or not, its JSON tells

    def not_sent(self, reason: str) -> None:
        self.ended.callback(Outcome(kind="not_sent", code="NOT_SENT", text=f"没有送到省平台（{reason}）"))

    def silent(self) -> None:
        """Nobody waits beyond the deadline here; `lost` follows at once."""

    def lost(self, reason: str) -> None:
        self.ended.callback(Outcome(kind="unknown", code="NO_ANSWER", text=f"省平台没有回答（{reason}）"))
