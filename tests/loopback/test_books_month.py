"""Clearing at a platform over real sockets: lost answers, refusals, states; the month's split with pages that move."""

# pytest-twisted has no annotations.
# mypy: disable-error-code="untyped-decorator"

import json
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from books_town import BooksTown
from month_town import HOSPITAL, MONTH, Key, MonthTown, Once, remote
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from adapters.store.books_freeze_writer import FreezeWriter
from adapters.store.books_month import DeductionRow, MonthWriter
from adapters.store.books_split import SplitStore
from adapters.store.books_writing import writing
from gateway.app.books_freezing import carry_out, content, plan, read_through, verify
from gateway.app.books_month_desk import confirm, paid, take_audit
from gateway.app.books_shelf import SCRIPTS
from gateway.app.config import read_config
from gateway.books.clearing import Refused
from gateway.books.freezing import CITY
from simulators.clearing_book import Application
from simulators.faults import Fault
from simulators.wording import Json

DAY = f"{MONTH}-01"


@pytest_twisted.ensureDeferred
async def test_an_application_is_never_sent_twice_and_follows_the_platform(reactor: Any, tmp_path: Path) -> None:
    town = MonthTown(reactor, tmp_path, "jilin")
    try:
        await town.open([remote(n, DAY) for n in range(3)])
        await _applied(town)
    finally:
        await town.close()


async def _applied(town: MonthTown) -> None:
    desk = town.platform.books.clearing
    number = town.approved()

    # Nobody was reached: the application waits as it was.
    town.platform.faults = Once("3203", Fault(business_error="本期尚未开放申报"))
    refused = await town.order("month_submit", id=number)
    assert (refused.outcome, town.row(number).state) == ("findings", "APPROVED"), refused

    # The platform did it and the answer was lost: asked, found, not sent again.
    town.platform.faults = Once("3203", Fault(drop="reset"))
    lost = await town.order("month_submit", id=number)
    [application] = desk.applications.values()
    assert (lost.outcome, town.row(number).state) == ("done", "SUBMITTED"), lost
    assert (town.row(number).event_id, town.count("3203")) == (application.event_id, 1)
    assert application.head["medfee_sumamt"] == "300.00" or float(application.head["medfee_sumamt"]) == 300.0
    assert str(application.head["psntime"]) == "3"

    # It is withdrawn, the answer lost: asked, gone.
    town.platform.faults = Once("3204", Fault(drop="reset"))
    withdrawn = await town.order("month_withdraw", id=number, approval=1, maker="qian", checker="sun")
    assert (withdrawn.outcome, town.row(number).state, town.count("3204")) == ("done", "WITHDRAWN", 1), withdrawn

    # The request itself was lost: certainly absent, so it may be submitted again, by a person's order.
    number = town.approved()
    town.platform.faults = Once("3203", Fault(drop="reset", processed=False))
    absent = await town.order("month_submit", id=number)
    assert (town.row(number).state, town.count("3203")) == ("APPROVED", 1), absent
    assert (await town.order("month_submit", id=number)).outcome == "done"
    row = town.row(number)
    assert (row.state, row.revision, town.count("3203")) == ("SUBMITTED", 2, 2)

    # What it says afterwards: accepted; unknown and backwards keep the state and alarm.
    theirs = desk.applications[row.event_id]
    for stas, state, alarms in (
        ("20", "ACCEPTED", 0),
        ("999", "ACCEPTED", 1),
        ("10", "ACCEPTED", 1),
        ("40", "AUDITED", 0),
    ):
        theirs.clr_stas = stas
        told = await town.order("month_sync", role="care", month=MONTH)
        found = told.result["alarms"]
        assert isinstance(found, list)
        assert (town.row(number).state, len(found)) == (state, alarms), (stas, told)
        if stas == "20":  # the platform refuses to give it back: it is accepted as before
            town.platform.faults = Once("3204", Fault(business_error="已受理，不能撤回"))
            vain = await town.order("month_withdraw", id=number, approval=1, maker="qian", checker="sun")
            assert (vain.outcome, town.row(number).state) == ("findings", "ACCEPTED"), vain
    late = await town.order("month_withdraw", id=number, approval=1, maker="qian", checker="sun")
    assert (late.outcome, town.row(number).state) == ("failed", "AUDITED"), late
    events = [event[2] for event in town.work(lambda writer: writer.events(number))]
    await _confirmed(town, number, theirs)
    await _killed(town)
    assert events[:6] == ["DRAFT", "CHECKED", "APPROVED", "SUBMITTING", "IN_DOUBT", "APPROVED"]


