"""Structured logs: one JSON object a line, by allow-list, written in batches.

`Log.event("request", infno=..., ...)` never raises, never blocks on more than one buffered write, and never writes a
field that `log_fields.FIELDS` does not know. Use it from the reactor thread only. structlog carries the context
(`bind`) and the chain of processors; the lines are encoded by msgspec.
"""

import os
import threading
import time
import traceback
from collections.abc import Callable, MutableMapping
from typing import Any, BinaryIO, Protocol, cast

import attrs
import msgspec
import structlog
from twisted.logger import ILogObserver, LogEvent, LogLevel
from twisted.python.failure import Failure
from zope.interface import implementer

from monitoring.log_fields import FIELDS, Value
from monitoring.outlet import outlet

FLUSH_S = 0.2
BUFFER_BYTES_MAX = 64 * 1024
BACKLOG_BYTES_MAX = 1024 * 1024  # of lines a slow reader has not taken yet
_FRAMES_MAX = 4


class Clock(Protocol):
    """What the log needs of a reactor: the time in seconds since the epoch, and a later call."""

    def seconds(self) -> float:
        """Now."""

    def callLater(self, delay: float, callable: Callable[..., object], /) -> Any:
        """Call `callable` after `delay` seconds."""


def stamp(epoch_s: float) -> str:
    """Return UTC with milliseconds, `2026-11-21T12:00:00.123Z`."""
    whole, milliseconds = divmod(round(epoch_s * 1000), 1000)
    return f"{_second(whole)}{milliseconds:03d}Z"


_last_second: tuple[int, str] = (-1, "")


def _second(whole: int) -> str:
    """The part of the stamp that changes once a second; kept, because formatting it costs more than the rest."""
    global _last_second
    known, text = _last_second
    if known != whole:
        text = time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(whole))
        _last_second = (whole, text)
    return text


@attrs.define
class Losses:
    """What did not reach the stream: fields that were not allowed, lines a broken stream lost."""

    fields: int = 0
    lines: int = 0


class Sink:
    """Collects lines and writes them together: 0.2 s after the first, or at 64 KiB, or when asked.

    A stream that fails (disk full, reader gone) or whose reader sleeps for long costs lines, which are counted in
    `losses`, and nothing else: money does not stop for a log.
    """

    def __init__(self, stream: BinaryIO, clock: Clock) -> None:
        self._take = outlet(stream)
        self._clock = clock
        self.losses = Losses()
        self._lines: list[bytes] = []
        self._bytes = 0
        self._backlog = b""
        self._waiting = False

    def line(self, raw: bytes) -> None:
        """Take one line without its line end."""
        self._lines.append(raw)
        self._bytes += len(raw) + 1
        if self._bytes >= BUFFER_BYTES_MAX:
            self.flush()
        else:
            self._wake()

    def _wake(self) -> None:
        if not self._waiting:
            self._waiting = True
            self._clock.callLater(FLUSH_S, self._due)

    def _due(self) -> None:
        self._waiting = False
        self.flush()

    def flush(self) -> None:
        """Write what is there now, as far as it is taken; to be called at the end of the process too."""
        if not self._lines and not self._backlog:
            return
        lines, self._lines, self._bytes = self._lines, [], 0
        lines.append(b"")
        data = self._backlog + b"\n".join(lines)
        try:
            self._keep(data[self._take(data) :])
        except (OSError, ValueError):  # ValueError: the stream was closed
            self._backlog = b""
            self.losses.lines += data.count(b"\n")

    def _keep(self, rest: bytes) -> None:
        """Keep what was not taken, whole lines up to the limit."""
        if len(rest) > BACKLOG_BYTES_MAX:
            end = rest.rfind(b"\n", 0, BACKLOG_BYTES_MAX) + 1
            self.losses.lines += rest.count(b"\n", end)
            rest = rest[:end]
        self._backlog = rest
        if rest:
            self._wake()


def type_of(error: BaseException) -> str:
    """Return the dotted name of an exception's class."""
    return f"{type(error).__module__}.{type(error).__qualname__}"


def place_of(error: BaseException) -> str:
    """Return where an exception came from, `file.py:12 < caller.py:34`: files and lines, no values."""
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES_MAX:]
    return " < ".join(f"{os.path.basename(frame.filename)}:{frame.lineno or 0}" for frame in reversed(frames))


