"""Queries, writes and clearing requests: forwarded without the settlement machine.

Q: never stored, repeated freely. W: the stored answer of a completed request is replayed; without one it is forwarded
again. C: its row is durable before it leaves, like money, but it has no undo: without an answer it is forwarded again.
Rules: contract-annex X8, X14; reversal specification §2.
"""

from collections.abc import Callable

import attrs

from gateway.core.backward import rewritten, translate_back
from gateway.core.beside import attach
from gateway.core.facts import head_node
from gateway.core.model import Accept, Accepted, Advance, Entry, Keep, Known, NotAccepted, OpResult, Recall
from gateway.core.ports import Clock, Reply
from gateway.exchange.door import Link
from gateway.exchange.job import JSON, Job
from gateway.exchange.queue import JournalQueue
from gateway.exchange.visits import visit_of

W_MEMORY_MS = 24 * 3600 * 1000
FILES = frozenset({"9101", "9102"})
SLOW_BYTES_PER_S = 256 * 1024  # a file of 32 MiB takes its time on a line of two megabits
UPLOAD_MAX_S = 100.0


@attrs.define(eq=False)
class Relay:
    """Forwards what moves no money. live: W and C requests on their way, so that a repeat attaches to the first."""

    clock: Clock
    queue: JournalQueue
    new_id: Callable[[], int]
    visit_code: Callable[[str, str, str, str], str]
    live: dict[tuple[str, str], "_Passage"] = attrs.Factory(dict)

    def ask(self, job: Job) -> None:
        """Forward a query."""
        _Passage(self, job, None).go()

    def write(self, job: Job) -> None:
        """Forward a W request unless its answer is stored."""
        if not self._attach(job):
            passage = self._start(job)
            self.queue.submit(Recall(job.institution.code, job.msgid), passage.recalled)

    def clear(self, job: Job) -> None:
        """Forward a C request once its row is durable, unless its answer is stored."""
        if not self._attach(job):
            passage = self._start(job)
            entry = passage.entry
            assert entry is not None
            entry.state = "SENT"
            self.queue.submit(Accept(entry=entry, evidence=job.evidence), passage.accepted)

    def _attach(self, job: Job) -> bool:
        known = self.live.get((job.institution.code, job.msgid))
        if known is None:
            return False
        assert known.entry is not None
        if known.entry.digest != job.digest:
            refuse_reused(job)
        else:
            known.jobs.append(job)
        return True

    def _start(self, job: Job) -> "_Passage":
        entry = Entry(
            id=self.new_id(),
            fixmedins_code=job.institution.code,
            msgid=job.msgid,
            infno=job.infno,
            klass=job.klass,
            link=job.link.name,
            state="DONE",
            digest=job.digest,
            created_ms=int(self.clock.seconds() * 1000),
            mdtrt_id=visit_of(job),
        )
        passage = _Passage(self, job, entry)
        self.live[entry.fixmedins_code, entry.msgid] = passage
        return passage


def file_patience_s(link: Link, body: bytes) -> float:
    """Return how long 9101 and 9102 wait for an answer to begin: as any other (X6), and while a big body leaves."""
    return link.timeout_s + min(len(body) / SLOW_BYTES_PER_S, UPLOAD_MAX_S)


def refuse_reused(job: Job) -> None:
    """The msgid belongs to another content: refuse, alarm (reversal specification §8)."""
    job.watch.alarm("msgid_reused", job.institution.code, job.msgid)
    job.refuse("GW-MSGID-REUSED", "duplicate")


