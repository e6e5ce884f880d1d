"""The files of one run put together: for each ledger the inputs of its date, of the days beside it (T1-T3), and of the
400 days before whatever a refund cancels (B10). Whose ledgers are complete is said for each (decision 0011).
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import chain
from pathlib import Path

import attrs

from adapters.crypto.digest import sm3
from adapters.store.books import EVERYWHERE, BooksStore, Input
from gateway.app.books_shelf import write_rows
from gateway.app.books_sources import counts, one_source, own_sources
from gateway.books.scope import CARE
from gateway.core.dates import day_start_ms
from gateway.core.ledgers import AGY, COLUMNS, GW, INS, INST, NAMES, PROV, clean

INSURED_SCOPE = "insured"  # of the province's statement for the other role
GRACE_MS = 30 * 60_000  # after midnight a business day is still open (§4.3)
_LEDGERS: Mapping[str, Sequence[int]] = {"care": (INST, GW, AGY, PROV, INS), "insured": (AGY, PROV, INS)}
_BACK = (INST, AGY)  # ledgers that come day by day, so that what a refund cancels lies in another file

Cells = dict[str, str]


@attrs.frozen(kw_only=True)
class Snapshot:
    """What one run goes over. day: inputs of its date; used: with those of the days beside it; missing: (ledger,
    institution) that lack or are incomplete; short: ledgers that are incomplete as a whole; back: (date, institution)
    of older files its refunds lead to."""

    run_id: str
    day: tuple[Input, ...]
    used: tuple[Input, ...]
    institutions: tuple[str, ...]
    missing: frozenset[tuple[int, str]]
    short: frozenset[int]
    later: frozenset[tuple[int, str]]
    given: frozenset[int]
    back: tuple[tuple[str, str], ...] = ()

    @property
    def inputs(self) -> tuple[int, ...]:
        return tuple(one.id for one in self.used)


def snapshot(
    store: BooksStore, role: str, biz_date: str, institutions: Sequence[str], now_ms: int, provisional: bool = False,
    province: bool = False,
) -> Snapshot:  # fmt: skip
    """Choose the inputs of a run; equal choices have equal run_ids. provisional: of a look at a day that is not over,
    which is another run than that over the same inputs later; what the node was told before the day was over is not
    complete after it. province: one is configured for the role; what it owes the insured role and has not given is
    incomplete (§4.2), not left out. Raises sqlite3.Error."""
    day = date.fromisoformat(biz_date)
    here = [
        attrs.evolve(one, complete=one.complete and (provisional or not one.early))
        for one in _of_role(store.inputs(biz_date), role)
    ]
    before = _of_role(store.inputs((day - timedelta(days=1)).isoformat()), role)
    after = _of_role(store.inputs((day + timedelta(days=1)).isoformat()), role)
    codes = sorted({*institutions, *(one.scope for one in here if one.ledger in ("INST", "AGY"))} - {EVERYWHERE})
    complete = {(one.ledger, one.scope) for one in here if one.complete}
    # What may lack rows does not say that the others lack theirs: the next day is there when it is whole (§4.2, T3).
    there = {(one.ledger, one.scope) for one in after if one.complete}
    missing, later = set(), set()
    for code in codes:
        for ledger in (INST, AGY):
            if (NAMES[ledger], code) not in complete and (NAMES[ledger], EVERYWHERE) not in complete:
                missing.add((ledger, code))
            if (NAMES[ledger], code) in there or (NAMES[ledger], EVERYWHERE) in there:
                later.add((ledger, code))
        if now_ms >= day_start_ms(day + timedelta(days=1)) + GRACE_MS:
            later.add((GW, code))
        later |= {(ledger, code) for ledger in (PROV, INS) if any(name == NAMES[ledger] for name, _ in there)}
    others = {NAMES.index(one.ledger) for one in here if one.scope == INSURED_SCOPE or one.ledger in ("PROV", "INS")}
    owed = frozenset(_LEDGERS[role]) if province and role != CARE else frozenset[int]()
    used = (*here, *(one for one in (*before, *after) if one.ledger != "GW"))
    given = frozenset({INST, GW, AGY} | others) if role == CARE else others | owed
    short = {NAMES.index(one.ledger) for one in here if not one.complete} & others
    return Snapshot(
        run_id=_run_id(role, biz_date, codes, used, later, provisional), day=tuple(here),
        used=used, institutions=tuple(codes),
        missing=frozenset(missing if role == CARE else ()),
        short=frozenset(short | (owed - others)), later=frozenset(later), given=frozenset(given),
    )  # fmt: skip


def scope_of(role: str) -> str:
    """Return the scope of a city-wide ledger for a role: a province has one statement for each."""
    return EVERYWHERE if role == CARE else INSURED_SCOPE


def _of_role(inputs: list[Input], role: str) -> list[Input]:
    names = {NAMES[ledger] for ledger in _LEDGERS[role]}
    return one_source([one for one in inputs if one.ledger in names and (one.scope == INSURED_SCOPE) == (role != CARE)])


def _run_id(
    role: str, biz_date: str, codes: Sequence[str], used: Sequence[Input], later: set[tuple[int, str]],
    provisional: bool,
) -> str:  # fmt: skip
    named = sorted(f"{one.ledger}|{one.scope}|{one.biz_date}|{one.sm3}|{one.complete}" for one in used)
    near = sorted(f"{ledger}|{code}" for ledger, code in later)
    early = ("", "provisional") if provisional else ()
    return sm3("\n".join((role, biz_date, *codes, "", *named, "", *near, *early)).encode()).hex()


def looking_back(store: BooksStore, chosen: Snapshot, biz_date: str, data: Path) -> Snapshot:
    """Return a snapshot named by the files of older dates, too, in which its refunds find what they cancel: a run after
    one of them was corrected is another. Raises OSError, sqlite3.Error."""
    journal = [one for one in chosen.used if one.ledger == NAMES[GW]] if GW in chosen.given else []
    near = {(date.fromisoformat(biz_date) + timedelta(days=off)).isoformat() for off in (-1, 0, 1)}
    refunded, older = set(), {}
    for row in (row for one in journal for row in read_rows(data / one.path)):
        key, when = (row["fixmedins_code"], row["setl_id"]), row["setl_time"][:10]
        if row["direction"] == "1":
            refunded.add(key)
        elif when not in near:
            older[key] = when
    places = sorted({(when, key[0]) for key, when in older.items() if key in refunded})
    files = [one for when, code in places for ledger in _BACK for one in _dated(store, ledger, when, code)]
    if not files:
        return attrs.evolve(chosen, back=tuple(places))
    named = sorted({f"{one.ledger}|{one.scope}|{one.biz_date}|{one.sm3}" for one in files})
    run_id = sm3("\n".join((chosen.run_id, *named)).encode()).hex()
    return attrs.evolve(chosen, run_id=run_id, back=tuple(places))


def _dated(store: BooksStore, ledger: int, day: str, code: str) -> list[Input]:
    """Return the files of a ledger and a date in which an institution's rows are looked for."""
    named = [one for one in store.inputs(day) if one.ledger == NAMES[ledger] and one.scope in (code, EVERYWHERE)]
    return one_source(named)


