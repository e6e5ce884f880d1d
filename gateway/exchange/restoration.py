"""After a restored backup: ask the platform about everything since, before any money is taken (RECOVERY).

Nothing of what the journal holds open is believed: its end may have been reached, and told, after the backup. A person
gets that. What the agency has and this journal has not becomes a row EXTERNAL, so that its msgid is never sent again.
One without a msgid is kept under a number of ours and raises an alarm: no repeat of it can be recognised. So is the
second of a msgid, which was booked twice.
Idempotent: a crash begins again. Source: reversal specification §9.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import islice

import attrs

from gateway.core.jsontext import decode
from gateway.core.model import (
    FAILED,
    MONEY,
    OPEN,
    RESTORED,
    Accept,
    Advance,
    Compared,
    Entry,
    NotAccepted,
    OpResult,
    Reopen,
    State,
)
from gateway.core.statement import Differing
from gateway.exchange.door import Institution, Link
from gateway.exchange.recovery import Past, is_sending
from gateway.exchange.saf import StoreForward
from gateway.exchange.statement import Statement

AGAIN_S = 60.0
KEPT_AT_ONCE = 256  # a large hospital has tens of thousands since yesterday
STAND_IN = "~"  # how a number of ours begins, where a platform names no msgid


def plan_restoration(store: Past, now_s: float) -> list[Advance]:
    """Return what is to be written of the records a backup holds open, before anything else; and of those a late
    success is not followed up of: it may have been, and their day may be solidified since (RV10).
    """
    rows = {found.record.id: found.saf for found in store.unfinished()}

    def move(entry: Entry, to: State) -> Advance:
        saf = attrs.evolve(rows[entry.id], state="DEAD") if entry.id in rows else None
        return Advance(entry=entry, was=entry.state, to=to, at_ms=int(now_s * 1000), reason=RESTORED, saf=saf)

    held = [
        move(entry, "DONE" if is_sending(entry) else "MANUAL")
        for entry in store.open_entries()
        if entry.klass in MONEY and entry.state in OPEN
    ]
    return held + [move(entry, entry.state) for entry in store.overheard() if entry.state in FAILED]


def begin_again(store: Past, office: StoreForward, now_s: float) -> None:
    """Do that, and learn the envelope heads; nothing is sent, no lane taken. Call it before any listener opens."""
    ops = plan_restoration(store, now_s)
    if ops:
        store.commit(list(ops))
    for op in ops:
        if op.to in FAILED:  # that success is still to be looked for, in the day's books
            office.watch.alarm("LATE_RESPONSE", op.entry.fixmedins_code, op.entry.msgid)
    office.heads.update({code: decode(head.encode()) for code, head in store.heads().items()})


@attrs.define(eq=False)
class Restoration:
    """Asks for every institution's statement since then, and again until it has it; then says so, once."""

    office: StoreForward
    institutions: Mapping[str, Institution]
    since_ms: int
    over: Callable[[], None]
    _waiting: set[tuple[str, str]] = attrs.Factory(set)
    _told: set[tuple[str, str]] = attrs.Factory(set)  # alarms: one an institution is enough

    @property
    def left(self) -> set[str]:
        """Return the institutions that are still to be asked about."""
        return {code for code, _ in self._waiting}

    def start(self) -> None:
        places = [
            (code, link) for code, one in sorted(self.institutions.items()) for link in (one.link, one.remote) if link
        ]
        self._waiting = {(code, link.name) for code, link in places}
        for code, link in places:
            self._ask(code, link)

    def _ask(self, code: str, link: Link) -> None:
        since = Entry(
            id=0, fixmedins_code=code, msgid="", infno="", klass="C", link=link.name, state="EXTERNAL", digest=b"",
            created_ms=self.since_ms,
        )  # fmt: skip

        def told(found: Statement | None) -> None:
            if found is None:
                self.office.clock.callLater(AGAIN_S, self._ask, code, link)
            else:
                self._keep(code, link, self._rows(code, link, found), self._report(code, link, found))

        self.office.statements.ask(link, since, told)

    def _rows(self, code: str, link: Link, found: Statement) -> Iterator[Accept]:
        named: dict[str, Differing] = {}
        others = [row for row in found.theirs if not row.msgid or named.setdefault(row.msgid, row) is not row]
        for msgid, row in named.items():
            yield Accept(entry=self._external(code, link, row, msgid), reason="restored_external")
        for number, row in self._numbered(link, others):
            reason = "restored_twice" if row.msgid else "restored_unnamed"
            self._alarm(code, row)
            yield Accept(entry=self._external(code, link, row, number), reason=reason)

    def _alarm(self, code: str, row: Differing) -> None:
        name = "statement_twice" if row.msgid else "statement_unnamed"
        if (code, name) not in self._told:
            self._told.add((code, name))
            self.office.watch.alarm(name, code, row.msgid)

    def _numbered(self, link: Link, rows: list[Differing]) -> Iterator[tuple[str, Differing]]:
        """Yield rows, each with a number of ours: the same one when a crash begins again (I15)."""
        seen: Counter[Differing] = Counter()
        for row in rows:
            seen[row] += 1
            facts = f"{self.since_ms}|{link.name}|{attrs.astuple(row)}|{seen[row]}"
            yield STAND_IN + self.office.digest(facts.encode()).hex()[:24], row

    def _external(self, code: str, link: Link, row: Differing, msgid: str) -> Entry:
        return Entry(
            id=self.office.new_id(),
            fixmedins_code=code,
            msgid=msgid,
            infno="",  # a statement does not name the transaction
            klass="M",
            link=link.name,
            state="EXTERNAL",
            digest=b"",
            created_ms=int(self.office.clock.seconds() * 1000),
            lane=f"p|{row.psn_no}",
            psn_no=row.psn_no,
            medfee_fen=row.medfee_fen,
        )

    def _report(self, code: str, link: Link, found: Statement) -> Compared:
        return Compared(
            fixmedins_code=code,
            link=link.name,
            at_ms=int(found.began_s * 1000),
            days=found.days,
            groups=found.groups,
            theirs=len(found.theirs),
            unnamed=len(found.unnamed),
        )

    def _keep(self, code: str, link: Link, left: Iterator[Accept], report: Compared) -> None:
        """Make them durable, some at a time; one the journal has already stays as it is."""
        some = list(islice(left, KEPT_AT_ONCE))
        if some:
            self._keep_these(some, lambda: self._keep(code, link, left, report))
        else:
            self.office.queue.submit(report, lambda _: self._done(code, link))

    def _keep_these(self, ops: list[Accept], then: Callable[[], None]) -> None:
        waiting, again = len(ops), list[Accept]()

        def kept(op: Accept, found: OpResult | NotAccepted) -> None:
            nonlocal waiting
            waiting -= 1
            if isinstance(found, NotAccepted):
                again.append(op)
            if not waiting and again:
                self.office.clock.callLater(AGAIN_S, self._keep_these, again, then)
            elif not waiting:
                then()

        for op in ops:
            self.office.queue.submit(op, partial(kept, op))

    def _done(self, code: str, link: Link) -> None:
        self._waiting.discard((code, link.name))
        if not self._waiting:
            self.office.queue.submit(Reopen(), lambda _: self.over())
