"""One money-moving request on its way: its machine, its row, and everybody who waits for its answer.

As dull as possible: feed an input, journal it, perform the effects. Order of writing (reversal specification §9): the
row and its "may have been sent" mark are durable before the first byte leaves; the outcome is durable before the
institution hears it; "delivery started" stands in the same commit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

from gateway.core.facts import head_node
from gateway.core.model import (
    TERMINAL,
    Accept,
    Accepted,
    Advance,
    Duplicate,
    Entry,
    Known,
    NotAccepted,
    OpResult,
    Recall,
    State,
)
from gateway.exchange.job import Job
from gateway.exchange.judged import judged
from gateway.exchange.known import answer_known, delivering, refuse_duplicate
from gateway.exchange.lanes import AT_ONCE_S, call_each
from gateway.exchange.machine import Effects, Open, Record, Send, Settlement
from gateway.exchange.rescue import rescue
from gateway.exchange.verdict import Verdict

if TYPE_CHECKING:
    from gateway.exchange.clerk import Clerk

# Asked once the lane is taken; it calls with why nothing may be sent, '' when it may, None when nobody can tell.
Look = Callable[[Callable[["str | None"], None]], None]


@attrs.define(eq=False)
class Call:
    """One request, its machine, and everybody who waits for its answer. It is the link's Listener."""

    clerk: Clerk
    first: Job
    entry: Entry
    machine: Settlement
    jobs: list[Job] = attrs.Factory(list)
    began: float = 0.0
    outcome: tuple[bytes, Verdict] | None = None
    original: Entry | None = None  # what an institution's own 2601 reverses
    look: Look | None = None  # the last one, with the lane taken
    opened: bool = False  # the row is durable
    after: list[Callable[[], None]] = attrs.Factory(list)  # who waits for this call to be over (RV8)
    conflict: bool = False
    refused: bool = False  # its row was not taken: it enters no lane any more
    rescued: bool = False  # a bug of ours stopped it: `rescue` ends it, and nothing that comes changes that
    retry_safe: bool = False

    def __attrs_post_init__(self) -> None:
        self.jobs.append(self.first)

    @property
    def live(self) -> bool:
        """Whether somebody still waits for what comes of this call."""
        return self.clerk.live.get((self.entry.fixmedins_code, self.entry.msgid)) is self

    # --- coming in ---

    def begin(self) -> None:
        if not self.first.link.breaker.admit():
            # What the journal knows is answered from there (X7); for the rest nothing is recorded (X37).
            self._ask_journal(self._no_way)
            return
        self._with_lane(self._hindered)

    def _with_lane(self, hindered: Callable[[str | None], None]) -> None:
        """Take the lane and begin, unless the last look says why not."""
        self.clerk.lanes.enter(self.entry)

        def looked(why: str | None) -> None:
            if not self.live:
                return  # its row was not taken
            if why == "":
                self.do(self.machine.begin())
            else:
                hindered(why)

        if self.look is None:
            self.do(self.machine.begin())
        else:
            self.look(lambda why: self.safely(looked, why))

    def _hindered(self, why: str | None) -> None:
        """Nothing is durable yet."""
        self.clerk.lanes.leave(self.entry)
        if why is None:
            self._not_accepted()
        else:
            code = "GW-REVERSAL-REFUSED"
            self._tell_each(lambda job: job.refuse(code, "refused", detail=why, other=self.original))

    def wait(self, holder: Entry) -> None:
        """The lane's holder is on its way: stand in line, durably."""
        if not self.clerk.lanes.wait(self.entry, lambda: self.safely(self.next_in_line)):
            self.ask_first(holder)
            return
        self.do(self.machine.wait())

    def next_in_line(self) -> None:
        """The lane is free, or its holder fell into doubt."""
        holder = self.clerk.lanes.in_the_way(self.entry)
        if not self.live or self.refused:
            return  # it was a repeat, or was refused meanwhile
        if holder is not None and holder is not self.entry:
            self.do(self.machine.never_left())
            return
        if not self.first.link.breaker.admit():
            self.do(self.machine.never_left())
            return
        # Its row is durable: what may not leave any more is told as "not sent", and refused when it comes again.
        self._with_lane(lambda why: self.do(self.machine.never_left()))

    def ask_first(self, holder: Entry) -> None:
        """The lane is in doubt or full: answer a known msgid from the journal, refuse any other at once."""
        code = "GW-REVERSING" if holder.state == "REVERSING" else "GW-LANE-BUSY"
        self.clerk.clock.callLater(AT_ONCE_S, self._at_once)
        self._ask_journal(lambda: self._refuse(code, holder))

    def _at_once(self) -> None:
        """The journal is slow, and a person stands at the counter: that much is true of any msgid (I10)."""
        if self.live and not self.opened:
            self._tell_state("REVERSING")

    def _ask_journal(self, unknown: Callable[[], None]) -> None:
        """Answer from the journal when it holds the msgid, else by `unknown`."""

        def told(found: OpResult | NotAccepted) -> None:
            if not self.live:
                return  # it was told already that somebody must ask again
            if isinstance(found, Known):
                self._known(found)
            elif found is None:
                unknown()
            else:
                self._tell_state("IN_DOUBT")  # nobody can look it up: "unknown" is always allowed (I3)

        self.clerk.queue.submit(Recall(self.entry.fixmedins_code, self.entry.msgid), told)

    def safely(self, step: Callable[..., None], *arguments: object) -> None:
        """Take one step; whatever goes wrong, nobody waits for ever, nothing is promised, and no lane stays behind."""
        if self.rescued:
            return
        try:
            step(*arguments)
        except Exception:  # boundary: a bug of ours; the log gets type and place
            self.rescued = True
            self.alarm_internal()
            if self.entry.state != "JOURNALED":  # it may have left
                self.entry.state = "IN_DOUBT"
            self._tell_state("IN_DOUBT")
            rescue(self)
            call_each(self.clerk.lanes.release_waiting(self.entry))
            raise

    # --- effects ---

    def do(self, effects: Effects) -> None:
        for effect in effects:
            if isinstance(effect, Record):
                self._record(effect)
            elif isinstance(effect, Send):
                self._send()
            elif isinstance(effect, Open):
                self._open(effect.state)
            elif self.outcome is not None:
                self._late(effect.what, self.outcome[1])

    def _open(self, state: State) -> None:
        self.entry.state = state
        # Who waits for the lane may be called while this row is on its way to disk: by then the entry has moved on.
        op = Accept(entry=self.entry, evidence=self.first.evidence)
        self.clerk.queue.submit(op, lambda found: self.safely(self._opened, state, found))

    def _opened(self, state: State, found: OpResult | NotAccepted) -> None:
        if isinstance(found, Accepted):
            self.opened = True
            if state == "SENT":
                self.do(self.machine.durable())
            return
        self.refused = True
        self.clerk.lanes.leave(self.entry)
        if isinstance(found, Known):
            self._known(found)
        elif isinstance(found, Duplicate):
            self._duplicate(found)
        else:
            # Reading needs no space: a repeat of what is known must not hear "not executed".
            self._ask_journal(self._not_accepted)

    def _send(self) -> None:
        job, link = self.first, self.first.link
        now = self.clerk.clock.seconds()
        # The deadline counts from the request's arrival (X6): who waited for the lane, or for space, has less left.
        # No clock that was set back makes it more.
        left = min(job.began + link.timeout_s - now, link.timeout_s)
        if left < link.timeout_s / 2:
            self.do(self.machine.never_left())
            return
        self.began = now
        try:
            path, headers = link.codec.request(job.infno, now)
        except Exception:  # boundary: our own fault before the first byte; the alarm tells of it
            self.alarm_internal()
            self.do(self.machine.never_left())
            return
        link.exchange.send(path, headers, job.body, self, left, link.late_s)

    def _record(self, effect: Record) -> None:
        if effect.was == effect.to:
            self._tell()
            return
        self.entry.state = effect.to
        answer, verdict = None, None
        if effect.to in ("ACKED", "REJECTED"):
            assert self.outcome is not None
            answer, verdict = self.outcome
        elif effect.to == "NOT_SENT":
            answer = self.first.state_answer("NOT_SENT")[0]
            self.outcome = (answer, self.outcome[1] if self.outcome is not None else Verdict("not_sent", "never_left"))
        alive = any(job.incoming.alive for job in self.jobs)
        self.entry.delivered = effect.tell and answer is not None and alive
        op = Advance(
            entry=self.entry,
            was=effect.was,
            to=effect.to,
            at_ms=int(self.clerk.clock.seconds() * 1000),
            reason=self._reason(effect.to),
            setl_id=verdict.setl_id if verdict is not None else "",
            mdtrt_id=verdict.mdtrt_id if verdict is not None else "",
            settled=verdict.settled if verdict is not None else "",
            answer=answer,
            delivered=self.entry.delivered,
            cancels=self._cancels(effect.to),
            undoes=self.original.id if self.original is not None and effect.to == "ACKED" else 0,
        )
        self.clerk.queue.submit(op, lambda moved: self.safely(self._recorded, effect, moved))
        if effect.tell and self.clerk.queue.full:
            self.stalled()

    def _reason(self, to: State) -> str:
        usual = {"SENT": "sent", "IN_DOUBT": "silent"}.get(to, to)
        return usual if self.outcome is None else self.outcome[1].reason

    def _cancels(self, to: State) -> str:
        """The settlement a successful cancellation undoes."""
        if to != "ACKED" or self.first.plan.transaction.kind != "undo":
            return ""
        setl_id = head_node(self.first.plan.head, self.first.tree["input"]).get("setl_id")
        return setl_id if isinstance(setl_id, str) else ""

    def _recorded(self, effect: Record, moved: OpResult | NotAccepted) -> None:
        if not self.live:
            return  # its row was a repeat or was not taken: there was nothing to move
        if moved is not True:
            # Somebody else moved the row: our picture is wrong, so nothing is promised.
            self.first.watch.alarm("state_conflict", self.entry.fixmedins_code, self.entry.msgid)
            self.entry.state = "IN_DOUBT"
            self.conflict = True
            self._tell()
            return
        if effect.to == "SENT":
            self.do(self.machine.durable())
        elif effect.tell:
            self._tell()

    # --- what came of it (Listener) ---

    def answered(self, status: int, content_type: bytes, body: bytes, whole: bool) -> None:
        if self.rescued:
            self._late("LATE_RESPONSE", self._read(status, body, whole)[1])
        self.safely(self._answered, status, body, whole)

    def _late(self, what: str, verdict: Verdict) -> None:
        """Nobody waits for this answer any more: an alarm, and evidence (§4.4)."""
        self.first.watch.alarm(what, self.entry.fixmedins_code, self.entry.msgid)
        self.clerk.office.late.heard(self.entry, verdict.kind, verdict.setl_id)

    def _read(self, status: int, body: bytes, whole: bool) -> tuple[bytes, Verdict]:
        try:
            return judged(self, status, body, whole)
        except Exception:  # boundary: a fault of ours while reading an answer is doubt, never silence (style §5)
            self.alarm_internal()
            return b"", Verdict("doubt", "internal")

    def _answered(self, status: int, body: bytes, whole: bool) -> None:
        job, link = self.first, self.first.link
        link.breaker.worked()
        job.watch.platform(link.name, self.clerk.clock.seconds() - self.began)
        self.outcome = self._read(status, body, whole)
        verdict, machine = self.outcome[1], self.machine
        if verdict.kind == "acked":
            self.do(machine.acked())
        elif verdict.kind == "rejected":
            self.do(machine.rejected())
        elif verdict.kind == "not_sent" and self.entry.state == "SENT":
            self.do(machine.never_left())
        else:
            self.do(machine.unclear())

    def alarm_internal(self) -> None:
        self.first.watch.alarm("internal_error", self.entry.fixmedins_code, self.entry.msgid)

    def not_sent(self, reason: str) -> None:
        self.first.link.breaker.failed()
        self.outcome = (b"", Verdict("not_sent", reason))
        # After the deadline the doubt is durable and stays: whoever heard of it must not hear something else.
        self.safely(self._left_or_not)

    def _left_or_not(self) -> None:
        self.do(self.machine.never_left() if self.entry.state == "SENT" else self.machine.unclear())

    def silent(self) -> None:
        self.first.link.breaker.failed()
        self.outcome = None
        self.safely(lambda: self.do(self.machine.fell_silent()))

    def lost(self, reason: str) -> None:
        if self.entry.state == "SENT":
            self.first.link.breaker.failed()
        self.outcome = (b"", Verdict("doubt", reason))
        self.safely(lambda: self.do(self.machine.unclear()))

    # --- answering ---

    def _tell(self) -> None:
        """Answer everybody who waits, by the durable state; give the lane up or block it."""
        state = self.entry.state
        if state == "ACKED" and not self.entry.delivered and any(job.incoming.alive for job in self.jobs):
            # Somebody attached while the outcome went to disk: a success is handed over only once the journal says
            # that its delivery started (reversal specification §9, RV4).
            self.entry.delivered = True
            self.clerk.queue.submit(delivering(self.entry, self.clerk.clock), lambda moved: self._tell())
            if self.clerk.queue.full:
                self.stalled()
            return
        self._end()
        if state in TERMINAL and self.outcome is not None:
            body = self.outcome[0]
            result = "ok" if state == "ACKED" else ("refused" if state == "REJECTED" else "not_sent")
            for job in self.jobs:
                job.reply(body, result, "" if state != "NOT_SENT" else "GW-NOT-SENT")  # type: ignore[arg-type]
            self.clerk.lanes.leave(self.entry)
            return
        self._tell_state(state)
        call_each(self.clerk.lanes.release_waiting(self.entry))
        if not self.conflict:
            self.clerk.office.begin(self.entry, self.original or self.entry, int(self.began * 1000))

    def stalled(self) -> None:
        """Space is out: whoever waits for the disk is told that the result is unknown, and asks again (X6)."""
        if self.opened and not (self.entry.state == "SENT" and self.began):
            for job in self.jobs:
                job.say_state("IN_DOUBT")

    def _tell_state(self, state: State) -> None:
        self._tell_each(lambda job: job.say_state(state))

    def _not_accepted(self) -> None:
        self._tell_each(lambda job: job.turn_away("GW-NOT-ACCEPTED", "not_sent"))

    def _no_way(self) -> None:
        words = "平台链路已熔断"
        self._tell_each(lambda job: job.refuse("GW-NOT-SENT", "not_sent", detail=words, repeat="same"))

    def _known(self, found: Known) -> None:
        """The msgid is in the journal: stored answer, state answer, or another content (X7, X10)."""
        self._tell_each(lambda job: answer_known(job, found, self.clerk.queue, self.clerk.lanes))

    def _duplicate(self, found: Duplicate) -> None:
        self._tell_each(lambda job: refuse_duplicate(job, found))

    def _refuse(self, code: str, holder: Entry) -> None:
        self._tell_each(lambda job: job.refuse(code, "duplicate", other=holder))

    def _tell_each(self, tell: Callable[[Job], None]) -> None:
        self._end()
        for job in self.jobs:
            tell(job)

    def _end(self) -> None:
        self.clerk.live.pop((self.entry.fixmedins_code, self.entry.msgid), None)
        after, self.after = self.after, []
        for call in after:
            self.clerk.clock.callLater(0, call)
