"""The processes of a bench run: started on their core, watched until they listen, ended by their own handle."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import attrs

from bench import cpu
from bench.cpu import Cpu
from simulators.processes import free_port

ROOT = Path(__file__).resolve().parent.parent
LISTEN_S = 20.0


class DidNotStart(Exception):
    """A process of the bench ended or does not listen; the text (Chinese) holds its last words."""


@attrs.define
class Running:
    """A started process."""

    name: str
    process: "subprocess.Popen[bytes]"
    port: int
    log: Path

    def spent(self) -> dict[int, Cpu]:
        """Processor time so far, by process; its children are those it has now, not those it began with."""
        return cpu.spent(self.process.pid)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


def start(
    name: str, command: Sequence[str], port: int, core: set[int], folder: Path, stdin: int | None = None, **how: Any
) -> Running:
    """Start on a core; stderr (and stdout unless given) goes to a log file in folder. port 0: it does not listen."""
    log = folder / f"{name}.log"
    with log.open("wb") as out:
        how.setdefault("stdout", out)
        process = subprocess.Popen(
            list(command),
            stdin=stdin if stdin is not None else subprocess.DEVNULL,
            stderr=out,
            cwd=ROOT,
            preexec_fn=lambda: os.sched_setaffinity(0, core),
            **how,
        )
    found = Running(name, process, port, log)
    if port:
        wait_listening(found)
    return found


def wait_listening(one: Running, seconds: float = LISTEN_S) -> None:
    """Return once the port answers; raises DidNotStart."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if one.process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", one.port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    one.stop()
    last = one.log.read_text("utf-8", "replace")[-600:] if one.log.exists() else ""
    raise DidNotStart(f"{one.name} 没有启动：{last}")


def python(module: str, *arguments: object) -> list[str]:
    return [sys.executable, "-m", module, *(str(argument) for argument in arguments)]


def program(name: str) -> str | None:
    """The path of a program, also where daemons live."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 100000000; client_body_buffer_size 256k;
  client_body_temp_path {folder}/nginx-body; proxy_temp_path {folder}/nginx-proxy;
  upstream far {{ server 127.0.0.1:{target}; keepalive 64; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=512;
    location / {{
      proxy_pass http://far; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffers 16 16k;
    }}
  }}
}}
"""


def start_nginx(folder: Path, target: int, core: set[int]) -> Running | None:
    """A bare nginx proxy with one worker; None when nginx is not installed."""
    nginx = program("nginx")
    if nginx is None:
        return None
    port = free_port()
    conf = folder / "nginx.conf"
    conf.write_text(NGINX.format(folder=folder, target=target, port=port))
    return start("nginx", [nginx, "-p", str(folder), "-c", str(conf), "-e", "stderr"], port, core, folder)


def start_node(folder: Path, target: int, core: set[int]) -> Running | None:
    """A bare Node proxy; None when Node is not installed."""
    node = program("node") or program("nodejs")
    if node is None:
        return None
    port = free_port()
    return start("node", [node, str(ROOT / "bench" / "node_proxy.js"), str(port), str(target)], port, core, folder)


def start_agent(folder: Path, target: int, core: set[int]) -> Running:
    """The bare twisted.web + Agent proxy."""
    port = free_port()
    return start("agent", python("bench.agent_proxy", port, target), port, core, folder)


def start_far_end(folder: Path, core: set[int], tls: Sequence[Path] = ()) -> Running:
    """The far end; tls: certificate and key."""
    port = free_port()
    return start(f"farend{'-tls' if tls else ''}", python("bench.farend", port, *tls), port, core, folder)


def pipe_of(one: Running) -> tuple[IO[bytes], IO[bytes]]:
    """stdin and stdout of a process that was started with pipes."""
    assert one.process.stdin is not None and one.process.stdout is not None
    return one.process.stdin, one.process.stdout
