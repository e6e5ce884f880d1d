"""The national interface's platform side: where a request goes, what an answer says (envelope §2, §4; annex X1, X3)."""

import json
from functools import lru_cache
from typing import Any

import pytest

from adapters.platform.national import NationalCodec
from gateway.app.facts import read_files
from gateway.core.ports import Reply
from gateway.core.regions import build_region

NOTHING = Reply("", "", False, None)


@lru_cache
def codec(region: str, path: bytes = b"/fsi/api/rsfComIfsService/callService") -> NationalCodec:
    return NationalCodec.of(
        build_region(read_files(), region), path, lambda infno, now_s: b"X: %b\r\n" % infno.encode()
    )


def text(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("region", "path", "infno", "expected"),
    [
        ("national", b"/fsi/api/call", "2207", b"/fsi/api/call"),
        ("national", b"/fsi/api/call", "1101", b"/fsi/api/call"),
        ("guangzhou", b"/ebus/app", "2207", b"/ebus/app/2207"),
        ("guangzhou", b"/ebus/app/", "2207", b"/ebus/app/2207"),
        ("foshan", b"/x", "1101", b"/x/1101"),
        ("inner_mongolia", b"/", "2207", b"/fsi/api/outpatientSettleService/saveSettletmentV2"),
        ("inner_mongolia", b"/base", "2208", b"/base/fsi/api/outpatientSettleService/cancleSettletment"),
        ("national", b"/fsi/api/call", "9101", b"/fsi/api/fileupload/upload"),
        ("national", b"/fsi/api/call", "9102", b"/fsi/api/fileupload/download"),
        ("inner_mongolia", b"/base", "9102", b"/fsi/api/fileupload/download"),
    ],
)
def test_a_request_goes_where_its_region_wants_it(region: str, path: bytes, infno: str, expected: bytes) -> None:
    assert codec(region, path).request(infno, 0.0) == (expected, b"X: %b\r\n" % infno.encode())


@pytest.mark.parametrize("deep", [True, False])
@pytest.mark.parametrize(
    ("body", "infcode", "err_msg"),
    [
        (b'{"infcode":0,"err_msg":""}', "0", ""),
        (b'{"infcode":"0","err_msg":null}', "0", ""),
        (b'{"infcode":-1,"err_msg":"x","output":null}', "-1", "x"),
        (b'{"infcode":" -1 ","err_msg":7}', "-1", ""),
        (b'{"infcode":0.0}', "0", ""),
        (b'\xef\xbb\xbf{"infcode":"0"}', "0", ""),
        (b' \r\n{"output":[1,2],"infcode":12}', "12", ""),
        (b'{"infcode":0,"output":"c2VhbGVk"}', "0", ""),
    ],
)
def test_the_code_is_read_as_text_however_it_is_written(body: bytes, infcode: str, err_msg: str, deep: bool) -> None:
    found = codec("national").read(200, body, True, deep)
    assert (found.infcode, found.err_msg, found.access) == (infcode, err_msg, False)
    assert (found.tree is not None) is deep


@pytest.mark.parametrize("deep", [True, False])
@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b'"0"', b'{"infcode":0', b'{"infcode":0}x', b'{"infcode":[0]}', b'{"infcode":true}',
        b'{"infcode":null}', b"<html/>", b"\xff\xfe", b"[" * 100_000, b'{"err_msg":"\xff","infcode":0}',
    ],
)  # fmt: skip
def test_what_cannot_be_read_whole_has_no_code(body: bytes, deep: bool) -> None:
    found = codec("national").read(200, body, True, deep)
    assert (found.infcode, found.access) == ("", False)


@pytest.mark.parametrize("deep", [True, False])
@pytest.mark.parametrize(
    ("status", "body", "access"),
    [
        (200, {"code": 401, "message": "timestamp expired"}, True),
        (401, {"code": "401", "message": "unknown AK"}, True),
        (403, {"code": 401, "type": "x", "message": "x", "data": None}, True),
        (200, {"message": "x", "success": False, "code": 500159}, False),
        (200, {"code": 401, "message": ""}, False),
        (200, {"code": 401, "message": None}, False),
        (500, {"code": 401, "message": "x"}, False),
        (200, {"code": 401, "message": "x", "infcode": 0}, False),
    ],
)
def test_only_the_known_refusal_of_the_access_layer_is_one(status: int, body: Any, access: bool, deep: bool) -> None:
    assert codec("national").read(status, text(body), True, deep).access is access


@pytest.mark.parametrize("region", ["guangzhou", "foshan"])
@pytest.mark.parametrize("deep", [True, False])
def test_an_envelope_inside_a_wrapper_is_found_there(region: str, deep: bool) -> None:
    inner = {"infcode": 0, "err_msg": "成功", "output": {"a": 1}}
    wrapped = text({"code": 0, "type": "success", "message": "ok", "data": inner})
    for body in (wrapped, text(inner)):
        found = codec(region).read(200, body, True, deep)
        assert (found.infcode, found.err_msg) == ("0", "成功")
        assert found.tree is not None
        assert found.tree["output"] == {"a": 1}
    assert codec(region).read(200, text({"code": 401, "message": "x", "data": None}), True, deep).access
    assert codec(region).read(200, text({"code": 0, "message": "ok", "data": {}}), True, deep) == NOTHING


def test_a_wrapper_means_nothing_where_the_region_has_none() -> None:
    wrapped = text({"code": 0, "message": "ok", "data": {"infcode": 0}})
    assert codec("national").read(200, wrapped, True, True) == NOTHING
