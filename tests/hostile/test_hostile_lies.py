"""A platform that lies, stumbles or says nothing: what the institution is told, and what the journal holds.

Expected values: contract-annex X1, X6, X26, X37; reversal specification §3; security T26; envelope.md §4.2.
"""

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import attrs
import pytest
from hostile_messages import Json, message, new_person, payment, question, raw, reversal
from hostile_platform import (
    Behaviour,
    Seen,
    envelope,
    hangs_up,
    honest,
    http,
    resets,
    says,
    settlement,
    settles,
    shows,
    silent,
)
from hostile_rig import LATE_S, MISTRUST, NAMELESS, NOBODY, OTHERNAME, REVERSING_STORY, TIMEOUT_S, VICTIM, Rig
from hostile_wire import Heard

pytestmark = pytest.mark.processes

ACKED = ("ACKED", "", "", "")
REJECTED = ("REJECTED", "", "", "")
DOUBT = ("REVERSING", "GW-IN-DOUBT", "IN_DOUBT", "ask")  # told as doubt; then it waits for its reversal
NOT_SENT = ("NOT_SENT", "GW-NOT-SENT", "NOT_SENT", "new")


def after(seconds: float, then: Behaviour) -> Behaviour:
    def behave(seen: Seen, wire: socket.socket) -> bool:
        time.sleep(seconds)
        return then(seen, wire)

    return behave


ACCESS = '{"code":401,"message":"签名时间戳超时!"}'.encode()
HTML = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
DEEP = b'{"infcode":0,"err_msg":"","output":' + b"[" * 200_000 + b"]" * 200_000 + b"}"
CASES: dict[str, tuple[Behaviour, tuple[str, str, str, str]]] = {
    "the truth": (honest, ACKED),
    "infcode as text": (settles("0"), ACKED),
    "no medins_setl_id": (settles(medins_setl_id=None), ACKED),
    "another msgid": (settles(medins_setl_id="H51080200005202603029999999999"), DOUBT),
    "another person": (settles(psn_no="51080000000000000001"), DOUBT),
    "fund over total": (settles(fund_pay_sumamt=160, hifp_pay=160, psn_part_amt=-60, psn_cash_pay=-70), DOUBT),
    "parts off by two fen": (settles(psn_cash_pay=30.02), DOUBT),
    "parts off by one fen": (settles(psn_cash_pay=30.01), ACKED),
    "funds off by two fen": (settles(hifp_pay=59.98), DOUBT),
    "amounts as text, off": (settles(psn_cash_pay="30.02"), DOUBT),
    "business refusal": (says(envelope(-1, "余额不足")), REJECTED),
    "business refusal as text": (says(envelope("-1", "余额不足")), REJECTED),
    "system error": (says(envelope(-1, "系统异常，请稍后")), DOUBT),
    "system error in English": (says(envelope(-1, "java.lang.NullPointerException")), DOUBT),
    "read timed out": (says(envelope(-1, "Read Timeout")), DOUBT),
    "refusal without a text": (says(envelope(-1, "")), DOUBT),
    "refusal with a blank text": (says(envelope(-1, "  ")), DOUBT),
    "an unknown code": (says(envelope(-2, "余额不足")), DOUBT),
    "a positive code": (says(envelope(1, "成功")), DOUBT),
    "infcode null": (says(envelope(None, "成功")), DOUBT),
    "infcode true": (says(envelope(True, "成功")), DOUBT),
    "infcode a list": (says(envelope([0], "成功")), DOUBT),
    "infcode blank": (says(envelope(" ", "成功")), DOUBT),
    "access layer, 401": (says(ACCESS, 401), NOT_SENT),
    "access layer, 200": (says(ACCESS, 200), NOT_SENT),
    "401 in HTML": (says(HTML, 401, "text/html"), DOUBT),
    "401 of nobody's form": (says(b'{"error":"unauthorized"}', 401), DOUBT),
    "code 500": (says('{"code":500,"message":"调用失败"}'.encode(), 200), DOUBT),
    "502 in HTML": (says(HTML, 502, "text/html"), DOUBT),
    "503 with a success in it": (says(envelope(0, "", {}), 503), DOUBT),
    "a redirect": (says(b"", 302, "text/html", "Location: http://127.0.0.1:1/fsi/api/call"), DOUBT),
    "nothing in it": (says(b""), DOUBT),
    "an empty object": (says(b"{}"), DOUBT),
    "an array": (says(b"[0]"), DOUBT),
    "not JSON": (says(b'{"infcode":0,'), DOUBT),
    "GBK": (says('{"infcode":-1,"err_msg":"余额不足","output":{}}'.encode("gbk")), DOUBT),
    "gzip": (says(b"\x1f\x8b\x08\x00junk", 200, "application/json", "Content-Encoding: gzip"), DOUBT),
    "too deep": (says(DEEP), DOUBT),
    "five megabytes": (says(envelope(0, "x" * 5_000_000)), DOUBT),
    "not HTTP": (shows(lambda body: b"220 mail ready\r\n"), DOUBT),
    "cut in the body": (shows(lambda body: http(body)[:-20]), DOUBT),
    "cut in the head": (shows(lambda body: b"HTTP/1.1 200 OK\r\nContent-Le"), DOUBT),
    "no length, whole": (shows(lambda body: b"HTTP/1.1 200 OK\r\n\r\n" + body), ACKED),
    "no length, cut": (shows(lambda body: b"HTTP/1.1 200 OK\r\n\r\n" + body[:-20]), DOUBT),
    "two lengths": (shows(lambda body: http(body, 200, "application/json", "Content-Length: 5")), DOUBT),
    "hangs up": (hangs_up, DOUBT),
    "resets": (resets, DOUBT),
    "late, inside the window": (after(TIMEOUT_S + 0.15, honest), ACKED),
    "late refusal, inside the window": (after(TIMEOUT_S + 0.15, says(envelope(-1, "余额不足"))), REJECTED),
    "later than the window": (after(TIMEOUT_S + LATE_S + 1.0, honest), DOUBT),
    "silence": (silent, DOUBT),
}  # fmt: skip


