"""A city in one process on a stepped clock: the production exchange, institutions, a platform, roads and a disk.

Same seed, same trace. Two acts: storm (answers lost, late, cut; connections gone; the gateway killed at any moment) and
calm. Afterwards the outer books are compared: what the platform booked against what the institutions believe, never the
gateway's own list. Doubt that is left is a named case; everything else must agree to the fen.
"""

import random
from collections.abc import Callable, Iterator
from functools import lru_cache

import attrs
from twisted.internet.task import Clock

from adapters.store.memory import MemoryJournal
from gateway.app.assemble import Compiled, Room, assemble_exchange, compile_region, make_institution, make_link
from gateway.app.config import InstitutionConfig
from gateway.app.config import Platform as LinkConfig
from gateway.app.facts import code_forms, read_files
from gateway.core.codes import Libraries, Row, Snapshot, build_snapshot
from gateway.core.model import OpResult, Source, StoreFull
from gateway.core.ports import Listener
from gateway.core.regions import build_region
from gateway.exchange.recovery import apply_recovery, plan_recovery
from simulators import mapping
from simulators.day import day_of
from simulators.faults import Fault
from simulators.his import Answer, GaveUp, Institution, Pause, Script, Send, answer
from simulators.hospital import Hospital
from simulators.pharmacy import Pharmacy
from simulators.platform import Platform, Reply

MORNING_S = 1_772_409_600.0  # 2026-03-02 08:00 in Shanghai
HOSPITAL, PHARMACY = "H51080200001", "P51080200101"
ADDRESS = "127.0.0.1"


@attrs.frozen(kw_only=True)
class Weather:
    """How bad the storm is: chances per event; storm_s: how long it lasts, then it is calm."""

    storm_s: float = 1800.0
    lost_request: float = 0.02
    lost_answer: float = 0.05
    cut_answer: float = 0.02
    garbled_answer: float = 0.01
    server_error: float = 0.01
    slow_answer: float = 0.05
    system_error: float = 0.01
    refusal: float = 0.01
    broken_counter: float = 0.02
    crash: float = 0.004
    disk_full: float = 0.0005


CALM = Weather(
    lost_request=0, lost_answer=0, cut_answer=0, garbled_answer=0, server_error=0, slow_answer=0, system_error=0,
    refusal=0, broken_counter=0, crash=0, disk_full=0,
)  # fmt: skip


@attrs.define(eq=False)
class _Counter:
    """One request of an institution on the road to the gateway (the Incoming port)."""

    body: bytes
    told: Callable[[int, bytes], None]
    up: bool = True

    @property
    def alive(self) -> bool:
        return self.up

    def respond(self, status: int, body: bytes, content_type: bytes = b"", extra: bytes = b"") -> bool:
        if not self.up:
            return False
        self.up = False
        self.told(status, body)
        return True

    def cut(self) -> None:
        if self.up:
            self.up = False
            self.told(0, b"")


class _Silent:
    """The Watch port for a city: counts answers by result, keeps alarms."""

    def __init__(self) -> None:
        self.results: dict[str, int] = {}
        self.alarms: list[str] = []

    def request(
        self, infno: str, klass: str, institution: str, result: str, seconds: float, msgid: str, gw_code: str
    ) -> None:
        self.results[result] = self.results.get(result, 0) + 1

    def platform(self, link: str, seconds: float) -> None: ...

    def commit(self, seconds: float, batch: int) -> None: ...

    def translation_miss(self, system: str) -> None: ...

    def unknown_value(self, dictionary: str) -> None: ...

    def alarm(self, name: str, institution: str, msgid: str) -> None:
        self.alarms.append(f"{name} {institution} {msgid}")


@attrs.define(eq=False)
class _Disk:
    """The runner port: a commit takes time; a crash loses it before or after it reached the platter."""

    city: "City"
    life: int

    def run(
        self,
        call: Callable[[], list[OpResult]],
        done: Callable[[list[OpResult]], None],
        failed: Callable[[Exception], None],
    ) -> None:
        city = self.city
        if city.happens("disk_full"):
            city.clock.callLater(0.002, self._if_alive, lambda: failed(StoreFull()))
            return
        city.clock.callLater(0.0005 + city.dice.random() * 0.004, self._if_alive, lambda: self._commit(call, done))

    def _commit(self, call: Callable[[], list[OpResult]], done: Callable[[list[OpResult]], None]) -> None:
        city = self.city
        if city.happens("crash"):
            city.crash("before commit")
            return
        results = call()
        if city.happens("crash"):
            city.crash("after commit")
            return
        done(results)

    def _if_alive(self, then: Callable[[], None]) -> None:
        if self.life == self.city.life:
            then()


