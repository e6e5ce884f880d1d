"""What a platform's answer proves, through the real codec: the table of annex X1, the doubts of X26; national."""

import json
from typing import Any

import pytest
from exchange_messages import PERSON, VISIT
from exchange_rig import settlement

from adapters.platform.national import NationalCodec
from gateway.app.facts import read_files
from gateway.core.model import Entry
from gateway.core.regions import build_region
from gateway.exchange.verdict import Judge, Verdict
from simulators.city import facts

REGION = facts()[0].region
CODEC = NationalCodec.of(REGION, b"/x", lambda infno, now_s: b"")
JUDGE = Judge.of(REGION)


def entry(infno: str = "2207", medfee_fen: int | None = 10000) -> Entry:
    return Entry(
        id=1, fixmedins_code="H51080200001", msgid="M1", infno=infno, klass="M", link="n", state="SENT", digest=b"",
        created_ms=0, psn_no=PERSON, mdtrt_id=VISIT, medfee_fen=medfee_fen,
    )  # fmt: skip


def verdict(body: bytes | dict[str, Any], status: int = 200, infno: str = "2207", whole: bool = True) -> Verdict:
    raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    reply = CODEC.read(status, raw, whole, True)
    medfee = 10000 if infno in ("2207", "2102", "2304") else None
    return JUDGE.money(status, reply, raw, REGION.transactions[infno], entry(infno, medfee))


@pytest.mark.parametrize("infcode", [-1, "-1", " -1 "])
def test_a_business_refusal_is_final(infcode: Any) -> None:
    assert verdict({"infcode": infcode, "err_msg": "该批次已结算"}) == Verdict("rejected", "refused")


@pytest.mark.parametrize(
    "text",
    [
        "系统异常",
        "处理失败:系统错误!",
        "平台系统繁忙，请稍后",
        "调用超时",
        "read timeout",
        "Read TIMEOUT",
        "NullPointerException",
    ],
)
@pytest.mark.parametrize("infcode", [-1, "-1"])
def test_a_system_error_is_doubt(infcode: Any, text: str) -> None:
    assert verdict({"infcode": infcode, "err_msg": text}).kind == "doubt"


@pytest.mark.parametrize("empty", ["", "   ", None, 5])
def test_a_refusal_without_words_is_doubt(empty: Any) -> None:
    assert verdict({"infcode": -1, "err_msg": empty}).kind == "doubt"
    assert verdict({"infcode": -1}).kind == "doubt"


@pytest.mark.parametrize("infcode", [1, "1", -2, "-10", "E001", 500, "00", "+1"])
def test_any_other_code_is_doubt(infcode: Any) -> None:
    assert verdict({"infcode": infcode, "err_msg": "该批次已结算"}).kind == "doubt"


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"null", b"[]", b'"0"', b"0", b"<html>Bad Gateway</html>", b"\xff\xfe{", b'{"infcode":0',
        b'{"infcode":null}', b'{"infcode":true}', b'{"infcode":{}}', b'{"infcode":""}', b"{}", b"[" * 5000,
        b'{"message":"ok"}', b'{"infcode":NaN}',
    ],
)  # fmt: skip
def test_an_answer_without_a_readable_code_is_doubt(body: bytes) -> None:
    assert verdict(body).kind == "doubt"


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_error_is_doubt_whatever_its_body_says(status: int) -> None:
    assert verdict({"infcode": 0, "output": {}}, status).kind == "doubt"
    assert verdict({"infcode": -1, "err_msg": "该批次已结算"}, status).kind == "doubt"


@pytest.mark.parametrize("status", [200, 401, 403])
def test_a_refusal_of_the_access_layer_proves_that_nothing_was_executed(status: int) -> None:
    assert verdict({"code": 401, "message": "签名错误"}, status) == Verdict("not_sent", "access_refused")
    assert verdict({"code": "401", "message": "AK不存在"}, status).kind == "not_sent"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"code": 500, "message": "系统异常"}),
        (401, {"message": "签名错误"}),
        (401, {"code": 401}),
        (502, {"code": 401, "message": "签名错误"}),
        (401, {}),
    ],
)
def test_what_only_looks_like_the_access_layer_is_doubt(status: int, body: Any) -> None:
    assert verdict(body, status).kind == "doubt"