@attrs.frozen
class Told:
    """What one case came to: its msgid, the answer, the answer to the same message again, every state it was in."""

    msgid: str
    first: Heard
    again: Heard
    story: list[str]


@pytest.fixture(scope="module")
def told(rig: Rig) -> dict[str, Told]:
    """Play all cases side by side: most of their time is waiting."""

    def play(name: str) -> Told:
        found = payment(VICTIM)
        rig.liar.script[found["msgid"]] = CASES[name][0]
        first = rig.ask(raw(found))
        story = rig.ended(found["msgid"], CASES[name][1][0])
        return Told(found["msgid"], first, rig.ask(raw(found)), story)

    with ThreadPoolExecutor(12) as pool:
        return dict(zip(CASES, pool.map(play, CASES), strict=True))


@pytest.fixture(scope="module")
def journal(rig: Rig, told: dict[str, Told]) -> dict[tuple[str, str], Json]:
    time.sleep(TIMEOUT_S)  # the latest of the late answers has come by now
    return rig.journal()


@pytest.mark.parametrize("name", CASES)
def test_a_lie_is_told_apart(name: str, rig: Rig, told: dict[str, Told], journal: dict[tuple[str, str], Json]) -> None:
    state, gw_code, gw_state, gw_repeat = CASES[name][1]
    one = told[name]
    assert one.first.status == 200
    answer = one.first.json
    assert [answer.get(key, "") for key in ("gw_code", "gw_state", "gw_repeat")] == [gw_code, gw_state, gw_repeat]
    assert str(answer["infcode"]) == ("0" if state == "ACKED" else "-1")
    if gw_code:
        assert answer["infcode"] == -1
        assert answer["err_msg"].startswith(f"[{gw_code}]")
        assert answer["output"] == {}
    assert journal[VICTIM, one.msgid]["state"] == state
    # The same message again: the same bytes once it has ended, else the state (X7); nothing is ever sent twice (T8).
    if state == "REVERSING":
        assert one.story == REVERSING_STORY  # believed at no time
        again = one.again.json
        assert (again["gw_code"], again["gw_state"], again["infcode"]) == ("GW-REVERSING", "REVERSING", -1)
        assert (again["gw_repeat"], again["output"]) == ("ask", {})
    else:
        doubted = ["IN_DOUBT"] if "inside the window" in name else []
        assert one.story == ["JOURNALED", "SENT", *doubted, state]
        assert one.again.body == one.first.body
    assert len(rig.liar.of(one.msgid)) == 1
    assert rig.liar.reversals(one.msgid) == []


