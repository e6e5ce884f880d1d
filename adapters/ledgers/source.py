"""Ledger files before any engine reads them: what they are, their header, how many records, and every fault by line.

The engine's reader never guesses and is never believed: it drops empty lines and a surplus empty cell without a word.
So records and separators are counted here, in one quick pass over the bytes; whatever does not add up, and whatever the
engine refuses or finds wrong, is read again here, slowly, by RFC 4180 to the letter (annex B15).
"""

import codecs
import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import attrs

from gateway.core.faults import Fault
from gateway.core.ledgers import clean, header_faults, row_faults

BYTES_MAX = 64 << 30
ROWS_MAX = 50_000_000
LINE_BYTES_MAX = 1 << 16  # 34 cells of 1,000 characters and some air
FAULTS_MAX = 100
_CHUNK = 1 << 20
_CELL = re.compile(r'"((?:[^"]|"")*)"|([^",]*)')

Tick = Callable[[int], None]


class LedgerRefused(Exception):
    """A ledger file cannot be used, and no part of it was. Its author is at fault. more: faults not listed."""

    def __init__(self, file: Path, faults: Sequence[Fault], more: bool = False) -> None:
        super().__init__(str(file))
        self.file, self.faults, self.more = file, tuple(faults), more


@attrs.frozen(kw_only=True)
class Counted:
    """A CSV as counted on its bytes. header: names in the file's order; records: below the header; even: there are
    as many separators as the records need; quoted: there are quotes; folded: a record goes over several lines."""

    header: tuple[str, ...]
    records: int
    even: bool
    quoted: bool
    folded: bool


def is_parquet(path: Path) -> bool:
    """Say whether a file is Parquet, by its content. Raises OSError."""
    with path.open("rb") as stream:
        return stream.read(4) == b"PAR1"


def count(path: Path, tick: Tick) -> Counted:
    """Read the header and count the records of a CSV. Raises LedgerRefused, OSError.

    Outside quotes means: in every other piece between quote characters. tick: is told the bytes read so far.
    """
    size = path.stat().st_size
    if size > BYTES_MAX:
        raise LedgerRefused(path, [Fault(0, "", "LB10", f"文件超过上限{BYTES_MAX}字节，请分日提供")])
    header, start = _header(path)
    lines = commas = quotes = within = 0
    last = b"\n"
    with path.open("rb") as stream:
        stream.seek(start)
        while chunk := stream.read(_CHUNK):
            pieces = chunk.split(b'"')
            for piece in pieces[quotes % 2 :: 2]:
                lines += piece.count(b"\n")
                commas += piece.count(b",")
            within += sum(piece.count(b"\n") for piece in pieces[1 - quotes % 2 :: 2])
            quotes += len(pieces) - 1
            last = chunk[-1:]
            tick(stream.tell())
    records = lines + (last != b"\n")
    if records > ROWS_MAX:
        raise LedgerRefused(path, [Fault(0, "", "LB10", f"行数超过上限{ROWS_MAX}，请分日提供")])
    even = commas == records * (len(header) - 1) and quotes % 2 == 0
    return Counted(header=header, records=records, even=even, quoted=quotes > 0, folded=within > 0)


def _header(path: Path) -> tuple[tuple[str, ...], int]:
    """Return the column names and where the records begin."""
    with path.open("rb") as stream:
        first = stream.readline(LINE_BYTES_MAX)
    if not first.removeprefix(codecs.BOM_UTF8).strip():
        raise LedgerRefused(path, [Fault(1, "", "LB01", "文件没有内容，应至少有一行列名")])
    try:
        text = first.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError as cause:
        raise LedgerRefused(path, [Fault(1, "", "LB11", "不是UTF-8编码，请另存为UTF-8")]) from cause
    cells = _split(text)
    if cells is None:
        raise LedgerRefused(path, [Fault(1, "", "LB12", "列名行的引号不成对，请改正")])
    names = tuple(cells)
    if faults := header_faults(names):
        raise LedgerRefused(path, [Fault(1, *fault) for fault in faults])
    return names, len(first)


def _split(record: str) -> list[str] | None:
    """Return the cells of one record by RFC 4180, or None when a quote stands where none may."""
    if '"' not in record:
        return record.split(",")
    cells, at = [], 0
    while True:
        found = _CELL.match(record, at)
        assert found is not None  # the second form matches the empty text
        cells.append(found[2] if found[1] is None else found[1].replace('""', '"'))
        at = found.end()
        if at == len(record):
            return cells
        if record[at] != ",":
            return None
        at += 1


def by_hand(path: Path, ledger: int, header: Sequence[str], tick: Tick) -> Iterator[list[str]]:
    """Yield the cells of every record of a CSV, checked and cleaned. For files an engine cannot be trusted with.

    Raises LedgerRefused with all faults by line when the last record was looked at, OSError.
    """
    faults: list[Fault] = []
    for line, cells in _records(path, faults, tick):
        if len(cells) == len(header):
            plain = [clean(cell) for cell in cells]
            faults += faults_of(line, ledger, dict(zip(header, plain, strict=True)))
            yield plain
        else:
            faults.append(Fault(line, "", "LB13", f"应有{len(header)}格，实有{len(cells)}格，请改正"))
        if len(faults) > FAULTS_MAX:
            break
    if faults:
        raise LedgerRefused(path, faults[:FAULTS_MAX], len(faults) > FAULTS_MAX)


def rewrite(path: Path, ledger: int, header: Sequence[str], target: Path, tick: Tick) -> int:
    """Write a CSV again in the plainest form, every record checked; return how many there are. Raises as `by_hand`."""
    written = 0
    with target.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        for cells in by_hand(path, ledger, header, tick):
            writer.writerow(cells)
            written += 1
    return written


def faults_of(line: int, ledger: int, cells: Mapping[str, str]) -> list[Fault]:
    """Return the faults of one record's cells, located."""
    return [Fault(line, *fault) for fault in row_faults(ledger, cells)]


def _records(path: Path, faults: list[Fault], tick: Tick) -> Iterator[tuple[int, list[str]]]:
    """Yield (line it begins in, cells) of every record below the header; stop at what hides the rest."""
    with path.open("rb") as stream:
        number = 1
        stream.readline()
        while raw := stream.readline(LINE_BYTES_MAX):
            start, number = number + 1, number + 1
            while raw.count(b'"') % 2 and len(raw) < LINE_BYTES_MAX and (more := stream.readline(LINE_BYTES_MAX)):
                raw += more
                number += 1
            if len(raw) >= LINE_BYTES_MAX:
                faults.append(Fault(start, "", "LB05", f"一行超过{LINE_BYTES_MAX}字节，或引号没有结束，请改正"))
                return
            try:
                cells = _split(raw.decode("utf-8").removesuffix("\n").removesuffix("\r"))
            except UnicodeDecodeError:
                faults.append(Fault(start, "", "LB11", "不是UTF-8编码，请另存为UTF-8"))
                return
            if cells is None:
                faults.append(Fault(start, "", "LB12", "引号位置错误：含引号的格须整格用引号括起，请改正"))
                return
            if number % 1000 == 0:
                tick(stream.tell())
            yield start, cells