def _place_of_frames(failure: Failure) -> str:
    """The same from a Failure whose traceback was cleaned away."""
    frames = failure.frames[-_FRAMES_MAX:]
    return " < ".join(f"{os.path.basename(str(frame[1]))}:{frame[2]}" for frame in reversed(frames))


class Log(structlog.BoundLoggerBase):
    """The log as the rooms see it. `bind(link="national")` gives one that adds these fields to every line."""

    @property
    def sink(self) -> Sink:
        """Where the lines go; flush it before the process ends."""
        return cast(Sink, self._logger)

    @property
    def losses(self) -> Losses:
        """What was not written so far."""
        return self.sink.losses

    def event(self, name: str, **fields: object) -> None:
        """Write one line; name is a word of ours. Fields that may not be written are left out and counted."""
        (render,) = self._processors  # structlog's own way, short: the one processor makes the line
        self._logger.line(render(None, "line", {**self._context, **fields, "event": name}))

    def failure(self, name: str, error: BaseException, **fields: object) -> None:
        """Write one line about an exception: its type and place, never its text (it may repeat a message's values)."""
        self.event(name, error=type_of(error), place=place_of(error) or None, **fields)


_encode = msgspec.json.Encoder().encode
_names: dict[str, bool] = {}
_EVENT_NAMES_MAX = 1_000


def _is_event_name(name: object) -> bool:
    """Event names are literals of our code; one that is not a plain word would be a message in disguise."""
    known = _names.get(cast(str, name))
    if known is None:
        known = isinstance(name, str) and name.isascii() and len(name) <= 40 and name.replace("_", "a").isalnum()
        if len(_names) < _EVENT_NAMES_MAX:
            _names[cast(str, name)] = known
    return known


def _renderer(clock: Clock, losses: Losses) -> Callable[[object, str, MutableMapping[str, Any]], bytes]:
    """Return the one processor: allow-list, stamp, encode. One pass, because each costs on every request."""
    checks = FIELDS
    seconds = clock.seconds

    def render(_logger: object, _method: str, fields: MutableMapping[str, Any]) -> bytes:
        name = fields.pop("event")
        line: dict[str, Value] = {"ts": stamp(seconds()), "event": name if _is_event_name(name) else "unnamed"}
        for key, value in fields.items():
            check = checks.get(key)
            written = None if check is None else check(value)
            if written is not None:
                line[key] = written
            elif value is not None:  # None says "not known here": nothing was lost
                losses.fields += 1
        return _encode(line)

    return render


def make_logger(stream: BinaryIO, clock: Clock) -> Log:
    """Return the log of a process on a binary stream of its own; call `log.sink.flush()` before the process ends."""
    sink = Sink(stream, clock)
    return Log(sink, [_renderer(clock, sink.losses)], {})


_LEVELS = (LogLevel.warn, LogLevel.error, LogLevel.critical)


@implementer(ILogObserver)
class TwistedObserver:
    """Takes Twisted's own events into our log: where from, which level, the unfilled template, a failure's type.

    Values are never filled in: Twisted writes requests, URLs and exception texts into its messages. Below `warn`
    only failures are taken. Make it in the reactor's thread: events of other threads are handed to `in_reactor` (the
    reactor's callFromThread), because a log belongs to one thread.
    """

    def __init__(self, log: Log, in_reactor: Callable[..., object] | None = None) -> None:
        self._log = log
        self._in_reactor = in_reactor
        self._thread = threading.get_ident()

    def __call__(self, event: LogEvent) -> None:
        """Observe one event."""
        failure = event.get("log_failure")
        level = event.get("log_level")
        if failure is None and level not in _LEVELS:
            return
        fields: dict[str, object] = {
            "namespace": event.get("log_namespace"),
            "level": getattr(level, "name", None),
            "template": event.get("log_format"),
        }
        if isinstance(failure, Failure) and failure.value is not None:
            fields["error"] = type_of(failure.value)
            fields["place"] = place_of(failure.value) or _place_of_frames(failure) or None
        if self._in_reactor is None or threading.get_ident() == self._thread:
            self._log.event("twisted", **fields)
        else:
            self._in_reactor(lambda: self._log.event("twisted", **fields))
