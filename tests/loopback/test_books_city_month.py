"""The city's month at a province over real sockets: uploaded once, asked for when the answer is lost, audited."""

# pytest-twisted has no annotations.
# mypy: disable-error-code="untyped-decorator"

import json
from pathlib import Path
from random import Random  # noqa: TID251  (a seeded one)
from typing import Any

import pytest_twisted
from month_town import MONTH, MonthTown
from province_town import posted
from twisted.internet.endpoints import serverFromString
from wall import Wall

from adapters.store.books_month import DeductionRow
from gateway.app.books_month_work import audit_of, deduction_of
from gateway.books.clearing import identity_faults
from gateway.books.month import Content
from simulators.province import Province
from simulators.province_faults import fault_of
from simulators.wire import PlatformFactory
from simulators.wording import Json

ROWS = 30
SECRET = b"not much of a secret"
CONFIG = """
[province]
url = "http://127.0.0.1:{port}"
role = "care"
account = "510800"
secret_file = "province.secret"
again_s = 0
"""


def remote(number: int) -> Json:
    return {**posted(number), "setl_time": f"{MONTH}-01 10:00:00"}


@pytest_twisted.ensureDeferred
async def test_the_citys_application_goes_to_the_province_once_and_its_audit_comes_back(
    reactor: Any, tmp_path: Path
) -> None:
    wall = Wall(reactor=reactor)
    province = Province(wall, Random(1), accounts={"510800": SECRET})
    province.clearing.step_s = 0
    province.post([remote(number) for number in range(ROWS)])
    endpoint: Any = serverFromString(reactor, "tcp:0:interface=127.0.0.1")
    port = await endpoint.listen(PlatformFactory(province, reactor))
    (tmp_path / "province.secret").write_bytes(SECRET + b"\n")
    (tmp_path / "province.secret").chmod(0o600)
    town = MonthTown(
        reactor, tmp_path, "jilin", scope="*", ledgers=("AGY", "PROV"), more=CONFIG.format(port=port.getHost().port),
        wall=wall,
    )  # fmt: skip
    try:
        await town.open([one.row() for one in province.books["PROV"].live()])
        await _cleared(town, province)
    finally:
        await town.close()
        await port.stopListening()


async def _order(town: MonthTown, kind: str, **arguments: object) -> Any:
    return await town.order(kind, scope="*", **arguments)


