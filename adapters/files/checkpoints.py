"""The outside file of what the trail's keys signed: one JSON line each, only ever appended, durable at once.

Checkpoints, and before the first one by a new key the hand-over that both keys signed: whoever trusts one public key
can go on from it by this file alone.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import attrs
import msgspec

from gateway.core.trail import Checkpoint, HandOver

_TAIL_BYTES = 1 << 16
Signed = Checkpoint | HandOver


class _Line(msgspec.Struct, kw_only=True):
    store: str
    entries: int
    chain: str
    at_ms: int
    public: str
    signature: str


class _HandedLine(msgspec.Struct, kw_only=True):
    store: str
    entries: int
    old: str
    new: str
    at_ms: int
    approval: int
    by_old: str
    by_new: str


_decode = msgspec.json.Decoder(_Line).decode
_decode_handed = msgspec.json.Decoder(_HandedLine).decode


def plain(one: Signed) -> dict[str, str | int]:
    """Return what is signed, and the signatures, as a line of the file has them: bytes in hex."""
    return {
        name: value.hex() if isinstance(value, bytes) else value
        for name, value in attrs.asdict(one).items()
    }  # fmt: skip


def append(path: Path, one: Signed) -> None:
    """Append a checkpoint or a hand-over; durable when this returns. Raises OSError."""
    raw = msgspec.json.encode(plain(one)) + b"\n"
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


def read(path: Path) -> Iterator[tuple[int, Signed | None]]:
    """Yield (number of the line, what it says, None when it is neither); nothing when there is no file. Raises OSError.

    A crash may cut a line. Whoever could spoil one on purpose could as well take it away.
    """
    if not path.exists():
        return
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            if raw.strip():
                yield number, _signed(raw)


def tail(path: Path) -> list[Signed]:
    """Return what the end of the file says, oldest first: of some hundred lines, or of all where those say nothing.
    Raises OSError."""
    if not path.exists():
        return []
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
        found = [one for raw in file.read().split(b"\n") if (one := _signed(raw)) is not None]
    # Somebody may have put rubbish behind what the file says.
    return found or [one for _, one in read(path) if one is not None]


def newest(path: Path) -> Checkpoint | None:
    """Return the last checkpoint of the file, None when there is none. Raises OSError."""
    return next((one for one in reversed(tail(path)) if isinstance(one, Checkpoint)), None)


def _signed(raw: bytes) -> Signed | None:
    return _checkpoint(raw) or _hand_over(raw)


def _hand_over(raw: bytes) -> HandOver | None:
    try:
        line = _decode_handed(raw)
        old, new, by_old, by_new = map(bytes.fromhex, (line.old, line.new, line.by_old, line.by_new))
    except (msgspec.MsgspecError, ValueError):
        return None
    return HandOver(
        store=line.store, entries=line.entries, old=old, new=new, at_ms=line.at_ms, approval=line.approval,
        by_old=by_old, by_new=by_new,
    )  # fmt: skip


def _checkpoint(raw: bytes) -> Checkpoint | None:
    try:
        line = _decode(raw)
        return Checkpoint(
            store=line.store, entries=line.entries, chain=bytes.fromhex(line.chain), at_ms=line.at_ms,
            public=bytes.fromhex(line.public), signature=bytes.fromhex(line.signature),
        )  # fmt: skip
    except (msgspec.MsgspecError, ValueError):
        return None