async def _confirmed(town: MonthTown, number: int, theirs: Application) -> None:
    """The platform has cleared and paid: it is the institution that confirms, and then the state follows."""

    async def said(stas: str) -> tuple[str, int, str]:
        theirs.clr_stas = stas
        told = await town.order("month_sync", role="care", month=MONTH)
        return town.row(number).state, town.row(number).clr_stas, str(told.result["alarms"])

    cut = DeductionRow(
        deduction_id="D1", setl_id="S1", feedetl_sn="", fund="fund_pay_sumamt", amount=1_000, kind="DEDUCT",
        reason_code="", text="", period="", dept="", doctor="", notice="", state="ACCEPTED", revised=None, ended="",
        notified=DAY, changed_ms=1,
    )  # fmt: skip
    config = read_config(town.town.config)

    def confirmed(approved: int) -> str:
        audit = {"approved": {"fund_pay_sumamt": approved, "acct_pay": 3_000}, "deposit": {}}

        def call(writer: MonthWriter) -> str:
            row = take_audit(config, writer, town.row(number), audit, "qian", 5)
            return confirm(config, writer, row, "qian", 6).state

        return town.work(call)

    town.work(lambda writer: writer.deduct(number, [cut], "qian", 5))
    for _ in range(2):  # told again and again until it has
        state, stas, alarms = await said("50")
        assert (state, stas, "机构尚未确认" in alarms) == ("AUDITED", 50, True), alarms
    state, stas, alarms = await said("60")
    assert (state, stas, "已拨付" in alarms) == ("AUDITED", 60, True), alarms
    with pytest.raises(Refused, match="相差1分"):
        confirmed(16_999)
    [kept] = town.work(lambda writer: writer.deductions(number))
    assert (town.row(number).state, kept.state) == ("AUDITED", "ACCEPTED")
    assert confirmed(17_000) == "CONFIRMED"
    [kept] = town.work(lambda writer: writer.deductions(number))
    assert (kept.state, kept.ended) == ("APPLIED", "ACCEPTED")
    assert "BM-PAID" in (await said("60"))[2]  # heard before, and now it leads on: how much is what lacks
    town.work(lambda writer: paid(config, writer, town.row(number), 20_000, 0, "qian", 7))
    assert await said("60") == ("DISBURSED", 60, "[]")


async def _killed(town: MonthTown) -> None:
    """The node dies after the platform acted and before it could be told: its successor asks, and sends nothing."""
    desk, before = town.platform.books.clearing, town.count("3203")
    for one in desk.applications.values():
        one.clr_stas = ""
    town.work(lambda writer: writer.connection.execute("UPDATE clearing SET state = 'RETURNED'"))
    number = town.approved()
    town.platform.faults = Once("3203", Fault(drop="silent"))
    order = await town.place("month_submit", id=number)
    while town.count("3203") == before:
        await deferLater(town.reactor, 0.05)
    await town.kill()
    assert town.row(number).state == "SUBMITTING"
    await town.start()
    ended = await town.end(order)
    found = town.row(number)
    assert (ended.outcome, found.state, town.count("3203")) == ("done", "SUBMITTED", before + 1), ended
    assert desk.applications[found.event_id].clr_stas == "10"
    await deferToThread(_in_the_trail, town, number)


def _in_the_trail(town: MonthTown, number: int) -> None:
    """Also what was stored the moment before the kill: the node that follows brings it there."""
    told: list[tuple[str, str, str]] = []

    def there() -> bool:
        words = ("audit", "list", str(town.town.config), "--action", "books.clearing", "--json")
        rows = json.loads(town.town.tool("gateway", *words))["rows"]
        told[:] = [(row["subject"], row["before"], row["after"]) for row in sorted(rows, key=lambda row: row["id"])]
        return told[-1:] == [(f"clearing:{number}", "IN_DOUBT", "SUBMITTED")]

    town.town.wait_until(there, 30)
    own = [after for subject, _, after in told if subject == f"clearing:{number}"]
    assert own == ["DRAFT", "CHECKED", "APPROVED", "SUBMITTING", "IN_DOUBT", "SUBMITTED"]
    assert {("AUDITED", "CONFIRMED"), ("CONFIRMED", "DISBURSED")} < {(was, is_now) for _, was, is_now in told}


