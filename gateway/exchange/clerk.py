"""Drives one money-moving request: feeds the machine, journals, sends, answers. As dull as possible.

Order of writing (reversal specification §9): the row and its "may have been sent" mark are durable before the first
byte leaves; the outcome is durable before the institution hears it; "delivery started" stands in the same commit.
"""

from collections.abc import Callable

import attrs

from gateway.core.backward import translate_back
from gateway.core.facts import Digest, facts_of
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
from gateway.core.ports import Clock
from gateway.exchange.job import Job
from gateway.exchange.lanes import Lanes
from gateway.exchange.machine import Effects, Open, Record, Send, Settlement, new_settlement
from gateway.exchange.queue import JournalQueue
from gateway.exchange.relay import refuse_reused
from gateway.exchange.verdict import Verdict

_SOFT = "十分钟内有内容相同的购药结算，如确为另一笔请填写发票号后重发"


@attrs.define(eq=False)
class Clerk:
    """Takes money requests. live: those on their way, by (institution, msgid)."""

    clock: Clock
    queue: JournalQueue
    lanes: Lanes
    new_id: Callable[[], int]
    digest: Digest
    visit_code: Callable[[str, str, str, str], str]
    live: dict[tuple[str, str], "Call"] = attrs.Factory(dict)

    def take(self, job: Job) -> None:
        """Take a checked, translated request of class M, A or R."""
        key = (job.institution.code, job.msgid)
        call = self.live.get(key)
        if call is not None:
            if call.entry.digest != job.digest:
                refuse_reused(job)
            else:
                call.jobs.append(job)
            return
        call = Call(self, job, self._entry(job), new_settlement())
        self.live[key] = call
        holder = self.lanes.holder(call.entry.lane)
        if holder is None:
            call.begin()
        elif holder.state in ("JOURNALED", "SENT"):
            call.wait(holder)
        else:
            call.ask_first(holder)

    def take_reversal(self, job: Job, original: Entry, undone: Callable[[], None]) -> None:
        """Send a 2601 for an original in doubt; `undone` is called when the platform says yes.

        It holds no lane of its own: it works on the lane its original blocks. One live reversal an original (RV5).
        """
        entry = attrs.evolve(
            self._entry(job), lane="", mdtrt_id="", business_key=f"2601|{original.fixmedins_code}|{original.msgid}"
        )
        key = (entry.fixmedins_code, entry.msgid)
        if key in self.live:
            self.take(job)
            return
        self.live[key] = call = Call(self, job, entry, new_settlement(), undone=undone)
        call.begin()

    def watch_alarm(self, job: Job, name: str) -> None:
        """Raise an alarm about a request."""
        job.watch.alarm(name, job.institution.code, job.msgid)

    def stalled(self) -> None:
        """Space ran out: who waits for a durable outcome is told that the result is unknown (never a promise)."""
        for call in list(self.live.values()):
            call.stalled()

    def _entry(self, job: Job) -> Entry:
        message = job.tree["input"]
        facts = facts_of(job.infno, job.institution.code, message, self.digest)
        insuplc = job.tree.get("insuplc_admdvs")
        return Entry(
            id=self.new_id(),
            fixmedins_code=job.institution.code,
            msgid=job.msgid,
            infno=job.infno,
            klass=job.klass,
            link=job.link.name,
            state="JOURNALED",
            digest=job.digest,
            created_ms=int(self.clock.seconds() * 1000),
            business_key=facts.business_key,
            soft_key=facts.soft_key,
            lane=facts.lane,
            psn_no=facts.psn_no,
            mdtrt_id=facts.mdtrt_id,
            setl_id=facts.setl_id if job.plan.transaction.kind == "money" else "",
            omsgid=facts.omsgid,
            insuplc_admdvs=insuplc if isinstance(insuplc, str) else "",
            medfee_fen=facts.medfee_fen,
        )


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
    undone: Callable[[], None] | None = None
    retry_safe: bool = False

    def __attrs_post_init__(self) -> None:
        self.jobs.append(self.first)

    # --- coming in ---

    def begin(self) -> None:
        if not self.first.link.breaker.admit():
            self._end()
            for job in self.jobs:
                job.refuse("GW-NOT-SENT", "not_sent", detail="平台链路已熔断")
            return
        self.clerk.lanes.enter(self.entry)
        self.do(self.machine.begin())

    def wait(self, holder: Entry) -> None:
        """The lane's holder is on its way: stand in line, durably."""
        if not self.clerk.lanes.wait(self.entry, self.next_in_line):
            self._refuse("GW-LANE-BUSY", holder)
            return
        self.do(self.machine.wait())

    def next_in_line(self) -> None:
        """The lane is free, or its holder fell into doubt."""
        holder = self.clerk.lanes.holder(self.entry.lane)
        if (self.entry.fixmedins_code, self.entry.msgid) not in self.clerk.live:
            return  # it was a repeat, or was refused meanwhile
        if holder is not None and holder is not self.entry:
            self.do(self.machine.never_left())
            return
        self.clerk.lanes.enter(self.entry)
        self.do(self.machine.begin())

    def ask_first(self, holder: Entry) -> None:
        """The lane is in doubt: answer a known msgid from the journal, refuse any other at once."""

        def told(found: OpResult | NotAccepted) -> None:
            if isinstance(found, Known):
                self._known(found)
            else:
                self._refuse("GW-REVERSING" if holder.state == "REVERSING" else "GW-LANE-BUSY", holder)

        self.clerk.queue.submit(Recall(self.entry.fixmedins_code, self.entry.msgid), told)

    # --- effects ---

    def do(self, effects: Effects) -> None:
        for effect in effects:
            if isinstance(effect, Record):
                self._record(effect)
            elif isinstance(effect, Send):
                self._send()
            elif isinstance(effect, Open):
                self.entry.state = effect.state
                self.clerk.queue.submit(Accept(entry=self.entry, evidence=self.first.evidence), self._opened)
            else:
                self.first.watch.alarm(effect.what, self.entry.fixmedins_code, self.entry.msgid)

    def _opened(self, found: OpResult | NotAccepted) -> None:
        if isinstance(found, Accepted):
            if self.entry.state == "SENT":
                self.do(self.machine.durable())
            return
        self.clerk.lanes.leave(self.entry)
        if isinstance(found, Known):
            self._known(found)
        elif isinstance(found, Duplicate):
            self._duplicate(found)
        else:
            self._end()
            for job in self.jobs:
                job.turn_away("GW-NOT-ACCEPTED", "not_sent")

    def _send(self) -> None:
        job, link = self.first, self.first.link
        self.began = self.clerk.clock.seconds()
        path, headers = link.codec.request(job.infno, self.began)
        link.exchange.send(path, headers, job.body, self, link.timeout_s, link.late_s)

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
            self.outcome = (answer, Verdict("not_sent", "not_sent"))
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
        )
        self.clerk.queue.submit(op, lambda moved: self._recorded(effect, moved))

    def _reason(self, to: State) -> str:
        return (
            self.outcome[1].reason if self.outcome is not None else {"SENT": "sent", "IN_DOUBT": "silent"}.get(to, to)
        )

    def _cancels(self, to: State) -> str:
        """The settlement a successful cancellation undoes."""
        if to != "ACKED" or self.first.plan.transaction.kind != "undo":
            return ""
        message = self.first.tree["input"]
        data = message.get("data")
        setl_id = data.get("setl_id") if isinstance(data, dict) else None
        return setl_id if isinstance(setl_id, str) else ""

    def _recorded(self, effect: Record, moved: OpResult | NotAccepted) -> None:
        if moved is not True:
            # Somebody else moved the row: our picture is wrong, so nothing is promised.
            self.first.watch.alarm("state_conflict", self.entry.fixmedins_code, self.entry.msgid)
            self.entry.state = "IN_DOUBT"
            self._tell()
            return
        if effect.to == "SENT":
            self.do(self.machine.durable())
        elif effect.tell:
            self._tell()

    # --- what came of it (Listener) ---

    def answered(self, status: int, content_type: bytes, body: bytes, whole: bool) -> None:
        job, link = self.first, self.first.link
        link.breaker.worked()
        job.watch.platform(link.name, self.clerk.clock.seconds() - self.began)
        reply = link.codec.read(status, body, whole, True)
        verdict = link.judge.money(status, reply, job.plan.transaction, self.entry)
        if verdict.kind == "acked" and reply.tree is not None:
            body = self._translated(reply.tree, body)
        self.outcome = (body, verdict)
        machine = self.machine
        if verdict.kind == "acked":
            self.do(machine.acked())
        elif verdict.kind == "rejected":
            self.do(machine.rejected())
        elif verdict.kind == "not_sent" and self.entry.state == "SENT":
            self.do(machine.never_left())
        else:
            self.do(machine.unclear())

    def _translated(self, tree: dict[str, object], body: bytes) -> bytes:
        job = self.first
        backward = job.link.backward[job.infno]
        if not backward.nodes or not backward.wanted(job.institution.snapshot):
            return body
        code, visit = self.entry.fixmedins_code, self.entry.mdtrt_id
        new = translate_back(
            backward,
            tree,
            job.institution.snapshot,
            job.day,
            lambda slot, national: self.clerk.visit_code(code, visit, slot, national) if visit else "",
        )
        return body if new is None else new

    def not_sent(self, reason: str) -> None:
        self.first.link.breaker.failed()
        self.outcome = None
        self.do(self.machine.never_left())

    def silent(self) -> None:
        self.first.link.breaker.failed()
        self.outcome = None
        self.do(self.machine.fell_silent())

    def lost(self, reason: str) -> None:
        if self.entry.state == "SENT":
            self.first.link.breaker.failed()
        self.outcome = (b"", Verdict("doubt", reason))
        self.do(self.machine.unclear())

    # --- answering ---

    def _tell(self) -> None:
        """Answer everybody who waits, by the durable state; give the lane up or block it."""
        state = self.entry.state
        self._end()
        if state in TERMINAL and self.outcome is not None:
            body = self.outcome[0]
            result = "ok" if state == "ACKED" else ("refused" if state == "REJECTED" else "not_sent")
            for job in self.jobs:
                job.reply(body, result, "" if state != "NOT_SENT" else "GW-NOT-SENT")  # type: ignore[arg-type]
            self.clerk.lanes.leave(self.entry)
            if self.undone is not None and state == "ACKED":
                self.undone()
            return
        for job in self.jobs:
            body, code = job.state_answer(state)
            job.reply(body, "in_doubt", code)
        for call in self.clerk.lanes.release_waiting(self.entry):
            call()

    def stalled(self) -> None:
        if self.entry.state in TERMINAL or self.entry.state == "IN_DOUBT":
            for job in self.jobs:
                body, code = job.state_answer("IN_DOUBT")
                job.reply(body, "in_doubt", code)

    def _known(self, found: Known) -> None:
        """The msgid is in the journal: stored answer, state answer, or another content (X7, X10)."""
        self._end()
        for job in self.jobs:
            answer_known(job, found)

    def _duplicate(self, found: Duplicate) -> None:
        self._end()
        for job in self.jobs:
            refuse_duplicate(job, found)

    def _refuse(self, code: str, holder: Entry) -> None:
        self._end()
        for job in self.jobs:
            job.refuse(code, "duplicate", other=holder)

    def _end(self) -> None:
        self.clerk.live.pop((self.entry.fixmedins_code, self.entry.msgid), None)


def answer_known(job: Job, found: Known) -> None:
    """Answer a repeated msgid from what the journal holds of it."""
    if found.entry.digest != job.digest:
        refuse_reused(job)
    elif found.answer is not None:
        job.reply(found.answer, "duplicate")
    else:
        body, code = job.state_answer(found.entry.state)
        job.reply(body, "in_doubt", code)


def refuse_duplicate(job: Job, found: Duplicate) -> None:
    """Another msgid holds the business key (reversal specification §8)."""
    other = found.entry
    if found.soft:
        job.refuse(
            "GW-DUPLICATE-SETTLEMENT",
            "duplicate",
            other=other,
            detail="十分钟内有内容相同的购药结算，如确为另一笔请填写发票号后重发",
        )
    elif other.state in ("ACKED", "CONFIRMED"):
        job.refuse("GW-DUPLICATE-SETTLEMENT", "duplicate", other=other)
    else:
        code = {"REVERSING": "GW-REVERSING", "MANUAL": "GW-MANUAL"}.get(other.state, "GW-IN-DOUBT")
        job.refuse(code, "duplicate", other=other)
