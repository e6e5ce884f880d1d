"""Lanes and visits: one person one request, a bounded line, and who is called next (reversal specification §7)."""

from typing import Any

import pytest
from exchange_messages import HOME, PERSON, VISIT, charge, envelope, pay, register
from exchange_rig import Rig

from gateway.core.model import Entry
from gateway.exchange.lanes import WAITING_MAX, Lanes


def entry(number: int, lane: str = "p|1", state: Any = "SENT", visit: str = "") -> Entry:
    return Entry(
        id=number, fixmedins_code=HOME, msgid=f"m{number}", infno="2207", klass="M", link="n", state=state,
        digest=b"", created_ms=0, lane=lane, mdtrt_id=visit,
    )  # fmt: skip


def test_a_lane_has_one_holder_and_is_free_when_it_leaves() -> None:
    lanes = Lanes()
    first, second = entry(1), entry(2)
    assert lanes.enter(first)
    assert not lanes.enter(second)
    assert lanes.holder("p|1") is first
    lanes.leave(second)  # not its to give up
    assert lanes.holder("p|1") is first
    lanes.leave(first)
    assert lanes.holder("p|1") is None
    assert lanes.enter(second)


def test_requests_without_a_lane_always_pass() -> None:
    lanes = Lanes()
    assert lanes.enter(entry(1, lane=""))
    assert lanes.enter(entry(2, lane=""))
    assert lanes.holder("") is None
    lanes.leave(entry(1, lane=""))


def test_those_who_wait_are_called_in_order_and_the_rest_wait_on() -> None:
    lanes = Lanes()
    holder = entry(0)
    lanes.enter(holder)
    called: list[int] = []
    ones = [entry(number) for number in range(1, 5)]

    def call(one: Entry, enters: bool) -> Any:
        def run() -> None:
            called.append(one.id)
            if enters:
                assert lanes.enter(one)

        return run

    for one in ones:
        assert lanes.wait(one, call(one, enters=one.id != 2))
    lanes.leave(holder)
    assert called == [1]
    lanes.leave(ones[0])
    assert called == [1, 2, 3], "the second did not want the lane any more"
    lanes.leave(ones[2])
    assert called == [1, 2, 3, 4]
    lanes.leave(ones[3])
    assert lanes.holder("p|1") is None


def test_the_line_is_bounded() -> None:
    lanes = Lanes()
    lanes.enter(entry(0))
    waits = [lanes.wait(entry(number), lambda: None) for number in range(1, WAITING_MAX + 2)]
    assert waits == [True] * WAITING_MAX + [False]


def test_a_holder_in_doubt_keeps_the_lane_and_loses_those_who_wait() -> None:
    lanes = Lanes()
    holder = entry(0)
    lanes.enter(holder)
    lanes.wait(entry(1), lambda: None)
    assert lanes.release_waiting(entry(9)) == []
    assert len(lanes.release_waiting(holder)) == 1
    assert lanes.release_waiting(holder) == []
    assert lanes.holder("p|1") is holder


@pytest.mark.parametrize(
    ("state", "blocks"), [("SENT", False), ("IN_DOUBT", True), ("REVERSING", True), ("ACKED", False)]
)
def test_a_visit_is_blocked_by_doubt_only(state: Any, blocks: bool) -> None:
    lanes = Lanes()
    one = entry(1, state=state, visit="V1")
    lanes.enter(one)
    assert (lanes.blocked_visit(HOME, "V1") is one) is blocks
    assert lanes.in_doubt() == int(blocks)
    assert lanes.blocked_visit(HOME, "V2") is None
    assert lanes.blocked_visit("H2", "V1") is None
    assert lanes.blocked_visit(HOME, "") is None
    lanes.leave(one)
    assert lanes.blocked_visit(HOME, "V1") is None


def test_fee_details_of_a_visit_in_doubt_do_not_change_and_other_visits_pass() -> None:
    rig = Rig()
    rig.ask(pay("m1"))
    rig.far.last.listener.lost("x")
    rig.run()
    rows = {"mdtrt_id": VISIT, "psn_no": PERSON, "chrg_bchno": "B1"}
    for message in (charge("w1"), envelope("2205", "w2", {"data": rows})):
        caller = rig.ask(message)
        assert caller.said[:3] == (200, "GW-LANE-BUSY", "IN_DOUBT")
        assert caller.answer["gw_msgid"] == "m1"
    rig.ask(charge("w3", visit="510800M202603020800000000002"))
    rig.ask(register("w4"))
    assert [one.message["msgid"] for one in rig.far.sent] == ["m1", "w3", "w4"]
    rig.room.lanes.holder(f"p|{PERSON}").state = "REVERSING"  # type: ignore[union-attr]  # m1 holds it
    assert rig.ask(charge("w5")).said[:3] == (200, "GW-REVERSING", "REVERSING")
