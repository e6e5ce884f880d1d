"""Files that are written whole or not at all: what was there stays until the new one is complete."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


def folder_of(path: Path) -> None:
    """Raise FileNotFoundError that names the folder a file is to be written into, when there is none."""
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path.parent))


def target_of(path: Path) -> Path:
    """Return the file that is really written: a link's target. Raises OSError for a device, a pipe or a folder."""
    folder_of(path)
    target = path.resolve()
    if target.exists() and not target.is_file():
        raise FileExistsError(errno.EEXIST, "不是普通文件，不能写入", str(path))
    return target


@contextmanager
def written_whole(path: Path) -> Iterator[IO[bytes]]:
    """A file that appears only when it is complete. Raises OSError; then what was there is untouched."""
    target = target_of(path)
    part = target.with_name(f".{target.name}.part")
    try:
        with part.open("wb") as stream:
            yield stream
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """Put a file in place in one step. Raises OSError; then what was there is untouched."""
    with written_whole(path) as stream:
        stream.write(content)