async def _cleared(town: MonthTown, province: Province) -> None:
    desk, number = province.clearing, town.approved()

    # It says no: nothing happened, and the application waits as it was.
    taken, desk.book.rows = desk.book.rows, {}
    refused = await _order(town, "month_submit", id=number)
    desk.book.rows = taken
    assert (refused.outcome, town.row(number).state, "MISMATCH" in str(refused.result)) == (
        "findings", "APPROVED", True,
    ), refused  # fmt: skip

    # The request is lost: asked, certainly absent. The answer is lost: asked, found, and not uploaded again.
    province.plant(fault_of({"kind": "lose_request", "op": "clearing/submit", "times": 1}))
    absent = await _order(town, "month_submit", id=number)
    assert town.row(number).state == "APPROVED", absent
    before = province.counts["clearing/submit"]
    province.plant(fault_of({"kind": "lose_answer", "op": "clearing/submit", "times": 1}))
    lost = await _order(town, "month_submit", id=number)
    row = town.row(number)
    [theirs] = [one for one in desk.applications if one.event_id]
    assert (lost.outcome, row.state, row.event_id) == ("done", "SUBMITTED", theirs.event_id), lost
    assert (province.counts["clearing/submit"], theirs.app_no) == (before + 1, row.idempotency)
    assert (len(theirs.lines), theirs.head["fixmedins_code"]) == (ROWS, "*")
    assert {line["prov_sn"] for line in theirs.lines} == set(desk.book.rows)
    assert (await _order(town, "month_submit", id=number)).outcome == "failed"
    number = await _withdrawn(town, province, number)
    row, theirs = town.row(number), desk.standing()[0]

    # It is accepted, then audited: the deductions are downloaded whole, and refused whole.
    desk.move({"event_id": row.event_id, "clr_stas": "20"})
    assert (await _synced(town)).outcome == "done" and town.row(number).state == "ACCEPTED"
    wrong = {"setl_id": "nobody", "fund": "hifp_pay", "amount": "1.00", "kind": "DEDUCT"}
    desk.move({"event_id": row.event_id, "clr_stas": "40", "deduct": [wrong]})
    told = await _synced(town)
    assert (told.outcome, town.row(number).state, "BD-ROW" in str(told.result)) == ("findings", "ACCEPTED", True)
    assert deductions(town, number) == []
    theirs.deductions = [one for one in theirs.deductions if one["setl_id"] != "nobody"]
    assert (await _synced(town)).outcome == "done"
    audited = town.row(number)
    assert (audited.state, audited.clr_stas) == ("AUDITED", 40)
    told = json.loads(audited.audit)  # fund by fund, as the province tells it
    assert {"hifp_pay"} <= told["approved"].keys() and sum(told["deposit"].values()) > 0
    kept = deductions(town, number)
    assert {(one.deduction_id, one.amount) for one in kept} == {
        (one["deduction_id"], round(float(one["amount"]) * 100)) for one in theirs.deductions
    }
    assert {one.kind for one in kept} == {"DEDUCT", "WITHHOLD"}
    audit = audit_of(audited, [deduction_of(one) for one in kept])
    assert audit is not None and identity_faults(Content.read(audited.content).funds, audit) == []
    desk.move({"event_id": row.event_id, "clr_stas": "10"})
    assert (await _synced(town)).outcome == "findings" and town.row(number).state == "AUDITED"


TWO = {"approval": 1, "maker": "qian", "checker": "sun", "reason": "漏报一日"}


async def _withdrawn(town: MonthTown, province: Province, number: int) -> int:
    """Two people take it back: a lost request changes nothing, a lost answer is asked for and not sent again."""
    desk, sent = province.clearing, lambda: province.counts.get("clearing/withdraw", 0)
    alone = await _order(town, "month_withdraw", id=number, **{**TWO, "checker": "qian"})
    assert (alone.outcome, sent(), "BM-TWO" in str(alone.result)) == ("failed", 0, True), alone
    province.plant(fault_of({"kind": "lose_request", "op": "clearing/withdraw", "times": 1}))
    vain = await _order(town, "month_withdraw", id=number, **TWO)
    assert (vain.outcome, town.row(number).state, sent()) == ("findings", "SUBMITTED", 1), vain
    assert "撤回没有生效" in str(vain.result)
    desk.move({"event_id": town.row(number).event_id, "clr_stas": "40"})  # it was audited meanwhile
    closed = await _order(town, "month_withdraw", id=number, **TWO)
    assert (closed.outcome, town.row(number).state, "CLOSED" in str(closed.result)) == ("findings", "SUBMITTED", True)
    [theirs] = desk.standing()
    theirs.forced, theirs.deductions = "20", []
    theirs.head.pop("audited")
    province.plant(fault_of({"kind": "lose_answer", "op": "clearing/withdraw", "times": 1}))
    lost = await _order(town, "month_withdraw", id=number, **TWO)
    assert (lost.outcome, town.row(number).state, sent()) == ("done", "WITHDRAWN", 3), lost
    assert (desk.standing(), theirs.withdrawn["maker"], theirs.withdrawn["checker"]) == ([], "qian", "sun")
    again = town.approved()
    assert (await _order(town, "month_submit", id=again)).outcome == "done"
    assert (town.row(again).revision, len(desk.standing())) == (2, 1)
    return again


async def _synced(town: MonthTown) -> Any:
    return await _order(town, "month_sync", role="care", month=MONTH)


def deductions(town: MonthTown, number: int) -> list[DeductionRow]:
    return town.work(lambda writer: writer.deductions(number))
