"""Generated documents, written in the odd ways JSON allows: accepted exactly when no key stands twice (annex X23)."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from test_jsontext import TWICE, complaint, keys_of

from gateway.core.errors import BadJson
from gateway.core.jsontext import (
    DEPTH_MAX,
    _depth,
    _shallow,
    decode,
    decode_exact,
    encode,
    objects_once,
    plain,
    shape_complaint,
    skeleton,
    skeleton_slices,
)

NAMES = st.text(st.sampled_from('ab"\\:{}[],-0/测😀\n'), max_size=5)
NUMBERS = st.sampled_from(["0", "1", "12", "-7", "1.50", "-1.0", "1e5", "2E-3", "-10"])
LEAVES = st.one_of(NAMES.map(lambda text: ("text", text)), NUMBERS.map(lambda text: ("as it is", text)),
                   st.sampled_from(["null", "true", "false"]).map(lambda text: ("as it is", text)))  # fmt: skip
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda rows: ("list", rows)),
        st.lists(st.tuples(NAMES, inner), max_size=4).map(lambda pairs: ("object", pairs)),
    ),
    max_leaves=12,
)
BLANKS = st.sampled_from(["", "", " ", "\n", "\t ", "\r\n"])
Draw = Callable[[Any], Any]


def written(draw: Draw, text: str) -> str:
    """Write a string in some way of the many JSON has."""
    found = []
    for char in text:
        ways = [f"\\u{ord(char):04x}", f"\\u{ord(char):04X}"] if ord(char) < 0x10000 else []
        if char in '"\\/':
            ways.append("\\" + char)
        if char not in '"\\\n':
            ways.append(char)
        if char == "\n":
            ways.append("\\n")
        found.append(draw(st.sampled_from(ways)))
    return '"' + "".join(found) + '"'


def odd_document(draw: Draw, tree: Any) -> str:
    kind, value = tree
    gap = draw(BLANKS)
    if kind == "as it is":
        return f"{gap}{value!s}{gap}"
    if kind == "text":
        return f"{gap}{written(draw, value)}{gap}"
    if kind == "list":
        return f"{gap}[" + ",".join(odd_document(draw, item) for item in value) + "]"
    pairs: Iterator[str] = (written(draw, name) + gap + ":" + odd_document(draw, item) for name, item in value)
    return f"{gap}{{" + f",{gap}".join(pairs) + f"{gap}}}"


def objects_of(tree: Any) -> list[dict[str, Any]]:
    """Return every object of a decoded tree."""
    if isinstance(tree, dict):
        return [tree, *(found for value in tree.values() for found in objects_of(value))]
    return [found for item in tree for found in objects_of(item)] if isinstance(tree, list) else []


def doubled(tree: Any) -> bool:
    """Say whether some object of the tree has two equal keys."""
    kind, value = tree
    if kind == "list":
        return any(map(doubled, value))
    if kind == "object":
        return len({name for name, _ in value}) < len(value) or any(doubled(item) for _, item in value)
    return False


@settings(max_examples=250, deadline=None)
@given(st.data(), TREES)
def test_a_document_is_accepted_exactly_when_no_key_stands_twice(data: st.DataObject, tree: Any) -> None:
    raw = odd_document(data.draw, tree).encode()
    parsed = decode(raw)
    assert (complaint(raw) == TWICE) is doubled(tree)
    assert complaint(raw) in ("", TWICE)
    # The proof may be withheld (depth, -0), but here nothing asks for that.
    assert plain(skeleton(raw), keys_of(parsed)) is not doubled(tree)
    assert encode(decode_exact(raw)) == encode(parsed)
    once = objects_once(raw, parsed)
    assert (once is None) is doubled(tree)
    assert once is None or sorted(map(id, once)) == sorted(map(id, objects_of(parsed)))
    for size in (1, 2, 7):
        assert b"".join(skeleton_slices(raw, size)) == skeleton(raw)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40) | st.text(st.sampled_from('{}[]":,\\0-1.e au'), max_size=30).map(str.encode))
def test_any_bytes_are_either_refused_or_understood(raw: bytes) -> None:
    """Nothing but BadJson ever comes out, and what is accepted means the same to another parser."""
    try:
        tree = decode(raw)
    except BadJson:
        return
    if shape_complaint(raw, tree) == "":
        assert json.loads(raw) == json.loads(encode(decode_exact(raw)))


NESTS = st.recursive(
    st.just(b"0"),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: b"[" + b",".join(items) + b"]"),
        inner.map(lambda item: b'{":":' + item + b"}"),
        st.tuples(st.integers(1, 24), inner).map(lambda pair: b"[" * pair[0] + pair[1] + b"]" * pair[0]),
    ),
    max_leaves=8,
)


@given(NESTS)
def test_what_is_called_shallow_is_not_deep(bones: bytes) -> None:
    deep = _depth(bones)
    assert not _shallow(bones) or deep <= DEPTH_MAX
    assert _shallow(bones) or deep > DEPTH_MAX // 2, "the quick way must serve ordinary messages"
