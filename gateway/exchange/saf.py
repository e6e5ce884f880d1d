"""Store and forward: which reversal may leave when. One at a time a lane, few at a time a link (X32).

The rows are durable (`Saf`); here are their timers and the gates they pass. `undo` drives each of them.
Source: reversal specification §5.1, RV11; contract-annex X32.
"""

from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import attrs

from gateway.core.codes import Snapshot
from gateway.core.dates import SHANGHAI, shanghai
from gateway.core.facts import CANCELS, Digest, order_of
from gateway.core.jsontext import encode
from gateway.core.model import Entry, Remember, Unfinished
from gateway.core.ports import Clock, Dice, Helper, Watch
from gateway.exchange.door import Link
from gateway.exchange.lanes import Lanes
from gateway.exchange.queue import JournalQueue
from gateway.exchange.resolution import Policy
from gateway.exchange.statement import Parcel, Statements
from gateway.exchange.undo import Undo
from gateway.exchange.words import head_of, raw_head_of

if TYPE_CHECKING:
    from gateway.exchange.late import LateAnswers

IN_FLIGHT_MAX = 16
HALF_OPEN_MAX = 4
POLL_S = 1.0
HEAD_S = 60.0
SIGN_IN_S = 60.0
# Counted from the doubt; one whose answer is slow is followed at once by the next that is due.
SETTLE_ASKS_S = (3.0, 8.0, 20.0)  # §4.2
CANCEL_ASKS_S = (3.0, 8.0, 20.0, 60.0, 120.0, 180.0, 300.0, 450.0, 600.0)  # until 10 minutes are over (§4.3)


@attrs.define(eq=False, kw_only=True)
class StoreForward:
    """Every doubt that is being ended.

    live: by the original's journal id. heads: what each institution's envelope said last; names: what it is called.
    """

    clock: Clock
    queue: JournalQueue
    lanes: Lanes
    links: Mapping[str, Link]
    watch: Watch
    digest: Digest
    dice: Dice
    new_id: Callable[[], int]
    names: Mapping[str, str]
    parcel: Parcel
    helper: Helper
    snapshot: Callable[[str], Snapshot | None]
    visit_code: Callable[[str, str, str, str], str]
    heads: dict[str, dict[str, str]] = attrs.Factory(dict)
    live: dict[int, Undo] = attrs.Factory(dict)
    _flying: dict[str, int] = attrs.Factory(dict)
    _crowded: set[str] = attrs.Factory(set)
    _waiting: dict[str, deque[Undo]] = attrs.Factory(dict)
    _polling: set[str] = attrs.Factory(set)
    _draining: set[str] = attrs.Factory(set)
    _heard: dict[str, tuple[tuple[object, ...], dict[str, str]]] = attrs.Factory(dict)  # read to what, the last time
    _kept: dict[str, tuple[dict[str, str], float]] = attrs.Factory(dict)  # what is durable of a head, and since when
    _signed: dict[str, float] = attrs.Factory(dict)  # when an institution was signed in last
    statements: Statements = attrs.field(init=False)
    late: "LateAnswers" = attrs.field(init=False)  # it orders reversals of this office, so it is put in afterwards

    def __attrs_post_init__(self) -> None:
        self.statements = Statements(self, self.parcel)

    @property
    def depth(self) -> int:
        """How many reversals wait to be sent or answered."""
        return sum(one.row is not None for one in self.live.values())

    def remember(self, institution: str, tree: Mapping[str, object], urgent: bool = False) -> None:
        """Keep an institution's envelope head, durably when it changed: a reversal after a restart carries it.

        It rides along with the row of the request that brought it.
        """
        raw, (heard, kept_head) = raw_head_of(tree), self._heard.get(institution, ((), {}))
        if raw == heard and self.heads.get(institution) is kept_head:
            return  # as the last time, and nothing came in between
        head = head_of(tree)
        if self.heads.get(institution) == head:
            self._heard[institution] = raw, self.heads[institution]
            return
        if self.queue.full:
            return
        self.heads[institution] = head
        self._heard[institution] = raw, head
        # Every operator signs in for himself: a number that goes to and fro is not written down each time.
        now, place = self.clock.seconds(), {**head, "sign_no": ""}
        kept, kept_at = self._kept.get(institution, ({}, 0.0))
        if urgent or kept != place or not 0 <= now - kept_at < HEAD_S:
            self._kept[institution] = place, now
            self.queue.later(Remember(fixmedins_code=institution, head=encode(head).decode()))

    def may_sign_in(self, institution: str) -> bool:
        """Say whether it is time to sign an institution in: one answer is for all its reversals."""
        now = self.clock.seconds()
        if 0 <= now - self._signed.get(institution, -SIGN_IN_S) < SIGN_IN_S:
            return False
        self._signed[institution] = now
        return True

    def name_of(self, original: Entry) -> str:
        """Return what an original's institution is called; its code when it is not in the configuration any more."""
        return self.names.get(original.fixmedins_code, original.fixmedins_code)

    # --- coming in ---

    def begin(self, record: Entry, original: Entry, sent_ms: int) -> None:
        """End a doubt. record: what is in doubt; original: what would be reversed (the same, but for an asked 2601)."""
        undo = self._undo(record, original, sent_ms)
        if undo is not None:
            undo.begin()

    def resume(self, found: Unfinished) -> None:
        """Go on with what a stop left on the queue."""
        undo = self._undo(found.record, found.original, found.saf.sent_ms)
        if undo is not None:
            undo.resume(found.saf)

    def _undo(self, record: Entry, original: Entry, sent_ms: int) -> Undo | None:
        link = self.links.get(original.link)
        if original.id in self.live:
            return None
        if link is None:  # its lane stays blocked: nobody may pay twice because a link was taken out of the file
            self.watch.alarm("reversal_without_link", original.fixmedins_code, original.msgid)
            return None
        undo = Undo(self, record, original, link, policy_of(link, record, original), sent_ms)
        self.live[original.id] = undo
        return undo

    # --- the gates ---

    def due(self, undo: Undo) -> None:
        """Its time has come: go, or wait for room."""
        name = undo.link.name
        if self._may_go(undo):
            self._flying[name] = self._flying.get(name, 0) + 1
            self._crowded.add(undo.original.lane)
            undo.go()
        else:
            self._waiting.setdefault(name, deque()).append(undo)
            self._poll(name)

    def _may_go(self, undo: Undo) -> bool:
        breaker, flying = undo.link.breaker, self._flying.get(undo.link.name, 0)
        if undo.original.lane in self._crowded or flying >= IN_FLIGHT_MAX:
            return False
        if breaker.state == "half_open" and flying >= HALF_OPEN_MAX:
            return False
        return breaker.admit()

    def landed(self, undo: Undo) -> None:
        """One sending came to its end: there is room for the next."""
        name = undo.link.name
        self._flying[name] -= 1
        self._crowded.discard(undo.original.lane)
        self._drain(name)

    def _drain(self, name: str) -> None:
        """Let those go for whom there is room. One that fails at once comes back here: a loop, no recursion."""
        waiting = self._waiting.get(name)
        if waiting is None or name in self._draining:
            return
        self._draining.add(name)
        try:
            for _ in range(len(waiting)):
                undo = waiting.popleft()
                if undo.waits:
                    self.due(undo)
        finally:
            self._draining.discard(name)

    def _poll(self, name: str) -> None:
        """Look again in a while: a breaker does not say when it half opens."""
        if name not in self._polling:
            self._polling.add(name)
            self.clock.callLater(POLL_S, self._polled, name)

    def _polled(self, name: str) -> None:
        self._polling.discard(name)
        self._drain(name)

    # --- times of day (RV11) ---

    def deadlines(self, undo: Undo, opened_ms: int) -> tuple[float, float]:
        """Return (seconds until the extra sending, seconds until a person must take over)."""
        now = self.clock.seconds()
        table = undo.link.region.reversal
        last = _at(undo.record.created_ms / 1000, table.manual_at, days=1)
        over = min(opened_ms / 1000 + undo.policy.give_up_s, last) - now
        # A node that was down over its hour still tries once before it gives up.
        return _at(undo.record.created_ms / 1000, table.extra_at) - now, max(over, undo.fair_s)


