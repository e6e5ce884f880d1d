"""The desk: what is refused, with which code and status, before anything is recorded; what goes on, and as what bytes.

Rules: annex X4, X7, X9, X14-X17, X19-X23; contract §4.
"""

import json
from typing import Any

import pytest
from exchange_messages import (
    HOME,
    OTHER,
    PERSON,
    SHOP,
    VISIT,
    charge,
    envelope,
    pay,
    refund,
    register,
    sale,
    statement,
    who,
)
from exchange_rig import ADDRESS, Rig

from gateway.core.checks import examine
from gateway.core.codes import EMPTY_SNAPSHOT
from gateway.core.jsontext import decode, encode
from gateway.core.translation import Work
from gateway.exchange.bigbody import BIG_BYTES


def text(message: Any) -> bytes:
    return json.dumps(message, ensure_ascii=False).encode()


def untouched(rig: Rig) -> bool:
    """Nothing was forwarded, nothing was recorded."""
    return not rig.far.sent and not rig.store.journal.rows


# --- what is not even an envelope -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"{", b"nonsense", b"\xff\xfe", b'{"infno":"2207","msgid":"m1","a":NaN}',
        b'{"infno":"2207","msgid":"m1","a":Infinity}', b"[" * 200_000, b"{'infno':'2207'}",
        text(pay("m1"))[:-1], text(pay("m1")) + b"x", text(pay("m1")).decode().encode("utf-16"),
        text(pay("m1")).replace("测试".encode(), "测试".encode("gb18030")),
        text(pay("m1")).replace(b'"psn_no"', b'"psn_no":"2","psn_no"', 1),
        text(pay("m1") | {"deep": json.loads("[" * 40 + "]" * 40)}),
        text(pay("m1")).replace(b'"OP0001"', b'"\\ud800"'),
        text(envelope("2204", "m1", {"feedetail": [{"a": 1}] * 20_001})),
    ],
)  # fmt: skip
def test_what_is_not_strict_json_is_refused(rig: Rig, raw: bytes) -> None:
    caller = rig.ask(raw)
    assert (caller.status, caller.answer["gw_code"], caller.answer["infcode"]) == (400, "GW-JSON", -1)
    assert caller.answer["err_msg"].startswith("[GW-JSON]")
    assert untouched(rig)


@pytest.mark.parametrize(
    "raw",
    [
        b"null", b"[]", b'"2207"', b"7", b"{}", b'{"infno":"2207"}', b'{"msgid":"m1"}',
        b'{"infno":2207,"msgid":"m1"}', b'{"infno":"2207","msgid":5}', b'{"infno":"","msgid":"m1"}',
        b'{"infno":"2207","msgid":""}', b'{"infno":null,"msgid":"m1"}',
    ],
)  # fmt: skip
def test_json_without_infno_and_msgid_is_no_envelope(rig: Rig, raw: bytes) -> None:
    caller = rig.ask(raw)
    assert (caller.status, caller.answer["gw_code"]) == (400, "GW-ENVELOPE")
    assert untouched(rig)


def test_an_unknown_source_is_turned_away_before_its_message_is_read(rig: Rig) -> None:
    for raw in (text(pay("m1")), b"{"):
        caller = rig.ask(raw, source="192.0.2.1")
        assert (caller.status, caller.answer["gw_code"]) == (401, "GW-SOURCE")
    assert ("unknown_source", "") in rig.watch.alarms
    assert untouched(rig)


def test_a_node_that_is_stopping_takes_nothing(rig: Rig) -> None:
    rig.room.stopping = True
    caller = rig.ask(pay("m1"))
    assert caller.said == (503, "GW-NOT-READY", "", "same")
    assert untouched(rig)


def test_a_message_larger_than_its_kind_allows_is_refused_with_the_rule(rig: Rig) -> None:
    for message in (pay("m1"), who("q1")):
        limit = rig.link.plans[message["infno"]].transaction.body_bytes_max
        caller = rig.ask(message | {"x": "a" * limit})
        assert (caller.status, caller.answer["gw_code"]) == (413, "GW-SIZE")
        assert caller.answer.get("gw_repeat") == ("same" if message["infno"] == "2207" else None)
        assert caller.answer["gw_complaints"][0]["rule"] == "size"
    rig.ask(charge("w1") | {"x": "a" * 300_000})
    assert [one.message["msgid"] for one in rig.far.sent] == ["w1"]


# --- whose it is (X15) ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    [
        pay("m1", code=OTHER),
        pay("m1", code="H99999999999"),
        pay("m1", fixmedins_code=OTHER),
        who("q1") | {"fixmedins_code": OTHER},
        envelope("3201", "c1", {"data": statement("c1")["input"]["data"] | {"fixmedins_code": OTHER}}),
    ],
)
def test_a_foreign_institution_anywhere_is_refused_with_an_alarm(rig: Rig, message: Any) -> None:
    caller = rig.ask(message, source=ADDRESS[HOME])
    assert caller.said[:2] == (200, "GW-IDENTITY")
    assert ("identity", message["msgid"]) in rig.watch.alarms
    assert untouched(rig)


