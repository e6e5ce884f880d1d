"""The node's side of orders in the codes room's file (annex X35): takes them, works on them, writes how they ended.

One order at a time an institution, a few institutions at a time, and one order about libraries beside them. Everything
that touches the store runs on one thread of its own. A node that stops lets its orders go; one that dies is followed by
one that finds the mark free and takes up what was left: every step that reached the platform is in the store, so
nothing is done twice.
"""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from adapters.store.codes_orders import Fenced, NodeMark, OrdersStore, WorkOrder
from adapters.store.codes_uploads import UploadsStore
from adapters.store.writer import WriterThread
from gateway.core.ports import Clock
from gateway.exchange.door import Link
from gateway.exchange.errands import Errands, Outcome

T = TypeVar("T")
POLL_S = 0.5
SLICE_S = 5.0  # a lease is renewed at least so often
RETRY_S = (1.0, 2.0, 5.0, 10.0, 30.0)
CROWDED_S = 0.2
SIGN_INS_MAX = 2
INSTITUTIONS_MAX = 4  # worked for at once: each has one message on its way, and money wants the links
LISTS_KINDS = ("lists_upload", "lists_results", "lists_compare", "lists_counts")
MONTH_KINDS = (
    "month_submit", "month_withdraw", "month_sync", "month_split", "month_confirm", "month_rollback",
    "month_upload", "month_deductions", "month_appeal",
)  # fmt: skip
OF_INSTITUTIONS = frozenset({"upload", "cancel", "compare", *LISTS_KINDS, *MONTH_KINDS})
LIBRARIES = ""  # the lane of orders about libraries


class Stopped(Exception):
    """The node is stopping: leave everything as it is, another start goes on."""


class GaveUp(Exception):
    """The platform could not be reached, or answers nothing that can be used. str: Chinese, for the result."""


@attrs.frozen
class Ended:
    """How an order ended. outcome: done, findings or failed."""

    outcome: str
    result: dict[str, object]


@attrs.frozen
class Books:
    """The tables of one connection, used on the orders' thread only."""

    orders: OrdersStore
    uploads: UploadsStore
    owner: str


Job = Callable[["Work"], Awaitable[Ended]]


@attrs.define(eq=False, kw_only=True)
class CodesOrders:
    """Takes orders and runs them.

    jobs: kind -> what works on it; crowded: link name -> whether money or queries wait for a connection; report: what
    went wrong with us; tick: called at every poll.
    """

    reactor: Any
    clock: Clock
    path: Path
    open_books: Callable[[], Books]
    jobs: Mapping[str, Job]
    errands: Errands
    crowded: Callable[[str], bool]
    report: Callable[[Exception], object]
    tick: Callable[[], Awaitable[None]]
    thread: WriterThread = attrs.field(init=False)
    stopping: bool = attrs.field(default=False, init=False)
    _mark: NodeMark | None = attrs.field(default=None, init=False)
    _books: Books = attrs.field(init=False)
    _running: dict[str, "Deferred[None]"] = attrs.field(factory=dict, init=False)
    _loop: "Deferred[None] | None" = attrs.field(default=None, init=False)
    _sleeping: "set[Deferred[None]]" = attrs.field(factory=set, init=False)

    def start(self) -> None:
        """Look for orders from now on. Raises what opening the store raises."""
        self._books = self.open_books()
        self.thread = WriterThread(self.reactor.callFromThread, "orders")
        self._loop = Deferred.fromCoroutine(self._poll())

    async def stop(self) -> None:
        """Let what is on its way to the platform end, let the orders go."""
        self.stopping = True
        for sleeping in list(self._sleeping):
            sleeping.cancel()
        if self._loop is None:
            return
        await self._loop
        for running in list(self._running.values()):
            await running
        if self._mark is not None:
            await self.db(lambda books: books.orders.let_go(books.owner))
            self._mark.let_go()
        self.thread.stop()
        self._books.orders.close()

    def db(self, call: Callable[[Books], T]) -> "Deferred[T]":
        """Do something with the store on its thread."""
        done: Deferred[T] = Deferred()
        self.thread.run(lambda: call(self._books), done.callback, done.errback)
        return done

    async def sleep(self, seconds: float) -> None:
        """Wait. Raises Stopped when the node is stopping."""
        if not self.stopping:
            sleeping: Deferred[None] = deferLater(self.reactor, seconds)
            self._sleeping.add(sleeping)
            sleeping.addErrback(lambda failure: None)  # cancelled by stop(): the check below says so
            await sleeping
            self._sleeping.discard(sleeping)
        if self.stopping:
            raise Stopped

    async def _poll(self) -> None:
        while not self.stopping:
            try:
                await self._look()
            except Exception as cause:  # boundary: a store that cannot be read now is tried again
                self.report(cause)
            try:
                await self.sleep(POLL_S)
            except Stopped:
                return

    async def _look(self) -> None:
        if self._mark is None:
            self._mark = NodeMark.take(self.path)
            if self._mark is None:
                return
            await self.db(lambda books: books.orders.let_go())  # whoever held them is dead: the mark was free
        now_ms = self.now_ms()
        for order in await self.db(lambda books: books.orders.waiting(now_ms)):
            lane = order.institution if order.kind in OF_INSTITUTIONS else LIBRARIES
            busy = len(self._running.keys() - {LIBRARIES})
            if lane in self._running or self.stopping or (lane != LIBRARIES and busy >= INSTITUTIONS_MAX):
                continue
            number = order.id
            if await self.db(lambda books, number=number: books.orders.take(number, books.owner, now_ms)):  # type: ignore[misc]
                self._running[lane] = Deferred.fromCoroutine(self._run(lane, order))
        await self.tick()

    def now_ms(self) -> int:
        return int(self.clock.seconds() * 1000)

    async def _run(self, lane: str, order: WorkOrder) -> None:
        work = Work(self, order)
        try:
            ended = await self._ended(work, order)
            await self.db(
                lambda books: books.orders.finish(order.id, books.owner, ended.outcome, ended.result, self.now_ms())
            )
        except (Stopped, Fenced):
            return  # another start, or another owner, goes on
        except Exception as cause:  # boundary: the end could not be written; it is tried again when the lease is over
            self.report(cause)
        finally:
            # A lane is free again only after the coroutine that filled it has returned.
            self.reactor.callLater(0, self._running.pop, lane, None)

    async def _ended(self, work: "Work", order: WorkOrder) -> Ended:
        job = self.jobs.get(order.kind)
        if job is None:
            return Ended("failed", {"message": f"本版本不认识任务{order.kind}"})
        try:
            return await job(work)
        except GaveUp as cause:
            return Ended("failed", {"message": str(cause), **work.result})
        except (Stopped, Fenced):
            raise
        except Exception as cause:  # boundary: a fault of ours must not be tried again and again for ever
            self.report(cause)
            return Ended("failed", {"message": "网关内部错误，任务中止；请查看日志并报告开发方", **work.result})


