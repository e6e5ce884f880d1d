"""What the other tests of this folder lay on the desk, gathered into few large sets of ledgers.

A test is called with a desk that only takes note of its first run; the keys of each get a suffix of their own, so that
all that are run in the same way can be run at once.
"""

import inspect
from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any

from desk import Cells, Desk

KEYS = ("setl_id", "msgid", "prov_sn", "mdtrt_id", "psn_no", "chrg_bchno", "invono")
Ledgers = dict[str, list[Cells]]


class Noted(Exception):
    """What a test would have run."""

    def __init__(self, ledgers: Mapping[str, Any], options: tuple[str, ...]) -> None:
        super().__init__()
        self.ledgers, self.options = ledgers, options


class Notebook(Desk):
    """A desk that writes and runs nothing."""

    def file(self, name: str, content: str | bytes) -> Path:
        return self.folder / name

    def run(self, ledgers: Any, *more: str, code: int | None = None) -> list[Cells]:
        raise Noted(ledgers, more)


def _calls(function: Any) -> Iterator[dict[str, Any]]:
    """Yield the arguments a parametrized test is called with, besides the desk."""
    marks = [mark for mark in getattr(function, "pytestmark", []) if mark.name == "parametrize"]
    axes = []
    for mark in marks:
        names, values = mark.args
        names = names.split(",") if isinstance(names, str) else names
        axes.append([dict(zip(names, one if len(names) > 1 else (one,), strict=True)) for one in values])
    for chosen in product(*axes):
        yield {name: value for one in chosen for name, value in one.items()}


def _noted(modules: Iterable[ModuleType]) -> Iterator[Noted]:
    for module in modules:
        for name, function in sorted(vars(module).items()):
            if not name.startswith("test_") or "desk" not in inspect.signature(function).parameters:
                continue
            for arguments in _calls(function):
                if set(inspect.signature(function).parameters) == {"desk", *arguments}:
                    try:
                        function(Notebook(Path("nowhere")), **arguments)
                    except Noted as noted:
                        yield noted


def _own(rows: Iterable[Mapping[str, str]], suffix: str) -> list[Cells]:
    return [{name: f"{cell}{suffix}" if name in KEYS and cell else cell for name, cell in row.items()} for row in rows]


def gathered(ledgers: Iterable[str], options: tuple[str, ...], *modules: ModuleType) -> tuple[Ledgers, int]:
    """Return (ledgers, how many tests) of all that are run with these options and lay down no other ledgers."""
    found: Ledgers = {name: [] for name in ledgers}
    count = 0
    for number, noted in enumerate(_noted(modules)):
        texts = any(isinstance(rows, str | bytes) for rows in noted.ledgers.values())
        asked = tuple(word for word in noted.options if word != "--json")
        if texts or asked != options or not found.keys() >= noted.ledgers.keys():
            continue
        count += 1
        for name, rows in noted.ledgers.items():
            found[name] += _own(rows, f"~{number}")
    return found, count
