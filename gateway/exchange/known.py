"""Answers that come out of the journal: a repeated msgid, or a business key that another msgid holds.

Rules: reversal specification §8; contract-annex X7, X10, X37.
"""

from gateway.core.answers import state_made
from gateway.core.model import FAILED, Advance, Duplicate, Entry, Known, NotAccepted, OpResult
from gateway.core.ports import Clock
from gateway.exchange.job import Job
from gateway.exchange.lanes import Lanes
from gateway.exchange.queue import JournalQueue
from gateway.exchange.relay import refuse_reused

KEPT_MS = 400 * 86_400_000  # from then on answers may be deleted (security specification §9)
_GONE = "应答原文已不在网关"
_SOFT = "十分钟内有内容相同的购药结算，如确为另一笔请填写发票号后重发"


def delivering(entry: Entry, clock: Clock) -> Advance:
    """Return the mark that a success is being handed to the institution; the state stays."""
    at_ms = int(clock.seconds() * 1000)
    return Advance(entry=entry, was=entry.state, to=entry.state, at_ms=at_ms, reason="delivered", delivered=True)


def answer_known(job: Job, found: Known, queue: JournalQueue, lanes: Lanes) -> None:
    """Answer a repeated msgid from what the journal holds of it."""
    entry, answer = found.entry, found.answer
    if entry.digest != job.digest and entry.state != "EXTERNAL":
        refuse_reused(job)
    elif entry.cancelled and not entry.delivered and entry.state not in FAILED:
        # The institution reversed what it never heard of: this msgid must not tell it of a success any more.
        # The same bytes each time (X7): they are made of the record alone.
        body = state_made(entry, "REVERSED", entry.created_ms / 1000, job.link.infcode)
        job.reply(body, "duplicate", "GW-REVERSED")
    elif found.undoing == "MANUAL":  # whether it was taken back, a person finds out
        job.say_state("MANUAL")
    elif entry.state in ("ACKED", "CONFIRMED") and not entry.delivered and lanes.undoing(entry):
        # The institution is taking back what it never heard of; a success told now would be wrong in a moment (I5).
        job.say_state("REVERSING")
    elif entry.state == "EXTERNAL":  # the platform has it, and nobody here its content or its answer
        job.say_state("MANUAL", "duplicate")
    elif answer is None:
        _without_answer(job, entry)
    elif entry.state not in ("ACKED", "CONFIRMED") or entry.delivered or not job.incoming.alive:
        job.reply(answer, "duplicate")
    else:
        _deliver(job, entry, answer, queue)


def _without_answer(job: Job, entry: Entry) -> None:
    """What is over always has an answer, unless its time is over, too. An earlier one that is not there is sealed under
    another key, or was changed. Nobody hears "not executed" of what was, nor a success without its amounts.
    """
    age_ms = job.clock.seconds() * 1000 - entry.created_ms
    if entry.state in ("ACKED", "CONFIRMED", "REJECTED", "DONE") and age_ms < KEPT_MS:
        job.watch.alarm("answer_unreadable", entry.fixmedins_code, entry.msgid)
    if entry.state in ("ACKED", "CONFIRMED"):
        job.refuse("GW-DUPLICATE-SETTLEMENT", "duplicate", other=entry, detail=_GONE)
    elif entry.state == "REJECTED":
        job.refuse("GW-ABSENT", "duplicate", other=entry, detail=f"医保平台当时拒绝了该笔，{_GONE}", repeat="new")
    else:
        job.say_state("MANUAL" if entry.state == "DONE" else entry.state)


def _deliver(job: Job, entry: Entry, answer: bytes, queue: JournalQueue) -> None:
    """Hand over a success nobody heard of so far, once the journal says that its delivery started (RV4)."""
    if queue.full:  # its delivery cannot be noted
        job.say_state("IN_DOUBT")
        return

    def noted(moved: OpResult | NotAccepted) -> None:
        job.reply(answer, "duplicate")

    queue.submit(delivering(entry, job.clock), noted)


def refuse_duplicate(job: Job, found: Duplicate) -> None:
    """Another msgid holds the business key (reversal specification §8)."""
    other = found.entry
    if found.soft:
        job.refuse(
            "GW-DUPLICATE-SETTLEMENT",
            "duplicate",
            other=other,
            detail=_SOFT,
        )
    elif other.state in ("ACKED", "CONFIRMED"):
        job.refuse("GW-DUPLICATE-SETTLEMENT", "duplicate", other=other)
    else:
        code = {"REVERSING": "GW-REVERSING", "MANUAL": "GW-MANUAL"}.get(other.state, "GW-IN-DOUBT")
        job.refuse(code, "duplicate", other=other)