def paid(**changes: Any) -> dict[str, Any]:
    return {"infcode": 0, "err_msg": "", "output": {"setlinfo": settlement("M1", PERSON, 100) | changes}}


@pytest.mark.parametrize("infcode", [0, "0", " 0", 0.0])
def test_a_success_names_the_settlement_and_the_visit(infcode: Any) -> None:
    found = verdict(paid() | {"infcode": infcode})
    assert (found.kind, found.setl_id, found.mdtrt_id) == ("acked", "SM1", VISIT)


def test_a_byte_order_mark_does_not_count() -> None:
    assert verdict(b"\xef\xbb\xbf" + json.dumps(paid()).encode()).kind == "acked"


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        ("other_msgid", {"medins_setl_id": "M2"}),
        ("other_person", {"psn_no": "51080000000000000002"}),
        ("fund_over_total", {"fund_pay_sumamt": 100.01, "psn_part_amt": -0.01}),
        ("sums_off", {"psn_part_amt": 99.98}),
        ("sums_off", {"psn_cash_pay": 99.98}),
        ("sums_off", {"hifp_pay": 0.02}),
        ("sums_off", {"hosp_part_amt": 5}),
        ("fund_over_total", {"fund_pay_sumamt": "1e3"}),
        ("amount_unreadable", {"fund_pay_sumamt": 160.001}),
        ("amount_unreadable", {"medfee_sumamt": "一百"}),
        ("amount_unreadable", {"psn_cash_pay": True}),
        ("amount_unreadable", {"psn_cash_pay": "1e99"}),
        ("no_number", {"setl_id": "S" * 51}),
        ("no_number", {"setl_id": "S\n1"}),
        ("no_number", {"mdtrt_id": ["1"]}),
    ],
)
def test_a_success_that_contradicts_the_request_or_itself_is_doubt(reason: str, changes: Any) -> None:
    assert verdict(paid(**changes)) == Verdict("doubt", reason)


@pytest.mark.parametrize(
    "changes",
    [
        {"medins_setl_id": ""}, {"medins_setl_id": None}, {"psn_no": ""},
        {"psn_part_amt": 99.99, "psn_cash_pay": 99.99},  # 0.01 is rounding
        {"medfee_sumamt": "100.0000", "psn_part_amt": "1E+2", "acct_pay": "", "hifdm_pay": None},
        {"fund_pay_sumamt": "40.00", "hifp_pay": "40.00", "psn_part_amt": "60.00", "psn_cash_pay": 60},
    ],
)  # fmt: skip
def test_what_is_absent_or_within_a_cent_is_believed(changes: Any) -> None:
    assert verdict(paid(**changes)).kind == "acked"


@pytest.mark.parametrize("gone", ["medins_setl_id", "psn_no", "fund_pay_sumamt", "psn_part_amt", "hifp_pay"])
def test_an_identity_with_a_missing_term_is_not_checked(gone: str) -> None:
    found = paid()
    del found["output"]["setlinfo"][gone]
    assert verdict(found).kind == "acked"


def test_a_cancellation_is_negative_and_names_no_message_of_ours() -> None:
    info = settlement("M1", PERSON, -100) | {"fund_pay_sumamt": -40, "hifp_pay": -40, "psn_part_amt": -60}
    info |= {"psn_cash_pay": -60, "medins_setl_id": "of the platform"}
    assert verdict({"infcode": 0, "output": {"setlinfo": info}}, infno="2208").kind == "acked"
    assert (
        verdict({"infcode": 0, "output": {"setlinfo": info | {"fund_pay_sumamt": -101}}}, infno="2208").kind == "doubt"
    )


