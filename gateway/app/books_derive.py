"""The agency's ledger of an institution, derived from what was asked and answered (decision 0011): in a child process.

A result that cannot be read whole is not used at all: the institution's agency ledger is then incomplete (RESULT_BAD),
and it is asked for again.
"""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import attrs
import msgspec

from adapters.store.books import EVERYWHERE, BooksStore, Input
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
    found: list[Iterator[Cells]] = []
    listed: set[Differing] = set()
    renamed = _renamed(task, one.institution)
    for answer in one.groups:
        result: list[Differing] = []
        if answer.result:
            read = result_of(task, one, answer.result)
            keep(task.folder, task.workplace / answer.result, "RESULT", one.institution)  # the evidence, as it came
            if read is None:
                return None
            if answer.unbalanced and not read:  # an empty result means balanced (§3.2), and 3201 said that it is not
                odd.add(one.institution)
            # Some platforms list the same whatever group is asked for; twice in one file is booked twice.
            result = [row for row in read if not row.msgid or row not in listed]
            listed.update(result)
            result = [
                attrs.evolve(row, msgid=renamed.get(row.msgid, row.msgid)) if row.refund else row for row in result
            ]
        group = (answer.group.optins, answer.group.clr_type)
        lines = lines_of(task.workplace, answer.group)
        found.append(agency_rows(group, lines, result, one.institution, task.date))
    return chain.from_iterable(found)


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
            source="statement" if rows is not None else (one.why or "RESULT_BAD"), sm3=digest, rows=count,
            complete=rows is not None, sums={}, path=str(place.relative_to(task.data)), who="node", at_ms=task.now_ms,
        )
    )  # fmt: skip
