"""A reversal the institution asks for (2601): accepted only for what the journal holds, by the rules RV1-RV10.

A doubt is ended by the gateway's own reversal, and the institution's 2601 waits for that; nothing to undo is answered
here; a known success is reversed only where that is allowed, by the institution's own message.
Source: reversal specification §6; contract-annex X3 (forward_settled_reversal, his_may_reverse_acked).
"""

from collections.abc import Callable
from typing import Any

import attrs

from gateway.core.answers import made
from gateway.core.dates import day_start_ms, shanghai
from gateway.core.facts import Facts, facts_of
from gateway.core.jsontext import encode
from gateway.core.model import DOUBT, FAILED, Entry, Keep, Known, Later, NotAccepted, OpResult, Recall, State
from gateway.exchange.bypass import Bypass
from gateway.exchange.call import Look
from gateway.exchange.clerk import Clerk
from gateway.exchange.job import Job
from gateway.exchange.known import answer_known
from gateway.exchange.relay import refuse_reused
from gateway.exchange.undo import Undo


@attrs.define(eq=False)
class Reversals:
    """Takes 2601 of institutions. live: those that are being decided or wait, by (institution, msgid)."""

    clerk: Clerk
    live: dict[tuple[str, str], "Request"] = attrs.Factory(dict)

    def take(self, job: Job) -> None:
        """Decide by what the journal knows of the original (omsgid of the same institution)."""
        key = (job.institution.code, job.msgid)
        known = self.live.get(key)
        if key in self.clerk.live:
            self.clerk.take(job)  # a repeat of one that is on its way
        elif known is None:
            facts = facts_of(job.infno, job.institution.code, job.tree["input"], self.clerk.digest, job.plan.head)
            self.live[key] = request = Request(self, job, facts)
            request.ask()
        elif known.first.digest != job.digest:
            refuse_reused(job)
        else:
            known.jobs.append(job)


