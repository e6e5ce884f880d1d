"""A whole exchange on a stepped clock for tests: the production wiring, a memory journal on a disk that can be held,
full or broken, a scripted platform, and one log of what happened in which order.
"""

import gc
import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import attrs
from exchange_messages import HOME, OTHER, SHOP, VISIT, Json
from twisted.internet.task import Clock

from adapters.store.memory import MemoryJournal
from gateway.app.assemble import Room, assemble_exchange, make_institution, make_link
from gateway.app.config import InstitutionConfig
from gateway.app.config import Platform as LinkConfig
from gateway.core.model import Accept, Advance, Entry, Keep, Op, OpResult, Source, StoreFull, Unfinished
from gateway.core.ports import Listener
from gateway.exchange.door import Link
from gateway.exchange.recovery import Past, Plan, recover
from simulators.city import facts

T0_S = 1_772_409_600.0  # 2026-03-02 08:00 in Shanghai
ADDRESS = {HOME: "10.1.0.1", SHOP: "10.2.0.1", OTHER: "10.3.0.1"}
TICK_S = 0.001  # one commit of the disk
TRIP_S = 0.05  # to the platform and back, when it plays by itself
T = TypeVar("T")

facts()
gc.freeze()  # plans and mapping tables are nobody's garbage; every test collects


@attrs.define(eq=False, repr=False)
class Caller:
    """One request of an institution and what it was answered (the Incoming port)."""

    rig: "Rig"
    body: bytes
    name: str
    up: bool = True
    status: int = 0
    raw: bytes = b""
    content_type: bytes = b""
    answered_at: float = -1.0

    @property
    def alive(self) -> bool:
        return self.up

    def respond(self, status: int, body: bytes, content_type: bytes = b"", extra: bytes = b"") -> bool:
        assert not self.status, "answered twice"
        self.status, self.raw, self.content_type = status, body, content_type
        self.answered_at = self.rig.clock.seconds()
        self.rig.log.append(f"answer {self.name}")
        return self.up

    @property
    def answer(self) -> Json:
        found: Json = json.loads(self.raw)
        return found

    @property
    def said(self) -> tuple[int, str, str, str]:
        """(HTTP status, gw_code, gw_state, gw_repeat)"""
        found = self.answer
        return self.status, found.get("gw_code", ""), found.get("gw_state", ""), found.get("gw_repeat", "")


@attrs.define(eq=False, repr=False)
class Sent:
    """One request on its way to the platform."""

    path: bytes
    body: bytes
    listener: Listener
    timeout_s: float
    late_s: float
    at: float = 0.0

    @property
    def message(self) -> Json:
        found: Json = json.loads(self.body)
        return found

    def reply(self, infcode: Any, err_msg: str = "", output: Any = None, status: int = 200, **more: Any) -> bytes:
        """Answer as the platform's business layer does; return the bytes."""
        envelope = {"infcode": infcode, "inf_refmsgid": "x", "err_msg": err_msg, "output": output or {}, **more}
        return self.raw(json.dumps(envelope, ensure_ascii=False).encode(), status)

    def raw(self, body: bytes, status: int = 200, whole: bool = True) -> bytes:
        self.listener.answered(status, b"application/json", body, whole)
        return body

    def settled(self, **changes: Any) -> bytes:
        """Answer infcode 0 with a settlement that fits the request."""
        head = next(iter(self.message["input"].values()))
        info = settlement(self.message["msgid"], head.get("psn_no", ""), head.get("medfee_sumamt", 100))
        return self.reply(0, output={"setlinfo": info | changes})


def settlement(msgid: str, psn_no: str, total: Any) -> Json:
    """`setlinfo` whose identities hold (annex X38)."""
    return {
        "setl_id": f"S{msgid[-6:]}", "mdtrt_id": VISIT, "psn_no": psn_no, "medfee_sumamt": total,
        "fund_pay_sumamt": 0, "psn_part_amt": total, "hosp_part_amt": 0, "acct_pay": 0, "psn_cash_pay": total,
        "hifp_pay": 0, "cvlserv_pay": 0, "hifes_pay": 0, "hifmi_pay": 0, "hifob_pay": 0, "maf_pay": 0, "oth_pay": 0,
        "medins_setl_id": msgid,
    }  # fmt: skip


