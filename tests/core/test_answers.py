"""Answers the gateway makes itself: codes and statuses of annex X4, fields of X21, `gw_repeat` of X37."""

import re
from typing import Any

import pytest

from gateway.core.answers import made, refusal
from gateway.core.errors import CODES, Complaint
from gateway.core.jsontext import decode

# Annex X4, word by word.
STATUS = {
    "GW-JSON": 400, "GW-ENVELOPE": 400, "GW-HTTP": 400, "GW-SOURCE": 401, "GW-PATH": 404, "GW-METHOD": 405,
    "GW-DEADLINE": 408, "GW-SIZE": 413, "GW-ENCODING": 415, "GW-RATE": 429, "GW-NOT-READY": 503, "GW-NOT-ACCEPTED": 503,
}  # fmt: skip
AT_200 = {
    "GW-IDENTITY", "GW-INFNO", "GW-INVALID", "GW-UNMAPPED", "GW-MSGID-REUSED", "GW-DUPLICATE-SETTLEMENT",
    "GW-LANE-BUSY", "GW-IN-DOUBT", "GW-REVERSING", "GW-REVERSED", "GW-ABSENT", "GW-NOT-SENT", "GW-CONFIRMED",
    "GW-MANUAL", "GW-PLATFORM", "GW-REVERSAL-REFUSED",
}  # fmt: skip
NOW = 1704418200.0456  # 2024-01-05 09:30:00.045 in Shanghai


def answer(code: str = "GW-INVALID", **more: Any) -> dict[str, Any]:
    given = {"now_s": NOW, "region_infcode": "number", "admdvs": "430100", "sequence": 7, **more}
    found: dict[str, Any] = decode(made(code, **given))
    return found


def test_the_codes_and_their_statuses_are_those_of_the_contract() -> None:
    of_day_files = {"GW-DAY-AHEAD": 400, "GW-DAY-FROZEN": 409}  # reconciliation §6.2, §6.4
    ours = dict.fromkeys([*AT_200, "GW-CATALOGUE"], 200) | of_day_files
    assert {name: code.status for name, code in CODES.items()} == STATUS | ours


@pytest.mark.parametrize("name", sorted(set(CODES) - {"GW-CONFIRMED", "GW-CATALOGUE"}))
def test_a_person_reads_what_happened_and_what_to_do(name: str) -> None:
    text = CODES[name].message()
    assert text.startswith(f"[{name}] ")
    assert len(re.findall(r"[\u4e00-\u9fff]", text)) >= 8
    assert CODES[name].message("第3行") in (f"[{name}] {CODES[name].text}；第3行；{CODES[name].advice}",)


def test_a_message_leaves_out_what_is_empty() -> None:
    assert CODES["GW-CONFIRMED"].message("交易已成功") == "[GW-CONFIRMED] 交易已成功"


@pytest.mark.parametrize("name", sorted(STATUS))
def test_a_refusal_at_the_door(name: str) -> None:
    status, body = refusal(name, "详情")
    found = decode(body)
    assert status == STATUS[name]
    assert (found["infcode"], found["gw_code"]) == (-1, name)
    assert "详情" in found["err_msg"]
    # X37, X5: certainly not executed, the same msgid may come again.
    repeatable = name in {"GW-RATE", "GW-NOT-READY", "GW-NOT-ACCEPTED"}
    assert found.get("gw_repeat") == ("same" if repeatable else None)
    assert found.get("gw_state") == ("NOT_SENT" if name == "GW-NOT-ACCEPTED" else None)


def test_a_made_answer_has_every_field_of_the_response_envelope() -> None:
    found = answer()
    assert list(found)[:6] == ["infcode", "inf_refmsgid", "refmsg_time", "respond_time", "err_msg", "output"]
    assert found["infcode"] == -1
    assert found["inf_refmsgid"] == "430100202401050930000000000007"
    assert found["refmsg_time"] == found["respond_time"] == "20240105093000045"
    assert found["output"] == {}
    assert found["err_msg"].startswith("[GW-INVALID] ")
    assert set(found) == {"infcode", "inf_refmsgid", "refmsg_time", "respond_time", "err_msg", "output", "gw_code"}


@pytest.mark.parametrize("admdvs", ["", "43", "430100", "4301009999", "43010x"])
@pytest.mark.parametrize("sequence", [0, 10**10 - 1, 10**10 + 5])
def test_the_message_id_has_thirty_characters(admdvs: str, sequence: int) -> None:
    found = answer(admdvs=admdvs, sequence=sequence)["inf_refmsgid"]
    assert len(found) == 30
    assert found.endswith(f"{sequence % 10**10:010d}")


@pytest.mark.parametrize(("kind", "failed", "fine"), [("number", -1, 0), ("text", "-1", "0")])
def test_infcode_has_the_type_of_the_link(kind: str, failed: Any, fine: Any) -> None:
    assert answer(region_infcode=kind)["infcode"] == failed
    assert type(answer(region_infcode=kind)["infcode"]) is type(failed)
    good = answer("GW-CONFIRMED", region_infcode=kind, success=True)
    assert (good["infcode"], good["err_msg"]) == (fine, "")


def test_what_is_known_is_told() -> None:
    found = answer(
        "GW-DUPLICATE-SETTLEMENT", state="ACKED", repeat="no", other_msgid="M0", setl_id="S0", detail="原交易已成功"
    )
    assert (found["gw_state"], found["gw_repeat"], found["gw_msgid"], found["setl_id"]) == ("ACKED", "no", "M0", "S0")
    assert "原交易已成功" in found["err_msg"]


def test_complaints_are_told_in_full() -> None:
    rows = [Complaint("input.data.psn_no", "required", "人员编号不能为空"), Complaint("input", "count", "多")]
    assert answer(complaints=rows)["gw_complaints"] == [
        {"path": "input.data.psn_no", "rule": "required", "message": "人员编号不能为空"},
        {"path": "input", "rule": "count", "message": "多"},
    ]


def test_a_size_refusal_names_its_rule() -> None:
    """X23: smaller limits by infno are 413 with rule `size`."""
    status, body = refusal("GW-SIZE", complaints=[Complaint("input", "size", "报文过大")])
    assert status == 413
    assert decode(body)["gw_complaints"] == [{"path": "input", "rule": "size", "message": "报文过大"}]
    assert "gw_complaints" not in decode(refusal("GW-SIZE")[1])


@pytest.mark.parametrize(
    ("name", "repeat"),
    [
        ("GW-INVALID", "same"), ("GW-UNMAPPED", "same"), ("GW-IDENTITY", "same"), ("GW-RATE", "same"),
        ("GW-NOT-READY", "same"), ("GW-NOT-ACCEPTED", "same"), ("GW-ABSENT", "new"), ("GW-REVERSED", "new"),
        ("GW-NOT-SENT", "new"), ("GW-MSGID-REUSED", "new"), ("GW-IN-DOUBT", "ask"), ("GW-REVERSING", "ask"),
        ("GW-CONFIRMED", "no"), ("GW-DUPLICATE-SETTLEMENT", "no"), ("GW-LANE-BUSY", "no"), ("GW-MANUAL", "no"),
    ],
)  # fmt: skip
def test_may_it_be_repeated(name: str, repeat: str) -> None:
    assert CODES[name].repeat == repeat
