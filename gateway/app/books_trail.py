"""What a node does to the books by itself, brought to the audit trail (reconciliation §6.6): runs, actions that leave
the house and their ends, files handed in, states of clearing applications.

Each change has left an entry in its own transaction (schemas/migrations/books/0009.sql), so none is lost whoever dies
when; a thread of its own carries them over, as the node's starts are (docs/decisions/0012). A trail that cannot be
written stops no money: it is told, and tried again. Between the two stores lies a crash: a row may then stand twice,
and both name the same entry (`request`).
"""

import os
from collections.abc import Callable
from typing import Any

import attrs

from adapters.store.books import BooksStore
from adapters.store.books_trail import BooksTrail, Entry
from adapters.store.writer import WriterThread
from gateway.app.books_shelf import SCRIPTS
from gateway.app.config import Config
from gateway.app.node_trail import AGAIN_S, WHO, end_with
from gateway.app.rounds import Rounds
from gateway.app.security_desk import security_desk
from gateway.books.clearing import TITLES, Input
from gateway.core.dates import shanghai
from gateway.core.ports import Clock, Watch

LOOK_S = 2.0
BATCH = 500
_KINDS = {"REVERSE": "冲正", "FEEDBACK": "反馈", "VOID": "撤销记账", "BOOK": "补记", "CORRECT": "更正"}
_STATES = {"SENT": "已发出", "IN_DOUBT": "结果未知", "DONE": "已完成", "FAILED": "未成，转人工"}


@attrs.define(eq=False, kw_only=True)
class BooksCarrier:
    """Carries entries over. report: hears what the trail raised."""

    config: Config
    reactor: Any
    clock: Clock
    entropy: Callable[[int], bytes]
    watch: Watch
    report: Callable[[Exception], object]
    _thread: WriterThread | None = attrs.field(default=None, init=False)
    _busy: bool = attrs.field(default=False, init=False)
    _next_s: float = attrs.field(default=0.0, init=False)
    _failing: bool = attrs.field(default=False, init=False)
    _written: int = attrs.field(default=0, init=False)  # the trail has them up to here

    def start(self, rounds: Rounds) -> None:
        """Look from now on. rounds: by which."""
        self._thread = WriterThread(self.reactor.callFromThread, "books-trail")
        rounds.every(LOOK_S, self.look)

    def look(self) -> None:
        """Carry over what waits, unless that is under way or was refused less than a minute ago."""
        now_s = self.clock.seconds()
        if self._thread is None or self._busy or 0 < self._next_s - now_s <= AGAIN_S:
            return
        self._busy = True
        self._thread.run(self._carry, self._done, self._failed)

    async def stop(self) -> None:
        """Carry over the last; what cannot be waits in the store for the next start."""
        thread, self._thread = self._thread, None
        if thread is not None:
            await end_with(thread, self._carry, self._failed)

    def _done(self, _: None) -> None:
        self._busy = self._failing = False

    def _failed(self, cause: Exception) -> None:
        self._busy, self._next_s = False, self.clock.seconds() + AGAIN_S
        self.report(cause)
        if not self._failing:
            self._failing = True
            self.watch.alarm("books_trail_failed", "", "")

    def _carry(self) -> None:
        """On the thread. Raises TrailFailed, KeyFileError, SelfTestError, sqlite3.Error, OSError."""
        store = BooksStore.open(self.config.room("books"), SCRIPTS)
        try:
            waiting = BooksTrail(store.connection)
            entries = waiting.waiting(BATCH)
            if not entries:
                return
            source = f"pid {os.getpid()}"
            with security_desk(self.config, self.clock.seconds, self.entropy, source, make=True) as desk:
                while entries:
                    with desk.trail.writing():
                        for one in entries:
                            if one.id > self._written:
                                desk.trail.request = f"books:{one.id}"
                                desk.trail.note(
                                    WHO, one.action, one.subject, before=one.was, after=one.became,
                                    reason=words(one, self.clock.seconds()),
                                )  # fmt: skip
                    self._written = entries[-1].id
                    waiting.told(self._written)
                    entries = waiting.waiting(BATCH)
        finally:
            store.close()


def words(one: Entry, now_s: float) -> str:
    """Return a change in Chinese; when it happened, where that was a while ago."""
    late = now_s - one.at_ms / 1000 >= AGAIN_S
    moment = f"；发生于{shanghai(one.at_ms / 1000):%Y-%m-%d %H:%M:%S}" if late else ""
    return _WORDS[one.action](one) + moment


def _ran(one: Entry) -> str:
    revision, days, diffs, cases = one.what.split()
    return f"对账第{revision}次：日状态变动{days}个，差异{diffs}条，个案{cases}件"


def _handed_in(one: Entry) -> str:
    ledger, scope, date = one.what.split()
    return f"收到{scope} {date}的{ledger}账目，交来者{one.who}"


def _acted(one: Entry) -> str:
    state = one.became.split(" ", 1)[0]
    return f"{_KINDS.get(one.what, one.what)}（{one.who}）{_STATES.get(state, state)}"


def _cleared(one: Entry) -> str:
    title = TITLES[Input(one.what)] if one.what in {given.value for given in Input} else "生成"
    return f"清算申请：{title}，由{one.who}办理"


def _pruned(one: Entry) -> str:
    files, size = one.what.split()
    return f"清理被替换、没有一次对账用过的日终文件{files}个，{size}字节"


_WORDS: dict[str, Callable[[Entry], str]] = {
    "books.run": _ran, "books.hand_in": _handed_in, "books.action": _acted, "books.clearing": _cleared,
    "books.prune": _pruned,
}  # fmt: skip
