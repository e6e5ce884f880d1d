"""Orders the node gives itself: libraries and comparisons by the clock, files by the inbox."""

from pathlib import Path

import attrs

from gateway.app.codes_files import code_systems
from gateway.app.codes_orders import Books, CodesOrders
from gateway.app.config import Config
from gateway.codes.inbox import named
from gateway.codes.schedule import due
from gateway.codes.uploads import LIST_TYPES_OF
from gateway.core.ports import Clock

SCHEDULE_S = 20.0
SCHEDULE, INBOX = "schedule", "inbox"
ANY_TIME = 1 << 62


@attrs.define(eq=False)
class Daily:
    """Gives the orders of the schedule and of the inbox. jitter_s: drawn once a start."""

    config: Config
    clock: Clock
    jitter_s: float
    infnos: tuple[str, ...]
    inbox: Path
    place: tuple[str, str] | None
    desk: CodesOrders = attrs.field(init=False)
    _looked_s: float = 0.0
    _boxed_s: float = 0.0
    _sizes: dict[str, tuple[int, int]] = attrs.Factory(dict)  # what lay in the inbox at the last look
    _ordered: dict[str, tuple[int, int]] = attrs.Factory(dict)  # what was ordered since the start

    async def tick(self) -> None:
        now = self.clock.seconds()
        if abs(now - self._looked_s) >= SCHEDULE_S:
            self._looked_s = now
            await self.desk.db(lambda books: self._schedule(books, now))
        if self.config.codes.inbox_s and abs(now - self._boxed_s) >= self.config.codes.inbox_s:
            self._boxed_s = now
            await self.desk.db(lambda books: self._look_into(books, now))

    def _schedule(self, books: Books, now: float) -> None:
        """Place today's orders when their time has come. On the orders' thread."""
        settings, now_ms = self.config.codes, int(now * 1000)
        if self.place is not None and self.infnos and self._due(books, "fetch", settings.poll, now):
            arguments: dict[str, object] = {"infnos": list(self.infnos)}
            books.orders.place("fetch", self.place[1], "", arguments, SCHEDULE, now_ms)
        if self._due(books, "compare", settings.compare, now):
            for one in self.config.institution:
                for system in LIST_TYPES_OF:
                    if books.uploads.held(one.fixmedins_code, system):
                        books.orders.place("compare", one.fixmedins_code, system, {}, SCHEDULE, now_ms)

    def _due(self, books: Books, kind: str, at: str, now: float) -> bool:
        last = books.orders.newest(1, kind, SCHEDULE)
        return due(at, self.jitter_s, now, last[0].order.created_ms / 1000 if last else 0.0)

    def _look_into(self, books: Books, now: float) -> None:
        """Place an order for every file of the inbox that did not change since the last look."""
        if self.place is None:
            return
        self.inbox.mkdir(mode=0o700, parents=True, exist_ok=True)
        waiting = {str(one.arguments.get("file")) for one in books.orders.waiting(ANY_TIME) if one.kind == "receive"}
        found: dict[str, tuple[int, int]] = {}
        for path in sorted(self.inbox.iterdir()):
            if not path.is_file() or path.name.startswith(".") or path.is_symlink():
                continue
            facts = path.stat()
            found[path.name] = (facts.st_size, facts.st_mtime_ns)
            what = named(path.name, code_systems().keys())
            if what is None or path.name in waiting or self._sizes.get(path.name) != found[path.name]:
                continue
            if self._ordered.get(path.name) == found[path.name]:
                continue  # its order ended and the file still lies here: once a start is enough
            self._ordered[path.name] = found[path.name]
            arguments: dict[str, object] = {"file": path.name, "system": what[0], "ver": what[1]}
            books.orders.place("receive", self.place[1], what[0], arguments, INBOX, int(now * 1000))
        self._sizes = found
