"""The facts as data, and the few lines that read them: transactions, dictionaries, regions, code systems, SQL.

Facts only; what they mean is decided in `gateway.core.catalogue`.
"""

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent


def read(folder: str, suffix: str) -> Iterator[tuple[str, bytes]]:
    """Yield (path relative to schemas/, content) of every `*suffix` file in folder, in name order."""
    for path in sorted((ROOT / folder).glob(f"*{suffix}")):
        yield f"{folder}/{path.name}", path.read_bytes()
