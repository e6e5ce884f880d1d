"""What an answer to 2601 says, through the real codec (reversal specification §5.2): wordings of the national table.

Provinces word the same thing differently; what is not understood is sent again and then given to a person, so a
wording missing here costs time, and a wording read wrongly costs money.
"""

import json
from typing import Any

import pytest
from exchange_messages import HOME, PERSON

from adapters.platform.national import NationalCodec
from gateway.core.model import Entry
from gateway.exchange.verdict import Judge
from simulators.city import facts

REGION = facts()[0].region
CODEC = NationalCodec.of(REGION, b"/x", lambda infno, now_s: b"")
JUDGE = Judge.of(REGION)
ORIGINAL = Entry(
    id=1, fixmedins_code=HOME, msgid="m1", infno="2207", klass="M", link="national", state="REVERSING", digest=b"",
    created_ms=0, psn_no=PERSON,
)  # fmt: skip


def judged(body: bytes | dict[str, Any], status: int = 200) -> tuple[str, str]:
    raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    return JUDGE.reversal(status, CODEC.read(status, raw, True, True), raw, ORIGINAL, "r1")


def said(text: str) -> str:
    answer, reason = judged({"infcode": -1, "err_msg": text})
    assert reason == ("system_error" if answer == "silent" else answer)
    return answer


@pytest.mark.parametrize("infcode", [0, "0", " 0", 0.0])
def test_infcode_0_says_it_is_done_whatever_else_it_says(infcode: Any) -> None:
    assert judged({"infcode": infcode}) == ("done", "answered")
    assert judged({"infcode": infcode, "err_msg": "原交易不存在"}) == ("done", "answered")


@pytest.mark.parametrize(
    "text",
    [
        "该交易已冲正",
        "交易已被冲正，请勿重复操作",
        "原交易已经冲正",
        "重复冲正",
        "不允许重复冲正",
        "原交易已冲正，不能再次冲正",
        "冲正成功",
    ],
)
def test_already_reversed_is_reversed(text: str) -> None:
    assert said(text) == "done"


@pytest.mark.parametrize(
    "text", ["该结算已撤销", "原结算已被撤销，无需冲正", "原交易已退费，不能冲正", "该笔结算已作废"]
)
def test_an_original_that_was_cancelled_is_told_from_one_that_was_reversed(text: str) -> None:
    """Of a settlement it means the same; of a cancellation that it stands (§4.3)."""
    assert said(text) == "cancelled"


@pytest.mark.parametrize("text", ["原交易未成功，无需冲正", "原交易失败，不需要冲正"])
def test_an_original_that_failed_needs_nothing(text: str) -> None:
    assert said(text) == "done"


@pytest.mark.parametrize(
    "text",
    [
        "原交易不存在",
        "原交易不存在，不能冲正",
        "原交易不存在,不允许冲正!",
        "未找到原交易信息",
        "未查询到对应的交易记录",
        "找不到对应的交易",
        "没有需要冲正的交易",
        "没有可冲正的记录",
        "结算信息不存在",
        "原报文不存在",
        "该报文记录不存在",
        "冲正失败：原交易记录未找到",
    ],
)
def test_not_found_is_told_from_not_possible_also_in_one_sentence(text: str) -> None:
    assert said(text) == "not_found"


@pytest.mark.parametrize(
    "text",
    [
        "存在后续业务，不能冲正",
        "该就诊存在后续结算，请先撤销后续结算",
        "该交易已清算，不能冲正",
        "账期已关闭",
        "已对账，不允许冲正",
        "不支持冲正",
        "该笔交易无法进行冲正",
        "已日结",
    ],
)
def test_what_the_platform_will_not_undo_goes_to_a_person(text: str) -> None:
    assert said(text) == "impossible"


@pytest.mark.parametrize("text", ["未签到", "签到编号已失效", "签到流水号无效", "请重新签到", "操作员未签到，不能冲正"])
def test_a_missing_sign_in_is_known_before_anything_else(text: str) -> None:
    assert said(text) == "sign_in"


@pytest.mark.parametrize(
    "text",
    [
        "系统异常",
        "系统繁忙，请稍后再试",
        "调用医保核心超时",
        "java.lang.NullPointerException",
        # A system error in the same breath proves nothing: the sentence may be a template.
        "系统异常：原交易不存在",
        "系统错误，已冲正",
    ],
)
def test_a_system_error_is_silence(text: str) -> None:
    assert said(text) == "silent"