@attrs.define(eq=False)
class _Passage:
    """One forwarded request and everybody who waits for its answer. It is the link's Listener."""

    relay: Relay
    first: Job
    entry: Entry | None
    jobs: list[Job] = attrs.Factory(list)
    began: float = 0.0
    retry_safe: bool = False

    def __attrs_post_init__(self) -> None:
        self.jobs.append(self.first)
        self.retry_safe = self.entry is None

    def go(self) -> None:
        job = self.first
        link = job.link
        if not link.breaker.admit():
            self.fail("platform_error", "平台链路已熔断")
            return
        self.began = self.relay.clock.seconds()
        try:
            path, headers = link.codec.request(job.infno, self.began)
        except Exception:  # boundary: our own fault; everybody who waits hears it, the log gets type and place
            job.watch.alarm("internal_error", job.institution.code, job.msgid)
            self.fail("not_sent", "网关内部错误，未发送")
            raise
        if job.infno in FILES:
            link.files.send(path, headers, job.body, self, file_patience_s(link, job.body))
        else:
            link.exchange.send(path, headers, job.body, self, link.timeout_s)

    def recalled(self, found: OpResult | NotAccepted) -> None:
        """The journal was asked for a W request."""
        job = self.first
        assert self.entry is not None
        if isinstance(found, Known):
            if found.entry.digest != job.digest:
                self._end()
                for one in self.jobs:
                    refuse_reused(one)
                return
            if found.answer is not None and found.entry.created_ms > self.entry.created_ms - W_MEMORY_MS:
                self._answer(found.answer, "ok")
                return
        self.go()  # a journal that cannot be read does not stop writes: they need no durability

    def accepted(self, found: OpResult | NotAccepted) -> None:
        """The row of a C request is durable, or was there before."""
        assert self.entry is not None
        if isinstance(found, NotAccepted):
            self._end()
            for job in self.jobs:
                job.turn_away("GW-NOT-ACCEPTED", "not_sent")
        elif isinstance(found, Known):
            if found.entry.digest != self.entry.digest:
                self._end()
                for job in self.jobs:
                    refuse_reused(job)
            elif found.answer is not None:
                self._answer(found.answer, "ok")
            else:
                self.entry = found.entry
                self.go()
        else:
            assert isinstance(found, Accepted)
            self.go()

    # --- what came of it (Listener) ---

    def answered(self, status: int, content_type: bytes, body: bytes, whole: bool) -> None:
        job = self.first
        link = job.link
        link.breaker.worked()
        job.watch.platform(link.name, self.relay.clock.seconds() - self.began)
        # Of a file without a length nobody knows whether it is whole (X25).
        file = job.infno == "9102" and status == 200 and not content_type.lower().startswith(b"application/json")
        if file and whole:
            self._answer(body, "ok", content_type)  # the file itself, unchanged (X24)
            return
        try:
            self._read(status, content_type, body, whole)
        except Exception:  # boundary: a fault of ours while reading an answer is told as "no answer", never silence
            job.watch.alarm("internal_error", job.institution.code, job.msgid)
            self.fail("platform_error", "平台应答无法处理")

    def _read(self, status: int, content_type: bytes, body: bytes, whole: bool) -> None:
        job = self.first
        link = job.link
        backward = link.backward[job.infno]
        deep = not job.local and bool(backward.nodes) and backward.wanted(job.institution.snapshot)
        reply = link.codec.read(status, body, whole, deep)
        if not link.judge.answered(status, reply):
            self.fail("platform_error", "平台返回无法识别的应答" if not reply.access else "平台接入层拒绝")
            return
        if deep and reply.tree is not None and reply.infcode == "0":
            body = self._translated(reply, body)
        if job.local and reply.infcode == "0":
            body = attach(body, job.evidence)
        self._store(body, reply.infcode == "0")
        unchanged = (content_type or JSON) if job.infno == "9102" else JSON
        self._answer(body, "ok" if reply.infcode == "0" else "refused", unchanged)

    def _translated(self, reply: Reply, body: bytes) -> bytes:
        job = self.first
        assert reply.tree is not None
        visit = visit_of(job)
        code = job.institution.code
        new = translate_back(
            job.link.backward[job.infno],
            reply.tree,
            job.institution.snapshot,
            job.day,
            lambda slot, national: self.relay.visit_code(code, visit, slot, national) if visit else "",
        )
        return rewritten(reply, body, new)

    def not_sent(self, reason: str) -> None:
        self.first.link.breaker.failed()
        self.fail("not_sent", "平台无法连接")

    def silent(self) -> None:
        """Nobody waits longer for a query than its deadline; `lost` follows at once."""

    def lost(self, reason: str) -> None:
        self.first.link.breaker.failed()
        self.fail("platform_error", "平台应答超时或中断")

    def fail(self, result: str, detail: str) -> None:
        self._end()
        for job in self.jobs:
            job.refuse("GW-PLATFORM", "not_sent" if result == "not_sent" else "platform_error", detail=detail)

    def _store(self, body: bytes, done: bool) -> None:
        if self.entry is None:
            return
        now_ms = int(self.relay.clock.seconds() * 1000)
        if self.entry.klass == "C":
            mark = Advance(entry=self.entry, was="SENT", to="DONE", at_ms=now_ms, reason="answered", answer=body)
            self.relay.queue.later(mark)
        else:
            job = self.first
            taken_back, psn_no = "", ""
            if done and job.infno == "2404":  # the admission's business key is free again (reversal.md §8)
                taken_back = self.entry.mdtrt_id
                found = head_node(job.plan.head, job.tree["input"]).get("psn_no")
                psn_no = found if isinstance(found, str) else ""
            op = Keep(entry=self.entry, evidence=job.evidence, answer=body, cancels=taken_back, psn_no=psn_no)
            self.relay.queue.later(op)

    def _answer(self, body: bytes, result: str, content_type: bytes = JSON) -> None:
        self._end()
        for job in self.jobs:
            job.reply(body, "ok" if result == "ok" else "refused", content_type=content_type)

    def _end(self) -> None:
        if self.entry is not None:
            self.relay.live.pop((self.first.institution.code, self.first.msgid), None)
