"""Real sockets on 127.0.0.1: the one place of the tests where the reactor itself is used."""

from typing import Any

import pytest


@pytest.fixture
def reactor() -> Any:
    """Return the reactor that pytest-twisted runs."""
    from twisted.internet import reactor  # noqa: TID251  (these tests are about the real one)

    return reactor
