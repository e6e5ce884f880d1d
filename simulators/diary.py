"""What a platform did, on file: its books survive the end of its process, as a real platform's do.

Every request is written down before it is processed, with the time it came; a start processes the whole file again.
That gives the same books, since what the platform does depends on nothing else. Faults are weather and are not kept.
"""

from pathlib import Path
from typing import BinaryIO

import attrs

from simulators.platform import Platform
from simulators.wording import Json, read_object, write


@attrs.define
class Diary:
    """One platform's file. A line that was cut by the end of the process was never answered, and is left out."""

    path: Path
    _file: BinaryIO = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.path.touch()
        self._file = self.path.open("r+b", buffering=0)

    def read_to(self, platform: Platform) -> int:
        """Let the platform do everything again; return how many requests that were."""
        count, end = 0, 0
        for line in self.path.read_bytes().splitlines(keepends=True):
            row = read_object(line) if line.endswith(b"\n") else None
            if row is None:
                break
            platform.again(float(row["at_s"]), row["request"])
            count, end = count + 1, end + len(line)
        self._file.truncate(end)
        self._file.seek(end)
        return count

    def write(self, at_s: float, request: Json) -> None:
        """Keep one request. What the process wrote outlives it; a power cut is not played."""
        self._file.write(write({"at_s": at_s, "request": request}) + b"\n")

    def close(self) -> None:
        self._file.close()
