"""Rows that come by pages, kept as one sorted CSV on disk in little memory. Blocking: called on a helper's thread.

Sorted by bytes, so that the same rows give the same file and the same SM3 in whatever order they came (reconciliation
specification §7.3: compare SM3 of the sorted union). A line that stands twice is kept and counted once (§5.5 D1).
"""

import csv
import heapq
import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs

from adapters.crypto.digest import sm3_hasher

CHUNK_LINES = 50_000
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@attrs.frozen(kw_only=True)
class Kept:
    """A finished file. rows: its lines below the header; repeated: how many of them stand a second time; sums_fen: of
    amount columns any row carries, repeated lines counted once."""

    rows: int
    repeated: int
    sums_fen: dict[str, int]
    sm3: str


def line_of(cells: Sequence[str]) -> bytes:
    """Return one CSV line (RFC 4180); cells hold no line ends."""
    plain = ",".join(cells)
    if '"' not in plain and plain.count(",") == len(cells) - 1:
        return f"{plain}\n".encode()
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()


@attrs.define(eq=False, kw_only=True)
class Shelf:
    """One file in the making. folder: exists and is ours alone; amounts: columns of yuan with two decimals, summed."""

    folder: Path
    columns: tuple[str, ...]
    amounts: frozenset[str]
    chunk_lines: int = CHUNK_LINES
    count: int = 0
    _lines: list[bytes] = attrs.Factory(list)
    _runs: list[Path] = attrs.Factory(list)

    def add(self, lines: Sequence[bytes]) -> None:
        """Take lines made by `line_of`. Raises OSError."""
        self._lines += lines
        self.count += len(lines)
        if len(self._lines) >= self.chunk_lines:
            self._spill()

    def _spill(self) -> None:
        path = self.folder / f"run{len(self._runs)}"
        self._lines.sort()
        with os.fdopen(os.open(path, _NEW, 0o600), "wb") as file:
            file.writelines(self._lines)
        self._runs.append(path)
        self._lines.clear()

    def finish(self, path: Path) -> Kept:
        """Write the file, new and mode 0600. Raises OSError."""
        self._lines.sort()
        hasher, sums = sm3_hasher(), dict[str, int]()
        rows = repeated = 0
        streams = [run.open("rb") for run in self._runs]
        try:
            with os.fdopen(os.open(path, _NEW, 0o600), "wb") as file:
                before = line_of(self.columns)
                hasher.update(before)
                file.write(before)
                before = b""
                for line in heapq.merge(*streams, self._lines):
                    hasher.update(line)
                    file.write(line)
                    rows += 1
                    if line == before:
                        repeated += 1
                    else:
                        self._sum(line, sums)
                    before = line
                file.flush()
                os.fsync(file.fileno())
        finally:
            for stream in streams:
                stream.close()
        for run in self._runs:
            run.unlink()
        return Kept(rows=rows, repeated=repeated, sums_fen=sums, sm3=hasher.digest().hex())

    def _sum(self, line: bytes, sums: dict[str, int]) -> None:
        for name, cell in self._cells(line):
            sums[name] = sums.get(name, 0) + int(cell.replace(".", ""))

    def _cells(self, line: bytes) -> Iterator[tuple[str, str]]:
        text = line.decode().removesuffix("\n")
        cells = next(csv.reader([text])) if '"' in text else text.split(",")
        return ((name, cell) for name, cell in zip(self.columns, cells, strict=True) if cell and name in self.amounts)
