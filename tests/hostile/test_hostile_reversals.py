"""The gateway ends a doubt by a 2601 of its own, over real sockets; platforms that lie about 2601 are not believed.

Expected: reversal specification §3, §5.1-§5.3, §6 (RV1-RV8), §9; contract-annex X1, X26; security T9, T26.
"""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import attrs
import pytest
from hostile_messages import Json, cancellation, new_msgid, new_person, payment, raw, reversal
from hostile_platform import Behaviour, Seen, envelope, hangs_up, honest, http, resets, says, settlement, shows, silent
from hostile_rig import LATE_S, REVERSING_STORY, TIMEOUT_S, UNDONE, VICTIM, Rig
from hostile_wire import Heard

pytestmark = pytest.mark.processes

REVERSED_STORY = [*REVERSING_STORY, "REVERSED"]
MANUAL_STORY = [*REVERSING_STORY, "MANUAL"]
HTML = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
NOT_FOUND = says(envelope(-1, "原交易不存在"))


def pays(rig: Rig, *undoing: Behaviour, answers: Behaviour = hangs_up) -> tuple[Json, Heard]:
    """A payment whose answer is lost; undoing: what the platform says to one 2601 after the other."""
    found = payment(UNDONE)
    rig.liar.script[found["msgid"]] = answers
    rig.liar.undoing[found["msgid"]] = list(undoing)
    return found, rig.ask(raw(found), UNDONE)


def again(found: Json) -> Json:
    """The same business under a new msgid."""
    return found | {"msgid": new_msgid(UNDONE)}


def told(heard: Heard) -> tuple[object, ...]:
    return tuple(heard.json.get(name) for name in ("infcode", "gw_code", "gw_state", "gw_repeat"))


def test_a_lost_answer_is_reversed_and_the_business_settles_under_a_new_msgid(rig: Rig) -> None:
    found = payment(UNDONE) | {"insuplc_admdvs": "511002", "sign_no": "SIGNED-IN-1"}
    facts, msgid = found["input"]["data"], found["msgid"]
    rig.liar.script[msgid] = hangs_up
    assert told(rig.ask(raw(found), UNDONE)) == (-1, "GW-IN-DOUBT", "IN_DOUBT", "ask")
    assert rig.ended(msgid, "REVERSED", UNDONE) == REVERSED_STORY
    (sent,) = rig.liar.reversals(msgid)
    message = sent.envelope
    assert message["input"] == {"data": {"psn_no": facts["psn_no"], "omsgid": msgid, "oinfno": "2207"}}
    assert {name: message[name] for name in ("infno", "fixmedins_code", "insuplc_admdvs", "mdtrtarea_admvs")} == {
        "infno": "2601", "fixmedins_code": UNDONE, "insuplc_admdvs": "511002", "mdtrtarea_admvs": "510800",
    }  # fmt: skip
    assert message["sign_no"] == "SIGNED-IN-1"
    assert message["msgid"] != msgid and message["msgid"].startswith(UNDONE) and len(message["msgid"]) == 30
    assert message["opter"] != found["opter"]  # nobody at the counter did this
    assert rig.sendings(msgid, UNDONE) == {message["msgid"]: "ACKED"}
    first, repeat = rig.ask(raw(found), UNDONE), rig.ask(raw(found), UNDONE)
    assert told(first) == (-1, "GW-REVERSED", "REVERSED", "new")
    assert first.body == repeat.body
    assert len(rig.liar.of(msgid)) == 1
    new = again(found)
    assert rig.ask(raw(new), UNDONE).json["output"]["setlinfo"]["medins_setl_id"] == new["msgid"]
    assert rig.story(new["msgid"], UNDONE) == ["JOURNALED", "SENT", "ACKED"]


# --- a platform that lies about 2601 ----------------------------------------------------------------------------------


