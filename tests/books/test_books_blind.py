"""Who could not be asked was not looked at: nothing done there is known to have been in vain (§4.1, §5.3 S3)."""

from pathlib import Path

import msgspec
from test_books_derive import answered
from test_books_run import DAY, NOW_MS, A, City, cells

from adapters.store.books_cases import BooksCases
from gateway.app.books_child import step
from gateway.app.books_tasks import DeriveTask, Reconcile, RunTask, Task
from gateway.core.ledgers import GW, INST

BAD, LISTED = "P1\tx\n", "P1\tnull\tnull\tM1\t101\t0\tnull\t100.00\t60.00\t0.00\n"  # results of 3202


def looked(city: City, result: str, at_ms: int) -> list[tuple[int, str]]:
    """Ask A's agency and run, as the child does; return (attempt, state) of the reversals."""
    paths = {"store": str(city.config.room("books")), "data": str(city.folder / "var")}
    task = Task(journal="", date=DAY, now_ms=at_ms, number=1, institutions={}, **paths)
    task.workplace.mkdir(parents=True, exist_ok=True)
    run = RunTask(date=DAY, role="care", now_ms=at_ms, institutions=[A], asked_ms={A: at_ms}, **paths)
    found = DeriveTask(task=task, answers=[answered(task, result, unbalanced=True)])
    step("reconcile", msgspec.json.encode(Reconcile(run=run, derive=found)))
    with city.store().connection as connection:
        cases = BooksCases(connection)
        every = cases.actions(("PLANNED", "DONE"))
        for one in every:
            cases.move(one.action_id, "PLANNED", "DONE", "R", at_ms + 1)
        return [(one.attempt, one.state) for one in every]


def test_a_reversal_is_not_sent_again_by_who_could_not_look(tmp_path: Path) -> None:
    city = City(tmp_path)
    city.put(INST, A)
    city.put(GW, "*", cells(1, status="REVERSED"))
    assert looked(city, LISTED, NOW_MS) == [(1, "PLANNED")]
    assert looked(city, BAD, NOW_MS + 10) == [(1, "DONE")]
    assert looked(city, LISTED, NOW_MS + 20) == [(1, "DONE"), (2, "PLANNED")]
