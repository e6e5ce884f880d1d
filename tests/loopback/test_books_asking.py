"""A node asks the agency about single records (5203), once a revision, tells what it heard, moves nothing; what went
past the gateway raises its alarm. Real sockets, a platform of our own."""

# pytest-twisted has no annotations.
# mypy: disable-error-code="untyped-decorator"

import attrs
import pytest_twisted
from books_town import BooksTown, Once

from simulators.faults import Fault

PAST = "H51080200001PASTTHEGATEWAY0001"


@pytest_twisted.ensureDeferred
async def test_the_agency_is_asked_about_what_its_statement_lacks(books_town: BooksTown) -> None:
    await books_town.pay(await books_town.bills(5))
    rows = books_town.platform.books.settlements
    lost, elsewhere, refunded, another, past = list(rows.values())
    del rows[lost.setl_id]
    for row in (elsewhere, refunded, another):  # not on this day's statement, and 5203 knows them
        row.now_s -= 3 * 86_400
    refunded.refunded = True
    rows["PAST"] = attrs.evolve(past, setl_id="PAST", msgid=PAST)  # the institution's second road to the platform
    ledger = books_town.ledgers[past.institution]
    ledger["PAST"] = {**ledger[past.setl_id], "setl_id": "PAST", "msgid": PAST}
    books_town.platform.faults = Once("5203", Fault(system_error="系统繁忙，请稍后再试"))
    await books_town.hand_in()
    told = await books_town.day(3)
    assert told["classes"] == {"L1-AGY-MISSING": 4, "L1-GW-MISSING": 1}, told
    assert (sum(told["asked"].values()), told["asked"]["no_answer"], books_town.count("5203")) == (4, 1, 4), told
    cases = {one["setl_id"]: one for one in (await books_town.books("cases", code=3))["cases"]}
    wanted = {
        lost.setl_id: "nothing", elsewhere.setl_id: "confirmed", refunded.setl_id: "refunded",
        another.setl_id: "confirmed",
    }  # fmt: skip
    unheard = [key for key in wanted if cases[key]["agency"]["finding"] == "no_answer"]
    assert len(unheard) == 1
    for key in wanted.keys() - set(unheard):
        assert cases[key]["agency"]["finding"] == wanted[key]
    confirmed = next(cases[key] for key in (elsewhere.setl_id, another.setl_id) if key not in unheard)
    assert "不得作废" in confirmed["todo"] and confirmed["agency"]["facts"]["medfee_sumamt"] == confirmed["left_amt"]
    assert cases["PAST"]["agency"] is None
    assert (books_town.actions(), books_town.count("2601")) == ([], 0)
    alarms = 'liangding_alarms_total{reason="bypass_settlement"}'
    assert books_town.town.metric(alarms) == 1
    again = await books_town.day(3)
    assert (again["revision"], again["asked"], books_town.count("5203")) == (told["revision"], {}, 4)
    assert books_town.town.metric(alarms) == 1
