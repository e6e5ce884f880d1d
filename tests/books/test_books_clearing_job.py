"""An order of clearing taken up again after a crash: what was found absent before it is not sent by itself."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from days import SCRIPTS
from twisted.internet.defer import ensureDeferred, succeed

from adapters.store.books_appeal import AppealRow, AppealStore
from adapters.store.books_month import ClearingRow, MonthWriter, NewClearing
from adapters.store.sqlite_journal import migrate
from gateway.app.books_appeal_job import APPEALS, AppealJob
from gateway.app.books_city_clearing import CityClearing
from gateway.app.books_clearing_job import SUBMIT, ClearingJob, _is_list
from gateway.app.codes_orders import Ended, GaveUp
from gateway.books.month import Content
from gateway.core.province import ClearingStatus, Deduction, Outcome, Page


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


def taken_up_again(kind: type[ClearingJob], connection: sqlite3.Connection, order: int, **arguments: Any) -> Ended:
    """Run an order of one application as after a crash; whatever would be sent breaks on the link that is not there."""

    async def db(call: Callable[[Any], Any]) -> Any:
        return call(SimpleNamespace(orders=SimpleNamespace(connection=connection)))

    given = SimpleNamespace(id=order, institution="H1", kind=SUBMIT, arguments={"id": 1, **arguments}, who="qian")
    work = SimpleNamespace(order=given, db=db, desk=SimpleNamespace(now_ms=lambda: 9_000))
    profile = SimpleNamespace(appeals=SimpleNamespace(query="3701"), status="3205A")
    if kind is AppealJob:
        given.kind = APPEALS
    job = kind(config=cast(Any, None), work=cast(Any, work), link=cast(Any, None), profile=cast(Any, profile))
    found: list[Ended] = []
    ensureDeferred(job.run()).addCallback(found.append).addErrback(lambda failure: failure.trap(AttributeError, GaveUp))
    return found[0]


def approved(connection: sqlite3.Connection) -> MonthWriter:
    migrate(connection, SCRIPTS)
    writer = MonthWriter(connection)
    group = ("11", "310", "510800", "2")
    content = Content(
        role="care", scope="H1", month="2026-02", group=group, revision=1, clr_way="", settlements=1, refunds=0,
        sums={"medfee_sumamt": 10_000, "fund_pay_sumamt": 10_000},
    )  # fmt: skip
    new = NewClearing(group=group, revision=1, idempotency="a", content=content.text())
    [number] = writer.build(("care", "H1", "2026-02"), [new], [], "qian", 1)
    connection.execute("UPDATE clearing SET state = 'APPROVED'")
    assert number == 1
    return writer


def test_an_application_found_absent_by_an_order_is_not_submitted_by_it_after_a_crash() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        writer = approved(connection)
        writer._event(1, "absent", "IN_DOUBT", "APPROVED", "node", "平台查无此申请（任务7）", 2_000)
        ended = taken_up_again(ClearingJob, connection, 7)
        assert (ended.outcome, ended.result["state"]) == ("done", "APPROVED")
        with pytest.raises(IndexError):  # a person's new order goes on to send it
            taken_up_again(ClearingJob, connection, 8)


def test_an_appeal_an_order_found_absent_is_not_sent_by_it_after_a_crash() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        approved(connection)
        store = AppealStore(connection)
        sent = AppealRow(
            id=0, clearing=1, deduction_id="K1", kind="appeal", msgid="M1", note="x", file="", file_sm3="", material="",
            state="SENDING", text="", who="qian", sent_ms=1,
        )  # fmt: skip
        store.move(store.begin(sent), "NOT_SENT", "平台没有记下（任务7）")
        ended = taken_up_again(AppealJob, connection, 7, what="appeal", deduction="K1", note="x")
        assert (ended.outcome, ended.result["state"]) == ("findings", "NOT_SENT")
        with pytest.raises(IndexError):
            taken_up_again(AppealJob, connection, 8, what="appeal", deduction="K1", note="x")


def in_doubt(platform: list[dict[str, str]], *insutypes: str) -> dict[str, tuple[str, str]]:
    """Two applications of equal sums whose answers were lost; ask about each. Return insutype -> (state, number)."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection, SCRIPTS)
        writer, place = MonthWriter(connection), ("care", "H1", "2026-02")
        for insutype in insutypes:
            group = ("11", insutype, "510800", "2")
            sums = {"medfee_sumamt": 10_000, "fund_pay_sumamt": 10_000}
            content = Content(
                role="care", scope="H1", month="2026-02", group=group, revision=1, clr_way="", settlements=1, refunds=0,
                sums=sums,
            )  # fmt: skip
            writer.build(
                place,
                [NewClearing(group=group, revision=1, idempotency=insutype, content=content.text())],
                [],
                "qian",
                1,
            )
        connection.execute("UPDATE clearing SET state = 'IN_DOUBT', doubt = 'submit'")

        async def db(call: Callable[[Any], Any]) -> Any:
            return call(SimpleNamespace(orders=SimpleNamespace(connection=connection)))

        async def nothing(*said: Any) -> None: ...

        async def ask(*asked: Any) -> Any:
            return SimpleNamespace(kind="done", output={"data": platform})

        order = SimpleNamespace(id=7, institution="H1", kind=SUBMIT, arguments={}, who="qian")
        desk = SimpleNamespace(now_ms=lambda: 9_000)
        work = SimpleNamespace(order=order, db=db, desk=desk, wait=nothing, ask=ask)
        config = SimpleNamespace(books=SimpleNamespace(doubt_ask_s=[1], patience_s=1))
        profile = SimpleNamespace(status="3205A")
        job = ClearingJob(
            config=cast(Any, config), work=cast(Any, work), link=cast(Any, None), profile=cast(Any, profile)
        )
        for row in writer.of_month(*place):
            ensureDeferred(job._resolve(row)).addErrback(lambda failure: pytest.fail(failure.getTraceback()))
        return {row.insutype: (row.state, row.event_id) for row in writer.of_month(*place)}


