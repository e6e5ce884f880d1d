"""One gateway process in a city: the production exchange, with a road to the platform, a disk and counters of its own.

Nothing of it survives its end but what the disk holds; whatever its code still does afterwards reaches nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from adapters.store.memory import OwnedJournal
from gateway.app.assemble import Room, assemble_exchange, make_institution, make_link
from gateway.app.config import BreakerConfig, InstitutionConfig
from gateway.app.config import Platform as LinkConfig
from gateway.core.model import OpResult, StoreBroken, StoreFull
from gateway.core.ports import Listener
from gateway.exchange.recovery import recover
from simulators.platform import Reply
from simulators.steps import LifeClock
from simulators.witness import named
from simulators.wording import read_object

if TYPE_CHECKING:
    from simulators.city import City

ADDRESS = "127.0.0.1"
TIMEOUT_S = 10.0
FAILURES = 8  # a breaker that never opens in so small a city would prove nothing
LISTEN_S = 120.0  # the link's quiesce_s
PATH = b"/fsi/api/call"


@attrs.define(eq=False)
class Counter:
    """One request of an institution on the road to the gateway (the Incoming port). told: status 0 = broken off."""

    city: City
    body: bytes
    told: Callable[[int, bytes], None]
    entered_s: float = 0.0
    life: Life | None = None
    up: bool = True

    @property
    def alive(self) -> bool:
        return self.up

    def respond(self, status: int, body: bytes, content_type: bytes = b"", extra: bytes = b"") -> bool:
        life = self.life
        if not self.up or life is None or not life.alive:
            return False
        if life.crashes("while answering"):
            arrived = self.city.dice.random() < 0.5
            self.hang_up(status if arrived else 0, body if arrived else b"")
            return True
        self.hang_up(status, body)
        return True

    def hang_up(self, status: int = 0, body: bytes = b"") -> None:
        """The connection is over; the institution has what came."""
        if self.up:
            self.up = False
            if self.life is not None:
                self.life.counters.pop(self, None)
            self.told(status, body)


T = TypeVar("T")


@attrs.frozen(eq=False)
class Helper:
    """The Helper port: what a thread would do, a moment later."""

    clock: LifeClock

    def run(self, call: Callable[[], T], done: Callable[[T], None], failed: Callable[[Exception], None]) -> None:
        self.clock.callLater(0.01, lambda: done(call()))


@attrs.define(eq=False)
class Life:
    """One process, from its start to its end."""

    city: City
    number: int
    store: OwnedJournal
    clock: LifeClock
    counters: dict[Counter, None] = attrs.Factory(dict)
    ended_s: float = inf
    room: Room = attrs.field(init=False)

    @property
    def alive(self) -> bool:
        return self.clock.alive

    def start(self) -> None:
        """Start on what the disk holds."""
        city = self.city
        settings = LinkConfig(
            url="http://127.0.0.1/fsi/api/call", timeout_s=TIMEOUT_S, resolve=city.resolve,
            breaker=BreakerConfig(failures=FAILURES),
        )  # fmt: skip
        link = make_link(
            "national", settings, city.compiled, Road(self), Road(self), PATH, lambda infno, now_s: b"", city.clock
        )  # a breaker counts by the clock that never jumps, as in a node
        institutions = {}
        for one in city.institutions:
            config = InstitutionConfig(
                fixmedins_code=one.code, name=one.code, link="national", allow_from=[f"{ADDRESS}/32"],
                his_may_reverse_acked=city.may_reverse,
            )  # fmt: skip
            institutions[one.code] = make_institution(config, {link.name: link})
            institutions[one.code].snapshot = city.snapshot
        self.room = assemble_exchange(
            clock=self.clock,
            institutions=institutions,
            links={"national": link},
            store=self.store,
            last_id=city.journal.last_id,
            runner=Disk(self),
            watch=city.watch,
            on_broken=lambda cause: self.end("broken disk"),
            dice=city.dice,
            helper=Helper(self.clock),
        )
        found = recover(_Recovering(self), self.room.lanes, self.room.office, self.clock.seconds())
        city.note(f"life {self.number} starts, {len(found.ops)} recovered, {len(found.queued)} on the queue")

    def end(self, where: str) -> None:
        """Kill it: connections break, nothing in memory survives."""
        if not self.alive:
            return
        self.city.note(f"life {self.number} ends: {where}")
        self.clock.alive, self.ended_s = False, self.city.clock.now_s
        for counter in list(self.counters):
            counter.hang_up()
        self.city.ended(self)

    def crashes(self, where: str) -> bool:
        """Roll the dice for the end of the process right here."""
        if not self.alive or not self.city.happens("crash"):
            return False
        self.end(where)
        return True


@attrs.frozen(eq=False)
class _Recovering:
    """The journal as a start sees it; it may die there too (I15)."""

    life: Life

    def __getattr__(self, name: str) -> Any:
        return getattr(self.life.city.journal, name)

    def commit(self, ops: list[Any]) -> list[OpResult]:
        if ops and self.life.city.happens("crash"):
            self.life.store.commit(ops[: self.life.city.dice.randrange(0, len(ops))])
            self.life.end("while recovering")
            return [None] * len(ops)
        return self.life.store.commit(ops)


@attrs.frozen(eq=False)
class Disk:
    """The Runner port: a commit takes time; it may fail; a crash comes before or after it reached the platter."""

    life: Life

    def run(
        self,
        call: Callable[[], list[OpResult]],
        done: Callable[[list[OpResult]], None],
        failed: Callable[[Exception], None],
    ) -> None:
        city, later = self.life.city, self.life.clock.callLater
        if city.happens("disk_full"):
            later(0.002, failed, StoreFull())
        elif city.happens("disk_broken"):
            if city.dice.random() < 0.5:
                later(0.001, self._silently, call)
            later(0.002, self._breaks, failed, StoreBroken("fsync"))
        else:
            slow_s = 3.0 * city.dice.random() if city.happens("slow_disk") else 0.0
            later(0.0005 + city.dice.random() * 0.004 + slow_s, self._commit, call, done, failed)

    def _breaks(self, failed: Callable[[Exception], None], cause: StoreBroken) -> None:
        failed(cause)
        if self.life.alive:
            self.life.city.witness.found.append(f"I12: life {self.life.number} goes on after a failed write")

    def _silently(self, call: Callable[[], list[OpResult]]) -> None:
        try:
            call()
        except StoreBroken:
            self.life.city.note("another gateway owns the journal")

    def _commit(
        self,
        call: Callable[[], list[OpResult]],
        done: Callable[[list[OpResult]], None],
        failed: Callable[[Exception], None],
    ) -> None:
        if self.life.crashes("before commit"):
            return
        try:
            results = call()
        except StoreBroken as cause:
            self._breaks(failed, cause)
            return
        if not self.life.crashes("after commit"):
            done(results)


@attrs.frozen(eq=False)
class Road:
    """The Exchange port: the way to the platform and back."""

    life: Life

    def send(
        self, path: bytes, headers: bytes, body: bytes, listener: Listener, timeout_s: float, late_s: float = 0.0
    ) -> None:
        life, city = self.life, self.life.city
        if not life.alive:
            return
        city.witness.leaves(life.number, body)
        if city.dark or city.happens("lost_request"):
            city.witness.back(life.number, body)
            life.clock.callLater(0.01, listener.not_sent, "connection refused")
            return
        trip = Trip(self, listener, body)
        if life.crashes("while sending") and city.dice.random() < 0.5:
            return
        held_s = city.dice.uniform(city.weather.held_s / 2, city.weather.held_s) if self._is_held(body) else 0.0
        city.clock.callLater(0.004 + held_s, self._arrive, path, body, trip)
        if city.happens("jump_under_way"):
            life.clock.callLater(5.0, life.clock.jump, city.dice.uniform(-3600, 3600))
        if city.happens("doubled_request"):
            city.clock.callLater(0.005 + 0.3 * city.dice.random(), self._again, path, body)
        trip.timer = life.clock.callLater(timeout_s, trip.deadline, late_s)

    def _is_held(self, body: bytes) -> bool:
        city = self.life.city
        if not city.happens("held"):
            return False
        message = read_object(body) or {}
        money = city.compiled.region.transactions[message["infno"]].klass in ("M", "A")
        if money:
            city.held.add(message["msgid"])
        return money

    def _again(self, path: bytes, body: bytes) -> None:
        """A box on the way sends it once more and keeps the answer."""
        city = self.life.city
        city.platform.serve(path.decode(), {}, body)
        city.witness.doubled.append(body)

    def _arrive(self, path: bytes, body: bytes, trip: Trip) -> None:
        """The platform works on it whether or not the gateway is still there to hear."""
        city = self.life.city
        reply = city.platform.serve(path.decode(), {}, body)
        city.witness.answers(body, reply)
        way_s = inf
        if reply.drop != "silent":
            slow_s = 25.0 * city.dice.random() if city.happens("slow_answer") else 0.0
            way_s = 0.02 + reply.delay_s + slow_s
            self.life.clock.callLater(way_s, trip.arrive, reply)
        if city.held and trip.msgid in city.held:
            patience, told = city.witness.patience, way_s < inf and is_success(trip.msgid, reply)
            patience.is_due(self.life, trip.msgid, city.clock.now_s + way_s, told)


def is_whole(reply: Reply) -> bool:
    return reply.drop != "reset" and reply.body_sent < 0


def is_success(msgid: str, reply: Reply) -> bool:
    """Say whether the answer, heard, is a success, and of no other message as far as it says."""
    answer = (read_object(reply.body) or {}) if is_whole(reply) else {}
    return reply.status == 200 and str(answer.get("infcode")) == "0" and named(answer) in ("", msgid)


@attrs.define(eq=False)
class Trip:
    """One request on the road."""

    road: Road
    listener: Listener
    body: bytes
    timer: Any = None
    over: bool = False
    was_silent: bool = False
    listens_until_s: float = 0.0  # it was given up, and its answer is only listened for

    @property
    def msgid(self) -> str:
        return str((read_object(self.body) or {}).get("msgid", ""))

    def arrive(self, reply: Reply) -> None:
        if self.over:
            self._arrive_late(reply)
            return
        self._end()
        if reply.drop == "reset" or reply.body_sent >= 0:
            self.listener.lost("connection lost")
        else:
            self.listener.answered(reply.status, reply.content_type.encode(), reply.body, True)

    def deadline(self, late_s: float) -> None:
        if late_s and not self.was_silent:
            self.was_silent = True
            self.timer = self.road.life.clock.callLater(late_s, self.deadline, 0.0)
            self.listener.silent()
            return
        if self.was_silent:
            self.listens_until_s = self.road.life.city.clock.now_s + LISTEN_S
        self._end()
        self.listener.lost("no answer in time")

    def _arrive_late(self, reply: Reply) -> None:
        life = self.road.life
        patience = life.city.witness.patience
        if self.was_silent and life.city.clock.now_s > self.listens_until_s:
            patience.misses(self.msgid)
        elif is_whole(reply) and self.was_silent:
            patience.answers(life, self.msgid)
            self.listener.answered(reply.status, reply.content_type.encode(), reply.body, True)

    def _end(self) -> None:
        self.over = True
        if self.timer is not None:
            self.timer.cancel()
        self.road.life.city.witness.back(self.road.life.number, self.body)
