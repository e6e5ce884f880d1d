"""Who may come in: source to institutions, the rate bucket, the breaker (annex X15, X25; security T6, T9, T19)."""

import pytest
from exchange_messages import HOME, OTHER, pay, who
from exchange_rig import ADDRESS, Rig
from twisted.internet.task import Clock

from gateway.core.model import Source
from gateway.exchange.door import Breaker, Door, Institution, networks

CERTIFICATE, NEXT_CERTIFICATE = "ab" * 32, "cd" * 32


def institution(
    code: str, allow: tuple[str, ...] = (), certificates: tuple[str, ...] = (), **more: float
) -> Institution:
    return Institution(
        code=code,
        name=code,
        link=None,  # type: ignore[arg-type]  # the door does not look at it
        networks=networks(allow),
        certificates=frozenset(certificates),
        **more,  # type: ignore[arg-type]  # rates and limits
    )


def found(door: Door, address: str, certificate: str = "") -> list[str]:
    return list(door.bound(Source(address=address, certificate_sha256=certificate)))


@pytest.fixture
def door() -> Door:
    ones = (
        institution("A", ("10.1.0.0/16", "2001:db8::/32")),
        institution("B", ("10.1.2.3/32",)),
        institution("C", (), (CERTIFICATE, NEXT_CERTIFICATE)),
        institution("D", ("10.4.0.0/16",), (CERTIFICATE,)),
    )
    return Door({one.code: one for one in ones})


def test_an_address_speaks_for_every_institution_whose_network_holds_it(door: Door) -> None:
    assert found(door, "10.1.9.9") == ["A"]
    assert found(door, "10.1.2.3") == ["A", "B"]
    assert found(door, "10.2.0.1") == []
    assert found(door, "2001:db8::7") == ["A"]


def test_an_ipv4_address_inside_ipv6_is_that_ipv4_address(door: Door) -> None:
    assert found(door, "::ffff:10.1.2.3") == ["A", "B"]
    assert found(door, "::ffff:10.2.0.1") == []


@pytest.mark.parametrize("address", ["", "localhost", "10.1", "10.1.2.3:80", "10.1.2.300", "unix:/x"])
def test_what_is_no_address_is_nobody(door: Door, address: str) -> None:
    assert found(door, address) == []


def test_a_certificate_decides_where_there_is_one(door: Door) -> None:
    assert found(door, "192.0.2.1", CERTIFICATE) == ["C"]
    assert found(door, "10.4.0.1", CERTIFICATE) == ["C", "D"]
    assert found(door, "192.0.2.1", NEXT_CERTIFICATE) == ["C"]
    assert found(door, "10.1.2.3", CERTIFICATE) == ["C"], "an address does not help a certificate of somebody else"
    assert found(door, "10.1.2.3", "ef" * 32) == []


def test_an_institution_with_a_certificate_does_not_come_without(door: Door) -> None:
    assert found(door, "10.4.0.1") == []


def test_the_memory_of_sources_is_bounded(door: Door) -> None:
    for number in range(10_500):
        door.bound(Source(address=f"10.7.{number // 256}.{number % 256}"))
    assert len(door._by_source) <= 10_001
    assert found(door, "10.1.9.9") == ["A"]


# --- the bucket -----------------------------------------------------------------------------------------------------


def test_the_bucket_holds_one_second_and_fills_with_time() -> None:
    one = institution("A", rate_per_s=5)
    assert [one.take(100.0) for _ in range(7)] == [True] * 5 + [False] * 2
    assert not one.take(100.1)
    assert one.take(100.2)
    assert not one.take(100.2)
    assert [one.take(200.0) for _ in range(6)] == [True] * 5 + [False]


def test_a_clock_that_jumps_back_gives_no_tokens_and_takes_none() -> None:
    one = institution("A", rate_per_s=2)
    assert [one.take(100.0), one.take(100.0), one.take(100.0)] == [True, True, False]
    assert not one.take(50.0)
    assert one.take(50.5)


def test_a_slow_rate_still_lets_single_requests_in() -> None:
    one = institution("A", rate_per_s=0.5)
    assert [one.take(100.0), one.take(101.0), one.take(102.1)] == [True, False, True]


def test_too_much_at_once_is_turned_away_whatever_the_rate() -> None:
    one = institution("A", in_flight_max=2)
    one.in_flight = 2
    assert not one.take(100.0)
    one.in_flight = 1
    assert one.take(100.0)


def test_a_request_turned_away_by_rate_may_be_repeated_and_costs_others_nothing() -> None:
    rig = Rig(institution={"rate_per_s": 1})
    rig.post(pay("m1"))
    caller = rig.post(pay("m2", "B2"))
    assert caller.said == (429, "GW-RATE", "", "same")
    assert rig.post(who("q1") | {"fixmedins_code": OTHER}, source=ADDRESS[OTHER]).status == 0
    rig.run(1.1)
    assert rig.row("m2") is None
    rig.ask(pay("m2", "B2"))
    assert rig.row("m2") is not None


def test_the_share_in_flight_is_given_back_by_every_kind_of_answer() -> None:
    rig = Rig(institution={"connections_max": 2})
    home = rig.room.door.institutions[HOME]
    rig.settle(pay("m1"))
    rig.ask(pay("m1", invono="FP2"))  # reused
    rig.ask(pay("m2"))  # duplicate
    rig.ask(pay("m3", medfee_sumamt="x"))  # complaint
    rig.ask(who("q") | {"infno": "9999"})  # unknown
    rig.ask(pay("m4") | {"fixmedins_code": OTHER}, source=ADDRESS[HOME])  # foreign
    assert home.in_flight == 0
    rig.ask(who("q1"))
    rig.ask(who("q2"))
    assert home.in_flight == 2
    assert rig.ask(who("q3")).said[:2] == (429, "GW-RATE")
    rig.far.last.reply(0)
    assert home.in_flight == 1


# --- the breaker ----------------------------------------------------------------------------------------------------


def test_the_breaker_opens_after_failures_in_a_row_and_only_then() -> None:
    clock = Clock()
    breaker = Breaker(clock, failures_max=3, open_s=5)
    for _ in range(4):
        breaker.failed()
        breaker.failed()
        breaker.worked()
    assert (breaker.state, breaker.admit()) == ("closed", True)
    for _ in range(3):
        breaker.failed()
    assert (breaker.state, breaker.admit()) == ("open", False)


def test_a_half_open_breaker_lets_one_a_second_try_until_one_works() -> None:
    clock = Clock()
    breaker = Breaker(clock, failures_max=1, open_s=5)
    breaker.failed()
    clock.advance(4.9)
    assert not breaker.admit()
    clock.advance(0.1)
    assert breaker.state == "half_open"
    assert [breaker.admit(), breaker.admit()] == [True, False]
    clock.advance(1)
    assert [breaker.admit(), breaker.admit()] == [True, False]
    breaker.failed()
    assert (breaker.state, breaker.admit()) == ("open", False)
    clock.advance(5)
    assert breaker.admit()
    breaker.worked()
    assert [breaker.state, breaker.admit(), breaker.admit()] == ["closed", True, True]
