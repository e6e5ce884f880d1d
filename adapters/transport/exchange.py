"""One request to a platform: who hears how it ends, and how long it may wait. The pool that sends it: `client.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from adapters.transport.client import LinkPool
    from adapters.transport.link import Link


class Listener(Protocol):
    """Hears how an exchange ends: exactly one of answered, not_sent, lost; before it at most one silent.

    After `lost` of one with a late window one `answered` may still come. A call may come before `LinkPool.send` has
    returned. Reasons are English words for logs, without personal data.
    """

    retry_safe: bool
    """A query: may be sent a second time when a kept-alive connection turns out to be dead."""

    def answered(self, status: int, content_type: bytes, body: bytes, whole: bool) -> None:
        """An answer was read. whole is False when only the end of the connection ended it (X25)."""

    def not_sent(self, reason: str) -> None:
        """Certainly no byte was written."""

    def silent(self) -> None:
        """timeout_s passed; for late_s more an answer is still waited for."""

    def lost(self, reason: str) -> None:
        """The platform may have acted, and no answer is waited for any more."""


class Exchange:
    """One request on its way: waiting, then carried by a link, then ended."""

    __slots__ = (
        "_heard", "_pool", "_silent_at", "_was_silent", "carrier", "deadline", "held", "late_s", "listener", "lost",
        "patience_s", "raw", "resent", "sink", "whole_at",
    )  # fmt: skip

    def __init__(
        self, pool: LinkPool, raw: bytes, listener: Listener, silent_at: float, late_s: float, deadline: float
    ) -> None:
        self._pool = pool
        self._silent_at = silent_at
        self.late_s = late_s
        self.held = False  # it waits for another with a late window to end
        self._was_silent = False
        self.lost = False  # its listener heard so; what comes now is only evidence
        self.raw = raw
        self.listener = listener
        self.deadline = deadline
        self.carrier: Link | None = None  # the link it was written to; None = never written
        self.resent = False
        self.sink: Callable[[bytes], object] | None = None
        self.patience_s = 0.0
        self.whole_at = 0.0  # an answer that goes on arriving, some of it every patience_s, is waited for until then
        self._heard = 0

    def carried_by(self, link: Link) -> None:
        """The next thing that happens is that bytes may leave."""
        self.carrier = link
        self.deadline = self._silent_at

    def expire(self, now: float) -> None:
        """Waited too long for a connection, for an answer, or for a late answer."""
        if self.carrier is None and not self.resent:
            self._pool.give_up(self)
        elif self.late_s > 0 and not self._was_silent:
            self._was_silent = True
            self.deadline = self._silent_at + self.late_s
            self.listener.silent()
        elif now < self.whole_at and self._goes_on():
            self.deadline = min(now + self.patience_s, self.whole_at)
        else:
            self._pool.cut(self)

    def _goes_on(self) -> bool:
        """Say whether some of the answer came since this was asked last."""
        before, self._heard = self._heard, 0 if self.carrier is None else self.carrier.heard
        return self._heard > before
