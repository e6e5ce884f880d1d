"""The node's own rows in the audit trail: when it started and stopped, as which program, with which configuration
(security.md §4). Two starts in a row say that it ended without a word; between a stop and a start it did not run.

Everything blocking happens on a thread of its own, off the hot path. A trail that cannot be written stops no
settlement: it is told, and tried again every minute with the moment it is about (docs/decisions/0012).
"""

import os
from collections.abc import Callable
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import attrs
from twisted.internet.defer import Deferred

from adapters.store.mark import mark_path
from adapters.store.writer import WriterThread
from gateway.app.config import Config
from gateway.app.rounds import Rounds
from gateway.app.security_desk import security_desk
from gateway.core.dates import shanghai
from gateway.core.ports import Clock
from monitoring.logs import Log

WHO = "service:gateway"
AGAIN_S = 60.0
RUNNING, STOPPED = "RUNNING", "STOPPED"


def program() -> str:
    """Return the version of the installed program."""
    try:
        return version("liangding-gateway")
    except PackageNotFoundError:  # run from a folder that was never installed
        return "unknown"


def note(
    config: Config, clock: Clock, entropy: Callable[[int], bytes], state: str, at_s: float, lived_s: float
) -> None:
    """Write one row, and sign. at_s: when it happened; lived_s: when the journal was last written before this
    start, 0 = never. Raises TrailFailed, KeyFileError, SelfTestError. Blocking."""
    subject, now_s = f"node:{config.node.name}", clock.seconds()
    with security_desk(config, clock.seconds, entropy, f"pid {os.getpid()}", make=True) as desk:
        before = desk.store.last_after(subject)
        reasons = []
        if state == RUNNING and before.startswith(RUNNING):
            last = f"，日志最后写于{_time(lived_s)}" if lived_s else ""
            reasons.append(f"上次没有记下停止（被强行结束、断电，或当时审计写不下）{last}")
        if now_s - at_s >= AGAIN_S:
            reasons.append(f"发生于{_time(at_s)}，当时审计写不下")
        after = f"{state} version {program()} config {config.sm3}"
        desk.trail.record(
            WHO, "node.start" if state == RUNNING else "node.stop", subject, before=before, after=after,
            reason="；".join(reasons),
        )  # fmt: skip


async def end_with(thread: WriterThread, work: Callable[[], None], failed: Callable[[Exception], object]) -> None:
    """Do a last piece of work on a thread, then stop it; what the work raised, `failed` hears."""
    over: Deferred[None] = Deferred()
    thread.run(work, over.callback, over.errback)
    try:
        await over
    except Exception as cause:  # boundary: the stop goes on
        failed(cause)
    thread.stop()


@attrs.define(eq=False)
class NodeTrail:
    """One node's starts and stops. say: writes one line for the operator."""

    config: Config
    reactor: Any
    clock: Clock
    entropy: Callable[[int], bytes]
    log: Log
    say: Callable[[str], object]
    _lived_s: float = attrs.field(init=False)
    _started_s: float = attrs.field(init=False, default=0.0)
    _waiting: bool = attrs.field(init=False, default=False)
    _told: bool = attrs.field(init=False, default=False)
    _thread: WriterThread | None = attrs.field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        journal = self.config.journal
        signs = (journal, journal.with_name(f"{journal.name}-wal"), mark_path(journal))
        self._lived_s = max((one.stat().st_mtime for one in signs if one.exists()), default=0.0)

    def started(self, rounds: Rounds) -> None:
        """The node takes requests now. rounds: by which it is tried again."""
        rounds.every(AGAIN_S, self.again)
        self._started_s = self.clock.seconds()
        self._thread = WriterThread(self.reactor.callFromThread, "trail")
        self._waiting = True
        self._write_start()

    def again(self) -> None:
        """Try once more when the start could not be written."""
        if self._started_s and not self._waiting:
            self._waiting = True
            self._write_start()

    async def stopped(self) -> None:
        """The node takes nothing any more and everything is durable. Returns when the row is written, or cannot be."""
        thread, self._thread = self._thread, None
        if thread is not None:
            at_s = self.clock.seconds()
            work = partial(note, self.config, self.clock, self.entropy, STOPPED, at_s, 0.0)
            await end_with(thread, work, self._failed)

    def _write_start(self) -> None:
        def written(_: None) -> None:
            self._started_s = 0.0  # nothing is left to be tried again

        def failed(cause: Exception) -> None:
            self._waiting = False
            self._failed(cause)

        if self._thread is not None:
            at_s, lived_s = self._started_s, self._lived_s
            self._thread.run(
                lambda: note(self.config, self.clock, self.entropy, RUNNING, at_s, lived_s), written, failed
            )

    def _failed(self, cause: Exception) -> None:
        self.log.failure("trail_failed", cause)
        if not self._told:
            self._told = True
            self.say(
                f"[SEC-TRAIL] 网关的启停未能记入审计：{cause}；交易照常，每分钟再试，请运行 liangding audit verify"
            )


def _time(at_s: float) -> str:
    return shanghai(at_s).strftime("%Y-%m-%d %H:%M:%S")
