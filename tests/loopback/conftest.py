"""Real sockets on 127.0.0.1: the one place of the tests where the reactor itself is used."""

# pytest-twisted has no annotations.
# mypy: disable-error-code="untyped-decorator"

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from books_town import BooksTown
from codes_town import CodesTown
from province_town import ProvinceTown
from transport_town import Town


@pytest.fixture
def reactor() -> Any:
    """Return the reactor that pytest-twisted runs."""
    from twisted.internet import reactor  # noqa: TID251  (these tests are about the real one)

    return reactor


@pytest_twisted.async_yield_fixture
async def town(reactor: Any, tmp_path: Path) -> AsyncIterator[Town]:
    made = Town(reactor, tmp_path)
    yield made
    await made.close()


@pytest_twisted.async_yield_fixture
async def codes_town(reactor: Any, tmp_path: Path) -> AsyncIterator[CodesTown]:
    made = CodesTown(reactor, tmp_path)
    yield made
    await made.close()


@pytest_twisted.async_yield_fixture
async def books_town(reactor: Any, tmp_path: Path) -> AsyncIterator[BooksTown]:
    made = BooksTown(reactor, tmp_path)
    await made.open()
    yield made
    await made.close()


@pytest_twisted.async_yield_fixture
async def province_town(reactor: Any, tmp_path: Path) -> AsyncIterator[ProvinceTown]:
    made = ProvinceTown(reactor, tmp_path)
    yield made
    await made.close()
