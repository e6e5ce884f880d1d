"""The national rows of one run, found by strong keys and by similar names.

Names are kept once however many rows carry them: 250,000 drugs have some ten thousand names.
"""

from collections.abc import Iterable, Iterator
from itertools import islice

from gateway.codes.suggest.likeness import NameIndex
from gateway.codes.suggest.records import Entry
from gateway.codes.suggest.text import Name, Namer

ROWS_MAX = 20_000  # rows compared with one local row
SIMILAR_ROWS = 2_000  # of them, rows that are found by a similar name only; the most similar names come first


class Library:
    """Entries by code, by key and by name."""

    def __init__(self, namer: Namer) -> None:
        self.by_code: dict[str, Entry] = {}
        self._namer = namer
        self._by_key: dict[str, list[Entry]] = {}
        self._by_name: dict[str, list[Entry]] = {}
        self._index = NameIndex()

    def __len__(self) -> int:
        return len(self.by_code)

    def add(self, entry: Entry, keys: Iterable[str]) -> None:
        """Take a row. Of two rows with one code the later says whether it may be used (downloads repeat a code with a
        newer ver); both are found by their keys (one code of a device has several identifiers).
        """
        self.by_code[entry.code] = entry
        for key in keys:
            self._by_key.setdefault(key, []).append(entry)
        for raw in entry.names:
            name = self._namer.name(raw)
            for writing in {name.full, name.plain}:
                rows = self._by_name.get(writing)
                if rows is None:
                    rows = self._by_name[writing] = []
                    self._index.add(name, writing)
                rows.append(entry)

    def candidates(self, name: Name, keys: Iterable[str], *codes: str) -> Iterator[Entry]:
        """Yield the rows worth comparing, each once: those with a key in common, the rows of codes, similar names."""
        seen: set[int] = set()
        for entry in self._found(name, keys, codes):
            if id(entry) not in seen and _alive(self.by_code[entry.code]) == _alive(entry):
                seen.add(id(entry))
                yield entry
                if len(seen) >= ROWS_MAX:
                    return

    def _found(self, name: Name, keys: Iterable[str], codes: Iterable[str]) -> Iterator[Entry]:
        for key in keys:
            yield from self._by_key.get(key, ())
        yield from (self.by_code[code] for code in codes if code in self.by_code)
        for writing in dict.fromkeys((name.bare, name.full, name.plain, name.stem)):
            yield from self._by_name.get(writing, ())
        yield from islice(self._similar(name), SIMILAR_ROWS)

    def _similar(self, name: Name) -> Iterator[Entry]:
        """Yield rows of names of the same core, then of names alike in writing or sound."""
        for writing in dict.fromkeys((*self._index.same_core(name), *self._index.similar(name))):
            yield from self._by_name[writing]


def _alive(entry: Entry) -> tuple[str, str, str, str]:
    return entry.vali_flag, entry.begndate, entry.enddate, entry.replaced_by
