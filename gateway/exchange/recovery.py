"""What a start makes of the journal a stop left behind (reversal specification §9). Idempotent (I15).

JOURNALED was certainly not sent; SENT may have been, so it is in doubt; lanes are rebuilt before any listener opens.
"""

from collections.abc import Callable

import attrs

from gateway.core.answers import made
from gateway.core.model import MONEY, Advance, Entry, Op
from gateway.exchange.lanes import Lanes


@attrs.frozen
class Plan:
    """What recovery would do: operations for the journal, and the entries that hold lanes afterwards."""

    ops: tuple[Advance, ...]
    holders: tuple[Entry, ...]


def plan_recovery(entries: list[Entry], now_s: float, infcode: Callable[[str], str]) -> Plan:
    """Decide for every open entry. infcode: link name -> type of infcode its institutions expect."""
    ops: list[Advance] = []
    holders: list[Entry] = []
    for entry in entries:
        if entry.klass not in MONEY:
            continue  # C: forwarded again when it is asked again
        if entry.state == "JOURNALED":
            answer = made(
                "GW-NOT-SENT",
                now_s=now_s,
                region_infcode=infcode(entry.link),
                admdvs="",
                sequence=entry.id,
                state="NOT_SENT",
                repeat="new",
            )
            ops.append(_advance(entry, "NOT_SENT", now_s, answer))
        elif entry.state == "SENT":
            ops.append(_advance(entry, "IN_DOUBT", now_s, None))
            entry.state = "IN_DOUBT"
            holders.append(entry)
        elif entry.state in ("IN_DOUBT", "REVERSING"):
            holders.append(entry)
    return Plan(tuple(ops), tuple(holders))


def _advance(entry: Entry, to: str, now_s: float, answer: bytes | None) -> Advance:
    return Advance(
        entry=entry,
        was=entry.state,
        to=to,  # type: ignore[arg-type]  # one of the two states above
        at_ms=int(now_s * 1000),
        reason="restarted",
        answer=answer,
    )


def apply_recovery(plan: Plan, commit: Callable[[list[Op]], object], lanes: Lanes) -> None:
    """Write what was decided, in one durable batch, and let the holders take their lanes."""
    if plan.ops:
        commit(list(plan.ops))
    for entry in plan.holders:
        lanes.enter(entry)