def names(**facts: object) -> Behaviour:
    """Says yes to a reversal, of somebody or something else."""
    return says(envelope(0, "", {"data": facts}))


def anothers_settlement(seen: Seen, wire: Any) -> bool:
    """Gives a reversal the answer that belongs to somebody's settlement (T26)."""
    facts = {"psn_no": "51080000000000000001"}
    wire.sendall(http(envelope(0, "", settlement(seen, medins_setl_id="H51080200005202603029999999999", **facts))))
    return True


LIES: dict[str, tuple[Behaviour, str]] = {
    "cut in the body": (shows(lambda body: http(body)[:-5]), "DONE"),
    "cut in the head": (shows(lambda body: b"HTTP/1.1 200 OK\r\nContent-Le"), "DONE"),
    "not HTTP": (shows(lambda body: b"220 mail ready\r\n"), "DONE"),
    "two lengths": (shows(lambda body: http(body, 200, "application/json", "Content-Length: 5")), "DONE"),
    "hangs up": (hangs_up, "DONE"),
    "resets": (resets, "DONE"),
    "silence": (silent, "DONE"),
    "502 in HTML": (says(HTML, 502, "text/html"), "DONE"),
    "503 with a success in it": (says(envelope(0), 503), "DONE"),
    "a redirect with a success in it": (says(envelope(0), 302, "application/json", "Location: /fsi/api/call"), "DONE"),
    "401 in HTML": (says(HTML, 401, "text/html"), "DONE"),
    "nothing in it": (says(b""), "DONE"),
    "an empty object": (says(b"{}"), "DONE"),
    "an array": (says(b"[0]"), "DONE"),
    "garbage": (says(b"\x00\xff" * 100), "DONE"),
    "not JSON": (says(b'{"infcode":0,'), "DONE"),
    "refused, then infcode again": (says(b'{"infcode":-1,' + envelope(0)[1:]), "DONE"),
    "infcode null": (says(envelope(None)), "DONE"),
    "infcode true": (says(envelope(True)), "DONE"),
    "infcode a list": (says(envelope([0])), "DONE"),
    "a positive code": (says(envelope(1, "冲正成功")), "DONE"),
    "an unknown code": (says(envelope(-2, "已冲正")), "DONE"),
    "refusal without a text": (says(envelope(-1, "")), "DONE"),
    "system error": (says(envelope(-1, "系统异常，已冲正")), "DONE"),
    "GBK": (says('{"infcode":-1,"err_msg":"已冲正","output":{}}'.encode("gbk")), "DONE"),
    "access layer": (says('{"code":401,"message":"签名时间戳超时!"}'.encode(), 401), "NOT_SENT"),
    "a refusal nobody has words for": (says(envelope(-1, "余额不足")), "REJECTED"),
    "another person": (names(psn_no="51080000000000000001"), "DONE"),
    "another msgid": (names(medins_setl_id="H51080200005202603029999999999"), "DONE"),
    "another's settlement": (anothers_settlement, "DONE"),
}  # fmt: skip


@attrs.frozen
class Undone:
    """What one lie came to."""

    found: Json
    first: Heard
    story: list[str]


def _undone(rig: Rig, behave: Behaviour) -> Undone:
    """The lie is told twice, then the truth."""
    found, first = pays(rig, behave, behave)
    return Undone(found, first, rig.ended(found["msgid"], "REVERSED", UNDONE))


@pytest.fixture(scope="module")
def undone(rig: Rig) -> dict[str, Undone]:
    """Play all lies side by side."""
    with ThreadPoolExecutor(12) as pool:
        return dict(zip(LIES, pool.map(lambda one: _undone(rig, one[0]), LIES.values()), strict=True))


