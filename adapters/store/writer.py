"""The journal's one writer thread: runs a blocking call, brings its result back on the reactor's thread."""

import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
Job = tuple[Callable[[], Any], Callable[[Any], None], Callable[[Exception], None]]


class WriterThread:
    """A runner on one named thread. call_in_loop: the reactor's callFromThread."""

    def __init__(self, call_in_loop: Callable[..., object], name: str = "journal") -> None:
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._call_in_loop = call_in_loop
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def run(self, call: Callable[[], T], done: Callable[[T], None], failed: Callable[[Exception], None]) -> None:
        self._jobs.put((call, done, failed))

    def stop(self) -> None:
        """End the thread after what was queued; returns when it has ended."""
        self._jobs.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            call, done, failed = job
            try:
                results = call()
            except Exception as cause:  # boundary: whatever a store raises is brought to the queue, which decides
                self._call_in_loop(failed, cause)
            else:
                self._call_in_loop(done, results)