@attrs.define(eq=False)
class _Road:
    """The Exchange port: the way to the platform and back, for one life of the gateway."""

    city: "City"
    life: int

    def send(
        self, path: bytes, headers: bytes, body: bytes, listener: Listener, timeout_s: float, late_s: float = 0.0
    ) -> None:
        city = self.city
        if city.happens("lost_request"):
            city.clock.callLater(0.01, self._if_alive, lambda: listener.not_sent("connect refused"))
            return
        trip = _Trip(self, listener)
        city.clock.callLater(0.004, self._arrive, path, body, trip)
        city.clock.callLater(timeout_s, self._if_alive, lambda: trip.deadline(late_s))
        if city.happens("crash"):
            city.clock.callLater(0.002, self._if_alive, lambda: city.crash("after sending"))

    def _arrive(self, path: bytes, body: bytes, trip: "_Trip") -> None:
        """The platform works on it whether or not the gateway is still there to hear."""
        city = self.city
        reply = city.platform.serve(path.decode(), {}, body)
        delay = 0.02 + reply.delay_s + (25.0 * city.dice.random() if city.happens("slow_answer") else 0.0)
        if reply.drop == "silent":
            return
        whole = reply.body_sent < 0
        city.clock.callLater(delay, self._if_alive, lambda: trip.arrive(reply, whole))

    def _if_alive(self, then: Callable[[], None]) -> None:
        if self.life == self.city.life:
            then()


@attrs.define(eq=False)
class _Trip:
    road: _Road
    listener: Listener
    over: bool = False
    was_silent: bool = False

    def arrive(self, reply: Reply, whole: bool) -> None:
        if self.over:
            return
        self.over = True
        if reply.drop == "reset" or not whole:
            self.listener.lost("connection lost")
        else:
            self.listener.answered(reply.status, reply.content_type.encode(), reply.body, True)

    def deadline(self, late_s: float) -> None:
        if self.over:
            return
        if late_s and not self.was_silent:
            self.was_silent = True
            self.road.city.clock.callLater(late_s, self.road._if_alive, lambda: self.deadline(0.0))
            self.listener.silent()
            return
        self.over = True
        self.listener.lost("no answer")


@lru_cache(maxsize=1)
def facts() -> tuple[Compiled, Snapshot]:
    """Read schemas and mapping tables once a process: they are the same for every seed."""
    files = read_files()
    rows = [
        Row(system, local, national, since, until, "m1")
        for system in mapping.SYSTEMS
        for local, national, since, until, *_ in mapping.mapping_rows(system)
    ]
    snapshot = build_snapshot(rows, Libraries({}, code_forms(files)))
    return compile_region(build_region(files, "national")), snapshot


