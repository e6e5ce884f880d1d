"""The agency's ledger of an institution, derived from what was asked and answered (decision 0011): in a child process.

A result that cannot be read whole is not used at all: the institution's agency ledger is then incomplete (RESULT_BAD),
and it is asked for again.
"""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import attrs
import msgspec

from adapters.store.books import EARLY, EVERYWHERE, BooksStore, Input
from gateway.app.books_ahead import note_ahead, result_of
from gateway.app.books_extract import RENAMED, lines_of
from gateway.app.books_shelf import SCRIPTS, keep, write_rows
from gateway.app.books_sources import one_source
from gateway.app.books_tasks import Derive, Derived, Task
from gateway.books.agency import COLUMNS, Cells, agency_rows
from gateway.core.statement import Differing

AGY = "AGY"


def derive(task: Task, answers: list[Derive]) -> Derived:
    """Write every institution's ledger and note it as an input. Raises OSError, sqlite3.Error."""
    inputs, bad = [], []
    odd: set[str] = set()
    store = BooksStore.open(Path(task.store), SCRIPTS)
    try:
        for one in answers:
            note_ahead(task, store, one)  # first: what it reads is put away by the next
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
    renamed = _renamed(task, one.institution)
    for answer in one.groups:
        if answer.result:
            read = result_of(task, one, answer.result)
            keep(task.folder, task.workplace / answer.result, "RESULT", one.institution)  # the evidence, as it came
            if read is None:
                return None
            if answer.unbalanced and not read:  # an empty result means balanced (§3.2), and 3201 said that it is not
                odd.add(one.institution)
            results.append(read)
        else:
            results.append([])
    sorted_out = [
        [attrs.evolve(row, msgid=renamed.get(row.msgid, row.msgid)) if row.refund else row for row in result]
        for result in _by_group(task, one, results)
    ]
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


def _renamed(task: Task, institution: str) -> dict[str, str]:
    """Return msgid -> that of what it gives back, of the journal's refunds without a number: the agency names them by
    their own (`gateway.books.journal`)."""
    file = task.workplace / RENAMED
    if not file.exists():
        return {}
    return msgspec.json.decode(file.read_bytes(), type=dict[str, dict[str, str]]).get(institution, {})


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