@pytest.mark.parametrize("name", LIES)
def test_a_lie_about_a_reversal_is_not_believed(name: str, rig: Rig, undone: dict[str, Undone]) -> None:
    one, state = undone[name], LIES[name][1]
    msgid = one.found["msgid"]
    assert told(one.first) == (-1, "GW-IN-DOUBT", "IN_DOUBT", "ask")
    assert one.story == REVERSED_STORY
    sent = rig.liar.reversals(msgid)
    inputs = [seen.envelope["input"]["data"] for seen in sent]
    assert inputs == [{"psn_no": one.found["input"]["data"]["psn_no"], "omsgid": msgid, "oinfno": "2207"}] * 3
    msgids = [seen.msgid for seen in sent]
    assert len({msgid, *msgids}) == 4  # each sending has a number of its own
    assert rig.sendings(msgid, UNDONE) == dict(zip(msgids, (state, state, "ACKED"), strict=True))
    assert told(rig.ask(raw(one.found), UNDONE)) == (-1, "GW-REVERSED", "REVERSED", "new")
    assert len(rig.liar.of(msgid)) == 1


def test_not_found_is_not_believed_while_the_original_may_still_be_booked(rig: Rig) -> None:
    """§5.3: asked again once it is quiet; then the platform had booked it, and takes it back."""
    found, _ = pays(rig, NOT_FOUND, honest)
    assert rig.ended(found["msgid"], "REVERSED", UNDONE) == REVERSED_STORY
    assert sorted(rig.sendings(found["msgid"], UNDONE).values()) == ["ACKED", "REJECTED"]


def test_not_found_is_believed_when_nothing_can_be_booked_any_more(rig: Rig) -> None:
    found, _ = pays(rig, NOT_FOUND, NOT_FOUND, NOT_FOUND, NOT_FOUND)
    assert rig.ended(found["msgid"], "REVERSED", UNDONE) == REVERSED_STORY
    assert list(rig.sendings(found["msgid"], UNDONE).values()) == ["REJECTED"] * 2
    assert rig.ask(raw(again(found)), UNDONE).json["infcode"] == 0


def test_already_reversed_is_an_end(rig: Rig) -> None:
    found, _ = pays(rig, says(envelope(-1, "该交易已冲正，请勿重复冲正")))
    assert rig.ended(found["msgid"], "REVERSED", UNDONE) == REVERSED_STORY
    assert len(rig.liar.reversals(found["msgid"])) == 1


@pytest.mark.parametrize(("why", "sendings"), [("原交易已清算，不能冲正", 1), ("余额不足", 4)])
def test_what_cannot_be_reversed_is_a_persons_business(rig: Rig, why: str, sendings: int) -> None:
    """§5.2: at once when the platform says so, after three more when nobody has words for its refusal."""
    found, _ = pays(rig, *[says(envelope(-1, why))] * 9)
    assert rig.ended(found["msgid"], "MANUAL", UNDONE) == MANUAL_STORY
    assert len(rig.liar.reversals(found["msgid"])) == sendings
    assert told(rig.ask(raw(found), UNDONE))[:3] == (-1, "GW-MANUAL", "MANUAL")
    assert "manual" in rig.alarms(found["msgid"])
    same = again(found)
    assert told(rig.ask(raw(same), UNDONE))[:3] == (-1, "GW-MANUAL", "MANUAL")
    assert rig.liar.of(same["msgid"]) == []
    other = payment(UNDONE, found["input"]["data"]["psn_no"])  # the person's other business passes (§7)
    assert rig.ask(raw(other), UNDONE).json["infcode"] == 0


def test_a_success_that_comes_after_the_reversal_changes_nothing(rig: Rig) -> None:
    """§4.4, I11."""
    spoken = threading.Event()

    def late(seen: Seen, wire: Any) -> bool:
        time.sleep(TIMEOUT_S + LATE_S + 1.0)
        try:
            return honest(seen, wire)
        finally:
            spoken.set()

    found, first = pays(rig, answers=late)
    assert told(first) == (-1, "GW-IN-DOUBT", "IN_DOUBT", "ask")
    rig.ended(found["msgid"], "REVERSED", UNDONE)
    assert spoken.wait(10)
    assert told(rig.ask(raw(found), UNDONE)) == (-1, "GW-REVERSED", "REVERSED", "new")
    story, count = rig.story(found["msgid"], UNDONE), len(REVERSED_STORY)
    assert (story[:count], set(story[count:]) <= {"REVERSED"}) == (REVERSED_STORY, True)  # at most evidence


