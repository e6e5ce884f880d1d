"""The agency's ledger of an institution, of what 3201 and 3202 answered: whole results only, and odd answers told."""

import json
from pathlib import Path

import pytest

from adapters.files import parcel
from adapters.store.books import BooksStore
from gateway.app.books_derive import derive
from gateway.app.books_shelf import SCRIPTS
from gateway.app.books_snapshot import read_rows
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


def two_groups(task: Task, first: str, second: str) -> Derive:
    """Settlement S1 in the first group, S2 in the second, and what 3202 lists for each."""
    made = []
    for number, text in (("1", first), ("2", second)):
        cells = {"setl_id": f"S{number}", "mdtrt_id": f"V{number}", "psn_no": f"P{number}", "direction": "0"}
        cells |= {"medfee_sumamt": "10.00", "fund_pay_sumamt": "5.00", "acct_pay": "0.00", "": f"S{number}"}
        (task.workplace / f"g{number}.lines").write_bytes(json.dumps(cells).encode() + b"\n")
        (task.workplace / f"g{number}.result").write_bytes(parcel.pack("result.txt", text))
        group = Group(
            optins="510800", clr_type=f"1{number}", stem=f"g{number}", file="x", closely=False, totals={"310": NOTHING},
            whole=NOTHING,
        )  # fmt: skip
        made.append(Answered(group=group, result=f"g{number}.result", unbalanced=True))
    return Derive(institution=A, columns=tuple(tuple(one) for one in RESULT_COLUMNS), groups=made)


LACKS = "P2\tV2\tS2\tM2\t102\t0\tnull\t10.00\t5.00\t0.00\n"  # the agency lacks S2


@pytest.mark.parametrize(
    ("first", "second"), [(LACKS + ROW, LACKS + ROW), ("", LACKS + ROW), (LACKS + ROW, "")],
    ids=["the same list for every group", "each its own", "in another group's list"],
)  # fmt: skip
def test_what_is_listed_is_about_the_group_whose_line_it_names(tmp_path: Path, first: str, second: str) -> None:
    """A platform that lists the same for every group made a foreign record of another group's line, beside that."""
    store = tmp_path / "x-books.sqlite"
    BooksStore.open(store, SCRIPTS).close()
    task = Task(journal="", store=str(store), data=str(tmp_path), date=DAY, now_ms=1, number=1, institutions={})
    task.workplace.mkdir(parents=True)
    derive(task, [two_groups(task, first, second)])
    look = BooksStore.open(store, SCRIPTS)
    (one,) = look.inputs(DAY)
    look.close()
    rows = sorted((row["setl_id"], row["msgid"]) for row in read_rows(tmp_path / one.path))
    assert rows == [("", "M9"), ("S1", "")]
