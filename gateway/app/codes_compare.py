"""Two versions of a library compared, or a file with what is in force, and the reach of it in the journal.

The libraries stream by; what is kept is the codes the period's requests used and the codes that die.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path

import attrs

from adapters.store.codes import CodesReader
from adapters.store.codes_library_reader import LibraryLook, columns_of
from adapters.store.codes_sorter import CodesSorter
from adapters.store.evidence_reader import Use, uses
from adapters.store.journal_reader import reading as journal_reading
from gateway.app.codes_files import Tick, opened, reading
from gateway.app.codes_library import LIBRARY_LIMITS, definition, order_of, rows_of, shape_of
from gateway.codes.difference import Change, Comparison, Dying, Radius, Recorded, refused
from gateway.codes.faults import Faults
from gateway.core.code_systems import CodeSystemSpec, translations
from gateway.core.codes import SLOTS
from gateway.core.translation import ITEM

Pair = tuple[Recorded | None, Recorded | None, frozenset[str], frozenset[str]]
Keep = Callable[[Iterable[Change]], None]


class UnknownVersion(Exception):
    """The library has no version of this name."""


@attrs.frozen(kw_only=True)
class Order:
    """What to compare. before, after: names of versions, '' = the one before the newest, and the newest; file: instead
    of `after`, a file that was not imported; whole: the file is the whole library; day: of what dies; since_ms: from
    when on the journal's requests count; journal: None = there is none yet."""

    system: str
    before: str
    after: str
    file: Path | None
    whole: bool
    transaction: str
    day: str
    since_ms: int
    journal: Path | None


@attrs.frozen(kw_only=True)
class Reach:
    """What was found. refused: institution -> requests; dying: mappings in force."""

    before: str
    after: str
    radius: Radius
    refused: dict[str, int]
    dying: tuple[Dying, ...]


def compare(store: Path, order: Order, keep: Keep, tick: Tick) -> Reach | Faults:
    """Compare; `keep` takes the changes as they come. Raises UnknownVersion, ColumnMissing, KeyError, NotAJournal,
    OSError, sqlite3.Error."""
    spec, faults = definition(order.system), Faults()
    with ExitStack() as stack:
        reader = stack.enter_context(reading(store))
        look = LibraryLook.of(reader, order.system)
        if order.file is not None:
            before, after = look.versions[-1].ver if look.versions else "", order.file.name
            pairs = _with_file(look, order, spec, faults, stack, tick)
        else:
            before, after, pairs = _with_versions(look, order)
        used = _used(order)
        radius = Radius(used)
        skip = frozenset(title for column in spec.record_fields if column.role for title in column.accepted)
        keep(radius.meets(Comparison(translations(spec), skip, order.day).changes(pairs)))
        if faults:
            return faults
        dying = tuple(sorted(_dying(reader, order.system, radius))) if radius.dead else ()
    by_request = ((use.request, use.institution, use.national) for use in _uses(order))
    lost = refused(radius.dead, by_request) if radius.dead else {}
    return Reach(before=before, after=after, radius=radius, refused=lost, dying=dying)


def _with_versions(look: LibraryLook, order: Order) -> tuple[str, str, Iterator[Pair]]:
    """Return both names and the pairs of records that are not the same one."""
    try:
        after = look.up_to(order.after)
        newest = after[-1].ver if after else ""
        earlier = order.before or next(
            (one.ver for one in reversed(look.versions) if after and one.id < after[-1].id and one.ver != newest), ""
        )
        before = look.up_to(earlier) if earlier else []
    except KeyError as cause:
        raise UnknownVersion(str(cause.args[0])) from cause
    columns = {version.id: columns_of(version) for version in look.versions}
    found = (
        (old, new, columns[old.library] if old else frozenset(), columns[new.library] if new else frozenset())
        for old, new in look.differing(before, after)
    )
    return earlier, newest, found


def _with_file(
    look: LibraryLook, order: Order, spec: CodeSystemSpec, faults: Faults, stack: ExitStack, tick: Tick
) -> Iterator[Pair]:
    """Return the pairs of what is in force and what the file says; with `whole`, of what the file lacks too."""
    assert order.file is not None
    table = opened(order.file, shape_of(spec, order.transaction), faults, stack, LIBRARY_LIMITS)
    if table is None:
        return iter(())
    standing = look.up_to()
    columns = {version.id: columns_of(version) for version in standing}
    titles = frozenset(table.header)
    sorter = stack.enter_context(CodesSorter())

    def of_the_file() -> Iterator[Pair]:
        row = None
        for row in rows_of(spec, table, faults, tick):
            sorter.take(row.code, row.line, row.enddate)
            old = look.find(row.code, standing)
            yield old, row, columns[old.library] if old else frozenset(), titles

        if row is None and not faults:
            faults.add(0, "", "MF02", "文件没有数据行")
        watch = order_of(spec, faults, table)
        for passed in sorter.in_order():
            watch.passes(*passed)

    def of_the_rest() -> Iterator[Pair]:
        told = (code for code, _, _ in sorter.in_order())
        at = next(told, None)
        for record in look.records(standing) if order.whole and not faults else ():
            while at is not None and at < record.code:
                at = next(told, None)
            if at != record.code:
                yield record, None, columns[record.library], titles

    return chain(of_the_file(), of_the_rest())


def _uses(order: Order) -> Iterator[Use]:
    """Yield the period's uses of the system's codes."""
    if order.journal is None or not order.journal.exists():
        return
    # An institution that sends both codes of an item by itself leaves evidence that names no system.
    items = ITEM if order.system in SLOTS[ITEM] else order.system
    with journal_reading(order.journal) as journal:
        for use in uses(journal, order.since_ms):
            if use.system in (order.system, items):
                yield use


def _used(order: Order) -> dict[str, int]:
    found: dict[str, int] = {}
    for use in _uses(order):
        found[use.national] = found.get(use.national, 0) + 1
    return found


def _dying(reader: CodesReader, system: str, radius: Radius) -> Iterator[Dying]:
    """Yield the mappings in force whose national code dies."""
    for institution in reader.stamps():
        if institution:
            for local, national, *_ in reader.in_force(institution, system):
                if national in radius.dead:
                    yield Dying(institution, local, national, radius.dead[national])
