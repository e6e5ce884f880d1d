"""A day's books with the gateway: files in, 3201 and 3202 at a platform, differences, actions, agreement."""

# pytest-twisted has no annotations.
# mypy: disable-error-code="untyped-decorator"

import json
from pathlib import Path
from typing import Any

import pytest_twisted
from books_town import BOOKS, BooksTown, Once
from town import HOSPITAL, PHARMACY
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import deferLater

from simulators.faults import Fault
from simulators.province_faults import fault_of


@pytest_twisted.ensureDeferred
async def test_a_day_agrees_and_running_it_again_writes_nothing(books_town: BooksTown) -> None:
    bills = await books_town.bills(6)
    assert all(answer.done for answer in await books_town.pay(bills))
    first = await books_town.day(3)
    assert (first["days"]["*"], set(first["classes"])) == ("WAIT_INPUT", {"WITHHELD"}), first
    _, marker = books_town.file(HOSPITAL)
    wrong = {**marker, "rows": "99"}
    status, misfit = await books_town.post(HOSPITAL, wrong)
    assert (status, misfit.get("complete")) == (200, False), misfit
    assert "rows：日终标志99" in misfit["misfits"][0]
    status, taken = await books_town.post(HOSPITAL, marker)
    assert (status, taken["complete"]) == (200, True)
    assert (await books_town.post(PHARMACY, marker, code="H51080299999"))[0] == 401
    broken, complaints = await books_town.post(HOSPITAL, marker, body=b"setl_id,medfee_sumamt\nS1,1e3\n")
    assert broken == 400 and "LB06" in json.dumps(complaints)
    await books_town.hand_in(PHARMACY)
    second = await books_town.day(0)
    assert (second["agreed"], second["keys"], second["days"]["*"]) == (True, 6, "AGREED"), second
    asked = books_town.count("3201")
    third = await books_town.day(0)
    assert third["revision"] == second["revision"]
    assert books_town.count("3201") > asked > 0
    status_of = await books_town.books("status", "--date", books_town.today)
    assert {one["scope"]: one["state"] for one in status_of["days"]} == {
        "*": "AGREED", HOSPITAL: "AGREED", PHARMACY: "AGREED",
    }  # fmt: skip


@pytest_twisted.ensureDeferred
async def test_planted_faults_are_found_undone_and_the_day_agrees(books_town: BooksTown) -> None:
    """The agency booked what we were told is refused; a reversal was acknowledged and had no effect (S3); the
    institution booked what nobody else knows."""
    bills = await books_town.bills(6)
    books_town.platform.faults = Once("2207", Fault(system_error="业务数据不合规"))
    answers = await books_town.pay(bills[:3])
    refused = bills[[answer.done for answer in answers].index(False)].tries[-1].msgid
    books_town.platform.faults = Weather(Once("2207", Fault(drop="reset")), Once("2601", Fault(without_effect=True)))
    doubtful = [answer.done for answer in await books_town.pay(bills[3:])]
    in_vain = bills[3:][doubtful.index(False)].tries[-1].msgid
    await books_town.until_quiet()
    assert {refused, in_vain} <= books_town.standing()
    own = next(iter(books_town.ledgers[HOSPITAL].values()))
    books_town.ledgers[HOSPITAL]["X1"] = {**own, "setl_id": "X1", "msgid": "X1", "mdtrt_id": "X1", "psn_no": "X1"}
    await books_town.hand_in()
    told = await books_town.day(3)
    assert not {refused, in_vain} & books_town.standing()
    assert told["classes"] == {"L1-INST-ONLY": 1, "NETZERO_TRACE": 1}, told
    assert told["days"] == {"*": "L1_DIFF", HOSPITAL: "L1_DIFF", PHARMACY: "AGREED"}
    cases = await books_town.books("cases", "--date", books_town.today, code=3)
    assert [(one["class"], one["mode"], one["setl_id"]) for one in cases["cases"]] == [("L1-INST-ONLY", "ONE", "X1")]
    status, body = await books_town.fetch(f"/api/v1/books/{HOSPITAL}/{books_town.today}")
    found = json.loads(body)
    assert (status, [(one["setl_id"], one["action"]) for one in found["differences"]]) == (200, [("X1", "FEEDBACK")])
    del books_town.ledgers[HOSPITAL]["X1"]
    await books_town.hand_in(HOSPITAL)
    assert (await books_town.day(0))["days"]["*"] == "AGREED"
    assert (await books_town.books("cases"))["count"] == 0
    assert books_town.count("2601") == 2  # the lie apart


