"""What a start makes of the journal a stop left behind (reversal specification §9). Idempotent (I15).

JOURNALED was certainly not sent; SENT may have been, so it is in doubt; lanes are rebuilt before any listener opens.
What was being reversed is reversed on; what was in doubt is ended from the beginning.
"""

from collections.abc import Callable
from typing import Protocol

import attrs

from gateway.core.answers import state_made
from gateway.core.jsontext import decode
from gateway.core.model import DOUBT, MONEY, Advance, Entry, Known, Op, OpResult, Recall, State, Unfinished
from gateway.exchange.lanes import Lanes
from gateway.exchange.saf import StoreForward


class Past(Protocol):
    """What a store tells of the time before (a part of it beside the store port)."""

    def open_entries(self) -> list[Entry]: ...

    def unfinished(self) -> list[Unfinished]: ...

    def heads(self) -> dict[str, str]: ...

    def overheard(self) -> list[Entry]: ...

    def commit(self, ops: list[Op]) -> list[OpResult]: ...


@attrs.frozen
class Plan:
    """What recovery would do: operations for the journal, the entries that hold lanes afterwards, the queue's rows."""

    ops: tuple[Advance, ...]
    holders: tuple[Entry, ...]
    queued: tuple[Unfinished, ...]


def plan_recovery(entries: list[Entry], queued: list[Unfinished], now_s: float, infcode: Callable[[str], str]) -> Plan:
    """Decide for every open entry. infcode: link name -> type of infcode its institutions expect."""
    ops: list[Advance] = []
    holders: list[Entry] = []
    for entry in entries:
        if entry.klass not in MONEY:
            continue  # C: forwarded again when it is asked again
        if entry.state == "JOURNALED":
            answer = state_made(entry, "NOT_SENT", now_s, infcode(entry.link))
            ops.append(_advance(entry, "NOT_SENT", now_s, answer))
        elif is_sending(entry):
            ops.append(_advance(entry, "DONE", now_s, None))
        elif entry.state == "SENT":
            ops.append(_advance(entry, "IN_DOUBT", now_s, None))
            entry.state = "IN_DOUBT"
            holders.append(entry)
        elif entry.state in DOUBT:
            holders.append(entry)
    return Plan(tuple(ops), tuple(holders), tuple(queued))


def is_sending(entry: Entry) -> bool:
    """Say whether a row is one sending of a reversal of the gateway's own: its queue row says what becomes of it.

    It names what it reverses and has no business key, which each institution's own request of class R has. Of 2181 an
    older version gave none; but no message of that transaction names a msgid.
    """
    return entry.klass == "R" and bool(entry.omsgid) and not entry.business_key


def _advance(entry: Entry, to: State, now_s: float, answer: bytes | None) -> Advance:
    return Advance(entry=entry, was=entry.state, to=to, at_ms=int(now_s * 1000), reason="restarted", answer=answer)


def apply_recovery(plan: Plan, commit: Callable[[list[Op]], object], lanes: Lanes) -> None:
    """Write what was decided, in one durable batch, and let the holders take their lanes."""
    if plan.ops:
        commit(list(plan.ops))
    for entry in plan.holders:
        lanes.take_back(entry)


def recover(store: Past, lanes: Lanes, office: StoreForward, now_s: float) -> Plan:
    """Do all of it: write, take the lanes, and go on ending every doubt. Call it before any listener opens."""

    def infcode(link: str) -> str:
        found = office.links.get(link)
        return found.infcode if found is not None else "number"

    plan = plan_recovery(store.open_entries(), store.unfinished(), now_s, infcode)
    apply_recovery(plan, store.commit, lanes)
    office.heads.update({code: decode(head.encode()) for code, head in store.heads().items()})
    known = {found.record.id for found in plan.queued}
    doubts = []
    for entry in plan.holders:
        if entry.id in known:
            continue
        original: Entry | None = entry
        if entry.klass == "R" and entry.omsgid:  # 2181 names no record of ours
            (answer,) = store.commit([Recall(entry.fixmedins_code, entry.omsgid)])
            original = answer.entry if isinstance(answer, Known) else None
        if original is None:
            office.watch.alarm("reversal_without_original", entry.fixmedins_code, entry.msgid)
        else:
            doubts.append((entry, original))
    overheard = store.overheard()
    # From here on the journal belongs to the writer's thread: everything was read before anything begins.
    for found in plan.queued:
        office.resume(found)
    for entry, original in doubts:  # nobody knows when it left: at the latest now
        office.begin(entry, original, int(now_s * 1000))
    office.late.resume(overheard)
    return plan
