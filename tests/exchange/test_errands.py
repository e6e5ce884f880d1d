"""What an answer to a message of our own proves, through the real codec (annex X1)."""

import json
from typing import Any

import pytest

from adapters.platform.national import NationalCodec
from gateway.exchange.errands import Kind, outcome_of
from gateway.exchange.verdict import Judge
from simulators.city import facts

REGION = facts()[0].region
CODEC = NationalCodec.of(REGION, b"/x", lambda infno, now_s: b"")
JUDGE = Judge.of(REGION)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, {"infcode": 0, "output": {}}, "done"),
        (200, {"infcode": "0"}, "done"),
        (404, {"infcode": 0}, "unknown"),
        (502, {"infcode": 0}, "unknown"),
        (200, {"infcode": -1, "err_msg": "目录已对照"}, "refused"),
        (200, {"infcode": -1, "err_msg": "未签到，请先签到"}, "sign_in"),
        (200, {"infcode": -1, "err_msg": "系统繁忙"}, "unknown"),
        (200, {"infcode": -1, "err_msg": ""}, "unknown"),
        (200, {"infcode": 7, "err_msg": "x"}, "unknown"),
        (200, {"code": 401, "message": "signature mismatch"}, "not_sent"),
        (200, {"output": {}}, "unknown"),
        (200, b"<html>", "unknown"),
        (200, b'{"infcode":0,"infcode":-1,"err_msg":"x"}', "unknown"),
    ],
)
def test_what_is_no_clear_yes_or_no_is_unknown(status: int, body: Any, kind: Kind) -> None:
    raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    assert outcome_of(JUDGE, status, CODEC.read(status, raw, True, True), raw).kind == kind


def test_the_platforms_words_are_kept_short_and_plain() -> None:
    raw = json.dumps({"infcode": -1, "err_msg": " 错\n误\x1b[31m" + "长" * 500}, ensure_ascii=False).encode()
    text = outcome_of(JUDGE, 200, CODEC.read(200, raw, True, True), raw).text
    assert text.startswith("错误[31m长") and len(text) == 200
