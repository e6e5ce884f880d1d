"""Old Excel workbooks (.xls) looked at just far enough to see their formulas; what cells hold is read by a library.

A compound file ([MS-CFB]: sectors in chains) holds the stream `Workbook` ([MS-XLS]: records of type, length, body). The
library that reads the values gives a formula's last result and does not say that it was one, so its records are found
here. Everything is bounded by the bytes there are: a chain never visits a sector twice.
"""

import struct
from collections.abc import Iterator

MAGIC = bytes.fromhex("d0cf11e0a1b11ae1")
_END = 0xFFFFFFFA  # from here up a sector number is a mark, not a place
_FORMULA, _FILEPASS = 0x0006, 0x002F


class NotWorkbook(Exception):
    """The bytes are no workbook we can look through; damaged, encrypted, or something else in the same wrapping."""


def formulas(content: bytes) -> Iterator[tuple[int, int]]:
    """Yield (row, column), both from 1, of every formula cell on any sheet. Raises NotWorkbook."""
    try:
        stream = _stream(content)
    except (struct.error, IndexError) as cause:
        raise NotWorkbook("文件已损坏") from cause
    place = 0
    while place + 4 <= len(stream):
        kind, length = struct.unpack_from("<HH", stream, place)
        if kind == _FILEPASS:
            raise NotWorkbook("工作簿已加密")
        if kind == _FORMULA and length >= 4 and place + 8 <= len(stream):
            row, column = struct.unpack_from("<HH", stream, place + 4)
            yield row + 1, column + 1
        place += 4 + length


def _stream(content: bytes) -> bytes:
    """Return the bytes of the workbook's stream."""
    if not content.startswith(MAGIC):
        raise NotWorkbook("不是工作簿")
    size = 1 << struct.unpack_from("<H", content, 30)[0]
    if size not in (512, 4096):
        raise NotWorkbook("文件已损坏")
    table = _table(content, size)
    directory_at, cutoff, mini_at = struct.unpack_from("<I4xII", content, 48)
    directory = _follow(content, size, table, directory_at)
    root = directory[:128]
    for place in range(0, len(directory) - 127, 128):
        entry = directory[place : place + 128]
        name = entry[: max(0, struct.unpack_from("<H", entry, 64)[0] - 2)].decode("utf-16-le", "replace")
        if entry[66] == 2 and name in ("Workbook", "Book"):
            start, length = struct.unpack_from("<II", entry, 116)
            if length >= cutoff:
                return _follow(content, size, table, start)[:length]
            small = _follow(content, size, table, struct.unpack_from("<I", root, 116)[0])
            numbers = _follow(content, size, table, mini_at)
            mini = list(struct.unpack(f"<{len(numbers) // 4}I", numbers))
            return b"".join(small[one * 64 : one * 64 + 64] for one in _chain(mini, start))[:length]
    raise NotWorkbook("工作簿已加密，或不是Excel工作簿")


def _table(content: bytes, size: int) -> list[int]:
    """Return the table of chains: sector -> next sector."""
    places = [one for one in struct.unpack_from("<109I", content, 76) if one < _END]
    more, seen = struct.unpack_from("<I", content, 68)[0], set[int]()
    while more < _END and more not in seen:
        seen.add(more)
        block = struct.unpack_from(f"<{size // 4}I", content, (more + 1) * size)
        places += [one for one in block[:-1] if one < _END]
        more = block[-1]
    table: list[int] = []
    for place in places:
        table += struct.unpack_from(f"<{size // 4}I", content, (place + 1) * size)
    return table


def _follow(content: bytes, size: int, table: list[int], start: int) -> bytes:
    return b"".join(content[(one + 1) * size : (one + 2) * size] for one in _chain(table, start))


def _chain(table: list[int], start: int) -> Iterator[int]:
    seen: set[int] = set()
    while start < _END:
        if start in seen or start >= len(table):
            raise NotWorkbook("文件已损坏")
        seen.add(start)
        yield start
        start = table[start]
