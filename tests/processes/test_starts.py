"""A node that must not start says why in one sentence, with the exit code of the contract, and has done nothing yet."""

import os
import subprocess
import sys

import pytest
from forked import ROOT
from town import Town, wait_for

pytestmark = pytest.mark.processes

# A machine whose SM3 is another digest: OpenSSL built or patched wrongly, a processor that lies.
WRONG_SM3 = """
import hashlib
honest = hashlib.new
hashlib.new = lambda name, *rest, **more: honest("sha256" if name == "sm3" else name, *rest, **more)
from gateway.__main__ import main
main()
"""


def test_a_machine_that_computes_wrongly_is_not_trusted_with_money(town: Town) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WRONG_SM3, "run", str(town.config)],
        capture_output=True, text=True, cwd=ROOT, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert done.stderr == "密码算法自检失败：SM3 abc 结果与标准不符\n"
    assert not (town.folder / "node").exists()


def told(*words: str) -> str:
    """What a Python of its own says: here it is the start that is looked at."""
    command = [sys.executable, "-m", "gateway", *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True, timeout=60).stdout


def test_help_on_the_demo_names_its_options() -> None:
    options = told("demo", "--help")
    for option in ("--once", "--seed", "--data"):
        assert option in options
    assert "demo" in told("--help")


def test_a_node_needs_nobody_who_listens(town: Town) -> None:
    """Without a standard output, and with a standard error nobody reads any more, it starts, serves and stops."""
    town.write_config()
    reading, writing = os.pipe()
    os.close(reading)
    command = 'exec "$@" >&-'
    words = [sys.executable, "-m", "gateway", "run", str(town.config)]
    node = subprocess.Popen(["/bin/sh", "-c", command, "sh", *words], cwd=ROOT, stderr=writing)
    os.close(writing)
    try:
        wait_for(f"http://127.0.0.1:{town.admin_port}/readyz", node)
        node.terminate()
        assert node.wait(30) == 0
    finally:
        node.kill()
        node.wait()
