"""Strict JSON (annex X22, X23; security T3, T4): what is refused, what keeps its text, what the skeleton proves."""

from collections.abc import Callable
from typing import Any

import pytest

from gateway.core.errors import BadJson
from gateway.core.jsontext import (
    DEPTH_MAX,
    ITEMS_MAX,
    STRING_MAX,
    Raw,
    crowded,
    decode,
    decode_exact,
    encode,
    encode_sorted,
    number_text,
    objects_once,
    plain,
    shape_complaint,
    skeleton,
    skeleton_slices,
)


def complaint(raw: bytes) -> str:
    """Return what is wrong with the bytes, as the desk asks: first decode, then shape."""
    try:
        return shape_complaint(raw, decode(raw))
    except BadJson as cause:
        return str(cause)


def keys_of(tree: Any) -> int:
    """Count keys in our own way."""
    if isinstance(tree, dict):
        return len(tree) + sum(map(keys_of, tree.values()))
    return sum(map(keys_of, tree)) if isinstance(tree, list) else 0


def proved(raw: bytes) -> bool:
    return plain(skeleton(raw), keys_of(decode(raw)))


# --- not JSON at all -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"NaN",
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":-Infinity}',
        rb'"\ud800"',
        rb'"\udc00"',
        rb'"\udc00\ud800"',
        rb'"\ud800\u0041"',
        rb'{"\udfff":1}',
        b'"\xff"',
        b'"\xc0\x80"',
        b'"\xed\xa0\x80"',
        b'"\xf4\x90\x80\x80"',
        "姓名".encode("gbk"),
        b'{"a":"' + "测试".encode("gb18030") + b'"}',
        b"\xef\xbb\xbf{}",  # the transport drops one mark; a second one is no JSON
        b"[1,]",
        b'{"a":1,}',
        b"{'a':1}",
        b"{a:1}",
        b"01",
        b"+1",
        b".5",
        b"1.",
        b"1.e5",
        b"1e",
        b"0x10",
        b"1 2",
        b"tru",
        b'"\n"',
        b'"\x00"',
        rb'"\x41"',
        b"// nothing\n1",
        b"[" * 1_000_000,
        b"[" * 1_000_000 + b"]" * 1_000_000,
        b'{"a":' * 1_000_000,
        b"1" * 5_000,
    ],
    ids=lambda raw: raw[:24].decode("latin-1"),
)
def test_what_is_not_json_is_refused(raw: bytes) -> None:
    with pytest.raises(BadJson):
        decode(raw)


# --- JSON we do not accept (X23) -----------------------------------------------------------------------------

TWICE = "存在重复的键"


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":1,"a":1}',
        b'{"a":1,"b":2,"a":3}',
        b'{"x":{"a":1,"a":2}}',
        b'{"x":[{"y":[{"a":1,"a":2}]}]}',
        rb'{"\u0061":1,"a":2}',
        rb'{"a":1,"\u0061":2}',
        rb'{"a\"b":1,"a\"b":2}',
        rb'{"a\\":1,"a\\":2}',
        rb'{"a\\\"":1,"a\u005c\u0022":2}',
        rb'{"":1,"":2}',
        b'{"\xe5\xa7\x93":1,"\\u59d3":2}',
        b'{"a" : 1 ,\n"a"\t: 2}',
        b'{"a:":":","a:":":"}',
        rb'{"infno":"2207","infno":"2208","note":"\\\\\""}',
    ],
)
def test_two_equal_keys_are_refused(raw: bytes) -> None:
    assert complaint(raw) == TWICE
    assert not proved(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":1,"A":1}',
        rb'{"a\"":1,"a":2,"\\":3,"\\\\":4}',
        rb'{"a":"\":\"","b":"\\","c":"{[:,]}\\\\\""}',
        rb'{"a":"\\\"","b":"\\\\","c":"\u005c","d":"\u0022:"}',
        b'{"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]}',
        b'{"a":"2024-01-05 09:10:00","b":-0.5,"c":-10,"d":1e-05}',
        b"{}",
        b"[]",
        b' { "a" : [ ] , "b" : { } } ',
        b'"a:b"',
    ],
)
def test_what_only_looks_double_is_accepted(raw: bytes) -> None:
    assert complaint(raw) == ""


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_thirty_two_levels_pass_and_thirty_three_do_not(opening: bytes, closing: bytes) -> None:
    for depth, fine in ((1, True), (32, True), (33, False), (900, False), (1_000, False)):
        raw = opening * depth + b"1" + closing * depth
        assert (complaint(raw) == "") is fine, depth
    assert complaint(opening * 33 + b"1" + closing * 33) == "嵌套超过32层"


