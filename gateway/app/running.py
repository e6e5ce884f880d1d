"""Starts a node on a reactor, waits for its end, turns what went wrong into an exit code (contract §2; annex X27)."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from gateway.app.explain import explain
from gateway.app.node import Node


def run(reactor: Any, node: Node) -> int:
    """Run until stopped by a signal; return 0, or the code of what went wrong."""
    code = 0

    def failed(cause: BaseException) -> None:
        nonlocal code
        code, text = explain(cause)
        node.say(text)
        if reactor.running:
            reactor.stop()

    def not_opened(failure: Failure) -> None:
        failed(_first(failure.value))

    def started() -> None:
        try:
            opening: Deferred[Any] = node.start()
        except Exception as cause:  # boundary: whatever stops a start is told in one sentence
            failed(cause)
            return
        opening.addErrback(not_opened)
        reactor.addSystemEventTrigger("before", "shutdown", lambda: Deferred.fromCoroutine(node.stop()))
        _on_hangup(reactor, node.reload_tls)

    reactor.callWhenRunning(started)
    reactor.run()
    return code


def _first(cause: BaseException | None) -> BaseException:
    """gatherResults wraps what failed first."""
    inner = getattr(getattr(cause, "subFailure", None), "value", None)
    return inner if isinstance(inner, BaseException) else (cause or RuntimeError())


def _on_hangup(reactor: Any, call: Callable[[], object]) -> None:
    import signal

    signal.signal(signal.SIGHUP, lambda number, frame: reactor.callFromThread(call))
