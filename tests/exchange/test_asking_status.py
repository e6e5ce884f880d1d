"""Asking the province's own status query (Q3): its "booked" counts with the settlement 5203 shows, its "absent" where
the profile says that it is consistent. No province's interface is published, so the one asked here is invented.

Rules: reversal specification §4.1, §4.2, §4.3; contract-annex X26.
"""

from typing import Any

import msgspec
import pytest
from exchange_messages import PERSON, SHOP, VISIT, Json, pay, refund, sale
from exchange_rig import T0_S, Rig, settlement
from exchange_undo import Platform, admit, by_table, fall_into_doubt, sent_of

from gateway.core.tables import StatusTable

TABLE = {
    "infno": "9X01",
    "ask": {"yjylsh": "msgid", "jylx": "infno", "psn_no": "psn_no", "rq": "date"},
    "node": "cx",
    "answer": "jyxx",
    "msgid": "yjylsh",
    "state": "jyzt",
    "booked": ["1"],
    "absent": ["0"],
}


def asking(**changes: Any) -> Rig:
    return Rig(settings={"resolve": "Q3", "quiesce_s": 1, "status": msgspec.convert(TABLE | changes, StatusTable)})


def answers(status: Any, *rows: Json) -> Platform:
    """A platform with the status query (None: a garbled answer), 5203 (these rows), and a yes to 2601."""

    def play(one: Any) -> None:
        infno = one.message["infno"]
        if infno == "9X01":
            one.raw(b"?") if status is None else one.reply(0, output={"jyxx": status})
        else:
            one.reply(0, output={"setlinfo": list(rows)} if infno == "5203" else None)

    return play


def booked(msgid: str = "m1", **changes: Any) -> Json:
    return {"yjylsh": msgid, "jyzt": "1", "setl_id": "S-7", "mdtrt_id": VISIT} | changes


def row(**changes: Any) -> Json:
    return settlement("m1", PERSON, 100) | {"setl_id": "S-7"} | changes


def test_the_question_is_the_one_the_profile_writes_and_a_yes_is_looked_up_with_all_three_keys() -> None:
    rig = asking()
    by_table(rig, confirm=("2207",))
    rig.far.plays = answers([booked()], row())
    fall_into_doubt(rig)
    rig.run(4)
    (asked,) = sent_of(rig, "9X01")
    assert asked.message["input"] == {"cx": {"yjylsh": "m1", "jylx": "2207", "psn_no": PERSON, "rq": "2026-03-02"}}
    assert round(asked.at - T0_S, 1) == 3.1
    (shown,) = sent_of(rig, "5203")
    assert shown.message["input"]["data"] == {"psn_no": PERSON, "setl_id": "S-7", "mdtrt_id": VISIT}
    assert rig.row("m1").state == "CONFIRMED" and rig.row("m1").setl_id == "S-7"
    assert rig.row(asked.message["msgid"]) is None  # a query is not kept


def test_a_sale_learns_of_its_visit_from_the_answer() -> None:
    rig = asking()
    by_table(rig, confirm=("2102",))
    rig.far.plays = answers(booked(mdtrt_id="V9"), settlement("m1", PERSON, 54.48) | {"mdtrt_id": "V9"})
    fall_into_doubt(rig, sale("m1"))
    rig.run(4)
    assert rig.row("m1", SHOP).state == "CONFIRMED" and rig.row("m1", SHOP).mdtrt_id == "V9"


def test_what_is_found_and_not_to_be_kept_is_reversed() -> None:
    rig = asking()
    rig.far.plays = answers([booked()], row())
    fall_into_doubt(rig)
    rig.run(4)
    assert rig.states("m1")[-2:] == ["REVERSING", "REVERSED"]
    assert len(sent_of(rig, "9X01")) == 1


@pytest.mark.parametrize(
    ("status", "rows"),
    [
        ([booked()], []),  # 5203 does not know what the other calls booked
        ([booked()], [row(medfee_sumamt=101)]),
        ([booked()], [row(psn_no="P2")]),
        ([booked(setl_id=None)], [row()]),
        ([booked(setl_id="")], [row()]),
        ([booked("m0")], [row()]),  # of another message
        ([booked(), booked()], [row()]),  # twice
        ([booked(jyzt="2")], [row()]),  # under way
        ([], [row()]),
        ("x", [row()]),
        (None, [row()]),
        ([booked(jyzt="0")], [row()]),  # "not there", of a query that is not known to be consistent
    ],
)
def test_anything_else_is_dont_know_and_ends_in_a_reversal(status: Any, rows: list[Json]) -> None:
    rig = asking()
    by_table(rig, confirm=("2207",))
    rig.far.plays = answers(status, *rows)
    fall_into_doubt(rig)
    rig.run(19)
    assert rig.state("m1") == "IN_DOUBT"
    rig.run(3)
    assert len(sent_of(rig, "9X01")) == 3
    assert rig.states("m1")[-2:] == ["REVERSING", "REVERSED"]


@pytest.mark.parametrize(("quiesce_s", "expected"), [(1, "ABSENT"), (60, "REVERSED")])
def test_absent_is_believed_of_a_consistent_query_once_nothing_can_be_booked_any_more(
    quiesce_s: int, expected: str
) -> None:
    rig = asking(consistent=True)
    rig.link.quiesce_s = quiesce_s
    rig.far.plays = answers(booked(jyzt=0))
    fall_into_doubt(rig)
    rig.run(30)
    assert rig.state("m1") == expected
    assert bool(sent_of(rig, "2601")) is (expected == "REVERSED")


def test_what_one_query_calls_booked_and_the_other_does_not_know_is_never_absent() -> None:
    rig = asking(consistent=True)
    rig.far.plays = answers([booked()])
    fall_into_doubt(rig)
    rig.run(30)
    assert rig.states("m1")[-2:] == ["REVERSING", "REVERSED"]


def test_an_admission_can_be_absent_too_but_its_booking_is_no_settlement_to_show() -> None:
    rig = asking(consistent=True)
    rig.far.plays = answers(booked(jyzt="0"))
    fall_into_doubt(rig, admit("m1"))
    rig.run(4)
    assert rig.state("m1") == "ABSENT" and not sent_of(rig, "2601")
    rig = asking()
    rig.far.plays = answers(booked())
    fall_into_doubt(rig, admit("m1"))
    rig.run(30)
    assert rig.state("m1") == "REVERSED" and not sent_of(rig, "5203")


def test_a_cancellation_is_asked_about_by_the_number_it_names() -> None:
    rig = asking()
    rig.settle(pay("m1"), setl_id="S1")
    fall_into_doubt(rig, refund("u1", "S1"))
    rig.run(4)
    assert [one.message["input"]["data"]["setl_id"] for one in sent_of(rig, "5203")] == ["S1"]
    assert not sent_of(rig, "9X01")
