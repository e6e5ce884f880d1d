"""From the store's rows to the snapshots in memory, built off the reactor and swapped whole (annex X2).

`CodesWatcher` polls a stamp; when it changed, everything that changed is read and built on another thread, then handed
over in one call on the reactor's thread: a request sees either the old tables or the new ones, of all institutions.
Institutions whose mappings did not change keep their snapshot, unless a library changed.
"""

import gc
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Protocol, TypeVar

import attrs

from gateway.codes.library import record_of
from gateway.codes.retiring import SLICE, Retired
from gateway.core.codes import NO_LIBRARIES, Libraries, Record, Row, Snapshot, build_snapshot
from gateway.core.ports import Clock

T = TypeVar("T")
EVERYONE = ""  # the snapshot of institutions without mappings: libraries only


# A record held costs about 350 bytes, so the biggest library held costs 70 MB; one looked up costs about 10 µs, and
# only where an institution sends a national code itself: what a mapping gives was judged when the tables were built.
HELD_MAX = 200_000


class Finder(Protocol):
    """Finds a code's record: (name, begndate, enddate, vali_flag, gray)."""

    def find(self, code: str) -> tuple[str, str, str, str, str] | None: ...


@attrs.frozen
class LookedUp:
    """A library that is not held in memory."""

    finder: Finder

    def get(self, code: str, /) -> Record | None:
        """Return a code's record. Raises what the store raises."""
        found = self.finder.find(code)
        return None if found is None else record_of(*found)


class Tables(Protocol):
    """One consistent look at what is in force."""

    def stamps(self) -> Mapping[str, int]:
        """Return institution -> number that changes with its mappings; '' = the libraries."""

    def sizes(self) -> Mapping[str, int]:
        """Return system -> how many records its library holds at most."""

    def libraries(self, systems: Collection[str]) -> Iterable[tuple[str, str, str, str, str, str, str]]:
        """Return (system, code, name, begndate, enddate, vali_flag, gray) of some systems."""

    def shelf(self, system: str) -> Finder:
        """Return how to find one record of a library, from any thread, after this look is closed too."""

    def mappings(self, institution: str) -> Iterable[tuple[str, str, str, str, str, str]]:
        """Return (system, local, national, from, to, version)."""

    def close(self) -> None: ...


@attrs.frozen
class Loaded:
    """What was loaded: one snapshot an institution, EVERYONE's for all others, and the stamps they were read at."""

    stamps: Mapping[str, int]
    snapshots: Mapping[str, Snapshot]


NOTHING_LOADED = Loaded({}, {})
Offload = Callable[[Callable[[], Loaded | None], Callable[[Loaded | None], None], Callable[[Exception], None]], None]


def load_snapshots(tables: Tables, forms: Mapping[str, re.Pattern[str]]) -> dict[str, Snapshot]:
    """Build every institution's snapshot; '' holds the one for institutions without mappings."""
    return dict(load(tables, forms, NOTHING_LOADED).snapshots)


def no_rest() -> None:
    """Go on at once."""


def load(
    tables: Tables, forms: Mapping[str, re.Pattern[str]], known: Loaded, rest: Callable[[], object] = no_rest
) -> Loaded:
    """Build what changed since `known` and keep the rest. rest: called every few rows, to let others work."""
    stamps = dict(tables.stamps())
    share: dict[str, str] = {}
    same = EVERYONE in known.snapshots and known.stamps.get(EVERYONE) == stamps.get(EVERYONE)
    libraries = known.snapshots[EVERYONE].libraries if same else _libraries(tables, forms, share, rest)
    snapshots = {EVERYONE: known.snapshots[EVERYONE] if same else build_snapshot((), libraries)}
    for institution in sorted(stamps):
        if institution == EVERYONE:
            continue
        if same and institution in known.snapshots and known.stamps.get(institution) == stamps[institution]:
            snapshots[institution] = known.snapshots[institution]
        else:
            if not share:
                held = (records for records in libraries.records.values() if isinstance(records, dict))
                share.update((code, code) for records in held for code in records)
            rows = _rows(_gently(tables.mappings(institution), rest), share)
            snapshots[institution] = build_snapshot(rows, libraries)
    return Loaded(stamps, snapshots)


def _gently(rows: Iterable[T], rest: Callable[[], object]) -> Iterator[T]:
    for number, row in enumerate(rows, start=1):
        yield row
        if number % SLICE == 0:
            rest()