def test_the_platforms_own_bytes_reach_the_institution(told: dict[str, Told]) -> None:
    assert told["business refusal"].first.body == envelope(-1, "余额不足")
    assert b'"infcode": "0"' in told["infcode as text"].first.body


def test_a_late_answer_after_the_window_changes_nothing(rig: Rig, told: dict[str, Told]) -> None:
    one = told["later than the window"]
    time.sleep(TIMEOUT_S)
    assert rig.ask(raw(_again(rig, one.msgid))).gw_code == "GW-REVERSING"
    story, count = rig.story(one.msgid), len(REVERSING_STORY)
    assert (story[:count], set(story[count:]) <= {"REVERSING"}) == (REVERSING_STORY, True)  # at most evidence
    assert len(rig.liar.of(one.msgid)) == 1


def _again(rig: Rig, msgid: str) -> Json:
    """The message as it was sent (nothing in it is translated)."""
    return rig.liar.of(msgid)[0].envelope


def test_the_person_in_doubt_waits_and_others_do_not(rig: Rig, told: dict[str, Told]) -> None:
    psn_no = _again(rig, told["silence"].msgid)["input"]["data"]["psn_no"]
    found = payment(VICTIM, psn_no)
    refused = rig.ask(raw(found)).json
    assert (refused["gw_code"], refused["gw_state"], refused["gw_repeat"]) == ("GW-REVERSING", "REVERSING", "no")
    assert refused["gw_msgid"] == told["silence"].msgid
    assert rig.liar.of(found["msgid"]) == []
    assert rig.ask(raw(payment(VICTIM))).json["infcode"] == 0


class Swap:
    """Holds the first answer until the second is asked for, then gives each to the other (T26)."""

    def __init__(self, **changes: object) -> None:
        self._changes = changes
        self._both = threading.Barrier(2)
        self._seen: list[Seen] = []

    def __call__(self, seen: Seen, wire: socket.socket) -> bool:
        self._seen.append(seen)
        self._both.wait(5)
        other = next(one for one in self._seen if one is not seen)
        wire.sendall(http(envelope(0, "", settlement(other, **self._changes))))
        return True


@pytest.mark.parametrize("changes", [{}, {"medins_setl_id": None}, {"psn_no": None}], ids=["both", "person", "msgid"])
def test_swapped_answers_are_believed_by_neither(rig: Rig, changes: dict[str, object]) -> None:
    pair = [payment(VICTIM), payment(VICTIM)]
    swap = Swap(**changes)
    rig.liar.script.update({one["msgid"]: swap for one in pair})
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda one: rig.ask(raw(one)), pair))
    assert [one.gw_code for one in answers] == ["GW-IN-DOUBT"] * 2
    assert [rig.ended(one["msgid"], "REVERSING") for one in pair] == [REVERSING_STORY] * 2


