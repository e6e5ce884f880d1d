"""HTTP as attackers and old clients speak it: framing tricks, pipelining, upgrades, slow bytes, too many connections.

Expected values: contract-annex X25, X4; security T6, T7. Every trick carries a whole second request behind it: one
refusal, a closed connection, and nothing at the platform prove that nobody read it.
"""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hostile_messages import payment, question, raw
from hostile_platform import Seen, honest
from hostile_rig import CROWD, STRANGER, VICTIM, Rig
from hostile_slowness import Dribble
from hostile_wire import Wire, post

pytestmark = pytest.mark.processes

POST = b"POST /fsi/api/call HTTP/1.1\r\n"
HOST = b"Host: x\r\n"
BODY = raw(question(VICTIM))
CL = b"Content-Length: %d\r\n" % len(BODY)
TE = b"Transfer-Encoding: chunked\r\n"
CHUNKED = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)

HEADS: dict[str, bytes] = {
    "CL and TE": POST + HOST + CL + TE + b"\r\n" + CHUNKED,
    "TE and CL": POST + HOST + TE + CL + b"\r\n" + CHUNKED,
    "CL 0 and TE": POST + HOST + b"Content-Length: 0\r\n" + TE + b"\r\n" + CHUNKED,
    "CL twice": POST + HOST + CL + CL + b"\r\n" + BODY,
    "CL twice, different": POST + HOST + CL + b"Content-Length: 5\r\n\r\n" + BODY,
    "CL a list": POST + HOST + b"Content-Length: %d, %d\r\n\r\n" % (len(BODY), len(BODY)) + BODY,
    "CL with a plus": POST + HOST + b"Content-Length: +%d\r\n\r\n" % len(BODY) + BODY,
    "CL negative": POST + HOST + b"Content-Length: -1\r\n\r\n" + BODY,
    "CL hexadecimal": POST + HOST + b"Content-Length: 0x%x\r\n\r\n" % len(BODY) + BODY,
    "CL with a blank inside": POST + HOST + b"Content-Length: 3 4\r\n\r\n" + BODY,
    "CL empty": POST + HOST + b"Content-Length: \r\n\r\n" + BODY,
    "CL a word": POST + HOST + b"Content-Length: five\r\n\r\n" + BODY,
    "CL with an underscore": POST + HOST + b"Content-Length: 1_0\r\n\r\n" + BODY,
    "CL beyond 64 bits": POST + HOST + b"Content-Length: 99999999999999999999999\r\n\r\n" + BODY,
    "no length": POST + HOST + b"\r\n" + BODY,
    "TE gzip": POST + HOST + b"Transfer-Encoding: gzip\r\n\r\n" + CHUNKED,
    "TE gzip, chunked": POST + HOST + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + CHUNKED,
    "TE chunked, identity": POST + HOST + b"Transfer-Encoding: chunked, identity\r\n\r\n" + CHUNKED,
    "TE identity": POST + HOST + b"Transfer-Encoding: identity\r\n\r\n" + BODY,
    "TE xchunked": POST + HOST + b"Transfer-Encoding: xchunked\r\n\r\n" + CHUNKED,
    "TE quoted": POST + HOST + b'Transfer-Encoding: "chunked"\r\n\r\n' + CHUNKED,
    "TE twice": POST + HOST + TE + TE + b"\r\n" + CHUNKED,
    "TE with a vertical tab": POST + HOST + b"Transfer-Encoding: \x0bchunked\r\n\r\n" + CHUNKED,
    "TE with a blank before the colon": POST + HOST + b"Transfer-Encoding : chunked\r\n\r\n" + CHUNKED,
    "TE folded": POST + HOST + b"Transfer-Encoding:\r\n chunked\r\n\r\n" + CHUNKED,
    "TE in HTTP/1.0": b"POST /fsi/api/call HTTP/1.0\r\n" + HOST + TE + b"\r\n" + CHUNKED,
    "a folded line": POST + HOST + b"X: a\r\n b\r\n" + CL + b"\r\n" + BODY,
    "a folded first line": POST + b" X: a\r\n" + HOST + CL + b"\r\n" + BODY,
    "bare LF everywhere": (POST + HOST + CL + b"\r\n").replace(b"\r\n", b"\n") + BODY,
    "one bare LF": POST + b"X: a\n" + HOST + CL + b"\r\n" + BODY,
    "LF LF as the end": POST + HOST + CL[:-2] + b"\n\n" + BODY,
    "a bare CR": POST + b"X: a\rTransfer-Encoding: chunked\r\n" + HOST + CL + b"\r\n" + BODY,
    "a NUL in a value": POST + b"X: a\0b\r\n" + HOST + CL + b"\r\n" + BODY,
    "a NUL in a name": POST + b"X\0: a\r\n" + HOST + CL + b"\r\n" + BODY,
    "a line without a colon": POST + b"hello\r\n" + HOST + CL + b"\r\n" + BODY,
    "an empty name": POST + b": a\r\n" + HOST + CL + b"\r\n" + BODY,
    "a blank in a name": POST + b"X Y: a\r\n" + HOST + CL + b"\r\n" + BODY,
    "no Host": POST + CL + b"\r\n" + BODY,
    "two Hosts": POST + HOST + HOST + CL + b"\r\n" + BODY,
    "HTTP/0.9": b"POST /fsi/api/call\r\n\r\n" + BODY,
    "HTTP/1.2": b"POST /fsi/api/call HTTP/1.2\r\n" + HOST + CL + b"\r\n" + BODY,
    "HTTP/2.0": b"POST /fsi/api/call HTTP/2.0\r\n" + HOST + CL + b"\r\n" + BODY,
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "another protocol": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "a method of its own": b"P\xc3\x96ST /fsi/api/call HTTP/1.1\r\n" + HOST + CL + b"\r\n" + BODY,
    "CONNECT": b"CONNECT 127.0.0.1:80 HTTP/1.1\r\n" + HOST + b"\r\n",
    "three blanks": b"POST  /fsi/api/call HTTP/1.1\r\n" + HOST + CL + b"\r\n" + BODY,
    "a blank in the target": b"POST /fsi/api/ca ll HTTP/1.1\r\n" + HOST + CL + b"\r\n" + BODY,
    "a target over 2 KiB": b"POST /fsi/api/" + b"a" * 2048 + b" HTTP/1.1\r\n" + HOST + CL + b"\r\n" + BODY,
    "101 header lines": POST + HOST + CL + b"".join(b"X-%d: a\r\n" % n for n in range(99)) + b"\r\n" + BODY,
    "a head over 16 KiB": POST + HOST + CL + b"X: " + b"a" * 16_384 + b"\r\n\r\n" + BODY,
    "a head without end": POST + HOST + b"X: " + b"a" * 20_000,
    "chunk size 0x5": POST + HOST + TE + b"\r\n0x5\r\nhello\r\n0\r\n\r\n",
    "chunk size negative": POST + HOST + TE + b"\r\n-5\r\nhello\r\n0\r\n\r\n",
    "chunk size with a blank": POST + HOST + TE + b"\r\n 5\r\nhello\r\n0\r\n\r\n",
    "chunk size a word": POST + HOST + TE + b"\r\nfive\r\nhello\r\n0\r\n\r\n",
    "chunk size empty": POST + HOST + TE + b"\r\n\r\nhello\r\n0\r\n\r\n",
    "chunk size of nine digits": POST + HOST + TE + b"\r\n000000005\r\nhello\r\n0\r\n\r\n",
    "chunk line ends in LF": POST + HOST + TE + b"\r\n5\nhello\r\n0\r\n\r\n",
    "chunk without its end": POST + HOST + TE + b"\r\n5\r\nhelloX\r\n0\r\n\r\n",
    "chunk extension without end": POST + HOST + TE + b"\r\n5;" + b"a" * 300 + b"\r\nhello\r\n0\r\n\r\n",
    "trailers without end": POST + HOST + TE + b"\r\n0\r\n" + b"X: a\r\n" * 3000,
}  # fmt: skip
TOO_LARGE = {"CL beyond 64 bits"}  # a length that is read and is too long, not one that cannot be read (X23)


