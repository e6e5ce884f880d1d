"""Messages and answers that say two things at once, or more than anybody can hold (security T3-T5, T9, T16, T18)."""

import json
from typing import Any

import pytest
from hostile_messages import message, new_msgid, payment, raw, reversal
from hostile_platform import Seen, envelope, http, says, settlement, settles
from hostile_rig import CROWD, REVERSING_STORY, VICTIM, Rig
from hostile_wire import post

pytestmark = pytest.mark.processes


def doubtful(rig: Rig, code: str) -> dict[str, Any]:
    found = payment(code)
    rig.liar.script[found["msgid"]] = says(envelope(-1, "系统异常"))
    assert rig.ask(raw(found), code).gw_code == "GW-IN-DOUBT"
    assert rig.ended(found["msgid"], "REVERSING", code) == REVERSING_STORY
    return found


def test_a_decoy_node_does_not_carry_anothers_omsgid_to_the_platform(rig: Rig) -> None:
    """T9, RV1, RV2: facts are read from `input.x`, the platform reads `input.data`."""
    theirs = payment(CROWD)
    assert rig.ask(raw(theirs), CROWD).json["infcode"] == 0
    mine = doubtful(rig, VICTIM)
    asked = reversal(VICTIM, theirs["input"]["data"]["psn_no"], theirs["msgid"])
    asked["input"]["x"] = {
        "psn_no": mine["input"]["data"]["psn_no"], "omsgid": mine["msgid"], "oinfno": "2207",
        "mdtrt_id": "", "setl_id": "", "medfee_sumamt": 0,
    }  # fmt: skip
    assert rig.ask(raw(asked)).json["infcode"] == -1
    assert rig.liar.of(asked["msgid"]) == []
    assert rig.liar.reversals(theirs["msgid"]) + rig.liar.reversals(mine["msgid"]) == []
    assert rig.story(mine["msgid"]) == REVERSING_STORY
    assert rig.story(theirs["msgid"], CROWD) == ["JOURNALED", "SENT", "ACKED"]


def test_a_decoy_node_does_not_hide_a_settled_business(rig: Rig) -> None:
    first = payment(VICTIM)
    assert rig.ask(raw(first)).json["infcode"] == 0
    again = json.loads(raw(first))
    again["msgid"] = new_msgid(VICTIM)
    again["input"]["x"] = {
        "psn_no": first["input"]["data"]["psn_no"], "mdtrt_id": "X", "setl_id": "", "omsgid": "", "medfee_sumamt": 1,
    }  # fmt: skip
    assert rig.ask(raw(again)).gw_code == "GW-DUPLICATE-SETTLEMENT"


def wrong(seen: Seen) -> dict[str, Any]:
    return settlement(seen, medins_setl_id="H51080200005202603029999999999")


def text(seen: Seen, name: str, value: bytes) -> bytes:
    good = b'"%b": 60.0' % name.encode()
    body = envelope(0, "", settlement(seen))
    assert good in body
    return body.replace(good, b'"%b": %b' % (name.encode(), value))


UNBELIEVABLE: dict[str, Any] = {
    "fund 1e3 of 100": lambda seen: text(seen, "fund_pay_sumamt", b"1e3"),
    "fund 160.001 of 100": lambda seen: text(seen, "fund_pay_sumamt", b"160.001"),
    "another msgid, setlinfo a list": lambda seen: envelope(0, "", {"setlinfo": [wrong(seen)["setlinfo"]]}),
    "another msgid, output a list": lambda seen: envelope(0, "", [wrong(seen)["setlinfo"]]),
    "another msgid behind another node": lambda seen: envelope(
        0, "", {"a": {"psn_no": seen.envelope["input"]["data"]["psn_no"]}, **wrong(seen)}
    ),
    "refused, then infcode again": lambda seen: '{"infcode":-1,"err_msg":"余额不足",'.encode()
    + envelope(0, "", settlement(seen))[1:],
}  # fmt: skip


@pytest.mark.parametrize("name", UNBELIEVABLE)
def test_an_answer_that_cannot_be_believed_is_doubt(rig: Rig, name: str) -> None:
    found = payment(VICTIM)

    def behave(seen: Seen, wire: Any) -> bool:
        wire.sendall(http(UNBELIEVABLE[name](seen)))
        return True

    rig.liar.script[found["msgid"]] = behave
    assert rig.ask(raw(found)).gw_code == "GW-IN-DOUBT"
    assert rig.ended(found["msgid"], "REVERSING") == REVERSING_STORY


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"infno":"9101","msgid":"m","x":[' + b"[]," * 8_000_000 + b"[]]}", id="24 MB of lists"),
        pytest.param(
            b'{"infno":"9101","msgid":"m","input":{' + b",".join(b'"%x":1' % i for i in range(2_500_000)) + b"}}",
            id="26 MB of keys",
        ),
    ],
)
def test_a_crowded_body_is_refused_before_it_is_read(rig: Rig, body: bytes) -> None:
    with rig.wire() as wire:
        wire.socket.settimeout(60)
        wire.send(post(body, "/fsi/api/fileupload/upload"))
        answer = wire.hear()
    assert (answer.status, answer.gw_code) == (400, "GW-JSON")
    assert "过多" in answer.json["err_msg"]


