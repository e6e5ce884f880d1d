"""After a bug of ours: a call that stopped half-way is ended as its durable state allows, and no restart is needed.

The journal says how far it came, and that decides, as it does at a start (recovery): what may have left is a doubt with
an undo that owns it, what did not leave is NOT_SENT, what is over or was never recorded gives its lane back. A lane is
never freed under a row that is SENT or in doubt. Source: reversal specification §7, §9.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.model import DOUBT, Advance, Known, NotAccepted, OpResult, Recall, State

if TYPE_CHECKING:
    from gateway.exchange.call import Call

AGAIN_S = 1.0


def rescue(call: Call) -> None:
    """Look up what became of a call's row; what was on its way to the journal before this is seen there."""

    def told(found: OpResult | NotAccepted) -> None:
        if isinstance(found, NotAccepted):
            return  # the journal is broken: the process is at its end, and the next start does this
        row = found.entry if isinstance(found, Known) and found.entry.id == call.entry.id else None
        if row is None:
            call.clerk.lanes.leave(call.entry)
        elif row.state == "JOURNALED":
            _move(call, "JOURNALED", "NOT_SENT", call.first.state_answer("NOT_SENT")[0])
        elif row.state == "SENT":
            _move(call, "SENT", "IN_DOUBT", None)
        else:
            _settle(call, row.state)

    call.clerk.queue.submit(Recall(call.entry.fixmedins_code, call.entry.msgid), told)


def _move(call: Call, was: State, to: State, answer: bytes | None) -> None:
    def moved(done: OpResult | NotAccepted) -> None:
        if done is True:
            _settle(call, to)
        else:  # something the call itself had on its way came first
            call.clerk.clock.callLater(AGAIN_S, rescue, call)

    at_ms = int(call.clerk.clock.seconds() * 1000)
    call.clerk.queue.submit(
        Advance(entry=call.entry, was=was, to=to, at_ms=at_ms, reason="internal", answer=answer), moved
    )


def _settle(call: Call, state: State) -> None:
    """Its durable state is known: a doubt gets its owner, anything else gives the lane back."""
    call.entry.state = state
    if state in DOUBT:
        call.clerk.office.begin(call.entry, call.original or call.entry, int(call.clerk.clock.seconds() * 1000))
    else:
        call.clerk.lanes.leave(call.entry)
