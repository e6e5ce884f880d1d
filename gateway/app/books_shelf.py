"""Where the books' files lie: below the data directory, by date, named by their SM3, readable by the owner only."""

import csv
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import schemas
from adapters.crypto.digest import sm3_hasher

SCRIPTS = tuple(schemas.read("migrations/books", ".sql"))
_CHUNK = 1 << 20


def digest_of(path: Path) -> str:
    """Return the SM3 of a file's bytes in hex."""
    hasher = sm3_hasher()
    with path.open("rb") as stream:
        while piece := stream.read(_CHUNK):
            hasher.update(piece)
    return bytes(hasher.digest()).hex()


def keep(folder: Path, source: Path, ledger: str, scope: str) -> tuple[str, Path]:
    """Move a file of ours to its lasting place in a date's folder; return (SM3, place). The same bytes lie there once.

    source: in the same file system, whole and flushed.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    digest = digest_of(source)
    suffix = source.suffix or ".csv"
    place = folder / f"{ledger}-{scope.replace('*', 'city')}-{digest}{suffix}"
    os.chmod(source, 0o600)
    if place.exists():
        source.unlink()
    else:
        with source.open("rb") as stream:
            os.fsync(stream.fileno())
        os.replace(source, place)
        _sync(folder)
    return digest, place


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def private(path: Path) -> None:
    """Make an empty file that nobody else may read."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> int:
    """Write a ledger; return its rows. Cells of other columns, as a party's file may have, are left out."""
    private(path)
    count = 0
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, restval="", extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow(row)
            count += 1
    return count
