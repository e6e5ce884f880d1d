"""A list that comes by pages is read until it stands still, in little memory and without a trace of what failed."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, succeed

from adapters.province.reading import Reader, Whole
from adapters.province.shelf import line_of
from adapters.province.statement import Head, PageRead
from gateway.core.province import Outcome

Pages = dict[tuple[int, int], list[str]]


def read(folder: Path, pages: Pages, totals: Callable[[int, int], int], size: int = 2) -> Outcome[Whole]:
    """pages: (reading, number) -> amounts in fen of its rows; totals: what that page says the whole list has."""

    def page_of(reading: int, number: int) -> Awaitable[Outcome[PageRead]]:
        rows = pages[reading, number]
        total = totals(reading, number)
        head = Head(size=size, statement_no="T", complete=True, total=total, sums_fen={"acct_pay": total})
        page = PageRead(head=head, lines=[line_of([name, "0.01"]) for name in rows])
        return succeed(Outcome(kind="done", value=page))

    async def work(call: Callable[[], Any]) -> Any:
        return call()

    reader = Reader(
        page_of=page_of, columns=("setl_id", "acct_pay"), amounts=frozenset({"acct_pay"}), rows_max=100,
        readings_max=3, pause=lambda: succeed(None), work=work, chunk_lines=1,
    )  # fmt: skip
    done = Deferred.fromCoroutine(reader.read(folder / "whole"))
    outcome: Outcome[Whole] = done.result  # type: ignore[assignment]  # everything above is there at once
    assert {path.name for path in folder.iterdir()} <= {"whole"}
    assert (folder / "whole").exists() == (outcome.kind == "done")
    return outcome


def test_a_total_that_changes_in_the_midst_begins_a_new_reading(tmp_path: Path) -> None:
    whole: Pages = {(2, 1): ["a", "b"], (2, 2): ["c"], (3, 1): ["a", "b"], (3, 2): ["c"]}
    outcome = read(
        tmp_path, {(1, 1): ["a", "b"], (1, 2): ["c"], **whole}, lambda reading, n: 2 if (reading, n) == (1, 1) else 3
    )
    assert outcome.value is not None and (outcome.value.readings, outcome.value.kept.rows) == (3, 3)
    assert (tmp_path / "whole").read_bytes() == b"setl_id,acct_pay\na,0.01\nb,0.01\nc,0.01\n"


def test_two_lists_that_are_both_right_but_differ_are_not_believed(tmp_path: Path) -> None:
    """Count and sums fit each time; only reading twice tells."""
    pages: Pages = {(n, 1): ["a", f"b{n}"] for n in (1, 2, 3)} | {(n, 2): ["c"] for n in (1, 2, 3)}
    outcome = read(tmp_path, pages, lambda reading, n: 3)
    assert (outcome.kind, outcome.code) == ("unknown", "SHIFTING")


def test_pages_without_end_are_left(tmp_path: Path) -> None:
    pages: Pages = {(reading, n): [f"x{n}", f"y{n}"] for reading in (1, 2, 3) for n in range(1, 5)}
    outcome = read(tmp_path, pages, lambda reading, n: 3)
    assert (outcome.kind, outcome.code) == ("unknown", "TOTALS")
