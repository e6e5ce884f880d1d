"""Group commit: many requests, one durable transaction, one in flight at a time.

What arrives while a commit is under way goes into the next one. `later` operations ride along and nobody waits for
them. When space runs out nothing is accepted; what was promised (outcomes) is kept and tried again until space returns.
When a write or fsync fails the process must end: `on_broken` is called and nothing is answered any more.
Source: design §3; reversal specification §9.
"""

from collections.abc import Callable
from typing import Any

import attrs

from gateway.core.model import READS, Accept, Keep, NotAccepted, Op, OpResult, StoreFull
from gateway.core.ports import Clock, Runner, Store, Watch

Done = Callable[[OpResult | NotAccepted], None]
BATCH_MAX = 512
BATCH_ENOUGH = 48
PENDING_MAX = 20_000
RETRY_S = 1.0
LAZY_S = 0.25


def _nobody(result: OpResult | NotAccepted) -> None:
    """Nobody waits for an operation that rides along."""


@attrs.define(eq=False)
class JournalQueue:
    """The only way to the journal. linger_s: how long a commit may wait for company.

    `full` is true while space is out; then look-ups pass and promises wait.
    """

    clock: Clock
    store: Store
    runner: Runner
    watch: Watch
    on_broken: Callable[[Exception], None]
    on_full: Callable[[], None]
    linger_s: float = 0.0
    full: bool = False
    broken: bool = False
    _pending: list[tuple[Op, Done]] = attrs.Factory(list)
    _flying: list[tuple[Op, Done]] = attrs.Factory(list)
    _idle: list[Callable[[], None]] = attrs.Factory(list)
    _began: float = 0.0
    _armed: bool = False
    _lingering: bool = False
    _waiting: bool = False  # the pause between two tries to write while space is out
    _probe_timer: Any = None

    def submit(self, op: Op, done: Done) -> None:
        """Commit op with the next batch and call done with its result, or with NotAccepted (Accept and Recall only)."""
        if self.broken or self.full or len(self._pending) >= PENDING_MAX:
            kind = type(op)
            # Look-ups are bounded by the requests in flight, and one refused would make a known msgid look unknown.
            if kind is Accept or (kind in READS and self.broken):
                done(NotAccepted())
                return
        self._pending.append((op, done))
        if not self._flying:
            self._soon()

    def later(self, op: Op) -> None:
        """Commit op with whatever goes next, within LAZY_S; nobody waits for it.

        While space is out, or the disk is far behind, a Keep is dropped: the answers of W are kept for convenience, the
        room for promises is not.
        """
        if (self.full or len(self._pending) >= PENDING_MAX) and type(op) is Keep and not op.cancels:
            return
        self._pending.append((op, _nobody))
        if not self._flying and not self._armed:
            self._armed = True
            self.clock.callLater(LAZY_S, self._flush)

    def when_idle(self, call: Callable[[], None]) -> None:
        """Call once everything submitted so far is durable."""
        if self._flying or self._pending:
            self._idle.append(call)
            self._launch()
        else:
            call()

    @property
    def depth(self) -> int:
        return len(self._pending) + len(self._flying)

    def _soon(self) -> None:
        """Start a commit: at once, or after linger_s, so that one fsync serves more requests."""
        if not self.linger_s or len(self._pending) >= BATCH_ENOUGH:
            self._launch()
        elif not self._lingering:
            self._lingering = True
            self.clock.callLater(self.linger_s, self._lingered)

    def _lingered(self) -> None:
        self._lingering = False
        self._launch()

    def _flush(self) -> None:
        self._armed = False
        self._launch()

    def _launch(self) -> None:
        if self._flying or not self._pending or self.broken:
            return
        if self.full and self._waiting:
            # Reading needs no space.
            self._flying = [pair for pair in self._pending if type(pair[0]) in READS]
            if not self._flying:
                return
            self._pending = [pair for pair in self._pending if type(pair[0]) not in READS]
        else:
            self._flying, self._pending = self._pending[:BATCH_MAX], self._pending[BATCH_MAX:]
        self._began = self.clock.seconds()
        ops = [op for op, _ in self._flying]
        self.runner.run(lambda: self.store.commit(ops), self._committed, self._failed)

    def _committed(self, results: list[OpResult]) -> None:
        flown, self._flying = self._flying, []
        if self.full:
            self.full = all(type(op) in READS for op, _ in flown)
        self.watch.commit(self.clock.seconds() - self._began, len(flown))
        if not self.linger_s or len(self._pending) >= BATCH_ENOUGH:
            self._launch()  # the next batch starts before the answers go out: the disk works while we talk
        fault: Exception | None = None
        for (_, done), result in zip(flown, results, strict=True):
            try:
                done(result)
            except Exception as cause:  # boundary: one request's fault must not silence the others of its batch
                fault = fault or cause
        if self._pending and not self._flying:
            self._soon()
        self._tell_idle()
        if fault is not None:
            raise fault

    def _failed(self, cause: Exception) -> None:
        flown, self._flying = self._flying, []
        if not isinstance(cause, StoreFull):
            self._break(cause)
            return
        waiting = flown + self._pending
        self._pending = [pair for pair in waiting if type(pair[0]) is not Accept]
        first = not self.full
        self.full = True
        self._wait_for_space()
        fault: Exception | None = None
        for op, done in waiting:
            if type(op) is Accept:
                try:
                    done(NotAccepted())
                except Exception as cause:  # boundary: one request's fault must not silence the others
                    fault = fault or cause
        if first:
            self.on_full()
        self._launch()  # look-ups
        self._tell_idle()
        if fault is not None:
            raise fault

    def _break(self, cause: Exception) -> None:
        if not self.broken:
            self.broken = True
            self.on_broken(cause)

    def _wait_for_space(self) -> None:
        self._waiting = True
        if self._probe_timer is not None and self._probe_timer.active():
            self._probe_timer.cancel()
        self._probe_timer = self.clock.callLater(RETRY_S, self._probe)

    def _probe(self) -> None:
        """Try again after a full disk: with what was promised, else with an empty batch that proves a write works."""
        self._waiting = False  # what is promised may go, now or behind the look-ups that are under way
        if not self.full:
            return
        if self._flying:
            self._probe_timer = self.clock.callLater(RETRY_S / 100, self._probe)
        elif self._pending:
            self._launch()
        else:
            self.runner.run(lambda: self.store.commit([]), self._recovered, self._still_full)

    def _recovered(self, results: list[OpResult]) -> None:
        self.full = False
        self._launch()
        self._tell_idle()

    def _still_full(self, cause: Exception) -> None:
        if isinstance(cause, StoreFull):
            self._wait_for_space()
        else:
            self._break(cause)

    def _tell_idle(self) -> None:
        if not self._flying and not self._pending:
            calls, self._idle = self._idle, []
            for call in calls:
                call()
