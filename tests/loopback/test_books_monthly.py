"""A region that tells the month by 2172-2174, over real sockets: state and audited amounts of each fund, or nothing."""

# pytest-twisted has no annotations.
# mypy: disable-error-code="untyped-decorator"

import json
from pathlib import Path
from typing import Any

import attrs
import pytest_twisted
from month_ledger import settled_there
from month_town import HOSPITAL, MONTH, Cells, MonthTown, Once, remote

from adapters.store.books_month import MonthWriter
from gateway.app.books_month_work import apply
from gateway.books.clearing import Facts, Input
from gateway.books.month import Content
from simulators.clearing_book import Application, Finding
from simulators.faults import Fault
from simulators.wording import Json

DAY = f"{MONTH}-01"
ROWS = 1_005  # a page of 1,000 and a rest
REGION = "hunan"
FEE = {"hifp_pay": "55.00", "cvlserv_pay": "5.00", "psn_cash_pay": "30.00", "clr_pay_loc": "2"}


def fee(number: int) -> Cells:
    return remote(number, DAY, **FEE)


def entered(town: MonthTown, number: int, event_id: str) -> Application:
    """A person enters the application on the agency's web platform, and its number here."""
    content = Content.read(town.row(number).content)
    head = {
        "clr_type": "11", "clr_optins": "510800", "insutype": "310", "setlym": MONTH.replace("-", ""),
        "begndate": DAY, "enddate": f"{MONTH}-28", "psntime": content.persontime,
    }  # fmt: skip
    one = Application(HOSPITAL, head, event_id, 0.0)
    town.platform.books.clearing.applications[event_id] = one

    def call(writer: MonthWriter) -> None:
        row = writer.one(number)
        assert row is not None
        changes = {"event_id": event_id, "submitted_ms": 4}
        apply(writer, row, Input.ENTER, Facts(event_id=event_id), "qian", 4, "", changes)

    town.work(call)
    return one


@pytest_twisted.ensureDeferred
async def test_state_and_amounts_of_each_fund_come_by_interface(reactor: Any, tmp_path: Path) -> None:
    town = MonthTown(reactor, tmp_path, REGION)
    try:
        await town.open([fee(number) for number in range(ROWS)])
        for number in range(ROWS):
            settled_there(town.platform.books, HOSPITAL, number, DAY)
        await _audited(town)
    finally:
        await town.close()


async def _synced(town: MonthTown, number: int) -> tuple[str, str]:
    told = await town.order("month_sync", role="care", month=MONTH)
    return town.row(number).state, json.dumps(told.result, ensure_ascii=False)


async def _audited(town: MonthTown) -> None:
    number = town.approved()
    theirs = entered(town, number, "SB202602001")
    books = town.platform.books
    theirs.clr_stas = "20"
    assert (await _synced(town, number))[0] == "ACCEPTED"
    assert town.count("2174") == 0  # nothing is audited yet

    # Audited, and the deductions cannot be had (3701): nothing is taken, and it is said what lacks.
    theirs.findings = [Finding(suspt_id="K1", setl_id="S3", fund="hifp_pay", amount_fen=1_200),
                       Finding(suspt_id="K2", setl_id="S4", fund="hifp_pay", amount_fen=300, kind="2")]  # fmt: skip
    theirs.clr_stas = "40"
    town.platform.faults = Once("3701", Fault(business_error="查询失败"))
    state, told = await _synced(town, number)
    assert (state, town.row(number).audit, "平台没有给出3701" in told) == ("ACCEPTED", "", True), told

    # Another total at the platform than in the frozen rows: the visit is named.
    spoilt = books.settlements["S7"]
    books.settlements["S7"] = attrs.evolve(spoilt, split=attrs.evolve(spoilt.split, medfee_fen=10_001))
    state, told = await _synced(town, number)
    assert (state, "就诊V7：平台10001分，固化10000分" in told) == ("ACCEPTED", True), told
    books.settlements["S7"] = spoilt

    # The platform took it from another fund than its findings say: no audit.
    theirs.findings[0].fund = "cvlserv_pay"
    state, told = await _synced(town, number)
    assert (state, "hifp_pay的扣款：平台0分，本方1200分" in told) == ("ACCEPTED", True), told
    theirs.findings[0].fund = "hifp_pay"
    town.platform.faults = Once("2174", Fault(business_error="查询失败"))
    state, told = await _synced(town, number)
    assert (state, "平台没有给出2174" in told) == ("ACCEPTED", True), told

    # Rows move while they are read: read again, until two readings are alike.
    late = [1]

    def shift(rows: list[Json]) -> None:
        if late and rows and "mdtrtsn" in rows[0] and town.count("2173") % 2 == 0:
            late.pop()
            rows.insert(0, {**rows[-1], "mdtrtsn": "V0", "mdtrt_regno": "new"})

    books.clearing.shift = shift
    before = town.count("2173")
    state, told = await _synced(town, number)
    assert (state, late, town.count("2173") - before) == ("AUDITED", [], 6), told
    row = town.row(number)
    declared = {"hifp_pay": 5_500 * ROWS, "cvlserv_pay": 500 * ROWS, "acct_pay": 1_000 * ROWS}
    audit = json.loads(row.audit)
    for fund, fen in declared.items():
        cut = {"hifp_pay": 1_500}.get(fund, 0)
        assert audit["approved"][fund] + audit["deposit"][fund] + cut == fen
    assert audit["deposit"]["hifp_pay"] == round((5_500 * ROWS - 1_500) * 0.05)
    assert row.clr_stas == 40

    # Backwards is no state; cleared is not believed while deductions are open.
    theirs.clr_stas = "10"
    assert "退回到10" in (await _synced(town, number))[1]
    theirs.clr_stas = "50"
    state, told = await _synced(town, number)
    assert (state, "机构尚未确认审核结果" in told) == ("AUDITED", True), told
