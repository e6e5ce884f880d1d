"""The request rows: start every proxy, the far end and the client, and measure cell by cell."""

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

from bench import bodies, cpu, node, procs, rounds
from bench.procs import Running
from bench.rounds import Cell, Measured, Table

CONNECTIONS = 64
SETTLE_S = 0.3  # lazy outcomes are committed within 0.25 s and belong to the requests that caused them
REQUESTS = 3000  # of every cell and round, whoever the proxy is: what a round costs once is shared out alike
NAMES: Mapping[str, str] = {
    "nginx": "nginx 裸代理",
    "node": "Node http 裸代理",
    "agent": "web+Agent 裸代理",
    "gateway": "两定网关",
    "gateway-tls": "两定网关，两侧TLS",
}
TLS_KIND = "mix"


@attrs.define
class Bench:
    """Everything that runs during the rows.

    skipped: proxy -> why it has no row (Chinese). settle_s: rest after a cell that still counts as its own.
    """

    folder: Path
    proxies: dict[str, Running] = attrs.Factory(dict)
    others: list[Running] = attrs.Factory(list)
    skipped: dict[str, str] = attrs.Factory(dict)
    import_s: float = 0.0
    admin: int = 0
    certificates: node.Certificates | None = None
    client: Running | None = None
    settle_s: float = SETTLE_S

    def stop(self) -> None:
        for one in (*self.proxies.values(), *self.others):
            one.stop()

    def ask(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """One command to the client."""
        assert self.client is not None
        to_client, from_client = procs.pipe_of(self.client)
        to_client.write(json.dumps(order).encode() + b"\n")
        to_client.flush()
        answer = from_client.readline()
        if not answer:
            raise procs.DidNotStart(f"压力端中断：{self.client.log.read_text('utf-8', 'replace')[-400:]}")
        found: dict[str, Any] = json.loads(answer)
        return found

    def measure(self, cell: Cell, number: int) -> Measured:
        """One cell of one round."""
        proxy, kind = cell
        one = self.proxies[proxy]
        tls = self.certificates.client if proxy == "gateway-tls" and self.certificates else []
        before = one.spent()
        found = self.ask(
            {
                "kind": kind, "variant": number, "count": REQUESTS, "port": one.port,
                "connections": CONNECTIONS, "tls": tls,
            }
        )  # fmt: skip
        time.sleep(self.settle_s)
        used = cpu.between(before, one.spent())
        return rounds.measured(used.total, used.user, used.system, found["done"], found["seconds"], found["bad"])


def set_up(folder: Path, say: Callable[[str], object], gateway: bool = True) -> Bench:
    """Start all of it; what is missing is noted in `skipped`."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    proxy_core, other_core = cpu.cores()
    bench = Bench(folder)
    try:
        _start(bench, proxy_core, other_core, say, gateway)
    except BaseException:
        bench.stop()
        raise
    return bench


def _start(bench: Bench, core: set[int], other: set[int], say: Callable[[str], object], gateway: bool) -> None:
    folder = bench.folder
    say("生成报文")
    bodies.make_all(folder / "moulds", REQUESTS)
    far = procs.start_far_end(folder, other)
    bench.others.append(far)
    command = procs.python("bench.client", folder / "moulds")
    bench.client = procs.start("client", command, 0, other, folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    bench.others.append(bench.client)
    procs.pipe_of(bench.client)[1].readline()
    bench.proxies["agent"] = procs.start_agent(folder, far.port, core)
    for name, begin in (("nginx", procs.start_nginx), ("node", procs.start_node)):
        one = begin(folder, far.port, core)
        if one is None:
            bench.skipped[name] = f"没有安装 {name}，跳过此行"
        else:
            bench.proxies[name] = one
    if not gateway:
        return
    say("导入目录和对码")
    prepared = node.prepare(folder / "node", far.port)
    bench.import_s, bench.admin = prepared.import_s, prepared.admin
    bench.proxies["gateway"] = node.start("gateway", prepared, core)
    bench.certificates = node.make_certificates(folder / "certs")
    far_tls = procs.start_far_end(folder, other, bench.certificates.platform)
    bench.others.append(far_tls)
    secure = node.prepare(folder / "node-tls", far_tls.port, bench.certificates, like=prepared)
    bench.proxies["gateway-tls"] = node.start("gateway-tls", secure, core)


def cells(bench: Bench) -> list[Cell]:
    """Every plain proxy with every kind of message; TLS with the mix."""
    plain: list[str] = [name for name in ("nginx", "node", "agent", "gateway") if name in bench.proxies]
    found: list[Cell] = [(name, kind) for kind in bodies.KINDS for name in plain]
    if "gateway-tls" in bench.proxies:
        found.append(("gateway-tls", TLS_KIND))
    return found


def run(bench: Bench, how_many: int, say: Callable[[str], object]) -> Table:
    """All rounds."""

    def measure(cell: Cell, number: int) -> Measured:
        say(f"第{number}轮 {NAMES[cell[0]]} {cell[1]}" if number else f"预热 {NAMES[cell[0]]} {cell[1]}")
        return bench.measure(cell, number)

    return rounds.run(cells(bench), how_many, measure)
