"""Asking the agency about single records after a run: 5203 in the institution's name, a bounded number a run, each at
most once a revision; and the alarms of what went past the gateway.

A question is durable before it leaves, its answer is evidence of the difference. Nothing else follows from it: people
read it with the case. Source: reconciliation specification §3.2, §5.1.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TypeVar

import attrs
from twisted.internet.defer import Deferred

from adapters.crypto.digest import sm3
from adapters.store.books import BooksStore
from adapters.store.books_evidence import BooksEvidence
from gateway.app.books_rules import rules
from gateway.app.codes_orders import Work
from gateway.books.inquiring import Answer, asked_by, read_answer
from gateway.core.booked import DiffRow
from gateway.core.jsontext import encode
from gateway.core.model import Entry, Known, NotAccepted, OpResult, Recall
from gateway.core.ports import Reply, Watch
from gateway.exchange.door import Link
from gateway.exchange.question import put
from gateway.exchange.saf import StoreForward

T = TypeVar("T")
INFNO = "5203"
SILENT_MAX = 3  # unanswered in a row by a platform: it is not asked any more in this run
ALARMS_MAX = 200  # of one run; the rest with the next
ALARMS: Mapping[str, str] = {"L1-GW-MISSING": "bypass_settlement", "STATUS": "foreign_reversal"}


@attrs.define(eq=False, kw_only=True)
class Inquiring:
    """Of one order. left: questions it may still ask; db: runs a call with the store on its thread."""

    office: StoreForward
    watch: Watch
    db: Callable[[Callable[[BooksStore], T]], "Deferred[T]"]
    now_ms: Callable[[], int]
    left: int
    _silent: Counter[str] = attrs.Factory(Counter)

    async def ask(self, work: Work, role: str, day: str) -> dict[str, int]:
        """Ask about what the run in force found; return how many answers there were of each kind."""
        answerable = rules().answerable()
        most = max(0, self.left)
        wanted = await self.db(lambda store: BooksEvidence(store.connection).unasked(role, day, *answerable, most))
        counts: Counter[str] = Counter()
        for number, diff in enumerate(wanted):
            await work.tell("向经办查询单笔结算（5203）", number, len(wanted))
            answer = await self._one(work, diff)
            if answer is not None:
                counts[answer.finding] += 1
        return dict(counts)

    async def _one(self, work: Work, diff: DiffRow) -> Answer | None:
        """Ask about one; None when that is left for another time."""
        found = await self._recalled(diff)
        if isinstance(found, NotAccepted):
            return None
        original = found.entry if isinstance(found, Known) else None
        link = None if original is None else self.office.links.get(original.link)
        asked = asked_by(original, diff.setl_id)
        if link is not None and (self._silent[link.name] >= SILENT_MAX or link.breaker.state == "open"):
            return None
        noted = await self.db(lambda store: BooksEvidence(store.connection).ask(diff, self.now_ms()))
        if not noted:
            return None
        if asked is None or original is None or link is None or INFNO not in link.plans:
            return await self._keep(diff, Answer(finding="not_asked"), "")
        self.left -= 1
        await work.room(link)
        reply = await self._put(link, original, asked.message())
        answer = read_answer(reply, asked, link.region.answers.business_codes)
        self._silent[link.name] = self._silent[link.name] + 1 if reply is None else 0
        digest = "" if reply is None or reply.tree is None else sm3(encode(reply.tree.get("output"))).hex()
        return await self._keep(diff, answer, digest)

    async def _keep(self, diff: DiffRow, answer: Answer, digest: str) -> Answer:
        finding = "" if answer.finding == "no_answer" else answer.finding
        if finding:
            now_ms = self.now_ms()
            await self.db(
                lambda store: BooksEvidence(store.connection).answer(diff, finding, answer.facts, digest, now_ms)
            )
        return answer

    def _recalled(self, diff: DiffRow) -> "Deferred[OpResult | NotAccepted]":
        """Look the journal's record up."""
        heard: Deferred[OpResult | NotAccepted] = Deferred()
        self.office.queue.submit(Recall(diff.fixmedins_code, diff.msgid), heard.callback)
        return heard

    def _put(self, link: Link, original: Entry, message: Mapping[str, object]) -> "Deferred[Reply | None]":
        heard: Deferred[Reply | None] = Deferred()
        put(self.office, link, original, INFNO, message, heard.callback)
        return heard

    async def alarm(self, role: str, day: str) -> None:
        """Raise the alarm of what is an incident, once for each difference, also over a crash."""
        found = await self.db(lambda store: BooksEvidence(store.connection).incidents(role, day, ALARMS_MAX))
        for diff in found:
            self.watch.alarm(ALARMS[diff.name], diff.fixmedins_code, diff.msgid or diff.setl_id)
        if found:
            await self.db(lambda store: BooksEvidence(store.connection).alarmed(found, self.now_ms()))
