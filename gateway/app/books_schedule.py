"""When the books run by themselves: at the configured times of day for the day before, again while it is open, and for
the day of a file that came late (reconciliation specification §4.3).
"""

from collections.abc import Callable
from datetime import timedelta

import attrs

from adapters.store.books import BooksStore
from adapters.store.codes_orders import OrdersStore
from gateway.app.codes_orders import CodesOrders
from gateway.app.config import Config
from gateway.core.dates import shanghai
from gateway.core.ports import Clock, Watch

CLOSED = ("AGREED", "AGREED_WITH_CARRY", "FROZEN")
WHO, KIND = "schedule", "day"
NEWEST = 1_000


@attrs.define(eq=False)
class Schedule:
    """Places orders in the room's own file. On the reactor's thread; the store is used on the orders'."""

    config: Config
    clock: Clock
    watch: Watch
    store: Callable[[], BooksStore]
    orders: CodesOrders = attrs.field(init=False)
    _looked_s: float = 0.0
    _told: set[str] = attrs.Factory(set)

    async def tick(self) -> None:
        """Look whether something is due."""
        now = self.clock.seconds()
        if not self.config.books.run_at or 0 <= now - self._looked_s < self.config.books.look_s:
            return
        first, self._looked_s = self._looked_s == 0.0, now
        await self.orders.db(lambda _: self._look(now, first))

    def _look(self, now: float, first: bool) -> None:
        store, moment = self.store(), shanghai(now)
        orders = OrdersStore(store.connection)
        today = moment.date()
        oldest = (today - timedelta(days=self.config.books.escalate_days)).isoformat()
        yesterday = (today - timedelta(days=1)).isoformat()
        days = {one.biz_date: one for one in store.days(oldest, yesterday, "care") if one.scope == "*"}
        times = sorted(one for one in self.config.books.run_at if one <= f"{moment:%H:%M}")
        for number in range(1, self.config.books.escalate_days + 1):
            day = (today - timedelta(days=number)).isoformat()
            known = days.get(day)
            late_ms = self._late(store, day)
            if known is not None and (known.state == "FROZEN" or (known.state in CLOSED and not late_ms)):
                continue
            due = times and (known is not None or number == 1)
            ordered_ms = self._ordered_ms(orders, day)
            # A file is reason for one order: where that failed, the next is at its time of day.
            if (due and not _tried(ordered_ms, f"{today} {times[-1]}")) or ordered_ms < late_ms:
                self._place(orders, day, now)
        self._escalate(store, oldest)

    def _ordered_ms(self, orders: OrdersStore, day: str) -> int:
        """When the schedule ordered the day last, 0 = never."""
        return max(
            (one.order.created_ms for one in orders.newest(NEWEST, KIND, WHO) if one.order.system == day), default=0
        )

    def _late(self, store: BooksStore, day: str) -> int:
        """When the newest file of the day came (ms), 0 unless that was after its last run."""
        run = store.last_run("care", day)
        came = max((one.at_ms for one in store.inputs(day) if one.who not in ("node",)), default=0)
        return came if run is not None and came > run.at_ms else 0

    def _place(self, orders: OrdersStore, day: str, now: float) -> None:
        if all(one.system != day for one in orders.waiting(int(now * 1000) + 10**9)):
            orders.place(KIND, "", day, {"date": day, "role": "care"}, WHO, int(now * 1000))

    def _escalate(self, store: BooksStore, oldest: str) -> None:
        """T+3: say once in a node's life that a day is still open."""
        for one in store.days("0000-00-00", oldest, "care"):
            if one.scope == "*" and one.state not in CLOSED and one.biz_date not in self._told:
                self._told.add(one.biz_date)
                self.watch.alarm("books_day_open", "", one.biz_date)


def _tried(ordered_ms: int, since: str) -> bool:
    """Whether that was at or after a time of today."""
    return bool(ordered_ms) and f"{shanghai(ordered_ms / 1000):%Y-%m-%d %H:%M}" >= since
