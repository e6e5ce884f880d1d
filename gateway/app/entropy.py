"""Random bytes from the operating system, fetched a page at a time: every request needs a nonce or two."""

import threading
from collections.abc import Callable

PAGE_BYTES = 8192


class Entropy:
    """`entropy(n)` gives n bytes, each handed out once. Safe to call from several threads."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self._page = b""
        self._at = 0
        self._lock = threading.Lock()

    def __call__(self, count: int) -> bytes:
        with self._lock:
            at = self._at
            if at + count > len(self._page):
                self._page, at = self._read(max(PAGE_BYTES, count)), 0
            self._at = at + count
            return self._page[at : at + count]