@pytest.mark.parametrize("name", HEADS)
def test_bad_framing_is_refused_once_and_the_connection_closes(rig: Rig, name: str) -> None:
    before = rig.liar.count()
    with rig.wire() as wire:
        wire.send(HEADS[name] + post(raw(question(VICTIM))))
        heard = wire.hear()
        assert wire.ended()
    assert (heard.status, heard.gw_code) == ((413, "GW-SIZE") if name in TOO_LARGE else (400, "GW-HTTP"))
    assert heard.fields["connection"] == "close"
    assert rig.liar.count() == before
    found = question(VICTIM)
    assert rig.ask(raw(found)).json["output"] == {"echo": found["msgid"]}


def test_a_trick_in_small_pieces_is_still_one(rig: Rig) -> None:
    """The same bytes, split where a reader may lose count: at every byte of the framing lines."""
    before = rig.liar.count()
    for cut in range(1, 60, 7):
        with rig.wire() as wire:
            trick = HEADS["CL and TE"]
            wire.send(trick[:cut])
            time.sleep(0.01)
            wire.send(trick[cut:])
            assert wire.hear().gw_code == "GW-HTTP"
            assert wire.ended()
    assert rig.liar.count() == before


def test_twenty_requests_in_one_write_are_answered_in_order(rig: Rig) -> None:
    found = [question(VICTIM) for _ in range(20)]
    with rig.wire() as wire:
        wire.send(b"".join(post(raw(one)) for one in found))
        heard = [wire.hear().json["output"]["echo"] for _ in found]
    assert heard == [one["msgid"] for one in found]


