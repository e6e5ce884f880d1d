"""The reactor of a node: Twisted's own on epoll, without a log context around every event.

Twisted enters its old log's context with the name of the socket for each one, four frames and two dictionaries, twice a
request; our log takes none of it (`monitoring.logs.TwistedObserver` reads namespaces). What an event raises is caught
and logged by `_doReadOrWrite` itself. The version of Twisted is pinned; tests/adapters/test_transport_polling.py holds
what is relied on.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.main import installReactor


class PlainEPollReactor(EPollReactor):
    """EPollReactor whose events are called directly."""

    def doPoll(self, timeout: float | None) -> None:
        """Wait for events, at most `timeout` seconds, and let each socket read or write."""
        self.let_go(self._poller.poll(-1 if timeout is None else timeout, len(self._selectables)))

    doIteration = doPoll

    def let_go(self, events: list[tuple[int, int]]) -> None:
        """Hand every event to its socket, unless an earlier one closed it."""
        find, do = self._selectables.get, self._doReadOrWrite
        for number, event in events:
            selectable: Any = find(number)
            if selectable is not None:
                do(selectable, number, event)  # type: ignore[no-untyped-call]  # Twisted has no types here


def install() -> None:
    """Make it the process's reactor; before anything imports `twisted.internet.reactor`."""
    installReactor(PlainEPollReactor())  # type: ignore[no-untyped-call]