def split_row(number: int, medfee: str = "100.00", optins: str = "60.00") -> Json:
    return {
        "mdtrtarea": "510800", "medins_no": "X", "certno": f"51010019800101{number:04d}", "mdtrt_id": f"V{number}",
        "mdtrt_setl_time": f"{DAY} 09:00:00", "setl_sn": f"A{number}", "fulamt_advpay_flag": "0",
        "medfee_sumamt": medfee, "optins_pay_sumamt": optins,
    }  # fmt: skip


@pytest_twisted.ensureDeferred
async def test_a_split_is_read_until_it_stands_still_and_confirmed_in_batches(reactor: Any, tmp_path: Path) -> None:
    town = MonthTown(reactor, tmp_path, "foshan")
    try:
        await town.open([remote(n, DAY) for n in range(150)])
        await _split(town)
    finally:
        await town.close()


async def _split(town: MonthTown) -> None:
    desk = town.platform.books.clearing
    place = (HOSPITAL, "2026", "02")
    rows = [split_row(n) for n in range(149)]
    rows[7] = split_row(7, medfee="100.01")
    rows[8] = split_row(8, optins="59.99")
    rows.append(split_row(999))
    desk.splits[place] = rows
    late = [split_row(149)]

    def shift(page: list[Json]) -> None:
        """While the first reading goes on a row is put in front: the second page then shows one row again."""
        if late and town.count("3260") == 2:
            page.insert(0, late.pop())

    desk.shift = shift
    stated = {"rows": 151, "medfee": 151 * 10_000 + 1, "optins": 151 * 6_000 - 1}
    wrong = await town.order("month_split", month=MONTH, **{**stated, "medfee": 5})
    assert (wrong.outcome, "不完整" in str(wrong.result["message"])) == ("failed", True), wrong
    unproven = await town.order("month_split", month=MONTH)
    assert (unproven.outcome, unproven.result["state"]) == ("findings", "UNPROVEN"), unproven
    assert (await town.order("month_confirm", month=MONTH)).outcome == "failed"
    nothing = await town.order("month_rollback", month=MONTH)  # nor does taking nothing back prove anything
    assert (nothing.outcome, nothing.result["rolled_back"]) == ("done", []), nothing
    assert (await town.order("month_confirm", month=MONTH)).outcome == "failed"
    assert town.count("3261") == town.count("3262") == 0
    found = await town.order("month_split", month=MONTH, **stated)
    assert (found.result["rows"], found.result["match"], found.result["state"]) == (151, 148, "FETCHED"), found
    differences = found.result["differences"]
    assert isinstance(differences, list)
    assert {(one["setl_sn"], one["why"]) for one in differences} == {
        ("A7", "总金额对不上"), ("A8", "统筹对不上"), ("A999", "没有此记录"),
    }  # fmt: skip

    # The second batch's answer is lost: nothing is sent again, the period is rolled back, and confirmed anew.
    town.platform.faults = Second("3261", Fault(drop="reset"))
    half = await town.order("month_confirm", month=MONTH)
    assert (half.outcome, town.count("3261"), len(desk.confirmed)) == ("failed", 2, 2), half
    again = await town.order("month_confirm", month=MONTH)
    assert ("不得重发" in str(again.result["message"]), town.count("3261")) == (True, 2), again
    assert "不能重新下载" in str((await town.order("month_split", month=MONTH, **stated)).result["message"])
    back = await town.order("month_rollback", month=MONTH)
    assert (back.result["rolled_back"], desk.confirmed) == (["0"], {}), back
    done = await town.order("month_confirm", month=MONTH)
    assert (done.outcome, done.result["batches"], done.result["confirmed"]) == ("findings", 2, 148), done
    flags = [row["cnfm_flag"] for _, batch in desk.confirmed.values() for row in batch]
    assert (len(flags), flags.count("0")) == (151, 3)
    back = await town.order("month_rollback", month=MONTH)
    assert (back.outcome, len(back.result["rolled_back"]), desk.confirmed) == ("done", 2, {}), back  # type: ignore[arg-type]

    # A batch is taken back and the answer lost: the platform refuses to take it back again, the period it does.
    await town.order("month_confirm", month=MONTH)
    town.platform.faults = Once("3262", Fault(drop="reset"))
    lost = await town.order("month_rollback", month=MONTH)
    assert (lost.outcome, len(desk.confirmed)) == ("failed", 1), lost
    assert "不得重发" in str((await town.order("month_confirm", month=MONTH)).result["message"])
    back = await town.order("month_rollback", month=MONTH)
    assert (back.outcome, back.result["rolled_back"], desk.confirmed) == ("done", ["0"], {}), back
    kept = town.work(lambda writer: SplitStore(writer.connection).verdicts(place[0], MONTH))
    assert len(kept) == 151 and b"510100198001" not in town.store.read_bytes()  # no identity number rests there


