"""Who may speak for whom: addresses, certificates, groups, and every place where another's code can be hidden.

Expected values: contract-annex X15, X20, X36; security §2, T9, T18.
"""

import json
import ssl

import attrs
import pytest
from hostile_messages import Json, message, new_person, payment, question, raw, reversal
from hostile_platform import envelope, says
from hostile_rig import (
    ADDRESS,
    CITY,
    CROWD,
    GROUP,
    NARROW,
    NARROW_ADDRESS,
    NEIGHBOUR,
    REVERSING_STORY,
    STRANGER,
    TRUSTING,
    UNLISTED,
    VICTIM,
    Rig,
    client_tls,
)
from hostile_wire import Broken, Heard, Wire, post

pytestmark = pytest.mark.processes

OTHER = CROWD  # another institution of the same node, and of the same platform


_STATEMENT = {
    "setl_optins": "510800", "file_qury_no": "F1", "stmt_begndate": "2026-03-01", "stmt_enddate": "2026-03-01",
    "medfee_sumamt": 1, "fund_pay_sumamt": 1, "cash_payamt": 0, "fixmedins_setl_cnt": 1, "clr_type": "11",
}  # fmt: skip
_FILE = {"in": "QUJD", "filename": "a.zip", "file_qury_no": "F1", "fixmedins_code": OTHER}
# Where the code of another can hide: name -> (infno, input).
MESSAGES: dict[str, tuple[str, Json]] = {
    "9101": ("9101", {"fsUploadIn": _FILE}),
    "9102": ("9102", {"fsDownloadIn": _FILE}),
    "3202": ("3202", {"data": {**_STATEMENT, "fixmedins_code": OTHER}}),
    "3202 a list": ("3202", {"data": _STATEMENT, "rows": [{"fixmedins_code": VICTIM}, {"fixmedins_code": OTHER}]}),
}
HEADS = {
    "head": OTHER,
    "head, nobody's": "H99999999999",
    "head, blanks": VICTIM + " ",
    "head, lower case": VICTIM.lower(),
}
MONEY: dict[str, Json] = {  # further keys of the data of a 2207
    "money": {"fixmedins_code": OTHER},
    "money, a list": {"fixmedins_code": [OTHER]},
    "money, deep": {"exp_content": {"a": [{"b": {"fixmedins_code": OTHER}}]}},
}
BESIDE: dict[str, Json] = {  # further keys of the input of a 2207
    "money, a node of its own": {"extra": {"fixmedins_code": OTHER}},
    "money, top of input": {"fixmedins_code": OTHER},
}


def hidden(where: str) -> Json:
    """A message of VICTIM with another's code somewhere."""
    if where in MESSAGES:
        infno, body = MESSAGES[where]
        return message(infno, VICTIM, body)
    found = payment(VICTIM)
    found["fixmedins_code"] = HEADS.get(where, VICTIM)
    found["input"].update(BESIDE.get(where, {}))
    found["input"]["data"].update(MONEY.get(where, {}))
    return found


PLACES = [*MESSAGES, *HEADS, *MONEY, *BESIDE]
PATHS = {"9101": "/fsi/api/fileupload/upload", "9102": "/fsi/api/fileupload/download"}


@attrs.frozen
class Told:
    """What came of one message: its answer, how much more its platform heard, the alarms about it."""

    heard: Heard
    forwarded: int
    alarms: list[str]
    journalled: bool


@pytest.fixture(scope="module")
def told(rig: Rig) -> dict[str, Told]:
    """Play all of them; the log and the journal are read once."""
    found = {where: hidden(where) for where in PLACES}
    answers = {}
    for where, one in found.items():
        before = rig.liar.count()
        heard = rig.ask(raw(one), VICTIM, PATHS.get(where, "/fsi/api/call"))
        answers[where] = (heard, rig.liar.count() - before)
    log, known = rig.log_lines(), {msgid for _, msgid in rig.journal()}
    return {
        where: Told(
            *answers[where],
            [line["reason"] for line in log if line["event"] == "alarm" and line.get("msgid") == one["msgid"]],
            one["msgid"] in known,
        )
        for where, one in found.items()
    }


@pytest.mark.parametrize("where", PLACES)
def test_another_institutions_code_is_refused_with_an_alarm(told: dict[str, Told], where: str) -> None:
    one = told[where]
    assert (one.heard.status, one.heard.gw_code) == (200, "GW-IDENTITY")
    assert one.heard.json["infcode"] == -1
    assert (one.forwarded, one.alarms, one.journalled) == (0, ["identity"], False)


def test_questions_about_institutions_and_catalogues_may_name_others(rig: Rig) -> None:
    """X15: 1201 and the literal plc in 9102 are exempt."""
    asked = message("1201", VICTIM, {"medinsinfo": {"fixmedins_type": "1", "fixmedins_code": OTHER}})
    assert rig.ask(raw(asked)).json["infcode"] == 0
    facts = {"file_qury_no": "F1", "filename": "a.zip", "fixmedins_code": "plc"}
    catalogue = message("9102", VICTIM, {"fsDownloadIn": facts})
    assert rig.ask(raw(catalogue), VICTIM, PATHS["9102"]).json["infcode"] == 0
    elsewhere = payment(VICTIM, fixmedins_code="plc")
    assert rig.ask(raw(elsewhere)).gw_code == "GW-IDENTITY"