@attrs.define(eq=False, repr=False)
class Far:
    """The Exchange port: keeps what was sent; the test plays the platform, or leaves that to `plays`."""

    rig: "Rig"
    sent: list[Sent] = attrs.Factory(list)
    plays: Callable[[Sent], object] | None = None

    def send(
        self, path: bytes, headers: bytes, body: bytes, listener: Listener, timeout_s: float, late_s: float = 0.0
    ) -> None:
        one = Sent(path, body, listener, timeout_s, late_s, self.rig.clock.seconds())
        self.rig.log.append(f"send {one.message['msgid']}")
        self.sent.append(one)
        if self.plays is not None:
            self.rig.clock.callLater(TRIP_S, self.plays, one)

    @property
    def last(self) -> Sent:
        return self.sent[-1]


@attrs.define(eq=False, repr=False)
class Disk:
    """The Runner port: a commit takes TICK_S. held: commits wait; full, broken: they fail."""

    rig: "Rig"
    held: bool = False
    full: bool = False
    broken: bool = False
    batches: list[int] = attrs.Factory(list)
    _waiting: list[Callable[[], None]] = attrs.Factory(list)

    def run(
        self,
        call: Callable[[], list[OpResult]],
        done: Callable[[list[OpResult]], None],
        failed: Callable[[Exception], None],
    ) -> None:
        def work() -> None:
            if self.broken:
                failed(OSError("input/output error"))
                return
            try:
                results = call()
            except StoreFull as cause:
                failed(cause)
                return
            done(results)

        if self.held:
            self._waiting.append(work)
        else:
            self.rig.clock.callLater(TICK_S, work)

    def release(self) -> None:
        self.held = False
        waiting, self._waiting = self._waiting, []
        for work in waiting:
            work()

    def forget(self) -> None:
        """A crash: what was on its way to the disk never gets there."""
        self._waiting.clear()


@attrs.define(eq=False, repr=False)
class Helper:
    """The Helper port: what its thread does is done a moment later."""

    clock: Clock
    broken: bool = False

    def run(self, call: Callable[[], T], done: Callable[[T], None], failed: Callable[[Exception], None]) -> None:
        def work() -> None:
            if self.broken:
                failed(MemoryError())
            else:
                done(call())

        self.clock.callLater(TICK_S, work)


@attrs.define(eq=False, repr=False)
class Recorded:
    """The store: the memory journal, with a log line for everything that became durable."""

    rig: "Rig"
    journal: MemoryJournal = attrs.Factory(MemoryJournal)

    def open_entries(self) -> list[Entry]:
        return self.journal.open_entries()

    def unfinished(self) -> list[Unfinished]:
        return self.journal.unfinished()

    def heads(self) -> dict[str, str]:
        return self.journal.heads()

    def overheard(self) -> list[Entry]:
        return self.journal.overheard()

    def commit(self, ops: list[Op]) -> list[OpResult]:
        writes = [op for op in ops if isinstance(op, Accept | Advance | Keep)]
        if self.rig.disk.full and (writes or not ops):
            raise StoreFull
        self.rig.disk.batches.append(len(ops))
        results = self.journal.commit(ops)
        for op, result in zip(ops, results, strict=True):
            if isinstance(op, Accept):
                self.rig.log.append(f"durable {op.entry.msgid} {op.entry.state} {type(result).__name__}")
            elif isinstance(op, Advance):
                self.rig.log.append(f"durable {op.entry.msgid} {op.was}>{op.to} {result}")
            elif isinstance(op, Keep):
                self.rig.log.append(f"durable {op.entry.msgid} kept")
        return results


@attrs.define(eq=False, repr=False)
class Seen:
    """The Watch port: everything it was told."""

    results: list[tuple[str, str, str]] = attrs.Factory(list)
    alarms: list[tuple[str, str]] = attrs.Factory(list)
    commits: list[int] = attrs.Factory(list)
    misses: list[str] = attrs.Factory(list)
    ends: list[str] = attrs.Factory(list)

    def request(
        self, infno: str, klass: str, institution: str, result: str, seconds: float, msgid: str, gw_code: str
    ) -> None:
        self.results.append((infno, result, gw_code))

    def platform(self, link: str, seconds: float) -> None:
        assert seconds >= 0

    def commit(self, seconds: float, batch: int) -> None:
        self.commits.append(batch)

    def translation_miss(self, system: str) -> None:
        self.misses.append(system)

    def unknown_value(self, dictionary: str) -> None:
        assert dictionary

    def alarm(self, name: str, institution: str, msgid: str) -> None:
        self.alarms.append((name, msgid))

    def reversal(self, result: str) -> None:
        self.ends.append(result)


# A doubt that is asked about stays a doubt for three seconds: long enough for a test to look at it.
_DEFAULTS: dict[str, Any] = {"resolve": "Q1"}


@attrs.define(eq=False)
class Dice:
    """Chance without surprises: the middle, and a counter."""

    thrown: int = 0

    def random(self) -> float:
        return 0.5

    def randrange(self, stop: int, /) -> int:
        self.thrown += 1
        return self.thrown % stop


