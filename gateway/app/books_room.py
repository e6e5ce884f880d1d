"""The books in a running node: the day files at the door, the orders of commands and of the schedule (annex X35)."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import attrs

from adapters.store.books import BooksStore
from adapters.store.fair_threads import FairThreads
from adapters.store.writer import WriterThread
from adapters.transport.client import LinkPool
from adapters.transport.tls import ClientTlsContext
from gateway.app.assemble import Room
from gateway.app.books_desk import BooksDesk
from gateway.app.books_door import BooksDoor
from gateway.app.books_shelf import SCRIPTS
from gateway.app.books_trail import BooksCarrier
from gateway.app.config import Config
from gateway.app.province import Province, make_province
from gateway.app.rounds import Rounds
from gateway.core.ports import Clock, Watch
from gateway.exchange.errands import Errands
from gateway.exchange.ordered import Ordered
from monitoring.logs import Log
from monitoring.metrics import Metrics, Reading

DOOR_THREADS = 4  # institutions whose day files are checked at once


@attrs.define(eq=False, kw_only=True)
class BooksRoom:
    """Everything of the books that runs in a node. Made after the exchange; `start` begins."""

    reactor: Any
    clock: Clock
    config: Config
    room: Room
    pools: Mapping[str, LinkPool]
    errands: Errands
    watch: Watch
    owner: str
    metrics: Metrics
    log: Log
    entropy: Callable[[int], bytes]
    desk: BooksDesk = attrs.field(init=False)
    door: BooksDoor = attrs.field(init=False)
    _trail: BooksCarrier = attrs.field(init=False)
    _province: Province | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        BooksStore.open(self.config.room("books"), SCRIPTS).close()
        helper = WriterThread(self.reactor.callFromThread, "province")
        self._province = make_province(
            self.config, reactor=self.reactor, clock=self.clock, helper=helper, entropy=self.entropy,
            report=partial(self.log.failure, "province_failed"),
        )  # fmt: skip
        self.desk = BooksDesk(
            reactor=self.reactor, clock=self.clock, config=self.config, institutions=self.room.door.institutions,
            files={name: self.pools[f"{name}_files"] for name in self.room.links},
            crowded=lambda name: self.pools[name].waiting > 0, errands=self.errands,
            ordered=Ordered(self.room.office), watch=self.watch, owner=self.owner,
            report=partial(self.log.failure, "books_order_failed"),
            province=None if self._province is None else self._province.port,
        )  # fmt: skip
        self._trail = BooksCarrier(
            config=self.config, reactor=self.reactor, clock=self.clock, entropy=self.entropy, watch=self.watch,
            report=partial(self.log.failure, "books_trail_failed"),
        )  # fmt: skip
        threads = FairThreads(self.reactor.callFromThread, "books-door", DOOR_THREADS).run
        self.door = BooksDoor(self.config, self.clock, threads, partial(self.log.failure, "book_not_taken"))
        self.metrics.watch(
            "liangding_reconciliation_differences",
            self._differences,
        )
        self.metrics.watch("liangding_clearing_attention", self._clearing)

    def start(self, rounds: Rounds) -> None:
        """Take orders from now on. rounds: of the node."""
        self.desk.start()
        self._trail.start(rounds)

    async def stop(self) -> None:
        """End a run and let its order go; then let go of the province."""
        await self.desk.stop()
        await self._trail.stop()
        if self._province is not None:
            await self._province.close()

    @property
    def tls(self) -> ClientTlsContext | None:
        """The certificates towards the province, to be read again with the others."""
        return None if self._province is None else self._province.tls

    def _clearing(self) -> Reading:
        return {what: float(count) for what, count in self.desk.months.attention.items()}

    def _differences(self) -> Reading:
        found: dict[tuple[str, ...], float] = {}
        for key, count in self.desk.open_differences.items():
            found[key] = float(count)
        return found
