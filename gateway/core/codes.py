"""Translation tables in memory: what an institution's local codes mean on a day, and what the libraries hold.

A `Snapshot` is immutable after building and is swapped whole; nothing here guesses: a code is either mapped by an
approved row effective on the date of service, or is itself a valid national code, or is a precise miss.
Sources: contract-annex X11-X14, X39; mapping_rules.md §2.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, Protocol

import attrs

from gateway.core.errors import Rule

# Code system of a field -> the SYSTEM ids whose tables serve it.
SLOTS: Mapping[str, tuple[str, ...]] = {
    "item": ("drug", "service_item", "consumable"),
    "diagnosis": ("diagnosis",),
    "operation": ("operation",),
    "disease": ("chronic_disease", "settlement_disease", "day_surgery"),
    "chronic_disease": ("chronic_disease",),
    "doctor": ("doctor",),
    "nurse": ("nurse",),
    "pharmacist": ("pharmacist",),
    "department": ("department",),
    "institution": ("medical_institution", "retail_pharmacy"),
}
# These pass unchanged unless a mapping was imported for them (X11 for departments).
OPTIONAL_SLOTS = frozenset({"department", "institution"})
SLOT_OF: Mapping[str, tuple[str, ...]] = {
    system: tuple(slot for slot, systems in SLOTS.items() if system in systems)
    for systems in SLOTS.values()
    for system in systems
}
LATEST = "9999-12-31"

Entry = tuple[str, str, str, str, str]  # national, valid from, valid to, mapping version, SYSTEM
Record = tuple[str, str, str]  # national name, valid from, valid to


@attrs.frozen
class Row:
    """One mapping row in force; dates are yyyy-MM-dd, empty = open."""

    system: str
    local: str
    national: str
    valid_from: str
    valid_to: str
    version: str


@attrs.frozen
class Hit:
    """A translation: entry is None when the value passes as the national code it is."""

    national: str
    entry: Entry | None


@attrs.frozen
class Miss:
    """Why a code cannot be used, for the complaint. target: what the mapping gives, where that is the point."""

    rule: Rule
    why: Literal["no_row", "row_not_in_force", "several_targets", "library_expired", "not_in_library", "differs"]
    target: str = ""


class Shelf(Protocol):
    """One library: a dict, or something that looks a code up without holding them all."""

    def get(self, code: str, /) -> Record | None: ...


@attrs.frozen
class Libraries:
    """National libraries: SYSTEM -> code -> record. A system that is absent was never imported."""

    records: Mapping[str, Shelf]
    forms: Mapping[str, re.Pattern[str]]

    def window(self, system: str, code: str) -> tuple[str, str] | None:
        """Return the days a code is valid, or None if the imported library does not hold it. Not imported = always."""
        library = self.records.get(system)
        if library is None:
            return "", LATEST
        record = library.get(code)
        return None if record is None else (record[1], record[2])

    def national(self, slot: str, code: str, day: str) -> Literal["valid", "expired", "unknown"]:
        """Say whether a value is itself a national code usable on the day."""
        state: Literal["valid", "expired", "unknown"] = "unknown"
        for system in SLOTS[slot]:
            library = self.records.get(system)
            if library is None:
                form = self.forms.get(system)
                if form is not None and form.fullmatch(code):
                    return "valid"
                continue
            record = library.get(code)
            if record is not None:
                if record[1] <= day <= (record[2] or LATEST):
                    return "valid"
                state = "expired"
        return state

    def name(self, slot: str, code: str) -> str:
        """Return the national name, '' when no library holds the code."""
        for system in SLOTS[slot]:
            library = self.records.get(system)
            record = None if library is None else library.get(code)
            if record is not None:
                return record[0]
        return ""


NO_LIBRARIES = Libraries({}, {})


class LocalsOf(Mapping[str, tuple[str, ...]]):
    """National code -> its local codes. Nearly all have one, kept bare: a tuple each costs 19 MB in 300,000."""

    __slots__ = ("_back",)

    def __init__(self, back: Mapping[str, str | list[str]]) -> None:
        self._back = back

    @property
    def plain(self) -> Mapping[str, str | list[str]]:
        """Return what it is made of."""
        return self._back

    def __getitem__(self, national: str) -> tuple[str, ...]:
        found = self._back[national]
        return (found,) if isinstance(found, str) else tuple(found)

    def __contains__(self, national: object) -> bool:
        return national in self._back

    def __iter__(self) -> Iterator[str]:
        return iter(self._back)

    def __len__(self) -> int:
        return len(self._back)


@attrs.frozen
class Snapshot:
    """One institution's tables: slot -> local code -> entry, or list of entries when there are several rows.

    shared: the national codes that more than one local code stands for. dictionaries: some dictionary is mapped.
    """

    tables: Mapping[str, Mapping[str, Entry | list[Entry]]]
    reverse: Mapping[str, Mapping[str, tuple[str, ...]]]
    libraries: Libraries
    rows: int = 0
    shared: frozenset[str] = frozenset()
    dictionaries: bool = False

    def look_up(self, slot: str, local: str, day: str) -> Hit | Miss | None:
        """Return what the mapping says of a local code on a day; None when it has no row at all."""
        found = self.tables.get(slot, {}).get(local)
        if found is None:
            return None
        if type(found) is tuple and found[1] <= day <= found[2]:  # nearly every look-up ends here
            return Hit(found[0], found)
        entries = found if isinstance(found, list) else [found]
        live = [entry for entry in entries if entry[1] <= day <= entry[2]]
        if not live:
            outside = all(not entry[2] for entry in entries)
            return Miss("expired", "not_in_library" if outside else "row_not_in_force")
        if len({entry[0] for entry in live}) > 1:
            return Miss("code_conflict", "several_targets")
        return Hit(live[0][0], live[0])

    def one_slot(self, slot: str, value: str, day: str) -> Hit | Miss:
        """Resolve a field that holds one code, local or national (X11; a mapped local code wins, X39)."""
        found = self.look_up(slot, value, day)
        if found is not None:
            return found
        if slot in OPTIONAL_SLOTS:
            table = self.reverse.get(slot)
            if not table or value in table:
                return Hit(value, None)
            return Miss("unmapped", "no_row")
        return self._itself(slot, value, day)

    def _itself(self, slot: str, value: str, day: str) -> Hit | Miss:
        """Resolve a value that can only be a national code already."""
        state = self.libraries.national(slot, value, day)
        if state == "valid":
            return Hit(value, None)
        return Miss("expired", "library_expired") if state == "expired" else Miss("unmapped", "no_row")

    def two_slot(self, local: str, national: str, day: str) -> Hit | Miss:
        """Resolve an item line with a local and a national slot; empty = absent (X11)."""
        given = "" if national == local else national
        found = self.look_up("item", local, day) if local else None
        if isinstance(found, Hit):
            return found if given in ("", found.national) else Miss("code_conflict", "differs", found.national)
        if not local:
            return self.one_slot("item", given, day)
        if found is not None:
            return (
                found  # the mapping knows the item and does not allow it today: a national code beside it is no way out
            )
        if given:
            # Not looked up as a local code: it would be that of another item than the local slot names.
            return self._itself("item", given, day)
        # Both slots hold the same code, or the national one is empty: the local slot may itself be national.
        return self._itself("item", local, day)

    def dictionary(self, name: str, value: str, day: str) -> Hit | None:
        """Return the mapped value of a dictionary field, None when no mapping covers it."""
        found = self.look_up(f"dictionary:{name}", value, day)
        return found if isinstance(found, Hit) else None


def build_snapshot(rows: Iterable[Row], libraries: Libraries) -> Snapshot:
    """Build the tables from approved rows, cutting each row's days to those on which its target is valid."""
    tables: dict[str, dict[str, Entry | list[Entry]]] = {slot: {} for slot in SLOTS}
    reverse: dict[str, dict[str, str | list[str]]] = {}
    count = 0
    for row in rows:
        count += 1
        window = libraries.window(row.system, row.national)
        # A target outside the imported library is kept with no valid day: a miss that says why beats a silent gap.
        since, until = ("9999-99-99", "") if window is None else window
        entry: Entry = (
            row.national,
            max(row.valid_from, since),
            min(row.valid_to or LATEST, until or LATEST) if window is not None else "",
            row.version,
            row.system,
        )
        for slot in SLOT_OF.get(row.system, (row.system,)):
            fresh = _enter(tables.setdefault(slot, {}), row.local, entry)
            _enter_back(reverse.setdefault(slot, {}), row, fresh)
    shared = frozenset(code for back in reverse.values() for code, found in back.items() if type(found) is list)
    mapped = any(name.startswith("dictionary:") for name in tables)
    return Snapshot(tables, {slot: LocalsOf(back) for slot, back in reverse.items()}, libraries, count, shared, mapped)


def _enter(table: dict[str, Entry | list[Entry]], local: str, entry: Entry) -> bool:
    """Add an entry; say whether the local code is new to the table."""
    known = table.get(local)
    if known is None:
        table[local] = entry
    elif isinstance(known, list):
        known.append(entry)
    else:
        table[local] = [known, entry]
    return known is None


def _enter_back(back: dict[str, str | list[str]], row: Row, fresh: bool) -> None:
    """Add a local code to those of its national one. A code new to the table needs no search for itself."""
    known = back.get(row.national)
    if known is None:
        back[row.national] = row.local
    elif isinstance(known, str):
        if known != row.local:
            back[row.national] = [known, row.local]
    elif fresh or row.local not in known:
        known.append(row.local)


EMPTY_SNAPSHOT = build_snapshot((), NO_LIBRARIES)
