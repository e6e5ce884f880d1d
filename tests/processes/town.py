"""Real processes for tests: a gateway and a platform simulator on free ports, started, killed and cleaned up."""

import json
import signal
from pathlib import Path
from typing import Any

import attrs
from real_processes import Started, free_port, page_of, tool

HOSPITAL, PHARMACY = "H51080200001", "P51080200101"


@attrs.define
class Town:
    """One gateway, one platform, one folder."""

    folder: Path
    platform_port: int = attrs.Factory(free_port)
    port: int = attrs.Factory(free_port)
    admin_port: int = attrs.Factory(free_port)
    running: list[Started] = attrs.Factory(list)

    @property
    def config(self) -> Path:
        return self.folder / "gateway.toml"

    def write_config(self, name: str = "gateway.toml", timeout_s: float = 5.0) -> Path:
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
url = "http://127.0.0.1:{self.platform_port}/fsi/api/rsfComIfsService/callService"
timeout_s = {timeout_s}
late_window_s = 1.0
breaker = {{failures = 1000000}}
"""
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

    @property
    def readyz(self) -> str:
        return f"http://127.0.0.1:{self.admin_port}/readyz"

    def start(self, module: str, *arguments: str) -> Started:
        one = Started.of(self.folder, f"{module}-{len(self.running)}", module, *arguments)
        self.running.append(one)
        return one

    def start_platform(self) -> None:
        listen = f"tcp:{self.platform_port}:interface=127.0.0.1"
        one = self.start("simulators", "platform", "--listen", listen, "--persons", "2000")
        one.wait_for(f"http://127.0.0.1:{self.platform_port}/sim/stats")

    def start_gateway(self) -> Started:
        one = self.start("gateway", "run", str(self.config))
        one.wait_for(self.readyz)
        return one

    def journal(self) -> list[dict[str, Any]]:
        found = json.loads(tool("gateway", "journal", "list", str(self.config), "--json", "--limit", "1000000"))
        assert found["count"] == len(found["rows"])
        rows: list[dict[str, Any]] = found["rows"]
        return rows

    def platform(self, what: str) -> Any:
        return json.loads(page_of(f"http://127.0.0.1:{self.platform_port}/sim/{what}"))

    def close(self) -> None:
        for one in self.running:
            one.end(signal.SIGKILL)
