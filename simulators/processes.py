"""Processes of ours beside each other: run to their end or in the background, awaited, ended by their own handle.

Everything that goes wrong with one is `Failed`, with one Chinese sentence for people.
"""

import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import attrs

READY_S = 30.0
_LAST_WORDS = 1500


class Failed(Exception):
    """A process did not do what it was started for: a Chinese sentence, and the last words of the process."""


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@attrs.define
class Processes:
    """What runs in one folder, each with a log there. tool_s: how long a command may take that is waited for."""

    folder: Path
    tool_s: float = 300.0
    running: dict[str, "subprocess.Popen[bytes]"] = attrs.Factory(dict)

    def tool(self, module: str, *arguments: str, accept: tuple[int, ...] = (0,)) -> str:
        """Run one command to its end; return what it printed. accept: exit codes that are well. Raises Failed."""
        name = " ".join((module, *arguments[:3]))
        try:
            done = subprocess.run(_python(module, arguments), capture_output=True, timeout=self.tool_s)
        except subprocess.TimeoutExpired as cause:
            raise Failed(f"{name}在{self.tool_s:.0f}秒内没有结束") from cause
        except OSError as cause:
            raise Failed(f"{name}不能启动：{cause.strerror}") from cause
        if done.returncode not in accept:
            raise Failed(f"{name}没有成功：{done.stderr.decode('utf-8', 'replace')[-_LAST_WORDS:]}")
        return done.stdout.decode("utf-8")

    def start(self, name: str, module: str, *arguments: str) -> None:
        """Start one in the background; both its outputs go to its log. Raises Failed."""
        try:
            with self._log(name).open("wb") as log:
                self.running[name] = subprocess.Popen(_python(module, arguments), stdout=log, stderr=log)
        except OSError as cause:
            raise Failed(f"{name}不能启动：{cause.strerror}") from cause

    def wait_ended(self, name: str, title: str, seconds: float) -> None:
        """Wait until it has ended well; raises Failed."""
        try:
            code = self.running[name].wait(timeout=seconds)
        except subprocess.TimeoutExpired as cause:
            raise Failed(f"{title}在{seconds:.0f}秒内没有结束") from cause
        if code != 0:
            raise Failed(f"{title}没有正常结束：{self._last_words(name)}")

    def wait_ready(self, name: str, title: str, url: str) -> None:
        """Wait until its page answers 200; raises Failed when it ends before that, or takes too long."""
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            if self.running[name].poll() is not None:
                raise Failed(f"{title}没有启动：{self._last_words(name)}")
            try:
                with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310  # our own loopback address
                    if answer.status == 200:
                        return
            except OSError:
                time.sleep(0.1)
        raise Failed(f"{title}没有在{READY_S:.0f}秒内就绪")

    def close(self) -> None:
        """End all that still run."""
        for process in self.running.values():
            if process.poll() is None:
                process.terminate()
        for process in self.running.values():
            try:
                process.wait(timeout=40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def _last_words(self, name: str) -> str:
        return self._log(name).read_text("utf-8", errors="replace")[-_LAST_WORDS:].strip()


def _python(module: str, arguments: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-m", module, *arguments]