# --- what another institution did is as if it never was (T18) --------------------------------------------------------


def test_a_reversal_of_anothers_settlement_is_refused_like_one_of_nothing(rig: Rig) -> None:
    done, doubted = payment(OTHER), payment(OTHER)
    rig.liar.script[doubted["msgid"]] = says(envelope(-1, "系统异常"))
    assert rig.ask(raw(done), OTHER).json["infcode"] == 0
    assert rig.ask(raw(doubted), OTHER).gw_code == "GW-IN-DOUBT"
    rig.ended(doubted["msgid"], "REVERSING", OTHER)
    answers = []
    for psn_no, omsgid in (
        (done["input"]["data"]["psn_no"], done["msgid"]),
        (doubted["input"]["data"]["psn_no"], doubted["msgid"]),
        (new_person(), "H51080200009202603029999999999"),
    ):
        asked = reversal(VICTIM, psn_no, omsgid)
        answer = rig.ask(raw(asked)).json
        assert rig.liar.of(asked["msgid"]) == rig.liar.reversals(omsgid) == []
        answers.append({name: value for name, value in answer.items() if name not in _STAMPS})
    assert answers[0] == answers[1] == answers[2]
    assert answers[0]["gw_code"] == "GW-REVERSAL-REFUSED"
    assert rig.story(doubted["msgid"], OTHER) == REVERSING_STORY


_STAMPS = {"inf_refmsgid", "refmsg_time", "respond_time"}


def test_anothers_msgid_gives_no_stored_answer(rig: Rig) -> None:
    theirs = payment(OTHER)
    first = rig.ask(raw(theirs), OTHER)
    mine = payment(VICTIM)
    mine["msgid"] = theirs["msgid"]
    heard = rig.ask(raw(mine))
    assert heard.json["output"]["setlinfo"]["psn_no"] == mine["input"]["data"]["psn_no"]
    assert rig.ask(raw(theirs), OTHER).body == first.body
    assert len(rig.liar.of(theirs["msgid"])) == 2


