"""The outside file of the trail's checkpoints: one JSON line each, only ever appended, durable at once."""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from gateway.core.trail import Checkpoint

_TAIL_BYTES = 4096


class _Line(msgspec.Struct, kw_only=True):
    store: str
    entries: int
    chain: str
    at_ms: int
    public: str
    signature: str


_decode = msgspec.json.Decoder(_Line).decode


def append(path: Path, one: Checkpoint) -> None:
    """Append a checkpoint; durable when this returns. Raises OSError."""
    line = _Line(
        store=one.store, entries=one.entries, chain=one.chain.hex(), at_ms=one.at_ms, public=one.public.hex(),
        signature=one.signature.hex(),
    )  # fmt: skip
    raw = msgspec.json.encode(line) + b"\n"
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        size = os.fstat(handle).st_size
        if size and os.pread(handle, 1, size - 1) != b"\n":  # a crash cut the line before: it must not spoil this one
            raw = b"\n" + raw
        if os.write(handle, raw) != len(raw):
            raise OSError(28, "short write", str(path))
        os.fsync(handle)
    finally:
        os.close(handle)


def writable(path: Path) -> None:
    """Raise OSError when nothing could be appended; makes the file and the folder it lies in."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))


def read(path: Path) -> Iterator[tuple[int, Checkpoint | None]]:
    """Yield (number of the line, its checkpoint, None when it is none); nothing when there is no file. Raises OSError.

    A crash may cut a line. Whoever could spoil one on purpose could as well take it away.
    """
    if not path.exists():
        return
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            if raw.strip():
                yield number, _checkpoint(raw)


def newest(path: Path) -> Checkpoint | None:
    """Return the last checkpoint of the file, None when there is none. Raises OSError."""
    if not path.exists():
        return None
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
        lines = file.read().split(b"\n")
    return next((one for raw in reversed(lines) if (one := _checkpoint(raw)) is not None), None)


def _checkpoint(raw: bytes) -> Checkpoint | None:
    try:
        line = _decode(raw)
        return Checkpoint(
            store=line.store, entries=line.entries, chain=bytes.fromhex(line.chain), at_ms=line.at_ms,
            public=bytes.fromhex(line.public), signature=bytes.fromhex(line.signature),
        )  # fmt: skip
    except (msgspec.MsgspecError, ValueError):
        return None
