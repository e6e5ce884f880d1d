"""A town of people, made once and copied for each test.

Hashes are slow on purpose, and a hash names its own cost: what these tests hash is as cheap as can be. What
hashes really cost is asked of one that was made before (`test_accounts`).
"""

import copy
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pytest
from two_people import Town

from gateway.security import passwords


@pytest.fixture(scope="package", autouse=True)
def cheap_hashes() -> Iterator[None]:
    with mock.patch.object(passwords, "_N", 2):
        yield


@pytest.fixture(scope="package")
def first_town(cheap_hashes: None, tmp_path_factory: pytest.TempPathFactory) -> Town:
    town = Town(tmp_path_factory.mktemp("town"))
    town.add("wang", "reconciler")
    town.add("li", "approver")
    town.add("zhao", "security")
    return town


@pytest.fixture
def a_town(first_town: Town, tmp_path: Path) -> Callable[[], Town]:
    def make() -> Town:
        folder = tmp_path / "town"
        shutil.copytree(first_town.folder, folder)
        town = copy.deepcopy(first_town)
        town.move(folder)
        return town

    return make


@pytest.fixture
def town(a_town: Callable[[], Town]) -> Town:
    return a_town()