@attrs.define(eq=False)
class Work:
    """One order being worked on: the store, the platform, the clock, and its progress."""

    desk: CodesOrders
    order: WorkOrder
    result: dict[str, object] = attrs.Factory(dict)  # what a failure says besides its message
    done: int = 0
    total: int = 0
    _note: str = ""
    _told_s: float = -SLICE_S

    def db(self, call: Callable[[Books], T]) -> "Deferred[T]":
        return self.desk.db(call)

    @property
    def now_s(self) -> float:
        return self.desk.clock.seconds()

    async def tell(self, note: str, done: int = -1, total: int = -1) -> None:
        """Say how far the work is; renews the lease. Raises Stopped, Fenced."""
        if self.desk.stopping:
            raise Stopped
        self.done = done if done >= 0 else self.done
        self.total = total if total >= 0 else self.total
        now = self.now_s
        if note == self._note and 0 <= now - self._told_s < 1.0:
            return
        self._note, self._told_s = note, now
        number, done, total = self.order.id, self.done, self.total
        await self.db(lambda books: books.orders.progress(number, books.owner, done, total, note, self.desk.now_ms()))

    async def wait(self, seconds: float, note: str = "") -> None:
        """Wait and keep the lease. Raises Stopped, Fenced."""
        while seconds > 0:
            await self.tell(note or self._note)
            await self.desk.sleep(min(seconds, SLICE_S))
            seconds -= SLICE_S

    async def ask(self, link: Link, infno: str, words: Mapping[str, Any], patience_s: float) -> Outcome:
        """Send a query until it is answered clearly. Raises GaveUp, Stopped, Fenced."""
        return await self.send(link, infno, self.msgid(), words, patience_s, query=True)

    def msgid(self) -> str:
        return self.desk.errands.msgid(self.order.institution)

    async def send(
        self, link: Link, infno: str, msgid: str, words: Mapping[str, Any], patience_s: float, query: bool = False
    ) -> Outcome:
        """Send a message and return how it ended: done, refused, or (writes only) unknown.

        What certainly did not arrive is sent again with the same msgid, as long as there is patience. Raises GaveUp,
        Stopped, Fenced.
        """
        lacking = self.desk.errands.lacking(self.order.institution)
        if lacking:
            raise GaveUp(f"机构还没有经本网关发过报文，请先在[codes]中配置{'、'.join(lacking)}")
        deadline, tries, sign_ins = self.now_s + patience_s, 0, 0
        while True:
            await self.room(link)
            outcome = await self._once(link, infno, msgid, words, query)
            if outcome.kind == "sign_in" and sign_ins < SIGN_INS_MAX:
                sign_ins += 1
                await self._sign_in(link)
                continue
            if outcome.kind in ("done", "refused") or (outcome.kind == "unknown" and not query):
                return outcome
            if outcome.kind == "sign_in":
                raise GaveUp(f"平台要求签到，网关代机构签到（9001）后仍未被接受：{outcome.text}")
            if self.now_s >= deadline:
                raise GaveUp(
                    f"平台没有应答交易{infno}，已等待{int(patience_s)}秒（{outcome.text}）；请检查链路后再次执行"
                )
            await self.wait(RETRY_S[min(tries, len(RETRY_S) - 1)], f"平台暂时无法应答（{infno}），等待重试")
            tries += 1

    async def room(self, link: Link) -> None:
        """Let money and institutions' queries pass first."""
        while self.desk.crowded(link.name):
            await self.wait(CROWDED_S, "链路繁忙，让行业务交易")

    def _once(self, link: Link, infno: str, msgid: str, words: Mapping[str, Any], query: bool) -> "Deferred[Outcome]":
        told: Deferred[Outcome] = Deferred()
        self.desk.errands.send(link, infno, msgid, self.order.institution, words, told.callback, query)
        return told

    def _sign_in(self, link: Link) -> "Deferred[Outcome]":
        told: Deferred[Outcome] = Deferred()
        self.desk.errands.sign_in(link, self.order.institution, told.callback)
        return told
