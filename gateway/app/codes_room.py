"""The codes room in a running node: what brings its tables into force, answers look-ups, measures coverage, and does
what commands left for a node to do (annex X35).
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from adapters.store.codes_orders import prepare
from adapters.store.codes_reader import CodesStore
from adapters.store.writer import WriterThread
from adapters.transport.client import LinkPool
from gateway.app.assemble import Room
from gateway.app.codes_desk import CodesDesk
from gateway.app.codes_files import SCRIPTS
from gateway.app.codes_serving import Libraries, serving_of
from gateway.app.config import Config
from gateway.app.coverage_round import CoverageRound
from gateway.app.facts import code_forms
from gateway.app.lists_round import ListsRound
from gateway.app.rounds import Rounds
from gateway.codes.loading import CodesWatcher
from gateway.core.catalogue import Files
from gateway.core.ports import Clock, Dice, Watch
from monitoring.logs import Log
from monitoring.metrics import Metrics

REST_S = 0.001  # of the thread that builds tables, every few rows: requests come first
LISTS_S = 300.0  # the figures of settlement lists go through all that are due
COVERAGE_S = 10.0  # how soon a mapping shows in the coverage figure; a look without changes costs two small queries


@attrs.define(eq=False, kw_only=True)
class CodesRoom:
    """Everything of the codes room that runs in a node. Made before the exchange, started after it."""

    reactor: Any
    clock: Clock
    dice: Dice
    entropy: Callable[[int], bytes]
    config: Config
    files: Files
    metrics: Metrics
    log: Log
    store: CodesStore = attrs.field(init=False)
    watcher: CodesWatcher = attrs.field(init=False)
    desk: CodesDesk = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        path = self.config.room("codes")
        prepare(path, SCRIPTS)
        self.store = CodesStore.open(path, SCRIPTS)

    def catalogue(self) -> Libraries:
        """Return what answers look-ups, on a thread of its own."""
        return Libraries(
            self.store, serving_of(self.files), self.clock, self._thread("libraries"), self._reporter("lookup_failed"),
            self.config.codes.mdtrtarea_admvs,
        )  # fmt: skip

    def load(self, swap: Callable[[Mapping[str, Any]], None], rounds: Rounds) -> None:
        """Bring the tables into force now, and what changes from now on; measure coverage as it changes."""
        self.watcher = CodesWatcher(
            self.reactor,
            read=self.store.tables,
            stamp=self.store.stamp,
            offload=self._thread("codes"),
            apply=swap,
            forms=code_forms(self.files),
            report=self._reporter("codes_not_loaded"),
            rest=lambda: time.sleep(REST_S),
        )
        self.watcher.load_now()
        self.watcher.start()
        # Measured on a thread of its own: the loader's must be free to bring mappings into force within 5 s.
        coverage = CoverageRound(
            self.clock,
            self.store,
            self.config.journal,
            self.config.institution,
            loaded=lambda: self.watcher.loaded,
            run=self._thread("coverage"),
            report=self._reporter("coverage_not_measured"),
        )
        self.metrics.watch("liangding_mapping_coverage_ratio", coverage.ratios)
        rounds.every(COVERAGE_S, coverage.look)
        lists = ListsRound(self.clock, self.config, self._thread("lists_figures"), self._reporter("lists_not_counted"))
        for name, read in lists.gauges().items():
            self.metrics.watch(name, read)
        rounds.every(LISTS_S, lists.look)

    def take_orders(self, room: Room, pools: Mapping[str, LinkPool], watch: Watch, owner: str) -> None:
        """Make ready what does the commands' orders; `desk.orders.start()` begins. owner: drawn anew at every start."""
        office = room.office
        self.desk = desk = CodesDesk(
            reactor=self.reactor,
            clock=self.clock,
            dice=self.dice,
            entropy=self.entropy,
            config=self.config,
            institutions=room.door.institutions,
            links=room.links,
            files={name: pools[f"{name}_files"] for name in room.links},
            crowded=lambda name: pools[name].waiting > 0,
            heads=office.heads,
            learn=lambda code, head: office.remember(code, head, urgent=True),
            watch=watch,
            owner=owner,
            report=self._reporter("codes_order_failed"),
        )
        self.metrics.watch("liangding_codes_upload_total", lambda: desk.tally.uploads)
        self.metrics.watch("liangding_lists_upload_total", lambda: desk.tally.lists)
        self.metrics.watch("liangding_codes_downloads_total", lambda: desk.tally.downloads)
        self.metrics.watch("liangding_codes_download_timestamp_seconds", lambda: desk.tally.current_s)

    def _thread(self, name: str) -> Any:
        return WriterThread(self.reactor.callFromThread, name).run

    def _reporter(self, event: str) -> Callable[[Exception], None]:
        return lambda cause: self.log.failure(event, cause)
