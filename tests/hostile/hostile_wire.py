"""A client made of a bare socket: sends exactly the bytes it is given, reads answers strictly, hides nothing."""

import json
import socket
import ssl
from typing import Any

import attrs

WAIT_S = 20.0


@attrs.frozen
class Heard:
    """One whole answer. fields: lower-case header name -> value."""

    status: int
    fields: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        found = json.loads(self.body)
        assert isinstance(found, dict)
        return found

    @property
    def gw_code(self) -> str:
        """gw_code, '' when the answer is not the gateway's own."""
        return str(self.json.get("gw_code", ""))


class Broken(Exception):
    """The connection ended before a whole answer."""


class Wire:
    """One connection to the institutions' listener. source: the loopback address it comes from."""

    def __init__(self, port: int, source: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        plain = socket.create_connection(("127.0.0.1", port), timeout=WAIT_S, source_address=(source, 0))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket: socket.socket = plain
        if tls is not None:
            try:
                self.socket = tls.wrap_socket(plain, server_hostname="127.0.0.1")
            except BaseException:
                plain.close()
                raise
        self._rest = b""

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, raw: bytes) -> None:
        """Send everything; a peer that hung up meanwhile has said what it wanted to."""
        try:
            self.socket.sendall(raw)
        except (BrokenPipeError, ConnectionResetError):
            return

    def _more(self) -> bytes:
        return self.socket.recv(65536)

    def _line(self) -> bytes:
        while b"\r\n" not in self._rest:
            found = self._more()
            if not found:
                raise Broken(self._rest[:80])
            self._rest += found
        line, _, self._rest = self._rest.partition(b"\r\n")
        return line

    def hear(self) -> Heard:
        """Read one answer; raises Broken at the end of the connection, TimeoutError after WAIT_S."""
        version, status, _ = self._line().split(b" ", 2)
        assert version == b"HTTP/1.1"
        fields: dict[str, str] = {}
        while line := self._line():
            name, _, value = line.partition(b":")
            assert name.lower().decode() not in fields, "a repeated field in an answer of ours"
            fields[name.lower().decode()] = value.strip().decode()
        length = 0 if status == b"100" else int(fields["content-length"])
        while len(self._rest) < length:
            found = self._more()
            if not found:
                raise Broken(self._rest[:80])
            self._rest += found
        body, self._rest = self._rest[:length], self._rest[length:]
        return Heard(int(status), fields, body)

    def ended(self, within_s: float = 5.0) -> bool:
        """Say whether the other side closes without another byte."""
        self.socket.settimeout(within_s)
        try:
            return not self._rest and not self._more()
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False
        finally:
            self.socket.settimeout(WAIT_S)


def post(body: bytes, path: str = "/fsi/api/call", *fields: str, version: str = "1.1") -> bytes:
    """Bytes of a POST; fields: further header lines, a Content-Type among them replaces ours."""
    lines = [f"POST {path} HTTP/{version}", "Host: gateway", *fields]
    if not any(line.lower().startswith("content-type:") for line in fields):
        lines.append("Content-Type: application/json")
    lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
