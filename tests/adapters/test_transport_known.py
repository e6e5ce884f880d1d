"""Heads that were read before mean what reading them again would say (annex X25): the quick way and the slow agree."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transport_road import OK, Ear, Road

from adapters.transport.heads import Head, HeadReader, HeadRefused, parse_head
from adapters.transport.known import HEADS_MAX, KnownHeads, sketch_of

LINES = st.sampled_from(
    [
        b"Host: h", b"Content-Length: 2", b"Content-Length: 17", b"Content-Length: 017", b"Content-Length: 5 ",
        b"Content-Length: +5", b"Content-Length: 9999999999", b"Content-Length: ", b"content-length: 3", b"X: 1",
        b"X: Content-Length: 4", b" Content-Length: 4", b"Expect: 100-continue", b"Connection: close",
        b"Connection: keep-alive", b"Transfer-Encoding: chunked", b"Content-Type: application/json",
        b"Content-Type: application/json; charset=gbk", b"Upgrade: h2c",
    ]
)  # fmt: skip
FIRST = st.sampled_from(
    [b"POST /a HTTP/1.1", b"POST /a?b HTTP/1.1", b"GET /a HTTP/1.1", b"POST /a HTTP/1.0", b"PUT / HTTP/1.1"]
)
HEADS = st.tuples(FIRST, st.lists(LINES, max_size=4)).map(
    lambda p: b"\r\n".join([p[0], b"Host: h", *p[1]]) + b"\r\n\r\n"
)


def said(read: object) -> Head | str:
    """What reading a head comes to."""
    try:
        return read()  # type: ignore[operator,no-any-return]
    except HeadRefused as refused:
        return refused.code


@settings(max_examples=300, deadline=None)
@given(st.lists(HEADS, min_size=1, max_size=8))
def test_a_reader_that_remembers_says_what_one_without_memory_says(raws: list[bytes]) -> None:
    reader = HeadReader(6, 100)
    for raw in raws * 2:
        assert said(lambda raw=raw: reader.read(raw)) == said(lambda raw=raw: parse_head(raw, 6, 100)), raw


def test_the_fields_of_a_remembered_head_are_its_own() -> None:
    reader = HeadReader(100, 100)
    raws = [b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\nX: y\r\n\r\n" % length for length in (2, 30, 0)]
    found = [reader.read(raw) for raw in raws]
    assert [head.length for head in found] == [2, 30, 0]
    assert [head.fields[b"content-length"] for head in found] == [b"2", b"30", b"0"]
    found[1].fields[b"x"] = b"changed"
    assert reader.read(raws[2]).fields[b"x"] == b"y"


def test_what_is_remembered_is_bounded() -> None:
    known: KnownHeads[int] = KnownHeads()
    for number in range(HEADS_MAX + 1):
        known.learn(b"%d" % number, number)
    assert known.get(b"0") is None and known.get(b"%d" % HEADS_MAX) == HEADS_MAX
    known.learn(bytes(2000), 1)
    assert known.get(bytes(2000)) is None


def test_a_sketch_leaves_out_the_digits_alone() -> None:
    raw = b"A\r\nContent-Length: 12\r\nB: 12"
    assert sketch_of(raw, len(raw)) == (b"A\r\nContent-Length: \r\nB: 12", b"12")
    for odd in (b"", b"-1", b"1 2", b"1234567890", "１".encode()):
        assert sketch_of(b"A\r\nContent-Length: " + odd + b"\r\n\r\n", 20 + len(odd)) is None


def answer(body: bytes, extra: bytes = b"", length: int = -1) -> bytes:
    length = len(body) if length < 0 else length
    return b"HTTP/1.1 200 OK\r\nContent-Type: t\r\n%bContent-Length: %d\r\n\r\n%b" % (extra, length, body)


BODIES = st.sampled_from([b"", b"x", b"{}", b"\r\n\r\n", b'{"a":"' + b"b" * 900 + b'"}'])
ANSWERS = st.one_of(
    BODIES.map(answer),
    BODIES.map(lambda body: answer(body, b"Connection: close\r\n")),
    BODIES.map(lambda body: answer(body) + b"\r\n"),
    BODIES.map(lambda body: answer(body) + b"HTTP/1.1 200 OK\r\n\r\n"),
    BODIES.map(lambda body: answer(body, length=len(body) + 1)),
    BODIES.map(lambda body: answer(body, b"Transfer-Encoding: chunked\r\n")),
    BODIES.map(lambda body: answer(body, b"Content-Length: 1\r\n")),
    BODIES.map(lambda body: b"HTTP/1.1 100 Continue\r\n\r\n" + answer(body)),
    BODIES.map(lambda body: answer(body).replace(b"200 OK", b"304 Not")),
    st.just(OK),
)


def heard(answers: list[tuple[bytes, int]], remember: bool) -> list[object]:
    """What a listener hears of one exchange after the other, and what became of the connections."""
    road = Road()
    found: list[object] = []
    far = None
    for raw, step in answers:
        if not remember:
            road.pool.heads = KnownHeads()
        ear = road.send()
        if road.counts()[2]:  # the last connection is not fit for use any more
            far = road.open()
        assert far is not None
        far.says(raw, step)
        found += [list(ear.heard), road.counts()]
        if not ear.heard:
            break
    return found


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(ANSWERS, st.sampled_from([5000, 5000, 5000, 7])), min_size=1, max_size=8))
def test_answers_with_remembered_heads_end_as_they_would_without(answers: list[tuple[bytes, int]]) -> None:
    assert heard(answers, True) == heard(answers, False)


def test_a_remembered_answer_is_not_parsed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    road = Road()
    road.send()
    far = road.open()
    far.says(answer(b"one"))
    learnt = Ear()
    road.pool.send(b"/", b"", b"", learnt, 20.0)
    monkeypatch.setattr("adapters.transport.link.Link._begin_message", lambda link: pytest.fail("parsed"))
    far.says(answer(b"another"))
    assert learnt.heard == [("answered", 200, b"t", b"another", True)]
