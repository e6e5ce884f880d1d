"""What the HTTP server never accepts: ambiguous framing and sizes (annex X23, X25; security T5, T7)."""

from __future__ import annotations

import pytest
from transport_side import CHUNKED, H, Side, post

from adapters.transport.server import ServerLimits

# -- framing ----------------------------------------------------------------------------------------------------------

SMUGGLING = {
    "te and cl": H + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "cl and te": H + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    "two equal cl": H + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "two cl": H + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "cl list": H + b"Content-Length: 2, 2\r\n\r\n{}",
    "cl plus": H + b"Content-Length: +2\r\n\r\n{}",
    "cl minus": H + b"Content-Length: -2\r\n\r\n{}",
    "cl hex": H + b"Content-Length: 0x2\r\n\r\n{}",
    "cl underscore": H + b"Content-Length: 1_0\r\n\r\n{}",
    "cl empty": H + b"Content-Length: \r\n\r\n",
    "te gzip": H + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "te identity": H + b"Transfer-Encoding: identity\r\n\r\n",
    "te unknown": H + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "te twice": H + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "te vertical tab": H + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "te in 1.0": H.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "te blank before colon": H + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "cl blank before colon": H + b"Content-Length : 2\r\n\r\n{}",
    "no length": H + b"\r\n",
    "obs-fold": H + b"X: a\r\n b\r\nContent-Length: 2\r\n\r\n{}",
    "obs-fold tab": H + b"X: a\r\n\tb\r\nContent-Length: 2\r\n\r\n{}",
    "fold at first": b"POST / HTTP/1.1\r\n Host: h\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}",
    "bare LF everywhere": b"POST / HTTP/1.1\nHost: h\nContent-Length: 2\n\n{}",
    "bare LF once": b"POST / HTTP/1.1\r\nHost: h\nContent-Length: 2\r\n\r\n{}",
    "bare LF at the end": b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\n\n{}",
    "bare CR": H + b"X: a\rContent-Length: 9\r\nContent-Length: 2\r\n\r\n{}",
    "NUL": H + b"X: a\0\r\nContent-Length: 2\r\n\r\n{}",
    "control in value": H + b"X: a\x01\r\nContent-Length: 2\r\n\r\n{}",
    "no colon": H + b"X\r\nContent-Length: 2\r\n\r\n{}",
    "empty name": H + b": x\r\nContent-Length: 2\r\n\r\n{}",
    "blank in name": H + b"X y: x\r\nContent-Length: 2\r\n\r\n{}",
    "HTTP/0.9": b"GET /\r\n",
    "HTTP/0.9 said": b"GET / HTTP/0.9\r\n\r\n",
    "HTTP/1.2": H.replace(b"1.1", b"1.2") + b"Content-Length: 2\r\n\r\n{}",
    "HTTP/1.10": H.replace(b"1.1", b"1.10") + b"Content-Length: 2\r\n\r\n{}",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "RTSP": b"GET / RTSP/1.0\r\nHost: h\r\n\r\n",
    "lower http": b"GET / http/1.1\r\nHost: h\r\n\r\n",
    "TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "two blanks": b"GET  / HTTP/1.1\r\nHost: h\r\n\r\n",
    "blank in target": b"GET /a b HTTP/1.1\r\nHost: h\r\n\r\n",
    "control in target": b"GET /a\x01 HTTP/1.1\r\nHost: h\r\n\r\n",
    "fragment": b"GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n",
    "asterisk": b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
    "connect": b"CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n",
    "unknown method": b"FROB / HTTP/1.1\r\nHost: h\r\n\r\n",
    "lower method": b"get / HTTP/1.1\r\nHost: h\r\n\r\n",
    "no Host": b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
    "two Hosts": H + b"Host: h\r\nContent-Length: 2\r\n\r\n{}",
    "two Hosts in 1.0": H.replace(b"1.1", b"1.0") + b"Host: i\r\nContent-Length: 2\r\n\r\n{}",
    "two content types": H + b"Content-Type: text/plain\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}",
    "bare LF first": b"\n" + H + b"Content-Length: 2\r\n\r\n{}",
    "bare CR first": b"\r" + H + b"Content-Length: 2\r\n\r\n{}",
    "chunk size sign": CHUNKED + b"+2\r\n{}\r\n0\r\n\r\n",
    "chunk size 0x": CHUNKED + b"0x2\r\n{}\r\n0\r\n\r\n",
    "chunk size underscore": CHUNKED + b"0_2\r\n{}\r\n0\r\n\r\n",
    "chunk size empty": CHUNKED + b"\r\n{}\r\n0\r\n\r\n",
    "chunk size blank first": CHUNKED + b" 2\r\n{}\r\n0\r\n\r\n",
    "chunk size too long": CHUNKED + b"000000002\r\n{}\r\n0\r\n\r\n",
    "chunk bare LF": CHUNKED + b"2\n{}\r\n0\r\n\r\n",
    "chunk bare LF in extension": CHUNKED + b"2;a\nb\r\n{}\r\n0\r\n\r\n",
    "chunk longer than said": CHUNKED + b"2\r\n{}}\r\n0\r\n\r\n",
    "chunk CR then not LF": CHUNKED + b"2\r\n{}\rX0\r\n\r\n",
    "chunk extension too long": CHUNKED + b"2;" + b"x" * 300 + b"\r\n{}\r\n0\r\n\r\n",
    "trailers without end": CHUNKED + b"0\r\n" + b"T: 1\r\n" * 2000,
}


