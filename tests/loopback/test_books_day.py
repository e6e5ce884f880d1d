"""A day's books with the gateway: files in, 3201 and 3202 at a platform, differences, actions, agreement."""

# pytest-twisted has no annotations.
# mypy: disable-error-code="untyped-decorator"

import pytest_twisted
from books_town import BooksTown, Once
from town import HOSPITAL, PHARMACY

from simulators.faults import Fault


@pytest_twisted.ensureDeferred
async def test_a_day_agrees_and_running_it_again_writes_nothing(books_town: BooksTown) -> None:
    bills = await books_town.bills(8)
    assert all(answer.done for answer in await books_town.pay(bills))
    first = await books_town.day(3)
    assert first["days"]["*"] == "WAIT_INPUT", first
    await books_town.hand_in()
    second = await books_town.day(0)
    assert (second["agreed"], second["keys"], second["days"]["*"]) == (True, 8, "AGREED"), second
    assert books_town.count("3201") > 0
    third = await books_town.day(0)
    assert third["revision"] == second["revision"], (second, third)
    status = await books_town.books("status", "--date", books_town.today)
    assert {one["scope"]: one["state"] for one in status["days"]} == {
        "*": "AGREED",
        HOSPITAL: "AGREED",
        PHARMACY: "AGREED",
    }


@pytest_twisted.ensureDeferred
async def test_what_the_agency_booked_and_we_were_refused_is_reversed_and_the_day_agrees(books_town: BooksTown) -> None:
    bills = await books_town.bills(4)
    books_town.platform.faults = Once("2207", Fault(system_error="业务数据不合规"))
    answers = await books_town.pay(bills)
    lost = bills[[answer.done for answer in answers].index(False)].tries[-1].msgid
    assert lost in books_town.standing()
    await books_town.hand_in()
    told = await books_town.day(0)
    assert told["days"]["*"] == "AGREED", told
    assert lost not in books_town.standing()
    assert (books_town.count("2601"), books_town.count("3202") > 0) == (1, True)
