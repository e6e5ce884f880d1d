"""Records in a platform's answer, wherever a province puts them."""

from collections.abc import Mapping
from typing import Any


def rows_in(output: Any, field: str) -> list[Mapping[str, Any]]:
    """Return the records of an answer that have a field: one, or a list."""
    found: list[Mapping[str, Any]] = []
    waiting = [output]
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, dict):
            if field in one:
                found.append(one)
            else:
                waiting += one.values()
        elif isinstance(one, list):
            waiting += one
    return found
