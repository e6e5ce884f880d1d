"""An institution in a hurry (T19, X4, X5): certainly not executed, and the same message later succeeds."""

import time

import pytest
from hostile_messages import Json, payment, question, raw
from hostile_rig import SLOW, VICTIM, Rig
from hostile_wire import Heard

pytestmark = pytest.mark.processes


def too_fast(rig: Rig) -> tuple[Json, Heard]:
    """Use the bucket (two a second) up; return a payment that was refused, and its answer."""
    for _ in range(20):
        found = payment(SLOW)
        heard = rig.ask(raw(found), SLOW)
        if heard.status == 429:
            return found, heard
    raise AssertionError("never too fast")


def test_too_fast_is_429_and_the_same_message_succeeds_later(rig: Rig) -> None:
    found, heard = too_fast(rig)
    answer = heard.json
    assert (answer["infcode"], answer["gw_code"], answer["gw_repeat"]) == (-1, "GW-RATE", "same")
    assert answer["err_msg"].startswith("[GW-RATE]")
    assert heard.fields["content-type"] == "application/json; charset=utf-8"
    assert rig.liar.of(found["msgid"]) == []
    # Others are not slowed down by it.
    for _ in range(20):
        assert rig.ask(raw(question(VICTIM))).status == 200
    deadline = time.monotonic() + 10
    while (heard := rig.ask(raw(found), SLOW)).status == 429:
        assert time.monotonic() < deadline
        time.sleep(0.3)
    assert heard.json["infcode"] == 0
    assert len(rig.liar.of(found["msgid"])) == 1


def test_a_refused_hurry_leaves_no_row(rig: Rig) -> None:
    found, _ = too_fast(rig)
    assert (SLOW, found["msgid"]) not in rig.journal()