@pytest.mark.parametrize(
    "text",
    [
        "人员不存在",
        "人员编号不存在",
        "人员信息不存在",
        "参保人不存在",
        "定点医药机构不存在",
        "操作员不存在",
        "医师信息不存在",
        "未查询到人员参保信息",
        "人员编号与原交易不符",
        "冲正失败",
        "交易编号错误",
        "入参错误：oinfno不能为空",
        "无权限",
        "基金不足",
        "只有未冲正的交易才能冲正",
    ],
)
def test_what_speaks_of_something_else_is_a_refusal_nobody_has_words_for(text: str) -> None:
    """Above all: that a person is not found must not count as "the original is not found"."""
    assert said(text) == "refused"


@pytest.mark.parametrize("empty", ["", "   ", None, 5, ["已冲正"]])
def test_a_refusal_without_words_is_silence(empty: Any) -> None:
    assert judged({"infcode": -1, "err_msg": empty}) == ("silent", "system_error")
    assert judged({"infcode": -1}) == ("silent", "system_error")


@pytest.mark.parametrize("infcode", [1, "1", -2, "E001", 500, "00"])
def test_any_other_code_is_silence_whatever_it_says(infcode: Any) -> None:
    assert judged({"infcode": infcode, "err_msg": "已冲正"})[0] == "silent"


@pytest.mark.parametrize(
    "body", [b"", b"{", b"null", b"[]", b"0", b"{}", b"<html>", b'{"infcode":null}', b'{"infcode":true}', b"\xff"]
)
def test_what_cannot_be_read_is_silence(body: bytes) -> None:
    assert judged(body) == ("silent", "no_infcode")


@pytest.mark.parametrize("body", [b'{"infcode":0,"infcode":-1,"err_msg":"x"}', b'{"infcode":-1,"infcode":0}'])
def test_an_answer_that_says_two_things_at_once_is_silence(body: bytes) -> None:
    assert judged(body) == ("silent", "keys_twice")


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_error_is_silence_whatever_its_body_says(status: int) -> None:
    assert judged({"infcode": 0}, status) == ("silent", f"http_{status}")
    assert judged({"infcode": -1, "err_msg": "已冲正"}, status) == ("silent", f"http_{status}")


@pytest.mark.parametrize("status", [201, 302, 400, 404])
def test_done_is_believed_only_with_http_200(status: int) -> None:
    assert judged({"infcode": 0}, status) == ("silent", f"http_{status}")


@pytest.mark.parametrize("status", [200, 401, 403])
def test_a_refusal_of_the_access_layer_means_that_it_never_left(status: int) -> None:
    assert judged({"code": 401, "message": "签名错误"}, status) == ("never_left", "access_refused")


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ({"psn_no": "51080000000000000099"}, "other_person"),
        ({"medins_setl_id": "m2"}, "other_msgid"),
        ({"result": [{"omsgid": "m2"}]}, "other_msgid"),
    ],
)
def test_an_answer_about_somebody_else_is_silence(output: Any, reason: str) -> None:
    """X26: a swapped answer must not end a doubt."""
    assert judged({"infcode": 0, "output": output}) == ("silent", reason)
    assert judged({"infcode": -1, "err_msg": "原交易已冲正", "output": output}) == ("silent", reason)


def test_an_answer_about_this_very_message_is_believed() -> None:
    assert judged({"infcode": 0, "output": {"psn_no": PERSON, "omsgid": "m1", "medins_setl_id": "r1"}})[0] == "done"


@pytest.mark.parametrize(
    "text",
    [
        "冲正原交易失败", "查询原交易失败", "未冲正成功", "该交易已冲正失败", "原交易冲正成功前不能再次提交",
        "原交易未完成，请稍后冲正", "服务繁忙，请求已取消", "定点协议已取消", "该定点机构资格已被撤销",
        "存在已退费记录，不能冲正",
    ],
)  # fmt: skip
def test_what_only_sounds_like_done_is_not_done(text: str) -> None:
    assert said(text) not in ("done", "cancelled")


def test_perhaps_not_booked_and_perhaps_reversed_is_not_found() -> None:
    assert said("原交易不存在或已冲正") == "not_found"


@pytest.mark.parametrize(
    "text", ["没有该交易的冲正权限", "参保登记信息不存在", "人员登记信息不存在", "未查询到该交易对应的人员信息"]
)
def test_what_only_sounds_like_not_found_is_not(text: str) -> None:
    assert said(text) == "refused"


@pytest.mark.parametrize(
    "text", ["原交易流水号不存在", "发送方报文ID不存在", "无此交易", "查无此交易", "未检索到原交易"]
)
def test_other_words_for_not_found(text: str) -> None:
    assert said(text) == "not_found"
