"""One run: national rows in, one suggestion for each local row out, in their order."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from sys import intern

from gateway.codes.suggest.columns import NAMES, columns
from gateway.codes.suggest.consumable import ConsumableDesk
from gateway.codes.suggest.crosswalk import NO_CROSSWALK, Crosswalk, crossing_of, lifted
from gateway.codes.suggest.deciding import decide
from gateway.codes.suggest.desk import Desk
from gateway.codes.suggest.drug import DrugDesk
from gateway.codes.suggest.icd import IcdDesk
from gateway.codes.suggest.judging import judged
from gateway.codes.suggest.library import Library
from gateway.codes.suggest.named import NamedDesk
from gateway.codes.suggest.records import Entry, Local, Suggestion
from gateway.codes.suggest.service import ServiceDesk
from gateway.codes.suggest.staff import StaffDesk

Cells = Sequence[str]
Texts = tuple[str, ...]
_MAIN = ("begndate", "enddate", "vali_flag", "gray", "used", "replaced_by")
_STAFF = frozenset({"doctor", "nurse", "pharmacist"})
_NAME_ENDS = re.compile(r"[;；|]|(?<=[^\d])[,，、/](?=[^\d])")


def desk_of(system: str) -> Desk:
    """Return how a SYSTEM id is compared."""
    if system == "drug":
        return DrugDesk()
    if system == "service_item":
        return ServiceDesk()
    if system == "consumable":
        return ConsumableDesk()
    if system in ("diagnosis", "operation"):
        return IcdDesk(system)
    return StaffDesk() if system in _STAFF else NamedDesk(system)


class Run:
    """Suggestions of one system for one day (yyyy-MM-dd). First `learn` the national rows, then `suggest`."""

    def __init__(self, system: str, day: str, crosswalk: Crosswalk = NO_CROSSWALK) -> None:
        self._system, self._day, self._crosswalk = system, day, crosswalk
        self._columns = columns(system)
        self._desk = desk_of(system)
        self._library = Library(self._desk.namer)
        self._names: dict[Texts, Texts] = {}

    def learn(self, rows: Iterable[Cells], at: Mapping[str, int]) -> int:
        """Take the national rows; return how many there are. at: our name -> column."""
        main = _picker(_MAIN, at)
        names = _picker(NAMES, at)
        facts = _picker([f"fact:{name}" for name in self._columns.national], at)
        for cells in rows:
            row = [*cells, ""]
            if code := row[at["code"]]:
                entry = self._entry(code, main(row), self._names_of(names(row)), facts(row))
                self._library.add(entry, self._desk.entry_keys(entry))
        return len(self._library)

    def suggest(self, rows: Iterable[Cells], at: Mapping[str, int]) -> Iterator[Suggestion]:
        """Yield one suggestion for each local row. at: our name -> column."""
        for cells in rows:
            local = self._local(cells, at)
            lens = self._desk.lens(local)
            name = self._desk.namer.name(local.name)
            crossing = crossing_of(local.old_code, self._crosswalk, self._library.by_code)
            keys = self._desk.local_keys(local)
            found = self._library.candidates(name, keys, local.mapped_now, crossing.national)
            matches = [lifted(judged(entry, lens(entry)), crossing) for entry in found]
            yield decide(local, matches, self._library.by_code, self._day, self._desk, crossing)

    def _entry(self, code: str, main: Texts, names: Texts, facts: Texts) -> Entry:
        begndate, enddate, vali_flag, gray, used, replaced_by = map(intern, main)
        known = self._columns.facts(*map(intern, facts))
        grey = gray or ("1" if used == "0" else "")
        return Entry(code, names, _day(begndate), _day(enddate), vali_flag, grey, replaced_by, known)

    def _names_of(self, raw: Texts) -> Texts:
        """Return the names a row goes by, the main one first; one tuple for all rows with the same names."""
        found = self._names.get(raw)
        if found is None:
            main, *rest = raw
            parts = [main, *(part.strip() for text in rest for part in _NAME_ENDS.split(text))]
            found = self._names[raw] = tuple(dict.fromkeys(part for part in parts if part)) or ("",)
        return found

    def _local(self, cells: Cells, at: Mapping[str, int]) -> Local:
        def cell(name: str) -> str:
            return cells[at[name]] if name in at else ""

        facts = self._columns.local_facts(*(cell(f"fact:{name}") for name in self._columns.local))
        return Local(cell("local_code"), cell("local_name"), cell("mapped_now"), facts, cell("old_code"))


def _picker(names: Sequence[str], at: Mapping[str, int]) -> Callable[[Sequence[str]], Texts]:
    """Return what takes the named columns out of a row that ends with an empty cell; that one stands for no column."""
    return itemgetter(*(at.get(name, -1) for name in names))


@lru_cache(maxsize=1 << 12)
def _day(text: str) -> str:
    """Return yyyy-MM-dd of a date however the download writes it."""
    digits = re.sub(r"\D", "", text[:10]) if text else ""
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}" if len(digits) >= 8 else text[:10]
