"""Deductions and appeals by interface (3701-3704) over real sockets: taken whole, sent once, looked for in doubt."""

# pytest-twisted has no annotations.
# mypy: disable-error-code="untyped-decorator"

import json
from pathlib import Path
from typing import Any

import pytest_twisted
from month_ledger import settled_there
from month_town import HOSPITAL, MONTH, MonthTown, Once
from test_books_monthly import DAY, REGION, entered, fee
from test_journal_decide import enrol, run
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from wall import DAY_S, Wall

from adapters.store.books_appeal import AppealStore
from gateway.core.dates import day_of
from simulators.clearing_book import Application, Finding
from simulators.faults import Fault

ROWS = 12
EVIDENCE = b"%PDF-1.4 what the ward wrote"


@pytest_twisted.ensureDeferred
async def test_appeals_go_out_once_and_their_outcomes_come_back(reactor: Any, tmp_path: Path) -> None:
    town = MonthTown(reactor, tmp_path, REGION)
    try:
        await town.open([fee(number) for number in range(ROWS)])
        for number in range(ROWS):
            settled_there(town.platform.books, HOSPITAL, number, DAY)
        number = town.approved()
        theirs = entered(town, number, "SB202602001")
        await _taken(town, number, theirs)
        await _appealed(town, number, theirs)
        await _reviewed(town, number, theirs)
        await _killed(town, number, theirs)
    finally:
        await town.close()


@pytest_twisted.ensureDeferred
async def test_an_appeal_of_a_year_without_working_days_says_what_is_lacking(reactor: Any, tmp_path: Path) -> None:
    wall = Wall(ahead_s=30 * 366 * DAY_S)
    town = MonthTown(reactor, tmp_path, REGION, wall=wall, knows_its_years=False)
    try:
        await town.open([fee(0)])
        settled_there(town.platform.books, HOSPITAL, 0, DAY)
        number = town.approved()
        theirs = entered(town, number, "SB202602001")
        theirs.findings = [Finding(suspt_id="K0", setl_id="S0", fund="hifp_pay", amount_fen=100)]
        theirs.clr_stas = "40"
        assert (await town.order("month_deductions", id=number)).outcome == "done"
        told = await _appeal(town, number, "K0")
        assert (told.outcome, town.count("3702"), states(town, number)) == ("failed", 0, {"K0": "NOTIFIED"}), told
        assert f"工作日历没有{day_of(wall.seconds())[:4]}年" in str(told.result)
    finally:
        await town.close()


def states(town: MonthTown, number: int) -> dict[str, str]:
    return {one.deduction_id: one.state for one in town.work(lambda writer: writer.deductions(number))}


async def _appeal(town: MonthTown, number: int, deduction: str, what: str = "appeal", **more: object) -> Any:
    given = {"note": "病历可证", **more}
    return await town.order("month_appeal", id=number, deduction=deduction, what=what, **given)


async def _taken(town: MonthTown, number: int, theirs: Application) -> None:
    theirs.findings = [
        Finding(suspt_id=f"K{at}", setl_id=f"S{at}", fund="hifp_pay", amount_fen=100 * (at + 1)) for at in range(5)
    ]
    theirs.findings[4].kind = "9"  # nobody knows what that is
    theirs.clr_stas = "40"
    wrong = await town.order("month_deductions", id=number)
    assert (wrong.outcome, states(town, number), "K4" in str(wrong.result)) == ("failed", {}, True), wrong
    theirs.findings[4].kind = "3"
    theirs.findings[4].amount_fen = 5_501  # more than the fund of the settlement
    over = await town.order("month_deductions", id=number)
    assert ("BD-OVER" in str(over.result), states(town, number)) == (True, {}), over
    theirs.findings[4].amount_fen = 500
    asked = town.count("3701")
    taken = await town.order("month_deductions", id=number)
    assert (taken.outcome, taken.result["added"], town.count("3701") - asked) == ("done", 5, 2), taken
    rows = {one.deduction_id: one for one in town.work(lambda writer: writer.deductions(number))}
    assert [(rows[f"K{at}"].setl_id, rows[f"K{at}"].amount, rows[f"K{at}"].dept) for at in (0, 3)] == [
        ("S0", 100, "A03"), ("S3", 400, "A03"),
    ]  # fmt: skip
    assert rows["K4"].kind == "PENALTY"
    early = await _appeal(town, number, "K0")
    assert ("BM-STATE" in str(early.result), town.count("3702")) == (True, 0), early
    synced = await town.order("month_sync", role="care", month=MONTH)
    assert town.row(number).state == "AUDITED", synced


