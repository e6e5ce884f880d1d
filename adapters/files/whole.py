"""Files that are written whole or not at all: what was there stays until the new one is complete."""

import errno
import os
from pathlib import Path


def folder_of(path: Path) -> None:
    """Raise FileNotFoundError that names the folder a file is to be written into, when there is none."""
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path.parent))


def write_whole(path: Path, content: bytes) -> None:
    """Put a file in place in one step. Raises OSError; then what was there is untouched."""
    folder_of(path)
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(content)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
