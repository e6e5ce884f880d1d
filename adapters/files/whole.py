"""Files that are written whole or not at all: what was there stays until the new one is complete."""

import os
from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Put a file in place in one step. Raises OSError; then what was there is untouched."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(content)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