def listed(number: str, **named: str) -> dict[str, str]:
    return {
        "clr_appy_evt_id": number, "clr_ym": "202602", "medfee_sumamt": "100.00", "fund_appy_sum": "100.00",
        "acct_pay": "0.00", **named,
    }  # fmt: skip


def test_two_in_doubt_with_equal_sums_do_not_take_each_others_number() -> None:
    """The platform's list was matched by month and sums: the first to ask took whatever number was there."""
    unknown = ("IN_DOUBT", "")
    assert in_doubt([listed("E1")], "310", "390") == {"310": unknown, "390": unknown}
    assert in_doubt([listed("E1"), listed("E2")], "310", "390") == {"310": unknown, "390": unknown}
    assert in_doubt([listed("E1")], "310") == {"310": ("SUBMITTED", "E1")}
    two = in_doubt([listed("E2", insutype="390"), listed("E1", insutype="310")], "310", "390")
    assert two == {"310": ("SUBMITTED", "E1"), "390": ("SUBMITTED", "E2")}
    other = in_doubt([listed("E2", insutype="390", clr_type="11")], "310", "390")
    assert other == {"310": ("APPROVED", ""), "390": ("SUBMITTED", "E2")}


@pytest.mark.parametrize(("approved_fen", "state"), [(10_000, "AUDITED"), (9_999, "SUBMITTED"), (10_001, "SUBMITTED")])
def test_an_audit_of_the_province_that_does_not_add_up_is_not_taken(approved_fen: int, state: str) -> None:
    """applied = approved + deducted + withheld + deposit (annex B19)."""
    told = ClearingStatus(
        event_id="E1", app_no="a", clr_stas="40", opt_time="", applied_fen=10_000, approved_fen=approved_fen
    )
    port = SimpleNamespace(
        clearing_status=lambda key, event_id: succeed(Outcome(kind="done", value=told)),
        clearing_deductions=lambda key, event_id, start: succeed(
            Outcome(kind="done", value=Page[Deduction](start=start, rows=(), total=0, sums_fen={}))
        ),
    )
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        writer = approved(connection)
        connection.execute("UPDATE clearing SET state = 'SUBMITTED', event_id = 'E1'")

        async def db(call: Callable[[Any], Any]) -> Any:
            return call(SimpleNamespace(orders=SimpleNamespace(connection=connection)))

        async def tell(*words: object) -> None:
            return None

        work = SimpleNamespace(
            order=SimpleNamespace(id=7, who="qian"), db=db, tell=tell, desk=SimpleNamespace(now_ms=lambda: 9_000),
            msgid=lambda: "K",
        )  # fmt: skip
        profile = SimpleNamespace(clr_stas={"40": "audit"}, audited_from=40)
        job = CityClearing(
            config=cast(Any, None), work=cast(Any, work), link=cast(Any, None), profile=cast(Any, profile),
            port=cast(Any, port), folder=Path(),
        )  # fmt: skip
        found: list[ClearingRow] = []
        row = writer.one(1)
        assert row is not None
        ensureDeferred(job._heard(row)).addCallback(found.append)
        assert (found[0].state, any("不平" in text for text in job.alarms)) == (state, state == "SUBMITTED")


@pytest.mark.parametrize(
    ("output", "says"),
    [({"data": []}, True), ({"result": {"rows": []}}, True), ({}, False), ("", False), (None, False)],
)
def test_only_a_list_without_it_says_that_it_is_not_there(output: Any, says: bool) -> None:
    assert _is_list(output) is says
