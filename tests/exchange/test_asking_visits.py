"""Asking by every visit 5201 names (Q2): only what all of them say is conclusive.

Rules: reversal specification §4.1; annex X26.
"""

from typing import Any

import pytest
from exchange_messages import PERSON, SHOP, Json, sale
from exchange_rig import Rig, settlement
from exchange_undo import Platform, by_table, fall_into_doubt, live, sent_of


def visits(*numbers: Any, setl_id: Any = "") -> dict[str, Any]:
    return {"mdtrtinfo": [{"mdtrt_id": number, "psn_no": PERSON, "setl_id": setl_id} for number in numbers]}


def by_visit(listed: dict[str, Any], **answers: Any) -> Platform:
    """A platform that lists visits and answers 5203 by visit: `V1=[rows]`, or None for a garbled answer."""

    def play(one: Any) -> None:
        data = one.message["input"]["data"]
        if one.message["infno"] == "5201":
            one.reply(0, output=listed)
        elif one.message["infno"] == "5203":
            rows = answers[data["mdtrt_id"]]
            one.raw(b"?") if rows is None else one.reply(0, output={"setlinfo": rows})
        else:
            one.reply(0)

    return play


def shop_row(visit: str, **changes: Any) -> Json:
    return settlement("m1", PERSON, 54.48) | {"mdtrt_id": visit} | changes


@pytest.mark.parametrize("resolve", ["Q1", "Q2"])
def test_a_sale_has_no_visit_yet_so_every_visit_of_the_person_is_asked_about(resolve: str) -> None:
    rig = Rig(settings={"resolve": resolve})
    by_table(rig, confirm=("2102",))
    rig.far.plays = by_visit(visits("V1", "V2", "V3", setl_id="SX"), V1=[], V2=[shop_row("V2")], V3=[])
    fall_into_doubt(rig, sale("m1"))
    rig.run(4)
    (listed,) = sent_of(rig, "5201")
    data = listed.message["input"]["data"]
    assert (data["psn_no"], data["med_type"]) == (PERSON, "41")
    assert data["begntime"] == "2026-03-01 08:00:00"
    assert "2026-03-02 08:00" < data["endtime"] < "2026-03-02 08:05"
    asked = [one.message["input"]["data"] for one in sent_of(rig, "5203")]
    assert asked == [{"psn_no": PERSON, "setl_id": "SX", "mdtrt_id": visit} for visit in ("V1", "V2")]
    entry = rig.row("m1", SHOP)
    assert (entry.state, entry.mdtrt_id) == ("CONFIRMED", "V2")


@pytest.mark.parametrize(
    ("listed", "answers", "expected"),
    [
        (visits("V1", "V2"), {"V1": [], "V2": [shop_row("V2", medins_setl_id="m0")]}, "ABSENT"),
        (visits(), {}, "ABSENT"),
        (visits("V1", "V2"), {"V1": [], "V2": None}, "REVERSED"),  # one of them did not say
        ({"mdtrtinfo": "x"}, {}, "REVERSED"),
    ],
)
def test_nothing_in_any_visit_is_nothing_only_when_all_were_asked_and_answered(
    listed: dict[str, Any], answers: dict[str, Any], expected: str
) -> None:
    rig = Rig(settings={"resolve": "Q2", "quiesce_s": 1})
    by_table(rig, query_consistent=True)
    rig.far.plays = by_visit(listed, **answers)
    fall_into_doubt(rig, sale("m1"))
    rig.run(60)
    assert rig.state("m1", SHOP) == expected


@pytest.mark.parametrize(("med_type", "asked", "expected"), [("41", "41", "ABSENT"), ("", "41", "REVERSED")])
def test_a_list_of_the_usual_kind_of_treatment_proves_no_absence(med_type: str, asked: str, expected: str) -> None:
    """5201 wants a kind; where the request named none, the visit may be of another."""
    rig = Rig(settings={"resolve": "Q2", "quiesce_s": 1})
    by_table(rig, query_consistent=True)
    rig.far.plays = by_visit(visits())
    message = sale("m1")
    fall_into_doubt(rig, message)
    rig.run()
    live(rig, "m1", SHOP).original.med_type = med_type
    rig.run(60)
    assert sent_of(rig, "5201")[0].message["input"]["data"]["med_type"] == asked
    assert rig.state("m1", SHOP) == expected


def test_a_person_with_many_visits_is_asked_about_ten_times_and_no_more() -> None:
    rig = Rig(settings={"resolve": "Q2"})
    names = [f"V{n}" for n in range(40)]
    rig.far.plays = by_visit(visits(*names), **{name: [] for name in names})
    fall_into_doubt(rig, sale("m1"))
    rig.run(4)
    assert len(sent_of(rig, "5203")) == 10