def test_what_was_decoded_can_be_written_and_decoded_again_from_any_stack() -> None:
    """A limit that depends on the stack would let the first look pass and break a later one, in another thread."""

    def below(frames: int, act: Callable[[], Any]) -> Any:
        return act() if frames == 0 else below(frames - 1, act)

    for depth in (200, 201, 700):
        raw = b'{"a":' * depth + b"1" + b"}" * depth
        if depth > 200:
            with pytest.raises(BadJson, match="嵌套超过32层"):
                decode(raw)
            continue
        tree = decode(raw)
        assert below(300, lambda tree=tree: encode_sorted(tree)) == raw  # type: ignore[misc]
        assert below(300, lambda raw=raw: encode(decode(raw))) == raw  # type: ignore[misc]
    assert decode(b'["' + b"[" * 500 + b'"]') == ["[" * 500]


def test_depth_is_not_the_number_of_brackets() -> None:
    raw = b"[" + b",".join([b'{"a":[[]]}'] * 500) + b"]"
    assert complaint(raw) == ""
    assert proved(raw)
    deep = b'{"x":' + b"[" * 33 + b"]" * 33 + b"}"
    assert not proved(deep)
    assert not plain(skeleton(b"[" + b",".join([b"[]"] * 40) + b"," + deep + b"]"), 1)
    assert DEPTH_MAX == 32


@pytest.mark.parametrize(
    ("number", "fine"),
    [
        (b"1" * 32, True),
        (b"1" * 33, False),
        (b"-" + b"1" * 32, True),
        (b"-" + b"1" * 33, False),
        (b"1." + b"1" * 31, True),
        (b"1." + b"1" * 32, False),
        (b"-0." + b"0" * 31, True),
        (b"-0." + b"0" * 32, False),
        (b"1e" + b"1" * 31, True),
        (b"1e+" + b"1" * 32, False),
    ],
)
def test_a_number_has_at_most_thirty_two_digits(number: bytes, fine: bool) -> None:
    for raw in (b'{"a":%s}' % number, b'{"a":[1,%s],"b":2}' % number):
        assert (complaint(raw) == "") is fine
        assert fine or not proved(raw)


def test_a_text_of_digits_is_no_number() -> None:
    raw = b'{"a":"%s"}' % (b"1" * 100)
    assert complaint(raw) == ""
    assert proved(raw)


@pytest.mark.parametrize("item", [b"1", b'""', b"{}", b'{"a":1,"b":2}', b"[]"])
def test_more_than_twenty_thousand_items_are_refused(item: bytes) -> None:
    enough, too_many = (b'{"rows":[' + b",".join([item] * count) + b"]}" for count in (ITEMS_MAX, ITEMS_MAX + 1))
    assert complaint(enough) == ""
    assert proved(enough) or item in (b"{}", b"[]")  # empty containers are counted twice, on the safe side
    assert complaint(too_many) == "数组元素超过20000个"
    assert not proved(too_many)


def test_items_of_all_arrays_count_together() -> None:
    half = b"[" + b",".join([b"1"] * 10_000) + b"]"
    assert complaint(b'{"a":%s,"b":%s}' % (half, half)) == ""
    raw = b'{"a":%s,"b":%s,"c":[1]}' % (half, half)
    assert complaint(raw) == "数组元素超过20000个"
    assert not proved(raw)