@pytest.mark.parametrize("msgid", ["A\r\nSet-Cookie: x=1", "A\0B", "\u202eabc"])
def test_control_characters_in_ids_are_refused(rig: Rig, msgid: str) -> None:
    """T16."""
    found = payment(VICTIM)
    found["msgid"] = msgid
    assert rig.ask(raw(found)).gw_code == "GW-INVALID"
    assert rig.liar.of(msgid) == []


def rests_in_clear(rig: Rig, words: bytes) -> bool:
    return any(words in path.read_bytes() for path in rig.data.iterdir() if path.is_file())


def test_words_where_a_code_belongs_do_not_rest_in_clear(rig: Rig) -> None:
    """X34: a person may rest only in the sealed answer."""
    found = payment(VICTIM)
    rig.liar.script[found["msgid"]] = settles(clr_way="欧阳鼹齉", setl_id="S-BESIDE-THE-WORDS")
    heard = rig.ask(raw(found)).json
    assert (heard["infcode"], heard["output"]["setlinfo"]["clr_way"]) == (0, "欧阳鼹齉")
    assert rests_in_clear(rig, b"S-BESIDE-THE-WORDS")
    assert not rests_in_clear(rig, "欧阳鼹齉".encode())


def test_an_endless_number_is_doubt_and_does_not_rest_in_clear(rig: Rig) -> None:
    """X34: what is no number of a settlement is not written down as one (a page of the journal holds 4,096 bytes)."""
    found = payment(VICTIM)
    rig.liar.script[found["msgid"]] = settles(setl_id="S" * 100_000)
    assert rig.ask(raw(found)).gw_code == "GW-IN-DOUBT"
    assert rests_in_clear(rig, found["msgid"].encode())
    assert not rests_in_clear(rig, b"S" * 1000)


def test_a_reversal_of_anothers_settlement_raises_an_alarm(rig: Rig) -> None:
    """T9: refused, alarm, nothing forwarded."""
    theirs = payment(CROWD)
    assert rig.ask(raw(theirs), CROWD).json["infcode"] == 0
    asked = reversal(VICTIM, theirs["input"]["data"]["psn_no"], theirs["msgid"])
    assert rig.ask(raw(asked)).gw_code == "GW-REVERSAL-REFUSED"
    assert rig.alarms(asked["msgid"]) == ["reversal_unknown"]
    assert rig.liar.of(asked["msgid"]) == []
    assert rig.liar.reversals(theirs["msgid"]) == []


def test_a_busy_lane_does_not_tell_where_the_patient_is(rig: Rig) -> None:
    """T18: gw_msgid of another institution's record would name that institution."""
    theirs = doubtful(rig, CROWD)
    answer = rig.ask(raw(payment(VICTIM, theirs["input"]["data"]["psn_no"]))).json
    assert (answer["gw_code"], answer["gw_state"]) == ("GW-REVERSING", "REVERSING")
    assert CROWD not in json.dumps(answer)


def test_the_gateways_own_number_is_made_of_digits(rig: Rig) -> None:
    """inf_refmsgid must not repeat characters of an invalid mdtrtarea_admvs."""
    found = message("1101", VICTIM, {"data": {}})
    found["mdtrtarea_admvs"] = "欧阳\r\n<b"
    answer = rig.ask(raw(found)).json
    assert answer["inf_refmsgid"].isdigit()


def test_a_reversal_with_nothing_to_undo_is_recorded(rig: Rig) -> None:
    """RV7, X7: the repeat gets the same bytes, from the real journal."""
    mine = payment(VICTIM)
    rig.liar.script[mine["msgid"]] = says(envelope(-1, "余额不足"))
    rig.ask(raw(mine))
    asked = reversal(VICTIM, mine["input"]["data"]["psn_no"], mine["msgid"])
    first, again = rig.ask(raw(asked)), rig.ask(raw(asked))
    assert first.gw_code == "GW-REVERSED"
    assert first.body == again.body
    assert rig.journal()[VICTIM, asked["msgid"]]["state"] == "DONE"
