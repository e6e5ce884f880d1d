"""The agency's ledger of an institution, of what 3201 and 3202 answered: whole results only, and odd answers told."""

from pathlib import Path

import pytest

from adapters.files import parcel
from adapters.store.books import BooksStore
from gateway.app.books_derive import derive
from gateway.app.books_shelf import SCRIPTS
from gateway.app.books_tasks import Answered, Derive, Group, Task
from gateway.books.agency import Sums
from gateway.core.statement import RESULT_COLUMNS

A, DAY = "H51080200001", "2026-03-15"
NOTHING = Sums(count=0, medfee=0, fund=0, acct=0, cash=0, refunds=False)
ROW = "P1\tnull\tnull\tM9\t101\t0\tnull\t10.00\t5.00\t0.00\n"


def answered(task: Task, text: str | None, unbalanced: bool) -> Derive:
    """One group without lines of ours, and the result 9102 gave; None = 3202 was not asked."""
    group = Group(
        optins="510800", clr_type="11", stem="g", file="g.json", closely=False, totals={"310": NOTHING}, whole=NOTHING
    )
    (task.workplace / "g.lines").write_bytes(b"")
    if text is not None:
        (task.workplace / "g.result").write_bytes(parcel.pack("result.txt", text))
    one = Answered(group=group, result="" if text is None else "g.result", unbalanced=unbalanced)
    return Derive(institution=A, columns=tuple(tuple(one) for one in RESULT_COLUMNS), groups=[one])


@pytest.mark.parametrize(
    ("text", "unbalanced", "odd", "bad", "rows"),
    [
        (None, False, [], [], 0),
        ("", False, [], [], 0),  # looked at closely all the same: an empty result means balanced
        ("", True, [A], [], 0),  # 3201 says no, 3202 finds nothing: somebody counts in another way
        (ROW, True, [], [], 1),
        (ROW + "P1\tx\n", True, [], [A], 0),  # nothing of it is used
    ],
    ids=["balanced", "looked at closely", "contradiction", "a difference", "a bad row"],
)
def test_what_came_of_an_agencys_answers(
    tmp_path: Path, text: str | None, unbalanced: bool, odd: list[str], bad: list[str], rows: int
) -> None:
    store = tmp_path / "x-books.sqlite"
    BooksStore.open(store, SCRIPTS).close()
    task = Task(journal="", store=str(store), data=str(tmp_path), date=DAY, now_ms=1, number=1, institutions={})
    task.workplace.mkdir(parents=True)
    found = derive(task, [answered(task, text, unbalanced)])
    assert (found.odd, found.bad) == (odd, bad)
    look = BooksStore.open(store, SCRIPTS)
    (one,) = look.inputs(DAY)
    look.close()
    assert (one.ledger, one.scope, one.rows, one.complete) == ("AGY", A, rows, not bad)