def test_code_look_ups_show_the_own_tables_only(rig: Rig) -> None:
    def ask(code: str, target: str) -> tuple[int, str]:
        with rig.wire(code) as wire:
            wire.send(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            heard = wire.hear()
            return heard.status, heard.body.decode()

    target = f"/api/v1/codes/diagnosis/$translate?institution={CITY}&code=%s&date=2026-03-02"
    local = (rig.folder / "mapping" / "diagnosis.csv").read_text("utf-8").splitlines()[1].split(",")[0]
    assert ask(CITY, target % local)[0] == 200
    other, nothing = ask(NEIGHBOUR, target % local), ask(NEIGHBOUR, (target % local).replace(CITY, "H99999999999"))
    assert other == nothing
    assert other[0] == 404
    with Wire(rig.plain, STRANGER) as wire:
        wire.send(f"GET {target % local} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert (wire.hear().status) == 401


# --- sources ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", [STRANGER, "127.0.0.200", "127.1.0.1"])
def test_an_address_nobody_registered_is_a_stranger(rig: Rig, source: str) -> None:
    before = rig.liar.count()
    for body in (raw(payment(VICTIM)), raw(question(CITY)), b"not json", b""):
        with Wire(rig.plain, source) as wire:
            wire.send(post(body))
            heard = wire.hear()
        assert (heard.status, heard.gw_code) == (401, "GW-SOURCE")
        assert heard.json["infcode"] == -1
    assert rig.liar.count() == before


def test_forwarded_addresses_are_not_believed(rig: Rig) -> None:
    fields = (
        f"X-Forwarded-For: {ADDRESS[VICTIM]}",
        f"X-Real-IP: {ADDRESS[VICTIM]}",
        f"Forwarded: for={ADDRESS[VICTIM]}",
    )
    with Wire(rig.plain, STRANGER) as wire:
        wire.send(post(raw(question(VICTIM)), "/fsi/api/call", *fields))
        assert wire.hear().gw_code == "GW-SOURCE"


def test_a_group_speaks_for_its_own_and_for_nobody_else(rig: Rig) -> None:
    one, two = GROUP
    for code in GROUP:
        found = question(code)
        assert rig.ask(raw(found), one).json["output"] == {"echo": found["msgid"]}
    assert rig.ask(raw(question(VICTIM)), one).gw_code == "GW-IDENTITY"
    # One of the group in the head and the other inside is still another code (X15).
    assert rig.ask(raw(payment(one, fixmedins_code=two)), one).gw_code == "GW-IDENTITY"
    before = rig.liar.count()
    nameless = payment(one)
    del nameless["fixmedins_code"]
    answer = rig.ask(raw(nameless), one).json
    assert answer["gw_code"] == "GW-INVALID"
    assert {"fixmedins_code"} == {complaint["path"] for complaint in answer["gw_complaints"]}
    for odd in ([one], {"a": one}, 7, True):
        nameless["fixmedins_code"] = odd
        assert rig.ask(raw(nameless), one).json["gw_code"] == "GW-IDENTITY"
    assert rig.liar.count() == before


# --- TLS -------------------------------------------------------------------------------------------------------------


def over_tls(rig: Rig, name: str, body: bytes, source: str = "127.0.0.1") -> Heard:
    with Wire(rig.tls, source, client_tls(rig.pki, name)) as wire:
        wire.send(post(body))
        return wire.hear()


def test_tls_on_both_sides(rig: Rig) -> None:
    """The institution shows its certificate, the gateway shows its own to the platform, and the platform answers."""
    answer = over_tls(rig, TRUSTING, raw(question(TRUSTING))).json
    assert "gw_code" not in answer
    assert answer["err_msg"] == "未查询到参保人员信息"  # the simulated platform's word
    refused = over_tls(rig, TRUSTING, raw(payment(TRUSTING))).json
    assert "gw_code" not in refused
    assert refused["infcode"] == -1


@pytest.mark.parametrize("code", [VICTIM, NARROW, CITY])
def test_a_certificate_speaks_for_its_own_institution_only(rig: Rig, code: str) -> None:
    found = payment(code)
    heard = over_tls(rig, TRUSTING, raw(found))
    assert (heard.status, heard.gw_code) == (200, "GW-IDENTITY")
    assert rig.alarms(found["msgid"]) == ["identity"]


@pytest.mark.parametrize("name", [UNLISTED, "operator", "platform", "gateway"])
def test_a_valid_certificate_nobody_bound_is_a_stranger(rig: Rig, name: str) -> None:
    heard = over_tls(rig, name, raw(question(TRUSTING)))
    assert (heard.status, heard.gw_code) == (401, "GW-SOURCE")


def test_a_certificate_does_not_inherit_its_address(rig: Rig) -> None:
    """From VICTIM's address, with a certificate nobody bound: the certificate decides."""
    heard = over_tls(rig, UNLISTED, raw(question(VICTIM)), ADDRESS[VICTIM])
    assert (heard.status, heard.gw_code) == (401, "GW-SOURCE")


def test_an_address_does_not_stand_in_for_a_certificate(rig: Rig) -> None:
    """An institution bound to a certificate is not reached in clear, not even from its network."""
    with Wire(rig.plain, NARROW_ADDRESS) as wire:
        wire.send(post(raw(question(NARROW))))
        assert wire.hear().gw_code == "GW-SOURCE"


def test_a_network_narrows_a_certificate(rig: Rig) -> None:
    assert over_tls(rig, NARROW, raw(question(NARROW)), NARROW_ADDRESS).status == 200
    assert over_tls(rig, NARROW, raw(question(NARROW))).gw_code == "GW-SOURCE"


@pytest.mark.parametrize("name", ["expired", "revoked", "foreign", ""])
def test_a_bad_certificate_ends_the_handshake(rig: Rig, name: str) -> None:
    before = len(rig.log_lines())
    with pytest.raises((ssl.SSLError, ConnectionResetError, Broken)):
        over_tls(rig, name, raw(question(TRUSTING)))
    new = rig.log_lines()[before:]
    assert [line for line in new if line["event"] == "request"] == []
    assert over_tls(rig, TRUSTING, raw(question(TRUSTING))).status == 200


def test_old_protocols_and_clear_text_on_the_tls_port(rig: Rig) -> None:
    with Wire(rig.tls) as wire:
        wire.send(post(raw(question(TRUSTING))))
        try:
            heard = wire.socket.recv(1000)
        except ConnectionResetError:
            heard = b""
        assert not heard.startswith(b"HTTP")
    old = client_tls(rig.pki, TRUSTING)
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        Wire(rig.tls, "127.0.0.1", old)
    # A client that trusts another authority must not talk to us either: our certificate is the city's.
    with pytest.raises(ssl.SSLCertVerificationError):
        Wire(rig.tls, "127.0.0.1", client_tls(rig.pki, TRUSTING, "foreign-ca.pem"))


def test_requests_of_two_certificates_never_mix(rig: Rig) -> None:
    """Two connections side by side, each believed for its own code only."""
    with (
        Wire(rig.tls, "127.0.0.1", client_tls(rig.pki, TRUSTING)) as first,
        Wire(rig.tls, NARROW_ADDRESS, client_tls(rig.pki, NARROW)) as second,
    ):
        for wire, code in ((first, NARROW), (second, TRUSTING), (first, TRUSTING), (second, NARROW)):
            wire.send(post(raw(question(code))))
        assert [json.loads(first.hear().body).get("gw_code"), first.hear().json.get("gw_code")] == ["GW-IDENTITY", None]
        assert [second.hear().json.get("gw_code"), second.hear().json.get("gw_code")] == ["GW-IDENTITY", None]
