"""How far the journal had come, in a small file beside it: a journal that is behind it was restored from a backup.

Written now and then after commits, never before, and without haste: an old mark only finds less. A mark that cannot be
read is none. What tells two histories of one length apart is the chain. Source: reversal specification §9.
"""

import os
from contextlib import suppress
from pathlib import Path


def mark_path(journal: Path) -> Path:
    return journal.with_name(f"{journal.name}.mark")


def write_mark(journal: Path, number: int, chain: bytes) -> None:
    """Write that event `number`, with this chain value, is durable. A disk that is full or gone is no fault here."""
    path = mark_path(journal)
    part = path.with_name(f"{path.name}.part")
    with suppress(OSError):
        part.write_text(f"{number} {chain.hex()}\n", "ascii")
        os.replace(part, path)


def is_behind(journal: Path, number: int, chain: bytes) -> bool:
    """Say whether a journal whose newest event is this lacks something that was durable once."""
    try:
        count, _, value = mark_path(journal).read_text("ascii").strip().partition(" ")
        marked = int(count)
    except (OSError, ValueError):
        return False
    return marked > number or (marked == number and value != chain.hex())
