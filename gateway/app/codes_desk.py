"""The codes room's work at platforms, put together for a node: orders, schedules, the inbox, numbers for metrics."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import msgspec

from adapters.store.codes_orders import OrdersStore, connect
from adapters.store.codes_uploads import Held, UploadsStore
from adapters.store.journal_unsettled import unsettled
from gateway.app.children import Child, run_module
from gateway.app.codes_daily import Daily
from gateway.app.codes_fetching import Fetching, FetchMeans
from gateway.app.codes_files import SCRIPTS, downloads
from gateway.app.codes_orders import Books, CodesOrders, GaveUp, Stopped, Work
from gateway.app.codes_sweeping import DAY_S, Sweeping
from gateway.app.codes_uploading import Means, Uploading, Wanted
from gateway.app.codes_wanted import wanted
from gateway.app.config import Config
from gateway.app.config_codes import library_place
from gateway.app.lists_comparing import COMPARE, COUNTS, ListsComparing, ListsCounting
from gateway.app.lists_daily import ListsDaily
from gateway.app.lists_results import KIND as RESULTS
from gateway.app.lists_results import ListsResults
from gateway.app.lists_uploading import KIND as LISTS
from gateway.app.lists_uploading import ListMeans, ListsUploading
from gateway.core.catalogue import Field
from gateway.core.ports import Clock, Dice, Watch
from gateway.exchange.door import Institution, Link
from gateway.exchange.errands import Errands, FileExchange


@attrs.define(eq=False)
class Tally:
    """What came of uploads and downloads since the start. current_s: when a library was last known to be the newest."""

    clock: Clock
    uploads: dict[str, float] = attrs.Factory(dict)
    downloads: dict[tuple[str, ...], float] = attrs.Factory(dict)  # (system, result)
    lists: dict[str, float] = attrs.Factory(dict)
    current_s: dict[str, float] = attrs.Factory(dict)

    def uploaded(self, result: str, rows: int) -> None:
        self.uploads[result] = self.uploads.get(result, 0.0) + rows

    def list_uploaded(self, result: str) -> None:
        self.lists[result] = self.lists.get(result, 0.0) + 1

    def downloaded(self, system: str, result: str) -> None:
        self.downloads[system, result] = self.downloads.get((system, result), 0.0) + 1
        if result in ("imported", "current"):
            self.current_s[system] = self.clock.seconds()


@attrs.define(eq=False, kw_only=True)
class CodesDesk:
    """Everything a node needs to put the orders of the codes' and the lists' room to work.

    files: link name -> its way of files; crowded: link name -> whether somebody waits for a connection; heads: what an
    institution's envelope said last; learn: keeps a sign-in number; owner: a text that is new at every start.
    """

    reactor: Any
    clock: Clock
    dice: Dice
    entropy: Callable[[int], bytes]
    config: Config
    institutions: Mapping[str, Institution]
    links: Mapping[str, Link]
    files: Mapping[str, FileExchange]
    crowded: Callable[[str], bool]
    heads: Mapping[str, Mapping[str, str]]
    learn: Callable[[str, Mapping[str, str]], object]
    watch: Watch
    owner: str
    report: Callable[[Exception], object]
    tally: Tally = attrs.field(init=False)
    orders: CodesOrders = attrs.field(init=False)
    errands: Errands = attrs.field(init=False)
    _sweeping: Sweeping = attrs.field(init=False)
    _children: set[Child] = attrs.field(factory=set, init=False)

    def __attrs_post_init__(self) -> None:
        codes, config = self.config.codes, self.config
        self.tally = Tally(self.clock)
        self._sweeping = Sweeping(config, self.clock, self._folder, self.report)
        fallback = {
            "mdtrtarea_admvs": codes.mdtrtarea_admvs,
            "recer_sys_code": codes.recer_sys_code,
            "infver": codes.infver,
        }
        self.errands = Errands(
            clock=self.clock,
            dice=self.dice,
            watch=self.watch,
            heads=self.heads,
            names={one.fixmedins_code: one.name for one in config.institution},
            fallback={name: text for name, text in fallback.items() if text},
            learn=self.learn,
        )
        place = library_place(config)
        daily = Daily(config, self.clock, codes.jitter_s * self.dice.random(), self._downloads(), self._inbox, place)
        lists = ListsDaily(config, self.clock, config.lists.jitter_s * self.dice.random())

        async def tick() -> None:
            await daily.tick()
            await lists.tick()
            if self._sweeping.due():
                await self.orders.db(lambda _: self._sweeping.sweep())

        self.orders = CodesOrders(
            reactor=self.reactor,
            clock=self.clock,
            path=config.room("codes"),
            open_books=self._open,
            jobs={
                "upload": lambda work: Uploading(self._means(), work).upload(),
                "cancel": lambda work: Uploading(self._means(), work).cancel(),
                "compare": lambda work: Uploading(self._means(), work).compare(),
                LISTS: lambda work: ListsUploading(self._list_means(work), work).upload(),
                RESULTS: lambda work: ListsResults(self._list_means(work), work).fetch(),
                COMPARE: lambda work: ListsComparing(self._list_means(work), work).compare(),
                COUNTS: lambda work: ListsCounting(self._list_means(work), work).count(),
                "fetch": lambda work: self._fetching(work).fetch(),
                "receive": lambda work: self._fetching(work).receive(),
            },
            errands=self.errands,
            crowded=self.crowded,
            report=self.report,
            tick=tick,
        )
        daily.desk = lists.desk = self.orders

    async def stop(self) -> None:
        """End imports and downloads at once (their orders go on after the next start) and let the orders go."""
        self.orders.stopping = True
        for files in self.files.values():
            files.hang_up()
        for child in list(self._children):
            child.kill()
        await self.orders.stop()

    @property
    def _folder(self) -> Path:
        return self.config.path(self.config.node.data_dir) / "codes"

    @property
    def _inbox(self) -> Path:
        return self.config.path(self.config.node.data_dir) / "inbox" / "codes"

    def _open(self) -> Books:
        self._sweeping.sweep()
        connection = connect(self.config.room("codes"), SCRIPTS)
        books = Books(OrdersStore(connection), UploadsStore(connection, self.owner), self.owner)
        for done in reversed(books.uploads.downloads("", 1000, "imported")):
            self.tally.current_s[done.system] = done.at_ms / 1000
        return books

    def _downloads(self) -> tuple[str, ...]:
        """Return the transactions of the daily round: those of the configuration the region has."""
        place = library_place(self.config)
        known = self.links[place[0]].region.transactions if place is not None else {}
        return tuple(
            infno for infno in self.config.codes.transactions or downloads() if infno in known and infno in downloads()
        )

    # --- uploads -------------------------------------------------------------------------------------

    def _means(self) -> Means:
        return Means(
            settings=self.config.codes,
            link_of=self._link_of,
            wanted=self._wanted,
            unsettled=self._unsettled,
            count=self.tally.uploaded,
            alarm=lambda name, institution: self.watch.alarm(name, institution, ""),
        )

    def _list_means(self, work: Work) -> ListMeans:
        institution = self.institutions.get(work.order.institution)
        if institution is None:
            raise GaveUp(f"配置中没有机构{work.order.institution}")
        return ListMeans(
            config=self.config, institution=institution, entropy=self.entropy, count=self.tally.list_uploaded
        )

    def _link_of(self, institution: str) -> Link:
        found = self.institutions.get(institution)
        if found is None:
            raise GaveUp(f"配置中没有机构{institution}")
        return found.link

    def _wanted(
        self, institution: str, system: str, held: Sequence[Held], today: str, fields: tuple[Field, ...]
    ) -> Wanted:
        return wanted(self.config.room("codes"), institution, system, held, today, self.config.codes.far_date, fields)

    def _unsettled(self, institution: str, system: str, codes: Sequence[str]) -> set[str]:
        days = self.config.codes.unsettled_days
        since_ms = int((self.clock.seconds() - days * DAY_S) * 1000)
        return unsettled(self.config.journal, institution, system, codes, since_ms) if days else set()

    # --- libraries -----------------------------------------------------------------------------------

    def _fetching(self, work: Work) -> Fetching:
        place = library_place(self.config)
        if place is None:
            raise GaveUp("没有机构使用目录下载的平台链路")
        means = FetchMeans(
            settings=self.config.codes,
            link=self.links[place[0]],
            files=self.files[place[0]],
            errands=self.errands,
            folder=self._folder,
            inbox=self._inbox,
            importer=self._import,
            announcer=self._announce,
            count=self.tally.downloaded,
            alarm=lambda name: self.watch.alarm(name, "", ""),
        )
        return Fetching(means, work)

    async def _import(self, system: str, file: Path, ver: str, operator: str) -> dict[str, object]:
        """Import in a niced child. Raises Stopped when the node stops meanwhile."""
        arguments = [str(self.config.room("codes")), system, str(file), ver, operator, repr(self.clock.seconds())]
        return await self._child("gateway.app.codes_import_child", arguments, "导入程序")

    async def _announce(self, system: str, ver: str, operator: str) -> dict[str, object]:
        """Say whom a release concerns, in a niced child. Raises Stopped when the node stops meanwhile."""
        days, now = str(self.config.codes.round_days), repr(self.clock.seconds())
        arguments = [str(self.config.room("codes")), system, ver, operator, days, now]
        found = await self._child("gateway.app.codes_round_child", arguments, "目录更新程序")
        return {name: value for name, value in found.items() if name != "ok"}  # the release itself is in force

    async def _child(self, module: str, arguments: Sequence[str], what: str) -> dict[str, object]:
        child = run_module(self.reactor, module, arguments)
        self._children.add(child)
        try:
            output = await child.done
        finally:
            self._children.discard(child)
        if self.orders.stopping:
            raise Stopped
        if output.code != 0:
            last = output.err.decode("utf-8", "replace").strip().splitlines()[-1:]
            return {"ok": False, "message": f"{what}异常结束（退出码{output.code}）：{''.join(last)[:200]}"}
        found: dict[str, object] = msgspec.json.decode(output.out, type=dict[str, object])
        return found
