"""What tests/conftest.py promises of every test, in a session of its own."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ONE = '''
"""Failures that wait in a cycle: only a collection finds them."""

import gc

import pytest
from twisted.internet.defer import Deferred

gc.disable()  # none by chance


class Holder:
    def __init__(self):
        self.me = self
        self.lost = Deferred()
        self.lost.errback(ValueError("nobody handles this"))


@pytest.fixture(scope="module")
def of_a_module():
    kept = [Holder()]
    yield
    kept.clear()


@pytest.fixture(scope="session")
def of_a_session():
    kept = [Holder()]
    yield
    kept.clear()


def test_leaves_one():
    Holder()


def test_leaves_none():
    pass


def test_leaves_one_to_its_module(of_a_module, of_a_session):
    pass
'''
TWO = """
def test_of_the_next_module():
    pass


def test_of_the_next_module_again():
    pass
"""


def test_a_failure_nobody_handled_fails_the_test_that_left_it_or_the_next(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n", "utf-8")
    (tmp_path / "conftest.py").write_bytes((HERE / "conftest.py").read_bytes())
    (tmp_path / "test_one.py").write_text(ONE, "utf-8")
    (tmp_path / "test_two.py").write_text(TWO, "utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-q",
        "-rA",
        "--tb=line",
        "test_one.py",
        "test_two.py",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path, check=False)
    told = [line.split(" - ")[0] for line in done.stdout.splitlines() if line.startswith(("PASSED ", "ERROR "))]
    assert sorted(told) == [
        "ERROR test_one.py::test_leaves_one",
        "ERROR test_two.py::test_of_the_next_module",  # what the module before left
        "ERROR test_two.py::test_of_the_next_module_again",  # what the session left, found at its end
        "PASSED test_one.py::test_leaves_none",
        "PASSED test_one.py::test_leaves_one",
        "PASSED test_one.py::test_leaves_one_to_its_module",
        "PASSED test_two.py::test_of_the_next_module",
        "PASSED test_two.py::test_of_the_next_module_again",
    ], done.stdout
