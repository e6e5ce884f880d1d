"""The chunked body of a request, decoded strictly (contract-annex X25).

Pure. llhttp also reads chunks, but does not say where in its input a message ended, and the next request on the
connection begins exactly there. So this small decoder does, and it is stricter: CRLF only, plain hexadecimal sizes,
bounded lines. Extensions and trailers are dropped.
"""

from typing import Literal

_SIZE_LINE_MAX = 256
_TRAILER_BYTES_MAX = 8192
_HEX = frozenset(b"0123456789abcdefABCDEF")


class ChunksRefused(Exception):
    """The client's chunked body is broken (`GW-HTTP`) or too large (`GW-SIZE`): answer and close."""

    def __init__(self, code: Literal["GW-HTTP", "GW-SIZE"]) -> None:
        super().__init__(code)
        self.code = code


class Chunks:
    """A decoder for one body. Feed bytes until `done`; then `rest` holds what follows the body."""

    __slots__ = ("_body", "_bytes_max", "_missing", "_state", "_trailer_bytes", "done", "received", "rest")

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._body = bytearray()
        self._state = "size"
        self._missing = 0
        self._trailer_bytes = 0
        self.received = 0
        self.done = False
        self.rest = b""

    def body(self) -> bytes:
        """Return the whole body; call when `done`."""
        return bytes(self._body)

    def feed(self, data: bytes) -> None:
        """Decode `data`. Raises ChunksRefused; the decoder is of no use afterwards."""
        buffer = self.rest + data if self.rest else data
        at = 0
        while not self.done:
            step = self._data(buffer, at) if self._state == "data" else self._line(buffer, at)
            if step == at:
                break
            at = step
        self.rest = buffer[at:]

    def _data(self, buffer: bytes, at: int) -> int:
        """Take chunk bytes and the CRLF behind them; return where reading goes on (`at` = more is needed)."""
        if self._missing:
            part = buffer[at : at + self._missing]
            self._body += part
            self._missing -= len(part)
            self.received += len(part)
            return at + len(part)
        ending = buffer[at : at + 2]
        if ending == b"\r\n":
            self._state = "size"
            return at + 2
        if not b"\r\n".startswith(ending):
            raise ChunksRefused("GW-HTTP")
        return at

    def _line(self, buffer: bytes, at: int) -> int:
        """Take a size line or a trailer line."""
        end = buffer.find(b"\r\n", at)
        if end < 0:
            pending = buffer[at:]
            # A lone CR may be the first half of CRLF, so it is legal only as the last byte.
            if len(pending) > _SIZE_LINE_MAX or b"\n" in pending or b"\r" in pending[:-1]:
                raise ChunksRefused("GW-HTTP")
            return at
        line = buffer[at:end]
        if len(line) > _SIZE_LINE_MAX or b"\n" in line or b"\r" in line:
            raise ChunksRefused("GW-HTTP")
        if self._state == "size":
            self._size(line)
        else:
            self._trailer(line)
        return end + 2

    def _size(self, line: bytes) -> None:
        digits = line.partition(b";")[0].rstrip(b" \t")
        if not 0 < len(digits) <= 8 or not _HEX.issuperset(digits):
            raise ChunksRefused("GW-HTTP")
        size = int(digits, 16)
        if self.received + size > self._bytes_max:
            raise ChunksRefused("GW-SIZE")
        self._missing = size
        self._state = "data" if size else "trailer"

    def _trailer(self, line: bytes) -> None:
        self._trailer_bytes += len(line) + 2
        if self._trailer_bytes > _TRAILER_BYTES_MAX:
            raise ChunksRefused("GW-HTTP")
        self.done = not line
