"""The books' work in a node: takes `day` orders from the room's file, runs the day, carries out what follows.

    journal ─extract─► GW ledger ┐
    agency  ─3201, 3202─► derive ├─► run ─► differences ─► actions ─┐
    institutions, province ──────┘    ▲───── once more ─────────────┘

Extracting, deriving and running happen in a niced child process; nothing of it holds the reactor. Source:
reconciliation specification §4; docs/decisions/0011.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import attrs
import msgspec
from twisted.internet.defer import Deferred, DeferredList
from twisted.python.failure import Failure

from adapters.store.books import BooksStore
from adapters.store.books_cases import BooksCases
from adapters.store.codes_orders import OrdersStore, WorkOrder
from adapters.store.codes_uploads import UploadsStore
from gateway.app.books_acting import Acting
from gateway.app.books_appeal_job import APPEALS, DEDUCTIONS, AppealJob
from gateway.app.books_asking import Asking
from gateway.app.books_city_clearing import CityClearing
from gateway.app.books_clearing_job import SUBMIT, SYNC, WITHDRAW, ClearingJob
from gateway.app.books_inquiring import Inquiring
from gateway.app.books_month_watch import MonthWatch
from gateway.app.books_monthly_job import MonthlyJob
from gateway.app.books_morning import ended, report_task
from gateway.app.books_province import Provincial
from gateway.app.books_prune import DailyPruning
from gateway.app.books_region import profile_of
from gateway.app.books_schedule import REPORT, Schedule
from gateway.app.books_shelf import SCRIPTS
from gateway.app.books_sources import exported
from gateway.app.books_split_job import SPLITS, SplitJob
from gateway.app.books_tasks import (
    Asked,
    Derive,
    DeriveTask,
    Extracted,
    Group,
    Ran,
    Reconcile,
    Reconciled,
    Reported,
    ReportTask,
    RunTask,
    Task,
)
from gateway.app.books_upload_job import UPLOAD, UploadJob
from gateway.app.children import Child, run_module
from gateway.app.codes_orders import Books, CodesOrders, Ended, GaveUp, Stopped, Work
from gateway.app.config import Config
from gateway.app.journal_deciding import ORDER as DECIDE
from gateway.app.journal_deciding import decide
from gateway.books.freezing import CITY
from gateway.books.plans import closes_ms
from gateway.core.dates import day_of
from gateway.core.ports import Clock, Watch
from gateway.core.province import ProvincialPort, Role
from gateway.exchange.door import Institution, Link
from gateway.exchange.errands import Errands, FileExchange
from gateway.exchange.ordered import Ordered

T = TypeVar("T")
KIND = "day"
AGREED = ("AGREED", "AGREED_WITH_CARRY", "FROZEN")
LOOK_S = 0.05  # how soon the end of a child is seen
_STEPS = {"extract": "读取网关日志", "reconcile": "比对各方账目", "report": "写日报"}


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a child printed."""

    ok: bool
    message: str = ""
    told: msgspec.Raw = msgspec.Raw(b"null")


