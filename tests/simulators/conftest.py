"""A counter before an empty platform, and a hospital that uses it."""

from random import Random  # noqa: TID251 - seeded dice of a test

import pytest
from counter import Counter

from simulators.hospital import Hospital


@pytest.fixture
def counter() -> Counter:
    return Counter()


@pytest.fixture
def hospital(counter: Counter) -> Hospital:
    return Hospital(counter.clock.seconds, Random(5), "H51080200001", "广元市示例医院")
