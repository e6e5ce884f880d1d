"""When the books run by themselves: at their times, for a file that came late, and what is open too long is told."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from two_people import Town

from adapters.store.books import BooksStore, Input, Run
from adapters.store.codes_orders import OrdersStore
from gateway.app.books_schedule import Schedule
from gateway.app.books_shelf import SCRIPTS
from gateway.core.booked import DayRow

CODE = "H99010300001"
MIDNIGHT_S = 1_794_931_200.0  # 2026-11-18 00:00 in Shanghai
YESTERDAY = "2026-11-17"


@attrs.define
class Ears:
    alarms: list[tuple[str, str]] = attrs.Factory(list)

    def alarm(self, name: str, institution: str, msgid: str) -> None:
        self.alarms.append((name, msgid))


class Night:
    """A schedule, its store and its clock."""

    def __init__(self, folder: Path, run_at: str = '["01:30", "09:00"]') -> None:
        config = Town(folder, f"[books]\nrun_at = {run_at}\n").config
        self.store = BooksStore.open(folder / "x-books.sqlite", SCRIPTS)
        self.orders = OrdersStore(self.store.connection)
        self.clock, self.ears = Clock(), Ears()
        self.clock.advance(MIDNIGHT_S)
        self.schedule = Schedule(config, self.clock, self.ears, lambda: self.store)  # type: ignore[arg-type]
        self.schedule.orders = self  # type: ignore[assignment]

    def db(self, call: Callable[[Any], Any]) -> "Deferred[Any]":
        return succeed(call(self))

    def at(self, hour: float) -> list[str]:
        """Let it be so late today; return the dates that are ordered and not done, and end these orders."""
        self.clock.advance(MIDNIGHT_S + hour * 3600 - self.clock.seconds())
        Deferred.fromCoroutine(self.schedule.tick())
        found = []
        for order in self.orders.waiting(2**60):
            found.append(order.system)
            self.orders.take(order.id, "o", 2**50)
            self.orders.finish(order.id, "o", "done", {}, 1)
        return found

    def day(self, date: str, state: str) -> None:
        day = DayRow(role="care", scope="*", biz_date=date, state=state, revision=1, changed_ms=1, note="")
        self.store.set_days([day])

    def ran(self, date: str, at_s: float) -> None:
        run = Run(
            run_id=date, role="care", biz_date=date, revision=1, at_ms=int(at_s * 1000), agreed=True, keys=1, summary={}
        )
        self.store.bring_into_force(run, (), ())

    def came(self, date: str, at_s: float, who: str) -> None:
        one = Input(
            ledger="INST", scope=CODE, biz_date=date, source="x", sm3=f"{at_s}", rows=1, complete=True, sums={},
            path="p", who=who, at_ms=int(at_s * 1000),
        )  # fmt: skip
        self.store.add_input(one)


@pytest.fixture
def night(tmp_path: Path) -> Iterator[Night]:
    made = Night(tmp_path)
    yield made
    made.store.close()


def test_yesterday_runs_at_its_times_and_once_each(night: Night) -> None:
    assert [night.at(hour) for hour in (0.5, 1.4, 1.6, 2, 8.9, 9.1, 10)] == [
        [], [], [YESTERDAY], [], [], [YESTERDAY], [],
    ]  # fmt: skip


def test_what_agrees_is_left_alone_and_what_is_open_is_looked_at_again(night: Night) -> None:
    night.day(YESTERDAY, "AGREED")
    night.day("2026-11-16", "L1_DIFF")
    assert night.at(1.6) == ["2026-11-16"]


def test_a_late_file_runs_its_own_day_again_at_once_and_no_other(night: Night) -> None:
    for date in (YESTERDAY, "2026-11-16"):
        night.day(date, "AGREED")
        night.ran(date, MIDNIGHT_S + 5_400)
    assert night.at(2) == []
    night.came("2026-11-16", MIDNIGHT_S + 7_300, "node")  # derived by the run itself
    assert night.at(2.2) == []
    night.came("2026-11-16", MIDNIGHT_S + 8_000, "http:x")
    assert night.at(2.5) == ["2026-11-16"]


def test_a_file_whose_run_failed_is_no_reason_for_order_after_order(night: Night) -> None:
    """The platform would be asked for the day twice a minute, three days long."""
    night.day(YESTERDAY, "AGREED")
    night.ran(YESTERDAY, MIDNIGHT_S + 5_400)
    night.came(YESTERDAY, MIDNIGHT_S + 7_300, "http:x")
    assert [night.at(hour) for hour in (2.1, 2.2, 2.3, 9.1, 9.2)] == [[YESTERDAY], [], [], [YESTERDAY], []]


def test_a_file_for_a_frozen_day_runs_nothing(night: Night) -> None:
    night.ran(YESTERDAY, MIDNIGHT_S + 5_400)
    night.day(YESTERDAY, "FROZEN")
    night.came(YESTERDAY, MIDNIGHT_S + 7_300, "http:x")
    assert [night.at(hour) for hour in (2.1, 9.1)] == [[], []]


def test_a_day_that_is_open_after_three_days_is_told_once(night: Night) -> None:
    night.day("2026-11-15", "L1_DIFF")
    night.day(YESTERDAY, "L1_DIFF")
    night.at(1)
    night.at(2)
    assert night.ears.alarms == [("books_day_open", "2026-11-15")]


def test_without_times_nothing_runs_by_itself(tmp_path: Path) -> None:
    night = Night(tmp_path, "[]")
    night.day(YESTERDAY, "L1_DIFF")
    assert [night.at(hour) for hour in (1, 9, 23)] == [[], [], []]
    night.store.close()
