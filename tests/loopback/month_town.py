"""A platform in this process, a gateway in its own, and a month of frozen days in the gateway's books."""

import random  # noqa: TID251  # chance of a test
import signal
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import attrs
from twisted.internet.endpoints import serverFromString
from twisted.internet.threads import deferToThread

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "processes"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "books"))

from books_town import Once
from days import Key, Room
from desk import BACK, Cells, settled
from town import HOSPITAL, LINK, Town
from wall import Wall

from adapters.store.books import BooksStore
from adapters.store.books_month import ClearingRow, MonthWriter
from adapters.store.books_writing import writing
from adapters.store.codes_orders import OrdersStore, WorkStatus
from gateway.app.books_month_work import apply, build
from gateway.app.books_shelf import SCRIPTS
from gateway.books.clearing import Facts, Input
from gateway.books.month import days_of
from gateway.core.dates import day_of
from simulators.platform import Platform
from simulators.wire import PlatformFactory
from simulators.wording import Json

T = TypeVar("T")
MONTH = "2026-02"
PLACE = {"fixmedins_code": HOSPITAL, "insutype": "310", "clr_type": "11", "clr_optins": "510800"}
CONFIG = """
[books]
day_closes = "00:00"
calendar_file = "calendar.toml"
patience_s = 5
doubt_ask_s = [0.2, 0.2]
[codes]
mdtrtarea_admvs = "510800"
recer_sys_code = "SYS"
"""
WAIT_S = 60.0
YEAR = """[year.{}]
source = "made up"
verified = false
holidays = []
working = []
"""


def remote(number: int, day: str, **cells: str) -> Cells:
    return settled(
        number, setl_time=f"{day} 09:00:00", **{**PLACE, "clr_pay_loc": "3", "prov_sn": f"A{number}", **cells}
    )


@attrs.define(eq=False)
class MonthTown:
    """One city. rows: the settlements of the first day; scope, ledgers: whose days are frozen, and of what."""

    reactor: Any
    folder: Path
    region: str
    town: Town = attrs.field(init=False)
    platform: Platform = attrs.field(init=False)
    arrived: list[Json] = attrs.Factory(list)
    scope: str = HOSPITAL
    ledgers: tuple[str, ...] = ("INST", "AGY")
    more: str = ""  # of the configuration
    wall: Wall = attrs.field(factory=Wall)
    knows_its_years: bool = True  # its calendar of working days
    _port: Any = None

    async def open(self, rows: list[Cells]) -> None:
        self.platform = Platform(
            attrs.evolve(self.wall, reactor=self.reactor),
            random.Random(1),
            persons=10,
            diary=lambda at_s, request: self.arrived.append(request),
        )
        self._port = await serverFromString(self.reactor, "tcp:0:interface=127.0.0.1").listen(
            PlatformFactory(self.platform, self.reactor)
        )
        link = f'region = "{self.region}"\n{LINK}'
        self.town = Town(self.folder, link=link, platform_port=self._port.getHost().port, ahead_s=self.wall.ahead_s)
        config = self.town.write_config()
        config.write_text(config.read_text("utf-8") + CONFIG + self.more, "utf-8")
        first = int(day_of(self.wall.seconds())[:4]) if self.knows_its_years else 2001
        years = "".join(YEAR.format(first + more) for more in range(2))
        (self.folder / "calendar.toml").write_text(years, "utf-8")
        await deferToThread(self._freeze, rows)
        await deferToThread(self.town.start_gateway)

    async def close(self) -> None:
        await deferToThread(self.town.close)
        await self._port.stopListening()

    async def kill(self) -> None:
        gateway = self.town.running[-1]
        gateway.send_signal(signal.SIGKILL)
        await deferToThread(gateway.wait)

    async def start(self) -> None:
        await deferToThread(self.town.start_gateway)

    @property
    def store(self) -> Path:
        return self.folder / "node" / "liangding-books.sqlite"

    def _freeze(self, rows: list[Cells]) -> None:
        with writing(self.store, SCRIPTS) as connection:
            connection.execute("PRAGMA synchronous = OFF")  # it is made once and thrown away
            room = Room(self.folder / "node", connection)
            for at, day in enumerate(days_of(MONTH)):
                some = rows if at == 0 else []
                room.ran(room.hand_in(dict.fromkeys(self.ledgers, some), day, self.scope), day, self.scope)
                row = room.freeze(day, self.scope)
                for party, who in (("INST", "zhou"), ("AGY", "li")):
                    connection.execute(
                        "INSERT INTO freeze_consent VALUES (?,?,'operator',?,'01',1)", (row.id, party, who)
                    )

    def work(self, call: Callable[[MonthWriter], T]) -> T:
        with closing(BooksStore.open(self.store, SCRIPTS)) as store:
            return call(MonthWriter(store.connection))

    def approved(self) -> int:
        """Build the month's one application and bring it to APPROVED; return its number."""

        def call(writer: MonthWriter) -> int:
            [row] = build(writer, ("care", self.scope, MONTH), "qian", 1).applications
            row = apply(writer, row, Input.CHECK, Facts(), "qian", 2)
            facts = Facts(maker="qian", checker="sun", approved=True)
            return apply(writer, row, Input.APPROVE, facts, "sun", 3).id

        return self.work(call)

    def row(self, number: int) -> ClearingRow:
        row = self.work(lambda writer: writer.one(number))
        assert row is not None
        return row

    async def order(self, kind: str, **arguments: object) -> WorkStatus:
        """Have the node do something; return its end."""

        def call() -> WorkStatus:
            with closing(BooksStore.open(self.store, SCRIPTS)) as store:
                orders = OrdersStore(store.connection)
                number = orders.place(kind, HOSPITAL, MONTH, arguments, "qian", 1)
                return self._end(orders, number)

        return await deferToThread(call)

    async def place(self, kind: str, **arguments: object) -> int:
        with closing(BooksStore.open(self.store, SCRIPTS)) as store:
            return OrdersStore(store.connection).place(kind, HOSPITAL, MONTH, arguments, "qian", 1)

    async def end(self, number: int) -> WorkStatus:
        def call() -> WorkStatus:
            with closing(BooksStore.open(self.store, SCRIPTS)) as store:
                return self._end(OrdersStore(store.connection), number)

        return await deferToThread(call)

    @staticmethod
    def _end(orders: OrdersStore, number: int) -> WorkStatus:
        until = time.monotonic() + WAIT_S
        while time.monotonic() < until:
            status = orders.status(number)
            assert status is not None
            if status.outcome:
                return status
            time.sleep(0.05)
        raise AssertionError(status)

    def count(self, infno: str) -> int:
        return sum(one["infno"] == infno for one in self.arrived)


__all__ = ["BACK", "HOSPITAL", "MONTH", "Cells", "Key", "MonthTown", "Once", "Room", "remote"]