# --- a 2601 of the institution's own ----------------------------------------------------------------------------------


def test_an_institutions_reversal_of_a_doubt_waits_for_the_gateways_own(rig: Rig) -> None:
    """RV5: at most one is alive. Whoever comes first, one 2601 leaves, and a repeat gets the same bytes (X7)."""
    arrived, go_on = threading.Event(), threading.Event()

    def slowly(seen: Seen, wire: Any) -> bool:
        arrived.set()
        go_on.wait(5)
        return honest(seen, wire)

    found, _ = pays(rig, slowly)
    assert arrived.wait(10)
    asked = reversal(UNDONE, found["input"]["data"]["psn_no"], found["msgid"])
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(rig.ask, raw(asked), UNDONE)
        go_on.set()
        heard = answer.result()
    assert told(heard)[:3] == (0, "GW-REVERSED", "REVERSED")
    assert rig.ask(raw(asked), UNDONE).body == heard.body
    assert rig.liar.of(asked["msgid"]) == []
    assert len(rig.liar.reversals(found["msgid"])) == 1
    assert rig.story(found["msgid"], UNDONE) == REVERSED_STORY


def _known(rig: Rig, code: str = UNDONE) -> Json:
    found = payment(code)
    assert rig.ask(raw(found), code).json["infcode"] == 0
    return found


def _wrong(rig: Rig, kind: str) -> tuple[Json, str]:
    """Return a 2601 the rules refuse, and the alarm it raises."""
    if kind == "unknown":
        return reversal(UNDONE, new_person(), "H51080200018202603029999999999"), "reversal_unknown"
    if kind == "another's":
        theirs = _known(rig, VICTIM)
        return reversal(UNDONE, theirs["input"]["data"]["psn_no"], theirs["msgid"]), "reversal_unknown"
    if kind == "a reversal":  # RV5: a reversal is not reversed
        found, _ = pays(rig)
        rig.ended(found["msgid"], "REVERSED", UNDONE)
        (sent,) = rig.sendings(found["msgid"], UNDONE)
        asked = reversal(UNDONE, found["input"]["data"]["psn_no"], sent)
        asked["input"]["data"]["oinfno"] = "2601"
        return asked, "reversal_unknown"
    mine = _known(rig)
    asked = reversal(UNDONE, mine["input"]["data"]["psn_no"], mine["msgid"])
    if kind == "known":
        return asked, ""  # nothing alarming: the counter pressed the wrong button
    asked["input"]["data"] |= {"psn_no": new_person()} if kind == "another person" else {"oinfno": "2304"}
    return asked, "reversal_mismatch"


@pytest.mark.parametrize(
    "kind", ["unknown", "another's", "a reversal", "known", "another person", "another transaction"]
)
def test_an_institutions_reversal_that_may_not_be_is_refused_and_not_forwarded(rig: Rig, kind: str) -> None:
    """RV1, RV2, RV5, RV6, RV9."""
    asked, alarm = _wrong(rig, kind)
    heard = rig.ask(raw(asked), UNDONE)
    assert told(heard)[:2] == (-1, "GW-REVERSAL-REFUSED")
    assert rig.liar.of(asked["msgid"]) == []
    assert rig.liar.reversals(asked["input"]["data"]["omsgid"]) == []
    assert rig.alarms(asked["msgid"]) == ([alarm] if alarm else [])
    assert ("2208" in heard.json["err_msg"]) is (kind == "known")


