"""An order of clearing taken up again after a crash: what was found absent before it is not sent by itself."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from types import SimpleNamespace
from typing import Any, cast

import pytest
from days import SCRIPTS
from twisted.internet.defer import ensureDeferred

from adapters.store.books_month import ClearingRow, MonthWriter
from adapters.store.sqlite_journal import migrate
from gateway.app.books_clearing_job import ClearingJob, _is_list


def was_absent(connection: sqlite3.Connection, order: int) -> bool:
    async def db(call: Callable[[Any], Any]) -> Any:
        return call(SimpleNamespace(orders=SimpleNamespace(connection=connection)))

    work = SimpleNamespace(order=SimpleNamespace(id=order), db=db)
    job = ClearingJob(config=cast(Any, None), work=cast(Any, work), link=cast(Any, None), profile=cast(Any, None))
    found: list[bool] = []
    ensureDeferred(job._was_absent(cast(ClearingRow, SimpleNamespace(id=1)))).addCallback(found.append)
    return found[0]


def test_an_order_whose_end_was_lost_sends_nothing_again_and_a_new_one_may() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection, SCRIPTS)
        connection.execute("PRAGMA foreign_keys = OFF")
        writer = MonthWriter(connection)
        assert not was_absent(connection, 7)
        writer._event(1, "silent", "SUBMITTING", "IN_DOUBT", "node", "", 1_500)
        assert not was_absent(connection, 7)
        writer._event(1, "absent", "IN_DOUBT", "APPROVED", "node", "平台查无此申请（任务7）", 2_000)
        assert was_absent(connection, 7)  # the same order, taken up again
        assert not was_absent(connection, 8)  # a person ordered anew


@pytest.mark.parametrize(
    ("output", "says"),
    [({"data": []}, True), ({"result": {"rows": []}}, True), ({}, False), ("", False), (None, False)],
)
def test_only_a_list_without_it_says_that_it_is_not_there(output: Any, says: bool) -> None:
    assert _is_list(output) is says
