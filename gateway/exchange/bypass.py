"""An institution's 2601 for what this journal never saw: traffic of before, or past the gateway (RV9).

Off unless the institution has `reverse_unknown`. Then the daily statement of today decides: a row that only the agency
has, with that msgid and person, becomes a durable record of its own (EXTERNAL), and that is what is reversed, by the
rules of a known success. Anything less is refused. Earlier days may be frozen (RV10), so they are not looked at.
Source: reversal specification §6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.dates import shanghai
from gateway.core.model import Accept, Entry, NotAccepted, OpResult
from gateway.exchange.statement import Statement

if TYPE_CHECKING:
    from gateway.exchange.reversal import Request


class Bypass:
    """One such request on its way to the platform's own word for it."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._original = self._entry()

    def look(self) -> None:
        """Use the statement of the last minutes, else have one made; a repeat of the 2601 finds that one.

        One that says no is not asked twice: the next may not leave yet, and at a counter nobody waits so long.
        """
        job, office = self._request.first, self._request.room.clerk.office
        fresh = office.statements.last(job.institution.code, job.link)
        if fresh is not None:
            self._shown(fresh)
        else:
            office.statements.ask(job.link, self._original, self._shown)

    def _shown(self, found: Statement | None) -> None:
        request, original = self._request, self._original
        if request.over:
            return  # it was told to ask again, and will find this statement
        # A row carries no date: only a statement of today alone says that it is of today (RV10).
        today = shanghai(original.created_ms / 1000).date()
        rows = found.of(original.msgid) if found is not None and set(found.days) == {today} else []
        if len(rows) != 1 or rows[0].psn_no != original.psn_no or rows[0].refund:
            request.unknown()
            return
        original.medfee_fen = rows[0].medfee_fen
        original.id = request.room.clerk.new_id()
        request.room.clerk.queue.submit(Accept(entry=original, reason="statement_found"), self._kept)

    def _kept(self, found: OpResult | NotAccepted) -> None:
        """It is durable, or was meanwhile: now it is decided on as any original."""
        if isinstance(found, NotAccepted):
            self._request.not_accepted()
        else:
            self._request.ask()

    def _entry(self) -> Entry:
        request = self._request
        job, facts = request.first, request.facts
        insuplc = job.tree.get("insuplc_admdvs")
        return Entry(
            id=0,
            fixmedins_code=job.institution.code,
            msgid=facts.omsgid,
            infno=facts.oinfno,  # a statement does not name the transaction: the platform judges that
            klass="M",
            link=job.link.name,
            state="EXTERNAL",
            digest=b"",
            created_ms=int(job.clock.seconds() * 1000),
            lane=f"p|{facts.psn_no}",
            psn_no=facts.psn_no,
            insuplc_admdvs=insuplc if isinstance(insuplc, str) else "",
            mdtrtarea_admvs=job.admdvs,
        )
