"""When the books run by themselves: at their times, for a file that came late, and what is open too long is told."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from two_people import Town

from adapters.store.books import BooksStore, Input, Planned, Run
from adapters.store.books_cases import BooksCases
from adapters.store.codes_orders import OrdersStore
from gateway.app.books_schedule import Schedule
from gateway.app.books_shelf import SCRIPTS
from gateway.core.booked import DayRow, DiffRow

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

    def __init__(self, folder: Path, run_at: str = '["01:30", "09:00"]', more: str = 'report_at = ""') -> None:
        config = Town(folder, f"[books]\nrun_at = {run_at}\n{more}\n").config
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
            role = order.arguments["role"]
            kind = "" if order.kind == "day" else f" {order.kind}"
            found.append(order.system + kind + ("" if role == "care" else f" {role}"))
            self.orders.take(order.id, "o", 2**50)
            self.orders.finish(order.id, "o", "done", {}, 1)
        return found

    def day(self, date: str, state: str, role: str = "care", at_s: float = 0.001) -> None:
        day = DayRow(
            role=role, scope="*", biz_date=date, state=state, revision=1, changed_ms=int(at_s * 1000), note=""
        )  # fmt: skip
        self.store.set_days([day])

    def ran(self, date: str, at_s: float, role: str = "care") -> None:
        run = Run(
            run_id=date + role,
            role=role,
            biz_date=date,
            revision=1,
            at_ms=int(at_s * 1000),
            agreed=True,
            keys=1,
            summary={},
        )
        self.store.bring_into_force(run, (), ())

    def came(self, date: str, at_s: float, who: str, scope: str = CODE) -> None:
        one = Input(
            ledger="INST" if scope == CODE else "INS", scope=scope,
            biz_date=date, source="x", sm3=f"{at_s}", rows=1, complete=True, sums={},
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


def test_without_times_nothing_runs_by_itself_but_what_is_open_is_told(tmp_path: Path) -> None:
    night = Night(tmp_path, "[]", "")
    night.day("2026-11-13", "L1_DIFF")
    night.day(YESTERDAY, "L1_DIFF")
    assert [night.at(hour) for hour in (1, 9, 23)] == [[], [], []]
    assert night.ears.alarms == [("books_day_open", "2026-11-13"), ("books_day_open", "2026-11-14"),
                                 ("books_day_open", "2026-11-15")]  # fmt: skip
    night.store.close()


def test_days_a_node_was_down_are_run_afterwards_and_told_at_t3(night: Night) -> None:
    night.day("2026-11-12", "AGREED")
    assert night.at(1.6) == [YESTERDAY, *(f"2026-11-{day}" for day in (16, 15, 14, 13))]
    assert [what for _, what in night.ears.alarms] == ["2026-11-13", "2026-11-14", "2026-11-15"]
    assert night.at(2) == []


def test_only_so_many_missed_days_are_run_by_themselves(tmp_path: Path) -> None:
    night = Night(tmp_path, more='report_at = ""\ncatch_up_days = 2')
    night.day("2026-11-01", "AGREED")
    assert night.at(1.6) == [YESTERDAY, "2026-11-16"]
    night.store.close()


def test_a_late_file_runs_its_day_however_old_and_no_other(night: Night) -> None:
    for date in ("2026-06-30", "2026-07-01"):
        night.day(date, "AGREED")
        night.ran(date, MIDNIGHT_S - 86_400 * 100)
    night.day("2026-06-29", "FROZEN")
    night.ran("2026-06-29", MIDNIGHT_S - 86_400 * 100)
    night.came("2026-06-29", MIDNIGHT_S + 1, "http:x")
    night.came("2026-06-30", MIDNIGHT_S + 1, "http:x")
    assert [night.at(hour) for hour in (0.5, 0.6)] == [["2026-06-30"], []]


def test_what_is_open_after_t3_runs_once_a_day_and_after_a_decision(night: Night) -> None:
    old = "2026-11-10"
    night.day("2026-11-09", "AGREED")
    for day in range(11, 18):
        night.day(f"2026-11-{day}", "AGREED")
    night.day(old, "L2_DIFF", at_s=MIDNIGHT_S - 3_600)
    assert [night.at(hour) for hour in (1.4, 1.6, 9.1)] == [[], [old], []]
    diff = DiffRow(
        diff_id="d", role="care", scope="*", biz_date=old, leg="L2", name="L2-PROV-MISSING", row="", mode="AUTO",
        action="FEEDBACK", prevails="AGY", setl_id="S1", msgid="", fixmedins_code=CODE, component="", left_fen=None,
        right_fen=None, note="", agreed=False, first_revision=1, last_revision=1, state="OPEN", changed_ms=1,
    )  # fmt: skip
    night.store.write_lines([(diff, [Planned(mode="TWO")])], 1)
    cases = BooksCases(night.store.connection)
    (case,) = cases.cases(("OPEN",))
    cases.decide(case, "carry", "r", "zhang", 1, "CARRIED", None, int(MIDNIGHT_S + 35_000) * 1000)
    assert night.at(10) == [old]


PROVINCE = 'report_at = ""\n[province]\nurl = "http://127.0.0.1:9"\nrole = "both"\naccount = "a"\nsecret_file = "s"'


def test_the_insured_role_runs_later_is_caught_up_and_told(tmp_path: Path) -> None:
    """§4.3: L3 and L4 at 05:00."""
    (tmp_path / "s").write_bytes(b"secret")
    (tmp_path / "s").chmod(0o600)
    night = Night(tmp_path, more=PROVINCE)
    night.day(YESTERDAY, "AGREED")
    night.day("2026-11-14", "L4_DIFF", "insured")
    night.day("2026-11-15", "AGREED", "insured")
    night.ran("2026-11-15", MIDNIGHT_S, "insured")
    assert night.at(4.9) == []
    night.came("2026-11-15", MIDNIGHT_S + 4 * 3_600, "t", "insured")
    wanted = [f"{YESTERDAY} insured", "2026-11-16 insured", "2026-11-14 insured", "2026-11-15 insured"]
    assert night.at(5.1) == wanted
    assert ("books_day_open", "2026-11-14 insured") in night.ears.alarms
    assert [one for one in night.at(9.1) if "insured" in one][:1] == [f"{YESTERDAY} insured"]
    night.store.close()


def test_the_report_of_the_morning_is_ordered_once_where_runs_are(tmp_path: Path) -> None:
    night = Night(tmp_path, more="")
    night.day(YESTERDAY, "AGREED")
    assert [night.at(hour) for hour in (7.4, 7.6, 8)] == [[], [f"{YESTERDAY} day_report"], []]
    night.store.close()
