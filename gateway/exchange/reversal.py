"""A reversal the institution asks for (2601): accepted only for what the journal holds, by the rules RV1-RV9.

The gateway's own reversals of doubt come with the next part; this one already ends a doubt when the platform says yes.
Source: reversal specification §6; contract-annex X3 (forward_settled_reversal, his_may_reverse_acked).
"""

import attrs

from gateway.core.facts import facts_of
from gateway.core.jsontext import encode
from gateway.core.model import FAILED, Advance, Entry, Keep, Known, NotAccepted, OpResult, Recall, State
from gateway.exchange.clerk import Clerk
from gateway.exchange.job import Job
from gateway.exchange.known import answer_known


@attrs.define(eq=False)
class Reversals:
    """Takes 2601 of institutions."""

    clerk: Clerk

    def take(self, job: Job) -> None:
        """Decide by what the journal knows of the original (omsgid of the same institution)."""
        facts = facts_of(job.infno, job.institution.code, job.tree["input"], self.clerk.digest, job.plan.head)
        if (job.institution.code, job.msgid) in self.clerk.live:
            self.clerk.take(job)  # a repeat of one that is on its way
            return

        def own(found: OpResult | NotAccepted) -> None:
            if isinstance(found, Known):
                self._repeated(job, found, facts.omsgid)
            else:
                self.clerk.queue.submit(Recall(job.institution.code, facts.omsgid), told)

        def told(found: OpResult | NotAccepted) -> None:
            if isinstance(found, NotAccepted):
                job.turn_away("GW-NOT-ACCEPTED", "not_sent")
            elif not isinstance(found, Known) or found.entry.klass not in ("M", "A"):
                self.clerk.watch_alarm(job, "reversal_unknown")  # another's number, or one nobody sent (T9)
                self._refuse(job, "日志中没有原交易")
            elif found.entry.infno != facts.oinfno or found.entry.psn_no != facts.psn_no:
                self.clerk.watch_alarm(job, "reversal_mismatch")
                self._refuse(job, "原交易编号或人员编号与原交易不符")
            else:
                self._decide(job, found.entry)

        self.clerk.queue.submit(Recall(job.institution.code, job.msgid), own)

    def _repeated(self, job: Job, known: Known, omsgid: str) -> None:
        """Answer as the first time (X7); close what a crash between the two outcomes may have left open."""

        def left_open(found: OpResult | NotAccepted) -> None:
            if isinstance(found, Known) and found.entry.state == "IN_DOUBT":
                self._undone(job, found.entry)

        if known.entry.state == "ACKED" and known.entry.digest == job.digest:
            self.clerk.queue.submit(Recall(job.institution.code, omsgid), left_open)
        answer_known(job, known, self.clerk.queue)

    def _decide(self, job: Job, original: Entry) -> None:
        state = original.state
        if state in FAILED:
            self._nothing_to_undo(job, state)
        elif state in ("ACKED", "CONFIRMED"):
            undo = job.link.plans[original.infno].transaction.undone_by
            self._refuse(job, f"原交易结果已知，请使用{undo}撤销" if undo else "原交易结果已知，不能冲正", original)
        elif state == "IN_DOUBT" and (original.fixmedins_code, original.msgid) not in self.clerk.live:
            if original.infno not in job.link.region.reversible:
                self._refuse(job, f"本地区交易{original.infno}不支持冲正", original)
                return
            if original.insuplc_admdvs:  # as everything of a reversal it is the journal's, never free input (RV1)
                job.tree["insuplc_admdvs"] = original.insuplc_admdvs
                job.body = encode(job.tree)
            self.clerk.take_reversal(job, original, lambda: self._undone(job, original))
        else:  # on its way, or its answer may still come within the late window (RV8)
            body, code = job.state_answer(state)
            job.reply(body, "in_doubt", code)

    def _nothing_to_undo(self, job: Job, state: State) -> None:
        """RV7: saying so is a success; it is recorded, so that a repeat gets the same bytes (X7)."""
        body = job.made("GW-REVERSED", success=True, state=state, repeat="no")
        entry = attrs.evolve(self.clerk.entry_of(job), state="DONE", lane="", mdtrt_id="", business_key="")

        def kept(found: OpResult | NotAccepted) -> None:
            job.reply(body, "ok", "GW-REVERSED")  # it moved nothing: true whether it could be kept or not

        if self.clerk.queue.full:  # nothing can be kept now
            job.reply(body, "ok", "GW-REVERSED")
        else:
            self.clerk.queue.submit(Keep(entry=entry, answer=body), kept)

    def _refuse(self, job: Job, why: str, original: Entry | None = None) -> None:
        job.refuse("GW-REVERSAL-REFUSED", "refused", detail=why, other=original)

    def _undone(self, job: Job, original: Entry) -> None:
        """The platform took it back: the doubt ends, the lane is free."""
        op = Advance(
            entry=original,
            was="IN_DOUBT",
            to="REVERSED",
            at_ms=int(self.clerk.clock.seconds() * 1000),
            reason="reversed_by_institution",
            answer=job.state_answer("REVERSED")[0],
        )

        def done(moved: OpResult | NotAccepted) -> None:
            holder = self.clerk.lanes.holder(original.lane)
            if moved is True and holder is not None and holder.id == original.id:
                holder.state = "REVERSED"
                self.clerk.lanes.leave(holder)

        self.clerk.queue.submit(op, done)
