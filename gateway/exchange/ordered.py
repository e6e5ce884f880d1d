"""A reversal by order of the books: 2601 of what reconciliation found, through the same store and forward as any doubt.

The order's own row (class R, as of an institution's 2601) is durable before anything leaves, under a msgid the books
chose and keep: whoever comes after a crash asks for that msgid, and what is known is never begun again. Each sending
has a msgid of its own, as always. Source: reconciliation specification §5.1 (L1-CENTER-MORE, L1-INST-MISSING), §5.3 S3,
§6.4; reversal specification §5.
"""

from collections.abc import Callable
from typing import Literal

import attrs

from gateway.core.facts import content
from gateway.core.model import DOUBT, Accept, Accepted, Advance, Entry, Known, NotAccepted, OpResult, Recall
from gateway.exchange.saf import StoreForward

# done: it is taken back. manual: a person must. unknown: the journal has no such original. delivered: the institution
# was told of it meanwhile. under_way: it is being reversed, or its outcome is on its way; busy: the insured person's
# lane is taken. The last two may be asked again.
Told = Literal["done", "manual", "unknown", "delivered", "under_way", "busy"]
_ENDED = frozenset({"CONFIRMED", "ACKED", "REVERSED", "ABSENT"})


@attrs.frozen(kw_only=True)
class Stated:
    """What two people state of an original this journal never saw (§5.1, L1-CENTER-MORE): a result of 3202 names its
    msgid and person, and no transaction. settled: what the agency's row says of it (JSON, no person), above all its
    date."""

    oinfno: str
    psn_no: str
    link: str
    medfee_fen: int | None = None
    settled: str = ""