def test_money_in_one_write_goes_one_at_a_time(rig: Rig) -> None:
    """T7: at most one outstanding request per connection; here of different persons, so no lane holds them back."""
    found = [payment(VICTIM) for _ in range(6)]
    going, most = 0, 0
    lock = threading.Lock()

    def slow(seen: Seen, wire: object) -> bool:
        nonlocal going, most
        with lock:
            going += 1
            most = max(most, going)
        time.sleep(0.03)
        with lock:
            going -= 1
        return honest(seen, wire)  # type: ignore[arg-type]

    rig.liar.script.update({one["msgid"]: slow for one in found})
    with rig.wire() as wire:
        wire.send(b"".join(post(raw(one)) for one in found))
        heard = [wire.hear().json["output"]["setlinfo"]["medins_setl_id"] for _ in found]
    assert heard == [one["msgid"] for one in found]
    assert most == 1


def test_a_bad_request_behind_a_good_one(rig: Rig) -> None:
    """The good one is answered, the bad one refused, what stands behind it is never read."""
    found = question(VICTIM)
    before = rig.liar.count()
    with rig.wire() as wire:
        wire.send(post(raw(found)) + HEADS["TE twice"] + post(raw(question(VICTIM))))
        assert wire.hear().json["output"] == {"echo": found["msgid"]}
        assert wire.hear().gw_code == "GW-HTTP"
        assert wire.ended()
    assert rig.liar.count() == before + 1


def test_a_refused_body_does_not_confuse_the_next_request(rig: Rig) -> None:
    """A refusal by content keeps the connection, and the next request begins where the body ended."""
    found = question(VICTIM)
    with rig.wire() as wire:
        wire.send(post(b'{"a":1,"a":2}') + post(raw(found)))
        assert wire.hear().status == 400
        assert wire.hear().json["output"] == {"echo": found["msgid"]}


def test_chunks_extensions_and_trailers_are_read(rig: Rig) -> None:
    found, after = question(VICTIM), question(VICTIM)
    body = raw(found)
    chunks = b"".join(b"%x;ext=1\r\n%b\r\n" % (len(part), part) for part in (body[:7], body[7:100], body[100:]))
    with rig.wire() as wire:
        wire.send(
            POST + HOST + TE + b"\r\n" + chunks + b"0\r\nX-Trailer: a\r\nContent-Length: 5\r\n\r\n" + post(raw(after))
        )
        assert [wire.hear().json["output"]["echo"] for _ in range(2)] == [found["msgid"], after["msgid"]]
    assert rig.liar.of(found["msgid"])[0].body == body


def test_expect_100_continue(rig: Rig) -> None:
    """.NET sends it by default and waits for the word before it sends the body."""
    found = question(VICTIM)
    head, _, body = post(raw(found), "/fsi/api/call", "Expect: 100-continue").partition(b"\r\n\r\n")
    with rig.wire() as wire:
        wire.send(head + b"\r\n\r\n")
        assert wire.hear().status == 100
        wire.send(body)
        assert wire.hear().json["output"] == {"echo": found["msgid"]}
        wire.send(POST + HOST + b"Expect: 100-continue\r\nContent-Length: 99999999\r\n\r\n")
        assert (wire.hear().status, wire.ended()) == (413, True)


