"""What two people decided about a record in MANUAL: one durable move to its end, or its reversal begun again (RV3).

People have found out what became of it; nothing is asked here. A decision is one transaction of the journal, so nothing
of it happened or all of it, and it may be carried out twice: the second time finds it done. Who the two people are is
proved elsewhere; the number of their approval is the event's reason. Source: reversal specification §3, RV3, §9.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import attrs

from gateway.core.answers import state_made
from gateway.core.facts import UNNUMBERED, undone_setl_id
from gateway.core.model import Advance, Entry, Known, NotAccepted, OpResult, Recall, Saf, State, Unfinished
from gateway.exchange.door import Link
from gateway.exchange.saf import StoreForward
from gateway.exchange.verdict import amounts_of

Outcome = Literal["CONFIRMED", "REVERSED", "ABSENT", "REVERSE"]
Hindrance = Literal[
    "", "unknown", "not_manual", "no_link", "lane_busy", "not_reversible", "no_setl_id", "amounts", "not_accepted"
]


@attrs.frozen(kw_only=True)
class Decision:
    """What two people decided. msgid: of the record in MANUAL. approval: the number of their approval.

    outcome: of a settlement or admission CONFIRMED = the platform has it, REVERSED = it was taken back, ABSENT = it was
    never there; of a cancellation or an institution's 2601 CONFIRMED = it took place, ABSENT or REVERSED = it did not.
    REVERSE = take it back now. node: of CONFIRMED what the platform's record says, with national names (`setl_id`,
    `mdtrt_id`, `medfee_sumamt`, ...; amounts as decimal yuan).
    """

    fixmedins_code: str
    msgid: str
    outcome: Outcome
    approval: int
    node: Mapping[str, Any] = attrs.Factory(dict)


Told = Callable[[Hindrance], None]


@attrs.frozen
class Decisions:
    """Carries decisions out, on the reactor's thread."""

    office: StoreForward

    def carry_out(self, decision: Decision, told: Told) -> None:
        """Do it; told('') once it is durable, else what stands in the way (nothing was done then)."""
        if self.office.queue.full:  # what is promised to the journal waits for space; people can come again
            told("not_accepted")
            return

        def own(found: OpResult | NotAccepted) -> None:
            if isinstance(found, NotAccepted):
                told("not_accepted")
            elif not isinstance(found, Known):
                told("unknown")
            elif found.entry.klass == "R" and found.entry.omsgid:
                self._with_original(decision, found.entry, told)
            else:
                self._decide(decision, found.entry, found.entry, told)

        self.office.queue.submit(Recall(decision.fixmedins_code, decision.msgid), own)

    def _with_original(self, decision: Decision, record: Entry, told: Told) -> None:
        """The record is an institution's own 2601: what it reverses counts as well."""

        def known(found: OpResult | NotAccepted) -> None:
            if isinstance(found, NotAccepted):
                told("not_accepted")
            elif isinstance(found, Known):
                self._decide(decision, record, found.entry, told)
            else:
                told("unknown")

        self.office.queue.submit(Recall(record.fixmedins_code, record.omsgid), known)

    def _decide(self, decision: Decision, record: Entry, original: Entry, told: Told) -> None:
        link = self.office.links.get(original.link)
        if record.state != "MANUAL":
            done = record.state == ("REVERSING" if decision.outcome == "REVERSE" else decision.outcome)
            told("" if done else "not_manual")
        elif link is None:
            told("no_link")
        elif decision.outcome == "REVERSE":
            self._reverse(decision, record, original, link, told)
        else:
            self._end(decision, record, original, link, told)

    # --- its end ---

    def _end(self, decision: Decision, record: Entry, original: Entry, link: Link, told: Told) -> None:
        own, now = record.id == original.id, self.office.clock.seconds()
        confirmed = decision.outcome == "CONFIRMED"
        cancels = undone_setl_id(record.business_key) if own and confirmed else ""
        hindrance = _lacking(decision, record) if own and confirmed and not cancels else ""
        if hindrance:
            told(hindrance)
            return
        to: State = decision.outcome if decision.outcome != "REVERSE" else "REVERSED"
        node = decision.node if own and confirmed else {}
        output = {"setlinfo": node} if node else None
        setl_id, mdtrt_id, settled = link.judge.found(node) if node else ("", "", "")
        move = Advance(
            entry=record, was="MANUAL", to=to, at_ms=int(now * 1000), reason=f"decided_{decision.approval}",
            answer=state_made(record, to, now, link.infcode, output), setl_id=setl_id, mdtrt_id=mdtrt_id,
            settled=settled, cancels=cancels, undoes=0 if own or not confirmed else original.id,
        )  # fmt: skip
        self.office.queue.submit(move, lambda moved: told(_hindrance(moved)))

    # --- once more ---

    def _reverse(self, decision: Decision, record: Entry, original: Entry, link: Link, told: Told) -> None:
        office = self.office
        if original.infno not in link.region.reversible:
            told("not_reversible")
            return
        if not office.lanes.enter(record):
            told("lane_busy")
            return
        now_ms = int(office.clock.seconds() * 1000)
        row = Saf(
            id=record.id, original_id=original.id, state="QUEUED", opened_ms=now_ms, sent_ms=record.created_ms,
            next_ms=now_ms,
        )  # fmt: skip
        own = record.id == original.id
        to: State = "REVERSING" if own else "IN_DOUBT"
        move = Advance(entry=record, was="MANUAL", to=to, at_ms=now_ms, reason=f"decided_{decision.approval}", saf=row)

        def queued(moved: OpResult | NotAccepted) -> None:
            hindrance = _hindrance(moved)
            if hindrance:
                office.lanes.leave(record)
            else:
                record.state = to
                office.resume(Unfinished(row, record, record if own else original))
            told(hindrance)

        office.queue.submit(move, queued)


def _lacking(decision: Decision, record: Entry) -> Hindrance:
    """Say what a settlement that stands lacks: the platform's number, and the total that was asked."""
    if record.klass == "M" and record.infno not in UNNUMBERED and not decision.node.get("setl_id"):
        return "no_setl_id"
    amounts = amounts_of(decision.node)
    if amounts is None:
        return "amounts"
    if record.klass == "M" and record.medfee_fen is not None and amounts.get("medfee_sumamt") != record.medfee_fen:
        return "amounts"
    return ""


def _hindrance(moved: OpResult | NotAccepted) -> Hindrance:
    if isinstance(moved, NotAccepted):
        return "not_accepted"
    return "" if moved is True else "not_manual"
