"""What a request notices of a swap of 300,000 mappings: `python -m bench.swap FOLDER`.

The real watcher on a real store builds and swaps on its thread while the main thread does what a reactor does: many
short turns, each giving the interpreter away in between. The longest time between two turns is what a request waits.
"""

import gc
import json
import os
import shutil
import statistics
import sys
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import attrs
from twisted.internet.task import Clock

from adapters.store.codes import CodesStore, CodesWriter, Deed
from adapters.store.writer import WriterThread
from bench.idle import national
from gateway.app.codes_files import SCRIPTS
from gateway.app.node import REST_S
from gateway.codes.loading import CodesWatcher
from gateway.core.codes import Snapshot

MAPPINGS = 300_000
HOSPITAL = "H99010100001"
NAP_S = 0.0002  # how long a reactor with little to do sleeps in epoll
SWAPS = 3


def approve_mappings(store: CodesStore, how_many: int, maker: str) -> None:
    """Bring one batch of mappings into force."""
    writer = CodesWriter.open(store.path, SCRIPTS)
    batch = writer.begin_batch(HOSPITAL, "drug", f"{maker}.csv", Deed(maker, 0))
    rows = ((n + 2, f"YP{n:07d}", national(n), "2024-01-01", "", "") for n in range(how_many))
    for _ in writer.add_mappings(batch, rows):
        continue
    writer.propose(batch, how_many, "00", Deed(maker, 0))
    writer.approve(batch, how_many, [], Deed("reviewer", 0))
    writer.close()


def measure(folder: Path, how_many: int = MAPPINGS) -> dict[str, Any]:
    """The longest pause of the least disturbed of some swaps, ms, and of the worst; how long one took from the change
    until it was in force. Raises ValueError when nothing was swapped."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    store = CodesStore.open(folder / "liangding-codes.sqlite", SCRIPTS)
    calls: SimpleQueue[Callable[[], object]] = SimpleQueue()
    held: dict[str, Snapshot] = {}
    errors: list[Exception] = []

    def apply(found: Mapping[str, Snapshot]) -> None:
        held.clear()
        held.update(found)

    thread = WriterThread(lambda call, *args: calls.put(lambda: call(*args)), "codes")
    clock = Clock()
    rest = partial(time.sleep, REST_S)
    watcher = CodesWatcher(clock, store.tables, store.stamp, thread.run, apply, {}, errors.append, rest=rest)
    approve_mappings(store, how_many, "first")
    watcher.load_now()
    watcher.start()
    gc.set_threshold(50_000, 20, 50)  # as a node does
    (loader,) = (one for one in threading.enumerate() if one.name == "codes")
    built, found = [], []
    for number in range(SWAPS):
        turns = Turns(calls, clock, time.pthread_getcpuclockid(loader.ident or 0))
        turns.take(lambda: False, seconds=0.3)  # the look before the change
        approve_mappings(store, how_many, f"swap{number}")
        before = held[HOSPITAL]
        began = time.perf_counter()
        turns.take(lambda before=before: held[HOSPITAL] is not before, seconds=60)  # type: ignore[misc]
        built.append(time.perf_counter() - began)
        if held[HOSPITAL] is before or held[HOSPITAL].rows != how_many or errors:
            raise ValueError(f"对码未更换：{errors}")
        del before
        turns.take(lambda: False, seconds=2 * watcher.every_s)  # the next look takes the old tables down
        found.append((turns.cpu_s * 1000, turns.wall_s * 1000))
    watcher.stop()
    thread.stop()
    shutil.rmtree(folder, ignore_errors=True)
    return {
        "mappings": how_many, "longest_cpu_ms": min(found)[0], "longest_wall_ms": min(found)[1],
        "worst_cpu_ms": max(found)[0], "built_s": statistics.median(built), "load": os.getloadavg()[0],
    }  # fmt: skip


@attrs.define
class Turns:
    """The longest turn: by the clock, and what of the processor our two threads had meanwhile.

    On a machine that others use too only the second says something about us: a thread that is not scheduled waits.
    """

    calls: "SimpleQueue[Callable[[], object]]"
    clock: Clock
    loader: int  # the clock of the building thread's processor time
    wall_s: float = 0.0
    cpu_s: float = 0.0

    def take(self, done: Callable[[], bool], seconds: float) -> None:
        """Take turns until it is done; a turn is from the end of a nap to the end of the next."""
        until, last, spent = time.perf_counter() + seconds, time.perf_counter(), self._spent()
        while not done() and last < until:
            try:
                self.calls.get_nowait()()
            except Empty:
                time.sleep(NAP_S)
            now, used = time.perf_counter(), self._spent()
            self.wall_s, self.cpu_s = max(self.wall_s, now - last - NAP_S), max(self.cpu_s, used - spent)
            self.clock.advance(now - last)
            last, spent = now, used

    def _spent(self) -> float:
        return time.clock_gettime(self.loader) + time.thread_time()


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]))))
