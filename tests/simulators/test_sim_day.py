"""A day at an institution's counters: what could not be done is collected, and the evening can fail."""

import io
from random import Random  # noqa: TID251 - seeded dice of a test

import pytest
from counter import Counter
from rich.console import Console
from twisted.internet.defer import Deferred

from simulators import accounts
from simulators.day import day_of, play_day
from simulators.drive import run_all
from simulators.faults import Fault
from simulators.his import GaveUp, Institution, Script
from simulators.hospital import Hospital
from simulators.pharmacy import Pharmacy
from simulators.wire import Answered


class Street:
    """The way from a counter to the platform, without sockets: an answer comes a second later."""

    def __init__(self, counter: Counter) -> None:
        self.counter = counter

    def post(self, path: str, body: bytes, answered: Answered) -> None:
        found = self.counter.post(path, body)
        self.counter.clock.callLater(1.0, answered, found.status, found.body)


def played(counter: Counter, institution: Institution, evening: bool = True) -> list[str]:
    """Why scripts of a day with ten patients gave up."""
    scripts = day_of(institution, 10, 0)
    found: list[list[str]] = []
    day = play_day(counter.clock, Street(counter), institution, scripts, at_once=3, evening=evening)
    Deferred.fromCoroutine(day).addCallback(found.append)
    while not found:
        assert counter.clock.getDelayedCalls(), "the day never ends"
        counter.clock.advance(1.0)
    return found[0]


@pytest.fixture
def counter() -> Counter:
    return Counter()


@pytest.mark.parametrize("make", [Hospital, Pharmacy])
def test_a_quiet_day_leaves_nothing_undone(counter: Counter, make: type[Institution]) -> None:
    code = "H51080200001" if make is Hospital else "P51080200101"
    home = make(counter.clock.seconds, Random(5), code, "示例")
    assert played(counter, home) == []
    assert counter.platform.counts["3201"]["done"] >= 1 and home.ledger


def test_an_evening_that_does_not_agree_is_a_reason(counter: Counter) -> None:
    shop = Pharmacy(counter.clock.seconds, Random(5), "P51080200101", "示例药店")
    counter.platform.faults = lambda infno, _: Fault(twice=True) if infno == "2102" else None
    (reason,) = played(counter, shop)
    assert reason.startswith("3201 ") and "结算笔数不符" in reason
    assert played(counter, shop, evening=False) == []


def test_what_could_not_be_done_is_a_reason(counter: Counter) -> None:
    home = Hospital(counter.clock.seconds, Random(5), "H51080200001", "示例医院")
    counter.platform.faults = lambda infno, _: (
        Fault(business_error="库房盘点", processed=False) if infno == "3301" else None
    )
    assert played(counter, home) == ["3301 库房盘点"]


def test_one_thing_left_undone_is_exit_code_1_and_is_said(counter: Counter) -> None:
    shop = Pharmacy(counter.clock.seconds, Random(5), "P51080200101", "示例药店")
    assert accounts.exit_code(shop, played(counter, shop)) == 0
    shop.refused.append(("3301", "库房盘点"))
    reasons = ["3301 库房盘点", "3201 结算笔数不符"]
    assert accounts.exit_code(shop, reasons) == 1
    console = Console(record=True, width=120, file=io.StringIO())
    accounts.show(shop, reasons, console)
    text = console.export_text()
    assert text.count("库房盘点") == 1 and "没有办成：3201 结算笔数不符" in text
    shop.ledger.clear()
    assert accounts.exit_code(shop, []) == 1


def test_nothing_is_sold_without_a_sign_in(counter: Counter) -> None:
    home = Hospital(counter.clock.seconds, Random(5), "H51080200001", "示例医院")
    counter.platform.faults = lambda infno, _: Fault(business_error="未开业", processed=False)
    assert played(counter, home) == ["9001 未开业"]
    assert set(counter.platform.counts) == {"9001"} and home.ledger == []


def test_an_evening_after_midnight_states_the_days_of_its_rows(counter: Counter) -> None:
    shop = Pharmacy(counter.clock.seconds, Random(5), "P51080200101", "示例药店")
    assert played(counter, shop, evening=False) == []
    counter.clock.advance(16 * 3600.0)
    assert played(counter, shop) == []


def test_reasons_come_in_the_order_in_which_scripts_end(counter: Counter) -> None:
    def ends(text: str) -> Script:
        if text:
            raise GaveUp(text)
        return
        yield  # a generator

    found: list[list[str]] = []
    run_all(counter.clock, Street(counter), [ends(text) for text in ("甲", "", "乙")], 2).addCallback(found.append)
    counter.clock.pump([0.0] * 5)
    assert found == [["甲", "乙"]]
