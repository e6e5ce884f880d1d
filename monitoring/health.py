"""/healthz and /readyz: named checks in, verdict and JSON body with reasons out (contract §6, annex X28). Pure.

Alive = the process does its work; ready = it may take money now. What is not alive is not ready either.
"""

from collections.abc import Callable, Mapping

import attrs
import msgspec

Check = Callable[[], str]
"""Returns "" when all is well, else one Chinese sentence for the operator (no person, no secret in it)."""

CONTENT_TYPE = "application/json; charset=utf-8"


@attrs.frozen(kw_only=True)
class Verdict:
    """One answer. status: 200 or 503; reasons: (check name, Chinese sentence) for every check that failed."""

    ok: bool
    reasons: tuple[tuple[str, str], ...]
    checks: tuple[str, ...]

    @property
    def status(self) -> int:
        """The HTTP status."""
        return 200 if self.ok else 503

    @property
    def body(self) -> bytes:
        """`{"ok", "checks": {name: true|false}, "reasons": [{"check", "message"}]}` as UTF-8 JSON."""
        failed = {name for name, _ in self.reasons}
        return msgspec.json.encode(
            {
                "ok": self.ok,
                "checks": {name: name not in failed for name in self.checks},
                "reasons": [{"check": name, "message": message} for name, message in self.reasons],
            }
        )


class Health:
    """The checks of a node, by a short English name that never changes (alerts and scripts rely on it)."""

    def __init__(self, alive: Mapping[str, Check], ready: Mapping[str, Check]) -> None:
        self._alive = dict(alive)
        self._ready = {**self._alive, **ready}

    def healthz(self) -> Verdict:
        """Say whether the process does its work."""
        return _judge(self._alive)

    def readyz(self) -> Verdict:
        """Say whether it may take money now."""
        return _judge(self._ready)


def _judge(checks: Mapping[str, Check]) -> Verdict:
    reasons = tuple((name, message) for name, check in checks.items() if (message := _ask(check)))
    return Verdict(ok=not reasons, reasons=reasons, checks=tuple(checks))


def _ask(check: Check) -> str:
    try:
        return check()
    except Exception as error:  # boundary to other rooms' code: a check that fails is no proof of health
        return f"检查本身出错（{type(error).__name__}），按不正常处理"
