"""The city: the same seed gives the same trace; in a calm everything agrees; no storm loses a fen or takes it twice.

A failure names the line that replays it: `python -m simulators city --weather NAME --seed SEED --trace`.
"""

import attrs
import pytest

from gateway.app.journal_words import reason_in_chinese
from gateway.core.model import LATE_SUCCESS, Entry, followup_msgid
from gateway.core.ports import Listener
from simulators.city import MORNING_S, NIGHT_S, City, played
from simulators.full import FullPeople
from simulators.life import Road
from simulators.weather import CALM, SLEEPERS, STORM, WEATHERS, Weather

STORMS = sorted(WEATHERS.keys() - {"calm"})
SEEDS_EACH, CHUNK = 96, 32
GIVEN_UP_SHARE = 0.02  # the most seen in forty days of one weather: 0.5 %
# Of a closed day nothing can be taken back: 1.8 % of 24 055 messages of 384 days, the most of 32 days 2.85 %.
GIVEN_UP_CLOSING = 0.05
FULL_EACH, FULL_CHUNK = 16, 8


def test_the_same_seed_gives_the_same_trace_byte_for_byte() -> None:
    for name in WEATHERS:
        one, two = (played(7, WEATHERS[name]) for _ in range(2))
        assert "\n".join(one.trace).encode() == "\n".join(two.trace).encode(), name
        assert len(one.trace) > 20
    assert played(8).trace != played(7).trace


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("apart", [0, 20])
def test_in_a_calm_city_every_script_ends_well_and_all_books_agree(seed: int, apart: int) -> None:
    city = played(seed, CALM, money=36, full=True, apart=apart)
    assert city.faults() == []
    assert city.watch.alarms == []
    assert set(city.watch.results) == {"ok"}
    people = city.people
    assert isinstance(people, FullPeople)
    assert sorted(people.believed()) == sorted(people.booked())
    assert len(list(people.believed())) >= 24
    assert [line for one in people.institutions for line in one.problems()] == []


@pytest.mark.parametrize("first", range(0, SEEDS_EACH, CHUNK))
@pytest.mark.parametrize("name", STORMS)
def test_no_storm_breaks_an_invariant(name: str, first: int) -> None:
    cities = [played(seed, WEATHERS[name], traced=False) for seed in range(first, first + CHUNK)]
    assert {city.seed: faults for city in cities if (faults := city.faults())} == {}
    money = [row for city in cities for row in city.journal.rows.values() if row.klass in ("M", "A")]
    share = GIVEN_UP_CLOSING if WEATHERS[name].closes_day else GIVEN_UP_SHARE
    assert sum(row.state == "MANUAL" for row in money) <= share * len(money)


@pytest.mark.parametrize("first", range(0, FULL_EACH, FULL_CHUNK))
@pytest.mark.parametrize("name", STORMS)
def test_no_storm_breaks_an_invariant_in_the_full_city(name: str, first: int) -> None:
    assert broken(name, range(first, first + FULL_CHUNK), money=18, full=True) == {}


def broken(name: str, seeds: range, **more: object) -> dict[int, list[str]]:
    found = {seed: played(seed, WEATHERS[name], traced=False, **more).faults() for seed in seeds}
    return {seed: faults for seed, faults in found.items() if faults}


