"""The head of an HTTP/1 request: from raw bytes to a `Head`, or a refusal (contract-annex X22, X25).

Pure. llhttp (httptools) reads names, values and methods and refuses most bad framing by itself. What it lets pass is
checked here: other protocols and versions, codings other than `chunked`, missing or repeated Host, a POST without a
length. It is fed exactly one head and never a body, so one connection's requests cannot blur into each other, and the
upgrade it reports for `Upgrade: h2c` (Java 11) means nothing to us: the body is counted by the connection.
"""

from typing import Literal

import attrs
from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from adapters.transport.known import KnownHeads, sketch_of

Refusal = Literal["GW-HTTP", "GW-ENCODING", "GW-SIZE"]

END_OF_HEAD = b"\r\n\r\n"
_VERSIONS = (b" HTTP/1.1", b" HTTP/1.0")
# Two of one of these is how a request is smuggled past a proxy that believes the other one.
_ONCE = frozenset((b"host", b"content-length", b"transfer-encoding", b"content-type", b"content-encoding", b"expect"))
FILES_PREFIX = b" /api/v1/books/"  # day files (contract §7), not messages
_MEDIA_TYPES = frozenset((b"application/json", b"text/plain", b""))


class HeadRefused(Exception):
    """The client's head is not acceptable: answer with `code` and close. Nothing was executed."""

    def __init__(self, code: Refusal, why: str) -> None:
        super().__init__(code, why)
        self.code = code


@attrs.define
class Head:
    """What the connection and the handler need of a request head.

    path: without query, as sent (not percent-decoded). fields: lower-case name -> value; repeated fields joined by
    ", ". length: body bytes announced, 0 when there is no body, -1 when chunked. keep_alive: the client will reuse the
    connection.
    """

    method: bytes
    path: bytes
    query: bytes
    fields: dict[bytes, bytes]
    length: int
    keep_alive: bool
    old: bool  # HTTP/1.0: keep-alive has to be said, 100 Continue must not be sent
    expects_continue: bool


class _Reading:
    """Receives llhttp's callbacks for one head."""

    __slots__ = ("fields", "target")

    def __init__(self) -> None:
        self.fields: dict[bytes, bytes] = {}
        self.target = b""

    def on_url(self, url: bytes) -> None:
        self.target = url

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        fields = self.fields
        if name in fields:
            if name in _ONCE:
                raise HeadRefused("GW-HTTP", "repeated field")
            value = fields[name] + b", " + value
        fields[name] = value


def hopeless(start: bytes) -> bool:
    """Say whether bytes that are not yet a whole head can never become one.

    Bare LF, a folded line, HTTP/0.9 and foreign protocols are refused when they show, not at the deadline.
    """
    if start.count(b"\n") != start.count(b"\r\n"):
        return True
    line, ended, _ = start.partition(b"\r\n")
    return bool(ended) and not line.endswith(_VERSIONS)


class HeadReader:
    """Reads the heads of one listener; those of the same bytes but for the length are read once."""

    def __init__(self, headers_max: int, target_bytes_max: int) -> None:
        self._headers_max = headers_max
        self._target_bytes_max = target_bytes_max
        self._known: KnownHeads[Head] = KnownHeads()

    def read(self, raw: bytes) -> Head:
        """As `parse_head`."""
        sketch = sketch_of(raw, len(raw) - len(END_OF_HEAD))
        known = None if sketch is None else self._known.get(sketch[0])
        if known is not None and sketch is not None:
            fields = known.fields.copy()
            fields[b"content-length"] = sketch[1]
            return Head(
                known.method, known.path, known.query, fields, int(sketch[1]), known.keep_alive, known.old, False
            )
        head = parse_head(raw, self._headers_max, self._target_bytes_max)
        # Of a POST alone the length changes nothing else.
        if sketch is not None and head.method == b"POST" and b"expect" not in head.fields:
            self._known.learn(sketch[0], head)
        return head


