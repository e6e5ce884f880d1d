"""Real processes for tests: free ports, pages of ours, our commands run to their end, and nodes that are started."""

import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import attrs
from forked import Forked, command

READY_S = 40.0
NOBODY_THERE = 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def fetch(url: str) -> tuple[int, bytes]:
    """(status, body); the status is NOBODY_THERE when nobody is."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read()
    except OSError:
        return NOBODY_THERE, b""


def page_of(url: str) -> bytes:
    """A page of ours, whatever its status; somebody must be there."""
    status, body = fetch(url)
    assert status != NOBODY_THERE, url
    return body


def tool(module: str, *arguments: str) -> str:
    """Run one of our commands to its end; return what it printed."""
    done = command(module, *arguments)
    assert done.returncode == 0, (arguments, done.stderr[-2000:])
    return done.stdout


@attrs.define(eq=False)
class Started:
    """One process of ours; its output lies in NAME.out and NAME.err, its temporary files in NAME.tmp."""

    process: Forked
    out: Path
    err: Path

    @classmethod
    def of(cls, folder: Path, name: str, module: str, *arguments: str) -> "Started":
        out, err = folder / f"{name}.out", folder / f"{name}.err"
        scratch = folder / f"{name}.tmp"
        scratch.mkdir(exist_ok=True)
        return cls(Forked(module, arguments, out, err, {"TMPDIR": str(scratch)}), out, err)

    def wait_for(self, url: str, status: int = 200) -> None:
        """Wait until url answers so; the process must live on."""
        deadline = time.monotonic() + READY_S
        while fetch(url)[0] != status:
            assert self.process.poll() is None, self.err.read_text("utf-8")[-2000:]
            assert time.monotonic() < deadline, url
            time.sleep(0.02)

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Send the signal unless it has ended; return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
