"""The agency's ledger of an institution, derived from what was asked and answered (decision 0011): in a child process.

A result that cannot be read whole is not used at all: the institution's agency ledger is then incomplete (RESULT_BAD),
and it is asked for again.
"""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from adapters.files import parcel
from adapters.store.books import EARLY, EVERYWHERE, BooksStore, Input
from gateway.app.books_extract import lines_of
from gateway.app.books_shelf import SCRIPTS, keep, write_rows
from gateway.app.books_sources import one_source
from gateway.app.books_tasks import PACKED_MAX, Derive, Derived, Task
from gateway.books.agency import COLUMNS, Cells, agency_rows
from gateway.core.statement import Differing, read_result

AGY = "AGY"
RESULT_ROWS_MAX = 2_000_000  # §3.2
TEXT_MAX = 512 << 20


def derive(task: Task, answers: list[Derive]) -> Derived:
    """Write every institution's ledger and note it as an input. Raises OSError, sqlite3.Error."""
    inputs, bad = [], []
    odd: set[str] = set()
    store = BooksStore.open(Path(task.store), SCRIPTS)
    try:
        for one in answers:
            rows = None if one.why else _rows(task, one, odd)
            if rows is None and not one.why:
                bad.append(one.institution)
            inputs.append(_note(task, store, one, rows))
    finally:
        store.close()
    return Derived(inputs=inputs, bad=bad, odd=sorted(odd))


def _rows(task: Task, one: Derive, odd: set[str]) -> Iterator[Cells] | None:
    """Return the agency's rows, None when a result cannot be used: all are read before the first row is told."""
    results: list[list[Differing]] = []
    for answer in one.groups:
        if answer.result:
            packed = (task.workplace / answer.result).read_bytes()
            keep(task.folder, task.workplace / answer.result, "RESULT", one.institution)  # the evidence, as it came
            text = parcel.unpack(packed, PACKED_MAX, TEXT_MAX)
            read = None if text is None else read_result(text, one.columns, RESULT_ROWS_MAX)
            if read is None:
                return None
            if answer.unbalanced and not read:  # an empty result means balanced (§3.2), and 3201 said that it is not
                odd.add(one.institution)
            results.append(read)
        else:
            results.append([])
    sorted_out = _by_group(task, one, results)
    return chain.from_iterable(
        agency_rows((each.optins, each.clr_type), lines_of(task.workplace, each), result, one.institution, task.date)
        for each, result in zip([answer.group for answer in one.groups], sorted_out, strict=True)
    )


def _by_group(task: Task, one: Derive, results: list[list[Differing]]) -> list[list[Differing]]:
    """Return what was listed, each row once, with the group whose line it is about; the rest where it was listed.

    Some platforms list the same whatever group is asked for; twice in one file is booked twice.
    """
    wanted = {row.setl_id for result in results for row in result} - {""}
    owner: dict[str, int] = {}
    for at, answer in enumerate(one.groups if wanted and len(results) > 1 else ()):
        owner |= {line.own_id: at for line in lines_of(task.workplace, answer.group) if line.own_id in wanted}
    listed: set[Differing] = set()
    found: list[list[Differing]] = [[] for _ in results]
    for at, result in enumerate(results):
        own = [row for row in result if not row.msgid or row not in listed]
        listed.update(own)
        for row in own:
            found[owner.get(row.setl_id, at)].append(row)
    return found


def _note(task: Task, store: BooksStore, one: Derive, rows: Iterator[Cells] | None) -> int:
    if rows is None:  # what was told in part, or not at all, does not take the place of what was told whole
        known = [old for old in one_source(store.inputs(task.date)) if old.ledger == AGY and old.complete]
        whole = next((old for old in known if old.scope in (one.institution, EVERYWHERE)), None)
        if whole is not None:
            return whole.id
    plain = task.workplace / f"{AGY}.csv"
    count = write_rows(plain, COLUMNS, rows or ())
    digest, place = keep(task.folder, plain, AGY, one.institution)
    return store.add_input(
        Input(
            ledger=AGY, scope=one.institution, biz_date=task.date,
            source=_source(task, one, rows is not None), sm3=digest, rows=count,
            complete=rows is not None, sums={}, path=str(place.relative_to(task.data)), who="node", at_ms=task.now_ms,
        )
    )  # fmt: skip


def _source(task: Task, one: Derive, whole: bool) -> str:
    if not whole:
        return one.why or "RESULT_BAD"
    return EARLY if task.early else "statement"
