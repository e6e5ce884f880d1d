"""Processes of ours, forked from one that has loaded our modules: a start of Python costs seconds, a fork nearly none.

They are as real as any: their own memory, files, sockets and signals, and they die when they are killed. What a fork
cannot show, that `python -m gateway` finds and loads what it needs, tests/processes/test_starts.py and test_kills.py
show.
"""

import gc
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
_FORKS = multiprocessing.get_context("forkserver")
# Nothing here may import the reactor: every process chooses its own.
_FORKS.set_forkserver_preload(
    [
        "gateway.app.cli",
        "gateway.app.node",
        "gateway.app.running",
        "gateway.app.clock",
        "gateway.app.entropy",
        "gateway.app.cli_audit",
        "gateway.app.cli_books",
        "gateway.app.cli_codes",
        "gateway.app.cli_journal",
        "gateway.app.cli_lists",
        "gateway.app.cli_security",
        "gateway.app.books_child",
        "simulators.arguments",
        "simulators.city_command",
        "simulators.platform",
        "simulators.province_command",
        "simulators.trial",
        "simulators.wire",
    ]
)


class Forked:
    """`python -m MODULE WORDS` with its output appended to files; used as a subprocess.Popen is."""

    def __init__(
        self, module: str, words: Sequence[str], out: Path, err: Path, more: Mapping[str, str], ahead_s: float = 0.0
    ) -> None:
        """more: of its environment. ahead_s: its wall clock is so far ahead. Its working directory is the project's."""
        facts = (module, tuple(words), str(out), str(err), {**os.environ, **more}, ahead_s)
        self._process = _FORKS.Process(target=_become, args=facts, daemon=True)
        self._process.start()
        assert self._process.pid is not None
        self.pid: int = self._process.pid

    @property
    def returncode(self) -> int | None:
        """Its exit code, minus the signal that killed it, None while it lives."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """The same."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; raises subprocess.TimeoutExpired."""
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout or 0.0)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal to it unless it has ended."""
        if self._process.exitcode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def command(
    module: str, *words: str, timeout_s: float = 120.0, ahead_s: float = 0.0
) -> "subprocess.CompletedProcess[str]":
    """Run one of our commands to its end."""
    with tempfile.TemporaryDirectory(prefix="forked-") as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        process = Forked(module, words, out, err, {}, ahead_s)
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return subprocess.CompletedProcess((module, *words), code, out.read_text("utf-8"), err.read_text("utf-8"))


def _become(
    module: str, words: tuple[str, ...], out: str, err: str, environment: dict[str, str], ahead_s: float
) -> None:
    """Be a program that was just started, in the child."""
    gc.freeze()  # what was loaded before the fork stays shared
    os.chdir(ROOT)
    os.environ.clear()
    os.environ.update(environment)
    if ahead_s:
        time.time = lambda: time.clock_gettime(time.CLOCK_REALTIME) + ahead_s  # noqa: TID251  # a clock is told
    tempfile.tempdir = None  # asked for again: the environment may name another
    for number, file in ((1, out), (2, err)):
        opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  # for the rest of its life
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115  # for the rest of its life
    # Whoever runs tests in the background ignores SIGINT, and every child would; a program at a terminal does not.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = [module, *words]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
