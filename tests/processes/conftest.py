"""How often the gateway is killed, and a town for every test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from town import Town


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=20, help="how many times the gateway is killed")


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    # Not registered yet when pytest was started from above: then the default counts.
    return int(request.config.getoption("kills", 20))


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    one = Town(tmp_path)
    one.write_config()
    yield one
    one.close()
