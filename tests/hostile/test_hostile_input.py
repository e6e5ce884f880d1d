"""Bodies no honest system sends: the exact refusal, nothing forwarded, and the next request is served.

Expected values: contract §4; contract-annex X4, X16, X18, X22, X23; security T3-T5, T16, T17.
"""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hostile_messages import message, payment, question, raw
from hostile_rig import CITY, VICTIM, Rig
from hostile_wire import Broken, Heard, post

pytestmark = pytest.mark.processes

JSON = "GW-JSON"
_PLAIN = raw(question(VICTIM))
_OWN = re.compile(r"[HP][0-9]{25}R[0-9A-Z]{3}", re.ASCII)  # a msgid the gateway made
_expected: set[str] = set()
"""msgids that may reach the platform."""


@pytest.fixture(autouse=True)
def nothing_forwarded_and_serving(rig: Rig) -> Iterator[None]:
    """Whatever a test here sends, its platform hears of no refused request, and the node goes on."""
    before = rig.liar.count()
    yield
    # A doubt of another file's tests may be asked about or reversed meanwhile, by the gateway itself.
    seen = [one.msgid for one in rig.liar.seen[before:] if not _OWN.fullmatch(one.msgid)]
    assert [msgid for msgid in seen if msgid not in _expected] == []
    found = question(VICTIM)
    _expected.add(found["msgid"])
    assert rig.ask(raw(found)).json["output"] == {"echo": found["msgid"]}


def within(text: str) -> bytes:
    """A 1101 with raw JSON text as an additional field of its input."""
    body = raw(question(VICTIM))
    return body[:-2] + b',"x":' + text.encode() + b"}}"


def twice(name: str, place: bytes) -> bytes:
    """A 1101 in which a key is said again beside `place`."""
    return raw(question(VICTIM)).replace(place, b'"' + name.encode() + b'": "x", ' + place, 1)


LINES = json.dumps([1] * 20_001).encode()
LONG = b'{"infno":"2301","msgid":"m","input":{"x":"' + b"a" * (1 << 20) + b'b"}}'