@pytest.mark.parametrize("step", [0, 1])
@pytest.mark.parametrize("name", SMUGGLING)
def test_ambiguous_framing_is_400_and_close(name: str, step: int) -> None:
    side = Side()
    side.send(SMUGGLING[name], step)
    assert side.refused_with(400, b"GW-HTTP") and not side.requests
    assert side.wire.value().count(b"HTTP/1.1 ") == 1
    # What stands behind is not a request any more.
    assert side.send(post()) == b"" and not side.requests


def test_bad_framing_behind_a_request_is_answered_after_it() -> None:
    side = Side(answer=None)
    side.send(post(b"1") + SMUGGLING["te and cl"])
    assert side.wire.value() == b"" and not side.closed
    side.requests[0].respond(200, b"one")
    first, _, second = side.wire.value().partition(b"one")
    assert first.startswith(b"HTTP/1.1 200") and second.startswith(b"HTTP/1.1 400") and side.closed


# -- sizes ------------------------------------------------------------------------------------------------------------


def test_a_head_up_to_its_limit_passes_and_one_byte_more_does_not() -> None:
    base = post(b"")
    room = 16384 - len(base) - len(b"X: \r\n")
    side = Side()
    side.send(post(b"", b"X: " + b"a" * room + b"\r\n"))
    assert len(side.requests) == 1
    side = Side()
    side.send(post(b"", b"X: " + b"a" * (room + 1) + b"\r\n"))
    assert side.refused_with(400, b"GW-HTTP")
    side = Side()
    side.send(b"POST / HTTP/1.1\r\nX: " + b"a" * 20000, 1000)  # no end in sight
    assert side.refused_with(400, b"GW-HTTP")


def test_a_hundred_headers_pass_and_one_more_does_not() -> None:
    side = Side()
    side.send(post(b"", b"X: a\r\n" * 97))
    assert len(side.requests) == 1
    side = Side()
    side.send(post(b"", b"X: a\r\n" * 98))
    assert side.refused_with(400, b"GW-HTTP")


def test_a_target_of_two_kilobytes_passes_and_one_byte_more_does_not() -> None:
    for length, accepted in ((2048, True), (2049, False)):
        side = Side()
        side.send(b"GET /" + b"a" * (length - 1) + b" HTTP/1.1\r\nHost: h\r\n\r\n")
        assert bool(side.requests) is accepted and side.closed is not accepted


def test_a_body_too_large_is_refused_at_its_head() -> None:
    limits = ServerLimits(body_bytes_max=10, upload_body_bytes_max={b"/up": 20})
    for path, length, accepted in ((b"/x", 10, True), (b"/x", 11, False), (b"/up", 20, True), (b"/up", 21, False)):
        side = Side(limits=limits)
        side.send(b"POST %b HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % (path, length))
        assert side.closed is not accepted
        assert accepted or side.refused_with(413, b"GW-SIZE")


@pytest.mark.parametrize("digits", [8, 19, 20, 21, 300, 5000])
def test_a_length_beyond_counting_is_too_large_and_not_unreadable(digits: int) -> None:
    side = Side()
    side.send(H + b"Content-Length: " + b"9" * digits + b"\r\n\r\n" + post())
    assert side.refused_with(413, b"GW-SIZE") and not side.requests
    assert side.send(post()) == b"" and not side.requests


def test_a_length_that_is_two_modulo_64_bits_is_not_two() -> None:
    side = Side()
    side.send(H + b"Content-Length: 18446744073709551618\r\n\r\n{}")
    assert side.refused_with(413, b"GW-SIZE") and not side.requests


def test_leading_zeros_of_a_length_do_not_count() -> None:
    for length in (b"0" * 5000 + b"2", b"002", b"2 "):
        side = Side()
        side.send(H + b"Content-Length: " + length + b"\r\n\r\n{}")
        assert [request.body for request in side.requests] == [b"{}"]
    side = Side()
    side.send(H + b"Content-Length: " + b"0" * 5000 + b"\r\n\r\n")
    assert [request.body for request in side.requests] == [b""]


def test_the_upload_path_takes_32_mib_by_default() -> None:
    side = Side()
    head = b"POST /fsi/api/fileupload/upload HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n"
    assert side.send(head % (32 * 1024 * 1024)) == b"" and not side.closed
    side = Side()
    side.send(head % (32 * 1024 * 1024 + 1))
    assert side.refused_with(413, b"GW-SIZE")


def test_chunks_are_counted_and_cut() -> None:
    side = Side(limits=ServerLimits(body_bytes_max=10))
    side.send(CHUNKED + b"8\r\n12345678\r\n2\r\n90\r\n0\r\n\r\n")
    assert side.requests[0].body == b"1234567890"
    side.send(CHUNKED + b"8\r\n12345678\r\n3\r\n")
    assert side.refused_with(413, b"GW-SIZE") and len(side.requests) == 1
