"""Queries answered from the gateway's own libraries, and those that go to the platform all the same (contract §4)."""

from collections.abc import Callable, Mapping
from typing import Any

import attrs
import pytest
from exchange_messages import HOME, Json, envelope, who
from exchange_rig import Rig

from gateway.core.ports import Found
from gateway.exchange.lookups import PATIENCE_S, WAITING_MAX

Told = Callable[[Found | None], None]


@attrs.define
class Shelf:
    """The Catalogue port: serves 1901, answers when the test says so."""

    asked: list[tuple[str, str, str, Told]] = attrs.Factory(list)

    def serves(self, infno: str, message: Mapping[str, Any]) -> bool:
        return infno in ("1901", "9102")

    def look_up(self, infno: str, institution: str, message: Mapping[str, Any], day: str, told: Told) -> None:
        self.asked.append((infno, institution, day, told))

    def say(self, found: Found | None) -> None:
        self.asked.pop(0)[3](found)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def rig(shelf: Shelf) -> Rig:
    found = Rig(institution={"serve_catalogue": True})
    found.room.desk.lookups.catalogue = shelf
    return found


def dictionary(msgid: str) -> Json:
    data = {"type": "insutype", "parent_value": "0", "admdvs": "510800", "date": "2026-03-02", "Vali_Flag": "1"}
    return envelope("1901", msgid, {"data": data})


def test_an_answer_of_ours_has_every_field_of_a_platforms(rig: Rig, shelf: Shelf) -> None:
    caller = rig.ask(dictionary("q1"))
    assert [one[:3] for one in shelf.asked] == [("1901", HOME, "2026-03-02")]
    shelf.say(Found({"list": [{"value": "310"}]}))
    rig.run()
    assert caller.status == 200
    assert {name: caller.answer[name] for name in ("infcode", "err_msg", "output", "gw_code")} == {
        "infcode": 0, "err_msg": "", "output": {"list": [{"value": "310"}]}, "gw_code": "GW-CATALOGUE",
    }  # fmt: skip
    assert {"inf_refmsgid", "refmsg_time", "respond_time"} < caller.answer.keys()
    assert rig.far.sent == []


def test_a_file_of_ours_goes_out_as_a_file(rig: Rig, shelf: Shelf) -> None:
    data = {"file_qury_no": "GW1", "filename": "x.zip", "fixmedins_code": "plc"}
    caller = rig.ask(envelope("9102", "q1", {"fsDownloadIn": data}))
    shelf.say(Found(content=b"PK\x03\x04", content_type=b"application/octet-stream"))
    rig.run()
    assert (caller.raw, caller.content_type) == (b"PK\x03\x04", b"application/octet-stream")


def test_what_the_libraries_cannot_answer_goes_to_the_platform_unchanged(rig: Rig, shelf: Shelf) -> None:
    caller = rig.ask(dictionary("q1"))
    shelf.say(None)
    assert rig.far.last.body == caller.body
    body = rig.far.last.reply(0, output={"list": []})
    rig.run()
    assert caller.raw == body


def test_an_answer_that_does_not_come_is_asked_of_the_platform_and_is_then_too_late(rig: Rig, shelf: Shelf) -> None:
    caller = rig.ask(dictionary("q1"))
    rig.run(PATIENCE_S)
    assert len(rig.far.sent) == 1
    shelf.say(Found({"list": []}))
    body = rig.far.last.reply(0, output={"list": [1]})
    rig.run()
    assert caller.raw == body


def test_other_queries_and_other_institutions_go_to_the_platform(rig: Rig, shelf: Shelf) -> None:
    rig.ask(who("q1"))
    rig.room.door.institutions[HOME].serve_catalogue = False
    rig.ask(dictionary("q2"))
    rig.room.desk.lookups.catalogue = None
    rig.room.door.institutions[HOME].serve_catalogue = True
    rig.ask(dictionary("q3"))
    assert [one.message["msgid"] for one in rig.far.sent] == ["q1", "q2", "q3"]
    assert shelf.asked == []


def test_so_many_wait_and_the_rest_goes_to_the_platform(rig: Rig, shelf: Shelf) -> None:
    rig.room.door.institutions[HOME].in_flight_max = 10 * WAITING_MAX
    for number in range(WAITING_MAX + 3):
        rig.post(dictionary(f"q{number}"))
    assert (len(shelf.asked), len(rig.far.sent)) == (WAITING_MAX, 3)
    while shelf.asked:
        shelf.say(Found({"list": []}))
    rig.ask(dictionary("again"))
    assert len(shelf.asked) == 1
