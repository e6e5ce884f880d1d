"""Write to the socket at once when nothing waits before it.

Twisted's `transport.write` only buffers and asks epoll for writability: two epoll_ctl calls and a second turn of the
reactor for every message, a quarter of what a proxied request costs (docs/performance.md). A whole message nearly
always fits into the socket's buffer; what does not, and every error, goes Twisted's own way.

Touches one private name of Twisted (`_tempDataBuffer`); the version is pinned, and
tests/adapters/test_transport_direct.py holds it.
"""

from typing import Any

from twisted.internet.tcp import Client, Server

_PLAIN = (Server, Client)  # exactly these: TLS wraps the socket, and bytes must not pass it by


def send_now(transport: Any, data: bytes) -> None:
    """Write data: now if the transport is plain TCP with nothing buffered, else as Twisted does."""
    if type(transport) not in _PLAIN or transport.dataBuffer or transport._tempDataBuffer or transport.disconnecting:
        transport.write(data)
        return
    try:
        sent = transport.socket.send(data)
    except OSError:
        sent = 0  # full, or broken: Twisted waits or notices
    if sent < len(data):
        transport.write(data[sent:])
