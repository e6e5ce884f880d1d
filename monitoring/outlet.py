"""Writing without waiting: a pipe whose reader sleeps takes nothing, and whoever writes to it would sleep with it."""

import os
import stat
from collections.abc import Callable
from select import PIPE_BUF, POLLOUT, poll
from typing import BinaryIO

Take = Callable[[bytes], int]
"""Writes as much of its bytes as can be written at once, from their beginning; returns how many. Raises OSError."""


def outlet(stream: BinaryIO) -> Take:
    """Return how to write to a stream without waiting for its reader. What has no file descriptor takes all at once."""
    try:
        number = stream.fileno()
        regular = stat.S_ISREG(os.fstat(number).st_mode)
    except (OSError, ValueError):  # it is in memory, or closed
        return lambda data: _whole(stream, data)
    if regular:
        return lambda data: os.write(number, data)
    ready = poll()
    ready.register(number, POLLOUT)

    def take(data: bytes) -> int:
        view, at = memoryview(data), 0
        # What can be written to at all takes PIPE_BUF bytes without waiting.
        while at < len(view) and ready.poll(0):
            try:
                at += os.write(number, view[at : at + PIPE_BUF])
            except BlockingIOError:
                break
        return at

    return take


def _whole(stream: BinaryIO, data: bytes) -> int:
    stream.write(data)
    stream.flush()
    return len(data)