@attrs.define(eq=False)
class City:
    """One seed's city. `trace` is what happened, a line an event; the same for the same seed.

    apart: how far the two institutions' patients are from each other in the list of persons; 0 = the same persons.
    """

    seed: int
    weather: Weather = Weather()
    patients: int = 6
    apart: int = 20
    clock: Clock = attrs.Factory(Clock)
    trace: list[str] = attrs.Factory(list)
    life: int = 0
    store: MemoryJournal = attrs.Factory(MemoryJournal)
    watch: _Silent = attrs.Factory(_Silent)
    unfinished: int = 0
    dice: random.Random = attrs.field(init=False)
    platform: Platform = attrs.field(init=False)
    institutions: list[Institution] = attrs.field(init=False)
    room: Room = attrs.field(init=False)
    _counters: dict[_Counter, None] = attrs.Factory(dict)

    def __attrs_post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.clock.advance(MORNING_S)
        self.platform = Platform(self.clock, random.Random(self.seed + 1), persons=200)
        self.platform.faults = self._platform_weather
        self.institutions = [
            Hospital(self.clock.seconds, random.Random(self.seed + 2), HOSPITAL, "示例医院"),
            Pharmacy(self.clock.seconds, random.Random(self.seed + 3), PHARMACY, "示例药店"),
        ]
        self.start()

    # --- the gateway's lives ---

    def start(self) -> None:
        """Start the gateway on what the disk holds."""
        self.life += 1
        compiled, snapshot = facts()
        settings = LinkConfig(url="http://127.0.0.1/fsi/api/call", timeout_s=10)
        road = _Road(self, self.life)
        path = b"/fsi/api/call"
        link = make_link("national", settings, compiled, road, road, path, lambda infno, now_s: b"", self.clock)
        institutions = {}
        for code in (HOSPITAL, PHARMACY):
            one = InstitutionConfig(fixmedins_code=code, name=code, link="national", allow_from=[f"{ADDRESS}/32"])
            institutions[code] = make_institution(one, link)
            institutions[code].snapshot = snapshot
        self.room = assemble_exchange(
            clock=self.clock,
            institutions=institutions,
            links={"national": link},
            store=self.store,
            last_id=self.store.last_id,
            runner=_Disk(self, self.life),
            watch=self.watch,
            on_broken=lambda cause: self.crash("broken disk"),
        )
        found = plan_recovery(self.store.open_entries(), self.clock.seconds(), lambda name: "number")
        apply_recovery(found, self.store.commit, self.room.lanes)
        self.note(f"start life={self.life} recovered={len(found.ops)}")

    def crash(self, where: str) -> None:
        """Kill the gateway: connections break, nothing in memory survives; it starts again a little later."""
        self.note(f"crash {where}")
        self.life += 1
        counters, self._counters = self._counters, {}
        for counter in counters:
            counter.cut()
        self.clock.callLater(1.0, self.start)

    # --- the day ---

    def run(self) -> "City":
        """Play the storm and the calm; return the city for inspection."""
        for index, institution in enumerate(self.institutions):
            for number, script in enumerate(day_of(institution, self.patients, self.apart * index)):
                self.unfinished += 1
                self.clock.callLater(number * 7.0, self._step, institution, script, None)
        self._run_until(MORNING_S + self.weather.storm_s + 3600.0)
        return self

    def _run_until(self, end_s: float) -> None:
        """Step event by event: one big advance would lie about every chained timer."""
        while (due := self.clock.getDelayedCalls()) and due[0].getTime() <= end_s:
            self.clock.advance(max(0.0, due[0].getTime() - self.clock.seconds()))

    def _step(self, institution: Institution, script: Script, given: Answer | None) -> None:
        try:
            step = next(script) if given is None else script.send(given)
        except (StopIteration, GaveUp) as end:
            self.unfinished -= 1
            self.note(f"{institution.code} script ends {type(end).__name__} {end}")
            return
        if isinstance(step, Pause):
            self.clock.callLater(step.seconds, self._resume, institution, script)
        else:
            assert isinstance(step, Send)
            self._post(institution, script, step)

    def _resume(self, institution: Institution, script: Script) -> None:
        self._step(institution, script, None)

    def _post(self, institution: Institution, script: Script, step: Send) -> None:
        def told(status: int, body: bytes) -> None:
            self._counters.pop(counter, None)
            found = answer(status, body)
            self.note(f"{institution.code} <- {status} {found.text[:40]} {found.gw_state}")
            self.clock.callLater(0.003, self._step, institution, script, found)

        counter = _Counter(step.body, told)
        if self.room is None or self._down():
            self.clock.callLater(0.01, counter.cut)
            return
        self._counters[counter] = None
        route = {"/fsi/api/fileupload/upload": "upload", "/fsi/api/fileupload/download": "download"}.get(
            step.path, "call"
        )
        self.clock.callLater(0.003, self._enter, counter, route)
        if self.happens("broken_counter"):
            self.clock.callLater(0.02 + self.dice.random() * 2, counter.cut)

    def _down(self) -> bool:
        return self.life % 2 == 0  # a crash ends an odd life; the next start begins one

    def _enter(self, counter: _Counter, route: str) -> None:
        if self._down():
            counter.cut()
        else:
            self.room.desk.receive(counter, Source(address=ADDRESS), route)  # type: ignore[arg-type]

    # --- weather ---

    def happens(self, what: str) -> bool:
        """Roll the dice for one kind of trouble; never in the calm."""
        chance: float = getattr(self.weather, what)
        rolled = self.dice.random()
        if not chance or rolled >= chance or self.clock.seconds() > MORNING_S + self.weather.storm_s:
            return False
        self.note(f"weather {what}")
        return True

    def _platform_weather(self, infno: str, msgid: str) -> Fault | None:
        for what, fault in (
            ("lost_answer", Fault(drop="silent")),
            ("cut_answer", Fault(truncate_bytes=20)),
            ("garbled_answer", Fault(garbage=True)),
            ("server_error", Fault(http_status=502)),
            ("system_error", Fault(system_error="系统繁忙")),
            ("refusal", Fault(business_error="账户余额不足")),
        ):
            if self.happens(what):
                return fault
        return None

    def note(self, line: str) -> None:
        self.trace.append(f"{self.clock.seconds() - MORNING_S:10.3f} {line}")

    # --- the outer books ---

    def differences(self) -> Iterator[str]:
        """Compare the platform's books with the institutions'; what the gateway holds in doubt is a named case."""
        cases = {row.msgid for row in self.store.rows.values() if row.state in ("IN_DOUBT", "REVERSING", "MANUAL")}
        theirs = {row["msgid"]: row for row in self.platform.ledger() if not row.get("reversed")}
        ours = {row.msgid: row for one in self.institutions for row in one.ledger}
        open_at = {msgid for one in self.institutions for msgid in one.unknown}
        for msgid, row in theirs.items():
            if msgid not in ours and msgid not in cases and msgid not in open_at:
                yield f"platform booked {row['infno']} {msgid}, the institution knows nothing"
        for msgid, booked in ours.items():
            if msgid not in theirs:
                yield f"institution booked {booked.infno} {msgid}, the platform did not"
            elif theirs[msgid]["medfee_fen"] != booked.amounts["medfee_sumamt"]:
                yield f"amounts of {msgid} differ"
