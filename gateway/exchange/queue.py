"""Group commit: many requests, one durable transaction, one in flight at a time.

What arrives while a commit is under way goes into the next one. `later` operations ride along and nobody waits for
them. When space runs out nothing is accepted; what was promised (outcomes) is kept and tried again until space returns.
When a write or fsync fails the process must end: `on_broken` is called and nothing is answered any more.
Source: design §3; reversal specification §9.
"""

from collections.abc import Callable

import attrs

from gateway.core.model import Accept, NotAccepted, Op, OpResult, Recall, StoreFull
from gateway.core.ports import Clock, Runner, Store, Watch

Done = Callable[[OpResult | NotAccepted], None]
BATCH_MAX = 512
PENDING_MAX = 20_000
RETRY_S = 1.0
LAZY_S = 0.25


def _nobody(result: OpResult | NotAccepted) -> None:
    """Nobody waits for an operation that rides along."""


@attrs.define(eq=False)
class JournalQueue:
    """The only way to the journal. `full` is true while space is out; then only Recall and promises pass."""

    clock: Clock
    store: Store
    runner: Runner
    watch: Watch
    on_broken: Callable[[Exception], None]
    on_full: Callable[[], None]
    full: bool = False
    broken: bool = False
    _pending: list[tuple[Op, Done]] = attrs.Factory(list)
    _flying: list[tuple[Op, Done]] = attrs.Factory(list)
    _idle: list[Callable[[], None]] = attrs.Factory(list)
    _began: float = 0.0
    _armed: bool = False
    _retry_at: float = 0.0

    def submit(self, op: Op, done: Done) -> None:
        """Commit op with the next batch and call done with its result, or with NotAccepted (Accept and Recall only)."""
        refusing = self.broken or len(self._pending) >= PENDING_MAX or (self.full and type(op) is Accept)
        if refusing and isinstance(op, Accept | Recall):
            done(NotAccepted())
            return
        self._pending.append((op, done))
        if not self._flying:
            self._launch()

    def later(self, op: Op) -> None:
        """Commit op with whatever goes next, within LAZY_S; nobody waits for it."""
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

    def _flush(self) -> None:
        self._armed = False
        self._launch()

    def _launch(self) -> None:
        if self._flying or not self._pending or self.broken:
            return
        if self.full and self.clock.seconds() < self._retry_at:
            return
        self._flying, self._pending = self._pending[:BATCH_MAX], self._pending[BATCH_MAX:]
        self._began = self.clock.seconds()
        ops = [op for op, _ in self._flying]
        self.runner.run(lambda: self.store.commit(ops), self._committed, self._failed)

    def _committed(self, results: list[OpResult]) -> None:
        flown, self._flying = self._flying, []
        self.full = False
        self.watch.commit(self.clock.seconds() - self._began, len(flown))
        # The next batch starts before the answers go out: the disk works while we talk.
        self._launch()
        for (_, done), result in zip(flown, results, strict=True):
            done(result)
        self._launch()
        self._tell_idle()

    def _failed(self, cause: Exception) -> None:
        flown, self._flying = self._flying, []
        if not isinstance(cause, StoreFull):
            self.broken = True
            self.on_broken(cause)
            return
        promised = [(op, done) for op, done in flown if not isinstance(op, Accept | Recall)]
        self._pending = promised + self._pending
        self._retry_at = self.clock.seconds() + RETRY_S
        self.clock.callLater(RETRY_S, self._probe)
        first = not self.full
        self.full = True
        for op, done in flown:
            if isinstance(op, Accept | Recall):
                done(NotAccepted())
        if first:
            self.on_full()

    def _probe(self) -> None:
        """Try again after a full disk: with what was promised, else with an empty batch that proves a write works."""
        if not self._pending and not self._flying and self.full:
            self.runner.run(lambda: self.store.commit([]), self._recovered, self._failed)
            return
        self._launch()

    def _recovered(self, results: list[OpResult]) -> None:
        self.full = False
        self._launch()

    def _tell_idle(self) -> None:
        if not self._flying and not self._pending:
            calls, self._idle = self._idle, []
            for call in calls:
                call()