def put_together(store: BooksStore, chosen: Snapshot, data: Path, workplace: Path) -> dict[int, Path]:
    """Write one file for each ledger of a run: of what was chosen, whatever came in since. Raises OSError,
    sqlite3.Error."""
    own = {ledger: [one for one in chosen.used if one.ledger == NAMES[ledger]] for ledger in range(5)}
    originals: dict[tuple[str, str], Cells] = {}
    files = {}
    for ledger in (GW, INST, AGY, PROV, INS):
        if ledger not in chosen.given:
            continue
        wanted: set[tuple[str, str]] = set()
        path = workplace / f"{NAMES[ledger]}.csv"
        rows = _rows(own[ledger], data, wanted)
        if ledger == GW:
            rows = _noting(rows, _refunds(own[GW], data), originals)
        elif ledger in _BACK:
            # The second begins when the first has ended: only then is it known what is wanted.
            rows = chain(rows, _back(store, ledger, wanted, originals, data))
        write_rows(path, COLUMNS if ledger == GW else [name for name in COLUMNS if name != "delivered"], rows)
        files[ledger] = path
    return files


def _rows(inputs: Sequence[Input], data: Path, wanted: set[tuple[str, str]]) -> Iterator[Cells]:
    """Yield the rows of all; wanted: (institution, setl_id) of refunds whose settlement is not among them."""
    here: set[tuple[str, str]] = set()
    refunds: set[tuple[str, str]] = set()
    own = own_sources(inputs)
    for one in inputs:
        for row in read_rows(data / one.path):
            if not counts(one, row.get("fixmedins_code", ""), own):
                continue
            if one.scope not in (EVERYWHERE, INSURED_SCOPE):
                row["fixmedins_code"] = one.scope
            key = row.get("fixmedins_code", ""), row.get("setl_id", "")
            if key[1]:
                (refunds if row.get("direction") == "1" else here).add(key)
            yield row
    wanted |= refunds - here


def read_rows(path: Path) -> Iterator[Cells]:
    """Yield the rows of a ledger that was checked when it came in, `null` as empty. Raises OSError."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        for row in csv.DictReader(stream):
            yield {name: clean(cell) for name, cell in row.items()}


def _refunds(inputs: Sequence[Input], data: Path) -> set[tuple[str, str]]:
    rows = (row for one in inputs for row in read_rows(data / one.path))
    return {(row["fixmedins_code"], row["setl_id"]) for row in rows if row["direction"] == "1"}


def _noting(
    rows: Iterator[Cells], refunded: set[tuple[str, str]], originals: dict[tuple[str, str], Cells]
) -> Iterator[Cells]:
    """Keep the settlements that refunds of the journal cancel."""
    for row in rows:
        key = row["fixmedins_code"], row["setl_id"]
        if row["direction"] != "1" and key in refunded:
            originals[key] = row
        yield row


def _back(
    store: BooksStore, ledger: int, wanted: set[tuple[str, str]], originals: Mapping[tuple[str, str], Cells], data: Path
) -> Iterator[Cells]:
    """Yield what refunds cancel: from the file of its date; where there is none of that date, as the journal has it."""
    dates: dict[tuple[str, str], set[str]] = {}
    for code, setl_id in sorted(wanted):
        known = originals.get((code, setl_id))
        if known is not None:
            dates.setdefault((known["setl_time"][:10], code), set()).add(setl_id)
    for (day, code), numbers in sorted(dates.items()):
        files = _dated(store, ledger, day, code)
        own = own_sources(files)
        for one in files:
            if not counts(one, code, own):
                continue
            for row in read_rows(data / one.path):
                if row.get("setl_id") in numbers and row.get("direction") != "1":
                    yield {**row, "fixmedins_code": code}
        if not files:
            for setl_id in sorted(numbers):
                yield {name: cell for name, cell in originals[code, setl_id].items() if name != "delivered"}
