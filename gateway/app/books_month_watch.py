"""What of the months' clearing nobody may forget: payments and appeals past their working days, applications in doubt,
platforms that have cleared what the institution has not confirmed.

Looked at every five minutes on the orders' thread: gauges count them, an alarm names each once in a node's life.
Source: reconciliation §7.1, §7.2; 003 7.4.2.7, 004 row 19.
"""

from collections.abc import Callable, Iterator

import attrs

from adapters.store.books import BooksStore
from adapters.store.books_appeal import AppealStore
from adapters.store.books_month import ClearingRow, MonthReader
from adapters.store.books_upload import UploadStore
from gateway.app.books_month_desk import appeal_until, standing
from gateway.app.books_region import profile_of
from gateway.app.codes_orders import CodesOrders
from gateway.app.config import Config
from gateway.books.clearing import Input, State, unconfirmed
from gateway.books.deductions import NOTIFIED
from gateway.books.freezing import CITY
from gateway.books.workdays import CalendarError
from gateway.core.dates import day_of
from gateway.core.ports import Clock, Watch

LOOK_S = 300.0
DOUBT_MS = 300_000  # a lost answer that is being asked for is nobody's matter yet
PAYMENT, APPEAL, DOUBT, CALENDAR, UNCONFIRMED = "payment", "appeal", "doubt", "calendar", "unconfirmed"
WHATS = (PAYMENT, APPEAL, DOUBT, CALENDAR, UNCONFIRMED)
_UNKNOWN = (State.IN_DOUBT.value, State.SUBMITTING.value, State.WITHDRAWING.value)
_ENDED = (State.CLOSED.value, State.WITHDRAWN.value, State.RETURNED.value)


@attrs.define(eq=False)
class MonthWatch:
    """attention: what -> how many, of WHATS."""

    config: Config
    clock: Clock
    watch: Watch
    store: Callable[[], BooksStore]
    orders: CodesOrders = attrs.field(init=False)
    attention: dict[str, int] = attrs.Factory(lambda: dict.fromkeys(WHATS, 0))
    _looked_s: float = -LOOK_S
    _told: set[tuple[str, str]] = attrs.Factory(set)

    async def tick(self) -> None:
        """Look whether it is time."""
        now = self.clock.seconds()
        if not 0 <= now - self._looked_s < LOOK_S:
            self._looked_s = now
            found = await self.orders.db(lambda _: self.look(now))
            for what, institution, name in found:
                if (what, name) not in self._told:
                    self._told.add((what, name))
                    self.watch.alarm(f"clearing_{what}", institution, name)

    def look(self, now_s: float) -> list[tuple[str, str, str]]:
        """Count; return (what, institution or '', month.application) of each."""
        look, found = MonthReader(self.store().connection), []
        for row in look.unended(_ENDED):
            where = "" if row.scope == CITY else row.scope
            found += [(what, where, f"{row.month}.{row.id}") for what in self._of(look, row, now_s)]
        doubtful = [
            (one.changed_ms, f"{one.month}.upload{one.revision}") for one in UploadStore(look.connection).unended()
        ]
        doubtful += [(one.sent_ms, f"{one.clearing}.{one.kind}") for one in AppealStore(look.connection).unended()]
        found += [(DOUBT, "", name) for since_ms, name in doubtful if now_s * 1000 - since_ms >= DOUBT_MS]
        self.attention = {what: sum(one[0] == what for one in found) for what in WHATS}
        return found

    def _of(self, look: MonthReader, row: ClearingRow, now_s: float) -> Iterator[str]:
        today = day_of(now_s)
        if row.state in _UNKNOWN and now_s * 1000 - row.changed_ms >= DOUBT_MS:
            yield DOUBT
        word = profile_of(self.config, row.scope).clr_stas.get(str(row.clr_stas), "")
        if word and unconfirmed(State(row.state), Input(word)):
            yield UNCONFIRMED
        try:
            if standing(self.config, look, row, today).overdue:
                yield PAYMENT
            for one in look.deductions(row.id):
                if one.state == NOTIFIED and today > appeal_until(self.config, row, one):
                    yield APPEAL
        except CalendarError:  # the year is not in the calendar: nothing can be said about deadlines
            yield CALENDAR
