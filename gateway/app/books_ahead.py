"""What the agency says of a day's last half hour over two days (T3): noted as what is known so far of its next day.

A settlement near midnight may stand under the day in one party's books and under the next in the other's. So that the
day need not wait until the next one has run, the agency is asked for the range of both (specification §5.4). What comes
of it is an input of the *next* day, and an incomplete one: a run over the day takes it as it takes any row a day off,
and as soon as the next day has a ledger of its own that is whole, nobody looks at this one any more. So no row is ever
there twice, and nothing is derived from what it lacks.
"""

from pathlib import Path

from adapters.files import parcel
from adapters.store.books import BooksStore, Input
from gateway.app.books_extract import lines_of
from gateway.app.books_shelf import keep, write_rows
from gateway.app.books_sources import NODE
from gateway.app.books_tasks import PACKED_MAX, Derive, Task
from gateway.books.agency import COLUMNS, Cells, ahead_rows
from gateway.core.statement import Differing, read_result

AGY, SOURCE = "AGY", "range"
RESULT_ROWS_MAX = 2_000_000  # §3.2
TEXT_MAX = 512 << 20


def note_ahead(task: Task, store: BooksStore, one: Derive) -> None:
    """Note what an institution's agency has of the day's late lines on the next day, in the place of what was noted of
    it before. Raises OSError, sqlite3.Error."""
    rows = _rows(task, one)
    own = (old for old in store.inputs(task.next_date) if (old.ledger, old.scope) == (AGY, one.institution))
    known = next(own, None)
    told = known is not None and (known.complete or known.who != NODE)  # its own word, or a party's: that stays
    if rows is None or told or (known is None and not rows):
        return
    plain = task.workplace / f"{AGY}-next.csv"
    count = write_rows(plain, COLUMNS, rows)
    folder = Path(task.data) / "books" / task.next_date
    digest, place = keep(folder, plain, AGY, one.institution)
    store.add_input(
        Input(
            ledger=AGY, scope=one.institution, biz_date=task.next_date, source=SOURCE, sm3=digest, rows=count,
            complete=False, sums={}, path=str(place.relative_to(task.data)), who=NODE, at_ms=task.now_ms,
        )
    )  # fmt: skip


def _rows(task: Task, one: Derive) -> list[Cells] | None:
    """Return the agency's rows of the next day; None when it was not asked, or nothing it said can be used."""
    found: list[Cells] | None = None
    for answer in one.groups if not one.why else ():
        if not answer.ahead or answer.group.ahead is None:
            continue
        today, both = (result_of(task, one, name) for name in (answer.result, answer.ahead))
        keep(task.folder, task.workplace / answer.ahead, "RESULT", one.institution)  # the evidence, as it came
        if today is None or both is None:
            continue
        late = set(answer.group.ahead.late)
        lines = (line for line in lines_of(task.workplace, answer.group) if line.own_id in late)
        found = [*(found or ()), *ahead_rows(lines, today, both, task.next_date)]
    return found


def result_of(task: Task, one: Derive, name: str) -> list[Differing] | None:
    """Return the rows of a result that 9102 gave; None when one of them does not fit its profile. Raises OSError."""
    text = parcel.unpack((task.workplace / name).read_bytes(), PACKED_MAX, TEXT_MAX)
    return None if text is None else read_result(text, one.columns, RESULT_ROWS_MAX)
