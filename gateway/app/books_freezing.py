"""Freezing a day: the run's files read once more, canonical lines written, chained and signed; and verifying it all.

Proposing and carrying out read the same files and must come to the same content: what the second person approved is
what is frozen. Sources: reconciliation §6.5, §6.6.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import zip_longest
from pathlib import Path
from typing import Any

import attrs

from adapters.crypto.digest import sm3_hasher
from adapters.files.workplace import Workplace
from adapters.ledgers.by_key import RowsByKey
from adapters.store.books_freeze import BATCH, FreezeReader, FreezeRow, Input
from adapters.store.books_freeze_writer import FreezeWriter
from gateway.app.books_midnight import Event, KeyFacts, beside, owed
from gateway.app.books_sources import one_source, own_sources
from gateway.books.adjusting import count_of, twice
from gateway.books.freezing import (
    CARRIED,
    CITY,
    MAY_BE_FROZEN,
    WITHHELD,
    DayFacts,
    Fee,
    Header,
    InputMark,
    Objection,
    Sums,
    fees_of,
    in_scope,
    lines_of,
    objections,
    read_back,
    remote,
)
from gateway.books.midnight import parted
from gateway.core.approval import Signer, Verifier
from gateway.core.dates import shifted
from gateway.core.ledgers import NAMES

_CHUNK = 1 << 20
_OWN = ("INST", "GW", "AGY")
_CITY = ("AGY", "PROV", "INS")


class CannotFreeze(Exception):
    """The day stays as it is. objections: every reason."""

    def __init__(self, objections: Sequence[Objection]) -> None:
        super().__init__("；".join(f"[{one.code}] {one.text}" for one in objections))
        self.objections = tuple(objections)


@attrs.frozen(kw_only=True)
class Plan:
    """A day that may be frozen, and of what files. unchecked: remote patients wait for the three-way check."""

    header: Header
    files: tuple[tuple[int, Path, Input], ...]
    held: Mapping[str, str]
    unchecked: bool
    adjustments: tuple[str, ...]
    watched: frozenset[str]  # settlements adjusted anywhere in the scope
    owed: Mapping[Event, str]  # what a frozen day beside it says that this one counts, by that day
    reopens: int
    workplace: Path  # for the files of the sorting, which are removed


@attrs.frozen(kw_only=True)
class Passed:
    """What one pass over the files came to. unchecked: settlements held until the three-way check agrees."""

    rows: int
    fees: int
    unchecked: int
    rows_sm3: str
    sums: Sums
    counted: Mapping[str, int]  # of settlements that are taken back, watched, near: how often they count this day
    near: frozenset[str]  # settlements of which some ledger has a row a day off
    elsewhere: Mapping[Event, str]  # what another day counts, by its date
    met: frozenset[Event]  # what of `owed` counts


Take = Callable[[list[str], list[Fee]], object]


def plan(look: FreezeReader, data_dir: Path, role: str, scope: str, date: str, *, province: bool) -> Plan:
    """Say what would be frozen. province: as `three_way`. Raises CannotFreeze when the run's inputs are not what they
    were; the state of the day is judged by `judged`."""
    run = look.run(role, date)
    if run is None:
        raise CannotFreeze([Objection("BF-RUN", f"{date}没有对账结果，请先对账（books day）")])
    files = [(NAMES.index(one.ledger), data_dir / one.path, one) for one in own_inputs(look, run[0], scope)]
    if not files:
        raise CannotFreeze([Objection("BF-INPUT", f"{date}的对账没有{scope}的账目，无可固化")])
    if changed := [one for _, path, one in files if _sm3_of(path) != one.sm3]:
        names = "、".join(one.path for one in changed)
        raise CannotFreeze([Objection("BF-FILE", f"账目文件与对账时不同或已不在：{names}，请恢复原文件或重新对账")])
    before = _opened(look, role, scope, date)
    adjusted = read_back(sorted(one.line for one in look.adjusted(role, scope)), ())
    header = Header(
        role=role, scope=scope, date=date, revision=run[1], run_id=run[0],
        inputs=tuple(InputMark(one.ledger, one.scope, one.sm3, one.rows) for _, _, one in files),
        reopened=before.freeze_sm3 if before is not None else "",
    )  # fmt: skip
    return Plan(
        header=header, files=tuple(files), held=look.held(role, scope, date),
        unchecked=scope != CITY and not three_way(look, role, date, province),
        adjustments=tuple(look.adjustments(role, scope, date)), reopens=before.id if before is not None else 0,
        watched=frozenset(fee.setl_id for _, fees in adjusted for fee in fees), workplace=data_dir,
        owed=owed(look, role, scope, date),
    )  # fmt: skip


def three_way(look: FreezeReader, role: str, date: str, province: bool) -> bool:
    """Say whether remote patients of a day passed the check of agency, province and place of insurance, too (003
    7.6.4.5 b): the city's day says so. province: the node has one configured for the role.

    Where there is none and nobody handed a statement in, this node cannot see that check, and leg 1 decides (B4: a
    ledger that is not given is not compared).
    """
    run = look.run(role, date)
    stated = run is not None and any(one.ledger == "PROV" for one in look.inputs(run[0]))
    return not (province or stated) or look.state(role, CITY, date) in (*MAY_BE_FROZEN, "FROZEN")


def own_inputs(look: FreezeReader, run_id: str, scope: str) -> list[Input]:
    """Return the files of a run that concern a scope, one source for each institution and ledger."""
    wanted = _CITY if scope == CITY else _OWN
    by_date: dict[str, list[Input]] = {}
    for one in look.inputs(run_id):
        by_date.setdefault(one.biz_date, []).append(one)
    found = [one for inputs in by_date.values() for one in one_source(inputs)]
    return [one for one in found if one.ledger in wanted and (scope == CITY or one.scope in (scope, CITY))]


def _opened(look: FreezeReader, role: str, scope: str, date: str) -> FreezeRow | None:
    """Return the newest freeze of the day; it was opened again, else the day would not be frozen anew."""
    found = look.newest(role, scope, date)
    return found if found is not None and found.opened else None


def _sm3_of(path: Path) -> str:
    state = sm3_hasher()
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                state.update(chunk)
    except FileNotFoundError:
        return ""
    return str(state.digest().hex())


def judged(look: FreezeReader, planned: Plan, passed: Passed, checks_block: bool) -> list[Objection]:
    """Return why the day may not be frozen as it stands."""
    head = planned.header
    where = (head.role, head.scope, head.date)
    actions, pending, still_open = look.open_work(*where)
    unread = [f"{ledger} {'全市' if of == CITY else of}" for ledger, of in look.unread(*where, head.run_id)]
    facts = DayFacts(
        unread=unread, state=look.state(*where), pending_actions=actions, pending_gw=pending, open_diffs=still_open,
        check_faults=passed.sums.faults, frozen=look.day(*where) is not None,
    )  # fmt: skip
    found = [*objections(facts, checks_block), *_doubled(look, planned, passed)]
    return [*found, *beside(look, head, passed.elsewhere, planned.owed, passed.met)]


def _doubled(look: FreezeReader, planned: Plan, passed: Passed) -> Iterator[Objection]:
    """Yield what would count twice, or less than nothing, with this day in force."""
    head = planned.header
    for setl_id, today in sorted(passed.counted.items()):
        known = [Fee(*row[3]) for row in look.of_settlement(head.role, head.scope, setl_id)]
        if known:  # else what is taken back was settled before the first freeze
            yield from twice(setl_id, count_of(known), today, setl_id in planned.watched or setl_id in passed.near)


def read_through(planned: Plan, take: Take | None = None) -> Passed:
    """Read the files key by key, telling `take` the lines and fees. Raises EngineFailed, LedgerRefused, OSError."""
    state, sums = sm3_hasher(), Sums()
    counts: dict[str, int] = {}
    near: set[str] = set()
    apart: dict[Event, str] = {}
    met: set[Event] = set()
    rows = fees = unchecked = 0
    for lines, counted, key in _keys(planned):
        unchecked += key.waits
        apart |= key.elsewhere
        met |= planned.owed.keys() & {(fee.key, fee.direction) for fee in counted}
        state.update("".join(f"{line}\n" for line in lines).encode())
        for fee in counted:
            sums.add(fee)
        setl_id, number = next((fee.setl_id for fee in counted), ""), count_of(counted)
        if setl_id and key.near:
            near.add(setl_id)
        if setl_id and (number < 0 or key.near or setl_id in planned.watched):
            counts[setl_id] = counts.get(setl_id, 0) + number
        rows += len(lines)
        fees += len(counted)
        if take is not None:
            take(lines, counted)
    return Passed(
        rows=rows, fees=fees, unchecked=unchecked, rows_sm3=state.digest().hex(), sums=sums, counted=counts,
        near=frozenset(near), elsewhere=apart, met=frozenset(met),
    )  # fmt: skip


def _keys(planned: Plan) -> Iterator[tuple[list[str], list[Fee], KeyFacts]]:
    """Yield (lines, fees, what else is known) of every key in order: of the ledgers, and of the adjustments dated the
    day."""
    head, order = planned.header, planned.header.order
    waiting = list(read_back(sorted(planned.adjustments), order))
    files = sorted((one for one in planned.files if one[2].rows), key=lambda one: one[:2])
    own = own_sources(one for _, _, one in planned.files)
    if not files:  # a day without settlements, as its files say: nothing to sort
        yield from ((*one, KeyFacts()) for one in waiting)
        return
    place = Workplace.make(".freeze-", planned.workplace)
    size = sum(path.stat().st_size for _, path, _ in files)
    with place as folder, closing(RowsByKey(folder, head.date, size)) as rows:
        for ledger, path, one in files:
            # Who has a source of his own that date is left out of the one for the whole city.
            others = [code for *of, code in own if of == [one.ledger, one.biz_date]] if one.scope == CITY else []
            rows.load(ledger, path, sorted(others))
        for group in rows.groups():
            if not in_scope(group, head.scope):
                continue
            key = group[0].key
            while waiting and _key(waiting[0]) < key:
                yield (*waiting.pop(0), KeyFacts())
            held = planned.held.get(key, "")
            waits = planned.unchecked and not held and remote(group)
            held = WITHHELD if waits else held
            kept, apart = parted(group, order)
            days = {way: shifted(head.date, off) for way, off in apart.items()}
            lines, fees = lines_of(kept, head.date, held, days), fees_of(kept, order, held)
            if waiting and _key(waiting[0]) == key:
                more, adjusted = waiting.pop(0)
                lines, fees = [*lines, *more], [*fees, *adjusted]
            off = {(key, way): day for way, day in days.items()}
            yield lines, fees, KeyFacts(waits=waits, near=any(row.day for row in group), elsewhere=off)
    yield from ((*one, KeyFacts()) for one in waiting)


def _key(one: tuple[list[str], list[Fee]]) -> str:
    return one[1][0].key


def content(planned: Plan, passed: Passed) -> bytes:
    """Return what two people decide about: everything that will be frozen, by digest, with its sums in fen."""
    plain = {
        "header": json.loads(planned.header.line()), "rows": passed.rows, "fees": passed.fees,
        "rows_sm3": passed.rows_sm3, "held": len(planned.held) + passed.unchecked,
        "unchecked": passed.unchecked,
        "carried": sum(why == CARRIED for why in planned.held.values()), "adjustments": len(planned.adjustments),
        "sums": passed.sums.rows(),
    }  # fmt: skip
    return json.dumps(plain, ensure_ascii=False, sort_keys=True).encode()


def subject(planned: Plan) -> str:
    head = planned.header
    return f"{head.role}/{head.scope}/{head.date}"


def carry_out(
    writer: FreezeWriter, planned: Plan, approved: bytes, people: tuple[str, str, int], signer: Signer, at_ms: int,
    checks_block: bool, tell: Callable[[FreezeRow], object] = lambda _: None,
) -> FreezeRow:  # fmt: skip
    """Freeze the day. approved: the content two people decided about; people: maker, checker, approval; tell: hears of
    it just before it is in force, and prevents it by raising.

    Raises CannotFreeze when the day or its content is not what was approved, NotInForce, and what reading raises.
    """
    head, prev = planned.header, writer.last_sm3()
    number = writer.begin(head.role, head.scope, head.date, at_ms)
    state = sm3_hasher()
    state.update(f"{prev}\n{head.line()}\n".encode())
    lines: list[tuple[int, str]] = []
    fees: list[tuple[int, tuple[Any, ...]]] = []
    counted = [0, 0]

    def take(some: list[str], found: list[Fee]) -> None:
        state.update("".join(f"{line}\n" for line in some).encode())
        for line in some:
            counted[0] += 1
            lines.append((counted[0], line))
        for fee in found:
            counted[1] += 1
            fees.append((counted[1], fee))
        if len(lines) >= BATCH:
            writer.add(number, lines, fees)
            lines.clear()
            fees.clear()

    passed = read_through(planned, take)
    writer.add(number, lines, fees)
    if found := judged(writer, planned, passed, checks_block):
        raise CannotFreeze(found)
    if content(planned, passed) != approved:
        raise CannotFreeze([Objection("BF-CHANGED", "内容与核准时不同，核准作废，请重新提出")])
    digest = state.digest()
    row = FreezeRow(
        id=number, role=head.role, scope=head.scope, biz_date=head.date, prev_sm3=prev, header=head.line(),
        rows=passed.rows, fees=passed.fees, freeze_sm3=digest.hex(), key_id=signer.public.hex(),
        signature=signer.sign(digest).hex(), maker=people[0], checker=people[1], approval=people[2],
        reopens=planned.reopens, at_ms=at_ms,
    )  # fmt: skip
    tell(row)
    writer.enforce(row, passed.sums.rows())
    return row


# --- verifying -------------------------------------------------------------------------------------


@attrs.frozen
class Finding:
    """What is wrong with a frozen day."""

    freeze: int
    scope: str
    date: str
    code: str
    text: str


def verify(look: FreezeReader, check: Verifier, tick: Callable[[FreezeRow], object] = lambda _: None) -> list[Finding]:
    """Recompute the whole chain: lines, digests, signatures, fees, sums. Returns everything that does not hold."""
    found: list[Finding] = []
    prev = ""
    for row in look.all():
        tick(row)
        found += (Finding(row.id, row.scope, row.biz_date, code, text) for code, text in _wrong(look, row, prev, check))
        prev = row.freeze_sm3
    return found


def _wrong(look: FreezeReader, row: FreezeRow, prev: str, check: Verifier) -> Iterator[tuple[str, str]]:
    if row.prev_sm3 != prev:
        yield "BV-CHAIN", "与前一次固化的链接不符：中间有固化被删除或插入"
    try:
        head, again = Header.read(row.header), _Again(row)
        again.read(look, head.order)
    except (ValueError, TypeError, KeyError, IndexError):
        yield "BV-LINE", "固化行或抬头已不可读"
        return
    if not again.whole:
        yield "BV-ROWS", "固化行与固化摘要不符：内容被改动"
    if (head.role, head.scope, head.date) != (row.role, row.scope, row.biz_date):
        yield "BV-HEAD", "固化记录与其抬头不符"
    if not check.verify(bytes.fromhex(row.freeze_sm3), bytes.fromhex(row.signature)):
        yield "BV-SIGN", "签名不成立"
    if again.differs:
        yield "BV-FEES", "清算用的明细与固化行不符"
    if [tuple(one) for one in look.sums(row.id)] != again.sums.rows():
        yield "BV-SUMS", "清算用的合计与固化行不符"


@attrs.define
class _Again:
    """One freeze computed again from its lines, in bounded memory."""

    row: FreezeRow
    sums: Sums = attrs.Factory(Sums)
    lines: int = 0
    fees: int = 0
    differs: bool = False
    whole: bool = False

    def read(self, look: FreezeReader, order: Sequence[int]) -> None:
        state = sm3_hasher()
        state.update(f"{self.row.prev_sm3}\n{self.row.header}\n".encode())

        def lines() -> Iterator[str]:
            for line in look.lines(self.row.id):
                state.update(f"{line}\n".encode())
                self.lines += 1
                yield line

        for fee, kept in zip_longest(_fees(lines(), order), look.fees(self.row.id)):
            self.differs = self.differs or fee is None or kept is None or tuple(fee) != kept
            if fee is not None:
                self.sums.add(fee)
                self.fees += 1
        counted = (self.lines, self.fees) == (self.row.rows, self.row.fees)
        self.whole = counted and state.digest().hex() == self.row.freeze_sm3


def _fees(lines: Iterable[str], order: Sequence[int]) -> Iterator[Fee]:
    for _, fees in read_back(lines, order):
        yield from fees