@pytest.mark.parametrize("split", [True, False], ids=["body later", "in one write"])
def test_an_offer_of_h2c_is_ignored(rig: Rig, split: bool) -> None:
    """Java 11 and later offer it on http:// (X25)."""
    fields = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA")
    found, after = payment(VICTIM), question(VICTIM)
    head, _, body = post(raw(found), "/fsi/api/call", *fields).partition(b"\r\n\r\n")
    with rig.wire() as wire:
        if split:
            wire.send(head + b"\r\n\r\n" + body[:10])
            time.sleep(0.05)
            assert rig.liar.of(found["msgid"]) == []
            wire.send(body[10:] + post(raw(after)))
        else:
            wire.send(head + b"\r\n\r\n" + body + post(raw(after)))
        assert wire.hear().json["output"]["setlinfo"]["medins_setl_id"] == found["msgid"]
        assert wire.hear().json["output"] == {"echo": after["msgid"]}
    assert [one.body for one in rig.liar.of(found["msgid"])] == [raw(found)]


def test_http_1_0_with_and_without_keep_alive(rig: Rig) -> None:
    body = raw(question(VICTIM))
    with rig.wire() as wire:
        wire.send(post(body, "/fsi/api/call", "Connection: keep-alive", version="1.0"))
        assert wire.hear().fields["connection"].lower() == "keep-alive"
        wire.send(b"POST /fsi/api/call HTTP/1.0\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        assert wire.hear().status == 200
        assert wire.ended()


def test_a_client_that_hangs_up_harms_nobody(rig: Rig) -> None:
    """Half a head, half a body, a whole payment without waiting: the payment is settled once and kept."""
    for part in (POST[:9], POST + HOST, post(BODY)[:-10]):
        with rig.wire() as wire:
            wire.send(part)
    found = payment(VICTIM)
    with rig.wire() as wire:
        wire.send(post(raw(found)))
    assert rig.liar.wait_for(found["msgid"])
    assert rig.ask(raw(found)).json["infcode"] == 0
    assert len(rig.liar.of(found["msgid"])) == 1


def test_connections_of_one_institution_are_bounded(rig: Rig) -> None:
    """T6: 64 by default; the 65th is told 429 and closed, and other institutions do not feel it."""
    held = [rig.wire(CROWD) for _ in range(64)]
    try:
        held[-1].send(post(raw(question(CROWD))))
        assert held[-1].hear().status == 200
        for _ in range(3):
            with rig.wire(CROWD) as wire:
                wire.send(post(raw(question(CROWD))))
                heard = wire.hear()
                assert (heard.status, heard.gw_code, heard.json["gw_repeat"]) == (429, "GW-RATE", "same")
                assert wire.ended()
        assert rig.ask(raw(question(VICTIM))).status == 200
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda wire: wire.send(post(raw(question(CROWD)))), held))
            assert {heard.status for heard in pool.map(lambda wire: wire.hear(), held)} == {200}
    finally:
        for wire in held:
            wire.socket.close()
    deadline = time.monotonic() + 5
    while rig.ask(raw(question(CROWD)), CROWD).status != 200:
        assert time.monotonic() < deadline, "closed connections are counted for ever"
        time.sleep(0.05)


def test_a_stranger_cannot_fill_the_listener(rig: Rig) -> None:
    held = [Wire(rig.plain, STRANGER) for _ in range(40)]
    try:
        codes = []
        for wire in held:
            wire.send(post(BODY))
            codes.append(wire.hear().gw_code)
        assert codes == ["GW-SOURCE"] * 16 + ["GW-RATE"] * 24
        assert rig.ask(raw(question(VICTIM))).status == 200
    finally:
        for wire in held:
            wire.socket.close()


@pytest.mark.parametrize("where", ["head", "body"])
def test_a_byte_a_second_is_cut_at_the_deadline(dribbles: dict[str, Dribble], where: str) -> None:
    """T6: deadlines are absolute: if each byte bought more time, there would never be an answer."""
    one = dribbles[where]
    assert one.over.wait(60)
    assert one.heard is not None
    assert (one.heard.status, one.heard.gw_code) == (408, "GW-DEADLINE")
    assert one.sent > 1
