"""An institution that still settles with its own codes (design §5): its city's core gets them, the journal and the
answers show the national ones; a person insured elsewhere goes to the province in national codes all the same.
"""

import json
from functools import cache
from typing import Any

import attrs
import pytest
from exchange_agency import OTHERS
from exchange_messages import PERSON, SHOP, Json, charge, pay, refund, register, sale, who
from exchange_rig import Far, Rig
from exchange_undo import says, undo

from gateway.app.assemble import Compiled, compile_region, make_link
from gateway.app.config import Platform as LinkConfig
from gateway.exchange.door import Link
from simulators.city import facts

AWAY = {"insuplc_admdvs": "330100"}


@attrs.define(eq=False, repr=False)
class City(Rig):
    """Every institution settles locally over `far`, which plays the city's core; `province` gets the others."""

    province: Far = attrs.field(init=False)

    def start(self) -> None:
        super().start()
        self.province = Far(self)
        settings = LinkConfig(url="http://127.0.0.1/y", resolve="Q4")
        beyond = make_link(
            "province", settings, compiled(), self.province, self.province, b"/y", lambda *_: b"", self.clock
        )
        self.link.beside = compiled().beside
        self.links["province"] = beyond
        for one in self.room.door.institutions.values():
            one.local, one.remote = True, beyond

    @property
    def links(self) -> dict[str, Link]:
        found: Any = self.room.office.links
        assert type(found) is dict
        return found


@cache
def compiled() -> Compiled:
    return compile_region(facts()[0].region, local=True)


@pytest.fixture
def city() -> City:
    return City(settings={"resolve": "Q4"})


def codes_of(message: Json) -> list[str]:
    return [row.get("med_list_codg", "") for row in message["input"]["drugdetail"]]


def test_the_citys_core_gets_the_message_as_it_came_and_the_answer_shows_the_national_codes(city: City) -> None:
    caller = city.ask(sale("m1"))
    assert city.far.last.body == caller.body
    city.far.last.settled()
    city.run()
    told = {row["path"]: row for row in caller.answer["gw_codes"]}
    line = told["input.drugdetail[0].med_list_codg"]
    assert line["local"] == "YP01274"
    assert line["national"].startswith("X")
    assert caller.answer["output"]["setlinfo"]["setl_id"]
    assert city.state("m1", SHOP) == "ACKED"
    kept = city.store.journal.evidence[city.row("m1", SHOP).id]
    assert [row[:4] for row in kept if row[0] == line["path"]] == [(line["path"], "drug", "YP01274", line["national"])]
    again = city.ask(sale("m1"))
    assert again.raw == caller.raw  # X7: the bytes it got


def test_what_the_national_regime_would_refuse_is_settled_counted_and_shown(city: City) -> None:
    message = sale("m1")
    message["input"]["drugdetail"][0]["medins_list_codg"] = "YP-OLD"
    caller = city.ask(message)
    city.far.last.settled()
    city.run()
    shown = [row for row in caller.answer["gw_codes"] if row["local"] == "YP-OLD"]
    assert shown == [
        {"path": "input.drugdetail[0].med_list_codg", "national": "", "local": "YP-OLD", "rule": "unmapped"}
    ]
    assert city.watch.misses == ["item"]


def test_a_person_insured_elsewhere_goes_to_the_province_in_national_codes(city: City) -> None:
    caller = city.ask(sale("m1") | AWAY)
    assert city.far.sent == []
    (national,) = codes_of(city.province.last.message)
    assert national.startswith("X")
    city.province.last.settled()
    city.run()
    assert caller.answer["infcode"] == 0
    assert city.row("m1", SHOP).link == "province"
    message = sale("m2") | AWAY
    message["input"]["drugdetail"][0]["medins_list_codg"] = "YP-OLD"
    assert city.ask(message).said[1] == "GW-UNMAPPED"


@pytest.mark.parametrize(
    ("insured_at", "areas", "local"),
    [
        ("", (), True),
        ("510800", (), True),
        ("510824", (), True),  # another county of the same city
        ("510100", (), False),
        ("500100", ("5001", "5002"), True),  # a municipality has several
        ("500200", ("5001", "5002"), True),
        ("510800", ("5001", "5002"), False),
    ],
)
def test_who_is_insured_elsewhere(city: City, insured_at: str, areas: tuple[str, ...], local: bool) -> None:
    city.room.door.institutions[SHOP].areas = areas
    city.ask(sale("m1") | {"insuplc_admdvs": insured_at})
    assert (len(city.far.sent), len(city.province.sent)) == ((1, 0) if local else (0, 1))


def test_writes_and_queries_too(city: City) -> None:
    caller = city.ask(charge("w1"))
    assert city.far.last.body == caller.body
    city.far.last.reply(0, output={"result": []})
    city.run()
    assert [row["local"] for row in caller.answer["gw_codes"]] == ["YP01274", "D0080"]  # departments are not mapped
    asked = city.ask(who("q1"))
    body = city.far.last.reply(0, output={"baseinfo": {}})
    city.run()
    assert asked.raw == body  # nothing coded in it: not a byte is changed
    refused = city.ask(register("w2", "MZ2"))
    body = city.far.last.reply(-1, "余额不足")
    city.run()
    assert refused.raw == body


