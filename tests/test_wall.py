"""No town sees its day end, its day before is of the same month, and all of its processes live by one clock."""

import time

import pytest
from forked import command
from wall import DAY_S, HOUR_S, ahead_at

from gateway.core.dates import day_of

MIDNIGHT_S = 1_796_054_400.0  # 2026-12-01 00:00:00 in Shanghai


@pytest.mark.parametrize("day", range(-1, 3))
@pytest.mark.parametrize("minute", range(-40, 41))
def test_half_an_hour_lies_between_a_town_and_any_midnight(minute: int, day: int) -> None:
    opens_s = MIDNIGHT_S + day * DAY_S + 60 * minute
    opens_s += ahead_at(opens_s)
    assert day_of(opens_s - 1800) == day_of(opens_s + 1799.9)
    assert day_of(opens_s)[:7] == day_of(opens_s - DAY_S)[:7]


def test_by_day_a_town_lives_now_but_not_on_the_first_of_a_month() -> None:
    minutes = range(30, 23 * 60 + 30)
    assert {ahead_at(MIDNIGHT_S + DAY_S + 60 * minute) for minute in minutes} == {0.0}
    assert {ahead_at(MIDNIGHT_S + 60 * minute) for minute in minutes} == {DAY_S}


@pytest.mark.parametrize("ahead_s", [0.0, HOUR_S, DAY_S])
def test_a_process_of_a_town_lives_as_far_ahead(ahead_s: float) -> None:
    began_s = time.clock_gettime(time.CLOCK_REALTIME)
    done = command("timeit", "-n1", "-r1", "-s", "import time", "print(time.time())", ahead_s=ahead_s)
    ended_s = time.clock_gettime(time.CLOCK_REALTIME)
    assert began_s <= float(done.stdout.split()[0]) - ahead_s <= ended_s, done.stderr
