"""When the books run by themselves: at the configured times of day for the day before, again while it is open, for days
nobody ran (a node that was down), and for the day of a file that came late (reconciliation specification §4.3).
"""

from collections.abc import Callable, Mapping
from datetime import date, timedelta

import attrs

from adapters.store.books import EVERYWHERE, BooksStore
from adapters.store.books_due import BooksDue
from adapters.store.codes_orders import OrdersStore
from gateway.app.codes_orders import CodesOrders
from gateway.app.config import Config
from gateway.core.booked import DayRow
from gateway.core.dates import shanghai
from gateway.core.ports import Clock, Watch

CLOSED = ("AGREED", "AGREED_WITH_CARRY", "FROZEN")
WHO, KIND, REPORT = "schedule", "day", "day_report"
NEWEST = 1_000

# (kind, role, date) -> when the schedule ordered that last (ms).
Ordered = Mapping[tuple[str, str, str], int]


@attrs.define(eq=False)
class Schedule:
    """Places orders in the room's own file. On the reactor's thread; the store is used on the orders'."""

    config: Config
    clock: Clock
    watch: Watch
    store: Callable[[], BooksStore]
    orders: CodesOrders = attrs.field(init=False)
    _looked_s: float = 0.0
    _told: set[tuple[str, str]] = attrs.Factory(set)

    @property
    def roles(self) -> tuple[str, ...]:
        """The care locality's books always run; the insured locality's where the province has statements of them."""
        return ("care", *(("insured",) if self.config.province.url and "insured" in self.config.province.roles else ()))

    async def tick(self) -> None:
        """Look whether something is due."""
        now = self.clock.seconds()
        if 0 <= now - self._looked_s < self.config.books.look_s:
            return
        self._looked_s = now
        await self.orders.db(lambda _: self._look(now))

    def _look(self, now: float) -> None:
        store = self.store()
        today = shanghai(now).date()
        for role in self.roles:
            due = BooksDue(store.connection)
            window = _window(due.first(role), today, self.config.books.catch_up_days)
            days = {one.biz_date: one for one in store.days(window[-1], window[0], role) if one.scope == EVERYWHERE}
            if self.config.books.run_at:
                self._run(OrdersStore(store.connection), due, role, window, days, now)
            self._escalate(store, role, window, days, today)
        if self.config.books.run_at:
            self._report(store, now)

    # --- runs ---

    def _run(
        self, orders: OrdersStore, due: BooksDue, role: str, window: list[str], days: Mapping[str, DayRow], now: float
    ) -> None:
        ordered, late = _ordered(orders), due.late(role)
        passed = [f"{shanghai(now):%Y-%m-%d} {one}" for one in self._times(role) if one <= f"{shanghai(now):%H:%M}"]
        for number, day in enumerate(window, start=1):
            known = days.get(day)
            if passed and (known is None or known.state not in CLOSED) and day not in late:
                # What is open after T+3 is looked at once a day, and at the next time after people decided of it.
                often = number <= self.config.books.escalate_days or known is None
                decided = known is not None and due.decided_ms(role, day) > known.changed_ms
                if not _tried(ordered.get((KIND, role, day), 0), passed[-1] if often or decided else passed[0]):
                    self._place(orders, KIND, role, day, now)
        for day, late_ms in sorted(late.items()):
            # A file is reason for one order, whatever its day's age; where that failed, the next is at its time of day.
            at_ms = ordered.get((KIND, role, day), 0)
            again = bool(passed) and day in window and not _tried(at_ms, passed[-1])
            if at_ms < late_ms or again:
                self._place(orders, KIND, role, day, now)

    def _times(self, role: str) -> list[str]:
        """Return the times of day of a role; the insured locality's statement is there later (§4.3)."""
        times = sorted(self.config.books.run_at)
        if role == "care":
            return times
        first = self.config.books.insured_at
        return [first, *(one for one in times if one > first)]

    def _place(self, orders: OrdersStore, kind: str, role: str, day: str, now: float) -> None:
        waiting = orders.waiting(int(now * 1000) + 10**9)
        if all((one.kind, one.arguments.get("role"), one.system) != (kind, role, day) for one in waiting):
            orders.place(kind, "", day, {"date": day, "role": role}, WHO, int(now * 1000))

    # --- the report of the morning ---

    def _report(self, store: BooksStore, now: float) -> None:
        """Once a day, of yesterday: what the operators find when they come (§4.3)."""
        at, moment = self.config.books.report_at, shanghai(now)
        if not at or f"{moment:%H:%M}" < at:
            return
        orders, day = OrdersStore(store.connection), (moment.date() - timedelta(days=1)).isoformat()
        ordered = _ordered(orders)
        for role in self.roles:
            if not _tried(ordered.get((REPORT, role, day), 0), f"{moment:%Y-%m-%d} {at}"):
                self._place(orders, REPORT, role, day, now)

    # --- alarms ---

    def _escalate(
        self, store: BooksStore, role: str, window: list[str], days: Mapping[str, DayRow], today: date
    ) -> None:
        """T+3: say once in a node's life that a day is still open, or was never run."""
        oldest = (today - timedelta(days=self.config.books.escalate_days)).isoformat()
        known = [one for one in store.days("0000-00-00", oldest, role) if one.scope == EVERYWHERE]
        late = {one.biz_date for one in known if one.state not in CLOSED}
        late |= {day for day in window[1:] if day <= oldest and day not in days}
        for day in sorted(late):
            if (role, day) not in self._told:
                self._told.add((role, day))
                self.watch.alarm("books_day_open", "", day if role == "care" else f"{day} {role}")


def _window(first: str, today: date, most: int) -> list[str]:
    """Return the dates that are run by themselves, yesterday first: back to the first the books know, at most so many;
    yesterday alone before there is any."""
    days = [(today - timedelta(days=number)).isoformat() for number in range(1, most + 1)]
    return [days[0], *(day for day in days[1:] if first and day >= first)]


def _ordered(orders: OrdersStore) -> Ordered:
    found: dict[tuple[str, str, str], int] = {}
    for kind in (KIND, REPORT):
        for one in orders.newest(NEWEST, kind, WHO):
            key = (kind, str(one.order.arguments.get("role", "care")), one.order.system)
            found[key] = max(found.get(key, 0), one.order.created_ms)
    return found


def _tried(ordered_ms: int, since: str) -> bool:
    """Whether that was at or after a time of today."""
    return bool(ordered_ms) and f"{shanghai(ordered_ms / 1000):%Y-%m-%d %H:%M}" >= since
