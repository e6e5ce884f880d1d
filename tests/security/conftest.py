"""A town of people, made once and copied for each test: passwords are slow on purpose."""

import copy
import shutil
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest
from two_people import Town

from gateway.security import passwords


@pytest.fixture(scope="session")
def first_town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    return made(tmp_path_factory.mktemp("town"))


@pytest.fixture(scope="session")
def quick_town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    """The same people with the cheapest hashes there are (a hash names its own cost), for tests of many logins."""
    with mock.patch.object(passwords, "_N", 2):
        return made(tmp_path_factory.mktemp("quick"))


def made(folder: Path) -> Town:
    town = Town(folder)
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
