"""Child processes of the node: Python modules of ours, run to their end off the reactor, their output bounded."""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

OUTPUT_MAX = 1 << 20


@attrs.frozen
class Output:
    """What a child left: its exit code (-1 = ended by a signal), and what it printed, cut at 1 MiB."""

    code: int
    out: bytes
    err: bytes


class Child(ProcessProtocol):
    """One child. done: fires when it has ended. Its standard input stays open until we die: that is how it knows."""

    def __init__(self) -> None:
        self.done: Deferred[Output] = Deferred()
        self._parts: dict[str, bytes] = {"out": b"", "err": b""}

    def kill(self) -> None:
        """End it now; `done` tells when that came about."""
        with suppress(ProcessExitedAlready):
            self.transport.signalProcess("KILL")  # type: ignore[union-attr]

    def outReceived(self, data: bytes) -> None:
        self._keep("out", data)

    def errReceived(self, data: bytes) -> None:
        self._keep("err", data)

    def _keep(self, name: str, data: bytes) -> None:
        self._parts[name] = (self._parts[name] + data)[:OUTPUT_MAX]

    def processEnded(self, reason: Failure) -> None:
        code = getattr(reason.value, "exitCode", None)
        self.done.callback(Output(-1 if code is None else code, self._parts["out"], self._parts["err"]))


def run_module(reactor: Any, module: str, arguments: Sequence[str]) -> Child:
    """Start one of our modules."""
    child = Child()
    reactor.spawnProcess(child, sys.executable, [sys.executable, "-m", module, *arguments], env=dict(os.environ))
    return child
