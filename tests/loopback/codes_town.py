"""The codes room of a node, a platform, and the sockets between them: in this process, on the real reactor."""

import csv
import itertools
import os
from collections.abc import Callable
from pathlib import Path
from random import Random  # noqa: TID251  (a seeded one)
from typing import Any

import attrs
from twisted.internet.endpoints import serverFromString
from twisted.internet.task import deferLater

from adapters.store.codes_orders import OrdersStore, WorkStatus
from adapters.store.codes_uploads import Held, UploadsStore
from adapters.transport.client import LinkPool
from adapters.transport.tls import link_endpoint
from gateway.app.assemble import compile_region, make_institution, make_link, regions_of, signer_of
from gateway.app.codes_desk import CodesDesk
from gateway.app.codes_files import SCRIPTS
from gateway.app.codes_library import import_library
from gateway.app.codes_work import import_mapping
from gateway.app.config import Config, read_config
from gateway.codes.faults import Faults
from simulators import tables
from simulators.faults import Fault
from simulators.platform import Platform
from simulators.wire import PlatformFactory
from simulators.wording import Json

HOSPITAL = "H51080200001"
SYSTEM = "service_item"
CONFIG = """
[node]
name = "n"
data_dir = "node"
[listen]
institutions = "tcp:8080:interface=127.0.0.1"
[store]
url = "sqlite:node/liangding.sqlite"
[platform.national]
url = "http://127.0.0.1:{port}/fsi/api/rsfComIfsService/callService"
timeout_s = {timeout_s}
breaker = {{failures = 1000000}}
[[institution]]
fixmedins_code = "{hospital}"
name = "示例医院"
link = "national"
allow_from = ["127.0.0.1/32"]
[codes]
mdtrtarea_admvs = "990103"
recer_sys_code = "SIM"
jitter_s = 0
doubt_ask_s = [0.01, 0.05]
patience_s = {patience_s}
upload_rows = 10
{codes}
"""


class Ears:
    """The Watch of a test: keeps the alarms."""

    def __init__(self) -> None:
        self.alarms: list[str] = []

    def alarm(self, name: str, institution: str, msgid: str) -> None:
        self.alarms.append(name)

    def platform(self, link: str, seconds: float) -> None:
        """Of no interest here."""


