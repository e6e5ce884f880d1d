"""Ports: what the rooms need of the outside. Narrow protocols; implementations live in adapters and monitoring."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

import attrs

from gateway.core.model import Op, OpResult, Source

T = TypeVar("T")


class Clock(Protocol):
    """Seconds since the epoch, and calls later (Twisted's IReactorTime satisfies it)."""

    def seconds(self) -> float: ...

    def callLater(self, delay: float, call: Callable[..., object], /, *args: object) -> Any: ...


class Dice(Protocol):
    """Chance (`random.Random` satisfies it)."""

    def random(self) -> float: ...

    def randrange(self, stop: int, /) -> int: ...


class Incoming(Protocol):
    """One whole request of an institution, as the transport hands it over."""

    body: bytes

    @property
    def alive(self) -> bool:
        """Whether the connection is still up."""

    def respond(self, status: int, body: bytes, content_type: bytes = ..., extra: bytes = ...) -> bool:
        """Answer once; True when the bytes were handed to a live connection."""


class Listener(Protocol):
    """Who waits for a platform's answer: exactly one final call of answered, not_sent or lost; silent() before it."""

    retry_safe: bool

    def answered(self, status: int, content_type: bytes, body: bytes, whole: bool) -> None: ...

    def not_sent(self, reason: str) -> None: ...

    def silent(self) -> None: ...

    def lost(self, reason: str) -> None: ...


class Exchange(Protocol):
    """A platform link: sends one request and tells its listener what came of it."""

    def send(
        self, path: bytes, headers: bytes, body: bytes, listener: Listener, timeout_s: float, late_s: float = 0.0
    ) -> None: ...


class Store(Protocol):
    """A journal store: one batch is one durable transaction; results in the order of the operations."""

    def commit(self, ops: list[Op]) -> list[OpResult]:
        """Raise StoreFull (rolled back, try later) or StoreBroken (end the process)."""


class Runner(Protocol):
    """Runs one blocking call off the reactor and brings its result back on the reactor's thread."""

    def run(
        self,
        call: Callable[[], list[OpResult]],
        done: Callable[[list[OpResult]], None],
        failed: Callable[[Exception], None],
    ) -> None: ...


class Helper(Protocol):
    """Runs pure work that takes long off the reactor, one call at a time; its end is told on the reactor's thread."""

    def run(self, call: Callable[[], T], done: Callable[[T], None], failed: Callable[[Exception], None]) -> None: ...


@attrs.frozen
class Reply:
    """A platform's answer as its codec reads it.

    infcode: the code as text, '' when there is none readable. access: the body is an access layer's refusal.
    tree: the decoded envelope, when it was decoded whole; outer: what it was wrapped in, else the same.
    """

    infcode: str
    err_msg: str
    access: bool
    tree: dict[str, Any] | None
    outer: dict[str, Any] | None = None


@attrs.frozen
class Found:
    """What the gateway's own libraries answer: the `output` of an envelope, or a file with its type."""

    output: Mapping[str, Any] = attrs.Factory(dict)
    content: bytes = b""
    content_type: bytes = b""


class Catalogue(Protocol):
    """The libraries, asked for an institution while it waits."""

    def serves(self, infno: str, message: Mapping[str, Any]) -> bool:
        """Say at once whether such a query may be answered here at all."""

    def look_up(
        self, infno: str, institution: str, message: Mapping[str, Any], day: str, told: Callable[[Found | None], None]
    ) -> None:
        """Look it up without blocking; told is called once on the reactor's thread, None = ask the platform."""


class PlatformCodec(Protocol):
    """A platform's dialect: pure bytes <-> words, and the signature headers."""

    def request(self, infno: str, now_s: float) -> tuple[bytes, bytes]:
        """Return (path, header lines) for a request."""

    def read(self, status: int, body: bytes, whole: bool, deep: bool) -> Reply:
        """Read an answer; deep = the caller needs the tree. Never raises: what cannot be read has no infcode."""


class Watch(Protocol):
    """What the exchange tells about itself; metrics and logs listen. Nothing here may carry personal data."""

    def request(
        self, infno: str, klass: str, institution: str, result: str, seconds: float, msgid: str, gw_code: str
    ) -> None: ...

    def platform(self, link: str, seconds: float) -> None: ...

    def commit(self, seconds: float, batch: int) -> None: ...

    def translation_miss(self, system: str) -> None: ...

    def unknown_value(self, dictionary: str) -> None: ...

    def alarm(self, name: str, institution: str, msgid: str) -> None: ...

    def reversal(self, result: str) -> None:
        """A doubt came to its end: reversed, absent, confirmed or manual."""


__all__ = [
    "Catalogue",
    "Clock",
    "Dice",
    "Exchange",
    "Found",
    "Helper",
    "Incoming",
    "Listener",
    "PlatformCodec",
    "Reply",
    "Runner",
    "Source",
    "Store",
    "Watch",
]
