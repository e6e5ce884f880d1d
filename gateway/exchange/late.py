"""Answers that come when nobody waits for them any more: evidence, and where need be one more reversal.

A late answer changes no state. A late success of what the gateway had ended as never booked (ABSENT, or REVERSED
because the platform knew nothing of it) is followed up: a record of its own, linked by its omsgid, sends 2601 again and
comes to its own end. The evidence is durable first: by it whoever starts after a crash finds what is still to be
followed up, and the record's msgid is always the same, so there is never a second. Source: reversal specification §4.4,
§5.3.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import attrs

from gateway.core.model import DOUBT, Entry, LateAnswer, NotAccepted, OpResult, followup_msgid
from gateway.exchange.ordered import Ordered, Told

if TYPE_CHECKING:
    from gateway.exchange.resolution import How

AGAIN_S = 5.0


@attrs.define(eq=False)
class LateAnswers:
    """Keeps them, and follows up. On the reactor's thread. _standing: ids of doubts the platform said yes to."""

    ordered: Ordered
    _standing: set[int] = attrs.Factory(set)
    _following: set[int] = attrs.Factory(set)

    def heard(self, entry: Entry, said: str, setl_id: str = "") -> None:
        """An answer to a row came after its end or doubt. said: the verdict on it; setl_id: what a success named."""
        office = self.ordered.office
        op = LateAnswer(entry=entry, at_ms=int(office.clock.seconds() * 1000), said=said, setl_id=setl_id)

        def kept(owed: OpResult | NotAccepted) -> None:
            if owed is True:
                self._follow_up(entry)

        if op.success and entry.id in office.live:
            self._standing.add(entry.id)
        office.queue.submit(op, kept)

    def resume(self, found: Iterable[Entry]) -> None:
        """Go on after a start with what `overheard` of the store told."""
        for entry in found:
            if entry.state in DOUBT:
                self._standing.add(entry.id)
            else:
                self._follow_up(entry)

    def ended(self, record: Entry, how: How) -> None:
        """A doubt came to its end, durably."""
        if record.id in self._standing:
            self._standing.discard(record.id)
            if how in ("absent", "nothing"):
                self._follow_up(record)

    def _follow_up(self, original: Entry) -> None:
        if original.id not in self._following:
            self._following.add(original.id)
            self._order(original)

    def _order(self, original: Entry) -> None:
        office = self.ordered.office

        def told(what: Told) -> None:
            if what in ("busy", "under_way"):
                office.clock.callLater(AGAIN_S, self._order, original)
            else:
                self._following.discard(original.id)

        msgid = followup_msgid(original)
        self.ordered.reverse(original.fixmedins_code, original.msgid, msgid, told, unheard=True, reason="late_success")
