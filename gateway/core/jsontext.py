"""JSON as bytes: one untyped decode that keeps every number's text, and proofs on the bytes that nothing was lost.

`decode` gives dicts, lists, str, int, bool, None and `msgspec.Raw` (a non-integer number's own text). msgspec keeps the
last of two equal keys, turns -0 into 0 and nests until the stack ends, so `skeleton` strips the strings once and the
caller compares counts (design §3). Rules: contract-annex X22, X23; security T3, T4.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from gateway.core.errors import BadJson

Raw = msgspec.Raw
DEPTH_MAX = 32
NESTING_MAX = 200
ITEMS_MAX = 20_000
DIGITS_MAX = 32
STRING_MAX = 1 << 20
SLICE_BYTES = 65_536
QUOTES_MAX = 40 * ITEMS_MAX  # 2 MB of the shortest members hold 350,000 strings
OPENINGS_MAX = 5 * ITEMS_MAX

_decoder = msgspec.json.Decoder(float_hook=Raw)
_members = msgspec.json.Decoder(dict[str, Raw])
_items = msgspec.json.Decoder(list[Raw])
_encoder = msgspec.json.Encoder()
_sorted_encoder = msgspec.json.Encoder(order="sorted")
_LONG_NUMBER = re.compile(rb"[0-9][0-9.eE+-]{%d,}" % DIGITS_MAX)
_HOLDERS = frozenset({dict, list})
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_NOT_MARKS = bytes(set(range(256)) - set(b'":{'))
_DIGITS = bytes(0x30 if byte in b"0123456789.eE+-" else 0x20 for byte in range(256))
_TOO_LONG = b"0" * (DIGITS_MAX + 1)

encode = _encoder.encode
encode_sorted = _sorted_encoder.encode


def decode(raw: bytes) -> Any:
    """Return the untyped tree of raw; raise BadJson for what is not strict JSON in UTF-8, or nests absurdly deep."""
    try:
        tree = _decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as cause:
        raise BadJson("可能是格式错误、嵌套过深，或不是UTF-8编码") from cause
    # How deep msgspec gets depends on the stack it is called on. What is decoded here must be encoded, hashed and
    # decoded again elsewhere, so the limit is our own, far below Python's.
    if raw.count(b"{") + raw.count(b"[") > NESTING_MAX and _depth(_bones(raw)) > NESTING_MAX:
        raise BadJson(f"嵌套超过{DEPTH_MAX}层")
    return tree


def decode_shallow(raw: bytes) -> dict[str, Raw] | None:
    """Return an object's members undecoded, None for anything but an object; raise BadJson for what is not JSON.

    Of two equal keys the last is kept, as in `decode`; the skeleton tells.
    """
    try:
        return _members.decode(raw)
    except msgspec.ValidationError:
        return None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as cause:
        raise BadJson("可能是格式错误、嵌套过深，或不是UTF-8编码") from cause


def decode_items(raw: Raw) -> list[Raw] | None:
    """Return an array's items undecoded, None for anything but an array. raw comes from `decode_shallow`."""
    try:
        return _items.decode(raw)
    except msgspec.ValidationError:
        return None


def decode_exact(raw: bytes) -> Any:
    """Return the tree of raw, which `decode` accepted, with -0 as its own text too. Slow; for what `plain` refused."""
    return json.loads(raw, parse_float=_own_text, parse_int=lambda text: _own_text(text) if text == "-0" else int(text))


def minus_zero(raw: bytes) -> bool:
    """Say whether a number of raw begins with -0, which `decode` would turn into 0; a date's text does not count."""
    return b"-0" in raw and b"-0" in _bones(raw)


def _own_text(number: str) -> msgspec.Raw:
    return Raw(number.encode("ascii"))


def skeleton(raw: bytes) -> bytes:
    """Return raw without the contents of its strings: what is left are brackets, colons, commas, numbers, literals.

    raw must have been decoded successfully, so quotes are balanced. A message that may hold a string longer than X23
    allows has no skeleton (b''), so that nothing is proved by it.
    """
    bare = _bare(raw)
    pieces = bare.split(b'"')
    if len(raw) > STRING_MAX and max(map(len, pieces)) + len(raw) - len(bare) > STRING_MAX:
        return b""
    return b"".join(pieces[0::2])


def _bones(raw: bytes) -> bytes:
    return b"".join(_bare(raw).split(b'"')[0::2])


def skeleton_slices(raw: bytes, size: int = SLICE_BYTES) -> Iterator[bytes]:
    """Yield the skeleton of a big message a slice at a time; joined they are `skeleton(raw)`.

    Where a string may be longer than X23 allows it ends in -0, which proves nothing: a skeleton that merely stopped
    would lack the keys behind it, and as many could stand twice before it.
    """
    bare = _bare(raw)
    removed = len(raw) - len(bare)
    inside = False
    longest = 0
    for start in range(0, len(bare), size):
        pieces = bare[start : start + size].split(b'"')
        longest = longest + len(pieces[0]) if inside and len(pieces) == 1 else max(map(len, pieces))
        if longest + size + removed > STRING_MAX:
            yield b"-0"
            return
        yield b"".join(pieces[int(inside) :: 2])
        if len(pieces) % 2 == 0:
            inside = not inside