@attrs.define(eq=False)
class Request:
    """One 2601 and everybody who sent it."""

    room: Reversals
    first: Job
    facts: Facts
    jobs: list[Job] = attrs.Factory(list)
    undo: Undo | None = None
    body: bytes = b""  # an answer that is true already and on its way to the journal
    _timer: Any = None

    def __attrs_post_init__(self) -> None:
        """Whatever it waits for, it is answered in time (X6)."""
        self.jobs.append(self.first)
        link = self.first.link
        self._timer = self.room.clerk.clock.callLater(link.timeout_s + link.late_s, self._expired)

    @property
    def over(self) -> bool:
        """Whether it was answered or handed on."""
        return self.room.live.get((self.first.institution.code, self.first.msgid)) is not self

    def ask(self) -> None:
        """Ask the journal: first whether this very msgid was answered before, then for the original."""
        if self.over:
            return
        clerk, code = self.room.clerk, self.first.institution.code

        def own(found: OpResult | NotAccepted) -> None:
            if self.over:
                return
            if isinstance(found, Known):
                self._end()
                for job in self.jobs:
                    answer_known(job, found, clerk.queue, clerk.lanes)
            else:
                clerk.queue.submit(Recall(code, self.facts.omsgid), self._known)

        clerk.queue.submit(Recall(code, self.first.msgid), own)

    def _known(self, found: OpResult | NotAccepted) -> None:
        """The journal was asked for the original."""
        if self.over:
            return
        if isinstance(found, NotAccepted):
            self.not_accepted()
        elif found is None and self.first.institution.reverse_unknown:
            Bypass(self).look()
        elif not isinstance(found, Known) or found.entry.klass not in ("M", "A"):
            self.unknown()
        elif not found.entry.infno:  # a statement names no transaction; and it may have been told (RV4)
            self._refuse("原交易由平台对账得知，请联系医保办处理", found.entry)
        elif found.entry.infno != self.facts.oinfno or found.entry.psn_no != self.facts.psn_no:
            self.room.clerk.watch_alarm(self.first, "reversal_mismatch")
            self._refuse("原交易编号或人员编号与原交易不符")
        else:
            self._decide(found.entry)

    def not_accepted(self) -> None:
        """The journal cannot keep or find what this needs."""
        if not self.over:
            self._end()
            for job in self.jobs:
                job.turn_away("GW-NOT-ACCEPTED", "not_sent")

    def unknown(self) -> None:
        """Nobody knows of the original: another's, or one nobody sent (T9, RV9)."""
        if not self.over:
            self.room.clerk.watch_alarm(self.first, "reversal_unknown")
            self._refuse("日志中没有原交易")

    def _decide(self, original: Entry) -> None:
        state, clerk = original.state, self.room.clerk
        # Its own area may not say where the original went (regime "local"): the journal knows.
        self.first.link = clerk.office.links.get(original.link, self.first.link)
        running = clerk.live.get((original.fixmedins_code, original.msgid))
        undo = clerk.office.live.get(original.id)
        if running is not None:
            running.after.append(self.ask)  # RV8: wait for what becomes of it
        elif state in FAILED:
            # RV10: an earlier day may be frozen, and what it lacks the books find.
            if self.first.institution.forward_settled_reversal and self._of_today(original):
                self._forward(original)
            else:
                self._nothing_to_undo(original, state)
        elif state in ("ACKED", "CONFIRMED", "EXTERNAL"):
            self._known_success(original)
        elif state in DOUBT and original.infno not in self.first.link.region.reversible:
            self._refuse(f"本地区交易{original.infno}不支持冲正", original)
        elif undo is not None:
            self._wait(undo)
        else:
            self._say(state)

    # --- a doubt ---

    def _wait(self, undo: Undo) -> None:
        """The gateway's own reversal is under way: hurry it, and say what came of it (RV5: no second one)."""
        self.undo = undo
        undo.told.append(self._ended)
        # A counter that asks again must not use up the tries of one the platform refuses in unknown words.
        if undo.row is None or not undo.row.refusals:
            undo.hurry()

    def _ended(self, state: State) -> None:
        original, self.undo = self.undo.original if self.undo is not None else None, None
        if state in FAILED and original is not None:
            self._nothing_to_undo(original, state)
        elif state == "CONFIRMED":
            self._refuse("原交易已确认成功", original)
        else:
            self._say(state)

    def _expired(self) -> None:
        if self.body:
            self._answer(self.body)
            return
        state: State = "IN_DOUBT"
        if self.undo is not None:
            state = self.undo.original.state
            self.undo.told.remove(self._ended)
        self._say(state)

    # --- a known end ---

    def _known_success(self, original: Entry) -> None:
        """RV6: not in general; where it is allowed, the same day, and while nothing was built on it."""
        why = self._hindrance(original)
        if why:
            self._refuse(why, original)
        elif original.state != "EXTERNAL":
            self._forward(original, self._last_look(original, None))
        elif self.first.institution.reverse_unknown:
            Bypass(self, original).look()  # what came after it may have gone past the gateway too
        else:
            self.unknown()

    def _hindrance(self, original: Entry) -> str:
        """Return why a known success is not reversed, '' when it may be."""
        job, instead = self.first, self._instead(original)
        if original.cancelled:
            return "原交易已撤销"
        if original.delivered and not job.institution.his_may_reverse_acked:
            return f"原交易结果已知{instead}"
        if original.infno not in job.link.region.reversible:
            return f"本地区交易{original.infno}不支持冲正{instead}"
        if not self._of_today(original):
            return f"原交易不是当日交易，不能冲正{instead}"  # RV10 too: earlier days may be frozen
        return ""

    def _of_today(self, original: Entry) -> bool:
        return shanghai(original.created_ms / 1000).date() == shanghai(self.room.clerk.clock.seconds()).date()

    def alone(self, original: Entry) -> None:
        """A statement shows nothing else of the person; but nobody saw when it was made, only that it was today."""
        today = shanghai(self.room.clerk.clock.seconds()).date()
        self._forward(original, self._last_look(original, day_start_ms(today)))

    def _last_look(self, original: Entry, since_ms: int | None) -> Look:
        """Return what is asked once the lane is taken: from then on nobody is told of the original any more (RV4), and
        nothing is built on it (RV6).
        """
        queue = self.room.clerk.queue

        def look(told: Callable[[str | None], None]) -> None:
            why: str | None = None

            def recalled(found: OpResult | NotAccepted) -> None:
                nonlocal why
                why = self._hindrance(found.entry) if isinstance(found, Known) else None

            def later(found: OpResult | NotAccepted) -> None:
                if why != "" or found is False:
                    told(why)
                else:
                    told(None if isinstance(found, NotAccepted) else self._later_text(original))

            queue.submit(Recall(original.fixmedins_code, original.msgid), recalled)
            queue.submit(Later(entry=original, since_ms=since_ms), later)

        return look

    def later_exists(self, original: Entry) -> None:
        """Something may have been built on it (RV6)."""
        self._refuse(self._later_text(original), original)

    def _later_text(self, original: Entry) -> str:
        return f"原交易之后已有该参保人的其他交易，不能冲正{self._instead(original)}"

    def _instead(self, original: Entry) -> str:
        plan = self.first.link.plans.get(original.infno)
        undo = plan.transaction.undone_by if plan is not None else ""
        return f"，请使用{undo}撤销" if undo else ""

    def _forward(self, original: Entry, look: Look | None = None) -> None:
        """Send the institution's own message if the look allows it; as of every reversal, its area is the journal's."""
        job = self.first
        if job.tree.get("insuplc_admdvs") != original.insuplc_admdvs:
            job.tree["insuplc_admdvs"] = original.insuplc_admdvs
            job.body = encode(job.tree)
        self._end()
        self.room.clerk.take_reversal(self.jobs, original, look)

    # --- answering ---

    def _nothing_to_undo(self, original: Entry, state: State) -> None:
        """RV7: saying so is a success, and it is recorded.

        A repeat gets the same bytes (X7), also when it could not be: they are made of the original's record alone.
        """
        job, queue = self.first, self.room.clerk.queue
        self.body = body = made(
            "GW-REVERSED",
            now_s=original.created_ms / 1000,
            region_infcode=job.link.infcode,
            admdvs=original.mdtrtarea_admvs,
            sequence=original.id,
            success=True,
            state=state,
            repeat="no",
        )
        entry = attrs.evolve(self.room.clerk.entry_of(job), state="DONE", lane="", mdtrt_id="", business_key="")

        if queue.full:  # nothing can be kept now
            self._answer(body)
        else:
            queue.submit(Keep(entry=entry, answer=body), lambda kept: self._answer(body))

    def _answer(self, body: bytes) -> None:
        """It moved nothing: true whether it could be kept or not."""
        self._end()
        for one in self.jobs:
            one.reply(body, "ok", "GW-REVERSED")

    def _refuse(self, why: str, original: Entry | None = None) -> None:
        self._end()
        for job in self.jobs:
            job.refuse("GW-REVERSAL-REFUSED", "refused", detail=why, other=original)

    def _say(self, state: State) -> None:
        self._end()
        for job in self.jobs:
            job.say_state(state)

    def _end(self) -> None:
        if self._timer.active():
            self._timer.cancel()
        self.room.live.pop((self.first.institution.code, self.first.msgid), None)
