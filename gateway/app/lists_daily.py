"""Orders about settlement lists the node gives itself: uploads and counts, results, each once a day by the clock."""

from datetime import date, timedelta

import attrs

from adapters.store.lists import reading
from gateway.app.codes_daily import SCHEDULE, SCHEDULE_S
from gateway.app.codes_orders import Books, CodesOrders
from gateway.app.config import Config
from gateway.app.lists_books import months_of, settlements, uploaded
from gateway.app.lists_comparing import COUNTS
from gateway.app.lists_desk import SCRIPTS
from gateway.app.lists_results import KIND as RESULTS
from gateway.app.lists_results import MONTHS_MAX
from gateway.app.lists_uploading import KIND as UPLOAD
from gateway.codes.schedule import due
from gateway.core.dates import day_of
from gateway.core.ports import Clock


@attrs.define(eq=False)
class ListsDaily:
    """Gives the orders of `[lists] upload` and `results`. jitter_s: drawn once a start.

    An order given today is not given again after a restart: the orders themselves say so.
    """

    config: Config
    clock: Clock
    jitter_s: float
    desk: CodesOrders = attrs.field(init=False)
    _looked_s: float = 0.0
    _idle_s: dict[tuple[str, str], float] = attrs.Factory(dict)  # when the time had come and there was nothing to do

    async def tick(self) -> None:
        now = self.clock.seconds()
        settings = self.config.lists
        if (settings.upload or settings.results) and abs(now - self._looked_s) >= SCHEDULE_S:
            self._looked_s = now
            await self.desk.db(lambda books: self._schedule(books, now))

    def _schedule(self, books: Books, now: float) -> None:
        """Place today's orders when their time has come. On the orders' thread."""
        for one in (institution.fixmedins_code for institution in self.config.institution):
            if self._due(books, UPLOAD, one, self.config.lists.upload, now):
                self._upload(books, one, now)
            if self._due(books, RESULTS, one, self.config.lists.results, now):
                months = months_of(uploaded(self.config, one), settlements(self.config, one))[:MONTHS_MAX]
                wanted: dict[str, object] = {"months": [month.replace("-", "") for month in months]}
                self._place(books, RESULTS, one, wanted if months else None, now)

    def _upload(self, books: Books, institution: str, now: float) -> None:
        with reading(self.config.room("lists"), len(SCRIPTS)) as look:
            work = look is not None and (
                bool(look.ready(institution, 0, 1))
                or bool(look.uploads(institution, "sending", "unknown"))
                or (self.config.lists.submit and bool(look.uploads(institution, "uploaded")))
            )
            lists = look is not None and look.any_list(institution)
        self._place(books, UPLOAD, institution, {} if work else None, now)
        if lists:  # in the same lane, so after it
            today = day_of(now)
            before = str(date.fromisoformat(f"{today[:7]}-01") - timedelta(days=1))
            books.orders.place(COUNTS, institution, "", {"months": [today[:7], before[:7]]}, SCHEDULE, int(now * 1000))

    def _due(self, books: Books, kind: str, institution: str, at: str, now: float) -> bool:
        if not at:
            return False
        last = books.orders.newest(1, kind, SCHEDULE, institution)
        last_s = last[0].order.created_ms / 1000 if last else 0.0
        return due(at, self.jitter_s, now, max(last_s, self._idle_s.get((kind, institution), 0.0)))

    def _place(
        self, books: Books, kind: str, institution: str, arguments: dict[str, object] | None, now: float
    ) -> None:
        if arguments is None:
            self._idle_s[kind, institution] = now
        else:
            books.orders.place(kind, institution, "", arguments, SCHEDULE, int(now * 1000))
