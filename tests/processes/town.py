"""Real processes for tests: a gateway and a platform simulator on free ports, started, killed and cleaned up."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
from forked import ROOT, Forked, command
from real_processes import fetch, free_port
from wall import Wall

HOSPITAL, PHARMACY = "H51080200001", "P51080200101"
READY_S = 30.0
# Doubts end within seconds: the tests wait for that, not for a day of the real schedule.
LINK = """timeout_s = 5.0
late_window_s = 1.0
quiesce_s = 0.5
reversal_schedule_s = [0, 0.2, 0.5]
breaker = {failures = 1000000}
"""


Process = subprocess.Popen[bytes] | Forked


def wait_for(url: str, process: Process) -> float:
    """Wait until url answers 200; return the seconds it took."""
    began = time.monotonic()
    while fetch(url)[0] != 200:
        assert process.poll() is None, f"ended with {process.returncode} before {url} answered"
        assert time.monotonic() - began < READY_S, f"{url} did not answer"
        time.sleep(0.02)
    return time.monotonic() - began


@attrs.define
class Town:
    """One gateway, one platform, one folder. link: settings of the platform's link; road_port: where that leads.

    ahead_s: how far ahead all of it lives, as tests/wall.py says.
    """

    folder: Path
    link: str = LINK
    road_port: int = 0
    platform_port: int = attrs.Factory(free_port)
    port: int = attrs.Factory(free_port)
    admin_port: int = attrs.Factory(free_port)
    running: list[Process] = attrs.Factory(list)
    ahead_s: float = 0.0

    @property
    def now_s(self) -> float:
        return Wall(self.ahead_s).seconds()

    @property
    def config(self) -> Path:
        return self.folder / "gateway.toml"

    def write_config(self, name: str = "gateway.toml") -> Path:
        text = f"""
[node]
name = "test"
data_dir = "node"
[listen]
institutions = "tcp:{self.port}:interface=127.0.0.1"
admin = "tcp:{self.admin_port}:interface=127.0.0.1"
[store]
url = "sqlite:node/liangding.sqlite"
[platform.national]
url = "http://127.0.0.1:{self.road_port or self.platform_port}/fsi/api/rsfComIfsService/callService"
{self.link}"""
        for code in (HOSPITAL, PHARMACY):
            text += f"""
[[institution]]
fixmedins_code = "{code}"
name = "{code}"
link = "national"
allow_from = ["127.0.0.1/32"]
rate_per_s = 100000
connections_max = 512
"""
        path = self.folder / name
        path.write_text(text, "utf-8")
        return path

    def start(self, *arguments: str) -> Forked:
        log = self._log(arguments[0])
        one = Forked(arguments[0], arguments[1:], log, log, {}, self.ahead_s)
        self.running.append(one)
        return one

    def start_anew(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a Python of its own, as people do: it knows the real clock only."""
        assert not self.ahead_s
        with self._log(arguments[0]).open("wb") as log:
            # Whoever runs tests in the background ignores SIGINT, and every child would; a node at a terminal does not.
            one = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                stdout=log,
                stderr=log,
                cwd=ROOT,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
        self.running.append(one)
        return one

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}-{len(self.running)}.log"

    def start_platform(self) -> Process:
        """Start it with the books its last process left."""
        listen = f"tcp:{self.platform_port}:interface=127.0.0.1"
        diary = str(self.folder / "platform.diary")
        one = self.start("simulators", "platform", "--listen", listen, "--persons", "2000", "--diary", diary)
        wait_for(f"http://127.0.0.1:{self.platform_port}/sim/stats", one)
        return one

    def start_gateway(self, anew: bool = False) -> Process:
        """Start it and wait until it is ready. anew: in a Python of its own."""
        one = (self.start_anew if anew else self.start)("gateway", "run", str(self.config))
        wait_for(f"http://127.0.0.1:{self.admin_port}/readyz", one)
        return one

    def tool(self, *arguments: str, code: int = 0) -> str:
        done = command(*arguments, ahead_s=self.ahead_s)
        assert done.returncode == code, done.stderr
        return done.stdout

    def metric(self, name: str) -> float:
        """A gauge without labels; -1 while the gateway does not answer."""
        text = fetch(f"http://127.0.0.1:{self.admin_port}/metrics")[1].decode()
        return next((float(line.split()[1]) for line in text.splitlines() if line.startswith(f"{name} ")), -1.0)

    def wait_until(self, condition: Callable[[], bool], limit_s: float) -> None:
        deadline = time.monotonic() + limit_s
        while not condition():
            assert time.monotonic() < deadline, f"not within {limit_s} s"
            time.sleep(0.05)

    def journal(self, *more: str) -> list[dict[str, Any]]:
        words = ("journal", "list", str(self.config), "--json", "--limit", "1000000", *more)
        found = json.loads(self.tool("gateway", *words))
        assert found["count"] == len(found["rows"])
        rows: list[dict[str, Any]] = found["rows"]
        return rows

    def platform(self, what: str) -> Any:
        status, body = fetch(f"http://127.0.0.1:{self.platform_port}/sim/{what}")
        assert status == 200
        return json.loads(body)

    def close(self) -> None:
        for one in self.running:
            if one.poll() is None:
                one.send_signal(signal.SIGKILL)
                one.wait()
