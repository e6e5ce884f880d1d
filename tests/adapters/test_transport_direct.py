"""Direct sending: whole and in order, whatever the socket takes; holds the one private name of Twisted it leans on."""

import socket
from typing import Any

from twisted.internet.tcp import Connection, Server

from adapters.transport.direct import send_now


class HalfSocket:
    """A socket that takes so many bytes a call, then is full."""

    def __init__(self, *takes: int) -> None:
        self.takes = list(takes)
        self.sent = b""

    def send(self, data: bytes) -> int:
        if not self.takes:
            raise BlockingIOError
        taken = min(self.takes.pop(0), len(data))
        self.sent += data[:taken]
        return taken


def transport_on(wire: Any) -> Any:
    """A Server transport on a fake socket, without a reactor."""
    transport = Server.__new__(Server)
    transport.socket = wire
    transport.dataBuffer, transport._tempDataBuffer, transport._tempDataLen = b"", [], 0
    transport.disconnecting = transport.disconnected = False
    transport.connected = True
    written: list[bytes] = []
    transport.write = written.append
    transport.written = written
    return transport


def test_what_fits_is_sent_at_once() -> None:
    transport = transport_on(HalfSocket(100))
    send_now(transport, b"abc")
    assert transport.socket.sent == b"abc"
    assert transport.written == []


def test_the_rest_goes_twisteds_way_and_what_follows_goes_behind_it() -> None:
    transport = transport_on(HalfSocket(2, 100))
    send_now(transport, b"abc")
    assert (transport.socket.sent, transport.written) == (b"ab", [b"c"])
    transport._tempDataBuffer.append(b"c")
    send_now(transport, b"def")
    assert (transport.socket.sent, transport.written) == (b"ab", [b"c", b"def"])


def test_a_full_or_broken_socket_is_left_to_twisted() -> None:
    transport = transport_on(HalfSocket())
    send_now(transport, b"abc")
    assert transport.written == [b"abc"]


def test_a_closing_transport_is_left_to_twisted() -> None:
    transport = transport_on(HalfSocket(100))
    transport.disconnecting = True
    send_now(transport, b"abc")
    assert (transport.socket.sent, transport.written) == (b"", [b"abc"])


def test_other_transports_are_never_bypassed() -> None:
    class Wrapped:
        def __init__(self) -> None:
            self.socket = HalfSocket(100)
            self.written: list[bytes] = []

        def write(self, data: bytes) -> None:
            self.written.append(data)

    wrapped = Wrapped()
    send_now(wrapped, b"abc")
    assert wrapped.written == [b"abc"] and wrapped.socket.sent == b""


def test_twisted_still_has_the_names_we_lean_on() -> None:
    left, right = socket.socketpair()
    try:
        made = Connection(left, None)
        assert made.dataBuffer == b"" and made._tempDataBuffer == []
        assert not made.disconnecting
    finally:
        left.close()
        right.close()
