"""Zips from outside. Whatever a damaged one makes the libraries below raise is one exception here (security T10).

Sizes are the caller's to bound: nothing here is read ahead of what is asked for.
"""

import errno
import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO, cast

# A name that is no UTF-8 though flagged so, an empty name, a place before the file's start: nothing of it is promised.
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError, ValueError, IndexError,
)  # fmt: skip
_BUFFER_BYTES = 1 << 16


class ArchiveBroken(Exception):
    """The zip is damaged, or packed in a way that is not read. Its author is at fault."""


@contextmanager
def damage() -> Iterator[None]:
    """Turn what a damaged zip raises into ArchiveBroken; keep it around calls of zipfile alone. Raises OSError."""
    try:
        yield
    except _DAMAGE as cause:
        raise ArchiveBroken(str(cause)) from cause
    except OSError as cause:
        # bzip2 tells damage without a number, a place beyond all files with this one; a failing disk has others.
        if cause.errno not in (None, errno.EINVAL):
            raise
        raise ArchiveBroken(str(cause)) from cause


class Archive:
    """A zip that is open. Raises ArchiveBroken, OSError."""

    def __init__(self, source: Path | BinaryIO) -> None:
        with damage():
            self._zip = zipfile.ZipFile(source)

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def files(self) -> list[zipfile.ZipInfo]:
        """Return its members that are no folders."""
        with damage():
            return [member for member in self._zip.infolist() if not member.is_dir()]

    def open(self, member: zipfile.ZipInfo) -> BinaryIO:
        """Return a member's bytes; they stay readable when the archive is closed."""
        with damage():
            return cast(BinaryIO, io.BufferedReader(_Member(self._zip.open(member)), _BUFFER_BYTES))


class _Member(io.RawIOBase):
    """The bytes of one member; it ends at the announced size. tell: bytes unpacked so far."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        with damage():
            piece = self._stream.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def tell(self) -> int:
        return self._stream.tell()

    def close(self) -> None:
        self._stream.close()
        super().close()