@attrs.frozen
class Ordered:
    """Takes orders. On the reactor's thread."""

    office: StoreForward

    def reverse(
        self, institution: str, omsgid: str, msgid: str, told: Callable[[Told], None], unheard: bool = False,
        stated: Stated | None = None, reason: str = "books",
    ) -> None:  # fmt: skip
        """Have the record omsgid of an institution reversed; msgid: of this order, the same however often it is given.

        unheard: no person decided it, so only what stands and the institution was never told of is reversed; between
        the reading of the journal and the order it may have asked again, or cancelled it (§5.3, guard 1). stated: of an
        original that may be unknown here; it becomes a durable record of its own (EXTERNAL) first. `told` is
        called once; with under_way or busy the same call may be made again later. reason: why, a word of the journal.
        """

        def own(found: OpResult | NotAccepted) -> None:
            if isinstance(found, Known):
                told(_outcome(found.entry))
            elif found is None:
                self.office.queue.submit(Recall(institution, omsgid), original)
            else:
                told("busy")

        def original(found: OpResult | NotAccepted) -> None:
            end = _hindrance(found, unheard, stated)
            if end is None and isinstance(found, Known):
                self._date(found.entry, stated)
                self._begin(_as_stated(found.entry, stated), msgid, told, unheard, stated, reason)
            elif found is None and stated is not None:
                self._make_known(institution, omsgid, stated, told, original)
            else:
                told(end or "busy")

        self.office.queue.submit(Recall(institution, msgid), own)

    def _make_known(
        self, institution: str, omsgid: str, stated: Stated, told: Callable[[Told], None],
        then: Callable[[OpResult | NotAccepted], None],
    ) -> None:  # fmt: skip
        """Make an original durable as people state it; `then` hears of it as if it had been known."""
        office, now_ms = self.office, int(self.office.clock.seconds() * 1000)
        link = office.links.get(stated.link)
        plan = None if link is None else link.plans.get(stated.oinfno)
        if link is None or plan is None or stated.oinfno not in link.region.reversible:
            told("unknown")
            return
        entry = Entry(
            id=office.new_id(), fixmedins_code=institution, msgid=omsgid, infno=stated.oinfno,
            klass=plan.transaction.klass, link=stated.link, state="EXTERNAL", digest=b"", created_ms=now_ms,
            lane=f"p|{stated.psn_no}", psn_no=stated.psn_no, medfee_fen=stated.medfee_fen,
        )  # fmt: skip

        def kept(found: OpResult | NotAccepted) -> None:
            if isinstance(found, NotAccepted):
                told("busy")
            else:
                office.queue.submit(Recall(institution, omsgid), then)

        office.queue.submit(Accept(entry=entry, reason="statement_found"), kept)

    def _date(self, original: Entry, stated: Stated | None) -> None:
        """Write beside such an original what the agency's row says of it: it is of that day, not of the order's."""
        if stated is not None and original.state == "EXTERNAL" and not original.settled:
            now_ms = int(self.office.clock.seconds() * 1000)
            self.office.queue.later(
                Advance(
                    entry=original, was="EXTERNAL", to="EXTERNAL", at_ms=now_ms, reason="books",
                    settled=stated.settled,
                )
            )  # fmt: skip

    def _begin(
        self, original: Entry, msgid: str, told: Callable[[Told], None], unheard: bool, stated: Stated | None,
        reason: str,
    ) -> None:  # fmt: skip
        office = self.office
        running = office.live.get(original.id)
        if running is not None or original.state in DOUBT:
            if running is not None:
                running.hurry()
            told("under_way")
            return
        link = office.links.get(original.link)
        if link is not None and original.infno not in link.region.reversible:
            told("manual")
            return
        record = self._record(original, msgid)
        if link is None or not office.lanes.enter(record):
            told("busy")
            return

        def looked(found: OpResult | NotAccepted) -> None:
            """With the lane taken, nobody is told of it any more and nobody cancels it: the last look counts."""
            end = _hindrance(found, unheard, stated)
            if end is None:
                office.queue.submit(Accept(entry=record, reason=reason), durable)
            else:
                office.lanes.leave(record)
                told(end)

        def durable(found: OpResult | NotAccepted) -> None:
            if not isinstance(found, Accepted):
                office.lanes.leave(record)
                told(_outcome(found.entry) if isinstance(found, Known) else "busy")
                return
            office.begin(record, original, original.created_ms)
            undo = office.live.get(original.id)
            if undo is None or undo.record.id != record.id:
                told("under_way")
            else:
                undo.told.append(lambda state: told("manual" if state == "MANUAL" else "done"))

        office.queue.submit(Recall(original.fixmedins_code, original.msgid), looked)

    def _record(self, original: Entry, msgid: str) -> Entry:
        office = self.office
        words = {"data": {"psn_no": original.psn_no, "omsgid": original.msgid, "oinfno": original.infno}}
        return Entry(
            id=office.new_id(),
            fixmedins_code=original.fixmedins_code,
            msgid=msgid,
            infno="2601",
            klass="R",
            link=original.link,
            state="IN_DOUBT",
            digest=office.digest(content("2601", original.fixmedins_code, words)),
            created_ms=int(office.clock.seconds() * 1000),
            # Its own: an institution's 2601 of the same record may stand beside it, and S3 has several.
            business_key=f"2601|{original.fixmedins_code}|{original.msgid}|{msgid}",
            lane=original.lane,
            psn_no=original.psn_no,
            omsgid=original.msgid,
            insuplc_admdvs=original.insuplc_admdvs,
            mdtrtarea_admvs=original.mdtrtarea_admvs,
        )


def _as_stated(original: Entry, stated: Stated | None) -> Entry:
    """Return an original nobody here sent with the transaction people state now; before, they may have been wrong."""
    if stated is None or original.state != "EXTERNAL":
        return original
    return attrs.evolve(original, infno=stated.oinfno)


def _hindrance(found: OpResult | NotAccepted, unheard: bool, stated: Stated | None) -> Told | None:
    """Return why the original is not to be reversed now, None when it is."""
    if not isinstance(found, Known):
        return "unknown" if found is None else "busy"
    original = found.entry
    if stated is not None and original.state == "EXTERNAL" and original.psn_no != stated.psn_no:
        return "unknown"  # another person's
    if not original.infno and stated is None:
        return "unknown"  # a statement names no transaction
    if unheard and original.cancelled:
        return "done"
    return "delivered" if unheard and original.state in ("ACKED", "CONFIRMED") and original.delivered else None


def _outcome(entry: Entry) -> Told:
    if entry.state == "MANUAL":
        return "manual"
    return "done" if entry.state in _ENDED else "under_way"
