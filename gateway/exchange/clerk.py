"""Takes money-moving requests: one call for each msgid, one at a time for each insured person. `call` drives them."""

from collections.abc import Callable

import attrs

from gateway.core.facts import Digest, facts_of
from gateway.core.model import DOUBT, Entry
from gateway.core.ports import Clock
from gateway.exchange.call import Call, Look
from gateway.exchange.job import Job
from gateway.exchange.lanes import Lanes
from gateway.exchange.machine import new_settlement
from gateway.exchange.queue import JournalQueue
from gateway.exchange.relay import refuse_reused
from gateway.exchange.saf import StoreForward


@attrs.define(eq=False)
class Clerk:
    """Takes money requests. live: those on their way, by (institution, msgid)."""

    clock: Clock
    queue: JournalQueue
    lanes: Lanes
    office: StoreForward
    new_id: Callable[[], int]
    digest: Digest
    visit_code: Callable[[str, str, str, str], str]
    live: dict[tuple[str, str], Call] = attrs.Factory(dict)

    def take(self, job: Job) -> None:
        """Take a checked, translated request of class M, A or R."""
        key = (job.institution.code, job.msgid)
        call = self.live.get(key)
        if call is not None:
            if call.entry.digest != job.digest:
                refuse_reused(job)
            else:
                call.jobs.append(job)
                if self.queue.full:
                    call.stalled()
            return
        self._start(Call(self, job, self.entry_of(job), new_settlement()))

    def take_reversal(self, jobs: list[Job], original: Entry, look: Look | None) -> None:
        """Send an institution's own 2601 for a known end, in the lane of its original. One live an original (RV5).

        look: the last one before it is sent, with the lane taken.
        """
        if (jobs[0].institution.code, jobs[0].msgid) in self.live:
            for job in jobs:  # meanwhile another request took this msgid
                self.take(job)
            return
        key = f"2601|{original.fixmedins_code}|{original.msgid}"
        entry = attrs.evolve(self.entry_of(jobs[0]), lane=original.lane, mdtrt_id="", business_key=key)
        call = Call(self, jobs[0], entry, new_settlement(), original=original, look=look)
        call.jobs += jobs[1:]
        self._start(call)

    def _start(self, call: Call) -> None:
        self.live[call.entry.fixmedins_code, call.entry.msgid] = call
        holder = self.lanes.in_the_way(call.entry)
        if holder is None:
            call.safely(call.begin)
        elif holder.state in DOUBT:
            call.ask_first(holder)
        else:  # on its way, or its outcome is on its way to disk
            call.safely(call.wait, holder)

    def watch_alarm(self, job: Job, name: str) -> None:
        """Raise an alarm about a request."""
        job.watch.alarm(name, job.institution.code, job.msgid)

    def stalled(self) -> None:
        """Space ran out: who waits for a durable outcome is told that the result is unknown (never a promise)."""
        for call in list(self.live.values()):
            call.stalled()

    def entry_of(self, job: Job) -> Entry:
        """Return the row of a request of class M, A or R."""
        message = job.tree["input"]
        self.office.remember(job.institution.code, job.tree)
        facts = facts_of(job.infno, job.institution.code, message, self.digest, job.plan.head)
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
            mdtrtarea_admvs=job.admdvs,
            med_type=facts.med_type,
            medfee_fen=facts.medfee_fen,
        )