async def _appealed(town: MonthTown, number: int, theirs: Application) -> None:
    place = town.folder / "node" / "books" / "appeals" / "x.pdf"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(EVIDENCE)
    file = {"file": "books/appeals/x.pdf", "file_sm3": "ab"}
    unsaid = await _appeal(town, number, "K0", note=" ")
    assert ("BD-NOTE" in str(unsaid.result), town.count("3702"), town.count("3704")) == (True, 0, 0), unsaid

    # The material does not arrive: the appeal is not sent. Then its request is lost: asked, absent, not again.
    town.platform.faults = Once("3704", Fault(business_error="文件服务忙"))
    vain = await _appeal(town, number, "K0", **file)
    assert (vain.outcome, town.count("3702")) == ("failed", 0), vain
    town.platform.faults = Once("3702", Fault(drop="reset", processed=False))
    absent = await _appeal(town, number, "K0", **file)
    assert (absent.result["state"], states(town, number)["K0"], town.count("3702")) == ("NOT_SENT", "NOTIFIED", 0), (
        absent
    )

    # The platform has it and the answer is lost: found, and not sent again.
    town.platform.faults = Once("3702", Fault(drop="reset"))
    lost = await _appeal(town, number, "K0", **file)
    assert (lost.outcome, states(town, number)["K0"], town.count("3702")) == ("done", "APPEALED", 1), lost
    assert town.row(number).state == "DISPUTED"
    finding = theirs.findings[0]
    assert (finding.appealed, finding.reason) == (True, "病历可证")
    assert town.platform.books.clearing.materials[finding.attachment] == [("x.pdf", EVIDENCE)]
    again = await _appeal(town, number, "K0", **file)
    assert (again.outcome, town.count("3702")) == ("done", 1), again

    # It was appealed on the web platform already: refused there, and stays as it was here.
    theirs.findings[1].appealed = True
    refused = await _appeal(town, number, "K1")
    assert (refused.result["state"], states(town, number)["K1"]) == ("REFUSED", "NOTIFIED"), refused
    told = await town.order("month_deductions", id=number)
    assert (told.outcome, "K1在平台已申诉" in str(told.result)) == ("findings", True), told
    theirs.findings[1].appealed = False


async def _reviewed(town: MonthTown, number: int, theirs: Application) -> None:
    first = await _appeal(town, number, "K1", "review")
    assert ("BD-STATE" in str(first.result), town.count("3703")) == (True, 0), first
    joint = await _appeal(town, number, "K0", "review")
    assert (joint.outcome, theirs.findings[0].reviewed, states(town, number)["K0"]) == ("done", True, "APPEALED"), joint
    notes = [event[3] for event in town.work(lambda writer: writer.deduction_events(number)) if event[0] == "K0"]
    assert notes[-1] == "申请合议：病历可证"
    assert (await _appeal(town, number, "K2")).outcome == "done"

    # One is revised, one is revoked: the amounts follow, and the funds as the platform audited them anew.
    before = town.row(number).audit
    theirs.findings[0].outcome, theirs.findings[0].confirmed_fen = "2", 40
    theirs.findings[2].outcome = "3"
    told = await town.order("month_deductions", id=number)
    assert (told.result["outcomes"], town.row(number).state) == (2, "AUDITED"), told
    rows = {one.deduction_id: one for one in town.work(lambda writer: writer.deductions(number))}
    assert (rows["K0"].state, rows["K0"].revised, rows["K2"].state) == ("REVISED", 40, "REVOKED")
    assert (await town.order("month_sync", role="care", month=MONTH)).outcome == "done"
    assert town.row(number).audit != before


async def _killed(town: MonthTown, number: int, theirs: Application) -> None:
    """The node dies after the platform took the appeal: its successor looks, and sends nothing."""
    before = town.count("3702")
    town.platform.faults = Once("3702", Fault(drop="silent"))
    order = await town.place("month_appeal", id=number, deduction="K3", what="appeal", note="病历可证")
    while town.count("3702") == before:
        await deferLater(town.reactor, 0.05)
    await town.kill()
    sent = town.work(lambda writer: AppealStore(writer.connection).last(number, "K3", "appeal"))
    assert sent is not None and sent.state == "SENDING"
    await town.start()
    ended = await town.end(order)
    assert (ended.outcome, states(town, number)["K3"], town.count("3702")) == ("done", "APPEALED", before + 1), ended
    await deferToThread(_commanded, town, number)
    finding = theirs.findings[1]
    assert (finding.appealed, finding.reason, states(town, number)["K1"]) == (True, "病历可证", "APPEALED")
    [(name, content)] = town.platform.books.clearing.materials[finding.attachment]
    assert (name.endswith(".pdf"), content) == (True, EVIDENCE)


def _commanded(town: Any, number: int) -> None:
    """As the person gives it: an appeal with its material."""
    file = town.folder / "ward.pdf"
    file.write_bytes(EVIDENCE)
    words = ["books", "month", str(town.town.config), "--month", MONTH, "appeal", "--id", str(number)]
    words += ["--deduction", "K1", "appeal", "--note", "病历可证", "--file", str(file), "--json"]
    code, said = run(town, words, ("qian", *enrol(town, "qian", "finance")))
    assert (code, json.loads(said)["state"]) == (0, "DONE"), said
