"""One record in doubt on its way to its end: its machine, its row on the queue, the sendings, and who waits for it.

Order of writing as for any money: a sending is durable before its first byte leaves; the end is durable before the lane
is free and before anybody hears of it. Source: reversal specification §4, §5, §9.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from gateway.core.answers import state_made
from gateway.core.facts import undone_setl_id
from gateway.core.model import FAILED, Accept, Accepted, Advance, Entry, NotAccepted, OpResult, Saf, State
from gateway.exchange.asking import ask_about, sign_in
from gateway.exchange.comparing import compare
from gateway.exchange.confirmed import answer_of, node_of
from gateway.exchange.door import Link
from gateway.exchange.resolution import (
    Answer,
    Ask,
    Attempt,
    Compare,
    Effects,
    End,
    Finding,
    How,
    Policy,
    Queue,
    Resolution,
    Wait,
    first_step,
    new_resolution,
    next_time_ms,
    weigh_answer,
    weigh_comparison,
    weigh_finding,
)
from gateway.exchange.sending import SENDING_STATE, Sending, prepared
from gateway.exchange.verdict import Undoing

if TYPE_CHECKING:
    from gateway.exchange.saf import StoreForward

RETRY_S = 1.0
_UNNAMED = ("", "", "")
SIGN_INS_MAX = 3
COMPARE_S = 900.0  # quiescence, the ten minutes between two statements, and the files
_END_STATE: Mapping[How, State] = {
    "confirmed": "CONFIRMED",
    "nothing": "ABSENT",
    "undone": "REVERSED",
    "absent": "REVERSED",
    "manual": "MANUAL",
}


@attrs.define(eq=False)
class Undo:
    """One doubt. record: what is in doubt; original: what is reversed. They differ when the institution asked for the
    reversal of a known success: then the record is its 2601, and the original keeps its state until it is cancelled.
    """

    office: StoreForward
    record: Entry
    original: Entry
    link: Link
    policy: Policy
    sent_ms: int
    machine: Resolution = attrs.Factory(new_resolution)
    row: Saf | None = None
    waits: bool = False  # its next sending is due or will be; False while one is on its way
    quiet: bool = False  # what was still on its way cannot be booked any more
    told: list[Callable[[State], None]] = attrs.Factory(list)
    _not_found: bool = False
    _asked: int = 0
    _asks_due: int = 0
    _wants_to_ask: bool = False
    _compares: bool = False  # the last question waits, or is on its way
    _sign_ins: int = 0
    _over: bool = False
    _alarmed: bool = False
    _ended: bool = False
    _reason: str = ""
    _found: Mapping[str, Any] | None = None
    _timers: dict[str, Any] = attrs.Factory(dict)

    # --- coming in ---

    def begin(self) -> None:
        """The record is durably in doubt."""
        self._deadlines(self._now_ms())
        # How long ago it left is measured with a clock that may have jumped meanwhile: by no more than it may wait.
        since_s = (self._now_ms() - self.sent_ms) / 1000
        self._calm_down(min(max(since_s, 0.0), self.link.timeout_s + self.link.late_s))
        for number, at_s in enumerate(self.policy.asks):  # by timers: the wall's clock may jump meanwhile
            self._later(f"ask {number}", at_s, self._ask_is_due)
        self._step(first_step(self.policy))

    def resume(self, row: Saf) -> None:
        """A restart found it on the queue; a sending that was on its way may or may not have arrived."""
        self.row = attrs.evolve(row, state="QUEUED")
        over_s = self._deadlines(row.opened_ms)
        self._calm_down(0.0)  # nobody knows what the clock did meanwhile
        self.machine.resume()
        # A wall clock that was set back meanwhile must not make anybody wait longer than one step of the schedule.
        now_ms = self._now_ms()
        longest_ms = next_time_ms("silent", self.policy, row, now_ms, 1.0)
        at_once = row.state == "INFLIGHT" or over_s <= self.fair_s  # time is nearly up: one more sending fits
        self._sleep(0 if at_once else min(row.next_ms, longest_ms) - now_ms)

    @property
    def fair_s(self) -> float:
        """How long one sending may take in all."""
        return self.link.timeout_s + self.link.late_s + 5.0

    def hurry(self) -> None:
        """Somebody waits, or the day ends: the next sending is due now."""
        if self.waits and self._cancel("next"):
            self.office.due(self)

    def _deadlines(self, opened_ms: int) -> float:
        """Set the timers of RV11; return how many seconds are left."""
        extra_s, over_s = self.office.deadlines(self, opened_ms)
        self._later("over", over_s, self._time_is_up)
        if 0 < extra_s < over_s:
            self._later("extra", extra_s, self.hurry)
        return over_s

    def _calm_down(self, since_s: float) -> None:
        self._later("quiet", self.policy.quiesce_ms / 1000 - since_s, self._calm)

    def _calm(self) -> None:
        """From now on "not found" can be believed (§5.3)."""
        self.quiet = True
        if self._not_found:
            self.hurry()
        if self._compares:
            self._compare()

    def _time_is_up(self) -> None:
        self._over = True
        if self.waits or self._wants_to_ask:
            self.waits = self._wants_to_ask = False
            self._cancel("next")
            self._reason = "time_is_up"
            self._step("beyond_us")

    # --- the machine ---

    def _step(self, name: str) -> None:
        # What cannot be reversed (§5.2) is there: a statement could only say so.
        if name == "beyond_us" and self.policy.compares and not self._compares and self._reason != "impossible":
            self._compares, name = True, "compare"
        effects: Effects = getattr(self.machine, name)()
        for effect in effects:
            if isinstance(effect, Ask):
                self._asked += 1
                self._wants_to_ask = True
                self._ask_if_due()
            elif isinstance(effect, Compare):
                self._later("comparing", COMPARE_S, lambda: self._compared("unknown", None))
                self._compare()
            elif isinstance(effect, Queue):
                self._queue()
            elif isinstance(effect, Attempt):
                self._attempt()
            elif isinstance(effect, Wait):
                pass  # the row went back to the queue with the sending's own end
            else:
                self._end(effect)

    # --- asking ---

    def _ask_is_due(self) -> None:
        self._asks_due += 1
        self._ask_if_due()

    def _ask_if_due(self) -> None:
        if self._wants_to_ask and self._asks_due >= self._asked:
            self._wants_to_ask = False
            self._ask()

    def _ask(self) -> None:
        quiet = self.quiet

        def heard(finding: Finding, found: Mapping[str, Any] | None) -> None:
            if self._ended:
                return
            self._found, self._reason = found, finding
            step = weigh_finding(finding, self.policy, self._asked, quiet)
            self._step("beyond_us" if self._over and step == "ask" else step)

        ask_about(self, heard)

    def _compare(self) -> None:
        """What was still on its way could be booked behind a statement's back: it leaves when that is over (§5.3)."""
        if self.quiet and not self._ended:
            compare(self, self._compared)

    def _compared(self, finding: Finding, found: Mapping[str, Any] | None) -> None:
        if self._ended:
            return
        if finding != "unknown":
            self._found, self._reason = found, f"statement_{finding}"
        self._step(weigh_comparison(finding, self.policy, self.row is not None))

    # --- the queue ---

    def _queue(self) -> None:
        now_ms = self._now_ms()
        self.row = Saf(
            id=self.record.id,
            original_id=self.original.id,
            state="QUEUED",
            opened_ms=now_ms,
            sent_ms=self.sent_ms,
            next_ms=next_time_ms("silent", self.policy, _NEW, now_ms, 0.5),
        )
        own = self.record.id == self.original.id
        to: State = "REVERSING" if own else self.record.state
        op = self._advance(self.record, self.record.state, to, "reversal_queued", saf=self.row)
        self.record.state = to
        self.office.queue.submit(op, self._queued)

    def _queued(self, moved: OpResult | NotAccepted) -> None:
        if moved is not True:
            self._conflict()
            return
        assert self.row is not None
        # As long as was meant when the row was written: the wall's clock may have been set back since.
        self._sleep(self.row.next_ms - self.row.opened_ms)
        if self._over:  # time was up while it was asked about: one sending is fair, but not for ever
            self._later("over", self.fair_s, self._time_is_up)

    def _sleep(self, for_ms: float) -> None:
        self.waits = True
        self._later("next", for_ms / 1000, self._due)

    def _due(self) -> None:
        self._timers.pop("next", None)
        self.office.due(self)

    # --- one sending ---

    def go(self) -> None:
        """The gates are open."""
        self.waits = False
        self._step("attempt")

    def _attempt(self) -> None:
        assert self.row is not None
        row = attrs.evolve(self.row, state="INFLIGHT", attempt=self.row.attempt + 1)
        sending = prepared(self)

        def durable(found: OpResult | NotAccepted) -> None:
            if isinstance(found, Accepted):
                self.row = row
                sending.leave()
            else:  # no space, or the number is taken: nothing was recorded, so this was no sending
                self._retreat()

        self.office.queue.submit(Accept(entry=sending.entry, reason="reversal", saf=row), durable)

    def _retreat(self) -> None:
        self.office.landed(self)
        self._step("again" if not self._over else "beyond_us")
        if not self._over:
            self._sleep(RETRY_S * 1000)

    def answered(self, sending: Sending, said: Undoing, reason: str) -> None:
        """A sending came to its end: write it down, and what follows from it."""
        assert self.row is not None
        answer = self._answer_of(said)
        now_ms, self._not_found = self._now_ms(), answer == "not_found"
        row = attrs.evolve(self.row, state="QUEUED", refusals=self.row.refusals + (answer == "refused"))
        step = weigh_answer(answer, self.policy, row, sending.quiet, self._over)
        if step == "absent" and self.record.id != self.original.id:
            # Of what never happened, nothing is what there is to undo; a success it confirmed it must know.
            step = "undone" if self.original.state in FAILED else "beyond_us"
        self._reason = reason
        if step == "again":
            row = attrs.evolve(row, next_ms=next_time_ms(answer, self.policy, row, now_ms, self.office.dice.random()))
        self.row = row
        to = SENDING_STATE[answer if said == "cancelled" else said]
        over = self._advance(sending.entry, "SENT", to, reason, saf=row if step == "again" else None)
        self.office.queue.submit(over, self._written)
        if row.attempt >= self.policy.attempts_alarm and not self._alarmed:
            self._alarmed = True
            self.office.watch.alarm("reversal_slow", self.original.fixmedins_code, self.original.msgid)
        self.office.landed(self)
        self._step(step)
        if step == "again":
            self._sleep(row.next_ms - now_ms)
            if answer == "not_found" and self.quiet:
                self.hurry()

    def _answer_of(self, said: Undoing) -> Answer:
        """Return what an answer means for this record."""
        if said == "cancelled":  # of a settlement: it is undone already; of a cancellation: so it stands
            return "impossible" if self.policy.cancels else "done"
        if said != "sign_in":
            return said
        if self._sign_ins >= SIGN_INS_MAX:
            return "refused"
        self._sign_ins += 1
        if self.office.may_sign_in(self.original.fixmedins_code):
            sign_in(self)
        return "silent"

    def _written(self, moved: OpResult | NotAccepted) -> None:
        if moved is not True:
            self.office.watch.alarm("state_conflict", self.original.fixmedins_code, self.original.msgid)

    # --- the end ---

    def _end(self, end: End) -> None:
        self._ended = True
        for name in list(self._timers):
            self._cancel(name)
        own = self.record.id == self.original.id
        to: State = _END_STATE[end.how] if own or end.how == "manual" else "CONFIRMED"
        saf = None
        if self.row is not None:
            saf = attrs.evolve(self.row, state="DEAD" if end.how == "manual" else "DONE")
        now = self.office.clock.seconds()
        answer, settled = None, ("", "", "")
        if end.how == "confirmed" and self._found is not None:
            node = node_of(self, self._found)
            answer, settled = answer_of(self, node), self.link.judge.found(node)
        elif to != "MANUAL":
            answer = state_made(self.record, to, now, self.link.infcode)
        reason = {"absent": "reversed_absent", "undone": "reversed"}.get(end.how, self._reason or end.how)
        op = self._advance(
            self.record,
            self.record.state,
            to,
            reason,
            saf=saf,
            answer=answer,
            undoes=0 if own or to == "MANUAL" else self.original.id,
            settled=settled,
            cancels=undone_setl_id(self.record.business_key) if to == "CONFIRMED" and own else "",
        )
        self.office.queue.submit(op, lambda moved: self._over_and_done(to, end.how, moved))

    def _over_and_done(self, to: State, how: How, moved: OpResult | NotAccepted) -> None:
        if moved is not True:
            self._conflict()
            return
        office = self.office
        if to == "MANUAL":
            office.watch.alarm("manual", self.original.fixmedins_code, self.original.msgid)
        office.watch.reversal({"undone": "reversed", "nothing": "absent"}.get(how, how))
        self.record.state = to
        holder = office.lanes.holder(self.record.lane)
        if holder is not None and holder.id == self.record.id:
            holder.state = to
            office.lanes.leave(holder)
        office.live.pop(self.original.id, None)
        told, self.told = self.told, []
        for call in told:
            call(to)
        office.late.ended(self.record, how)

    def _conflict(self) -> None:
        """Somebody else moved the row: our picture is wrong, so nothing more is done; the lane stays blocked."""
        self._ended = True
        for name in list(self._timers):
            self._cancel(name)
        self.office.watch.alarm("state_conflict", self.original.fixmedins_code, self.original.msgid)

    # --- small things ---

    def _advance(
        self, entry: Entry, was: State, to: State, reason: str, settled: tuple[str, ...] = _UNNAMED, **facts: Any
    ) -> Advance:
        setl_id, mdtrt_id, told = settled
        return Advance(
            entry=entry, was=was, to=to, at_ms=self._now_ms(), reason=reason, setl_id=setl_id, mdtrt_id=mdtrt_id,
            settled=told, **facts,
        )  # fmt: skip

    def _now_ms(self) -> int:
        return int(self.office.clock.seconds() * 1000)

    def _later(self, name: str, delay_s: float, call: Callable[[], None]) -> None:
        self._timers[name] = self.office.clock.callLater(max(0.0, delay_s), call)

    def _cancel(self, name: str) -> bool:
        timer = self._timers.pop(name, None)
        if timer is None or not timer.active():
            return False
        timer.cancel()
        return True


_NEW = Saf(id=0, original_id=0, state="QUEUED", opened_ms=0, sent_ms=0)
