"""A city's core of before the national codes: it knows the institutions' codes and no others."""

from random import Random  # noqa: TID251 - seeded dice of a test

import pytest
from counter import Counter

from simulators import agreement
from simulators.citycore import CityCore, meaning, register
from simulators.day import day_of
from simulators.his import Institution
from simulators.hospital import Hospital
from simulators.pharmacy import Pharmacy


@pytest.fixture
def core() -> Counter:
    """A counter before a city's core, where nobody translates."""
    found = Counter()
    found.platform = CityCore(found.clock, Random(1), persons=50)
    found.translate = lambda message: message
    return found


@pytest.mark.parametrize("make", [Hospital, Pharmacy])
def test_a_day_in_the_institutions_own_codes_is_settled(core: Counter, make: type[Institution]) -> None:
    institution = make(core.clock.seconds, Random(5), "H51080200001", "示例")
    ends = {core.play(script) for script in day_of(institution, 12, 0)}
    assert {why for why in ends if not why.startswith("3301 ")} == {""}  # an upload of national codes is none of its
    assert len(institution.ledger) >= 8
    books = {"平台": agreement.of_platform(core.platform.ledger()), "机构": agreement.of_institutions([institution])}
    assert list(agreement.differences(books)) == []


def test_national_codes_are_not_known_here() -> None:
    counter = Counter()  # its messages are translated
    counter.platform = CityCore(counter.clock, Random(1), persons=50)
    hospital = Hospital(counter.clock.seconds, Random(5), "H51080200001", "示例")
    assert any("本市目录没有编码" in counter.play(script) for script in day_of(hospital, 5, 0))


def test_what_a_code_stands_for() -> None:
    assert (meaning("item", "YP01274") or "").startswith("X")
    assert meaning("item", "XN05AHA036A001010199001") is None
    own = next(code for code, national in register("drug").items() if not national)
    assert meaning("item", own) == own  # known here, though no national code is right for it
