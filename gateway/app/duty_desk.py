"""The desk where entry requests are handled: store, key, division table and clock introduced to each other.

What is decided lies in `gateway.codes.duty_*`; what is stored in `adapters.store.codes_duties`. Contents rest sealed
under the journal's key (annex X34) and are opened only to be judged, shown to a reviewer, or written in the national
form; no name or number of a person is in anything raised or logged from here.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import attrs

from adapters.crypto.digest import sm3
from adapters.crypto.vault import VaultError
from adapters.store.codes_duties import ENTRIES_MAX, DutiesReader, DutiesWriter, EntryRow, NewEntry, StepRow
from gateway.app.codes_files import SCRIPTS, code_systems, reading
from gateway.app.config import Config
from gateway.app.duties_config import read_duties
from gateway.app.sealing import Box as SealingBox
from gateway.codes.content import same_person
from gateway.codes.duties import Duties, Register
from gateway.codes.duty_entries import Action, Entry, library_values, unique_keys, values_of
from gateway.codes.duty_steps import Known, Step, StepName, allowed, finding
from gateway.codes.library import record_of
from gateway.core.codes import LATEST
from gateway.core.dates import day_of

_RANGE = re.compile(r"([0-9]{1,12})(?:-([0-9]{1,12}))?")
_GROUP = re.compile(r"([fx])([0-9]{1,12})")
SIGHT_CHARACTERS = 16


class DutyRefused(Exception):
    """What was asked cannot be done to these entries now; nothing was stored. problems: Chinese, no personal data."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class DutyUsage(DutyRefused):
    """The command itself is wrong: an unknown register, owner or number (exit 2)."""


@attrs.frozen
class Box(SealingBox):
    """Seals entries; `key` names what may stand in them only once."""

    purpose = "liangding duties names"

    def key(self, system: str, parts: Sequence[str]) -> str:
        return self.name("\x1f".join((system, *parts)).encode())


def bound_to(owner: str, system: str, action: str, digest: str) -> bytes:
    """Return what a sealed content is bound to: moved to another entry it does not open."""
    return f"duty {system} {owner} {action} {digest}".encode()


@attrs.frozen(kw_only=True)
class Desk:
    """One installation's desk at one moment."""

    config: Config
    duties: Duties
    entropy: Callable[[int], bytes]
    now: float

    @classmethod
    def open(cls, config: Config, entropy: Callable[[int], bytes], now: float) -> "Desk":
        return cls(config=config, duties=read_duties(config.duties), entropy=entropy, now=now)

    @property
    def store(self) -> Path:
        return self.config.room("codes")

    @property
    def today(self) -> str:
        return day_of(self.now)

    @property
    def at_ms(self) -> int:
        return int(self.now * 1000)

    def register(self, system: str) -> Register:
        found = self.duties.register.get(system)
        if found is None:
            known = "、".join(sorted(self.duties.register))
            raise DutyUsage(f"{system}不在维护分工表中（可用：{known}）")
        return found

    def form(self, system: str) -> re.Pattern[str]:
        return re.compile(code_systems()[system].regex)

    @contextmanager
    def looking(self) -> Iterator[DutiesReader]:
        """Take one consistent look at the entries. Raises OtherVersion, sqlite3.Error."""
        with reading(self.store) as reader:
            yield DutiesReader(reader.connection)

    @contextmanager
    def writing(self) -> Iterator[DutiesWriter]:
        writer = DutiesWriter.begin(self.store, SCRIPTS)
        try:
            yield writer
        finally:
            writer.close()


def check_person(name: str, allowed_names: Sequence[str], what: str) -> None:
    """Refuse a nameless person, and one the division table does not name for this."""
    if not name.strip():
        raise DutyUsage(f"MA17 {what}不能为空")
    if allowed_names and not any(same_person(name, one) for one in allowed_names):
        raise DutyUsage(f"{name}不在分工表的{what}之列")


def chosen(reader: DutiesReader, texts: Iterable[str]) -> list[Known]:
    """Return the entries that numbers name: `5`, `5-9`, `f2` (a filing), `x3` (an export); each once, in order."""
    rows: dict[int, EntryRow] = {}
    for text in texts:
        if found := _GROUP.fullmatch(text):
            named = reader.of_filing(int(found[2])) if found[1] == "f" else reader.of_export(int(found[2]))
        elif found := _RANGE.fullmatch(text):
            named = reader.by_number(int(found[1]), int(found[2] or found[1]))
        else:
            raise DutyUsage(f"申报号写法不对：{text}（应为5、5-9、f2或x3）")
        if not named:
            raise DutyUsage(f"没有申报{text}")
        rows.update({row.id: row for row in named})
    if len(rows) > ENTRIES_MAX:
        raise DutyUsage(f"一次最多处理{ENTRIES_MAX}条")
    return known_of(reader, [rows[number] for number in sorted(rows)])


def known_of(reader: DutiesReader, rows: Sequence[EntryRow]) -> list[Known]:
    """Return rows with their steps."""
    steps = reader.steps(row.id for row in rows)
    return [
        Known(
            id=row.id,
            filing=row.filing,
            line=row.line,
            owner=row.owner,
            system=row.system,
            action=cast(Action, row.action),
            maker=row.maker,
            at_ms=row.at_ms,
            code=row.code,
            division=row.division,
            corrects=row.corrects,
            digest=row.digest,
            keys=tuple(key for key in (row.key_a, row.key_b) if key),
            steps=tuple(_step(step) for step in steps[row.id]),
        )
        for row in rows
    ]


