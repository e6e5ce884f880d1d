"""A step's process: it is let run a part of the time, tells its end as its own, and never outlives who holds it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

_BEGIN = """
import os
from gateway.app import child_process
child_process.begin({free})
print(os.getpid(), flush=True)
"""
WAIT_S = 60.0
Begin = Callable[..., tuple["subprocess.Popen[str]", int]]


@pytest.fixture(name="begin")
def fixture_begin() -> Iterator[Begin]:
    """Start a step's process; (the process its starter knows, the number of the one that works)."""
    begun: list[tuple[subprocess.Popen[str], int]] = []

    def begin(then: str, free_s: float = 0.0) -> tuple["subprocess.Popen[str]", int]:
        words = [sys.executable, "-c", _BEGIN.format(free=free_s) + then]
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        begun.append((process, int(process.stdout.readline())))
        return begun[-1]

    yield begin
    for process, worker in begun:
        for number in (process.pid, worker):
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            pipe.close()


def state(worker: int) -> str:
    """The letter of proc(5), '' when it is gone."""
    try:
        return Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def seen(worker: int, wanted: Callable[[str], bool]) -> bool:
    until = time.monotonic() + WAIT_S
    while time.monotonic() < until:
        if wanted(state(worker)):
            return True
        time.sleep(0.001)
    return False


@pytest.mark.parametrize(("then", "code"), [("", 0), ("raise SystemExit(3)", 3), ("os.kill(os.getpid(), 9)", -9)])
def test_its_end_is_told_as_it_was(begin: Begin, then: str, code: int) -> None:
    process, worker = begin(then)
    assert worker != process.pid
    assert process.wait(WAIT_S) == code


def test_it_is_stopped_and_let_go_on_by_turns(begin: Begin) -> None:
    _, worker = begin("while True: pass")
    for _ in range(3):
        assert seen(worker, lambda letter: letter == "T") and seen(worker, lambda letter: letter == "R")


def test_at_first_it_runs_as_it_likes(begin: Begin) -> None:
    process, worker = begin("for _ in range(300_000): os.getppid()", free_s=WAIT_S)
    letters = set()
    while process.poll() is None:
        letters.add(state(worker))
    assert process.returncode == 0 and "T" not in letters


@pytest.mark.parametrize("kill", [True, False])
def test_it_ends_with_who_began_it(begin: Begin, kill: bool) -> None:
    process, worker = begin("while True: pass")
    assert seen(worker, lambda letter: letter == "T")
    if kill:
        process.kill()
    else:
        assert process.stdin is not None
        process.stdin.close()
    assert seen(worker, lambda letter: letter in ("", "Z"))
    assert process.wait(WAIT_S) == (-signal.SIGKILL if kill else 1)
