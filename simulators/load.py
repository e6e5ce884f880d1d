"""An open loop at a fixed rate: requests go out when they are due, whether or not the earlier ones were answered.

Latency counts from the due time, so a slow gateway cannot slow its own measurement down (no coordinated omission). What
is dropped has no latency and stands behind every answer in the order: a percentile that falls on it is no number.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from simulators.drive import Pool
from simulators.wording import Json, read_object

TICK_S = 0.002
GRACE_S = 30.0
_DONE = re.compile(rb'"infcode"\s*:\s*"?0"?\s*[,}]').search
Request = tuple[str, bytes]
"""(infno, whole HTTP request)"""


@attrs.define
class Tally:
    """What came of the requests, by infno.

    late_ms: answer after due time, of every whole answer. dropped: broken connections and answers that never came.
    """

    sent: int = 0
    done: int = 0
    late_ms: dict[str, list[float]] = attrs.Factory(dict)
    dropped: Counter[str] = attrs.Factory(Counter)
    failures: Counter[str] = attrs.Factory(Counter)
    texts: dict[str, str] = attrs.Factory(dict)
    took_s: float = 0.0

    def note(self, infno: str, status: int, body: bytes, late_s: float) -> None:
        """One answer."""
        if status:
            self.late_ms.setdefault(infno, []).append(late_s * 1000)
        else:
            self.dropped[infno] += 1
        if status == 200 and _DONE(body[:4000]):
            self.done += 1
            return
        envelope = read_object(body) or {}
        kind = str(envelope.get("gw_code") or ("平台拒绝" if status == 200 else f"HTTP {status}" if status else "断开"))
        self.failures[f"{infno} {kind}"] += 1
        self.texts.setdefault(f"{infno} {kind}", str(envelope.get("err_msg") or "")[:200])

    def report(self) -> Json:
        """Numbers for people and for --json: milliseconds rounded to microseconds, None for a dropped request."""
        every = [late for values in self.late_ms.values() for late in values]
        return {
            "sent": self.sent,
            "done": self.done,
            "failed": dict(self.failures.most_common()),
            "texts": self.texts,
            "seconds": round(self.took_s, 3),
            "done_per_s": round(self.done / self.took_s, 1) if self.took_s else 0,
            "dropped": self.dropped.total(),
            **_percentiles(every, self.dropped.total(), _SHARES),
            "by_infno": {
                infno: {
                    "answers": len(self.late_ms.get(infno, ())),
                    **_percentiles(self.late_ms.get(infno, ()), self.dropped[infno], _SHARES[:2]),
                }
                for infno in sorted({*self.late_ms, *self.dropped})
            },
        }


_SHARES = (("p50", 500), ("p99", 990), ("p999", 999), ("max", 1000))


def _percentiles(late_ms: Sequence[float], dropped: int, shares: Sequence[tuple[str, int]]) -> Json:
    ordered = sorted(late_ms)
    return {f"{name}_ms": percentile(ordered, per_mille, dropped) for name, per_mille in shares}


def percentile(ordered: Sequence[float], per_mille: int, dropped: int = 0) -> float | None:
    """Nearest rank, `dropped` counted as later than all; None when it falls on one of those, 0 of nothing."""
    count = len(ordered) + dropped
    if not count:
        return 0.0
    rank = max(1, -(-count * per_mille // 1000))
    return round(ordered[rank - 1], 3) if rank <= len(ordered) else None


class OpenLoop:
    """Sends `requests` at rate_per_s; `done` fires with the Tally when all were answered or given up."""

    def __init__(self, clock: IReactorTime, pool: Pool, requests: Sequence[Request], rate_per_s: int) -> None:
        self.done: Deferred[Tally] = Deferred()
        self._clock = clock
        self._pool = pool
        self._requests = requests
        self._gap_s = 1.0 / rate_per_s
        self._tally = Tally()
        self._open: Counter[str] = Counter()
        self._start_s = 0.0

    def start(self) -> None:
        self._start_s = self._clock.seconds()
        self._tick()

    def _tick(self) -> None:
        now_s = self._clock.seconds()
        due = min(len(self._requests), int((now_s - self._start_s) / self._gap_s) + 1)
        while self._tally.sent < due:
            number = self._tally.sent
            infno, request = self._requests[number]
            self._tally.sent += 1
            self._open[infno] += 1
            self._pool.send(request, self._listener(infno, self._start_s + number * self._gap_s))
        if self._tally.sent < len(self._requests):
            self._clock.callLater(TICK_S, self._tick)
        else:
            self._clock.callLater(GRACE_S, self._end)
            self._maybe_end()

    def _listener(self, infno: str, due_s: float) -> Callable[[int, bytes], None]:
        def answered(status: int, body: bytes) -> None:
            self._open[infno] -= 1
            if not self.done.called:
                self._tally.note(infno, status, body, self._clock.seconds() - due_s)
                self._maybe_end()

        return answered

    def _maybe_end(self) -> None:
        if not self._open.total() and self._tally.sent == len(self._requests):
            self._end()

    def _end(self) -> None:
        if self.done.called:
            return
        if self._open.total():
            self._tally.failures["没有回答"] += self._open.total()
            self._tally.dropped += self._open
        self._tally.took_s = self._clock.seconds() - self._start_s
        self.done.callback(self._tally)