@attrs.define(eq=False, repr=False)
class Rig:
    """One exchange with three institutions on one link."""

    timeout_s: float = 20.0
    late_s: float = 3.0
    settings: Mapping[str, Any] = attrs.Factory(dict)
    institution: Mapping[str, Any] = attrs.Factory(dict)
    clock: Clock = attrs.Factory(Clock)
    log: list[str] = attrs.Factory(list)
    watch: Seen = attrs.Factory(Seen)
    dice: Dice = attrs.Factory(Dice)
    broke: list[Exception] = attrs.Factory(list)
    callers: int = 0
    store: Recorded = attrs.field(init=False)
    disk: Disk = attrs.field(init=False)
    far: Far = attrs.field(init=False)
    link: Link = attrs.field(init=False)
    room: Room = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.clock.advance(T0_S)
        self.store, self.disk, self.far = Recorded(self), Disk(self), Far(self)
        self.start()

    def start(self) -> None:
        """Wire an exchange on what the journal holds."""
        compiled, snapshot = facts()
        settings = LinkConfig(
            url="http://127.0.0.1/x",
            timeout_s=self.timeout_s,
            late_window_s=self.late_s,
            **(_DEFAULTS | dict(self.settings)),
        )
        self.link = make_link(
            "national", settings, compiled, self.far, self.far, b"/fsi/api/x", lambda *_: b"", self.clock
        )
        institutions = {}
        for code, address in ADDRESS.items():
            facts_of_one: dict[str, Any] = {"fixmedins_code": code, "name": code, "link": "national"}
            facts_of_one |= {"allow_from": [f"{address}/32"], **self.institution}
            institutions[code] = make_institution(InstitutionConfig(**facts_of_one), {self.link.name: self.link})
            institutions[code].snapshot = snapshot
        self.room = assemble_exchange(
            clock=self.clock,
            institutions=institutions,
            links={"national": self.link},
            store=self.store,
            last_id=self.store.journal.last_id,
            runner=self.disk,
            watch=self.watch,
            on_broken=self.broke.append,
            dice=self.dice,
            helper=Helper(self.clock),
        )

    def kill(self) -> None:
        """The process is gone, with every timer and everything that was on its way to the disk."""
        for call in list(self.clock.getDelayedCalls()):
            call.cancel()
        self.disk.forget()

    def restart(self, past: Past | None = None) -> Plan:
        """Kill the exchange, wire a new one on what is durable, and recover. past: another view of the journal."""
        self.kill()
        self.start()
        return recover(past or self.store, self.room.lanes, self.room.office, self.clock.seconds())

    # --- what a test does ---

    def post(self, message: Json | bytes, source: str = "", route: Any = "call", certificate: str = "") -> Caller:
        """Hand a request in; nothing runs until the clock moves."""
        raw = message if isinstance(message, bytes) else json.dumps(message, ensure_ascii=False).encode()
        self.callers += 1
        caller = Caller(self, raw, f"c{self.callers}")
        address = source or (ADDRESS[message["fixmedins_code"]] if isinstance(message, dict) else ADDRESS[HOME])
        self.room.desk.receive(caller, Source(address=address, certificate_sha256=certificate), route)
        return caller

    def run(self, seconds: float = 0.1) -> None:
        """Step event by event: one big advance would lie about every chained timer."""
        end_s = self.clock.seconds() + seconds
        while (due := self.clock.getDelayedCalls()) and due[0].getTime() <= end_s:
            self.clock.advance(max(0.0, due[0].getTime() - self.clock.seconds()))
        self.clock.advance(end_s - self.clock.seconds())

    def ask(self, message: Json | bytes, **where: Any) -> Caller:
        """Hand a request in and let everything happen that needs no platform."""
        caller = self.post(message, **where)
        self.run()
        return caller

    def settle(self, message: Json, **changes: Any) -> Caller:
        """A request the platform confirms."""
        caller = self.ask(message)
        self.far.last.settled(**changes)
        self.run()
        assert caller.status == 200, caller.raw
        return caller

    def row(self, msgid: str, institution: str = HOME) -> Any:
        found = self.store.journal.by_msgid.get((institution, msgid))
        return None if found is None else self.store.journal.rows[found]

    def state(self, msgid: str, institution: str = HOME) -> str:
        row = self.row(msgid, institution)
        return "" if row is None else str(row.state)

    def states(self, msgid: str, institution: str = HOME) -> list[str]:
        """The states of a row's events, in order."""
        row = self.row(msgid, institution)
        return [state for number, _, state, _ in self.store.journal.events if row is not None and number == row.id]