@pytest.mark.parametrize(
    ("text", "fine"),
    [
        ("x" * STRING_MAX, True),
        ("x" * (STRING_MAX + 1), False),
        ("测" * (STRING_MAX // 3), True),
        ("测" * (STRING_MAX // 3 + 1), False),
        ("\\\\" * STRING_MAX, True),
        ("\\\\" * (STRING_MAX + 1), False),
        ("x" * (STRING_MAX - 9) + "\\\\" * 10, False),
    ],
    ids=str,
)
def test_a_string_has_at_most_a_mebibyte(text: str, fine: bool) -> None:
    raw = b'{"infno":"2204","x":"%s"}' % text.encode()
    assert complaint(raw) == ("" if fine else "字符串过长")
    assert fine or not proved(raw)


def test_a_large_message_of_short_strings_is_proved() -> None:
    """2 MiB of fee lines, with escapes: the quick proof must not send it the slow way."""
    row = b'{"feedetl_sn":"F0001","memo":"a\\"b","cnt":1.00,"fee_ocur_time":"2024-01-05 09:10:00"}'
    raw = b'{"input":{"feedetail":[' + b",".join([row] * 20_000) + b"]}}"
    assert len(raw) > STRING_MAX
    assert complaint(raw) == ""
    assert proved(raw)


def test_a_long_string_hides_no_key_from_the_slices() -> None:
    """Keys that stand twice before it must not be made up for by keys behind it."""
    for text in (b"x" * (STRING_MAX + 1), b"x" * (STRING_MAX - 100_000) + b"\\\\" * 200_000):
        raw = b'{"a":1,"a":2,"long":"%s","b":3}' % text
        parts = [*skeleton_slices(raw)]
        assert complaint(raw) == TWICE
        assert not any(plain(b"".join(parts), keys) for keys in range(6))
    row = b'{"feedetl_sn":"F0001","memo":"a\\"b"}'
    large = b'{"input":{"feedetail":[' + b",".join([row] * 20_000) + b"]}}"
    assert b"".join(skeleton_slices(large)) == skeleton(large)
    assert plain(b"".join(skeleton_slices(large)), 40_002)


@pytest.mark.parametrize("content", ['"' + "QUJD" * 300_000 + '"', "[" + "255," * 30_000 + "0]"])
def test_only_an_uploaded_file_may_be_larger(content: str) -> None:
    """X24, security T5: 9101 carries up to 32 MiB as base64 or as byte numbers."""
    text = '{"infno":"%s","input":{"fsUploadIn":{"%s":%s,"filename":"dz.zip"}}}'
    assert complaint((text % ("9101", "in", content)).encode()) == ""
    assert complaint((text % ("9101", "memo", content)).encode()) != ""
    assert complaint((text % ("2207", "in", content)).encode()) != ""
    assert complaint(b'{"infno":"9101","input":{"fsUploadIn":{"in":[{"a":1,"a":1}]}}}') == TWICE


# --- what keeps its text -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "1e5",
        "1.10E2",
        "0.0000001",
        "1.0",
        "1.00",
        "-0.0",
        "99999999999999.99",
        "0",
        "-7",
        "18446744073709551616",
        "9" * 32,
    ],
)
def test_a_number_keeps_its_text(text: str) -> None:
    raw = b'{"a":[%s]}' % text.encode()
    tree = decode(raw)
    assert encode(tree) == raw
    assert encode_sorted(tree) == raw
    assert number_text(tree["a"][0]) == text


def test_minus_zero_keeps_its_text_the_exact_way() -> None:
    """The fast decoder makes 0 of it, so the skeleton sends it the slow way."""
    raw = b'{"a":-0,"b":"-0","c":[-0,-0.50,0,12],"d":null,"e":true}'
    assert complaint(raw) == ""
    assert not proved(raw)
    assert encode(decode_exact(raw)) == raw
    assert number_text(decode_exact(raw)["a"]) == "-0"
    plain_raw = b'{"a":[1,1.50,1e5,"x",null,false,{"b":123456789012345678901234567890}]}'
    assert encode(decode_exact(plain_raw)) == plain_raw


@pytest.mark.parametrize("value", [True, False, None, [], {}, 1.5])
def test_only_numbers_and_texts_are_numbers(value: Any) -> None:
    assert number_text(value) is None


def test_number_texts() -> None:
    assert number_text(12) == "12"
    assert number_text("12.30") == "12.30"
    assert number_text(Raw(b"1.10E2")) == "1.10E2"


def test_a_text_stays_a_text() -> None:
    raw = '{"name":"张三😀","path":"a/b","q":"\\"\\\\","ctl":"\\n\\u0001"}'.encode()
    assert decode(raw) == {"name": "张三😀", "path": "a/b", "q": '"\\', "ctl": "\n\x01"}
    assert decode(encode(decode(raw))) == decode(raw)


NO_JSON = "可能是格式错误、嵌套过深，或不是UTF-8编码"


@pytest.mark.parametrize(
    ("raw", "said", "counts_agree"),
    [
        pytest.param(b"[" * 1_000_000, NO_JSON, False, id="brackets"),
        pytest.param(b'"' + b"\\" * 999_999, NO_JSON, True, id="backslashes"),
        pytest.param(b"1" * 1_000_000, NO_JSON, False, id="digits"),
        pytest.param(b"1." * 500_000, NO_JSON, False, id="points"),
        pytest.param(b'{"a":"' + b'\\"' * 500_000 + b'"}', "", True, id="escaped quotes"),
    ],
)
def test_hostile_bytes_are_read_once(raw: bytes, said: str, counts_agree: bool) -> None:
    """T3, T20: linear in the length, whatever stands there. Of a megabyte, the square would not end in a day."""
    assert complaint(raw) == said
    assert plain(skeleton(raw), raw.count(b":")) is counts_agree


@pytest.mark.parametrize(
    ("raw", "twice"),
    [
        (b'{"a":1,"b":{"a":[{"a":2}]}}', False),
        (b'{"a":"b:c","b":["d:"]}', False),
        (b'{"a":1,"a":1}', True),
        (b'{"a":1,"\\u0061":2}', True),
        (b'{"a":[[{"b":1,"b":2}]]}', True),
        (b"[1]", False),
        (b"7", False),
    ],
)
def test_a_key_that_stands_twice_is_seen(raw: bytes, twice: bool) -> None:
    assert (objects_once(raw, decode(raw)) is None) is twice


def test_a_crowd_is_seen_before_it_is_read() -> None:
    assert not crowded(b'{"a":"' + b"x," * 3_000_000 + b'"}')
    assert crowded(b"[" * 100_001)
    assert crowded(b'"' * 800_001)
    assert not crowded(b"[" * 100_000 + b'"' * 800_000)