def _bare(raw: bytes) -> bytes:
    """Return raw without escaped backslashes and quotes: every quote that is left begins or ends a string."""
    return raw.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in raw else raw


def plain(bones: bytes, keys: int) -> bool:
    """Say whether the skeleton proves: exactly `keys` keys, no -0, no long number, few array items, depth <= 32."""
    openings = bones.count(b"{") + bones.count(b"[")
    return (
        bones.count(b":") == keys
        and (openings <= DEPTH_MAX or _shallow(bones) or _depth(bones) <= DEPTH_MAX)
        # An item is a byte at least; else: commas = keys + items - containers that hold anything.
        and (len(bones) <= ITEMS_MAX or bones.count(b",") - keys + openings <= ITEMS_MAX)
        and b"-0" not in bones
        # Five times as quick as the pattern alone.
        and (_TOO_LONG not in bones.translate(_DIGITS) or _LONG_NUMBER.search(bones) is None)
    )


def crowded(raw: bytes) -> bool:
    """Say, before anything is decoded, whether raw holds far more strings or containers than X23 can allow."""
    quotes = openings = 0
    for start in range(0, len(raw), SLICE_BYTES):
        part = raw[start : start + SLICE_BYTES]
        quotes += part.count(b'"')
        openings += part.count(b"[") + part.count(b"{")
        if quotes > QUOTES_MAX or openings > OPENINGS_MAX:
            return True
    return False


def shape_complaint(raw: bytes, tree: Any) -> str:
    """Return why the message breaks X23 (Chinese), or '' when it does not. The slow, exact way."""
    bones = _bones(raw)
    if _depth(bones) > DEPTH_MAX:
        return f"嵌套超过{DEPTH_MAX}层"
    for long in _LONG_NUMBER.findall(bones):
        if sum(long.count(digit) for digit in (b"%d" % n for n in range(10))) > DIGITS_MAX:
            return f"数字超过{DIGITS_MAX}位"
    keys, items, longest = _measure(tree)
    if keys != bones.count(b":"):
        return "存在重复的键"
    if items > ITEMS_MAX:
        return f"数组元素超过{ITEMS_MAX}个"
    if longest > STRING_MAX:
        return "字符串过长"
    return ""


def objects_once(raw: bytes, tree: Any) -> list[dict[str, Any]] | None:
    """Return every object of the tree that raw was decoded to, itself included; None when a key stands twice in one.

    raw has as many objects as opening braces. The last of them are leaves, and need not be searched for more.
    """
    marks = _bare(raw).translate(None, _NOT_MARKS).replace(b'""', b"")  # two quotes less leave the rest in or out
    marks = b"".join(marks.split(b'"')[0::2])
    objects = _objects(tree, marks.count(b"{"))
    return objects if sum(map(len, objects)) == marks.count(b":") else None


def _objects(tree: Any, how_many: int) -> list[dict[str, Any]]:
    """Return the first so many objects of a tree, or all it has, the outer before the inner."""
    found = [tree] if type(tree) is dict else []
    todo = [tree] if type(tree) in _HOLDERS else []
    for here in todo:  # grows meanwhile
        if len(found) >= how_many:
            break
        for value in here.values() if type(here) is dict else here:
            kind = type(value)
            if kind is dict:
                found.append(value)
                todo.append(value)
            elif kind is list:
                todo.append(value)
    return found


def _shallow(bones: bytes) -> bool:
    """Prove by a few replacements that nothing nests deeper than DEPTH_MAX; False proves nothing.

    One turn takes at most two levels away: the innermost objects, then the lists that held nothing else.
    """
    marks = bones.translate(None, _NOT_BRACKETS)
    for _ in range(DEPTH_MAX // 2):
        if not marks:
            return True
        marks = marks.replace(b"{}", b"").replace(b"[]", b"")
    return not marks


def _depth(bones: bytes) -> int:
    deepest = depth = 0
    for mark in bones.translate(None, _NOT_BRACKETS):
        if mark in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        else:
            depth -= 1
    return deepest


def _measure(tree: Any) -> tuple[int, int, int]:
    """Return keys, array items in all, and the longest string in bytes; iterative: the depth was not yet proved."""
    keys = items = longest = 0
    file = _file_of(tree)
    todo = [tree]
    while todo:
        here = todo.pop()
        if here is file and file is not None:
            continue
        if type(here) is dict:
            keys += len(here)
            todo.extend(here.values())
        elif type(here) is list:
            items += len(here)
            todo.extend(here)
        elif type(here) is str and len(here) * 4 > longest:
            longest = max(longest, len(here.encode()))
    return keys, items, longest


def _file_of(tree: Any) -> str | list[Any] | None:
    """Return the content of a file that is uploaded: up to 32 MiB of base64 or of byte numbers (X24, security T5)."""
    here = tree
    for name in ("input", "fsUploadIn", "in"):
        here = here.get(name) if type(here) is dict else None
    if type(here) is str or (type(here) is list and here and type(here[0]) is int):
        return here if tree.get("infno") == "9101" else None
    return None


def number_text(value: Any) -> str | None:
    """Return the text of a JSON number or of a text that may be one; None for anything else (bool is not a number)."""
    if type(value) is Raw:
        return bytes(value).decode("ascii")
    if type(value) is int:
        return str(value)
    return value if type(value) is str else None