def test_queries_about_institutions_may_name_others(rig: Rig) -> None:
    rig.ask(
        envelope("1201", "q1", {"medinsinfo": {"fixmedins_type": "1", "fixmedins_name": "", "fixmedins_code": OTHER}})
    )
    assert [one.message["msgid"] for one in rig.far.sent] == ["q1"]


def test_an_envelope_without_institution_is_a_complaint_not_a_guess(rig: Rig) -> None:
    for gone in ("", None):
        caller = rig.ask(pay("m1") | {"fixmedins_code": gone}, source=ADDRESS[HOME])
        assert caller.said[:2] == (200, "GW-INVALID")
        assert "fixmedins_code" in {one["path"] for one in caller.answer["gw_complaints"]}
    assert untouched(rig)


# --- what it wants --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("infno", ["9999", "220", "22077", "2207 ", "3592B", "../2207", "二二〇七"])
def test_an_unknown_transaction_is_never_forwarded(rig: Rig, infno: str) -> None:
    caller = rig.ask(pay("m1") | {"infno": infno})
    assert caller.said[:2] == (200, "GW-INFNO")
    assert untouched(rig)
    assert rig.watch.results == [("other", "invalid", "GW-INFNO")]


def test_file_addresses_take_only_their_own_transaction(rig: Rig) -> None:
    for route in ("upload", "download"):
        assert rig.ask(pay("m1"), route=route).said[:2] == (200, "GW-INFNO")
    assert untouched(rig)


# --- complaints -----------------------------------------------------------------------------------------------------


def test_everything_wrong_is_said_at_once_and_nothing_is_reserved(rig: Rig) -> None:
    bad = pay("m1", medfee_sumamt="1e3", insutype="999", mdtrt_id="", psn_no="x" * 31) | {"opter": ""}
    caller = rig.ask(bad)
    assert caller.said == (200, "GW-INVALID", "INVALID", "same")
    found = {(one["path"], one["rule"]) for one in caller.answer["gw_complaints"]}
    assert found >= {
        ("input.data.medfee_sumamt", "type"),
        ("input.data.insutype", "dictionary"),
        ("input.data.mdtrt_id", "required"),
        ("input.data.psn_no", "length"),
        ("opter", "required"),
    }
    assert "x" * 31 not in caller.raw.decode(), "no value of a person in a complaint"
    assert untouched(rig)
    rig.settle(pay("m1"))  # X9: the corrected message may use the same msgid


@pytest.mark.parametrize("broken", [None, [], "x", 7, {}])
def test_an_input_of_another_shape_is_a_complaint(rig: Rig, broken: Any) -> None:
    for message in (pay("m1"), register("w1"), who("q1"), statement("c1"), refund("m2", "S1")):
        caller = rig.ask(message | {"input": broken})
        assert caller.said[:2] == (200, "GW-INVALID"), message["infno"]
        assert caller.answer["gw_complaints"]
    assert untouched(rig)


def test_a_code_without_mapping_is_named_and_the_miss_is_counted(rig: Rig) -> None:
    caller = rig.ask(charge("w1", code="NO-SUCH"))
    assert caller.said[:2] == (200, "GW-UNMAPPED")
    (complaint,) = caller.answer["gw_complaints"]
    assert (complaint["path"], complaint["rule"]) == ("input.feedetail[0].med_list_codg", "unmapped")
    assert rig.watch.misses
    assert untouched(rig)


def test_answers_made_here_have_every_field_of_the_response_envelope() -> None:
    for kind, expected in (("number", -1), ("text", "-1")):
        rig = Rig(settings={"infcode": kind})
        found = rig.ask(pay("m1", insutype="999")).answer
        assert found["infcode"] == expected
        assert found.keys() >= {"infcode", "inf_refmsgid", "refmsg_time", "respond_time", "err_msg", "output"}
        assert (found["output"], len(found["inf_refmsgid"])) == ({}, 30)


# --- mappings that changed since (X7) -------------------------------------------------------------------------------


def test_what_was_settled_is_replayed_also_when_its_mapping_is_gone(rig: Rig) -> None:
    first = rig.settle(sale("m1", invono="F1"))
    rig.room.door.institutions[SHOP].snapshot = EMPTY_SNAPSHOT
    assert rig.ask(sale("m1", invono="F1")).raw == first.raw
    assert rig.ask(sale("m2", invono="F2")).said[1] == "GW-UNMAPPED"
    assert rig.ask(sale("m1", invono="F3")).said[1] == "GW-MSGID-REUSED"
    assert len(rig.far.sent) == 1


def test_what_is_on_its_way_or_in_doubt_says_so_also_when_its_mapping_is_gone(rig: Rig) -> None:
    rig.ask(sale("m1", invono="F1"))
    rig.room.door.institutions[SHOP].snapshot = EMPTY_SNAPSHOT
    assert rig.ask(sale("m1", invono="F1")).said == (200, "GW-IN-DOUBT", "SENT", "ask")
    rig.far.last.listener.lost("x")
    rig.run()
    assert rig.ask(sale("m1", invono="F1")).said == (200, "GW-IN-DOUBT", "IN_DOUBT", "ask")