@attrs.define(eq=False, kw_only=True)
class BooksDesk:
    """Everything a node needs to run the books.

    files: link name -> its way of files; crowded: link name -> whether somebody waits for a connection; owner: a text
    that is new at every start; province: None where none is configured.
    """

    reactor: Any
    clock: Clock
    config: Config
    institutions: Mapping[str, Institution]
    files: Mapping[str, FileExchange]
    crowded: Callable[[str], bool]
    errands: Errands
    ordered: Ordered
    watch: Watch
    owner: str
    report: Callable[[Exception], object]
    province: ProvincialPort | None = None
    orders: CodesOrders = attrs.field(init=False)
    months: MonthWatch = attrs.field(init=False)
    open_differences: dict[tuple[str, str], int] = attrs.field(factory=dict, init=False)
    _store: BooksStore = attrs.field(init=False)
    _children: set[Child] = attrs.field(factory=set, init=False)

    def __attrs_post_init__(self) -> None:
        schedule = Schedule(self.config, self.clock, self.watch, lambda: self._store)
        self.months = MonthWatch(self.config, self.clock, self.watch, lambda: self._store)

        pruning = DailyPruning(self.config, self.clock, self._db)

        async def tick() -> None:
            await schedule.tick()
            await self.months.tick()
            await pruning.tick()

        self.orders = CodesOrders(
            reactor=self.reactor,
            clock=self.clock,
            path=self.config.room("books"),
            open_books=self._open,
            jobs={
                KIND: self._day,
                REPORT: self._report,
                DECIDE: self._decide,
                **dict.fromkeys((SUBMIT, WITHDRAW, SYNC), self._clearing),
                **dict.fromkeys(SPLITS, self._split),
                UPLOAD: self._upload,
                **dict.fromkeys((DEDUCTIONS, APPEALS), self._appeal),
            },
            errands=self.errands,
            crowded=self.crowded,
            report=self.report,
            tick=tick,
        )
        schedule.orders = self.months.orders = self.orders

    def start(self) -> None:
        self.orders.start()

    async def stop(self) -> None:
        """End a run at once: what it had not brought into force counts for nothing, and the order goes on later."""
        self.orders.stopping = True
        for child in list(self._children):
            child.kill()
        await self.orders.stop()

    def _open(self) -> Books:
        self._store = BooksStore.open(self.config.room("books"), SCRIPTS)
        connection = self._store.connection
        return Books(OrdersStore(connection), UploadsStore(connection), self.owner)

    def _db(self, call: Callable[[BooksStore], T]) -> "Deferred[T]":
        """Do something with the store on the orders' thread."""
        return self.orders.db(lambda _: call(self._store))

    # --- a month ---------------------------------------------------------------------------------------

    def _place(self, work: Work) -> Link:
        """Return by which link an institution's orders go; the city's by its first institution."""
        institution = self.institutions.get(work.order.institution)
        if institution is None:
            raise GaveUp(f"配置中没有机构{work.order.institution}")
        return institution.link

    async def _clearing(self, work: Work) -> Ended:
        link = self._place(work)
        if work.order.arguments.get("scope") != CITY:
            by_month = profile_of(self.config, work.order.institution).monthly.sums
            return await (MonthlyJob if by_month else ClearingJob).of(self.config, work, link).run()
        if self.province is None:
            raise GaveUp("全市的申请经省平台申报，配置中没有[province]")
        profile = profile_of(self.config, CITY)
        job = CityClearing(
            config=self.config, work=work, link=link, profile=profile, port=self.province, folder=self._data / "books"
        )
        return await job.run()

    async def _appeal(self, work: Work) -> Ended:
        return await AppealJob.of(self.config, work, self._place(work)).run()

    async def _upload(self, work: Work) -> Ended:
        if self.province is None:
            raise GaveUp("本月明细经省平台上传，配置中没有[province]")
        asks = self.config.books.doubt_ask_s
        return await UploadJob(work=work, port=self.province, folder=self._data / "books", doubt_ask_s=asks).run()

    async def _split(self, work: Work) -> Ended:
        return await SplitJob.of(self.config, work, self._place(work)).run()

    # --- the journal ----------------------------------------------------------------------------------

    async def _decide(self, work: Work) -> Ended:
        """Carry out what two people decided of a record in MANUAL."""
        code, day = work.order.institution, str(work.order.arguments.get("date", ""))
        known = await self._db(lambda store: store.days(day, day, "care")) if day else []
        frozen = any(one.state == "FROZEN" and one.scope in (code, "*") for one in known)
        return await decide(self.ordered.office, work, frozen)

    # --- one day --------------------------------------------------------------------------------------

    async def _day(self, work: Work) -> Ended:
        order = work.order
        day, role = str(order.arguments["date"]), str(order.arguments.get("role", "care"))
        known = await self._db(lambda store: store.days(day, day, role))
        if any(one.scope == "*" and one.state == "FROZEN" for one in known):
            raise GaveUp(f"{day}已固化，须先由两人重新打开")
        (self._data / "books" / day / "work").mkdir(mode=0o700, parents=True, exist_ok=True)
        frozen = {one.scope for one in known if one.state == "FROZEN"}
        counts: dict[str, int] = {}
        inquiring = Inquiring(
            office=self.ordered.office, watch=self.watch, db=self._db, now_ms=self.orders.now_ms,
            left=self.config.books.questions_max,
        )  # fmt: skip
        for number in range(self.config.books.rounds):
            early, asked = self._early(day), dict[str, int]()
            found: DeriveTask | None = None
            asked_ms: dict[str, int] = {}
            trouble: list[str] = []
            if role == "care":
                found, asked_ms = await self._gathered(work, day, number, frozen)
                trouble += found.trouble
            if self.province is not None:
                await work.tell("读取省平台对账单")
                looked_ms = self.orders.now_ms()
                short = await self._provincial(self.province, day).gather(work, day, _role(role), number, early)
                trouble += short
                if not short:  # else nobody has looked, and nothing done there is known to be in vain
                    asked_ms["*"] = looked_ms
            ran = await self._reconciled(work, day, role, found, asked_ms, trouble, early)
            beyond = ran.summary.get("frozen")
            for scope, count in sorted(beyond.items()) if isinstance(beyond, dict) else ():
                trouble.append(f"{scope}已固化：另有{count}条差异没有记入，请核实后以 books adjust 更正")
            if not early:
                asked = await inquiring.ask(work, role, day)
                await inquiring.alarm(role, day)
                await work.tell("执行动作")
                counts = await self._acting(day).carry_out(day)
            self.open_differences = await self._db(lambda store: store.open_counts())
            work.result = {**await self._told(day, role, ran, counts, trouble), "asked": asked}
            if not counts.get("DONE"):
                break
        return Ended("done" if ran.days.get("*") in AGREED else "findings", work.result)

    def _early(self, day: str) -> bool:
        """Say whether a day is not over, so that it is only looked at. Raises GaveUp of one that has not begun."""
        now_ms = self.orders.now_ms()
        if day > day_of(now_ms / 1000):
            raise GaveUp(f"[BK-DAY-AHEAD] {day}还没有开始，没有可对的账：请等该日开始后再对")
        return now_ms < closes_ms(day, self.config.books.day_closes)

    @property
    def _data(self) -> Path:
        return self.config.path(self.config.node.data_dir)

    def _provincial(self, port: ProvincialPort, day: str) -> Provincial:
        return Provincial(
            port=port, roles=self.config.province.roles, data=self._data, db=self._db, now_ms=self.orders.now_ms,
            give_up=lambda action, receipt: self._acting(day).give_up(action, receipt),
        )  # fmt: skip

    def _acting(self, day: str) -> Acting:
        return Acting(
            ordered=self.ordered,
            clock=self.reactor,
            db=lambda call: self.orders.db(lambda _: call(BooksCases(self._store.connection))),
            msgid=self.errands.msgid,
            watch=self.watch,
            wait_s=self.config.books.reverse_wait_s,
            elsewhere=None if self.province is None else self._provincial(self.province, day),
        )

    async def _told(
        self, day: str, role: str, ran: Ran, counts: Mapping[str, int], trouble: Sequence[str]
    ) -> dict[str, object]:
        cases = await self._db(lambda store: BooksCases(store.connection).cases(("OPEN", "PROPOSED"), day))
        return {
            "date": day, "role": role, "run_id": ran.run_id, "revision": ran.revision, "agreed": ran.agreed,
            "keys": ran.keys, "provisional": bool(ran.summary.get("provisional")),
            "classes": ran.summary.get("classes", {}), "rows": ran.summary.get("rows", {}),
            "sums_fen": ran.summary.get("sums_fen", {}), "days": ran.days, "actions": dict(counts),
            "cases": len(cases), "trouble": list(trouble),
        }  # fmt: skip

    async def _report(self, work: Work) -> Ended:
        """Write a day's report below the data directory: what the schedule orders every morning (§4.3)."""
        task = report_task(self.config, self._data, work)
        return ended(task, await self._child(work, "report", task, task.date, Reported))

    # --- gathering ------------------------------------------------------------------------------------

    async def _gathered(self, work: Work, day: str, number: int, frozen: set[str]) -> tuple[DeriveTask, dict[str, int]]:
        """Read the journal and ask every agency whose institution's day is open, unless its own export is there; return
        the answers, and when each was asked or gave its export."""
        task = self._task(work.order, day, number)
        extracted = await self._child(work, "extract", task, day, Extracted)
        asked_ms = dict(exported(await self._db(lambda store: store.inputs(day)), extracted.institutions))
        open_ones = extracted.institutions.keys() - asked_ms.keys() - frozen
        groups = {code: found for code, found in extracted.institutions.items() if code in open_ones}
        await work.tell("与经办对账（3201、3202）", 0, len(groups))
        asked_ms |= {code: self.orders.now_ms() for code in groups}
        return DeriveTask(task=task, answers=await self._asked(work, task, groups)), asked_ms

    def _task(self, order: WorkOrder, day: str, number: int) -> Task:
        tables = {code: one.link.region for code, one in self.institutions.items()}
        return Task(
            journal=str(self.config.journal), store=str(self.config.room("books")), data=str(self._data), date=day,
            now_ms=self.orders.now_ms(), number=order.id * 10 + number, early=self._early(day),
            institutions={
                code: Asked(
                    count=region.statement.count, refund_rows=region.statement.refund_rows,
                    base64=region.file_in == "base64", empty_groups=region.statement.empty_groups,
                    by_way=region.statement.by_way, way=region.statement.fill.get("clr_way", ""),
                    next_day=region.statement.next_day,
                )
                for code, region in tables.items()
            },
        )  # fmt: skip

    async def _asked(self, work: Work, task: Task, groups: Mapping[str, list[Group]]) -> list[Derive]:
        """Ask every institution's agency, a few at once. Raises Stopped, Fenced."""
        left = sorted(groups)
        found: list[Derive] = []

        async def worker() -> None:
            while left:
                code = left.pop(0)
                found.append(await self._asking(work, task, code).ask(groups[code]))
                await work.tell("与经办对账（3201、3202）", len(found), len(groups))

        at_once = max(1, self.config.books.institutions_at_once)
        workers = [Deferred.fromCoroutine(worker()) for _ in range(min(at_once, len(left)))]
        for result in await DeferredList(workers, consumeErrors=True):
            if isinstance(result[1], Failure):
                result[1].raiseException()
        return sorted(found, key=lambda one: one.institution)

    def _asking(self, work: Work, task: Task, code: str) -> Asking:
        link: Link = self.institutions[code].link
        own = Work(work.desk, attrs.evolve(work.order, institution=code))
        return Asking(
            institution=code, link=link, files=self.files[link.name], errands=self.errands, work=own,
            workplace=task.workplace, day=date.fromisoformat(task.date), patience_s=self.config.books.patience_s,
        )  # fmt: skip

    # --- children -------------------------------------------------------------------------------------

    async def _reconciled(
        self, work: Work, day: str, role: str, found: DeriveTask | None, asked_ms: dict[str, int], trouble: list[str],
        early: bool,
    ) -> Ran:  # fmt: skip
        run = RunTask(
            store=str(self.config.room("books")), data=str(self._data), date=day, role=role,
            now_ms=self.orders.now_ms(), institutions=sorted(self.institutions), asked_ms=asked_ms,
            province=self.province is not None and role in self.config.province.roles,
            provisional=early, by_hand=self.config.books.by_hand,
            closes_ms=closes_ms(day, self.config.books.day_closes),
        )  # fmt: skip
        done = await self._child(work, "reconcile", Reconcile(run=run, derive=found), day, Reconciled)
        for code in done.derived.bad if done.derived is not None else ():
            self.watch.alarm("books_result_bad", code, "")
            trouble.append(f"{code}：对账结果文件有不合格的行，整份不采用，须重新获取")
        for code in done.derived.odd if done.derived is not None else ():
            self.watch.alarm("books_result_odd", code, "")
            trouble.append(f"{code}：经办说总账不平（3201），明细却没有差异（3202），请与经办核对笔数和统计口径")
        return done.ran

    async def _child(self, work: Work, step: str, task: Task | Reconcile | ReportTask, day: str, kind: type[T]) -> T:
        """Do one step in a child. Raises GaveUp with what went wrong; Stopped when the node stops meanwhile."""
        file = self._data / "books" / day / "work" / f"{step}.json"
        text = msgspec.json.encode(task)
        await self._db(lambda _: file.write_bytes(text))
        child = run_module(self.reactor, "gateway.app.books_child", [step, str(file)])
        self._children.add(child)
        try:
            while not child.done.called:
                await work.tell(_STEPS[step])  # keeps the lease
                await self.orders.sleep(LOOK_S)
            output = await child.done
        finally:
            self._children.discard(child)
        if self.orders.stopping:
            raise Stopped
        if output.code != 0:
            last = output.err.decode("utf-8", "replace").strip().splitlines()[-1:]
            raise GaveUp(f"对账子进程异常结束（{step}，退出码{output.code}）：{''.join(last)[:200]}")
        told = msgspec.json.decode(output.out, type=Told)
        if not told.ok:
            raise GaveUp(told.message)
        return msgspec.json.decode(told.told, type=kind)


def _role(text: str) -> Role:
    return "insured" if text == "insured" else "care"
