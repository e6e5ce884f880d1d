"""A platform in this process, a gateway in its own, and two institutions that keep their own books: real sockets, real
stores, the commands as people give them.
"""

import csv
import http.client
import json
import random  # noqa: TID251  # chance of a test
import signal
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
from twisted.internet.endpoints import serverFromString
from twisted.internet.threads import deferToThread

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "processes"))

from forked import command
from real_processes import fetch
from tills import PERSONS, Payment, Till, import_mappings, prepared
from town import HOSPITAL, PHARMACY, Town
from wall import Wall

from adapters.store.books import BooksStore
from adapters.store.books_cases import Action, BooksCases
from adapters.store.codes_orders import OrdersStore
from gateway.app.books_shelf import SCRIPTS
from gateway.core.dates import day_of
from gateway.core.ledgers import COMPONENTS
from simulators.faults import Fault
from simulators.his import Answer
from simulators.platform import Platform
from simulators.province import Province
from simulators.wire import PlatformFactory
from simulators.wording import Json

COLUMNS = (
    "fixmedins_code", "setl_id", "mdtrt_id", "psn_no", "msgid", "direction", "insutype", "clr_type", "setl_time",
    *COMPONENTS,
)  # fmt: skip
SECRET = b"not much of a secret"
BOOKS = """
[books]
day_closes = "00:00"
patience_s = 20
reverse_wait_s = 20
"""


class Once:
    """A Weather: what happens to the first messages of a transaction."""

    def __init__(self, infno: str, fault: Fault, times: int = 1) -> None:
        self.infno, self.fault, self.left = infno, fault, times

    def __call__(self, infno: str, msgid: str) -> Fault | None:
        if infno != self.infno or not self.left:
            return None
        self.left -= 1
        return self.fault


