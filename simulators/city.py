"""A city in one process on a stepped clock: the production exchange, institutions, a platform, roads, disks, accidents.

Same seed, same trace. Two acts: a storm, in which everything of its `Weather` goes wrong, and a calm. Afterwards the
outer books are compared, what the platform booked against what the institutions believe, and the invariants of reversal
specification §10 are checked by the `Witness`, who stands outside the gateway.
"""

import random
from functools import lru_cache
from typing import Any

import attrs

from adapters.store.memory import MemoryJournal
from gateway.app.assemble import Compiled, compile_region
from gateway.app.facts import code_forms, read_files
from gateway.core.codes import Libraries, Row, Snapshot, build_snapshot
from gateway.core.model import Source
from gateway.core.regions import build_region
from simulators import mapping
from simulators.faults import Fault
from simulators.full import FullPeople
from simulators.his import GaveUp, Pause, Script, Send, answer
from simulators.lean import LeanPeople
from simulators.life import ADDRESS, Counter, Life
from simulators.platform import Platform
from simulators.steps import LifeClock, StepClock
from simulators.weather import PLATFORM, STORM, Weather
from simulators.witness import Witness

MORNING_S = 1_772_409_600.0  # 2026-03-02 08:00 in Shanghai
NIGHT_S = MORNING_S + 15 * 3600.0  # 23:00: midnight and the hours of RV11 come while it is played
CALM_S, NIGHT_CALM_S = 3600.0, 4200.0
LOOK_S, LOOKS = 60.0, 21
EVENING_S = 2400.0  # after the storm: everybody asks about what is still open
STRATEGIES = ("Q4", "Q4", "Q1", "Q2")


class Watch:
    """The Watch port for a city: counts answers by result, keeps alarms."""

    def __init__(self) -> None:
        self.results: dict[str, int] = {}
        self.alarms: list[str] = []

    def _count(self, name: str) -> None:
        self.results[name] = self.results.get(name, 0) + 1

    def request(
        self, infno: str, klass: str, institution: str, result: str, seconds: float, msgid: str, gw_code: str
    ) -> None:
        self._count(result)

    def platform(self, link: str, seconds: float) -> None: ...

    def commit(self, seconds: float, batch: int) -> None: ...

    def translation_miss(self, system: str) -> None: ...

    def unknown_value(self, dictionary: str) -> None: ...

    def alarm(self, name: str, institution: str, msgid: str) -> None:
        self.alarms.append(f"{name} {institution} {msgid}")

    def reversal(self, result: str) -> None:
        self._count(f"reversal {result}")


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