BODIES: dict[str, tuple[bytes, int, str]] = {
    "nothing": (b"", 400, JSON),
    "blanks": (b"  \r\n ", 400, JSON),
    "a word": (b"hello", 400, JSON),
    "cut": (_PLAIN[:-1], 400, JSON),
    "something behind": (_PLAIN + b"x", 400, JSON),
    "two objects": (_PLAIN + _PLAIN, 400, JSON),
    "single quotes": (b"{'infno':'1101','msgid':'m'}", 400, JSON),
    "a comma too many": (_PLAIN[:-1] + b",}", 400, JSON),
    "a comment": (b"/* */" + _PLAIN, 400, JSON),
    "NUL in front": (b"\0" + _PLAIN, 400, JSON),
    "a raw newline in a text": (within('"a\nb"'), 400, JSON),
    "a raw NUL in a text": (within('"a\0b"'), 400, JSON),
    "GBK": (raw(question(VICTIM)).decode().replace("测试", "测试甲").encode("gbk"), 400, JSON),
    "UTF-16": (_PLAIN.decode().encode("utf-16"), 400, JSON),
    "two BOMs": (b"\xef\xbb\xbf\xef\xbb\xbf" + _PLAIN, 400, JSON),
    "overlong UTF-8": (within('"?"').replace(b"?", b"\xc0\xaf"), 400, JSON),
    "a surrogate in UTF-8": (within('"?"').replace(b"?", b"\xed\xa0\x80"), 400, JSON),
    "a lone surrogate": (within('"\\ud800"'), 400, JSON),
    "surrogates in the wrong order": (within('"\\udc00\\ud800"'), 400, JSON),
    "NaN": (within("NaN"), 400, JSON),
    "Infinity": (within("Infinity"), 400, JSON),
    "-Infinity": (within("-Infinity"), 400, JSON),
    "hexadecimal": (within("0x1F"), 400, JSON),
    "a leading zero": (within("007"), 400, JSON),
    "a leading plus": (within("+1"), 400, JSON),
    "forty digits": (within("1" * 40), 400, JSON),
    "forty digits behind the point": (within("0." + "1" * 40), 400, JSON),
    "forty digits, negative": (within("-" + "1" * 40), 400, JSON),
    "five thousand digits": (within("1" * 5000), 400, JSON),
    "thirty-three digits": (within("1" * 33), 400, JSON),
    "depth 33": (within("[" * 31 + "]" * 31), 400, JSON),
    "depth 33 of objects": (within('{"a":' * 31 + "1" + "}" * 31), 400, JSON),
    "depth 1,000": (within("[" * 1000 + "]" * 1000), 400, JSON),
    "depth 1,000 of nothing": (b'{"infno":"9999","msgid":"m","x":' + b"[" * 1000 + b"]" * 1000 + b"}", 400, JSON),
    "depth 1,000,000 never closed": (b"[" * 1_000_000, 400, JSON),
    "depth 900,000": (b'{"a":' + b"[" * 900_000 + b"]" * 900_000 + b"}", 400, JSON),
    "a key twice": (twice("infno", b'"msgid"'), 400, JSON),
    "msgid twice": (twice("msgid", b'"infver"'), 400, JSON),
    "fixmedins_code twice": (twice("fixmedins_code", b'"infver"'), 400, JSON),
    "a key twice in the input": (twice("psn_name", b'"certno"'), 400, JSON),
    "a key twice, once escaped": (twice("c\\u0065rtno", b'"certno"'), 400, JSON),
    "a key twice where nobody looks": (within('{"a":1,"a":1}'), 400, JSON),
    "a key twice in money": (raw(payment(VICTIM)).replace(b'"psn_no"', b'"psn_no":"1","psn_no"'), 400, JSON),
    "20,001 items": (within(LINES.decode()), 400, JSON),
    "20,001 items in many lists": (within("[" + ",".join(["[1,1]"] * 7000) + "]"), 400, JSON),
    "a text over a mebibyte": (LONG, 400, JSON),
    "an array": (b"[]", 400, "GW-ENVELOPE"),
    "null": (b"null", 400, "GW-ENVELOPE"),
    "a number": (b"7", 400, "GW-ENVELOPE"),
    "an empty object": (b"{}", 400, "GW-ENVELOPE"),
    "no infno": (raw(message("1101", VICTIM, {}, infno=None)), 400, "GW-ENVELOPE"),
    "no msgid": (raw(message("1101", VICTIM, {}, msgid=None)), 400, "GW-ENVELOPE"),
    "infno a number": (raw(message("1101", VICTIM, {}, infno=1101)), 400, "GW-ENVELOPE"),
    "msgid a number": (raw(message("1101", VICTIM, {}, msgid=1)), 400, "GW-ENVELOPE"),
    "infno empty": (raw(message("", VICTIM, {})), 400, "GW-ENVELOPE"),
    "infno unknown": (raw(message("9999", VICTIM, {})), 200, "GW-INFNO"),
    "infno of a path": (raw(message("../../etc/passwd", VICTIM, {})), 200, "GW-INFNO"),
    "infno of a province": (raw(message("3592B", VICTIM, {})), 200, "GW-INFNO"),
    "input a list": (raw(message("1101", VICTIM, {}, input=[])), 200, "GW-INVALID"),
    "input a text": (raw(message("1101", VICTIM, {}, input="x")), 200, "GW-INVALID"),
    "input missing": (raw(message("1101", VICTIM, {}, input=None)), 200, "GW-INVALID"),
    "msgid too long": (raw(message("1101", VICTIM, {}, msgid="9" * 31)), 200, "GW-INVALID"),
    "msgid blank": (raw(message("1101", VICTIM, {}, msgid=" ")), 200, "GW-INVALID"),
    "9101 elsewhere": (raw(message("9102", VICTIM, {"fsDownloadIn": {}})), 200, "GW-INVALID"),
    "too long for its infno": (raw(question(VICTIM))[:-1] + b" " * 262_144 + b"}", 413, "GW-SIZE"),
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
def test_a_bad_body_gets_its_refusal(rig: Rig, name: str) -> None:
    body, status, code = BODIES[name]
    heard = rig.ask(body)
    assert (heard.status, heard.gw_code) == (status, code)
    answer = heard.json
    assert answer["infcode"] == -1
    assert answer["err_msg"].startswith(f"[{code}]")
    if code == "GW-SIZE":
        assert [one["rule"] for one in answer["gw_complaints"]] == ["size"]


MONEY = {
    "1e2": "type",
    "+100": "type",
    "1,000.00": "type",
    ".5": "type",
    "100.": "type",
    " 100": "type",
    "１００": "type",
    "1_000": "type",
    "NaN": "type",
    "100.001": "scale",
    "100000000000000.00": "scale",
}


@pytest.mark.parametrize("text", MONEY)
def test_an_amount_that_is_not_one_is_a_complaint(rig: Rig, text: str) -> None:
    """X18: as text, and as a JSON number where JSON has such a number."""
    bodies = [raw(payment(VICTIM, medfee_sumamt=text))]
    if text in ("1e2", "100.001", "100000000000000.00"):
        bodies.append(raw(payment(VICTIM)).replace(b'"medfee_sumamt": 100,', b'"medfee_sumamt": %b,' % text.encode()))
    for body in bodies:
        answer = rig.ask(body).json
        assert answer["gw_code"] == "GW-INVALID"
        assert (answer["gw_state"], answer["gw_repeat"]) == ("INVALID", "same")
        assert [(one["path"], one["rule"]) for one in answer["gw_complaints"]] == [
            ("input.data.medfee_sumamt", MONEY[text])
        ]


TYPES: dict[str, tuple[tuple[str, ...], int]] = {
    "gzip": (("Content-Encoding: gzip",), 415),
    "deflate": (("Content-Encoding: deflate",), 415),
    "brotli": (("Content-Encoding: br",), 415),
    "gzip, then nothing": (("Content-Encoding: gzip, identity",), 415),
    "XML": (("Content-Type: application/xml",), 415),
    "a form": (("Content-Type: application/x-www-form-urlencoded",), 415),
    "multipart": (("Content-Type: multipart/form-data; boundary=x",), 415),
    "GBK said": (("Content-Type: application/json; charset=GBK",), 415),
    "GB18030 said": (("Content-Type: text/plain; charset=gb18030",), 415),
    "latin-1 said": (('Content-Type: application/json; charset="iso-8859-1"',), 415),
    "two charsets": (("Content-Type: application/json; charset=utf-8; charset=gbk",), 415),
    "identity": (("Content-Encoding: identity",), 200),
    "text/plain": (("Content-Type: text/plain;charset=UTF-8",), 200),
    "upper case": (("CONTENT-TYPE: Application/JSON; Charset=UTF-8",), 200),
    "quoted": (('Content-Type: application/json; charset="utf-8"',), 200),
}


@pytest.mark.parametrize("name", TYPES)
def test_content_types(rig: Rig, name: str) -> None:
    fields, status = TYPES[name]
    found = question(VICTIM)
    heard = rig.ask(raw(found), VICTIM, "/fsi/api/call", *fields)
    assert heard.status == status
    if status == 200:
        _expected.add(found["msgid"])
        assert heard.json["output"] == {"echo": found["msgid"]}
    else:
        assert heard.gw_code == "GW-ENCODING"


def test_one_bom_is_dropped_and_not_forwarded(rig: Rig) -> None:
    found = question(VICTIM)
    _expected.add(found["msgid"])
    assert rig.ask(b"\xef\xbb\xbf" + raw(found)).json["infcode"] == 0
    assert rig.liar.of(found["msgid"])[0].body == raw(found)


def test_what_is_only_unusual_passes_byte_for_byte(rig: Rig) -> None:
    """Depth 32, 20,000 items, 32 digits, emoji, escapes, unknown fields, -0: forwarded as they came."""
    for text in (
        "[" * 30 + "]" * 30,
        json.dumps([1] * 20_000),
        "1" * 32,
        '"\\ud83d\\ude00 \\u0000 \\/ \\" \\\\"',
        "-0",
        "1.10E2",
        '{"__proto__":1,"":2}',
    ):
        found = question(VICTIM)
        _expected.add(found["msgid"])
        body = raw(found)[:-2] + b',"x":' + text.encode() + b"}}"
        assert rig.ask(body).json["infcode"] == 0, text[:40]
        assert rig.liar.of(found["msgid"])[0].body == body


@pytest.mark.parametrize(
    ("request_line", "status", "code"),
    [
        ("GET /fsi/api/call", 405, "GW-METHOD"),
        ("DELETE /fsi/api/call", 405, "GW-METHOD"),
        ("OPTIONS /fsi/api/call", 405, "GW-METHOD"),
        ("POST /", 404, "GW-PATH"),
        ("POST /fsi/apix", 404, "GW-PATH"),
        ("POST /metrics", 404, "GW-PATH"),
        ("GET /metrics", 404, "GW-PATH"),
        ("POST /x/../fsi/api/call", 404, "GW-PATH"),
        ("POST /%66si/api/call", 404, "GW-PATH"),
        ("GET /api/v1/codes/diagnosis/..%2f..%2fetc", 404, "GW-PATH"),
    ],
)
def test_methods_and_paths(rig: Rig, request_line: str, status: int, code: str) -> None:
    with rig.wire() as wire:
        wire.send(f"{request_line} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{{}}".encode())
        heard = wire.hear()
    assert (heard.status, heard.gw_code) == (status, code)


# --- sizes ---------------------------------------------------------------------------------------


def cut(rig: Rig, head: str, body: bytes = b"") -> Heard:
    """Send a head and some of its body; the answer must come although the rest never does."""
    with rig.wire() as wire:
        wire.send(head.encode() + b"\r\n\r\n" + body)
        heard = wire.hear()
        assert wire.ended()
    return heard


@pytest.mark.parametrize("length", [2 * 1024 * 1024 + 1, 10 * 1024 * 1024, 10 * 1024**3])
def test_a_declared_body_over_the_limit_is_cut_at_the_head(rig: Rig, length: int) -> None:
    heard = cut(rig, f"POST /fsi/api/call HTTP/1.1\r\nHost: x\r\nContent-Length: {length}", b"{")
    assert (heard.status, heard.gw_code) == (413, "GW-SIZE")


def test_ten_megabytes_really_sent_are_refused(rig: Rig) -> None:
    body = raw(question(VICTIM))[:-1] + b" " * 10_000_000 + b"}"
    with rig.wire() as wire:
        wire.send(post(body))
        heard = wire.hear()
    assert (heard.status, heard.gw_code) == (413, "GW-SIZE")


def test_the_upload_address_takes_more_but_not_everything(rig: Rig) -> None:
    """X23, X24: 32 MiB on /fileupload/upload, 2 MiB elsewhere; forwarded to the platform's upload address."""
    upload = "/fsi/api/fileupload/upload"
    heard = cut(rig, f"POST {upload} HTTP/1.1\r\nHost: x\r\nContent-Length: {32 * 1024 * 1024 + 1}", b"{")
    assert (heard.status, heard.gw_code) == (413, "GW-SIZE")
    facts = {"in": "QUJD" * 750_000, "filename": "a.zip", "fixmedins_code": VICTIM}
    found = message("9101", VICTIM, {"fsUploadIn": facts})
    assert rig.ask(raw(found)).status == 413  # not at the ordinary address
    found = message("9101", VICTIM, {"fsUploadIn": facts})
    _expected.add(found["msgid"])
    assert rig.ask(raw(found), VICTIM, upload).json["infcode"] == 0
    assert [(one.path, one.body == raw(found)) for one in rig.liar.of(found["msgid"])] == [(upload, True)]
    other = question(VICTIM)
    assert rig.ask(raw(other), VICTIM, upload).gw_code == "GW-INFNO"


def footprint(pid: int) -> tuple[int, list[str]]:
    """Resident kilobytes, and the regular files a process holds open outside its own folder."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    resident = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
    files = []
    for one in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(one.readlink())
        except FileNotFoundError:
            continue  # closed meanwhile
        if target.startswith("/") and "/node/" not in target and "/dev/" not in target:
            files.append(target)
    return resident, files


def test_an_endless_chunked_body_is_cut_and_leaves_nothing_behind(rig: Rig) -> None:
    pid = rig.gateway.process.pid
    resident, files = footprint(pid)
    chunk = b"10000\r\n" + b"a" * 0x10000 + b"\r\n"
    with rig.wire() as wire:
        wire.send(b"POST /fsi/api/call HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        deadline = time.monotonic() + 20  # refused at 2 MiB; read and dropped for 2 s, so that the refusal is read
        try:
            while time.monotonic() < deadline:
                wire.socket.sendall(chunk)
            pytest.fail("the body never ended")
        except OSError:
            pass
        try:
            assert wire.hear().gw_code == "GW-SIZE"
        except (Broken, ConnectionResetError):
            pass  # a client that never stops sending may lose the answer, never the refusal
    after = footprint(pid)
    assert after[0] - resident < 64 * 1024
    assert after[1] == files
    assert list((rig.folder / "gateway.tmp").iterdir()) == []


def test_two_mebibytes_in_one_byte_chunks_are_bounded(rig: Rig) -> None:
    body = b"1\r\na\r\n" * 60_000
    with rig.wire() as wire:
        wire.send(b"POST /fsi/api/call HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + body + b"0\r\n\r\n")
        assert wire.hear().gw_code == "GW-JSON"


def test_the_simulated_platform_heard_nothing_either(rig: Rig) -> None:
    """The same through the institution whose platform counts what it gets (/sim/stats)."""
    before = rig.stats()
    for name, (body, status, code) in BODIES.items():
        here = body.replace(VICTIM.encode(), CITY.encode())
        heard = rig.ask(here, CITY)
        assert (heard.status, heard.gw_code) == (status, code), name
    assert rig.stats() == before


def test_text_from_outside_never_becomes_a_header_or_a_page(rig: Rig) -> None:
    """T16: what an institution writes comes back as JSON text only, and on no page of the admin side."""
    nasty = "<script>alert(1)</script>\r\nSet-Cookie: a=1"
    found = question(VICTIM, mdtrt_cert_type=nasty, begntime=nasty)
    heard = rig.ask(raw(found))
    assert heard.gw_code == "GW-INVALID"
    assert heard.fields.keys() == {"content-type", "content-length"}
    assert heard.fields["content-type"] == "application/json; charset=utf-8"
    assert b"<script>" not in heard.body


def test_a_request_in_single_bytes_is_read(rig: Rig) -> None:
    found = question(VICTIM)
    _expected.add(found["msgid"])
    with rig.wire() as wire:
        for byte in post(raw(found)):
            wire.send(bytes((byte,)))
        assert wire.hear().json["output"] == {"echo": found["msgid"]}


def test_the_refused_left_no_trace_in_the_journal(rig: Rig) -> None:
    """X9: what was refused before it was journalled reserves nothing."""
    found = payment(VICTIM)
    broken = json.loads(raw(found))
    broken["input"]["data"]["medfee_sumamt"] = "1e2"
    assert rig.ask(raw(broken)).gw_code == "GW-INVALID"
    assert (VICTIM, found["msgid"]) not in rig.journal()
    _expected.add(found["msgid"])
    assert rig.ask(raw(found)).json["infcode"] == 0