@pytest.mark.parametrize("output", [None, {}, [], "", {"setlinfo": None}, {"setlinfo": []}, {"setlinfo": [1]}, 7])
def test_odd_outputs_break_nothing(output: Any) -> None:
    assert verdict({"infcode": 0, "output": output}).kind == "acked"


WRONG = settlement("M2", PERSON, 100)


@pytest.mark.parametrize(
    "output",
    [
        {"setlinfo": [WRONG]},
        [WRONG],
        {"a": {"psn_no": PERSON}, "setlinfo": WRONG},
        {"setlinfo": settlement("M1", PERSON, 100), "x": [[{"medins_setl_id": "M2"}]]},
    ],
)
def test_another_request_anywhere_in_the_answer_is_doubt(output: Any) -> None:
    assert verdict({"infcode": 0, "output": output}) == Verdict("doubt", "other_msgid")


@pytest.mark.parametrize("output", [[settlement("M1", PERSON, 100)], {"setlInfo": [settlement("M1", PERSON, 100)]}])
def test_a_settlement_in_another_form_is_found(output: Any) -> None:
    assert verdict({"infcode": 0, "output": output}).setl_id == "SM1"


@pytest.mark.parametrize("status", [201, 302, 400, 409, 499])
def test_a_success_under_another_status_is_doubt(status: int) -> None:
    assert verdict(paid(), status) == Verdict("doubt", f"http_{status}")


@pytest.mark.parametrize(
    ("status", "said"), [(200, "done"), (201, "silent"), (302, "silent"), (404, "silent"), (500, "silent")]
)
def test_a_reversal_is_done_only_under_the_status_of_a_success(status: int, said: str) -> None:
    raw = json.dumps({"infcode": 0, "inf_refmsgid": "x", "err_msg": "", "output": {}}).encode()
    assert JUDGE.reversal(status, CODEC.read(status, raw, True, True), raw, entry(), "own")[0] == said


@pytest.mark.parametrize("status", [200, 400, 409])
def test_a_refusal_in_the_platforms_words_counts_under_any_status_below_500(status: int) -> None:
    assert verdict({"infcode": -1, "err_msg": "余额不足"}, status).kind == "rejected"


def test_the_books_get_codes_and_amounts_but_no_words() -> None:
    found = verdict(paid(clr_way="张三 13912345678", clr_type="11", setl_time="2026-03-02 10:00:00"))
    settled = json.loads(found.settled)
    assert "clr_way" not in settled
    assert (settled["clr_type"], settled["setl_time"], settled["medfee_sumamt"]) == ("11", "2026-03-02 10:00:00", 10000)


def test_a_query_counts_as_answered_by_any_code_of_the_business_layer() -> None:
    for raw, status, expected in (
        (b'{"infcode":0}', 200, True),
        (b'{"infcode":"-1","err_msg":"x"}', 200, True),
        (b'{"infcode":7}', 200, True),
        (b'{"infcode":0}', 502, False),
        (b'{"code":401,"message":"x"}', 401, False),
        (b"<html>", 200, False),
    ):
        for deep in (True, False):
            assert JUDGE.answered(status, CODEC.read(status, raw, True, deep)) is expected


def test_an_envelope_in_a_wrapper_is_judged_like_a_bare_one() -> None:
    """Foshan and Guangzhou wrap the answer: {"code", "type", "message", "data": envelope}."""
    foshan = build_region(read_files(), "foshan")
    codec = NationalCodec.of(foshan, b"/x", lambda infno, now_s: b"")

    def judged(raw: bytes) -> Verdict:
        reply = codec.read(200, raw, True, True)
        return Judge.of(foshan).money(200, reply, raw, foshan.transactions["2207"], entry())

    wrapped = json.dumps({"code": 0, "type": "success", "message": "成功", "data": paid()}).encode()
    assert judged(wrapped).kind == "acked"
    assert judged(wrapped.replace(b'"data": {', b'"data": {"infcode": -1, ')) == Verdict("doubt", "keys_twice")
