"""The journal alone, on the disk the bench runs on: `python -m bench.journal FOLDER SECONDS`.

Three things in turn, several rounds, so that the disk's moods fall on all: the disk's own fsync, one commit an append,
and group commit with 64 requests waiting, each submitting its next append when its last is durable.
An append is the acceptance of a money request: its row and its two first events. `pairs` adds its outcome with the
stored answer: what a whole settlement writes.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import attrs
from twisted.internet import reactor as _reactor

import schemas
from adapters.crypto.vault import Vault
from adapters.store.sqlite_journal import SqliteJournal
from adapters.store.writer import WriterThread
from gateway.app.node import LINGER_S
from gateway.core.model import Accept, Accepted, Advance, Entry, Op
from gateway.exchange.queue import JournalQueue

reactor: Any = _reactor
WAITING = 64
ROUNDS = 3
FSYNC_BYTES = 4096
ANSWER = b'{"infcode":0,"output":' + b" " * 1100 + b"}"
_START_MS = 1_773_538_200_000
_DIGEST = bytes(32)


class Deaf:
    """The Watch port when nobody listens, but for the sizes of the batches."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def commit(self, seconds: float, batch: int) -> None:
        self.batches.append(batch)

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *arguments: None


def entry(number: int) -> Entry:
    """A settlement as the clerk would write it, number by number."""
    person = f"5108{number * 2654435761 % 10**16:016d}"
    return Entry(
        id=number,
        fixmedins_code="H51080200001",
        msgid=f"H51080200001{20260315093000 + number // 10000}{number % 10000:04d}",
        infno="2207",
        klass="M",
        link="national",
        state="SENT",
        digest=_DIGEST,
        created_ms=_START_MS + number,
        business_key=f"2207|H51080200001|{person}|V{number:018d}|B{number:010d}",
        lane=f"p|{person}",
        psn_no=person,
        mdtrt_id=f"V{number:018d}",
        medfee_fen=12860,
    )


def outcome(one: Entry) -> Advance:
    """The platform's answer to it."""
    return Advance(
        entry=one, was="SENT", to="ACKED", at_ms=one.created_ms + 40, reason="answered", setl_id=f"S{one.id:018d}",
        answer=ANSWER, delivered=True,
    )  # fmt: skip


def fsync_s(folder: Path, times: int = 60) -> list[float]:
    """Seconds of write and fdatasync of one page at the end of a growing file, as a journal does, one by one."""
    found = []
    descriptor = os.open(folder / "fsync", os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    page = os.urandom(FSYNC_BYTES)
    try:
        for number in range(times):
            began = time.perf_counter()
            os.pwrite(descriptor, page, number * FSYNC_BYTES)
            os.fdatasync(descriptor)
            found.append(time.perf_counter() - began)
    finally:
        os.close(descriptor)
    return found


@attrs.define
class Phase:
    """appends a second, CPU µs an append of the whole process (both threads)."""

    per_s: float
    cpu_us: float
    batch: float = 1.0


def single(journal: SqliteJournal, numbers: "Numbers", seconds: float) -> Phase:
    """One commit an append, nothing waiting."""
    entries = [entry(number) for number in numbers.take(20_000)]
    began, spent = time.perf_counter(), time.process_time()
    done = 0
    while time.perf_counter() - began < seconds and done < len(entries):
        found = journal.commit([Accept(entry=entries[done])])
        assert isinstance(found[0], Accepted)
        done += 1
    return Phase(done / (time.perf_counter() - began), (time.process_time() - spent) / done * 1e6)


class Numbers:
    """Row numbers; none is used twice in a journal."""

    def __init__(self) -> None:
        self._next = 1

    def take(self, how_many: int) -> range:
        found = range(self._next, self._next + how_many)
        self._next += how_many
        return found


class Group:
    """64 waiting requests on a queue. follow: makes what is written after an append is durable, or None."""

    def __init__(self, queue: JournalQueue, ops: Sequence[Op], follow: Callable[[Entry], Op] | None) -> None:
        self._queue = queue
        self._ops = ops
        self._follow = follow
        self._next = self._done = 0
        self._until = 0.0
        self._ended: Callable[[], None] = lambda: None
        self.appends = 0

    def start(self, seconds: float, ended: Callable[[], None]) -> None:
        self._until = time.perf_counter() + seconds
        self._ended = ended
        for _ in range(WAITING):
            self._submit()

    def _submit(self) -> None:
        if self._next == len(self._ops) or time.perf_counter() >= self._until:
            self._done += 1
            if self._done == WAITING:
                self._ended()
            return
        op = self._ops[self._next]
        self._next += 1
        self._queue.submit(op, lambda found: self._durable(op, found))

    def _durable(self, op: Op, found: object) -> None:
        assert isinstance(found, Accepted) and isinstance(op, Accept)
        self.appends += 1
        if self._follow is None:
            self._submit()
            return
        self._queue.submit(self._follow(op.entry), self._followed)

    def _followed(self, found: object) -> None:
        assert found is True
        self.appends += 1
        self._submit()


def grouped(
    journal: SqliteJournal, numbers: Numbers, seconds: float, follow: Callable[[Entry], Op] | None = None
) -> Phase:
    """64 waiting, on the running reactor: crank it until the phase is over."""
    ops: list[Op] = [Accept(entry=entry(number)) for number in numbers.take(int(50_000 * seconds))]
    watch: Any = Deaf()
    writer = WriterThread(reactor.callFromThread)
    queue = JournalQueue(reactor, journal, writer, watch, _broken, lambda: None, linger_s=LINGER_S)
    group = Group(queue, ops, follow)
    over: list[bool] = []
    began, spent = time.perf_counter(), time.process_time()
    group.start(seconds, lambda: over.append(True))
    while not over:
        reactor.iterate(0.01)
    took, used = time.perf_counter() - began, time.process_time() - spent
    writer.stop()
    return Phase(group.appends / took, used / group.appends * 1e6, median(watch.batches))


def _broken(cause: Exception) -> None:
    raise cause


def measure(folder: Path, seconds: float) -> dict[str, Any]:
    """All phases; medians over the rounds."""
    folder.mkdir(parents=True, exist_ok=True)
    vault = Vault(bytes(range(32)), "aes-256-gcm", os.urandom)
    journal = SqliteJournal.open(folder / "journal.sqlite", vault, list(schemas.read("migrations/journal", ".sql")))
    reactor.startRunning(installSignalHandlers=False)
    numbers = Numbers()
    rows: list[dict[str, Phase]] = []
    syncs: list[float] = []
    for number in range(ROUNDS + 1):
        found = {
            "single": single(journal, numbers, seconds),
            "group": grouped(journal, numbers, seconds),
            "pairs": grouped(journal, numbers, seconds, outcome),
        }
        syncs += fsync_s(folder)
        if number:
            rows.append(found)
    journal.close()
    return summary(rows, syncs)


def summary(rows: Sequence[dict[str, Phase]], syncs: Sequence[float]) -> dict[str, Any]:
    """Medians, and the two ratios the issue asks for, made round by round."""
    sync_s = median(syncs)
    found: dict[str, Any] = {
        name: {key: median(getattr(row[name], key) for row in rows) for key in ("per_s", "cpu_us", "batch")}
        for name in rows[0]
    }
    found["fsync_us"] = sync_s * 1e6
    found["times_single"] = median(row["group"].per_s / row["single"].per_s for row in rows)
    found["of_fsync_bound"] = found["group"]["per_s"] / (WAITING / sync_s)
    return found


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]), float(sys.argv[2]))))
