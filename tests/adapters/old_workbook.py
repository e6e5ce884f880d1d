"""A minimal .xls, made by hand from [MS-CFB] and [MS-XLS]: no library we have writes one."""

import struct

Value = str | float | None
FORMULA = object()


def _record(kind: int, body: bytes) -> bytes:
    return struct.pack("<HH", kind, len(body)) + body


def _text(text: str) -> bytes:
    return struct.pack("<HB", len(text), 1) + text.encode("utf-16-le")


def _cells(rows: list[list[object]]) -> bytes:
    found = b""
    for row, cells in enumerate(rows):
        for column, value in enumerate(cells):
            place = struct.pack("<HHH", row, column, 0)
            if value is FORMULA:
                body = place + struct.pack("<dHIH", 2.0, 0, 0, 3) + b"\x1e\x02\x00"
                found += _record(0x0006, body)
            elif isinstance(value, str):
                found += _record(0x0204, place + _text(value))
            elif isinstance(value, int | float):
                found += _record(0x0203, place + struct.pack("<d", value))
    return found


def stream(rows: list[list[object]], extra: bytes = b"") -> bytes:
    """Return the stream `Workbook` of one sheet. extra: records in front of the sheet's name."""
    begin = _record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0005, 0, 0, 0, 0)) + extra
    title = "对码"
    name = struct.pack("<BB", len(title), 1) + title.encode("utf-16-le")
    at = len(begin) + 4 + 6 + len(name) + 4
    begin += _record(0x0085, struct.pack("<IBB", at, 0, 0) + name) + _record(0x000A, b"")
    width = max(len(row) for row in rows)
    size = _record(0x0200, struct.pack("<IIHHH", 0, len(rows), 0, width, 0))
    sheet = _record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0010, 0, 0, 0, 0)) + size + _cells(rows)
    return begin + sheet + _record(0x000A, b"")


def workbook(content: bytes, title: str = "Workbook") -> bytes:
    """Wrap a stream as a compound file of 512-byte sectors: table of chains, directory, then the stream."""
    content = content.ljust(4096, b"\0")
    sectors = -(-len(content) // 512)
    content = content.ljust(sectors * 512, b"\0")
    end, free, table_mark = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD
    chain = [table_mark, end, *range(3, 2 + sectors), end]
    assert len(chain) <= 128
    chain += [free] * (128 - len(chain))
    header = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(16)
    header += struct.pack("<HHHHH6xIII4xIIIII", 0x3E, 3, 0xFFFE, 9, 6, 0, 1, 1, 4096, end, 0, end, 0)
    header += struct.pack("<109I", 0, *[free] * 108)
    entries = [_entry("Root Entry", 5, 1, end, 0), _entry(title, 2, free, 2, len(content))]
    directory = b"".join(entries) + bytes(256)
    return header + struct.pack("<128I", *chain) + directory + content


def _entry(name: str, kind: int, child: int, start: int, length: int) -> bytes:
    free = 0xFFFFFFFF
    text = name.encode("utf-16-le") + b"\0\0"
    entry = text.ljust(64, b"\0") + struct.pack("<HBBIII", len(text), kind, 1, free, free, child)
    return entry + bytes(36) + struct.pack("<IQ", start, length)