def test_a_cancellation_in_doubt_is_not_reversed(rig: Rig) -> None:
    """§4.3: 2208 is not in the national list; it is asked about, and nobody reverses it on request either."""
    found = cancellation(UNDONE, new_person())
    rig.liar.script[found["msgid"]] = hangs_up
    assert told(rig.ask(raw(found), UNDONE)) == (-1, "GW-IN-DOUBT", "IN_DOUBT", "ask")
    asked = reversal(UNDONE, found["input"]["data"]["psn_no"], found["msgid"])
    asked["input"]["data"]["oinfno"] = "2208"
    assert rig.ask(raw(asked), UNDONE).gw_code == "GW-REVERSAL-REFUSED"
    assert rig.liar.reversals(found["msgid"]) == []
    assert rig.story(found["msgid"], UNDONE) == ["JOURNALED", "SENT", "IN_DOUBT"]


def cancelled(infcode: bytes = b"", **changes: object) -> Behaviour:
    """What 5203 says of a settlement that was refunded. infcode: bytes in front of the envelope's own."""

    def behave(seen: Seen, wire: Any) -> bool:
        row = settlement(seen, setl_id=seen.envelope["input"]["data"]["setl_id"], refd_setl_flag="1", **changes)
        body = envelope(0, "", row)
        wire.sendall(http(b"{" + infcode + body[1:]))
        return True

    return behave


FINDINGS: dict[str, Behaviour] = {
    "hangs up": hangs_up,
    "502 in HTML": says(HTML, 502, "text/html"),
    "not JSON": says(b'{"infcode":0,'),
    "another person's": cancelled(psn_no="51080000000000000001"),
    "an unreadable amount": cancelled(medfee_sumamt=["100"], psn_no="51080000000000000001"),
    "refused, then infcode again": cancelled(b'"infcode":-1,'),
}


def _asked_about(rig: Rig, name: str) -> tuple[Json, list[str]]:
    found = cancellation(UNDONE, new_person())
    rig.liar.script[found["msgid"]] = hangs_up
    rig.liar.undoing[found["input"]["data"]["setl_id"]] = [FINDINGS[name], cancelled()]
    assert told(rig.ask(raw(found), UNDONE)) == (-1, "GW-IN-DOUBT", "IN_DOUBT", "ask")
    return found, rig.ended(found["msgid"], "CONFIRMED", UNDONE)


@pytest.fixture(scope="module")
def confirmed(rig: Rig) -> dict[str, tuple[Json, list[str]]]:
    """Play all of them side by side: seconds lie between two questions."""
    with ThreadPoolExecutor(len(FINDINGS)) as pool:
        return dict(zip(FINDINGS, pool.map(lambda name: _asked_about(rig, name), FINDINGS), strict=True))


@pytest.mark.parametrize("name", FINDINGS)
def test_a_lie_about_a_cancellation_is_asked_about_again(
    name: str, rig: Rig, confirmed: dict[str, tuple[Json, list[str]]]
) -> None:
    """§4.3: only a whole answer about this very settlement confirms it; then the refund is told, to the fen."""
    found, story = confirmed[name]
    assert story == ["JOURNALED", "SENT", "IN_DOUBT", "CONFIRMED"]
    heard = rig.ask(raw(found), UNDONE)
    assert told(heard)[:3] == (0, "GW-CONFIRMED", "CONFIRMED")
    refund = heard.json["output"]["setlinfo"]
    assert (refund["medfee_sumamt"], refund["fund_pay_sumamt"], refund["psn_cash_pay"]) == (-100, -60, -30)
    questions = rig.liar.reversals(found["input"]["data"]["setl_id"])
    assert [one.envelope["infno"] for one in questions] == ["5203"] * 2
    assert found["msgid"] not in [one.msgid for one in questions]
    assert len(rig.liar.of(found["msgid"])) == 1
    assert rig.liar.reversals(found["msgid"]) == []