@attrs.define(eq=False)
class CodesTown:
    """One platform and one codes desk; `arrived`: every envelope the platform worked on."""

    reactor: Any
    folder: Path
    platform: Platform = attrs.field(init=False)
    arrived: list[Json] = attrs.Factory(list)
    ears: Ears = attrs.Factory(Ears)
    heads: dict[str, dict[str, str]] = attrs.Factory(dict)
    failures: list[Exception] = attrs.Factory(list)
    config: Config = attrs.field(init=False)
    desk: CodesDesk = attrs.field(init=False)
    crowded: bool = False
    entropy: Callable[[int], bytes] = os.urandom
    pools: list[LinkPool] = attrs.Factory(list)
    _port: Any = None
    _owners: Any = attrs.Factory(lambda: itertools.count(1))

    async def open(
        self, codes: str = "", require_sign_in: bool = False, timeout_s: float = 20.0, patience_s: float = 60.0
    ) -> None:
        """Open the platform and a desk. codes: more settings of [codes]. The times are long, for a busy machine must
        not make doubts of its own; a test about silence takes shorter ones.
        """
        self.platform = Platform(
            self.reactor,
            Random(1),
            require_sign_in=require_sign_in,
            diary=lambda at_s, request: self.arrived.append(request),
        )
        factory = PlatformFactory(self.platform, self.reactor)
        self._port = await serverFromString(self.reactor, "tcp:0:interface=127.0.0.1").listen(factory)
        file = self.folder / "gateway.toml"
        port = self._port.getHost().port
        facts = {"port": port, "hospital": HOSPITAL, "codes": codes, "timeout_s": timeout_s, "patience_s": patience_s}
        file.write_text(CONFIG.format(**facts), "utf-8")
        self.config = read_config(file)
        self.open_desk()

    def open_desk(self) -> None:
        """Begin a desk's life, as a start of the node does."""
        settings = self.config.platform["national"]
        endpoint, host, path = link_endpoint(self.reactor, settings.url, None)
        pool, files = LinkPool(self.reactor, endpoint, host), LinkPool(self.reactor, endpoint, host)
        self.pools += [pool, files]
        signer = signer_of(self.config, settings, lambda file: b"", lambda: "nonce")
        region = compile_region(regions_of(self.config)["national"])
        link = make_link("national", settings, region, pool, files, path, signer, self.reactor)
        self.desk = CodesDesk(
            reactor=self.reactor,
            clock=self.reactor,
            dice=Random(2),
            entropy=self.entropy,
            config=self.config,
            institutions={
                one.fixmedins_code: make_institution(one, {one.link: link}) for one in self.config.institution
            },
            links={"national": link},
            files={"national": files},
            crowded=lambda name: self.crowded,
            heads=self.heads,
            learn=lambda code, head: self.heads.__setitem__(code, dict(head)),
            watch=self.ears,  # type: ignore[arg-type]
            owner=f"start-{next(self._owners)}",
            report=self.failures.append,
        )
        self.desk.orders.start()

    async def close(self) -> None:
        await self.desk.stop()
        for pool in self.pools:
            for one in list(pool._links):  # a platform that never answers would keep us waiting
                one.abandon()
            await pool.close()
        await self._port.stopListening()
        assert not self.failures, self.failures

    # --- what people do ------------------------------------------------------------------------------

    @property
    def store(self) -> Path:
        return self.config.room("codes")

    def library(self, system: str = SYSTEM) -> None:
        """Import a national library from the sample tables."""
        stem, _ = tables.CODE_COLUMN[system]
        done = import_library(self.store, system, tables.DATA / f"{stem}.csv", "", 1.8e9, "op", lambda _: None)
        assert not isinstance(done, Faults), done.kept

    def mapping(self, *rows: tuple[str, ...], system: str = SYSTEM) -> None:
        """Bring rows (local, national[, from, to]) into force."""
        file = self.folder / "mapping.csv"
        with file.open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([("local_code", "national_code", "valid_from", "valid_to")])
            csv.writer(stream).writerows([(*row, "", "", "")[:4] for row in rows])
        now = float(self.reactor.seconds())
        done = import_mapping(self.store, HOSPITAL, system, file, "maker", "reviewer", now, lambda _: None)
        assert not isinstance(done, Faults) and done.approval is not None and not done.approval.refused

    def order(self, kind: str, system: str = SYSTEM, **arguments: object) -> int:
        """Write an order as a command does."""
        orders = OrdersStore.open(self.store, SCRIPTS)
        number = orders.place(kind, HOSPITAL, system, arguments, "tester", int(self.reactor.seconds() * 1000))
        orders.close()
        return number

    async def done(self, kind: str, system: str = SYSTEM, **arguments: object) -> WorkStatus:
        """Order something and return how it ended."""
        return await self.ended(self.order(kind, system, **arguments))

    async def ended(self, number: int) -> WorkStatus:
        orders = OrdersStore.open(self.store, SCRIPTS)
        try:
            while True:
                status = orders.status(number)
                assert status is not None
                if status.outcome:
                    return status
                assert not self.failures, self.failures
                await deferLater(self.reactor, 0.02)
        finally:
            orders.close()

    async def until(self, true: Callable[[], bool]) -> None:
        while not true():
            await deferLater(self.reactor, 0.01)

    # --- what can be seen ----------------------------------------------------------------------------

    def held(self, system: str = SYSTEM) -> list[Held]:
        orders = OrdersStore.open(self.store, SCRIPTS)
        found = UploadsStore(orders.connection).held(HOSPITAL, system)
        orders.close()
        return found

    def states(self) -> dict[str, str]:
        return {f"{row.local}>{row.national}": row.state for row in self.held()}

    def sent(self, infno: str) -> list[Json]:
        """The rows of every message of a transaction the platform worked on, in order."""
        nodes = [one["input"]["data"] for one in self.arrived if one["infno"] == infno]
        return [row for node in nodes for row in (node if isinstance(node, list) else [node])]

    def at_platform(self) -> dict[str, str]:
        return {key[1]: key[3] for key in self.platform.books.mapped}


def items(count: int, first: int = 0) -> list[tuple[str, str]]:
    """Local codes of ours, each with a national service item that is usable today."""
    usable = [row for row in tables.rows("national_services") if row["vali_flag"] == "1" and not row["enddate"]]
    return [(f"L{first + number:03}", row["med_list_codg"]) for number, row in enumerate(usable[first : first + count])]


class Nth:
    """A Weather: what happens to the n-th message of a transaction, counted from 1."""

    def __init__(self, infno: str, *numbers: int, fault: Fault) -> None:
        self.infno, self.numbers, self.fault, self.seen = infno, numbers, fault, 0

    def __call__(self, infno: str, msgid: str) -> Fault | None:
        if infno != self.infno:
            return None
        self.seen += 1
        return self.fault if not self.numbers or self.seen in self.numbers else None