class Weather:
    """Several, one after the other."""

    def __init__(self, *kinds: Once) -> None:
        self.kinds = kinds

    def __call__(self, infno: str, msgid: str) -> Fault | None:
        return next((fault for one in self.kinds if (fault := one(infno, msgid)) is not None), None)


@pytest_twisted.ensureDeferred
async def test_a_node_that_is_killed_in_the_middle_reverses_once(books_town: BooksTown) -> None:
    """Its answer to the reversal never comes, and it dies; the next node goes on with the order and the reversal."""
    bills = await books_town.bills(2)
    books_town.platform.faults = Once("2207", Fault(system_error="业务数据不合规"))
    await books_town.pay(bills)
    await books_town.hand_in()
    books_town.platform.faults = Once("2601", Fault(drop="silent"))
    running = books_town.books("day", "--date", books_town.today, code=None)
    waiting = ensureDeferred(running)
    while not books_town.count("2601"):
        await deferLater(books_town.reactor, 0.05)
    await books_town.kill_gateway()
    await books_town.start_gateway()
    told = await waiting
    assert told["outcome"] == "done", told
    undone = [row for row in books_town.platform.books.settlements.values() if row.reversed]
    assert len(undone) == 1
    actions = books_town.actions()
    assert [(one.kind, one.state, one.attempt) for one in actions] == [("REVERSE", "DONE", 1)]


@pytest_twisted.ensureDeferred
async def test_the_provinces_mistakes_are_told_to_it_and_the_city_agrees(reactor: Any, tmp_path: Path) -> None:
    """A record it lacks, one with another amount, one too many: each is sent once, and its next statement is right."""
    town = BooksTown(reactor, tmp_path)
    await town.open(with_province=True)
    try:
        await town.pay(await town.bills(5))
        for number, kind in ((1, "missing_row"), (2, "wrong_amount"), (3, "extra_row")):
            facts = {"kind": kind, "ledger": "PROV", "nth": number}
            if kind == "wrong_amount":
                facts |= {"component": "medfee_sumamt", "by_fen": 100}
            town.province.faults.planted.append(fault_of(facts))
        town.province.post([{**row, "clr_pay_loc": "3", "insuplc_admdvs": "510100"} for row in town.platform.ledger()])
        await town.hand_in()
        told = await town.day(0)
        assert told["days"]["*"] == "AGREED", told
        assert {(one.kind, one.party, one.state) for one in town.actions()} == {
            ("FEEDBACK", "PROV", "DONE"), ("REVERSE", "PROV", "DONE"),
        }  # fmt: skip
        assert len(town.actions()) == 3
        assert (await town.day(0))["revision"] == told["revision"]
        assert len(town.actions()) == 3
    finally:
        await town.close()


@pytest_twisted.ensureDeferred
async def test_a_day_that_is_not_over_is_only_looked_at(reactor: Any, tmp_path: Path) -> None:
    """What would be reversed by itself tomorrow stays, nobody is asked to decide, and a day ahead is refused."""
    town = BooksTown(reactor, tmp_path)
    await town.open(BOOKS.replace('day_closes = "00:00"', 'day_closes = "29:59"'))
    try:
        town.platform.faults = Once("2207", Fault(system_error="业务数据不合规"))
        await town.pay(await town.bills(2))
        await town.hand_in()
        told = await town.day(3)
        assert (told["provisional"], told["days"]["*"], told["actions"]) == (True, "COLLECTING", {}), told
        assert told["classes"] == {"L1-CENTER-MORE": 1} and town.actions() == []
        assert (town.count("2601"), (await town.books("cases"))["count"]) == (0, 0)
        ahead = await town.books("day", "--date", "2099-01-01", code=1)
        assert "BK-DAY-AHEAD" in ahead["message"]
    finally:
        await town.close()
