"""Nothing the exchange keeps in memory grows with what is over: a year of messages fits where a day's did.

Every container reachable from the assembled room is measured, so that one somebody adds is measured, too. Journal,
platform and clock are other tests' business; what is bounded by a number of its own is named here with it.
"""

from collections import deque
from typing import Any

import attrs
from exchange_messages import pay, refund, register, statement, who
from exchange_orders import asked, order, told
from exchange_rig import Rig
from exchange_undo import at_once, cut, fall_into_doubt, says, undo

from gateway.exchange.visits import REMEMBERED_MAX

BOUNDED = {"Visits._codes": REMEMBERED_MAX}  # the oldest go first
ROUNDS = 4


def containers(root: Any) -> dict[str, int]:
    """Return what each container of the exchange holds: `Class.field` -> entries of all its kind."""
    found: dict[str, int] = {}
    seen: set[int] = set()
    left: list[tuple[str, Any]] = [("room", root)]
    while left:
        name, one = left.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, dict | list | set | deque | tuple):
            found[name] = found.get(name, 0) + len(one)
            inside = [*one.keys(), *one.values()] if isinstance(one, dict) else list(one)
            left += [(f"{name}[]", each) for each in inside]
        elif type(one).__module__.startswith(("gateway.exchange", "gateway.app.assemble")) and attrs.has(type(one)):
            label = type(one).__name__
            left += [(f"{label}.{field.name}", getattr(one, field.name)) for field in attrs.fields(type(one))]
    return {name: count for name, count in found.items() if name not in BOUNDED}


def every_way(rig: Rig, number: int) -> None:
    """Bring one message of every kind to every end, each of a person and visit of its own."""

    def facts(label: str) -> dict[str, str]:
        return {"msgid": f"{label}{number}", "psn_no": f"P{label}{number}", "visit": f"V{label}{number}"}

    rig.far.plays = None
    paid = rig.settle(pay(**facts("a")))  # told, refunded
    rig.ask(refund(f"b{number}", paid.answer["output"]["setlinfo"]["setl_id"], f"Pa{number}"))
    rig.far.last.settled(medfee_sumamt=-100, psn_part_amt=-100, psn_cash_pay=-100)
    rig.ask(pay(**facts("c")))  # refused, and asked to be taken back
    rig.far.last.reply(-1, "余额不足")
    rig.ask(undo(f"d{number}", f"c{number}", psn_no=f"Pc{number}"))
    rig.ask(pay(**facts("e")))  # never left
    rig.far.last.listener.not_sent("connection refused")
    for message in (who(f"f{number}"), register(f"g{number}"), statement(f"h{number}", number)):
        rig.ask(message)
        rig.far.last.reply(0)
    rig.far.plays = says(0)  # in doubt, reversed
    fall_into_doubt(rig, pay(**facts("i")))
    rig.run(1)
    rig.far.plays = says(-1, "原交易不存在")  # in doubt, never booked; a success comes late and is followed up
    late = fall_into_doubt(rig, pay(**facts("j")))
    rig.run(130)
    rig.far.plays = says(0)
    late.settled()
    rig.run(10)
    rig.far.plays = says(-1, "原交易不存在")  # the same, heard before its end
    late = fall_into_doubt(rig, pay(**facts("n")))
    rig.run(5)
    late.settled()
    rig.run(130)
    rig.far.plays = says(0)
    rig.run(130)
    rig.far.plays = says(-1, "已日结，不能冲正")  # a person's
    fall_into_doubt(rig, pay(**facts("k")))
    rig.run(1)
    rig.far.plays = asked(told("6", f"O{number}"))  # asked about
    fall_into_doubt(rig, order(f"l{number}", f"O{number}", f"Vl{number}"))
    rig.run(5)
    rig.far.plays = cut  # nobody answers: queries, and repeats while it is on its way
    rig.post(pay(**facts("m")))
    rig.ask(pay(**facts("m")))
    rig.far.plays = says(0)
    rig.run(130)
    ends = {label: rig.state(f"{label}{number}") for label in "abcdeijnklm"}
    assert ends == {
        "a": "ACKED", "b": "ACKED", "c": "REJECTED", "d": "DONE", "e": "NOT_SENT", "i": "REVERSED", "j": "REVERSED",
        "k": "MANUAL", "l": "CONFIRMED", "m": "REVERSED", "n": "REVERSED",
    }  # fmt: skip


def test_what_is_over_leaves_nothing_in_memory() -> None:
    rig = at_once()
    rig.link.breaker.failures_max = 10**9
    every_way(rig, 1)
    before = containers(rig.room)
    for number in range(2, 2 + ROUNDS):
        every_way(rig, number)
    after = containers(rig.room)
    assert after == before
    assert {"Clerk.live", "Lanes._lanes", "StoreForward.live", "JournalQueue._pending", "Relay.live"} <= before.keys()
    assert all(before[name] == 0 for name in ("Clerk.live", "Lanes._lanes", "Lanes._visits", "StoreForward.live"))


def test_the_measure_sees_what_stays() -> None:
    rig = at_once()
    before = containers(rig.room)
    rig.ask(pay("m1"))
    after = containers(rig.room)
    grown = {name for name, count in after.items() if count > before.get(name, 0)}
    assert {"Clerk.live", "Lanes._lanes", "Lanes._visits"} <= grown
