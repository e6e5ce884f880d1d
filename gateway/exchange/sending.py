"""One 2601 on its way to the platform, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs

from gateway.core.facts import content
from gateway.core.model import Entry, State
from gateway.exchange.verdict import Undoing
from gateway.exchange.words import TAIL_MAX, own_message, own_msgid, reversal

if TYPE_CHECKING:
    from gateway.exchange.undo import Undo

# How a sending's own row ends: done, refused by the business layer, never left, or without an answer.
SENDING_STATE: Mapping[Undoing, State] = {
    "done": "ACKED",
    "not_found": "REJECTED",
    "impossible": "REJECTED",
    "refused": "REJECTED",
    "sign_in": "REJECTED",
    "never_left": "NOT_SENT",
    "silent": "DONE",
}


@attrs.define(eq=False)
class Sending:
    """One 2601 on its way. It is the link's Listener."""

    undo: Undo
    entry: Entry
    body: bytes
    began: float = 0.0
    quiet: bool = False  # it left when nothing could be booked behind its back any more
    retry_safe: bool = False
    _over: bool = False
    _was_silent: bool = False

    def leave(self) -> None:
        link, undo = self.undo.link, self.undo
        self.began, self.quiet = undo.office.clock.seconds(), undo.quiet
        try:
            path, headers = link.codec.request("2601", self.began)
        except Exception:  # boundary: our own fault before the first byte; the alarm tells of it
            undo.office.watch.alarm("internal_error", self.entry.fixmedins_code, self.entry.msgid)
            self._told("never_left", "internal")
            return
        try:
            link.exchange.send(path, headers, self.body, self, link.timeout_s, link.late_s)
        except Exception:  # boundary: our own fault, and nobody knows whether a byte left: it is sent again
            undo.office.watch.alarm("internal_error", self.entry.fixmedins_code, self.entry.msgid)
            self._told("silent", "internal")

    def answered(self, status: int, content_type: bytes, body: bytes, whole: bool) -> None:
        undo, link = self.undo, self.undo.link
        link.breaker.worked()
        undo.office.watch.platform(link.name, undo.office.clock.seconds() - self.began)
        try:
            said, reason = link.judge.reversal(
                status, link.codec.read(status, body, whole, True), body, undo.original, self.entry.msgid
            )
        except Exception:  # boundary: a fault of ours while reading an answer is silence: it is sent again
            undo.office.watch.alarm("internal_error", self.entry.fixmedins_code, self.entry.msgid)
            said, reason = "silent", "internal"
        if self._over:
            undo.office.late.heard(self.entry, said)
        self._told(said, reason)

    def not_sent(self, reason: str) -> None:
        self.undo.link.breaker.failed()
        self._told("never_left", reason)

    def silent(self) -> None:
        self._was_silent = True
        self.undo.link.breaker.failed()

    def lost(self, reason: str) -> None:
        if not self._was_silent:
            self.undo.link.breaker.failed()
        self._told("silent", reason)

    def _told(self, said: Undoing, reason: str) -> None:
        if not self._over:
            self._over = True
            self.undo.answered(self, said, reason)


def prepared(undo: Undo) -> Sending:
    """Return the next 2601 of an undo, under a msgid of its own (I7); what it says comes from the journal (RV1)."""
    office, original = undo.office, undo.original
    now, head = office.clock.seconds(), office.heads.get(original.fixmedins_code, {})
    msgid = own_msgid(original.fixmedins_code, now, office.dice.randrange(TAIL_MAX))
    message = reversal(original)
    entry = Entry(
        id=office.new_id(),
        fixmedins_code=original.fixmedins_code,
        msgid=msgid,
        infno="2601",
        klass="R",
        link=original.link,
        state="SENT",
        digest=office.digest(content("2601", original.fixmedins_code, message)),
        created_ms=int(now * 1000),
        psn_no=original.psn_no,
        omsgid=original.msgid,
        insuplc_admdvs=original.insuplc_admdvs,
        mdtrtarea_admvs=original.mdtrtarea_admvs,
    )
    body = own_message("2601", msgid, original, office.name_of(original), head, now, message)
    return Sending(undo, entry, body)