def test_a_doubt_is_reversed_where_the_original_went_whatever_the_2601_says_of_the_area(city: City) -> None:
    city.ask(pay("m1") | AWAY)
    city.province.last.listener.lost("connection lost")
    city.province.plays = says(0)
    city.run(300)
    assert city.state("m1") == "REVERSED"
    assert {one.message["infno"] for one in city.province.sent} == {"2207", "2601"}
    assert city.far.sent == []


def test_an_institutions_own_reversal_follows_its_original(city: City) -> None:
    city.ask(pay("m1") | AWAY).up = False  # a success nobody heard of
    city.province.last.settled()
    city.run()
    city.province.plays = says(0)
    caller = city.ask(undo("r1"))  # says nothing of where the person is insured
    city.run()
    assert caller.answer["infcode"] == 0
    assert city.province.last.message["msgid"] == "r1"
    assert city.row("r1").link == "province"
    assert city.row("m1").cancelled
    assert city.far.sent == []


def cancelling(msgid: str, setl_id: str, psn_no: str = PERSON, infno: str = "2208") -> Json:
    """2103, 2208 or 2305, which name a settlement and its person alike; it does not say where that is insured."""
    return refund(msgid, setl_id, psn_no) | {"infno": infno, "insuplc_admdvs": ""}


@pytest.mark.parametrize("infno", ["2103", "2208", "2305"])
def test_a_cancellation_without_a_locality_goes_where_its_settlement_went(city: City, infno: str) -> None:
    city.ask(pay("m1") | AWAY)
    city.province.last.settled(setl_id="S-1")
    city.run()
    caller = city.ask(cancelling("c1", "S-1", infno=infno))
    assert city.far.sent == []
    assert city.province.last.message["insuplc_admdvs"] == "330100"  # which the platform beyond wants
    city.province.last.settled(setl_id="S-2", medfee_sumamt=-100, psn_part_amt=-100, psn_cash_pay=-100)
    city.run()
    assert (caller.answer["infcode"], "gw_codes" in caller.answer) == (0, False)
    assert (city.row("c1").link, city.row("c1").insuplc_admdvs) == ("province", "330100")
    assert city.row("m1").cancelled
    again = city.ask(cancelling("c1", "S-1", infno=infno))
    assert again.raw == caller.raw


def test_one_that_names_a_locality_or_a_settlement_of_here_or_of_nobody_stays(city: City) -> None:
    city.ask(pay("m1") | AWAY)
    city.province.last.settled(setl_id="S-1")
    city.run()
    city.ask(pay("m2", "B2", psn_no=OTHERS))
    city.far.last.settled(setl_id="S-2")
    city.run()
    for message in (
        refund("c1", "S-1") | {"insuplc_admdvs": "510800"},
        cancelling("c2", "S-2", OTHERS),
        cancelling("c3", "S-9"),
        cancelling("c4", "S-1", "51080000000000000077"),  # another person's
    ):
        before = len(city.far.sent)
        city.ask(message)
        assert len(city.far.sent) == before + 1, message["msgid"]
        assert city.far.last.body == json.dumps(message, ensure_ascii=False).encode()
        city.far.last.reply(-1, "不能撤销")
        city.run()
    assert len(city.province.sent) == 1


def test_two_platforms_may_give_the_same_number_and_only_one_settlement_is_cancelled(city: City) -> None:
    city.ask(pay("m1") | AWAY)
    city.province.last.settled(setl_id="S-1")
    city.run()
    city.ask(pay("m2", "B2", psn_no=OTHERS))
    city.far.last.settled(setl_id="S-1")
    city.run()
    city.ask(cancelling("c1", "S-1", OTHERS))
    city.far.last.settled(setl_id="S-1", medfee_sumamt=-100, psn_part_amt=-100, psn_cash_pay=-100)
    city.run()
    assert (city.row("m1").cancelled, city.row("m2").cancelled) == (False, True)


def test_one_whose_settlement_cannot_be_looked_up_is_not_accepted(city: City) -> None:
    city.disk.broken = True
    city.ask(pay("m1"))
    assert city.broke  # the process is at its end
    assert city.ask(cancelling("c1", "S-1")).said[:2] == (503, "GW-NOT-ACCEPTED")
    assert city.province.sent == city.far.sent == []


def test_one_without_a_number_hears_what_is_wrong(city: City) -> None:
    message = cancelling("c1", "")
    assert city.ask(message).said[1] == "GW-INVALID"
    assert city.ask(message | {"input": []}).said[1] == "GW-INVALID"


def test_the_doubt_of_a_cancellation_that_followed_is_asked_about_beyond(city: City) -> None:
    city.links["province"].resolve = "Q4"
    city.ask(pay("m1") | AWAY)
    city.province.last.settled(setl_id="S-1")
    city.run()
    city.ask(cancelling("c1", "S-1"))
    city.province.last.listener.lost("connection lost")
    city.run(10)
    asked = [one.message for one in city.province.sent if one.message["infno"] == "5203"]
    assert asked
    assert {one["insuplc_admdvs"] for one in asked} == {"330100"}
    assert city.far.sent == []