@attrs.define(eq=False, repr=False)
class City:
    """One seed's city.

    money: about how many money messages its institutions send. full: the whole simulated hospital, pharmacy and
    platform instead of those that know nothing but money. trace: what happened, a line an event, kept when `traced`.
    """

    seed: int
    weather: Weather = STORM
    money: int = 50
    full: bool = False
    apart: int = 20
    traced: bool = True
    trace: list[str] = attrs.Factory(list)
    journal: MemoryJournal = attrs.Factory(MemoryJournal)
    watch: Watch = attrs.Factory(Watch)
    unfinished: int = 0
    lives: int = 0
    lies: dict[str, str] = attrs.Factory(dict)
    held: set[str] = attrs.Factory(set)
    dark_until_s: float = 0.0
    began_s: float = attrs.field(init=False)
    clock: StepClock = attrs.field(init=False)
    dice: random.Random = attrs.field(init=False)
    resolve: str = attrs.field(init=False)
    compiled: Compiled = attrs.field(init=False)
    snapshot: Snapshot = attrs.field(init=False)
    people: FullPeople | LeanPeople = attrs.field(init=False)
    platform: Platform = attrs.field(init=False)
    institutions: list[Any] = attrs.field(init=False)
    witness: Witness = attrs.field(init=False)
    front: Life | None = None
    _older: Life | None = None

    def __attrs_post_init__(self) -> None:
        self.began_s = NIGHT_S if self.seed // 4 % 8 == 3 else MORNING_S
        self.clock = StepClock(self.began_s)
        self.dice = self.dice_of(0)
        self.resolve = STRATEGIES[self.seed % len(STRATEGIES)]
        self.compiled, self.snapshot = facts()
        self.people = (FullPeople if self.full else LeanPeople)(self)
        self.platform = self.people.platform
        self.platform.faults = self._platform_weather
        self.institutions = list(self.people.institutions)
        self.witness = Witness(self)
        self.start()

    def dice_of(self, number: int) -> random.Random:
        """Return the dice of one inhabitant: what one throws changes nothing for the others."""
        return random.Random(self.seed + number)

    @property
    def may_reverse(self) -> bool:
        """Whether the institutions may reverse a success they know (RV6)."""
        return self.seed % 2 == 0

    # --- the gateway's lives ---

    def start(self) -> None:
        """Start a gateway on what the disk holds; whoever ran before and still lives has lost the journal."""
        self.lives += 1
        jump_s = self.dice.uniform(-3600, 3600) if self.happens("clock_jump") else 0.0
        life = Life(self, self.lives, self.journal.open(), LifeClock(self.clock, jump_s))
        self.front = life
        life.start()

    def ended(self, life: Life) -> None:
        if life is self.front:
            self.front = None
            self.clock.callLater(1.0 + 4.0 * self.dice.random(), self.start)

    def rival(self) -> None:
        """A second gateway is started by mistake; the first lives on and still gets a part of the traffic."""
        if self.front is not None:
            self._older = self.front
            self.start()

    # --- the day ---

    def run(self) -> "City":
        """Play the storm and the calm; return the city for inspection."""
        for at_s, institution, script in self.people.day():
            self.unfinished += 1
            self.clock.callLater(at_s, self._step, institution, script, None)
        for institution, script in self.people.evening():
            self.unfinished += 1
            self.clock.callLater(self.weather.storm_s + EVENING_S, self._step, institution, script, None)
        for number in range(LOOKS):
            self.clock.callLater(self.weather.storm_s + LOOK_S * number, self.witness.patience.looks)
        if self.weather.rival or self.weather.outage:
            for number in range(int(self.weather.storm_s // 60)):
                self.clock.callLater(60.0 * number, self._each_minute)
        calm_s = NIGHT_CALM_S if self.began_s == NIGHT_S else CALM_S
        self.clock.run_until(self.began_s + self.weather.storm_s + calm_s)
        return self

    def _each_minute(self) -> None:
        if self.dice.random() < self.weather.rival * 10:
            self.note("weather rival")
            self.rival()
        if self.front is not None and self.happens("clock_jump"):
            self.front.clock.jump_s += self.dice.uniform(-3600, 3600)
        if self.happens("closes_day"):
            self.people.close_day()
        if self.happens("outage"):
            self.dark_until_s = self.clock.now_s + self.dice.uniform(60.0, 600.0)

    def _step(self, institution: object, script: Script, given: object) -> None:
        try:
            step = next(script) if given is None else script.send(given)  # type: ignore[arg-type]
        except (StopIteration, GaveUp) as end:
            self.unfinished -= 1
            self.note(f"script ends {type(end).__name__} {end}")
            return
        if isinstance(step, Pause):
            self.clock.callLater(step.seconds, self._step, institution, script, None)
        else:
            self._post(institution, script, step)

    def _post(self, institution: object, script: Script, step: Send) -> None:
        def told(status: int, body: bytes) -> None:
            self.witness.heard(counter, status, body)
            self.clock.callLater(0.003, self._step, institution, script, answer(status, body))

        counter = Counter(self, step.body, told)
        self.clock.callLater(0.003, self._enter, counter, step.path)
        if self.happens("broken_counter"):
            self.clock.callLater(0.02 + self.dice.random() * 2, counter.hang_up)
        if self.happens("doubled_counter"):
            twin = Counter(self, step.body, lambda status, body: self.witness.heard(twin, status, body))
            self.witness.twins.add(step.body)
            self.clock.callLater(0.003 + 0.2 * self.dice.random(), self._enter, twin, step.path)

    def _enter(self, counter: Counter, path: str) -> None:
        older = self._older is not None and self._older.alive and self.dice.random() < 0.5
        life = self._older if older else self.front
        if life is None or not life.alive or not counter.up:
            counter.hang_up()
            return
        counter.life, counter.entered_s = life, self.clock.now_s
        life.counters[counter] = None
        route = {"/fsi/api/fileupload/upload": "upload", "/fsi/api/fileupload/download": "download"}.get(path, "call")
        life.room.desk.receive(counter, Source(address=ADDRESS), route)  # type: ignore[arg-type]  # one of the three

    # --- weather ---

    @property
    def stormy(self) -> bool:
        return self.clock.now_s <= self.began_s + self.weather.storm_s

    @property
    def dark(self) -> bool:
        """Whether there is no connection to the platform at all."""
        return self.stormy and self.clock.now_s < self.dark_until_s

    def happens(self, what: str) -> bool:
        """Roll the dice for one kind of trouble; never in the calm."""
        chance: float = getattr(self.weather, what)
        if not chance or self.dice.random() >= chance or not self.stormy:
            return False
        self.note(f"weather {what}")
        return True

    def _platform_weather(self, infno: str, msgid: str) -> Fault | None:
        for what, fault in PLATFORM:
            if self.happens(what):
                return fault
        if self.happens("books_late"):
            return Fault(book_late_s=self.dice.uniform(1.0, self.weather.late_s))
        for what, fault in (("no_effect", Fault(without_effect=True)), ("twice", Fault(twice=True))):
            if self.happens(what):
                self.lies[msgid] = what
                return fault
        return None

    def note(self, line: str) -> None:
        if self.traced:
            self.trace.append(f"{self.clock.now_s - self.began_s:10.3f} {line}")

    def faults(self) -> list[str]:
        """Return everything that is wrong; the first letters say which invariant."""
        return list(self.witness.faults())


def played(seed: int, weather: Weather = STORM, **more: object) -> City:
    """Play one seed; its number is in every failure."""
    return City(seed, weather, **more).run()  # type: ignore[arg-type]
