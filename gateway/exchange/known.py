"""Answers that come out of the journal: a repeated msgid, or a business key that another msgid holds.

Rules: reversal specification §8; contract-annex X7, X10, X37.
"""

from gateway.core.answers import state_made
from gateway.core.model import Advance, Duplicate, Entry, Known, NotAccepted, OpResult
from gateway.core.ports import Clock
from gateway.exchange.job import Job
from gateway.exchange.lanes import Lanes
from gateway.exchange.queue import JournalQueue
from gateway.exchange.relay import refuse_reused

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
    elif entry.cancelled and not entry.delivered:
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
        if entry.state in ("ACKED", "REJECTED", "DONE"):  # they always have one: sealed under another key, or changed
            job.watch.alarm("answer_unreadable", entry.fixmedins_code, entry.msgid)
        # It was done, and nobody can say any more what came of it: never "certainly not executed".
        job.say_state("MANUAL" if entry.state == "DONE" else entry.state)
    elif entry.state not in ("ACKED", "CONFIRMED") or entry.delivered or not job.incoming.alive:
        job.reply(answer, "duplicate")
    else:
        _deliver(job, entry, answer, queue)


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