def _libraries(
    tables: Tables, forms: Mapping[str, re.Pattern[str]], share: dict[str, str], rest: Callable[[], object]
) -> Libraries:
    """Read the libraries; leave every code in `share`, so that mappings hold the same text object and not a copy."""
    sizes = {system: size for system, size in tables.sizes().items() if system in forms}  # no registers
    held = {system for system, size in sizes.items() if size <= HELD_MAX}
    records: dict[str, dict[str, Record]] = {}
    for system, code, name, begndate, enddate, vali_flag, gray in _gently(tables.libraries(held), rest):
        record = record_of(
            share.setdefault(name, name),
            share.setdefault(begndate, begndate),
            share.setdefault(enddate, enddate),
            vali_flag,
            gray,
        )
        records.setdefault(system, {})[share.setdefault(code, code)] = record
    looked_up = {system: LookedUp(tables.shelf(system)) for system in sizes.keys() - held}
    return Libraries({**records, **looked_up}, forms) if forms else NO_LIBRARIES


def _rows(mappings: Iterable[tuple[str, str, str, str, str, str]], share: dict[str, str]) -> Iterator[Row]:
    """Turn plain rows into core rows; equal texts become one object (dates, versions and codes repeat by thousands).

    A local code decided to have no national one (`no_code:`) has no row: in the national regime it is a miss.
    """
    one = share.setdefault
    for system, local, national, since, until, version in mappings:
        if national:
            yield Row(
                one(system, system), local, one(national, national), one(since, since), one(until, until),
                one(version, version),
            )  # fmt: skip


@attrs.define(eq=False)
class CodesWatcher:
    """Keeps the snapshots up to date with the store.

    read: opens a look at the store; stamp: cheap number of its state; both may block and run off the reactor.
    offload(call, done, failed): runs call elsewhere and brings the result back on the reactor's thread.
    apply: takes the new snapshots, all at once, on the reactor's thread; '' is for institutions without mappings.
    report: is told what went wrong; the same is tried again at the next poll.
    rest: called every few rows off the reactor; sleeping in it lets the reactor's thread work (a Python thread that
    computes without a pause gives way only every 5 ms).
    """

    clock: Clock
    read: Callable[[], Tables]
    stamp: Callable[[], int]
    offload: Offload
    apply: Callable[[Mapping[str, Snapshot]], None]
    forms: Mapping[str, re.Pattern[str]]
    report: Callable[[Exception], None]
    every_s: float = 2.0
    rest: Callable[[], object] = no_rest
    loaded: Loaded = NOTHING_LOADED
    _retired: Retired = attrs.field(factory=Retired, init=False)
    _seen: int | None = attrs.field(default=None, init=False)
    _applied: int | None = attrs.field(default=None, init=False)
    _running: bool = attrs.field(default=False, init=False)
    _wake: Any = attrs.field(default=None, init=False)

    def load_now(self) -> None:
        """Load on the calling thread, for the start before anything listens. Raises what reading raises."""
        self._done_with(self._look(no_rest))

    def start(self) -> None:
        """Poll from now on; the first look is taken at once."""
        self._running = True
        self._poll()

    def stop(self) -> None:
        """Stop polling; a look under way is thrown away."""
        self._running = False
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None

    def _poll(self) -> None:
        self._wake = None
        self.offload(partial(self._look, self.rest), self._done, self._failed)

    def _look(self, rest: Callable[[], object]) -> Loaded | None:
        """Off the reactor: return what is new, None when nothing is."""
        self._retired.take_down(rest)
        # The stamp is taken before the look: what changes in between is seen as new at the next poll.
        self._seen = self.stamp()
        if self._seen == self._applied:
            return None
        tables = self.read()
        # Building makes hundreds of thousands of tuples and no cycle: collecting meanwhile would only pause requests.
        collecting = gc.isenabled()
        gc.disable()
        try:
            return load(tables, self.forms, self.loaded, rest)
        finally:
            # Frozen before collecting goes on: a collection over the new tables would pause everybody 50 to 90 ms.
            gc.freeze()
            if collecting:
                gc.enable()
            tables.close()

    def _done(self, found: Loaded | None) -> None:
        if not self._running:
            return
        try:
            self._done_with(found)
        except Exception as cause:  # boundary: a fault of ours must not end the polling
            self.report(cause)
        self._again()

    def _done_with(self, found: Loaded | None) -> None:
        if found is not None:
            self.apply(found.snapshots)
            self._retire(self.loaded, found)
            self.loaded = found
            self._applied = self._seen

    def _retire(self, old: Loaded, new: Loaded) -> None:
        """Keep what was replaced until the other thread has taken it down."""
        kept = set(map(id, new.snapshots.values()))
        self._retired.snapshots += [one for one in old.snapshots.values() if id(one) not in kept]
        if EVERYONE in old.snapshots:
            libraries = old.snapshots[EVERYONE].libraries
            if libraries is not new.snapshots[EVERYONE].libraries:
                self._retired.libraries.append(libraries)

    def _failed(self, cause: Exception) -> None:
        if self._running:
            self.report(cause)
            self._again()

    def _again(self) -> None:
        self._wake = self.clock.callLater(self.every_s, self._poll)