def _at(moment_s: float, time_of_day: str, days: int = 0) -> float:
    """Return when it is that time of day, on the moment's day in Shanghai or so many days later."""
    day = shanghai(moment_s).date() + timedelta(days=days)
    hour, minute = time_of_day.split(":")
    return datetime(day.year, day.month, day.day, int(hour), int(minute), tzinfo=SHANGHAI).timestamp()


def policy_of(link: Link, record: Entry, original: Entry) -> Policy:
    """Return how a record's doubt is ended (reversal specification §4.1-4.3).

    Only what can be named is asked about: 5203 and a statement know persons, 5203 a cancellation's setl_id, 6301 an
    order. What nothing can tell of (a refund or reversal of a purchase elsewhere) is a person's at once.
    """
    table = link.region.reversal
    own = record.id == original.id
    plan = link.plans.get(original.infno)  # a region may have lost a transaction since
    cancels = own and plan is not None and plan.transaction.kind == "undo"
    order = own and bool(order_of(original.business_key)[0])
    reversible = not own or (original.infno in link.region.reversible and bool(original.psn_no))
    asks: tuple[float, ...] = ()
    if order or (own and original.infno[:4] in CANCELS):
        asks = CANCEL_ASKS_S
    elif own and not cancels and original.psn_no and link.resolve in ("Q1", "Q2", "Q3"):
        asks = SETTLE_ASKS_S
    by_status = link.status if link.resolve == "Q3" else None
    return Policy(
        asks=asks,
        confirm=original.infno[:4] in table.confirm or cancels,
        cancels=cancels,
        reversible=reversible,
        consistent=order or (by_status.consistent if by_status else table.query_consistent),
        quiesce_ms=int(link.quiesce_s * 1000),
        refusals_max=table.refusals_max,
        schedule_s=link.schedule_s,
        attempts_alarm=link.attempts_alarm,
        compares=own and original.klass == "M" and bool(original.psn_no),
        proves=table.statement_consistent,
        give_up_s=table.cancel_give_up_s if (cancels or order) and not reversible else table.give_up_s,
        order=order,
    )