def parse_head(raw: bytes, headers_max: int, target_bytes_max: int) -> Head:
    """Read one whole head, ending in an empty line.

    Raises HeadRefused: `GW-HTTP` for framing (X25), `GW-ENCODING` for what X22 does not take, `GW-SIZE` for a length
    beyond counting.
    """
    first = raw.index(b"\r\n")
    if raw[first - 9 : first] not in _VERSIONS or raw.count(b" ", 0, first) != 2:
        raise HeadRefused("GW-HTTP", "request line")
    lines = raw.count(b"\r\n")
    # llhttp forgives a bare CR before the method.
    if lines != raw.count(b"\n") or lines != raw.count(b"\r") or lines - 2 > headers_max:
        raise HeadRefused("GW-HTTP", "bare LF or CR, or too many headers")
    reading = _Reading()
    parser = HttpRequestParser(reading)
    try:
        parser.feed_data(raw)
    except HttpParserUpgrade:
        pass  # h2c is declined by answering in HTTP/1.1; the fields and the length have all been read
    except HttpParserError as cause:
        too_long = str(cause) == "Content-Length overflow"  # digits only, of a number beyond 64 bits
        raise HeadRefused("GW-SIZE" if too_long else "GW-HTTP", "unreadable head") from cause
    fields = reading.fields
    old = raw[first - 1] == 0x30
    if b"host" not in fields and not old:
        raise HeadRefused("GW-HTTP", "no Host")
    method = parser.get_method()
    length = _length(method, fields, old)
    path, query = _split_target(reading.target, target_bytes_max)
    if method == b"POST" or length:
        _check_content(fields, raw[:first])
    expects = not old and length != 0 and fields.get(b"expect", b"").lower() == b"100-continue"
    return Head(method, path, query, fields, length, _keep_alive(fields.get(b"connection"), old), old, expects)


def _keep_alive(connection: bytes | None, old: bool) -> bool:
    """Say whether the client will reuse the connection. llhttp forgets it once a request without body is complete."""
    if connection is None:
        return not old
    wishes = [wish.strip() for wish in connection.lower().split(b",")]
    return b"close" not in wishes and (not old or b"keep-alive" in wishes)


def _length(method: bytes, fields: dict[bytes, bytes], old: bool) -> int:
    """Return the announced body length, -1 for chunked."""
    coding = fields.get(b"transfer-encoding")
    announced = fields.get(b"content-length")
    if coding is not None:
        if announced is not None or old or coding.strip().lower() != b"chunked":
            raise HeadRefused("GW-HTTP", "transfer coding")
        return -1
    if announced is not None:
        # llhttp let digits and trailing blanks pass, nothing else; Python reads no number of thousands of zeros.
        return int(announced.strip().lstrip(b"0") or b"0")
    if method == b"POST":
        raise HeadRefused("GW-HTTP", "POST without length")
    return 0


def _split_target(target: bytes, bytes_max: int) -> tuple[bytes, bytes]:
    """Return (path, query) of an origin-form or absolute-form target."""
    if len(target) > bytes_max or b"#" in target:
        raise HeadRefused("GW-HTTP", "target")
    if target[:1] != b"/":
        scheme, _, rest = target.partition(b"://")
        if scheme.lower() not in (b"http", b"https"):
            raise HeadRefused("GW-HTTP", "target")
        target = b"/" + rest.partition(b"/")[2]
    path, _, query = target.partition(b"?")
    return path, query


def _check_content(fields: dict[bytes, bytes], request_line: bytes) -> None:
    """Apply X22; where files are handed in they may be CSV. Raises HeadRefused with GW-ENCODING."""
    if fields.get(b"content-encoding", b"").strip().lower() not in (b"", b"identity"):
        raise HeadRefused("GW-ENCODING", "content coding")
    content_type = fields.get(b"content-type", b"").lower()
    if content_type in (b"application/json", b"application/json; charset=utf-8", b"application/json;charset=utf-8"):
        return
    media, _, parameters = content_type.partition(b";")
    if media.strip() not in _MEDIA_TYPES and not (media.strip() == b"text/csv" and FILES_PREFIX in request_line):
        raise HeadRefused("GW-ENCODING", "content type")
    for parameter in parameters.split(b";"):
        name, _, value = parameter.partition(b"=")
        # "utf8" is the same charset, misspelt by many Windows clients.
        if name.strip() == b"charset" and value.strip().strip(b'"') not in (b"utf-8", b"utf8"):
            raise HeadRefused("GW-ENCODING", "charset")