class Second(Once):
    """The second message of a transaction is hit."""

    def __call__(self, infno: str, msgid: str) -> Fault | None:
        if infno == self.infno and self.left > 0:
            self.left -= 1
            return None
        hit, self.left = infno == self.infno and self.left == 0, self.left - (infno == self.infno)
        return self.fault if hit else None


def _day_in_the_trail(books_town: BooksTown) -> None:
    """The run and the files it is made of, each once; the chain is whole."""
    tool, config = books_town.town.tool, str(books_town.town.config)
    rows: list[Json] = []

    def there() -> bool:
        rows[:] = json.loads(tool("gateway", "audit", "list", config, "--action", "books", "--json"))["rows"]
        return any(row["action"] == "books.run" for row in rows)

    books_town.town.wait_until(there, 30)
    [one] = [row for row in rows if row["action"] == "books.run"]
    assert (one["subject"], one["who"]) == (f"care:{books_town.today}", "service:gateway")
    assert "*=AGREED INST AGREED=" in one["after"] and "对账第1次" in one["reason"], one
    files = sum(row["action"] == "books.hand_in" for row in rows)
    assert files == len(books_town.ledgers)
    assert json.loads(tool("gateway", "audit", "verify", config, "--json"))["ok"]


@pytest_twisted.ensureDeferred
async def test_a_day_the_gateway_reconciled_is_frozen_from_the_runs_own_files(books_town: BooksTown) -> None:
    bills = await books_town.bills(8)
    assert all(answer.done for answer in await books_town.pay(bills))
    await books_town.hand_in()
    assert (await books_town.day(0))["days"]["*"] == "AGREED"
    await deferToThread(_day_in_the_trail, books_town)
    config = read_config(books_town.town.config)
    key, counted = Key(), {}

    def work() -> None:
        with writing(config.room("books"), SCRIPTS) as connection:
            writer = FreezeWriter(connection)
            for scope in writer.scopes("care", books_town.today):
                if scope == CITY:
                    continue
                planned = plan(
                    writer, config.path(config.node.data_dir), "care", scope, books_town.today, province=False
                )
                approved = content(planned, read_through(planned))
                row = carry_out(writer, planned, approved, ("li", "wang", 0), key, 1, True)
                counted[scope] = sum(fee[-1][0] or 0 for fee in writer.fees(row.id))
            assert verify(writer, key) == []

    await deferToThread(work)
    ours = {
        code: sum(int(row["medfee_sumamt"].replace(".", "")) for row in rows.values())
        for code, rows in books_town.ledgers.items()
    }
    assert {scope: fen for scope, fen in counted.items() if fen} == ours
    again = await books_town.books("status", "--date", books_town.today)
    assert {one["state"] for one in again["days"] if one["scope"] in ours} == {"FROZEN"}

    # The institutions' days take no more files; the city's is open, and its run leaves theirs alone and asks nobody.
    status, told = await books_town.post(HOSPITAL, books_town.file(HOSPITAL)[1])
    assert (status, told["gw_code"]) == (409, "GW-DAY-FROZEN"), told
    refused = await books_town.books("hand-in", HOSPITAL, str(books_town.folder / f"{HOSPITAL}.csv"), "--date",
                                     books_town.today, code=1)  # fmt: skip
    assert "GW-DAY-FROZEN" in str(refused)
    asked = books_town.count("3201")
    once_more = await books_town.day(0)
    assert ({once_more["days"][code] for code in ours}, books_town.count("3201")) == ({"FROZEN"}, asked)
