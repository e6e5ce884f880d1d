"""Opening a catalogue round, and how far each institution is with it: store, files and decisions introduced.

`round` in names of this module is a catalogue round; `gateway.app.rounds` is about something else (loops of the node).
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import groupby
from pathlib import Path

import attrs

from adapters.files.tables import Limits, Shape, TableRefused, open_table
from adapters.store.codes import CodesReader, Deed
from adapters.store.codes_reader import LibraryVersion
from adapters.store.codes_reader import standing as standing_versions
from adapters.store.codes_rounds import ItemCells, RoundRow, RoundsReader, RoundsWriter
from gateway.app.codes_files import SCRIPTS, digest_of, reading
from gateway.codes.catalogue_rounds import (
    ENDING,
    LIMITS,
    RATIOS,
    Change,
    Held,
    Item,
    PriceShape,
    Standing,
    Version,
    change_of,
    items_of,
    price_words,
    prices,
    standing,
    with_prices,
)
from gateway.codes.faults import Faults
from gateway.core.dates import day_of

_FILE_LIMITS = Limits(size_bytes=1 << 30, rows=2_000_000)


class RoundRefused(Exception):
    """The round cannot be opened, found or withdrawn; nothing was stored. The text is Chinese."""


class FileFaults(Exception):
    """A file of ratios or limits has faults of form; no round was opened."""

    def __init__(self, faults: Faults, file: Path) -> None:
        super().__init__(str(file))
        self.faults, self.file = faults, file


@attrs.frozen
class Opened:
    """A round that is open: how many institutions map the library, how many lines change, by kind."""

    number: int
    institutions: int
    kinds: Mapping[str, int]


def open_round(
    store: Path,
    system: str,
    ver: str,
    due: str,
    maker: str,
    files: Mapping[str, Path],
    now: float,
    only_changes: bool = False,
) -> Opened:
    """Announce a released version to the institutions that map its library, each with what changes for it.

    files: "ratio" and "limit", both optional; only_changes: refuse a round in which nothing changes for anybody.
    Raises RoundRefused, FileFaults, ColumnMissing, OSError, sqlite3.Error.
    """
    deed = Deed(maker, int(now * 1000))
    today = day_of(now)
    with reading(store) as reader:
        release, older = _release(reader, system, ver)
    with _writing(store) as writer:
        lists = {kind: _import_prices(writer, kind, file, deed) for kind, file in files.items()}
        with reading(store) as reader:
            changes = _changes(reader, system, release, older, lists)
            number = writer.begin_round(system, release.id, due, deed)
            kinds: dict[str, int] = {}
            places: set[str] = set()
            count = writer.add_items(number, _counted(_all_items(reader, system, changes, today), kinds, places))
        if not places:
            writer.abandon()
            raise RoundRefused(f"没有机构对{system}有生效的对码，未发布")
        if only_changes and not kinds:
            writer.abandon()
            raise RoundRefused("没有受影响的对码，未发布")
        writer.open_round(number, count, (lists.get("ratio", 0), lists.get("limit", 0)), deed)
    return Opened(number, len(places), kinds)


def _release(reader: CodesReader, system: str, ver: str) -> tuple[LibraryVersion, list[int]]:
    """Return a released version, and the ids of those that counted before it, newest first."""
    versions = reader.of(system)
    named = [version for version in versions if version.ver == ver]
    if not named:
        raise RoundRefused(f"{system}没有已导入的版本{ver}，请先用 codes import 导入")
    found = named[-1]
    for one in RoundsReader(reader.connection).rounds():
        if one.library == found.id and one.withdrawn is None:
            raise RoundRefused(f"版本{ver}已由r{one.id}发布；要改期限请先撤回 r{one.id}")
    before = standing_versions([version for version in versions if version.id < found.id])
    return found, [version.id for version in before][::-1]


def _import_prices(writer: RoundsWriter, kind: str, file: Path, deed: Deed) -> int:
    shape = RATIOS if kind == RATIOS.kind else LIMITS
    faults = Faults()
    with ExitStack() as stack:
        try:
            table = open_table(
                file, Shape(titles=shape.titles(), key=("code", "value")), faults.add, stack, _FILE_LIMITS
            )
            number = writer.begin_list(kind, file.name, deed)
            count = writer.add_prices(number, prices(table.rows(), table.at, shape, faults, table.title))
        except TableRefused as cause:
            faults.add(cause.line, "", cause.rule, cause.message)
    if faults:
        writer.abandon()
        raise FileFaults(faults, file)
    writer.close_list(number, count, digest_of(file), deed)
    return number


def _changes(
    reader: CodesReader, system: str, release: LibraryVersion, older: list[int], lists: Mapping[str, int]
) -> dict[str, Change]:
    """Return what changes of the codes that anybody maps to."""
    look = RoundsReader(reader.connection)
    targets = {row[1] for place in _places(reader) for row in reader.in_force(place, system)}
    words: dict[str, list[str]] = {}
    for kind, number in lists.items():
        for code, told in _price_changes(look, RATIOS if kind == RATIOS.kind else LIMITS, number, targets).items():
            words.setdefault(code, []).extend(told)
    changes: dict[str, Change] = {}
    named: set[str] = set()
    for code, cells in look.version(release.id, targets):
        named.add(code)
        old = look.newest(older, code)
        change = change_of(Version(*old) if old else None, Version(*cells))
        if change is not None:
            changes[code] = change
    # Of a whole release, what it does not name is in force no more.
    for code in sorted(targets - named) if release.whole else ():
        if (old := look.newest(older, code)) is not None:
            change = change_of(Version(*old), attrs.evolve(Version(*old), vali_flag="0", enddate=""))
            if change is not None:
                changes[code] = change
    for code, told in words.items():
        now = look.newest([release.id] if release.whole else [release.id, *older], code)
        changed = with_prices(changes.get(code), now[0] if now else "", told)
        if changed is not None:
            changes[code] = changed
    return changes


def _price_changes(look: RoundsReader, shape: PriceShape, number: int, targets: set[str]) -> dict[str, list[str]]:
    before: dict[tuple[str, str], str] = {}
    for told in look.told_lists(shape.kind):
        before.update(_one_list(look, told, targets))
    return price_words(shape, before, _one_list(look, number, targets))


def _one_list(look: RoundsReader, number: int, targets: set[str]) -> dict[tuple[str, str], str]:
    """Return (code, whose) -> value; several rows of one are its periods, in the order of the file."""
    found: dict[tuple[str, str], str] = {}
    for code, label, value in look.prices(number, targets):
        earlier = found.get((code, label))
        found[code, label] = f"{earlier}、{value}" if earlier else value
    return found


def _places(reader: CodesReader) -> list[str]:
    return sorted(place for place in reader.stamps() if place)


def _all_items(reader: CodesReader, system: str, changes: Mapping[str, Change], today: str) -> Iterator[ItemCells]:
    for place in _places(reader):
        rows = [(row[0], row[1], row[3]) for row in reader.in_force(place, system)]
        if rows:
            yield from (attrs.astuple(item) for item in items_of(place, rows, changes, today))


def _counted(items: Iterable[ItemCells], kinds: dict[str, int], places: set[str]) -> Iterator[ItemCells]:
    for item in items:
        places.add(item[0])
        if item[4] != "none":
            kinds[item[4]] = kinds.get(item[4], 0) + 1
        yield item


def find_round(look: RoundsReader, text: str) -> RoundRow:
    """Return a round by its number, `3` or `r3`. Raises RoundRefused."""
    number = text.removeprefix("r")
    found = [one for one in look.rounds() if number.isdecimal() and one.id == int(number)]
    if not found:
        raise RoundRefused(f"没有这一轮目录更新：{text}")
    return found[0]


def standings(reader: CodesReader, one: RoundRow, today: str) -> list[Standing]:
    """Return how far every institution of a round is, by the mappings in force now."""
    look = RoundsReader(reader.connection)
    fetches = look.fetches(one.id)
    versions = [version.id for version in standing_versions(reader.of(one.system))][::-1]
    ends: dict[str, str] = {}

    def last_day_of(code: str) -> str:
        if code not in ends:
            cells = look.newest(versions, code)
            ends[code] = Version(*cells).last_day if cells else ""
        return ends[code]

    found = []
    for place, lines in groupby(look.items(one.id), key=lambda cells: cells[0]):
        items = [Item(*cells) for cells in lines]
        wanted = {item.local for item in items if item.kind in ENDING}
        held = _held(reader, look, one.system, place, wanted) if wanted else []
        fetched = day_of(fetches[place] / 1000) if place in fetches else ""
        found.append(standing(items, held, last_day_of, fetched, one.at_ms, one.due, today))
    return found


def _held(reader: CodesReader, look: RoundsReader, system: str, place: str, wanted: set[str]) -> list[Held]:
    approved = look.approved(place, system)
    rows = reader.in_force(place, system)
    return [Held(row[0], row[1], row[3], approved.get(row[6], 0)) for row in rows if row[0] in wanted]


def list_of(reader: CodesReader, one: RoundRow, institution: str = "") -> list[Item]:
    """Return the lines of a round. Raises RoundRefused when the institution is not concerned."""
    items = [Item(*cells) for cells in RoundsReader(reader.connection).items(one.id, institution)]
    if not items:
        raise RoundRefused(f"r{one.id}不涉及机构{institution}：它没有{one.system}的生效对码")
    return [item for item in items if item.kind != "none"]


def mark_fetched(store: Path, one: RoundRow, institution: str, who: str, way: str, now: float) -> None:
    """Keep that an institution got its list. way: export, show, api."""
    with _writing(store) as writer:
        writer.fetched(one.id, institution, way, Deed(who, int(now * 1000)))


def withdraw(store: Path, one: RoundRow, who: str, reason: str, now: float) -> None:
    """Take a round back; it stays readable. Raises RoundRefused when it was taken back before."""
    if one.withdrawn is not None:
        raise RoundRefused(f"r{one.id}已撤回：{one.withdrawn}")
    with _writing(store) as writer:
        writer.withdraw(one.id, reason, Deed(who, int(now * 1000)))


@contextmanager
def _writing(store: Path) -> Iterator[RoundsWriter]:
    writer = RoundsWriter.begin(store, SCRIPTS)
    try:
        yield writer
    finally:
        writer.close()
