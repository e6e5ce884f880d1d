"""The pages of a long answer as they come: one line of JSON each, so that a node that dies goes on behind the last.

The first line says what was asked; whoever asks for something else begins anew. A line that was cut by the death is
dropped. Not for several threads at once.
"""

import csv
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import attrs
import msgspec

from adapters.files.spool import Spool

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


class TooBig(Exception):
    """More came than may be kept."""


@attrs.define(eq=False)
class PageFile:
    """One answer's pages. bytes_max: of the whole file."""

    path: Path
    handle: int
    bytes_max: int
    size: int

    @classmethod
    def open(cls, path: Path, asked: Mapping[str, object], bytes_max: int, newer_than_s: float) -> "PageFile":
        """Open what is there of this very question, last added to since a moment (epoch seconds), or begin.

        Raises OSError.
        """
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, _FLAGS, 0o600)
        head = json.dumps(asked, sort_keys=True, ensure_ascii=False).encode() + b"\n"
        found = cls(path, handle, bytes_max, 0)
        if os.pread(handle, len(head), 0) != head or os.fstat(handle).st_mtime < newer_than_s:
            os.ftruncate(handle, 0)
            os.pwrite(handle, head, 0)
        found.size = len(head)
        for _, end in found._lines():
            found.size = end
        if found.size < os.fstat(handle).st_size:  # not always: it would make the file look new
            os.ftruncate(handle, found.size)
        return found

    def pages(self) -> Iterator[object]:
        """Yield the pages that are here, as they were added."""
        for value, _ in self._lines():
            yield value

    def add(self, page: object) -> None:
        """Add a page. Raises TooBig, OSError."""
        line = msgspec.json.encode(page) + b"\n"
        if self.size + len(line) > self.bytes_max:
            raise TooBig
        view = memoryview(line)
        while view:
            written = os.pwrite(self.handle, view, self.size)
            view, self.size = view[written:], self.size + written

    def close(self, drop: bool = False) -> None:
        """Close; drop: it is of no more use. May be called again."""
        if self.handle >= 0:
            os.close(self.handle)
            self.handle = -1
            if drop:
                self.path.unlink(missing_ok=True)

    def _lines(self) -> Iterator[tuple[object, int]]:
        """Yield (page, where its line ends) of every whole line behind the first."""
        with open(os.dup(self.handle), "rb") as stream:
            stream.seek(0)
            end = len(stream.readline())
            for line in stream:
                try:
                    page = msgspec.json.decode(line)
                except (msgspec.DecodeError, UnicodeDecodeError):
                    return
                if not line.endswith(b"\n"):
                    return
                end += len(line)
                yield page, end


def write_rows(spool: Spool, columns: Sequence[str], rows: Iterator[Mapping[str, str]]) -> int:
    """Write rows into a file as a table with titles; return how many. Raises OSError."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    count = 0
    for row in rows:
        count += 1
        writer.writerow([row.get(name, "") for name in columns])
        if text.tell() > 1 << 18:
            spool.write(text.getvalue().encode())
            text.seek(0)
            text.truncate()
    spool.write(text.getvalue().encode())
    return count