def _step(row: StepRow) -> Step:
    name = cast(StepName, row.step)
    return Step(row.entry, name, row.who, row.at_ms, row.code, row.note, row.day, row.export)


def everything(reader: DutiesReader, system: str = "", owner: str = "") -> list[Known]:
    """Return all entries of a register and an owner ('' = all), with the day a returned one was filed again."""
    entries = known_of(reader, reader.entries(system, owner))
    again: dict[tuple[object, ...], list[Known]] = {}
    for one in entries:
        for mark in (("corrects", one.corrects), *((one.owner, one.system, key) for key in one.keys)):
            again.setdefault(mark, []).append(one)
    return [_corrected(one, again) for one in entries]


def _corrected(entry: Known, again: dict[tuple[object, ...], list[Known]]) -> Known:
    returned = entry.last("returned")
    if returned is None:
        return entry
    marks = (("corrects", entry.id), *((entry.owner, entry.system, key) for key in entry.keys))
    later = [one.at_ms for mark in marks for one in again.get(mark, ()) if one.id > entry.id]
    later = [at_ms for at_ms in later if at_ms >= returned.at_ms]
    return attrs.evolve(entry, corrected_ms=min(later)) if later else entry


def opened(box: Box, reader: DutiesReader, entry: Known) -> dict[str, str]:
    """Return the content of an entry. Raises VaultError when it is not what its digest names."""
    content = box.vault.open(reader.sealed(entry.id), bound_to(entry.owner, entry.system, entry.action, entry.digest))
    if box.name(content) != entry.digest:
        raise VaultError("申报内容与登记的内容摘要不符")
    return values_of(content)


def sealed(
    box: Box, owner: str, system: str, action: Action, register: Register, entry: Entry, division: str
) -> NewEntry:
    """Return an entry as it may rest."""
    content = entry.content()
    digest = box.name(content)
    keys = [box.key(system, parts) for parts in unique_keys(register, entry.values)] + ["", ""]
    return NewEntry(
        line=entry.line,
        code=entry.values.get(register.code_field, ""),
        division=division,
        corrects=int(entry.values.get("corrects", "0")),
        digest=digest,
        key_a=keys[0],
        key_b=keys[1],
        sealed=box.vault.seal(content, bound_to(owner, system, action, digest)),
    )


def sight(entries: Iterable[Known], codes: Iterable[str] = ()) -> str:
    """Return the short check value of what was shown: entries, their contents and the codes beside them."""
    given = list(codes)
    lines = [f"{one.id} {one.digest} {given[place] if given else ''}" for place, one in enumerate(entries)]
    return sm3("\n".join(lines).encode()).hex()[:SIGHT_CHARACTERS]


def check_steps(desk: Desk, entries: Iterable[Known], name: StepName, who: str, *, second: bool) -> None:
    """Refuse when any entry cannot take the step now. second: the step belongs to another person than the maker."""
    problems = []
    for one in entries:
        why = allowed(one, name, desk.register(one.system).assigns)
        if not why and second and same_person(one.maker, who):
            why = f"MA17 {one.id}号：申报人与{'赋码人' if name == 'assigned' else '审核人'}不能是同一人"
        if why:
            problems.append(why)
    if problems:
        raise DutyRefused(*problems)


@attrs.frozen
class Shelf:
    """What is known of a register: key -> code and code -> usable of the library in force, and our own codes."""

    listed: dict[str, str]
    usable: dict[str, bool]
    assigned: set[str]
    retired: set[str]


@attrs.frozen
class Findings:
    """Judges entries against the store as one look sees it; each library is read once."""

    desk: Desk
    box: Box
    reader: DutiesReader
    shelves: dict[str, Shelf] = attrs.Factory(dict)

    def of(self, entry: Known) -> tuple[str, str] | None:
        """Return (rule, message) of what keeps an entry from passing, or None."""
        shelf = self.shelf(entry.system)
        same = known_of(self.reader, self.reader.same_as(entry.system, entry.keys, entry.code))
        in_force: bool | None = None
        if entry.code in shelf.retired:
            in_force = False
        elif shelf.usable or entry.code in shelf.assigned:
            in_force = shelf.usable.get(entry.code, entry.code in shelf.assigned)
        listed = next((code for key in entry.keys if (code := shelf.listed.get(key))), "")
        return finding(entry, same, listed, in_force, shelf.retired)

    def shelf(self, system: str) -> Shelf:
        """Return what is known of a register."""
        if system not in self.shelves:
            register, today = self.desk.register(system), self.desk.today
            shelf = Shelf({}, {}, self.reader.assigned(system), self.reader.retired(system))
            for code, name, begndate, enddate, flag, gray, raw in self.reader.records(system):
                record = record_of(name, begndate, enddate, flag, gray)
                shelf.usable[code] = record[1] <= today <= (record[2] or LATEST)
                if shelf.usable[code]:
                    for parts in unique_keys(register, library_values(register, raw)):
                        shelf.listed[self.box.key(system, parts)] = code
            self.shelves[system] = shelf
        return self.shelves[system]
