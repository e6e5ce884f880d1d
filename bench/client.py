"""The load client of the bench: a closed loop of keep-alive connections on one epoll, its own process.

Sends exactly so many requests, every one of them with numbers of its own, checks every answer, and reports one JSON
line per command line. A wrong answer makes the cell void: a proxy that refuses is fast.
"""

import json
import re
import select
import socket
import ssl
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs

from bench.bodies import Mould, read_moulds

_length = re.compile(rb"(?i)\r\ncontent-length: *(\d+)").search
_done = re.compile(rb'"infcode"\s*:\s*"?0"?\s*[,}]').search
_WANT = (BlockingIOError, ssl.SSLWantReadError)
TARGET = "/fsi/api/rsfComIfsService/callService"
STALL_S = 20.0


@attrs.define
class Result:
    """What came of one command."""

    done: int = 0
    seconds: float = 0.0
    bad: Counter[str] = attrs.Factory(Counter)


class Line:
    """One connection with at most one request on it."""

    def __init__(self, wire: socket.socket) -> None:
        self.wire = wire
        self.buffer = b""
        self.need = 0

    def send(self, request: bytes) -> None:
        """Requests are smaller than a socket's buffer; a big one waits for room."""
        self.buffer, self.need = b"", 0
        try:
            sent = self.wire.send(request)
        except _WANT:
            sent = 0
        if sent < len(request):
            self.wire.setblocking(True)
            self.wire.sendall(request[sent:])
            self.wire.setblocking(False)

    def receive(self) -> bytes | None:
        """The whole answer when it is there; raises ConnectionError when the connection ended."""
        while True:
            try:
                data = self.wire.recv(262_144)
            except _WANT:
                return None
            if not data:
                raise ConnectionResetError("closed")
            self.buffer += data
            if not self.need:
                end = self.buffer.find(b"\r\n\r\n")
                if end < 0:
                    continue
                found = _length(self.buffer, 0, end)
                self.need = end + 4 + int(found[1] if found else 0)
            if len(self.buffer) >= self.need:
                return self.buffer


class Loop:
    """Runs one command: `how_many` requests over `connections` lines."""

    def __init__(self, port: int, connections: int, context: ssl.SSLContext | None) -> None:
        self._port = port
        self._connections = connections
        self._context = context
        self._lines: dict[int, Line] = {}
        self._epoll = select.epoll()

    def _open(self) -> Line:
        line = Line(self._connect())
        self._lines[line.wire.fileno()] = line
        self._epoll.register(line.wire.fileno(), select.EPOLLIN)
        return line

    def run(self, requests: Iterator[bytes]) -> Result:
        lines = self._lines
        epoll = self._epoll
        result = Result()
        for _ in range(self._connections):
            self._open()
        began = time.perf_counter()
        busy = 0
        for line in list(lines.values()):
            request = next(requests, None)
            if request is not None:
                line.send(request)
                busy += 1
        while busy:
            ready = epoll.poll(STALL_S)
            if not ready:
                result.bad["没有回答"] += busy
                break
            for number, _ in ready:
                busy += self._step(lines[number], requests, result)
        result.seconds = time.perf_counter() - began
        for line in lines.values():
            line.wire.close()
        lines.clear()
        epoll.close()
        return result

    def _step(self, line: Line, requests: Iterator[bytes], result: Result) -> int:
        """Take an answer and send the next request; return the change in requests under way."""
        try:
            answer = line.receive()
        except OSError:
            answer = b"connection lost"
            number = line.wire.fileno()
            self._epoll.unregister(number)
            del self._lines[number]
            line.wire.close()
            line = self._open()
        if answer is None:
            return 0
        if answer.startswith(b"HTTP/1.1 200") and _done(answer):
            result.done += 1
        else:
            result.bad[_why(answer)] += 1
        request = next(requests, None)
        if request is None:
            return -1
        line.send(request)
        return 0

    def _connect(self) -> socket.socket:
        wire = socket.create_connection(("127.0.0.1", self._port), timeout=10)
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._context is not None:
            wire = self._context.wrap_socket(wire, server_hostname="localhost")
        wire.setblocking(False)
        return wire


def _why(answer: bytes) -> str:
    """The status line and the gateway's or platform's words, without what the message held."""
    head, _, body = answer.partition(b"\r\n\r\n")
    said = re.search(rb'"err_msg"\s*:\s*"([^"]*)"', body)
    where = re.findall(rb'"path":"([^"]+)","rule":"([^"]+)"', body)[:3]
    text = head.split(b"\r\n", 1)[0] + b" " + (said[1] if said else b"") + b" " + b";".join(b":".join(w) for w in where)
    return text.decode("utf-8", "replace")


def requests_of(moulds: Sequence[Mould], variant: int, how_many: int) -> Iterator[bytes]:
    """So many whole requests with the numbers of a variant, and of the next ones when the moulds are used up."""
    for number in range(how_many):
        lap, at = divmod(number, len(moulds))
        body = moulds[at].cast(variant + lap)
        yield (
            b"POST %b HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json; charset=utf-8\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (TARGET.encode(), len(body), body)
        )


def _context(paths: Sequence[str]) -> ssl.SSLContext | None:
    if not paths:
        return None
    context = ssl.create_default_context(cafile=paths[0])
    context.check_hostname = False
    context.load_cert_chain(paths[1], paths[2])
    return context


def command(moulds: dict[str, list[Mould]], order: dict[str, Any]) -> dict[str, Any]:
    """One command: kind, variant, count, port, connections, tls (ca, cert, key or nothing)."""
    requests = list(requests_of(moulds[order["kind"]], order["variant"], order["count"]))
    result = Loop(order["port"], order["connections"], _context(order.get("tls", ()))).run(iter(requests))
    return {"done": result.done, "seconds": result.seconds, "bad": dict(result.bad)}


def main(directory: str) -> None:
    """Commands come as JSON lines on stdin; results leave on stdout."""
    moulds = {path.stem: read_moulds(path) for path in sorted(Path(directory).glob("*.moulds"))}
    print(json.dumps({"ready": sorted(moulds)}), flush=True)
    for line in sys.stdin:
        print(json.dumps(command(moulds, json.loads(line)), ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
