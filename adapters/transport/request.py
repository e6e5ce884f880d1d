"""A request as the handler sees it, and the bytes of an answer. The life around them: `connection.py`."""

from __future__ import annotations

from typing import Protocol

import attrs

from adapters.transport.heads import Head

JSON = b"application/json; charset=utf-8"
_BOM = b"\xef\xbb\xbf"
_REASONS = {
    200: b"OK",
    400: b"Bad Request",
    401: b"Unauthorized",
    404: b"Not Found",
    405: b"Method Not Allowed",
    408: b"Request Timeout",
    413: b"Content Too Large",
    415: b"Unsupported Media Type",
    429: b"Too Many Requests",
    500: b"Internal Server Error",
    503: b"Service Unavailable",
}


@attrs.frozen
class Peer:
    """Who is at the other end: address text, and the hex SHA-256 of the client certificate's DER ("" = none)."""

    address: str
    certificate_sha256: str = ""


class Answering(Protocol):
    """The connection of a request."""

    request: HttpRequest | None
    peer: Peer

    def answer(
        self,
        request: HttpRequest,
        head: Head,
        status: int,
        body: bytes,
        content_type: bytes,
        extra: bytes,
        close: bool,
    ) -> bool:
        """See HttpRequest.respond."""


class HttpRequest:
    """One whole request. Answer it exactly once with `respond`.

    path: as sent, without the query. fields: lower-case header name -> value. content_type: lower case.
    body: without a leading BOM.
    """

    __slots__ = ("_connection", "_head", "body", "content_type", "fields", "method", "path", "peer", "query")

    def __init__(self, connection: Answering, head: Head, body: bytes) -> None:
        self._connection = connection
        self._head = head
        self.method = head.method
        self.path = head.path
        self.query = head.query
        self.fields = head.fields
        self.content_type = head.fields.get(b"content-type", b"").lower()
        self.peer = connection.peer
        self.body = body[3:] if body[:3] == _BOM else body

    @property
    def alive(self) -> bool:
        """The client had not hung up when we last heard of it."""
        return self._connection.request is self

    def respond(
        self, status: int, body: bytes, content_type: bytes = JSON, extra: bytes = b"", close: bool = False
    ) -> bool:
        """Answer. True: the bytes were handed to a live transport; False: the client is gone, nothing was sent.

        extra: ready header lines, each ending in CRLF. Raises RuntimeError when answered before.
        """
        return self._connection.answer(self, self._head, status, body, content_type, extra, close)


def answer_bytes(status: int, body: bytes, length: int, content_type: bytes, extra: bytes) -> bytes:
    """Return a whole HTTP/1.1 answer; `length` is announced even when `body` is left out (HEAD)."""
    return b"HTTP/1.1 %d %b\r\nContent-Type: %b\r\nContent-Length: %d\r\n%b\r\n%b" % (
        status,
        _REASONS.get(status, b"Unknown"),
        content_type,
        length,
        extra,
        body,
    )