@attrs.define(eq=False)
class BooksTown:
    """One city. ledgers: what each institution booked, by setl_id; arrived: every envelope the platform worked on."""

    reactor: Any
    folder: Path
    wall: Wall = attrs.field(init=False)
    town: Town = attrs.field(init=False)
    platform: Platform = attrs.field(init=False)
    arrived: list[Json] = attrs.Factory(list)
    ledgers: dict[str, dict[str, dict[str, str]]] = attrs.Factory(dict)
    province: Province = attrs.field(init=False)
    _port: Any = None
    _province_port: Any = None

    async def open(self, books: str = BOOKS, with_province: bool = False) -> None:
        self.wall = Wall(reactor=self.reactor)
        self.platform = Platform(
            self.wall, random.Random(1), persons=PERSONS, diary=lambda at_s, request: self.arrived.append(request)
        )
        self._port = await serverFromString(self.reactor, "tcp:0:interface=127.0.0.1").listen(
            PlatformFactory(self.platform, self.reactor)
        )
        if with_province:
            books += await self._province()
        self.town = Town(self.folder, platform_port=self._port.getHost().port, ahead_s=self.wall.ahead_s)
        config = self.town.write_config()
        config.write_text(config.read_text("utf-8") + books, "utf-8")
        await deferToThread(import_mappings, self.town)
        await self.start_gateway()

    async def _province(self) -> str:
        """Open a province; return what a gateway's configuration says of it."""
        self.province = Province(self.wall, random.Random(2), accounts={"510800": SECRET})
        endpoint = serverFromString(self.reactor, "tcp:0:interface=127.0.0.1")
        self._province_port = await endpoint.listen(PlatformFactory(self.province, self.reactor))
        file = self.folder / "province.secret"
        file.write_bytes(SECRET)
        file.chmod(0o600)
        url = f"http://127.0.0.1:{self._province_port.getHost().port}"
        return f'[province]\nurl = "{url}"\naccount = "510800"\nsecret_file = "province.secret"\nagain_s = 0\n'

    async def start_gateway(self) -> None:
        await deferToThread(self.town.start_gateway)

    async def kill_gateway(self) -> None:
        gateway = self.town.running[-1]
        gateway.send_signal(signal.SIGKILL)
        await deferToThread(gateway.wait)

    async def close(self) -> None:
        await deferToThread(self.town.close)
        await self._port.stopListening()
        if self._province_port is not None:
            await self._province_port.stopListening()

    @property
    def today(self) -> str:
        return day_of(self.wall.seconds())

    # --- what institutions do ------------------------------------------------------------------------

    async def bills(self, how_many: int) -> list[Payment]:
        return await deferToThread(prepared, self.town, random.Random(7), how_many)

    async def pay(self, bills: list[Payment]) -> list[Answer]:
        """Send every bill once; what succeeded is in the institution's ledger."""

        def work() -> list[Answer]:
            with closing(Till(self.town.port)) as till:
                return [till.post(bill.path, bill.tries[-1].body) for bill in bills]

        answers = await deferToThread(work)
        for bill, answer in zip(bills, answers, strict=True):
            if answer.done:
                self.book(bill, answer)
        return answers

    def book(self, bill: Payment, answer: Answer) -> None:
        info = {name: str(value) for name, value in answer.output["setlinfo"].items() if value is not None}
        envelope = json.loads(bill.tries[-1].body)
        row = {name: info[name] for name in COLUMNS if name in info}
        code = envelope["fixmedins_code"]
        row |= {"fixmedins_code": code, "msgid": envelope["msgid"], "direction": "0"}
        self.ledgers.setdefault(code, {})[row["setl_id"]] = row

    def file(self, code: str, rows: list[dict[str, str]] | None = None) -> tuple[Path, dict[str, str]]:
        """Write an institution's day file; return it and its end-of-day marker."""
        rows = list(self.ledgers.get(code, {}).values()) if rows is None else rows
        path = self.folder / f"{code}.csv"
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, COLUMNS, restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        fen = sum(int(row["medfee_sumamt"].replace(".", "")) for row in rows)
        sign = "-" if fen < 0 else ""
        return path, {"rows": str(len(rows)), "medfee": f"{sign}{abs(fen) // 100}.{abs(fen) % 100:02d}"}

    async def hand_in(self, *codes: str, marked: bool = True) -> None:
        for code in codes or (HOSPITAL, PHARMACY):
            path, marker = self.file(code)
            words = ["hand-in", code, str(path), "--date", self.today]
            words += ["--rows", marker["rows"], "--medfee", marker["medfee"]] if marked else []
            await self.books(*words, code=0 if marked else 3)

    # --- commands ------------------------------------------------------------------------------------

    async def books(self, verb: str, *words: str, code: int | None = 0) -> Any:
        """Run `liangding books VERB CONFIG WORDS --json` in a process of its own; return its object."""

        words = ("books", verb, str(self.town.config), *words, "--json")
        done = await deferToThread(command, "gateway", *words, ahead_s=self.wall.ahead_s)
        assert code is None or done.returncode == code, (done.returncode, done.stdout, done.stderr, self.log())
        return json.loads(done.stdout)

    async def day(self, code: int | None = None) -> Any:
        return await self.books("day", "--date", self.today, code=code)

    async def ordered(self, kind: str, arguments: dict[str, object]) -> dict[str, Any]:
        """Place an order as the schedule does; return how it ended."""

        def work() -> dict[str, Any]:
            with closing(BooksStore.open(self.folder / "node" / "liangding-books.sqlite", SCRIPTS)) as store:
                orders = OrdersStore(store.connection)
                number = orders.place(kind, "", str(arguments["date"]), arguments, "schedule", 1)

                def ended() -> bool:
                    status = orders.status(number)
                    return status is not None and bool(status.outcome)

                self.town.wait_until(ended, 60.0)
                return attrs.asdict(orders.status(number))  # type: ignore[arg-type]

        return await deferToThread(work)

    async def command(self, *words: str, code: int = 0) -> str:
        return await deferToThread(self.town.tool, "gateway", *words, code=code)

    async def fetch(self, path: str) -> tuple[int, bytes]:
        return await deferToThread(fetch, f"http://127.0.0.1:{self.town.port}{path}")

    def log(self) -> str:
        return "\n".join(
            file.read_text("utf-8", "replace")[-1500:] for file in sorted(self.folder.glob("gateway-*.log"))
        )

    def count(self, infno: str) -> int:
        return sum(one["infno"] == infno for one in self.arrived)

    def standing(self) -> set[str]:
        """The msgids of what stands on the platform's books."""
        return {row.msgid for row in self.platform.books.settlements.values() if not row.reversed}

    async def until_quiet(self) -> None:
        """Wait until the gateway has ended every doubt."""
        quiet = lambda: not self.town.metric("liangding_in_doubt") and not self.town.metric("liangding_saf_depth")  # noqa: E731
        await deferToThread(self.town.wait_until, quiet, 30.0)

    def actions(self) -> list[Action]:
        store = BooksStore.open(self.folder / "node" / "liangding-books.sqlite", SCRIPTS)
        found = BooksCases(store.connection).actions(("PLANNED", "SENT", "IN_DOUBT", "DONE", "FAILED"))
        store.close()
        return found

    async def post(
        self, institution: str, marker: dict[str, str], code: str = "", body: bytes | None = None
    ) -> tuple[int, Any]:
        """Hand a day's file in over HTTP."""
        content = self.file(institution)[0].read_bytes() if body is None else body
        query = f"rows={marker['rows']}&medfee_sumamt={marker['medfee']}"
        path = f"/api/v1/books/{code or institution}/{self.today}?{query}"

        def work() -> tuple[int, Any]:
            with closing(http.client.HTTPConnection("127.0.0.1", self.town.port, timeout=30)) as wire:
                wire.request("POST", path, content, {"Content-Type": "text/csv"})
                answer = wire.getresponse()
                return answer.status, json.loads(answer.read())

        found: tuple[int, Any] = await deferToThread(work)
        return found
