"""The city: the same seed gives the same trace; in a calm everything agrees; no storm loses a fen or takes it twice.

`pytest tests/city -k storm` plays all seeds; a failure names the seed: `played(SEED, WEATHERS[NAME])` replays it.
"""

import attrs
import pytest
from watched_city import WatchedCity, played

from simulators.city import CALM, Weather

# Each has its own way of being bad; the last two send the same persons to both institutions at once.
WEATHERS: dict[str, tuple[Weather, int, int]] = {
    "storm": (Weather(), 6, 20),
    "crashes": (Weather(crash=0.03, broken_counter=0.1), 6, 20),
    "full disks": (Weather(disk_full=0.05, lost_answer=0.02), 6, 20),
    "silence": (Weather(slow_answer=0.4, lost_answer=0.1, broken_counter=0.1), 6, 20),
    "crowd": (Weather(slow_answer=0.2, broken_counter=0.1, crash=0.01), 8, 0),
    "crowd and full disks": (Weather(slow_answer=0.2, disk_full=0.03, crash=0.01), 8, 0),
}
SEEDS_EACH, CHUNK = 100, 25


def test_the_same_seed_gives_the_same_trace_byte_for_byte() -> None:
    for name, (weather, patients, apart) in WEATHERS.items():
        one, two = (played(7, weather, patients, apart) for _ in range(2))
        assert "\n".join(one.trace).encode() == "\n".join(two.trace).encode(), name
        assert len(one.trace) > 100
    other = played(8, WEATHERS["storm"][0])
    assert other.trace != one.trace


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("apart", [0, 20])
def test_in_a_calm_city_every_script_ends_well_and_all_books_agree(seed: int, apart: int) -> None:
    city = played(seed, CALM, patients=12, apart=apart)
    assert list(city.faults()) == []
    assert city.watch.alarms == []
    assert set(city.watch.results) <= {"ok"}
    ours = [row for one in city.institutions for row in one.ledger]
    theirs = [row for row in city.platform.ledger() if not row["reversed"]]
    assert len(ours) == len(theirs) >= 24
    assert {row.setl_id for row in ours} == {row["setl_id"] for row in theirs}
    assert sum(row.amounts["medfee_sumamt"] for row in ours) == sum(row["medfee_fen"] for row in theirs)
    assert [line for one in city.institutions for line in one.problems()] == []


@pytest.mark.parametrize("first", range(0, SEEDS_EACH, CHUNK))
@pytest.mark.parametrize("name", WEATHERS)
def test_no_storm_breaks_an_invariant(name: str, first: int) -> None:
    weather, patients, apart = WEATHERS[name]
    broken = {}
    for seed in range(first, first + CHUNK):
        found = list(played(seed, weather, patients, apart).faults())
        if found:
            broken[seed] = found
    assert broken == {}


def test_the_storms_are_really_storms() -> None:
    """A checker that sees no trouble proves nothing: every kind of weather and of ending must occur."""
    cities = [played(seed, *WEATHERS[name]) for name in WEATHERS for seed in range(1000, 1010)]
    trace = "\n".join(line for city in cities for line in city.trace)
    for field in attrs.fields(Weather):
        if field.name != "storm_s":
            assert f"weather {field.name}" in trace, field.name
    for where in ("before commit", "after commit", "after sending"):
        assert f"crash {where}" in trace
    states = {row.state for city in cities for row in city.store.rows.values()}
    assert states >= {"ACKED", "REJECTED", "IN_DOUBT", "NOT_SENT", "DONE"}
    results = {result for city in cities for result in city.watch.results}
    assert results >= {"ok", "refused", "duplicate", "in_doubt", "not_sent", "platform_error"}
    late = sum(_changed(city, "IN_DOUBT", "ACKED") for city in cities)
    assert late > 0, "no answer came inside the late window"
    assert sum(_changed(city, "JOURNALED", "NOT_SENT") for city in cities) > 0, "nobody waited in a lane in vain"


def _changed(city: WatchedCity, was: str, to: str) -> int:
    state: dict[int, str] = {}
    count = 0
    for number, _, now, _ in city.store.events:
        count += (state.get(number), now) == (was, to)
        state[number] = now
    return count