def test_an_answer_sent_in_advance_is_not_taken_for_the_next_question(rig: Rig) -> None:
    """Bytes after a response close the connection (X25): the next request must not meet them."""
    first, second = payment(VICTIM), payment(VICTIM)

    def generous(seen: Seen, wire: socket.socket) -> bool:
        poison = envelope(0, "", settlement(seen, medins_setl_id=second["msgid"], psn_no=None, setl_id="POISON"))
        wire.sendall(http(envelope(0, "", settlement(seen))) + http(poison))
        return True

    rig.liar.script[first["msgid"]] = generous
    assert rig.ask(raw(first)).json["infcode"] == 0
    answers = [rig.ask(raw(second)), rig.ask(raw(question(VICTIM)))]
    assert b"POISON" not in answers[0].body + answers[1].body
    assert answers[0].json["output"]["setlinfo"]["medins_setl_id"] == second["msgid"]
    assert rig.liar.of(first["msgid"])[0].connection != rig.liar.of(second["msgid"])[0].connection


def cut(seen: Seen, wire: socket.socket) -> bool:
    wire.sendall(http(envelope(0, "", {"echo": seen.msgid}))[:-5])
    return False


QUESTIONS: dict[str, Behaviour] = {
    "silence": silent,
    "502 in HTML": says(HTML, 502, "text/html"),
    "not JSON": says(b'{"infcode":0,'),
    "hangs up": hangs_up,
    "access layer": says(ACCESS, 401),
    "cut": cut,
}


@pytest.mark.parametrize("infno", ["1101", "2202"])
def test_a_question_or_write_without_answer_is_told_so(rig: Rig, infno: str) -> None:
    def play(name: str) -> tuple[int, str, object]:
        found = question(VICTIM)
        if infno == "2202":
            facts = {"psn_no": new_person(), "mdtrt_id": "M1", "ipt_otp_no": "1"}
            found = message("2202", VICTIM, {"data": facts})
        rig.liar.script[found["msgid"]] = QUESTIONS[name]
        heard = rig.ask(raw(found))
        return heard.status, heard.gw_code, heard.json["infcode"]

    with ThreadPoolExecutor(6) as pool:
        told = dict(zip(QUESTIONS, pool.map(play, QUESTIONS), strict=True))
    assert told == dict.fromkeys(QUESTIONS, (200, "GW-PLATFORM", -1))


@pytest.mark.parametrize("code", [MISTRUST, NAMELESS, OTHERNAME, NOBODY])
def test_a_platform_that_cannot_prove_itself_gets_no_money(rig: Rig, code: str) -> None:
    """Foreign authority, no certificate of ours, another name, nobody there: certainly not sent (reversal.md §3)."""
    found = payment(code)
    answer = rig.ask(raw(found), code).json
    assert (answer["gw_code"], answer["gw_state"], answer["gw_repeat"]) == ("GW-NOT-SENT", "NOT_SENT", "new")
    assert rig.journal()[code, found["msgid"]]["state"] == "NOT_SENT"


@pytest.fixture
def doubted(rig: Rig) -> Iterator[Json]:
    """A payment in doubt, of a person of its own; its reversal waits."""
    found = payment(VICTIM)
    rig.liar.script[found["msgid"]] = says(envelope(-1, "系统繁忙"))
    assert rig.ask(raw(found)).gw_code == "GW-IN-DOUBT"
    rig.ended(found["msgid"], "REVERSING")
    yield found


def test_a_reversal_of_doubt_needs_the_right_person(rig: Rig, doubted: Json) -> None:
    wrong = reversal(VICTIM, new_person(), doubted["msgid"])
    assert rig.ask(raw(wrong)).gw_code == "GW-REVERSAL-REFUSED"
    assert rig.liar.of(wrong["msgid"]) == []
    assert rig.liar.reversals(doubted["msgid"]) == []
    right = reversal(VICTIM, doubted["input"]["data"]["psn_no"], doubted["msgid"])
    answer = rig.ask(raw(right)).json
    assert (answer["infcode"], answer["gw_code"]) == (0, "GW-REVERSED")
    # The gateway's own reversal was hurried; the institution's was not sent beside it (RV5).
    assert rig.liar.of(right["msgid"]) == []
    assert len(rig.liar.reversals(doubted["msgid"])) == 1
    again = rig.ask(raw(doubted)).json
    assert (again["gw_code"], again["gw_state"], again["gw_repeat"]) == ("GW-REVERSED", "REVERSED", "new")
