"""An institution's 2601 for what this journal never saw: traffic of before, or past the gateway (RV9).

Off unless the institution has `reverse_unknown`. Then the daily statement of today decides: a row that only the agency
has, with that msgid and person, becomes a durable record of its own (EXTERNAL), and that is what is reversed, by the
rules of a known success. Anything less is refused. Earlier days may be frozen (RV10), so they are not looked at.

A row carries no time, so nobody knows what came after it: another row of that person that only the agency has, or one
that names nobody, may be later, and so may every other record of the person and day in the journal (RV6). What went
past the gateway since the statement, at most ten minutes, is the platform's to refuse.
Source: reversal specification §6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.dates import shanghai
from gateway.core.model import Accept, Entry, NotAccepted, OpResult
from gateway.core.statement import Differing
from gateway.exchange.statement import Statement

if TYPE_CHECKING:
    from gateway.exchange.reversal import Request


class Bypass:
    """One such request on its way to the platform's own word for it."""

    def __init__(self, request: Request, known: Entry | None = None) -> None:
        self._request = request
        self._known = known  # a statement showed it before
        self._original = known or self._entry()

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
        today = shanghai(request.first.clock.seconds()).date()
        rows = found.of(original.msgid) if found is not None and set(found.days) == {today} else []
        if len(rows) != 1 or rows[0].psn_no != original.psn_no or rows[0].refund:
            request.unknown()
        elif self._known is None:
            self._keep(rows[0].medfee_fen)
        elif found is not None and any(_may_follow(row, rows[0]) for row in found.theirs):
            request.later_exists(self._known)
        else:
            request.alone(self._known)

    def _keep(self, medfee_fen: int | None) -> None:
        request, original = self._request, self._original
        original.medfee_fen = medfee_fen
        original.id = request.room.clerk.new_id()
        request.room.clerk.queue.submit(Accept(entry=original, reason="statement_found"), self._kept)

    def _kept(self, found: OpResult | NotAccepted) -> None:
        """It is durable, or was meanwhile: now it is looked at as what is known."""
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


def _may_follow(row: Differing, original: Differing) -> bool:
    return row != original and row.psn_no in ("", original.psn_no)