def test_the_storms_are_really_storms() -> None:
    """A checker that sees no trouble proves nothing: every kind of weather and of ending must occur."""
    cities = [played(seed, WEATHERS[name]) for name in STORMS for seed in range(1000, 1012)]
    trace = "\n".join(line for city in cities for line in city.trace)
    own = {
        "storm_s",
        "late_s",
        "held_s",
        "impatient",
        "takes_back",
        "careless",
    }  # the counters' habits are not the sky's
    for field in attrs.fields(Weather):
        if field.name not in own:
            assert f"weather {field.name}" in trace, field.name
    for where in ("before commit", "after commit", "while sending", "while answering", "while recovering"):
        assert f"ends: {where}" in trace, where
    states = {row.state for city in cities for row in city.journal.rows.values()}
    assert states >= {"ACKED", "REJECTED", "REVERSED", "CONFIRMED", "MANUAL", "NOT_SENT", "DONE"}
    told = {reason for city in cities for _, _, _, reason in city.journal.events}
    assert [reason for reason in sorted(told) if reason_in_chinese(reason) == reason] == []
    results = {result for city in cities for result in city.watch.results}
    ends = {"reversal reversed", "reversal absent", "reversal confirmed", "reversal manual"}
    assert results >= {"ok", "refused", "duplicate", "in_doubt", "not_sent"} | ends
    assert any(changed(city, "IN_DOUBT", "ACKED") for city in cities), "no answer came inside the late window"
    assert any(changed(city, "JOURNALED", "NOT_SENT") for city in cities), "nobody waited in a lane in vain"
    assert any(till.asked for city in cities for till in city.institutions), "no institution reversed by itself"
    cases = {case for city in cities for case in city.witness.cases().values()}
    assert cases >= {"MANUAL", "no_effect", "twice"}
    assert "late_success" in told, "no late success was followed up"
    assert {city.began_s for city in cities} == {MORNING_S, NIGHT_S}
    assert any("impossible" in {reason for *_, reason in city.journal.events} for city in cities), "no day was closed"


def changed(city: City, was: str, to: str) -> int:
    state: dict[int, str] = {}
    count = 0
    for number, _, now, _ in city.journal.events:
        count += (state.get(number), now) == (was, to)
        state[number] = now
    return count


def test_a_witness_sees_what_is_planted() -> None:
    """The checker can fail: a booking that vanishes, a state that is changed behind its back, a lane left behind."""
    city = played(3, attrs.evolve(STORM, storm_s=600.0), money=20)
    assert city.faults() == []
    till = next(one for one in city.institutions if one.ledger)
    lost = till.ledger.pop()
    assert any(line.startswith(f"I6: {lost.msgid}") for line in city.faults())
    till.ledger.append(attrs.evolve(lost, fen=lost.fen + 1))
    assert any(line.startswith(f"I6: {lost.msgid}") for line in city.faults())
    till.ledger[-1] = lost
    row = next(row for row in city.journal.rows.values() if row.state == "ACKED" and row.delivered and row.klass == "M")
    row.state = "REVERSED"
    lines = city.faults()
    assert any(line.startswith("I2:") for line in lines)
    assert any(line.startswith("I3:") for line in lines)


def test_a_witness_sees_a_late_success_that_nobody_follows_up() -> None:
    for seed in range(40):
        city = played(seed, SLEEPERS)
        followed = [row for row in city.journal.rows.values() if row.msgid in map(followup_msgid, late_ones(city))]
        if followed:
            break
    assert city.faults() == []
    (one, *_) = followed
    assert (one.klass, one.state) == ("R", "CONFIRMED")
    del city.journal.by_msgid[one.fixmedins_code, one.msgid]
    assert any(line.startswith(f"I11: nobody followed the late success of {one.omsgid}") for line in city.faults())
    booked = next(row for row in city.platform.rows if row.msgid == one.omsgid)  # type: ignore[attr-defined]
    booked.state = "live"
    assert any(line.startswith(f"I6: {one.omsgid}") for line in city.faults())


def test_a_gateway_that_does_not_listen_for_late_answers_is_not_excused_by_their_lateness(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A success that nobody could hear is a case; one that was there to be heard is a difference of the books."""
    assert any("unheard" in played(seed, SLEEPERS).witness.cases().values() for seed in range(4))
    send = Road.send

    def deaf(
        road: Road, path: bytes, headers: bytes, body: bytes, listener: Listener, timeout_s: float, _: float = 0.0
    ) -> None:
        send(road, path, headers, body, listener, timeout_s)

    monkeypatch.setattr(Road, "send", deaf)
    faults = [line for seed in range(10) for line in played(seed, SLEEPERS).faults()]
    assert faults and all(line.startswith("I6: ") for line in faults)


def late_ones(city: City) -> list[Entry]:
    """The settlements an answer came for when nobody waited for it any more."""
    numbers = {number for number, _, _, reason in city.journal.events if reason.startswith(LATE_SUCCESS)}
    return [city.journal.rows[number] for number in numbers if city.journal.rows[number].klass in ("M", "A")]
