"""What cannot be used is said in one Chinese sentence with exit code 2, before anything starts; nothing hangs."""

import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from forked import command

from simulators.__main__ import main
from simulators.arguments import Wrong, server_endpoint, writable


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """In a process of its own: where an argument is not refused a reactor would run for ever."""
    return command("simulators", *map(str, arguments), timeout_s=60)


def refused(ended: subprocess.CompletedProcess[str], words: str) -> None:
    assert (ended.returncode, ended.stdout) == (2, ""), ended.stderr
    (line,) = ended.stderr.splitlines()
    assert words in line and re.search(r"[\u4e00-\u9fff]", line)


@pytest.mark.processes
@pytest.mark.parametrize("listen", ["9000", "tcp:abc", "tcp:99999:interface=127.0.0.1", "ssl:0:privateKey=/nowhere"])
def test_a_platform_says_that_it_cannot_listen_there(listen: str) -> None:
    refused(run("platform", "--persons", 1, "--listen", listen), listen)


@pytest.mark.processes
def test_a_platform_says_that_the_port_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1"
        refused(run("platform", "--persons", 1, "--listen", listen), "端口已被占用")


@pytest.mark.processes
@pytest.mark.parametrize("gateway", ["http://h:abc", "127.0.0.1:8080", "http://h:0"])
@pytest.mark.parametrize("command", ["pharmacy", "load"])
def test_a_client_says_that_the_gateway_is_no_address(command: str, gateway: str) -> None:
    refused(run(command, "--gateway", gateway), "--gateway")


@pytest.mark.processes
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("hospital", "--ledger", "/nowhere/at/all.csv"), "--ledger不能写入"),
        (("load", "--json", "/nowhere/at/all.json"), "--json不能写入"),
        (("load", "--institution", "H51080200001"), "一家药店"),
        (("pharmacy", "--gateway", "https://h", "--ca", __file__), "读不出"),
        (("platform", "--verify-signature", "tif"), "--secret-file"),
    ],
)
def test_other_arguments_that_cannot_be_used(arguments: tuple[str, ...], words: str) -> None:
    refused(run(*arguments), words)


@pytest.mark.parametrize(
    ("command", "option", "value"),
    [
        ("hospital", "--at-once", 0),
        ("hospital", "--patients", 0),
        ("pharmacy", "--first-person", -1),
        ("platform", "--persons", 0),
        ("load", "--persons", 0),
        ("load", "--persons", 1_000_001),
    ],
)
def test_numbers_out_of_range_are_refused(command: str, option: str, value: int) -> None:
    found = CliRunner().invoke(main, [command, option, str(value)])
    assert found.exit_code == 2 and option in found.stderr


def test_every_way_a_port_string_fails_is_the_same_error() -> None:
    for listen in ("", "tcp", "tcp:1:bogus=1", "tcp:1:interface=::zz", "tcp:9000\\"):
        with pytest.raises(Wrong, match="--listen"):
            server_endpoint(None, listen)


def test_a_file_that_can_be_written_is_there_before_the_day(tmp_path: Path) -> None:
    writable("--ledger", tmp_path / "a.csv")
    writable("--ledger", None)
    assert (tmp_path / "a.csv").exists()
    with pytest.raises(Wrong):
        writable("--ledger", tmp_path)


@pytest.mark.processes
def test_an_error_at_the_very_start_ends_the_process() -> None:
    text = "import sys; from simulators.__main__ import _run; sys.exit(_run(lambda: 1 / 0))"
    ended = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == ["失败：division by zero"]


@pytest.mark.processes
@pytest.mark.parametrize("given", ["--cert", "--key"])
@pytest.mark.parametrize(
    "command", [("platform", "--listen", "tcp:0:interface=127.0.0.1"), ("pharmacy", "--gateway", "https://127.0.0.1:1")]
)
def test_half_a_certificate_is_not_silently_none(command: tuple[str, ...], given: str) -> None:
    refused(run(*command, given, __file__), "--cert和--key")


@pytest.mark.processes
def test_a_ca_without_tls_is_not_silently_ignored() -> None:
    refused(run("platform", "--listen", "tcp:0:interface=127.0.0.1", "--ca", __file__), "就不是TLS")
    refused(run("pharmacy", "--gateway", "http://127.0.0.1:1", "--ca", __file__), "只用于https")
