"""The far end of every proxy in the bench: one epoll loop, httptools, ready answers.

`python -m bench.farend PORT [CERT KEY]`
"""

import select
import socket
import ssl
import sys

import httptools

from bench.answers import answer

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\n\r\n"
_WANT = (BlockingIOError, ssl.SSLWantReadError)


class Conversation:
    """One connection; requests are answered as they complete."""

    def __init__(self, wire: socket.socket) -> None:
        self.wire = wire
        self._parser = httptools.HttpRequestParser(self)
        self._body: list[bytes] = []
        self._out: list[bytes] = []

    def on_body(self, chunk: bytes) -> None:
        self._body.append(chunk)

    def on_message_complete(self) -> None:
        found = answer(b"".join(self._body))
        self._body = []
        self._out.append(_HEAD % len(found) + found)

    def readable(self) -> bool:
        """Take what came; False when the connection is over."""
        while True:
            try:
                data = self.wire.recv(262_144)
            except _WANT:
                return True
            except OSError:
                return False
            if not data:
                return False
            self._parser.feed_data(data)
            if self._out:
                # Answers are far smaller than a socket's buffer, so a non-blocking send takes them whole.
                self.wire.sendall(b"".join(self._out))
                self._out = []
            if not isinstance(self.wire, ssl.SSLSocket):
                return True


def serve(listener: socket.socket, context: ssl.SSLContext | None) -> None:
    """Answer for ever."""
    loop = select.epoll()
    loop.register(listener.fileno(), select.EPOLLIN)
    talks: dict[int, Conversation] = {}
    while True:
        for number, _ in loop.poll():
            talk = talks.get(number)
            if talk is None:
                wire = _accept(listener, context)
                if wire is None:
                    continue
                talks[wire.fileno()] = Conversation(wire)
                loop.register(wire.fileno(), select.EPOLLIN)
            elif not talk.readable():
                loop.unregister(number)
                del talks[number]
                talk.wire.close()


def _accept(listener: socket.socket, context: ssl.SSLContext | None) -> socket.socket | None:
    """A new connection, shaken hands (blocking: a handshake is rare here); None when it came to nothing."""
    wire, _ = listener.accept()
    wire.settimeout(5)
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        if context is not None:
            wire = context.wrap_socket(wire, server_side=True)
    except OSError:  # a probe of the port, or a client that trusts somebody else
        wire.close()
        return None
    wire.setblocking(False)
    return wire


def main(arguments: list[str]) -> None:
    listener = socket.create_server(("127.0.0.1", int(arguments[0])), backlog=512)
    context = None
    if len(arguments) == 3:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(arguments[1], arguments[2])
    serve(listener, context)


if __name__ == "__main__":
    main(sys.argv[1:])