# --- what goes on ---------------------------------------------------------------------------------------------------


def test_a_message_without_codes_goes_on_byte_for_byte(rig: Rig) -> None:
    raw = json.dumps(pay("m1"), ensure_ascii=False, indent=2).replace('"medfee_sumamt": 100', '"medfee_sumamt": 100.00')
    rig.ask(raw.encode(), source=ADDRESS[HOME])
    assert rig.far.last.body == raw.encode()


def test_unknown_fields_and_number_texts_survive_translation(rig: Rig) -> None:
    message = charge("w1")
    message["input"]["feedetail"][0]["hospital_own"] = {"a": [1, None]}
    raw = text(message).replace(b'"pric": 54.48', b'"pric": 54.480')
    rig.ask(raw, source=ADDRESS[HOME])
    assert b'"pric":54.480' in rig.far.last.body
    row = rig.far.last.message["input"]["feedetail"][0]
    assert row["hospital_own"] == {"a": [1, None]}


def test_an_answer_that_needs_no_translation_comes_back_byte_for_byte(rig: Rig) -> None:
    caller = rig.ask(who("q1"))
    raw = b'{ "infcode" : "0",  "output":{"baseinfo":{"psn_no":"1","balc":12.50}} }'
    rig.far.last.raw(raw)
    assert caller.raw == raw


def test_a_code_of_the_answer_comes_back_as_the_institutions_own(rig: Rig) -> None:
    """X14, X39: the only local code in force, both kept under gw_codes, all other values with their text."""
    reverse = rig.room.door.institutions[HOME].snapshot.reverse["diagnosis"]
    national, local = next((code, next(iter(found))) for code, found in reverse.items() if len(found) == 1)
    caller = rig.ask(envelope("5202", "q1", {"data": {"psn_no": PERSON, "mdtrt_id": VISIT}}))
    row = b'{"diag_code":"%b","n":12.50,"diag_name":"x"}'
    rig.far.last.raw(b'{"infcode":0,"output":{"diseinfo":[' + row % national.encode() + b',{"diag_code":"Z00.000"}]}}')
    assert caller.answer["gw_codes"] == [{"path": "output.diseinfo[0].diag_code", "national": national, "local": local}]
    assert row % local.encode() in caller.raw
    assert caller.answer["output"]["diseinfo"][1] == {"diag_code": "Z00.000"}


# --- big messages ---------------------------------------------------------------------------------------------------


def big(msgid: str, **changes: Any) -> bytes:
    message = charge(msgid, lines=800)
    for row in message["input"]["feedetail"][700:701]:
        row |= changes
    raw = text(message)
    assert len(raw) > BIG_BYTES
    return raw


def test_a_big_message_worked_on_in_slices_gives_the_unsliced_bytes_and_evidence(rig: Rig) -> None:
    raw = big("w1")
    rig.ask(raw)
    institution = rig.room.door.institutions[HOME]
    tree, work = decode(raw), Work(institution.snapshot, "2026-03-02", HOME, names=True)
    assert rig.link.plans["2204"].run(tree, work) > 0
    assert rig.far.last.body == encode(tree)
    rig.far.last.reply(0)
    rig.run(1)
    assert rig.store.journal.evidence[rig.row("w1").id] == tuple(work.evidence)
    assert len(work.evidence) >= 800


@pytest.mark.parametrize(
    "wrong", [{"medins_list_codg": "NO-SUCH"}, {"cnt": "1e3"}, {"mdtrt_id": None}, {"pric": 1, "hosp_appr_flag": "7"}]
)
def test_a_big_message_that_is_wrong_gets_the_same_complaints_as_the_slow_walk(rig: Rig, wrong: Any) -> None:
    raw = big("w1", **wrong)
    caller = rig.ask(raw)
    institution = rig.room.door.institutions[HOME]
    tree, plan = decode(raw), rig.link.plans["2204"]
    expected = examine(plan.region, plan.transaction, tree, Work(institution.snapshot, "2026-03-02", HOME, names=True))
    assert [(one["path"], one["rule"]) for one in caller.answer["gw_complaints"]] == [
        (one.path, one.rule) for one in expected.complaints
    ]
    assert untouched(rig)


def test_others_are_served_between_the_slices_of_a_big_message(rig: Rig) -> None:
    rig.post(big("w1"))
    rig.post(who("q1"))
    rig.run()
    assert [one.message["msgid"] for one in rig.far.sent] == ["q1", "w1"]


def test_a_big_message_that_is_repeated_is_recognised(rig: Rig) -> None:
    first = rig.ask(big("w1"))
    rig.run()
    body = rig.far.last.reply(0)
    rig.run(1)
    second = rig.ask(big("w1"))
    rig.run()
    assert first.raw == second.raw == body
    third = rig.ask(big("w1", rxno="R2"))
    rig.run()
    assert third.said[1] == "GW-MSGID-REUSED"
    assert len(rig.far.sent) == 1
